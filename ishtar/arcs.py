"""Arcs in a transmission line or at an antenna, detected by sudden reflection.

A match drifts over tens of milliseconds and jumps slightly when the plasma changes its mode. An arc
shorts the line within microseconds: the reflected share of the power rises steeply and stays high
until the arc extinguishes or the generator trips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import TimeBaseError

__all__ = ["Arc", "find_arcs"]

Floats = NDArray[np.float64]
_STEADY = 0.9  # of the forward power before: an arc does not reduce it


@dataclass(frozen=True, kw_only=True)
class Arc:
    """A sudden reflection.

    Parameters
    ----------
    time : float
        Start, s, to within one averaging interval.
    duration : float
        Time with a high reflected share, s; until the power is off if the generator trips.
    before, during : float
        Reflected share P_r/P_f: median before, maximum during the arc.
    tripped : bool
        Whether the forward power is off at the end.
    """

    time: float
    duration: float
    before: float
    during: float
    tripped: bool


def find_arcs(
    forward: ArrayLike,
    reflected: ArrayLike,
    dt: float,
    *,
    t0: float = 0.0,
    floor: float,
    jump: float = 0.3,
    average: float = 2e-4,
    before: float = 20e-3,
) -> tuple[Arc, ...]:
    """Return the arcs in the powers of a line, in the order of time.

    The powers are averaged over ``average``; an arc lasts while the reflected share exceeds its
    median over the time ``before`` by ``jump``. A plasma that extinguishes reflects as suddenly as
    an arc, but because the power falls: an arc requires at least 0.9 of the median forward power
    before. The first milliseconds of a pulse look like an arc (without ignition most of the power
    is reflected): they are excluded until half of ``before`` has passed with power.

    Parameters
    ----------
    forward, reflected : array_like
        (n_t,), W, regularly sampled.
    dt : float
        Sampling interval, s.
    t0 : float
        Time of the first sample, s.
    floor : float
        Forward power, W, below which the generator counts as off.
    jump : float
        Rise of the reflected share, 0 … 1. A mode jump of the plasma changes it by up to 0.2.
    average, before : float
        Averaging interval and reference time, s.

    Returns
    -------
    tuple of Arc

    Raises
    ------
    TimeBaseError
        The powers differ in length, or the sampling interval is not positive.
    """
    forward, reflected = np.asarray(forward, float), np.asarray(reflected, float)
    if forward.ndim != 1 or forward.shape != reflected.shape:
        raise TimeBaseError(
            f"forward power has shape {forward.shape}, reflected {reflected.shape}: align them"
        )
    if not dt > 0.0:
        raise TimeBaseError(f"the sampling interval is {dt} s: give a positive `dt` in s")
    size = max(round(average / dt), 1)
    f, r = _averaged(forward, size), _averaged(reflected, size)
    step = size * dt
    on = f > max(floor, 0.0)
    share = np.where(on, np.maximum(r, 0.0) / np.where(on, f, 1.0), np.nan)
    width = max(round(before / step), 3)
    found: list[Arc] = []
    end = 0
    for i in _candidates(share, on, width, jump):
        past = _past(on, i, width) if i >= end else None
        if past is None or f[i] < _STEADY * np.median(f[past]):
            continue
        usual = float(np.median(share[past]))
        if share[i] <= usual + jump:
            continue
        end = i
        while end < f.size and on[end] and share[end] > usual + jump:
            end += 1
        found.append(
            Arc(
                time=t0 + i * step,
                duration=(end - i) * step,
                before=usual,
                during=float(share[i:end].max()),
                tripped=bool(end < f.size and not on[end : end + 2].any()),
            )
        )
        end += 1
    return tuple(found)


def _averaged(x: Floats, size: int) -> Floats:
    whole = x.size // size * size
    return np.asarray(x[:whole].reshape(-1, size).mean(axis=1))


def _candidates(share: Floats, on: NDArray[np.bool_], width: int, jump: float) -> list[int]:
    """Return the steps at ``jump`` above the recent minimum: necessary, as the median is higher."""
    from scipy.ndimage import minimum_filter1d

    if share.size == 0:
        return []
    # minimum of the `width` values before each: shifted back by half the filter plus one
    padded = np.concatenate([np.full(width, np.inf), np.where(on, share, np.inf)])
    lowest = minimum_filter1d(padded, width, mode="nearest", origin=(width - 1) // 2)
    lowest = lowest[width - 1 : width - 1 + share.size]
    return [int(i) for i in np.flatnonzero(on & (share > lowest + jump))]


def _past(on: NDArray[np.bool_], i: int, width: int) -> slice | None:
    """Return the steps before ``i`` in this pulse; None if too few for a reference."""
    first = max(i - width, 0)
    # the pulse begins after the last step without power
    pauses = np.flatnonzero(~on[first:i])
    first += int(pauses[-1]) + 1 if pauses.size else 0
    return slice(first, i) if 2 * (i - first) >= width else None
