"""Arcs in a transmission line or at an antenna: power that suddenly comes back.

A match drifts over tens of milliseconds and jumps by a little when the plasma changes its mode. An
arc shorts the line within microseconds: the share of the power that comes back jumps up by much,
and stays up until the arc dies or the generator trips.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import TimeBaseError

__all__ = ["Arc", "find_arcs"]

Floats = NDArray[np.float64]
_STEADY = 0.9  # of the forward power before: the supply does not drop because of an arc


@dataclass(frozen=True, kw_only=True)
class Arc:
    """A sudden reflection.

    Parameters
    ----------
    time : float
        When it begins, s; known to one averaged stretch.
    duration : float
        How long the share stays up, s; until the power is off where the generator trips.
    before, during : float
        Share of the forward power that comes back, P_r/P_f: median before, highest during it.
    tripped : bool
        Whether the forward power is off when it ends.
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

    The powers are averaged over ``average``; an arc begins where the share of the power that comes
    back exceeds its median over the time ``before`` by ``jump``, and ends where it no longer does.
    A plasma that goes out reflects as suddenly as an arc, but it goes out because the power falls:
    only where the forward power is no less than 0.9 of its median before is there an arc.
    The first milliseconds of a pulse cannot be told from an arc (a plasma that has not ignited
    reflects most of the power): they are left out until half of ``before`` has passed with power.

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
        Share of the forward power, 0 … 1. A jump of the plasma's mode changes it by up to 0.2.
    average, before : float
        s.

    Raises
    ------
    TimeBaseError
        Powers of different length, or a sampling interval that is none.
    """
    forward, reflected = np.asarray(forward, float), np.asarray(reflected, float)
    if forward.ndim != 1 or forward.shape != reflected.shape:
        raise TimeBaseError(
            f"forward power has shape {forward.shape}, reflected {reflected.shape}: align them"
        )
    if not dt > 0.0:
        raise TimeBaseError(f"a sampling interval of {dt} s does not exist: give `dt` in s")
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
    """Return where the share is above its lowest of late by the jump: the median is no lower."""
    from scipy.ndimage import minimum_filter1d

    if share.size == 0:
        return []
    # of the `width` values before each one: shifted back by half the filter and one
    padded = np.concatenate([np.full(width, np.inf), np.where(on, share, np.inf)])
    lowest = minimum_filter1d(padded, width, mode="nearest", origin=(width - 1) // 2)
    lowest = lowest[width - 1 : width - 1 + share.size]
    return [int(i) for i in np.flatnonzero(on & (share > lowest + jump))]


def _past(on: NDArray[np.bool_], i: int, width: int) -> slice | None:
    """Return the time before ``i`` in this pulse, None where it is too short to compare with."""
    first = max(i - width, 0)
    # a pulse begins after the last moment without power: what lies before it is another pulse
    pauses = np.flatnonzero(~on[first:i])
    first += int(pauses[-1]) + 1 if pauses.size else 0
    return slice(first, i) if 2 * (i - first) >= width else None
