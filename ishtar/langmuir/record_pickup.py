"""Narrow-band pick-up in a whole record, also if it is slower than a sweep.

RF of a generator, sampled far below its frequency, appears as a line at any frequency. Within a
single sweep, a line of two periods looks like a different temperature; over a hundred sweeps its
phase advances relative to them. So lines are searched for in the whole record of the bias, minus
the part that is periodic with the sweeps.

A line that is synchronous with the sweeps cannot be distinguished from them and remains.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.sweeps import Sweeps

Floats = NDArray[np.float64]
Complex = NDArray[np.complex128]
Flags = NDArray[np.bool_]

MIN_SWEEPS = 16  # with fewer, a line cannot be distinguished from changing sweeps
MAX_LINES = 12
_CRYSTAL = 1e-4  # relative tolerance of a generator's declared frequency
_THRESHOLD, _EXPECTED = 40.0, 25.0  # times the median power nearby; where a line is expected
_SIDE_LOBES = 6  # bins
_NEAR, _FAR = 4, 40  # distance of the neighbours for comparison, in bins
_MAX_SAMPLES = 2**19  # samples per spectrum
_MIN_AMPLITUDE = 1e-4  # of the range of the bias: a weaker line is irrelevant
_SAME = 3.0  # in 1/duration: closer lines are one line of varying amplitude
_PERIODS = 4.0  # over which a line is tracked, at least
_TRACK = 16  # sweeps over which the amplitude of a line is averaged


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of pick-up that was removed from a record.

    Parameters
    ----------
    frequency : float
        In the record, Hz: that of the generator, aliased.
    bias, current : float
        Largest amplitude (peak) on bias, V, and on the current, A.
    source : str
        The generator that it may come from; empty if none.
    """

    frequency: float
    bias: float
    current: float
    source: str

    def __str__(self) -> str:
        parts = [f"{value:.2g} {unit}" for value, unit in self._amplitudes() if value > 0.0]
        of = f" ({self.source})" if self.source else ""
        return f"{self.frequency:.6g} Hz{of}: {', '.join(parts)}"

    def _amplitudes(self) -> tuple[tuple[float, str], ...]:
        return (self.bias, "V on the bias"), (self.current, "A on the current")


@dataclass(frozen=True, kw_only=True)
class Track:
    """A line with a slowly varying amplitude, one complex value per sweep.

    It is ``Re(amplitude(t) exp(2πi frequency t))``, t in s from the record's first sample.
    """

    frequency: float
    time: Floats
    amplitude: Complex

    def wave(self, n: int, dt: float) -> Floats:
        """Return the line at ``n`` samples with interval ``dt``, s."""
        return self.phasor(np.asarray(np.arange(n) * dt, float)).real

    def phasor(self, t: Floats) -> Complex:
        """Return ``amplitude(t) exp(2πi frequency t)``."""
        turn = np.exp(2j * math.pi * np.mod(self.frequency * t, 1.0))
        real = np.interp(t, self.time, self.amplitude.real)
        return np.asarray((real + 1j * np.interp(t, self.time, self.amplitude.imag)) * turn)

    @property
    def size(self) -> float:
        """Largest amplitude, in the unit of the record."""
        return float(np.abs(self.amplitude).max())


def lines_of_bias(
    bias: Floats,
    sweeps: Sweeps,
    clock: tuple[float, float],
    generators: Mapping[str, float] | None = None,
) -> list[Track]:
    """Return the lines in a bias minus its periodic part, strongest first.

    Parameters
    ----------
    bias : (n_t,) float64, V
    sweeps : Sweeps
        Ramps of the bias.
    clock : (float, float)
        From `period_of`.
    generators : mapping of str to float, optional
        Frequencies, Hz, of generators that may be picked up.
    """
    rest = np.where(np.isfinite(bias), bias, 0.0)
    inside = inside_sweeps(sweeps, bias.size) & np.isfinite(bias)
    clock = refined(rest, inside, clock)
    tracks: list[Track] = []
    span = float(np.ptp(rest[inside]))
    harmonic = 1.0 / (clock[1] * sweeps.dt)
    for _ in range(MAX_LINES):
        left = np.where(inside, rest - periodic_part(rest, inside, clock), 0.0)
        track = strongest_line(left, inside, sweeps, harmonic, generators)
        if track is None or track.size < _MIN_AMPLITUDE * span:
            break
        _merge(tracks, track, 1.0 / (sweeps.middles[-1] - sweeps.middles[0]))
        rest = rest - track.wave(bias.size, sweeps.dt)
    return tracks


def _merge(tracks: list[Track], track: Track, resolution: float) -> None:
    """Add a line; merge it with one that the record cannot resolve from it."""
    for k, other in enumerate(tracks):
        away = track.frequency - other.frequency
        if abs(away) < _SAME * resolution:
            turn = np.exp(2j * math.pi * away * other.time)
            tracks[k] = replace(other, amplitude=other.amplitude + track.amplitude * turn)
            return
    tracks.append(track)


def inside_sweeps(sweeps: Sweeps, n: int) -> Flags:
    """Return which of n samples are in a ramp."""
    edge = np.zeros(n + 1, int)
    np.add.at(edge, sweeps.start, 1)
    np.add.at(edge, np.minimum(sweeps.stop, n), -1)
    return np.asarray(np.cumsum(edge[:-1]) > 0)


def period_of(bias: Floats, sweeps: Sweeps) -> tuple[float, float] | None:
    """Return the time of a ramp's middle and the period, in samples; None if not periodic."""
    wanted = 1 if (sweeps.direction > 0).sum() >= (sweeps.direction < 0).sum() else -1
    middle = 0.5 * (np.nanmax(bias) + np.nanmin(bias))
    at = []
    for part, direction in zip(sweeps, sweeps.direction, strict=True):
        if direction == wanted:
            every = max((part.stop - part.start) // 200, 1)
            at.append(every * _crossing(bias[part][::every], middle) + part.start)
    times = np.array(at)
    times = times[np.isfinite(times)]
    if times.size < MIN_SWEEPS // 2:
        return None
    period = float(np.median(np.diff(times)))
    for _ in range(3):
        turn = np.rint((times - times[0]) / period)
        period, start = (float(x) for x in np.polyfit(turn, times, 1))
    off = times - start - period * turn
    return (start, period) if np.median(np.abs(off)) < 0.02 * period else None


def _crossing(ramp: Floats, level: float) -> float:
    """Return where a ramp crosses a level, in samples, by a line through its middle half."""
    good = np.isfinite(ramp)
    if not good.any():
        return math.nan
    low, high = np.nanmin(ramp), np.nanmax(ramp)
    if not low < level < high:
        return math.nan
    good &= np.abs(np.nan_to_num(ramp, nan=np.inf) - level) < 0.25 * (high - low)
    if good.sum() < 4:
        return math.nan
    at, values = np.flatnonzero(good), ramp[good]
    middle, mean = at.mean(), values.mean()
    slope = ((at - middle) * (values - mean)).sum() / ((at - middle) ** 2).sum()
    return float(middle + (level - mean) / slope) if slope else math.nan


def periodic_part(values: Floats, inside: Flags, clock: tuple[float, float]) -> Floats:
    """Return the periodic part of a record: its mean at each phase of a clock."""
    phase, cell, grid, cells = _phases(values.size, clock)
    return np.asarray(np.interp(phase, grid, _phase_means(values, inside, cell, cells)[0]))


def _phases(n: int, clock: tuple[float, float]) -> tuple[Floats, NDArray[np.intp], Floats, int]:
    start, period = clock
    cells = int(np.clip(round(period), 8, 20_000))
    phase = np.mod((np.arange(n) - start) / period, 1.0) * cells
    cell = np.minimum(phase.astype(np.intp), cells - 1)
    # the mean of a cell belongs to its middle
    return phase, cell, np.asarray(np.arange(-1, cells + 1) + 0.5, float), cells


def _phase_means(
    values: Floats, inside: Flags, cell: NDArray[np.intp], cells: int
) -> tuple[Floats, NDArray[np.intp]]:
    """Return the mean in each cell, wrapped by one at either end, and the number of samples."""
    count = np.bincount(cell, weights=inside, minlength=cells)
    total = np.bincount(cell, weights=values * inside, minlength=cells)
    mean = np.where(count > 0, total / np.maximum(count, 1), 0.0)
    return np.concatenate([mean[-1:], mean, mean[:1]]), count


def refined(values: Floats, inside: Flags, clock: tuple[float, float]) -> tuple[float, float]:
    """Refine a clock by the residual of the periodic part, which grows along the record."""
    every = max(values.size // 200_000, 1)
    for _ in range(2):
        start, period = clock
        phase, cell, grid, cells = _phases(values.size, clock)
        around, count = _phase_means(values, inside, cell, cells)
        full = count > 0
        full &= np.roll(full, 1) & np.roll(full, -1)
        index = np.flatnonzero(inside[::every] & full[cell[::every]]) * every
        steep = np.gradient(around)[1:-1][cell[index]]
        middle = float(index.mean())
        away = (index - middle) / period
        left = values[index] - np.interp(phase[index], grid, around)
        basis = np.stack([steep, steep * away])
        shift, inflation = np.linalg.solve(basis @ basis.T + 1e-12 * np.eye(2), basis @ left)
        # later by `shift` cells in the middle, and by `inflation` more with each period
        turns = (middle - start) / period
        period /= 1.0 + inflation / cells
        clock = middle - (turns + shift / cells) * period, period
    return clock


def strongest_line(
    left: Floats,
    inside: Flags,
    sweeps: Sweeps,
    harmonic: float,
    generators: Mapping[str, float] | None,
) -> Track | None:
    """Return the strongest narrow line in the residual of a record; None if there is none."""
    first, last = int(sweeps.start[0]), int(sweeps.stop[-1])
    some = left[first:last]
    # average a long record: fast lines are found within each sweep
    every = -(-some.size // _MAX_SAMPLES)
    whole = some.size // every * every
    fewer = some[:whole].reshape(-1, every).mean(1) if every > 1 else some
    frequency = _frequency(fewer, every * sweeps.dt, harmonic, generators)
    if frequency is None:
        return None
    return tracked(left, inside, sweeps, frequency)


def _frequency(
    left: Floats, dt: float, harmonic: float, generators: Mapping[str, float] | None
) -> float | None:
    length = _fast_length(left.size)
    best, found = 0.0, None
    # the shorter spectra detect lines that exist in a part of the shot only
    for size in (length, _fast_length(length // 3)):
        if size < 256:
            continue
        window = np.hanning(size)
        resolution = 1.0 / (size * dt)
        frequency = np.asarray(np.arange(size // 2 + 1) * resolution, float)
        away = np.abs(frequency - harmonic * np.rint(frequency / harmonic))
        usable = away > 2.0 * resolution
        usable[: _NEAR + 1] = False
        usable[-2:] = False
        limit = np.where(_expected(frequency, dt, generators), _EXPECTED, _THRESHOLD)
        for begin in range(0, left.size - size + 1, max(size // 2, 1)):
            power = np.abs(np.fft.rfft(left[begin : begin + size] * window)) ** 2
            floor = _floor(np.where(usable, power, np.nan))
            over = np.where(usable, power / np.maximum(floor, 1e-300), 0.0)
            top = np.zeros(power.size, bool)
            top[1:-1] = (power[1:-1] >= power[:-2]) & (power[1:-1] >= power[2:])
            hit = np.flatnonzero((over > limit) & top)
            # discard side lobes of a stronger line, itself detected or hidden by the sweeps
            highest = [power[max(k - _SIDE_LOBES, 0) : k + _SIDE_LOBES + 1].max() for k in hit]
            hit = hit[power[hit] >= np.array(highest)]
            if not hit.size:
                continue
            k = int(hit[np.argmax(power[hit])])
            # a line is isolated; the wing of a harmonic of the sweeps is not
            neighbours = np.concatenate([power[max(k - 14, 0) : k - 3], power[k + 4 : k + 15]])
            if power[k] < limit[k] * np.median(neighbours):
                continue
            size_of = float(power[k]) / size**2
            if size_of > best:
                a, b, c = (math.log(power[k + d] + 1e-300) for d in (-1, 0, 1))
                bend = min(a - 2.0 * b + c, -1e-12)
                best = size_of
                found = float((k + np.clip(0.5 * (a - c) / bend, -0.5, 0.5)) * resolution)
    return found


def _fast_length(n: int) -> int:
    """Return a length of at most n whose Fourier transform is fast."""
    if n < 16:
        return n
    step = 2 ** max(n.bit_length() - 6, 0)
    return int(n // step * step)


def _floor(power: Floats) -> Floats:
    """Return the median power near each frequency, excluding the harmonics of the sweeps."""
    n = power.size
    width = 2 * _FAR
    cells = n // width
    cut = np.sort(power[: cells * width].reshape(cells, width), axis=1)  # NaN last
    count = np.isfinite(cut).sum(1)
    good = count > width // 4
    if not good.any():
        return np.full(n, np.inf)
    median = cut[good, count[good] // 2]
    level = np.interp(np.arange(n), (np.flatnonzero(good) + 0.5) * width, median)
    # the largest of a cell and its neighbours, for steep spectra
    return np.asarray(np.maximum.reduce([np.roll(level, s) for s in (-_FAR, 0, _FAR)]))


def _expected(frequency: Floats, dt: float, generators: Mapping[str, float] | None) -> Flags:
    """Return at which frequencies a generator may appear, within the tolerance of its crystal."""
    out = np.zeros(frequency.size, bool)
    for nominal in (generators or {}).values():
        out |= _matches(frequency, nominal, dt)
    return out


def _matches(line: Floats, nominal: float, dt: float) -> Flags:
    rate = 1.0 / dt
    out = np.zeros(line.shape, bool)
    for side in (line, -line):
        off = (nominal - side) / rate
        out |= np.abs(off - np.rint(off)) * rate < _CRYSTAL * nominal
    return out


def source_of(line: float, generators: Mapping[str, float] | None, dt: float) -> str:
    """Return the names of generators whose alias may be at ``line`` Hz, joined by "or"."""
    here = np.array([line])
    may = [name for name, f in (generators or {}).items() if _matches(here, f, dt)[0]]
    return " or ".join(may)


def tracked(left: Floats, inside: Flags, sweeps: Sweeps, frequency: float) -> Track:
    """Return the amplitude of a line along the record, one value per sweep.

    Cosine and sine are fitted together over neighbouring sweeps that span at least some periods:
    over less they are far from orthogonal.
    """
    first, last = int(sweeps.start[0]), int(sweeps.stop[-1])
    turn = 2.0 * math.pi * np.mod(frequency * sweeps.dt * np.arange(first, last), 1.0)
    known = inside[first:last]
    cos, sin = np.where(known, np.cos(turn), 0.0), np.where(known, -np.sin(turn), 0.0)
    x = left[first:last]
    begin, end = sweeps.start - first, sweeps.stop - first
    each = float(np.median(np.diff(sweeps.middles)))
    half = max(_TRACK, math.ceil(_PERIODS / (frequency * each))) // 2
    half = min(half, max(len(sweeps) // 2, 1))
    kernel = np.hanning(2 * half + 3)[1:-1]

    def summed(values: Floats) -> Floats:
        total = np.concatenate([[0.0], np.cumsum(values)])
        sums = total[end] - total[begin]
        return np.convolve(sums, kernel, mode="full")[half : half + sums.size]

    cc, ss, cs = summed(cos * cos), summed(sin * sin), summed(cos * sin)
    a, b = summed(x * cos), summed(x * sin)
    det = cc * ss - cs * cs
    sure = det > 1e-3 * cc * ss
    det = np.where(sure, det, 1.0)
    real = np.where(sure, (a * ss - b * cs) / det, 0.0)
    imaginary = np.where(sure, (b * cc - a * cs) / det, 0.0)
    return Track(frequency=frequency, time=sweeps.middles, amplitude=real + 1j * imaginary)
