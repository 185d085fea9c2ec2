"""Lines in a spectrum: where, how strong, and which generator, harmonic or beat each one is.

A line is what stands out of the local noise floor (a running median) by more than chance allows.
Neighbours are fitted together, with their interference: two sines 2 to 12 bins apart (3 to 12 with
Blackman and Harris's window, 4 to 12 with the flat top) get their own amplitudes and frequencies,
down to 1:0.01. What cannot be told apart, drifts, or comes and goes is one line that is not
`resolved`, with wide sigmas.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from ishtar.quantity import Measured
from ishtar.spectral.measured_lines import measure_lines
from ishtar.spectral.welch import BadSpectrum

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ExpectedLine", "Line", "expected_lines", "find_lines"]


@dataclass(frozen=True, kw_only=True)
class ExpectedLine:
    """Where a harmonic or a beat should be.

    Parameters
    ----------
    label : str
        ``"ICRF"``, ``"2×ICRF"``, ``"helicon − ICRF"``.
    terms : mapping of str to int
        Multiples of the fundamentals, ``{"helicon": 1, "ICRF": -1}``.
    frequency_hz : float
        Where it shows in the spectrum.
    folded : bool
        Whether it shows as an alias: it is above half the sampling rate.
    """

    label: str
    terms: Mapping[str, int]
    frequency_hz: float
    folded: bool = False

    @property
    def order(self) -> int:
        """Σ |multiples|: 1 for a fundamental."""
        return sum(abs(n) for n in self.terms.values())


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line that was found.

    Parameters
    ----------
    label : str
        What it is, as in `ExpectedLine`; empty if nothing known fits.
    frequency : Measured
        Hz, as it shows in the spectrum.
    amplitude : Measured
        Of the sine, in the signal's unit (its root mean square over the time, times √2).
    excess_db : float
        Peak of the density over the noise floor.
    resolved : bool
        False where there is more than one line, or one that is no sine of one frequency, and
        neither can be told: frequency and amplitude are those of all the power, the sigmas wide.
    expected : ExpectedLine or None
        What it was identified with.
    also : tuple of str
        Labels that fit at this resolution as well, likeliest first.
    """

    label: str
    frequency: Measured
    amplitude: Measured
    excess_db: float
    resolved: bool = True
    expected: ExpectedLine | None = None
    also: tuple[str, ...] = field(default=())


def expected_lines(
    fundamentals: Mapping[str, float],
    *,
    harmonics: int = 5,
    beats: int = 4,
    sample_rate_hz: float | None = None,
) -> tuple[ExpectedLine, ...]:
    """Return harmonics n·f and beats n·f₁ ± m·f₂ of all fundamentals, lowest order first.

    Parameters
    ----------
    fundamentals : mapping of str to float
        Frequencies by name, Hz.
    harmonics : int
        Highest n of a harmonic.
    beats : int
        Highest n + m of a beat, n, m ≥ 1; below 2 there are none.
    sample_rate_hz : float, optional
        Where given, frequencies above half of it are folded to where they show.
    """
    for name, f in fundamentals.items():
        if not (math.isfinite(f) and f > 0.0):
            raise BadSpectrum(f"a fundamental of {f} Hz for {name!r} does not exist: correct it")
    lines = [{name: n} for name in fundamentals for n in range(1, harmonics + 1)]
    for a, b in itertools.combinations(fundamentals, 2):
        for n, m in itertools.product(range(1, max(beats, 1)), repeat=2):
            if n + m <= beats:
                lines += [{a: n, b: m}, {a: n, b: -m}]
    made = [_expected(terms, fundamentals, sample_rate_hz) for terms in lines]
    return tuple(sorted(made, key=lambda line: (line.order, line.frequency_hz)))


def _expected(
    terms: dict[str, int], fundamentals: Mapping[str, float], rate: float | None
) -> ExpectedLine:
    f = sum(n * fundamentals[name] for name, n in terms.items())
    if f < 0.0:
        terms, f = {name: -n for name, n in terms.items()}, -f
    parts = sorted(terms.items(), key=lambda item: -item[1])  # what is taken away comes last
    label = ""
    for name, n in parts:
        sign = ("" if n > 0 else "−") if not label else (" + " if n > 0 else " − ")
        label += sign + (name if abs(n) == 1 else f"{abs(n)}×{name}")
    shown = f if rate is None else _fold(f, rate)
    folded = rate is not None and f > 0.5 * rate
    return ExpectedLine(label=label, terms=terms, frequency_hz=shown, folded=folded)


def _fold(f: float, rate: float) -> float:
    return abs(f - rate * round(f / rate))


def find_lines(
    spectrum: xr.Dataset,
    fundamentals: Mapping[str, float] | None = None,
    *,
    harmonics: int = 5,
    beats: int = 4,
    tolerance: float | Mapping[str, float] = 1e-3,
    false_alarm: float = 1e-3,
    max_lines: int = 100,
) -> tuple[Line, ...]:
    """Return the lines of a spectrum, by frequency, with what each one is.

    First the fundamentals are looked for, and where they are found their measured frequencies
    predict harmonics and beats: a generator that is 50 ppm off carries its harmonics with it.

    Parameters
    ----------
    spectrum : xarray.Dataset
        From :func:`~ishtar.spectral.spectrum`.
    fundamentals : mapping of str to float, optional
        Nominal frequencies by name, Hz. Those above half the sampling rate are looked for where
        they are folded to; then state a ``tolerance`` that is small against the rate.
    harmonics, beats : int
        As in :func:`expected_lines`.
    tolerance : float or mapping of str to float
        How far a generator may be from its nominal frequency, as a share of it; of all, or of each
        by its name: one that is tuned, and one that a crystal holds.
    false_alarm : float
        Chance that Gaussian noise alone brings a line into a whole spectrum.
    max_lines : int
        The strongest ones are kept.

    Returns
    -------
    tuple of Line
        Sigmas hold the noise around the line, how well it is told from its neighbours, and the
        noise's own power in the lobe. They do not hold the error of the recorder's clock. Lines
        closer than the window resolves (1.5 bins of a Hann window), a line that drifts, comes and
        goes or wobbles are one line that is not ``resolved``.
    """
    facts = spectrum.attrs
    found = [
        Line(
            label="",
            frequency=Measured(x.frequency, x.frequency_sigma, "Hz"),
            amplitude=Measured(x.amplitude, x.amplitude_sigma, facts["unit"]),
            excess_db=x.excess_db,
            resolved=x.resolved,
        )
        for x in measure_lines(spectrum, false_alarm, max_lines)
    ]
    nominal = dict(fundamentals or {})
    return _identify(found, nominal, facts, harmonics, beats, _of_each(tolerance, nominal))


def _of_each(
    tolerance: float | Mapping[str, float], nominal: Mapping[str, float]
) -> dict[str, float]:
    if not isinstance(tolerance, Mapping):
        return dict.fromkeys(nominal, tolerance)
    if tolerance.keys() != nominal.keys():
        raise BadSpectrum(
            f"tolerances for {', '.join(tolerance) or 'nothing'}, fundamentals "
            f"{', '.join(nominal) or 'none'}: give one for each of these"
        )
    return dict(tolerance)


def _identify(
    found: Sequence[Line],
    fundamentals: dict[str, float],
    facts: Mapping[str, float],
    harmonics: int,
    beats: int,
    tolerance: Mapping[str, float],
) -> tuple[Line, ...]:
    """Give names to lines: the likeliest, where a high order needs a better fit than a low one."""
    rate, spacing = facts["sample_rate_hz"], facts["spacing_hz"]
    reach = {name: tolerance[name] * nominal + spacing for name, nominal in fundamentals.items()}
    shown = {name: _fold(nominal, rate) for name, nominal in fundamentals.items()}
    width = {name: tolerance[name] * nominal for name, nominal in fundamentals.items()}
    for name, line in _fundamentals(found, shown, reach).items():
        nominal = fundamentals[name]
        # an odd fold runs backwards: there a higher frequency shows as a lower one
        way = 1.0 if nominal >= rate * round(nominal / rate) else -1.0
        fundamentals[name] = nominal + way * (line.frequency.value - shown[name])
        width[name] = line.frequency.sigma
    expected = expected_lines(fundamentals, harmonics=harmonics, beats=beats, sample_rate_hz=rate)
    named = []
    for line in found:
        fits = []
        for e in expected:
            spread = sum(abs(n) * width[name] for name, n in e.terms.items())
            sigma = math.hypot(0.1 * spacing, spread, line.frequency.sigma)
            away = abs(line.frequency.value - e.frequency_hz) / sigma
            if away <= 5.0:
                fits.append((0.5 * away**2 + e.order, e))
        fits.sort(key=lambda fit: fit[0])
        if fits:
            best, labels = fits[0][1], [e.label for _, e in fits]
            # which of two lines is which generator may have been a guess
            labels += [n for n in reach if abs(line.frequency.value - shown[n]) <= reach[n]]
            also = tuple(dict.fromkeys(label for label in labels if label != best.label))
            line = replace(line, label=best.label, expected=best, also=also)
        named.append(line)
    return tuple(named)


def _fundamentals(
    found: Sequence[Line], shown: Mapping[str, float], reach: Mapping[str, float]
) -> dict[str, Line]:
    """Return the line of each fundamental that has one: strong, near, and no line for two."""
    choices: list[list[Line | None]] = []
    for name in shown:
        near = [x for x in found if abs(x.frequency.value - shown[name]) <= reach[name]]
        strongest = sorted(near, key=lambda x: x.amplitude.value, reverse=True)[:4]
        choices.append([*strongest, None])
    best: dict[str, Line] = {}
    top = -math.inf
    for taken in itertools.product(*choices):
        lines = {name: x for name, x in zip(shown, taken, strict=True) if x is not None}
        if len({id(x) for x in lines.values()}) < len(lines):
            continue
        # a missing fundamental costs more than any that is there
        score = -1e3 * (len(shown) - len(lines))
        for name, x in lines.items():
            score += math.log(x.amplitude.value)
            score -= 0.5 * (3.0 * (x.frequency.value - shown[name]) / reach[name]) ** 2
        if score > top:
            best, top = lines, score
    return best
