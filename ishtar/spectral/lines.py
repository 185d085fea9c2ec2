"""Lines in a spectrum: frequency, amplitude, and the generator, harmonic or beat each one is.

A line is a peak that exceeds the local noise floor (a running median) significantly. Neighbours are
fitted together, with their interference: two sines 2 to 12 bins apart (3 to 12 with a
Blackman–Harris window, 4 to 12 with the flat top) get their own amplitudes and frequencies, down to
1:0.01. Lines that cannot be separated, drift or are intermittent become one line that is not
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
    """The expected frequency of a harmonic or beat.

    Parameters
    ----------
    label : str
        ``"ICRF"``, ``"2×ICRF"``, ``"helicon − ICRF"``.
    terms : mapping of str to int
        Multiples of the fundamentals, ``{"helicon": 1, "ICRF": -1}``.
    frequency_hz : float
        Frequency in the spectrum.
    folded : bool
        Whether it is an alias, from above half the sampling rate.
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
    """A line of a spectrum.

    Parameters
    ----------
    label : str
        Label of the `ExpectedLine`; empty if none matches.
    frequency : Measured
        Hz, in the spectrum.
    amplitude : Measured
        Of the sine, in the signal's unit (its root mean square over the time, times √2).
    excess_db : float
        Peak of the density over the noise floor.
    resolved : bool
        False for several lines that cannot be separated, or one that is not a sine of constant
        frequency: frequency and amplitude are those of the total power, with wide sigmas.
    expected : ExpectedLine or None
        The expected line that matches best.
    also : tuple of str
        Labels of other matches at this resolution, most likely first.
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
        If given, frequencies above half of it are folded to their aliases.

    Returns
    -------
    tuple of ExpectedLine

    Raises
    ------
    BadSpectrum
        A fundamental is not finite and positive.
    """
    for name, f in fundamentals.items():
        if not (math.isfinite(f) and f > 0.0):
            raise BadSpectrum(f"fundamental {name!r} is {f} Hz: give a positive frequency")
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
    parts = sorted(terms.items(), key=lambda item: -item[1])  # subtracted terms last
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
    """Return the lines of a spectrum, by frequency, with their labels.

    Fundamentals are identified first; their measured frequencies then predict harmonics and beats:
    if a generator is off by 50 ppm, so are its harmonics.

    Parameters
    ----------
    spectrum : xarray.Dataset
        From :func:`~ishtar.spectral.spectrum`.
    fundamentals : mapping of str to float, optional
        Nominal frequencies by name, Hz. Those above half the sampling rate are searched for at
        their aliases; then give a ``tolerance`` that is small compared with the rate.
    harmonics, beats : int
        As in :func:`expected_lines`.
    tolerance : float or mapping of str to float
        Relative deviation of a generator from its nominal frequency: one for all, or one per name,
        as for a tuned generator and one with a crystal.
    false_alarm : float
        Probability that Gaussian noise alone adds a line to a whole spectrum.
    max_lines : int
        Only the strongest are returned.

    Returns
    -------
    tuple of Line
        Sigmas include the noise around the line and in its lobe, and the separation from its
        neighbours, but not the error of the recorder's clock. Lines closer than the resolution of
        the window (1.5 bins of a Hann window), and a line that drifts, is intermittent or
        modulated, are one line that is not ``resolved``.

    Raises
    ------
    BadSpectrum
        The spectrum has too few bins, or fundamentals and tolerances do not match.
    """
    attrs = spectrum.attrs
    found = [
        Line(
            label="",
            frequency=Measured(x.frequency, x.frequency_sigma, "Hz"),
            amplitude=Measured(x.amplitude, x.amplitude_sigma, attrs["unit"]),
            excess_db=x.excess_db,
            resolved=x.resolved,
        )
        for x in measure_lines(spectrum, false_alarm, max_lines)
    ]
    nominal = dict(fundamentals or {})
    return _identify(found, nominal, attrs, harmonics, beats, _of_each(tolerance, nominal))


def _of_each(
    tolerance: float | Mapping[str, float], nominal: Mapping[str, float]
) -> dict[str, float]:
    if not isinstance(tolerance, Mapping):
        return dict.fromkeys(nominal, tolerance)
    if tolerance.keys() != nominal.keys():
        raise BadSpectrum(
            f"tolerances are given for {', '.join(tolerance) or 'none'}, fundamentals are "
            f"{', '.join(nominal) or 'none'}: give one tolerance for each fundamental"
        )
    return dict(tolerance)


def _identify(
    found: Sequence[Line],
    fundamentals: dict[str, float],
    attrs: Mapping[str, float],
    harmonics: int,
    beats: int,
    tolerance: Mapping[str, float],
) -> tuple[Line, ...]:
    """Label the lines with the most likely match; a high order needs a better match than a low."""
    rate, spacing = attrs["sample_rate_hz"], attrs["spacing_hz"]
    reach = {name: tolerance[name] * nominal + spacing for name, nominal in fundamentals.items()}
    shown = {name: _fold(nominal, rate) for name, nominal in fundamentals.items()}
    width = {name: tolerance[name] * nominal for name, nominal in fundamentals.items()}
    for name, line in _fundamentals(found, shown, reach).items():
        nominal = fundamentals[name]
        # an odd fold is inverted: there a higher frequency has a lower alias
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
            # the assignment of two lines to two generators may be ambiguous
            labels += [n for n in reach if abs(line.frequency.value - shown[n]) <= reach[n]]
            also = tuple(dict.fromkeys(label for label in labels if label != best.label))
            line = replace(line, label=best.label, expected=best, also=also)
        named.append(line)
    return tuple(named)


def _fundamentals(
    found: Sequence[Line], shown: Mapping[str, float], reach: Mapping[str, float]
) -> dict[str, Line]:
    """Return the line of each fundamental, if any: strong and near, no line for two of them."""
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
        # a missing fundamental costs more than any assignment
        score = -1e3 * (len(shown) - len(lines))
        for name, x in lines.items():
            score += math.log(x.amplitude.value)
            score -= 0.5 * (3.0 * (x.frequency.value - shown[name]) / reach[name]) ** 2
        if score > top:
            best, top = lines, score
    return best
