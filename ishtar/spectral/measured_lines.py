"""Lines of a spectrum: detect above the noise floor, fit jointly, merge the unresolved."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ishtar.spectral.drift import fit_drift
from ishtar.spectral.interference import Bins, Outsider, bin_sigma
from ishtar.spectral.joint_fit import Fit, density, fit_lines
from ishtar.spectral.lobe import FAR, Lobe, lobe_of
from ishtar.spectral.welch import BadSpectrum

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["FoundLine", "measure_lines"]

Floats = NDArray[np.float64]
_MEDIAN_BINS = 101  # for the noise floor, at least
_REACH = 16  # bins, largest distance at which the wings of a line are fitted
_WIDE = 120  # bins over which wings are removed from the noise floor
_ROUNDS = 5  # of fits and floors
_DRIFTS = 5.0  # bins, largest distance of lines that may be one drifting line
_HIDDEN = 100.0  # times the noise far away, for a leaky window
_MISFIT = 6.0  # χ² over the degrees of freedom above which a sum of lines is rejected


@dataclass(frozen=True, kw_only=True)
class FoundLine:
    """A line: frequency and its sigma, Hz; amplitude and its sigma; whether it is one sine."""

    frequency: float
    frequency_sigma: float
    amplitude: float
    amplitude_sigma: float
    excess_db: float
    resolved: bool


def measure_lines(spectrum: xr.Dataset, false_alarm: float, max_lines: int) -> list[FoundLine]:
    """Return the strongest lines of a spectrum, sorted by frequency.

    Parameters
    ----------
    spectrum : xarray.Dataset
        From :func:`~ishtar.spectral.spectrum`.
    false_alarm : float
        Probability that Gaussian noise alone adds a line to the whole spectrum.
    max_lines : int

    Raises
    ------
    BadSpectrum
        The spectrum has too few bins.
    """
    attrs = spectrum.attrs
    psd = np.asarray(spectrum["psd"].values, float)
    lobe = lobe_of(attrs["window"], attrs["segment"])
    if psd.size < 4 * lobe.half + 3:
        raise BadSpectrum(f"{psd.size} bins are too few to find lines: use longer segments")
    noisy = _NoisySpectrum(psd, attrs, lobe, false_alarm)
    peaks = noisy.peaks(psd)[:max_lines]
    fits = _fit_groups(noisy, peaks, [])
    for _ in range(_ROUNDS if len(peaks) < 10 else 2):  # a comb of lines is slow
        if not noisy.lower_floor(fits):
            break
        # the median had included wings
        peaks = noisy.peaks(psd)[:max_lines]
        fits = _fit_groups(noisy, peaks, fits)
    found = _without_remnants(noisy, [line for fit in fits for line in _lines_of(noisy, fit)])
    found.sort(key=lambda line: -line.amplitude)
    return sorted(found[:max_lines], key=lambda line: line.frequency)


def _without_remnants(noisy: _NoisySpectrum, found: list[FoundLine]) -> list[FoundLine]:
    """Drop unresolved lines that are weaker than the wings of others: residuals of their fits."""
    kept = []
    for line in found:
        wings = 0.0
        for other in found:
            away = abs(other.frequency - line.frequency) / noisy.attrs["spacing_hz"]
            if other is not line and other.resolved and away < noisy.lobe.leakage.size - 1:
                wings += other.amplitude * math.sqrt(noisy.lobe.leakage[int(away)])
        if line.resolved or line.amplitude > 3.0 * math.sqrt(2 * _REACH) * wings:
            kept.append(line)
    return kept


class _NoisySpectrum:
    """A spectrum with its noise floor."""

    def __init__(
        self, psd: Floats, attrs: Mapping[str, Any], lobe: Lobe, false_alarm: float
    ) -> None:
        from scipy.special import gammainccinv

        self.psd, self.attrs, self.lobe = psd, attrs, lobe
        self.averages = float(attrs["averages"])
        self.floor = self._median(psd)
        self.is_leaky = bool(lobe.leakage[_REACH] > 1e-5)  # wings far above the noise
        threshold = float(gammainccinv(self.averages, false_alarm / psd.size)) / self.averages
        # the floor scatters as well, and more noise exceeds it where it is low
        self.threshold = threshold * (1.0 + 2.4 / math.sqrt(_MEDIAN_BINS * self.averages))
        spacing = attrs["spacing_hz"]
        r = attrs["line_hz"] / (lobe.fourth * spacing)
        r3 = attrs["line_hz3"] / (lobe.bend * spacing**3) if lobe.bend > 0.01 else r
        self.share = (float(r), float(r3))

    def _median(self, psd: Floats) -> Floats:
        """Return the noise floor: a running median, scaled to the mean of averaged squares."""
        from scipy.ndimage import median_filter

        half = self.lobe.half
        inner = psd[half:-half]  # without the ends: the mean was subtracted at 0
        width = min(max(_MEDIAN_BINS, 24 * half + 1), inner.size)
        # Wilson and Hilferty: median over mean of chi squared with 2 `averages` degrees of freedom
        ratio = (1.0 - 1.0 / (9.0 * self.averages)) ** 3
        median = median_filter(inner, size=width, mode="reflect")
        return np.asarray(np.pad(median / ratio, half, mode="edge"))

    def peaks(self, psd: Floats) -> list[int]:
        """Return the bins of lines, strongest first, without lobes and wings of other lines."""
        half, leakage = self.lobe.half, self.lobe.leakage
        # power near 0 is drift, not a line
        inner = np.arange(half + 1, psd.size - half - 1)
        top = (psd[inner] >= psd[inner - 1]) & (psd[inner] > psd[inner + 1])
        bins = inner[top & (psd[inner] > self.threshold * self.floor[inner])]
        kept: list[int] = []
        for p in bins[np.argsort(psd[bins])[::-1]]:
            away = np.abs(np.array(kept, dtype=np.int64) - p)
            leaked = psd[kept] * leakage[np.minimum(away, leakage.size - 1)]
            if np.all(away > half) and psd[p] > 4.0 * leaked.sum():
                kept.append(int(p))
        return kept

    def lower_floor(self, groups: Sequence[_Group]) -> bool:
        """Remove the wings of lines from the floor; return whether it changed significantly."""
        wings, close = np.zeros(self.psd.size), np.zeros(self.psd.size, bool)
        for g in groups:
            first, last = int(g.fit.places.min()), int(g.fit.places.max())
            index = np.arange(max(first - _WIDE, 1), min(last + _WIDE, self.psd.size - 1))
            wings[index] += density(g.fit, g.bins, self.lobe, g.outsiders, index)
            close[max(first - _REACH, 0) : last + _REACH] = True
        left = np.where(close, self.floor, np.abs(self.psd - wings))
        floor = np.minimum(self._median(left), self.floor)
        changed = bool(np.any((floor < 0.5 * self.floor)[close]))
        if changed:
            self.floor = floor
        return changed


@dataclass(frozen=True, kw_only=True)
class _Group:
    """Lines fitted jointly, their bins, and distant lines whose wings extend into them."""

    bins: Bins
    outsiders: tuple[Outsider, ...]
    fit: Fit


def _fit_groups(
    noisy: _NoisySpectrum, peaks: Sequence[int], before: Sequence[_Group]
) -> list[_Group]:
    groups: list[list[int]] = []
    for p in sorted(peaks):
        if groups and p - groups[-1][-1] <= 3 * noisy.lobe.half and len(groups[-1]) < 4:
            groups[-1].append(p)
        else:
            groups.append([p])
    powers = {p: float(noisy.psd[p]) for p in peaks}
    places = {p: float(p) for p in peaks}
    for old in before:
        for place, power in zip(old.fit.places, old.fit.powers, strict=True):
            near = min(peaks, key=lambda p: abs(p - place))
            if abs(near - place) < 1.0:
                places[near], powers[near] = float(place), max(float(power), 0.0)
    made: list[_Group] = []
    for group in sorted(groups, key=lambda g: -max(noisy.psd[p] for p in g)):
        others = [p for p in peaks if p not in group]
        bins = _bins_of(noisy, group, others)
        outside = tuple(
            Outsider(place=places[p], power=powers[p])
            for p in others
            if _overlaps(noisy, powers[p], bins, places[p])
        )
        start = np.array([places[p] for p in group])
        fit = fit_lines(bins, noisy.lobe, start, outside[:8])
        made.append(_Group(bins=bins, outsiders=outside[:8], fit=fit))
        for p in group:  # improved values for the groups that follow
            k = int(np.argmin(np.abs(fit.places - p)))
            places[p], powers[p] = float(fit.places[k]), max(float(fit.powers[k]), 0.0)
    return made


def _overlaps(noisy: _NoisySpectrum, power: float, bins: Bins, place: float) -> bool:
    away = int(np.min(np.abs(bins.index - place)))
    if away >= noisy.lobe.leakage.size:
        return False
    leaked = power * float(noisy.lobe.leakage[away])
    # interference with the density: twice the square root of the product
    return 2.0 * math.sqrt(leaked * float(bins.psd.max())) > 0.05 * float(bins.floor.min())


def _bins_of(noisy: _NoisySpectrum, group: Sequence[int], others: Sequence[int]) -> Bins:
    psd, floor, lobe = noisy.psd, noisy.floor, noisy.lobe
    taken = np.zeros(psd.size, bool)
    for p in group:
        above = psd[p] * lobe.leakage[: _REACH + 1] > 0.5 * floor[p]
        reach = max(lobe.half + 1, int(np.flatnonzero(above).max(initial=0)))
        taken[max(p - reach, 1) : min(p + reach + 1, psd.size - 1)] = True
    index = np.flatnonzero(taken)
    index = np.arange(index[0], index[-1] + 1)
    if others:
        own = np.min(np.abs(index[:, None] - np.array(group)), axis=1)
        theirs = np.min(np.abs(index[:, None] - np.array(others)), axis=1)
        index = index[(own <= lobe.half) | ((own < theirs) & (theirs > lobe.half))]
    nyquist = 0.5 * noisy.attrs["segment"]
    image = 2.0 * min(index[0], nyquist - index[-1])
    shape = 1e-6
    if image >= FAR:
        shape += 2.0 * math.sqrt(lobe.leakage[-1] * FAR / image)
    return Bins(
        index=index,
        psd=psd[index],
        floor=np.maximum(floor[index], 1e-16 * float(psd[index].max())),
        averages=noisy.averages,
        share=noisy.share,
        nyquist=nyquist,
        threshold=noisy.threshold,
        shape=shape,
    )


def _lines_of(noisy: _NoisySpectrum, group: _Group) -> list[FoundLine]:
    """Return the lines of a group, merging those that are not resolved."""
    fit = group.fit
    order = np.argsort(fit.places)
    # wings that are still counted as noise would hide wrong places
    far = _HIDDEN * float(np.quantile(noisy.floor, 0.1))
    hidden = noisy.is_leaky and float(np.median(group.bins.floor)) > far
    if not fit.physical or fit.excess > 1.0 or fit.misfit > _MISFIT or hidden:
        return [_merged(noisy, group, order, whole=True)]
    found = []
    for near in _clusters(fit.places, order, _DRIFTS):
        drift = _drifting(noisy, group, near) if len(near) > 1 else None
        if drift is not None:
            found.append(drift)
            continue
        for cluster in _clusters(fit.places, near, noisy.lobe.resolves):
            if len(cluster) > 1:
                found.append(_merged(noisy, group, cluster, whole=False))
            else:
                found.append(_single(noisy, group, int(cluster[0])))
    return found


def _clusters(places: Floats, order: NDArray[Any], apart: float) -> list[NDArray[Any]]:
    """Split the lines into groups in which each is closer than ``apart`` to the next."""
    return np.split(order, np.flatnonzero(np.diff(places[order]) >= apart) + 1)


def _drifting(noisy: _NoisySpectrum, group: _Group, members: NDArray[Any]) -> FoundLine | None:
    """Return the drifting line that explains several lines as well with fewer unknowns, if any."""
    bins, fit, attrs = group.bins, group.fit, noisy.attrs
    low, high = fit.places[members].min(), fit.places[members].max()
    part = (bins.index > low - noisy.lobe.half - 1) & (bins.index < high + noisy.lobe.half + 1)
    if np.any(np.delete(fit.powers, members) > 0.0) and members.size < fit.places.size:
        others = np.delete(fit.places, members)
        clear = np.min(np.abs(bins.index[:, None] - others), axis=1) > noisy.lobe.half
        part &= clear
    y = bins.psd - bins.floor
    sigma = bin_sigma(bins, np.maximum(fit.model, 0.0))
    several = float(np.sum(((y - fit.model) / sigma)[part] ** 2))
    length = attrs["segment"] + (attrs["n_segments"] - 1) * attrs["step"]
    segments = length / attrs["segment"]
    drift = fit_drift(bins.index[part], y[part], sigma[part], attrs["window"], segments)
    if drift.power <= 0.0 or drift.cost > 2.0 * several + 3.0 * int(part.sum()):
        return None
    amplitude = math.sqrt(2.0 * drift.power * attrs["resolution_hz"])
    noise = math.sqrt(noisy.share[0] * float(noisy.floor[round(drift.place)]) / drift.power)
    width = math.hypot(drift.run / math.sqrt(12.0), noise)
    return FoundLine(
        frequency=drift.place * attrs["spacing_hz"],
        frequency_sigma=width * attrs["spacing_hz"],
        amplitude=amplitude,
        amplitude_sigma=amplitude * math.hypot(0.02, noise),
        excess_db=_excess(noisy, drift.power, drift.place),
        resolved=False,
    )


def _single(noisy: _NoisySpectrum, group: _Group, k: int) -> FoundLine:
    fit, attrs, m = group.fit, noisy.attrs, group.fit.places.size
    spacing, width = attrs["spacing_hz"], attrs["resolution_hz"]
    power = float(fit.powers[k])
    amplitude = math.sqrt(2.0 * power * width)
    grown = math.sqrt(max(fit.misfit, 1.0))  # count the misfit as noise
    ratio = math.sqrt(noisy.share[1] / noisy.share[0])
    sigma_p = math.sqrt(max(fit.covariance[m + k, m + k], 0.0)) * grown
    sigma_f = math.sqrt(max(fit.covariance[k, k], 0.0)) * grown * ratio
    hidden = 0.0
    if noisy.is_leaky:  # the wings may hide a line up to the detection threshold
        floor = float(np.median(group.bins.floor))
        hidden = math.sqrt(min(noisy.threshold * floor / power, 1.0))
        # close to a bin, the wings are nearly those of a line on the other side of the bin
        off = abs(float(fit.places[k]) - round(float(fit.places[k])))
        sigma_f = math.hypot(sigma_f, 2.0 * off if off < 0.05 else 0.0)
    return FoundLine(
        frequency=float(fit.places[k]) * spacing,
        frequency_sigma=math.hypot(sigma_f, 0.3 * hidden) * spacing,
        amplitude=amplitude,
        amplitude_sigma=amplitude * math.hypot(0.5 * sigma_p / power, 0.5 * hidden),
        excess_db=_excess(noisy, power, fit.places[k]),
        resolved=True,
    )


def _excess(noisy: _NoisySpectrum, power: float, place: float) -> float:
    noise = float(noisy.floor[round(place)])
    return 10.0 * math.log10((power + noise) / noise) if noise > 0.0 else math.inf


def _merged(
    noisy: _NoisySpectrum, group: _Group, members: NDArray[Any], *, whole: bool
) -> FoundLine:
    """Return one line for several that are not resolved, or for something other than a sine.

    It has the total power. If the strongest line lacks a share ρ of it, interference may hide lines
    that change the amplitude by some √ρ and the frequency by √ρ of a lobe.
    """
    bins, attrs, lobe, fit = group.bins, noisy.attrs, noisy.lobe, group.fit
    places = fit.places[members]
    low, high = float(places.min()), float(places.max())
    near = (bins.index >= low - lobe.half) & (bins.index <= high + lobe.half)
    if whole:
        near = np.ones(near.size, bool)
    above = np.where(near, np.maximum(bins.psd - bins.floor, 0.0), 0.0)
    total = max(float(above.sum()), 1e-300)
    centre = float(np.dot(bins.index, above)) / total
    spread = math.sqrt(float(np.dot((bins.index - centre) ** 2, above)) / total)
    strongest = members[int(np.argmax(fit.powers[members]))]
    alone = fit.powers[strongest] * lobe.at(bins.index - fit.places[strongest]) ** 2
    missing = float(np.sum(np.abs(above - alone)[near])) / total
    share = min(3.0 * math.sqrt(missing), 0.7)
    amplitude = math.sqrt(2.0 * total * attrs["spacing_hz"])
    return FoundLine(
        frequency=centre * attrs["spacing_hz"],
        frequency_sigma=share * max(spread, lobe.resolves) * attrs["spacing_hz"],
        amplitude=amplitude,
        amplitude_sigma=share * amplitude,
        excess_db=_excess(noisy, float(bins.psd[near].max()), centre),
        resolved=False,
    )
