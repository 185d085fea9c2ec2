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
from dataclasses import dataclass, field
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
_CENTRING = 2e-3  # bins: what the cut-off wings of a lobe shift its centre by, at most


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
    tolerance: float = 1e-3,
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
    tolerance : float
        How far a generator may be from its nominal frequency, as a share of it.
    false_alarm : float
        Chance that Gaussian noise alone brings a line into a whole spectrum.
    max_lines : int
        The strongest ones are kept.

    Returns
    -------
    tuple of Line
        Sigmas hold the noise around the line, ``σ_A² = S·line_hz`` and ``σ_f² = S/A²·line_hz3``
        (see the spectrum's attributes), the noise's own power in the lobe, and 0.002 bins for the
        wings that are cut off. Two lines closer than a main lobe (±4 bins of a Hann window) are
        seen as one. A line that comes and goes or wobbles within a segment is wider than this
        takes it to be.
    """
    facts = spectrum.attrs
    psd = np.asarray(spectrum["psd"].values, float)
    leakage, half = _leakage(facts["window"])
    if psd.size < 4 * half + 3:
        raise BadSpectrum(f"{psd.size} bins are too few to find lines in: use longer segments")
    floor = _floor(psd, facts["averages"], half)
    peaks = _peaks(psd, floor, facts["averages"], leakage, half, false_alarm)
    found = [_measure(spectrum, psd, floor, p, half) for p in peaks[:max_lines]]
    found.sort(key=lambda line: line.frequency.value)
    return _identify(found, dict(fundamentals or {}), facts, harmonics, beats, tolerance)


@lru_cache(maxsize=16)
def _leakage(window: str) -> tuple[Floats, int]:
    """Return what a line leaks k bins away at most, as a share of its peak, and half its lobe.

    In bins the shape of a window's transform does not depend on its length.
    """
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
    return leak, half


def _floor(psd: Floats, averages: float, half: int) -> Floats:
    """Return the noise floor: a running median, made into a mean of averaged squares."""
    from scipy.ndimage import median_filter

    width = min(max(101, 24 * half + 1), psd.size)
    # Wilson and Hilferty: median over mean of chi squared with 2 `averages` degrees of freedom
    ratio = (1.0 - 1.0 / (9.0 * averages)) ** 3
    return np.asarray(median_filter(psd, size=width, mode="nearest") / ratio)


def _peaks(
    psd: Floats, floor: Floats, averages: float, leakage: Floats, half: int, false_alarm: float
) -> list[int]:
    """Return bins of lines, strongest first."""
    from scipy.special import gammainccinv

    threshold = float(gammainccinv(averages, false_alarm / psd.size)) / averages
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


def _measure(spectrum: xr.Dataset, psd: Floats, floor: Floats, p: int, half: int) -> Line:
    facts = spectrum.attrs
    f = spectrum["frequency"].values
    lobe = slice(p - half, p + half + 1)
    noise = float(floor[p])
    above = psd[lobe] - noise
    power = max(float(above.sum()), float(psd[p]) - noise) * facts["spacing_hz"]
    offset = np.arange(-half, half + 1)
    centre = float(np.dot(offset, above) / above.sum()) if above.sum() > 0.0 else 0.0
    centre = min(max(centre, -1.0), 1.0)
    amplitude = math.sqrt(2.0 * power)
    # the noise's own power in the lobe, above or below the floor, counts for the weakest lines
    own = noise * math.sqrt(facts["spacing_hz"] * facts["resolution_hz"] / facts["averages"])
    sigma_a = math.hypot(
        math.sqrt(noise * facts["line_hz"]),
        own * math.sqrt(above.size) / amplitude,
        1e-4 * amplitude,  # the lobe holds 99.99 % of the power
    )
    sigma_f = math.hypot(
        math.sqrt(noise * facts["line_hz3"]) / amplitude,
        own * math.sqrt(float(np.sum(offset**2))) / power * facts["spacing_hz"],
        _CENTRING * facts["spacing_hz"],
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
    tolerance: float,
) -> tuple[Line, ...]:
    """Give names to lines: the likeliest, where a high order needs a better fit than a low one."""
    rate, spacing = facts["sample_rate_hz"], facts["spacing_hz"]
    width = {}
    for name, nominal in fundamentals.items():
        shown = _fold(nominal, rate)
        reach = tolerance * nominal + spacing
        near = [x for x in found if abs(x.frequency.value - shown) <= reach]
        width[name] = tolerance * nominal
        if near:
            best = max(near, key=lambda x: x.amplitude.value)
            # an odd fold runs backwards: there a higher frequency shows as a lower one
            way = 1.0 if nominal >= rate * round(nominal / rate) else -1.0
            fundamentals[name] = nominal + way * (best.frequency.value - shown)
            width[name] = best.frequency.sigma
    expected = expected_lines(fundamentals, harmonics=harmonics, beats=beats, sample_rate_hz=rate)
    named = []
    for line in found:
        fits = []
        for e in expected:
            spread = sum(abs(n) * width[name] for name, n in e.terms.items())
            sigma = math.hypot(0.1 * spacing, math.hypot(spread, line.frequency.sigma))
            away = abs(line.frequency.value - e.frequency_hz) / sigma
            if away <= 5.0:
                fits.append((0.5 * away**2 + e.order, e))
        fits.sort(key=lambda fit: fit[0])
        if fits:
            best_fit = fits[0][1]
            line = Line(
                label=best_fit.label,
                frequency=line.frequency,
                amplitude=line.amplitude,
                excess_db=line.excess_db,
                expected=best_fit,
                also=tuple(e.label for _, e in fits[1:]),
            )
        named.append(line)
    return tuple(named)
