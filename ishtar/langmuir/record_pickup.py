"""Narrow-band pick-up found over a whole record, also where it is slower than a sweep.

RF of a generator that is sampled far below its frequency appears as a line anywhere. One of two
periods a sweep looks, within a single sweep, like another temperature; over a hundred sweeps its
phase runs through the sweeps and betrays it. So the lines are sought in the whole record of the
bias, less the part of it that repeats with the sweeps.

A line that keeps step with the sweeps cannot be told from them and stays.
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

FEWEST_SWEEPS = 16  # with fewer, a line cannot be told from sweeps that change
MOST_LINES = 12
_CRYSTAL = 1e-4  # share by which a generator's frequency may be off its declared one
_THRESHOLD, _EXPECTED = 40.0, 25.0  # times the median power around; where a generator is expected
_BESIDE = 6  # bins
_NEAR, _FAR = 4, 40  # of the neighbours that a line is compared with, in bins
_LONGEST = 2**19  # samples that are looked at in one piece
_LEAST = 1e-4  # of the bias's range: a weaker line changes nothing
_SAME = 3.0  # of 1/duration: lines that are one whose amplitude changes
_PERIODS = 4.0  # over which a line is followed at least
_TRACK = 16  # sweeps over which the amplitude of a line is followed


@dataclass(frozen=True, kw_only=True)
class Line:
    """A line of pick-up that was taken out of a record.

    Parameters
    ----------
    frequency : float
        As it is in the record, Hz: that of the generator, aliased.
    bias, current : float
        Largest amplitude (peak) on bias, V, and on the current, A.
    source : str
        The generator whose frequency it may be; empty if none.
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
    """A line with its slowly changing amplitude, one complex value a sweep.

    It is ``Re(amplitude(t) exp(2πi frequency t))``, t in s from the record's first sample.
    """

    frequency: float
    time: Floats
    amplitude: Complex

    def wave(self, n: int, dt: float) -> Floats:
        """Return the line at ``n`` samples of step ``dt``, s."""
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
    """Return the lines in a bias less its periodic part, the strongest first.

    Parameters
    ----------
    bias : (n_t,) float64, V
    sweeps : Sweeps
        Its ramps.
    clock : (float, float)
        That of `period_of`.
    generators : mapping of str to float, optional
        Frequencies, Hz, of what may be picked up.
    """
    rest = np.where(np.isfinite(bias), bias, 0.0)
    inside = inside_sweeps(sweeps, bias.size) & np.isfinite(bias)
    clock = tuned(rest, inside, clock)
    tracks: list[Track] = []
    span = float(np.ptp(rest[inside]))
    harmonic = 1.0 / (clock[1] * sweeps.dt)
    for _ in range(MOST_LINES):
        left = np.where(inside, rest - periodic_part(rest, inside, clock), 0.0)
        track = strongest_line(left, inside, sweeps, harmonic, generators)
        if track is None or track.size < _LEAST * span:
            break
        _add(tracks, track, 1.0 / (sweeps.middles[-1] - sweeps.middles[0]))
        rest = rest - track.wave(bias.size, sweeps.dt)
    return tracks


def _add(tracks: list[Track], track: Track, resolution: float) -> None:
    """Add a line; what is no farther from another than the record can tell is a part of that."""
    for k, other in enumerate(tracks):
        away = track.frequency - other.frequency
        if abs(away) < _SAME * resolution:
            turn = np.exp(2j * math.pi * away * other.time)
            tracks[k] = replace(other, amplitude=other.amplitude + track.amplitude * turn)
            return
    tracks.append(track)


def inside_sweeps(sweeps: Sweeps, n: int) -> Flags:
    """Return which of n samples lie in a ramp."""
    edge = np.zeros(n + 1, int)
    np.add.at(edge, sweeps.start, 1)
    np.add.at(edge, np.minimum(sweeps.stop, n), -1)
    return np.asarray(np.cumsum(edge[:-1]) > 0)


def period_of(bias: Floats, sweeps: Sweeps) -> tuple[float, float] | None:
    """Return when a ramp is at its middle and the period, in samples; None if there is none."""
    wanted = 1 if (sweeps.direction > 0).sum() >= (sweeps.direction < 0).sum() else -1
    middle = 0.5 * (np.nanmax(bias) + np.nanmin(bias))
    at = []
    for part, direction in zip(sweeps, sweeps.direction, strict=True):
        if direction == wanted:
            every = max((part.stop - part.start) // 200, 1)
            at.append(every * _passes(bias[part][::every], middle) + part.start)
    times = np.array(at)
    times = times[np.isfinite(times)]
    if times.size < FEWEST_SWEEPS // 2:
        return None
    period = float(np.median(np.diff(times)))
    for _ in range(3):
        turn = np.rint((times - times[0]) / period)
        period, start = (float(x) for x in np.polyfit(turn, times, 1))
    off = times - start - period * turn
    return (start, period) if np.median(np.abs(off)) < 0.02 * period else None


def _passes(ramp: Floats, level: float) -> float:
    """Return where a ramp passes a level, in samples, by a line through its middle half."""
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
    """Return the part of a record that repeats with a clock: its mean at each phase."""
    phase, cell, grid, cells = _phases(values.size, clock)
    return np.asarray(np.interp(phase, grid, _around(values, inside, cell, cells)[0]))


def _phases(n: int, clock: tuple[float, float]) -> tuple[Floats, NDArray[np.intp], Floats, int]:
    start, period = clock
    cells = int(np.clip(round(period), 8, 20_000))
    phase = np.mod((np.arange(n) - start) / period, 1.0) * cells
    cell = np.minimum(phase.astype(np.intp), cells - 1)
    # the mean of a cell stands at its middle
    return phase, cell, np.asarray(np.arange(-1, cells + 1) + 0.5, float), cells


def _around(
    values: Floats, inside: Flags, cell: NDArray[np.intp], cells: int
) -> tuple[Floats, NDArray[np.intp]]:
    """Return the mean in each cell, one more at either end, and how many samples each has."""
    count = np.bincount(cell, weights=inside, minlength=cells)
    total = np.bincount(cell, weights=values * inside, minlength=cells)
    mean = np.where(count > 0, total / np.maximum(count, 1), 0.0)
    return np.concatenate([mean[-1:], mean, mean[:1]]), count


def tuned(values: Floats, inside: Flags, clock: tuple[float, float]) -> tuple[float, float]:
    """Return a clock to better than its ramps tell it: by what grows along the record."""
    every = max(values.size // 200_000, 1)
    for _ in range(2):
        start, period = clock
        phase, cell, grid, cells = _phases(values.size, clock)
        around, count = _around(values, inside, cell, cells)
        full = count > 0
        full &= np.roll(full, 1) & np.roll(full, -1)
        index = np.flatnonzero(inside[::every] & full[cell[::every]]) * every
        steep = np.gradient(around)[1:-1][cell[index]]
        middle = float(index.mean())
        away = (index - middle) / period
        left = values[index] - np.interp(phase[index], grid, around)
        basis = np.stack([steep, steep * away])
        shift, stretch = np.linalg.solve(basis @ basis.T + 1e-12 * np.eye(2), basis @ left)
        # later by `shift` cells in the middle, and by `stretch` more with each period
        turns = (middle - start) / period
        period /= 1.0 + stretch / cells
        clock = middle - (turns + shift / cells) * period, period
    return clock


def strongest_line(
    left: Floats,
    inside: Flags,
    sweeps: Sweeps,
    harmonic: float,
    generators: Mapping[str, float] | None,
) -> Track | None:
    """Return the strongest narrow line of what is left of a record; None if there is none."""
    first, last = int(sweeps.start[0]), int(sweeps.stop[-1])
    some = left[first:last]
    # of a long record not what is fast: that is found in each sweep
    every = -(-some.size // _LONGEST)
    whole = some.size // every * every
    fewer = some[:whole].reshape(-1, every).mean(1) if every > 1 else some
    frequency = _frequency(fewer, every * sweeps.dt, harmonic, generators)
    if frequency is None:
        return None
    return follow(left, inside, sweeps, frequency)


def _frequency(
    left: Floats, dt: float, harmonic: float, generators: Mapping[str, float] | None
) -> float | None:
    length = _quick_length(left.size)
    best, found = 0.0, None
    for size in (
        length,
        _quick_length(length // 3),
    ):  # what is there in a part of a shot only is seen in a part
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
            # nor is a line what another one leaves beside it, seen or hidden by the sweeps
            highest = [power[max(k - _BESIDE, 0) : k + _BESIDE + 1].max() for k in hit]
            hit = hit[power[hit] >= np.array(highest)]
            if not hit.size:
                continue
            k = int(hit[np.argmax(power[hit])])
            # a line stands alone; the foot of a harmonic of the sweeps does not
            beside = np.concatenate([power[max(k - 14, 0) : k - 3], power[k + 4 : k + 15]])
            if power[k] < limit[k] * np.median(beside):
                continue
            size_of = float(power[k]) / size**2
            if size_of > best:
                a, b, c = (math.log(power[k + d] + 1e-300) for d in (-1, 0, 1))
                bend = min(a - 2.0 * b + c, -1e-12)
                best = size_of
                found = float((k + np.clip(0.5 * (a - c) / bend, -0.5, 0.5)) * resolution)
    return found


def _quick_length(n: int) -> int:
    """Return a length near n, not above, whose Fourier transform is quick."""
    if n < 16:
        return n
    step = 2 ** max(n.bit_length() - 6, 0)
    return int(n // step * step)


def _floor(power: Floats) -> Floats:
    """Return the median power beside each frequency: the skirts of a sweep's harmonics are none."""
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
    # the larger of a cell and its neighbours, where the spectrum is steep
    return np.asarray(np.maximum.reduce([np.roll(level, s) for s in (-_FAR, 0, _FAR)]))


def _expected(frequency: Floats, dt: float, generators: Mapping[str, float] | None) -> Flags:
    """Return at which frequencies a generator may appear, its crystal somewhat off."""
    out = np.zeros(frequency.size, bool)
    for nominal in (generators or {}).values():
        out |= _may_be(frequency, nominal, dt)
    return out


def _may_be(line: Floats, nominal: float, dt: float) -> Flags:
    rate = 1.0 / dt
    out = np.zeros(line.shape, bool)
    for side in (line, -line):
        off = (nominal - side) / rate
        out |= np.abs(off - np.rint(off)) * rate < _CRYSTAL * nominal
    return out


def source_of(line: float, generators: Mapping[str, float] | None, dt: float) -> str:
    """Return the generator that a line at ``line`` Hz in the record may come from."""
    here = np.array([line])
    may = [name for name, f in (generators or {}).items() if _may_be(here, f, dt)[0]]
    return " or ".join(may)


def follow(left: Floats, inside: Flags, sweeps: Sweeps, frequency: float) -> Track:
    """Return the amplitude of a line along the record, a value a sweep.

    Cosine and sine are fitted together over neighbouring sweeps that hold some periods at least: a
    slow one is far from orthogonal to itself turned by a quarter.
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
