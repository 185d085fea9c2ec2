"""Lines of a spectrum: seen above the noise floor, fitted with their neighbours, or told as one."""

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

__all__ = ["Found", "measure_lines"]

Floats = NDArray[np.float64]
_MEDIAN_BINS = 101  # of the noise floor, at least
_REACH = 16  # bins at which a line's wings are still fitted, at most
_WIDE = 120  # bins over which wings are taken out of the noise floor
_ROUNDS = 5  # of fits and floors
_DRIFTS = 5.0  # bins between lines that may be one that drifts
_HIDDEN = 100.0  # times the noise far away, of a window whose wings go far
_MISFIT = 6.0  # χ² over the degrees of freedom above which lines are not what there is


@dataclass(frozen=True, kw_only=True)
class Found:
    """A line: frequency and its sigma, Hz; amplitude and its sigma; whether it is one sine."""

    frequency: float
    frequency_sigma: float
    amplitude: float
    amplitude_sigma: float
    excess_db: float
    resolved: bool


def measure_lines(spectrum: xr.Dataset, false_alarm: float, max_lines: int) -> list[Found]:
    """Return the strongest lines of a spectrum, by frequency."""
    facts = spectrum.attrs
    psd = np.asarray(spectrum["psd"].values, float)
    lobe = lobe_of(facts["window"], facts["segment"])
    if psd.size < 4 * lobe.half + 3:
        raise BadSpectrum(f"{psd.size} bins are too few to find lines in: use longer segments")
    seen = _Seen(psd, facts, lobe, false_alarm)
    peaks = seen.peaks(psd)[:max_lines]
    fits = _fit_groups(seen, peaks, [])
    for _ in range(_ROUNDS if len(peaks) < 10 else 2):  # a comb of lines takes long
        if not seen.lower_floor(fits):
            break
        # the median was one of wings
        peaks = seen.peaks(psd)[:max_lines]
        fits = _fit_groups(seen, peaks, fits)
    found = _without_remnants(seen, [line for fit in fits for line in _told(seen, fit)])
    found.sort(key=lambda line: -line.amplitude)
    return sorted(found[:max_lines], key=lambda line: line.frequency)


def _without_remnants(seen: _Seen, found: list[Found]) -> list[Found]:
    """Leave out what is no sine and weaker than the wings of others: what these left over."""
    kept = []
    for line in found:
        wings = 0.0
        for other in found:
            away = abs(other.frequency - line.frequency) / seen.facts["spacing_hz"]
            if other is not line and other.resolved and away < seen.lobe.leakage.size - 1:
                wings += other.amplitude * math.sqrt(seen.lobe.leakage[int(away)])
        if line.resolved or line.amplitude > 3.0 * math.sqrt(2 * _REACH) * wings:
            kept.append(line)
    return kept


class _Seen:
    """A spectrum with its noise floor."""

    def __init__(
        self, psd: Floats, facts: Mapping[str, Any], lobe: Lobe, false_alarm: float
    ) -> None:
        from scipy.special import gammainccinv

        self.psd, self.facts, self.lobe = psd, facts, lobe
        self.averages = float(facts["averages"])
        self.floor = self._median(psd)
        self.is_leaky = bool(lobe.leakage[_REACH] > 1e-5)  # its wings are far above the noise
        threshold = float(gammainccinv(self.averages, false_alarm / psd.size)) / self.averages
        # the floor scatters, too, and where it is low more of the noise stands out of it
        self.threshold = threshold * (1.0 + 2.4 / math.sqrt(_MEDIAN_BINS * self.averages))
        spacing = facts["spacing_hz"]
        r = facts["line_hz"] / (lobe.fourth * spacing)
        r3 = facts["line_hz3"] / (lobe.bend * spacing**3) if lobe.bend > 0.01 else r
        self.share = (float(r), float(r3))

    def _median(self, psd: Floats) -> Floats:
        """Return the noise floor: a running median, made into a mean of averaged squares."""
        from scipy.ndimage import median_filter

        half = self.lobe.half
        inner = psd[half:-half]  # without the ends: at 0 the mean was taken away
        width = min(max(_MEDIAN_BINS, 24 * half + 1), inner.size)
        # Wilson and Hilferty: median over mean of chi squared with 2 `averages` degrees of freedom
        ratio = (1.0 - 1.0 / (9.0 * self.averages)) ** 3
        median = median_filter(inner, size=width, mode="reflect")
        return np.asarray(np.pad(median / ratio, half, mode="edge"))

    def peaks(self, psd: Floats) -> list[int]:
        """Return bins of lines, strongest first: those that no other one's lobe or wing makes."""
        half, leakage = self.lobe.half, self.lobe.leakage
        # what is near 0 is drift, not a line
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
        """Take the wings of lines out of the floor; return whether that changed it much."""
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
    """Lines that were fitted together, their bins, and lines further away that reach into them."""

    bins: Bins
    outsiders: tuple[Outsider, ...]
    fit: Fit


def _fit_groups(seen: _Seen, peaks: Sequence[int], before: Sequence[_Group]) -> list[_Group]:
    groups: list[list[int]] = []
    for p in sorted(peaks):
        if groups and p - groups[-1][-1] <= 3 * seen.lobe.half and len(groups[-1]) < 4:
            groups[-1].append(p)
        else:
            groups.append([p])
    powers = {p: float(seen.psd[p]) for p in peaks}
    places = {p: float(p) for p in peaks}
    for old in before:
        for place, power in zip(old.fit.places, old.fit.powers, strict=True):
            near = min(peaks, key=lambda p: abs(p - place))
            if abs(near - place) < 1.0:
                places[near], powers[near] = float(place), max(float(power), 0.0)
    made: list[_Group] = []
    for group in sorted(groups, key=lambda g: -max(seen.psd[p] for p in g)):
        others = [p for p in peaks if p not in group]
        bins = _bins_of(seen, group, others)
        outside = tuple(
            Outsider(place=places[p], power=powers[p])
            for p in others
            if _reaches(seen, powers[p], bins, places[p])
        )
        start = np.array([places[p] for p in group])
        fit = fit_lines(bins, seen.lobe, start, outside[:8])
        made.append(_Group(bins=bins, outsiders=outside[:8], fit=fit))
        for p in group:  # those that come later know this one better
            k = int(np.argmin(np.abs(fit.places - p)))
            places[p], powers[p] = float(fit.places[k]), max(float(fit.powers[k]), 0.0)
    return made


def _reaches(seen: _Seen, power: float, bins: Bins, place: float) -> bool:
    away = int(np.min(np.abs(bins.index - place)))
    if away >= seen.lobe.leakage.size:
        return False
    leaked = power * float(seen.lobe.leakage[away])
    # interference with what is there: twice the root of both
    return 2.0 * math.sqrt(leaked * float(bins.psd.max())) > 0.05 * float(bins.floor.min())


def _bins_of(seen: _Seen, group: Sequence[int], others: Sequence[int]) -> Bins:
    psd, floor, lobe = seen.psd, seen.floor, seen.lobe
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
    nyquist = 0.5 * seen.facts["segment"]
    image = 2.0 * min(index[0], nyquist - index[-1])
    shape = 1e-6
    if image >= FAR:
        shape += 2.0 * math.sqrt(lobe.leakage[-1] * FAR / image)
    return Bins(
        index=index,
        psd=psd[index],
        floor=np.maximum(floor[index], 1e-16 * float(psd[index].max())),
        averages=seen.averages,
        share=seen.share,
        nyquist=nyquist,
        threshold=seen.threshold,
        shape=shape,
    )


def _told(seen: _Seen, group: _Group) -> list[Found]:
    """Return the lines of a group, and as one those that are not told apart."""
    fit = group.fit
    order = np.argsort(fit.places)
    # wings that are still taken for noise would hide that the places are wrong
    far = _HIDDEN * float(np.quantile(seen.floor, 0.1))
    hidden = seen.is_leaky and float(np.median(group.bins.floor)) > far
    if not fit.sound or fit.excess > 1.0 or fit.misfit > _MISFIT or hidden:
        return [_as_one(seen, group, order, whole=True)]
    found = []
    for near in _chained(fit.places, order, _DRIFTS):
        drift = _drifting(seen, group, near) if len(near) > 1 else None
        if drift is not None:
            found.append(drift)
            continue
        for cluster in _chained(fit.places, near, seen.lobe.resolves):
            if len(cluster) > 1:
                found.append(_as_one(seen, group, cluster, whole=False))
            else:
                found.append(_single(seen, group, int(cluster[0])))
    return found


def _chained(places: Floats, order: NDArray[Any], apart: float) -> list[NDArray[Any]]:
    """Return the lines in groups in which each is closer than ``apart`` to the next."""
    return np.split(order, np.flatnonzero(np.diff(places[order]) >= apart) + 1)


def _drifting(seen: _Seen, group: _Group, members: NDArray[Any]) -> Found | None:
    """Return the one drifting line that explains several as well, with fewer unknowns."""
    bins, fit, facts = group.bins, group.fit, seen.facts
    low, high = fit.places[members].min(), fit.places[members].max()
    part = (bins.index > low - seen.lobe.half - 1) & (bins.index < high + seen.lobe.half + 1)
    if np.any(np.delete(fit.powers, members) > 0.0) and members.size < fit.places.size:
        others = np.delete(fit.places, members)
        clear = np.min(np.abs(bins.index[:, None] - others), axis=1) > seen.lobe.half
        part &= clear
    y = bins.psd - bins.floor
    sigma = bin_sigma(bins, np.maximum(fit.model, 0.0))
    several = float(np.sum(((y - fit.model) / sigma)[part] ** 2))
    length = facts["segment"] + (facts["n_segments"] - 1) * facts["step"]
    segments = length / facts["segment"]
    drift = fit_drift(bins.index[part], y[part], sigma[part], facts["window"], segments)
    if drift.power <= 0.0 or drift.cost > 2.0 * several + 3.0 * int(part.sum()):
        return None
    amplitude = math.sqrt(2.0 * drift.power * facts["resolution_hz"])
    noise = math.sqrt(seen.share[0] * float(seen.floor[round(drift.place)]) / drift.power)
    width = math.hypot(drift.run / math.sqrt(12.0), noise)
    return Found(
        frequency=drift.place * facts["spacing_hz"],
        frequency_sigma=width * facts["spacing_hz"],
        amplitude=amplitude,
        amplitude_sigma=amplitude * math.hypot(0.02, noise),
        excess_db=_excess(seen, drift.power, drift.place),
        resolved=False,
    )


def _single(seen: _Seen, group: _Group, k: int) -> Found:
    fit, facts, m = group.fit, seen.facts, group.fit.places.size
    spacing, width = facts["spacing_hz"], facts["resolution_hz"]
    power = float(fit.powers[k])
    amplitude = math.sqrt(2.0 * power * width)
    grown = math.sqrt(max(fit.misfit, 1.0))  # what noise does not make counts as noise
    ratio = math.sqrt(seen.share[1] / seen.share[0])
    sigma_p = math.sqrt(max(fit.covariance[m + k, m + k], 0.0)) * grown
    sigma_f = math.sqrt(max(fit.covariance[k, k], 0.0)) * grown * ratio
    hidden = 0.0
    if seen.is_leaky:  # a line may hide in the wings, as strong as what stands out of the floor
        floor = float(np.median(group.bins.floor))
        hidden = math.sqrt(min(seen.threshold * floor / power, 1.0))
        # close to a bin its wings are nearly those of a line as far on the bin's other side
        off = abs(float(fit.places[k]) - round(float(fit.places[k])))
        sigma_f = math.hypot(sigma_f, 2.0 * off if off < 0.05 else 0.0)
    return Found(
        frequency=float(fit.places[k]) * spacing,
        frequency_sigma=math.hypot(sigma_f, 0.3 * hidden) * spacing,
        amplitude=amplitude,
        amplitude_sigma=amplitude * math.hypot(0.5 * sigma_p / power, 0.5 * hidden),
        excess_db=_excess(seen, power, fit.places[k]),
        resolved=True,
    )


def _excess(seen: _Seen, power: float, place: float) -> float:
    noise = float(seen.floor[round(place)])
    return 10.0 * math.log10((power + noise) / noise) if noise > 0.0 else math.inf


def _as_one(seen: _Seen, group: _Group, members: NDArray[Any], *, whole: bool) -> Found:
    """Return one line for several that are not told apart, or for what is no sine at all.

    Its power is that of all. A share ρ of it that is not the strongest line's may hide, by
    interference, lines that change its amplitude by some √ρ and move its frequency by √ρ of a lobe.
    """
    bins, facts, lobe, fit = group.bins, seen.facts, seen.lobe, group.fit
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
    missed = float(np.sum(np.abs(above - alone)[near])) / total
    share = min(3.0 * math.sqrt(missed), 0.7)
    amplitude = math.sqrt(2.0 * total * facts["spacing_hz"])
    return Found(
        frequency=centre * facts["spacing_hz"],
        frequency_sigma=share * max(spread, lobe.resolves) * facts["spacing_hz"],
        amplitude=amplitude,
        amplitude_sigma=share * amplitude,
        excess_db=_excess(seen, float(bins.psd[near].max()), centre),
        resolved=False,
    )
