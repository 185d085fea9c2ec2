"""Find the ramps of a periodically swept probe bias."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError

__all__ = ["SweepError", "Sweeps", "find_sweeps"]

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]


class SweepError(IshtarError, ValueError):
    """Bias, current or geometry that the analysis cannot use."""


@dataclass(frozen=True, kw_only=True)
class Sweeps:
    """The ramps of a record, in the order of time.

    Parameters
    ----------
    start, stop : (n,) int
        Sample indices; ``stop`` is the first sample after the ramp.
    direction : (n,) int8
        +1 if the bias rises, −1 if it falls.
    t0, dt : float
        Time of the record's first sample and sampling interval, s.
    """

    start: Ints
    stop: Ints
    direction: NDArray[np.int8]
    t0: float
    dt: float

    def __len__(self) -> int:
        return int(self.start.size)

    def __iter__(self) -> Iterator[slice]:
        """Iterate over the ramps as slices of the record."""
        return (slice(int(a), int(b)) for a, b in zip(self.start, self.stop, strict=True))

    @property
    def middles(self) -> Floats:
        """Middle of each ramp relative to the record's first sample, (n,) s."""
        return np.asarray(self.dt * 0.5 * (self.start + self.stop - 1), float)

    @property
    def time(self) -> Floats:
        """Middle of each ramp, (n,) s."""
        return self.t0 + self.middles

    def table(self, values: ArrayLike) -> Floats:
        """Return a record split into ramps, (n, longest) float64, NaN past the end of a ramp."""
        values = np.asarray(values, float)
        if not len(self):
            return np.empty((0, 0))
        longest = int((self.stop - self.start).max())
        index = self.start[:, None] + np.arange(longest)
        inside = index < self.stop[:, None]
        return np.where(inside, values[np.minimum(index, values.size - 1)], np.nan)


def find_sweeps(
    bias: ArrayLike,
    dt: float,
    *,
    t0: float = 0.0,
    min_span: float = 5.0,
    min_samples: int = 40,
    trim: float = 0.01,
) -> Sweeps:
    """Return the start, stop and direction of each ramp of a periodic bias.

    Works for triangle, sawtooth and sine, with pauses and noise. A ramp is a passage from below a
    quarter to above three quarters of the bias range, or back; it extends from where the bias
    leaves one end to where it reaches the other. Flybacks, pauses and passages much faster than the
    others are excluded.

    Parameters
    ----------
    bias : (n_t,) array_like, V
    dt : float
        Sampling interval, s.
    t0 : float
        Time of the first sample, s.
    min_span : float
        A bias with a smaller range, V, is not swept.
    min_samples : int
        Shorter ramps are excluded.
    trim : float
        Fraction of the range excluded at each end, where a real bias turns round.

    Returns
    -------
    Sweeps
        Empty if the bias is not swept.

    Raises
    ------
    SweepError
        ``bias`` is not one-dimensional, or ``dt`` is not positive.
    """
    values = np.asarray(bias, float)
    if values.ndim != 1:
        raise SweepError(f"bias has {values.ndim} dimensions; give one record, shape (n_t,)")
    if not dt > 0:
        raise SweepError(f"dt is {dt} s; give the time between samples, positive")
    empty = np.empty(0, np.intp)
    nothing = Sweeps(
        start=empty, stop=empty, direction=np.empty(0, np.int8), t0=float(t0), dt=float(dt)
    )
    filled = _fill_gaps(values)
    if filled is None or filled.size < min_samples:
        return nothing
    # Two passes: the raw record for the period; then, smoothed over a small part of the period, for
    # the turning points.
    rough = _passages(filled, min_span)
    if not rough:
        return nothing
    typical = float(np.median([b - a for a, b, _ in rough]))
    smooth = _smooth(filled, int(typical / 50.0))
    passages = _passages(smooth, min_span)
    low, high = _range(smooth)
    found: list[tuple[int, int, int]] = []
    previous = 0
    for number, (a, b, sign) in enumerate(passages):
        after = passages[number + 1][0] if number + 1 < len(passages) else smooth.size - 1
        found.append((*_extend(smooth, previous, a, b, after, sign, high - low, trim), sign))
        previous = b
    length = np.array([b - a for a, b, _ in found])
    keep = length >= max(
        min_samples,
        0.2
        * float(
            np.median(length[length >= min_samples] if (length >= min_samples).any() else length)
        ),
    )
    chosen = [f for f, k in zip(found, keep, strict=True) if k]
    if not chosen:
        return nothing
    start, stop, sign_of = (np.array(column) for column in zip(*chosen, strict=True))
    return Sweeps(
        start=start.astype(np.intp),
        stop=stop.astype(np.intp),
        direction=sign_of.astype(np.int8),
        t0=float(t0),
        dt=float(dt),
    )


def _fill_gaps(values: Floats) -> Floats | None:
    """Return the record with missing samples interpolated; None if all are missing."""
    good = np.isfinite(values)
    if good.all():
        return values
    if not good.any():
        return None
    index = np.arange(values.size)
    return np.interp(index, index[good], values[good])


def _smooth(values: Floats, width: int) -> Floats:
    """Return a centred moving mean over ``width`` samples, over fewer at the ends."""
    half = width // 2
    if half < 1:
        return values
    n = values.size
    total = np.zeros(n + 1)
    np.cumsum(values - values[0], out=total[1:])
    mean = np.empty(n)
    if n > 2 * half:
        inner = mean[half : n - half]
        np.subtract(total[2 * half + 1 :], total[: n - 2 * half], out=inner)
        inner /= 2 * half + 1
    near = np.arange(min(half, n))
    ends = np.unique(np.concatenate([near, n - 1 - near]))
    lo, hi = np.maximum(ends - half, 0), np.minimum(ends + half + 1, n)
    mean[ends] = (total[hi] - total[lo]) / (hi - lo)
    mean += values[0]
    return mean


def _range(smooth: Floats) -> tuple[float, float]:
    return float(smooth.min()), float(smooth.max())


def _passages(smooth: Floats, min_span: float) -> list[tuple[int, int, int]]:
    """Return last sample in one outer quarter, first in the other, and direction, per passage."""
    low, high = _range(smooth)
    if high - low < min_span:
        return []
    state = np.where(
        smooth > low + 0.75 * (high - low), 1, np.where(smooth < low + 0.25 * (high - low), -1, 0)
    )
    known = np.flatnonzero(state)
    change = np.flatnonzero(np.diff(state[known]) != 0)
    return [(int(known[c]), int(known[c + 1]), int(state[known[c + 1]])) for c in change]


def _extend(
    smooth: Floats,
    before: int,
    a: int,
    b: int,
    after: int,
    sign: int,
    span: float,
    trim: float,
) -> tuple[int, int]:
    """Return start and stop of the ramp around the passage from ``a`` to ``b``."""
    left = sign * smooth[before : a + 1]
    right = sign * smooth[b : after + 1]
    # last sample at the end that the ramp leaves, first at the end that it reaches
    start = a - int((left[::-1] <= left.min() + trim * span).argmax())
    stop = b + int((right >= right.max() - trim * span).argmax())
    # if the record begins or ends within a ramp, the bias does not turn round there
    short = 3.0 * trim * (stop - start)
    if start < short:
        start = 0
    if smooth.size - 1 - stop < short:
        stop = smooth.size - 1
    return start, stop + 1
