"""Lines in a spectrum: where, how strong, and which generator, harmonic or beat each one is.

A line is what stands out of the local noise floor (a running median) by more than chance allows.
Its power is what lies above the floor in the main lobe of the window, its frequency the centre of
gravity of that power; both hold for any window that goes to zero at its ends, wherever the line
falls between two bins.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ishtar.measured import Measured
from ishtar.spectral.welch import BadSpectrum

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["ExpectedLine", "Line", "expected_lines", "find_lines"]

Floats = NDArray[np.float64]
_MEDIAN_BINS = 101  # of the noise floor, at least


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
    expected : ExpectedLine or None
        What it was identified with.
    also : tuple of str
        Labels that fit at this resolution as well, likeliest first.
    """

    label: str
    frequency: Measured
    amplitude: Measured
    excess_db: float
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
        Sigmas hold the noise around the line, ``σ_A² = S·line_hz`` and ``σ_f² = S/A²·line_hz3``
        (see the spectrum's attributes), the noise's own power in the lobe, and what the wings
        beyond the lobe may hold. They do not hold the error of the recorder's clock. Two lines
        closer than a main lobe (±4 bins of a Hann window) are seen as one. A line that comes and
        goes or wobbles within a segment is wider than this takes it to be.
    """
    facts = spectrum.attrs
    psd = np.asarray(spectrum["psd"].values, float)
    lobe = _lobe(facts["window"])
    half = lobe.half
    if psd.size < 4 * half + 3:
        raise BadSpectrum(f"{psd.size} bins are too few to find lines in: use longer segments")
    floor = _floor(psd, facts["averages"], half)
    peaks = _peaks(psd, floor, facts["averages"], lobe, false_alarm)
    found = [_measure(spectrum, psd, floor, p, lobe) for p in peaks[:max_lines]]
    found.sort(key=lambda line: line.frequency.value)
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


@dataclass(frozen=True, kw_only=True)
class _Lobe:
    """What a window makes of a line; in bins that does not depend on its length.

    ``leakage[k]``: what shows up k bins away, at most, as a share of the peak; ``half`` of the main
    lobe, bins; for the wings beyond it: ``missing`` power, a share, and what their absence shifts
    the centre by, ``shift``, bins, both at most.
    """

    leakage: Floats
    half: int
    missing: float
    shift: float


@lru_cache(maxsize=16)
def _lobe(window: str) -> _Lobe:
    from scipy.signal import get_window

    n, fine = 4096, 16
    taper = get_window(window, n)
    shape = np.abs(np.fft.rfft(taper, n * fine)) ** 2
    shape /= shape[0]
    beyond = np.maximum.accumulate(shape[::-1])[::-1]  # of all that is at least this far away
    # a peak sits within half a bin of its line, and that half makes the line's own peak lower
    leak = beyond[np.maximum(np.arange(n // 2) * fine - fine // 2, 0)] / shape[fine // 2]
    inside = np.cumsum(shape) * 2.0 - shape[0]
    enough = np.flatnonzero(inside >= 0.9999 * inside[-1])
    half = min(math.ceil(enough[0] / fine + 0.5), 8)
    bins = np.arange(-half, half + 1)
    between = np.arange(fine // 2 + 1)[:, None]  # of the line, from a bin to midway to the next
    power = shape[np.abs(bins * fine - between)]
    whole = inside[-1] / fine  # the same wherever the line falls: Parseval
    centre = (power * bins).sum(axis=1) / power.sum(axis=1)
    return _Lobe(
        leakage=leak,
        half=half,
        missing=float(np.max(np.abs(1.0 - power.sum(axis=1) / whole))),
        shift=float(np.max(np.abs(centre - between[:, 0] / fine))),
    )


def _floor(psd: Floats, averages: float, half: int) -> Floats:
    """Return the noise floor: a running median, made into a mean of averaged squares."""
    from scipy.ndimage import median_filter

    inner = psd[half:-half]  # without the ends: at 0 the mean was taken away
    width = min(max(_MEDIAN_BINS, 24 * half + 1), inner.size)
    # Wilson and Hilferty: median over mean of chi squared with 2 `averages` degrees of freedom
    ratio = (1.0 - 1.0 / (9.0 * averages)) ** 3
    median = median_filter(inner, size=width, mode="reflect")
    return np.asarray(np.pad(median / ratio, half, mode="edge"))


def _peaks(
    psd: Floats, floor: Floats, averages: float, lobe: _Lobe, false_alarm: float
) -> list[int]:
    """Return bins of lines, strongest first."""
    from scipy.special import gammainccinv

    half, leakage = lobe.half, lobe.leakage
    threshold = float(gammainccinv(averages, false_alarm / psd.size)) / averages
    # the floor scatters, too, and where it is low more of the noise stands out of it
    threshold *= 1.0 + 2.4 / math.sqrt(_MEDIAN_BINS * averages)
    inner = np.arange(half + 1, psd.size - half - 1)  # what is near 0 is drift, not a line
    top = (psd[inner] >= psd[inner - 1]) & (psd[inner] > psd[inner + 1])
    bins = inner[top & (psd[inner] > threshold * floor[inner])]
    kept: list[int] = []
    for p in bins[np.argsort(psd[bins])[::-1]]:
        away = np.abs(np.array(kept, dtype=np.int64) - p)
        leaked = psd[kept] * leakage[np.minimum(away, leakage.size - 1)] if kept else np.zeros(0)
        if np.all(away > half) and psd[p] > 4.0 * leaked.sum():
            kept.append(int(p))
    return kept


def _measure(spectrum: xr.Dataset, psd: Floats, floor: Floats, p: int, lobe: _Lobe) -> Line:
    facts = spectrum.attrs
    f = spectrum["frequency"].values
    offset = np.arange(-lobe.half, lobe.half + 1)
    noise = float(floor[p])
    above = psd[p + offset] - noise
    power = max(float(above.sum()), float(psd[p]) - noise) * facts["spacing_hz"]
    centre = float(np.dot(offset, above) / above.sum()) if above.sum() > 0.0 else 0.0
    centre = min(max(centre, -1.0), 1.0)
    amplitude = math.sqrt(2.0 * power)
    # the noise's own power in the lobe, above or below the floor, counts for the weakest lines
    own = noise * math.sqrt(facts["spacing_hz"] * facts["resolution_hz"] / facts["averages"])
    sigma_a = math.hypot(
        math.sqrt(noise * facts["line_hz"]),
        own * math.sqrt(above.size) / amplitude,
        0.5 * lobe.missing * amplitude,
    )
    sigma_f = math.hypot(
        math.sqrt(noise * facts["line_hz3"]) / amplitude,
        own * math.sqrt(float(np.sum(offset**2))) / power * facts["spacing_hz"],
        lobe.shift * facts["spacing_hz"],
    )
    return Line(
        label="",
        frequency=Measured(float(f[p] + centre * facts["spacing_hz"]), sigma_f, "Hz"),
        amplitude=Measured(amplitude, sigma_a, facts["unit"]),
        excess_db=10.0 * math.log10(psd[p] / noise) if noise > 0.0 else math.inf,
    )


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
