"""Plasma by the power that antennas send back."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ishtar import rf
from ishtar.detection.time_spans import Floats, Span, arrays, between, runs, step_of

MIN_POWER_W = 10.0
UNLOADED = 0.6


def reflected_share(
    forward: ArrayLike, reflected: ArrayLike, *, min_power: float = MIN_POWER_W
) -> Floats:
    """Return P_r/P_f, (n_t,), NaN where the forward power is not above ``min_power``, W.

    Parameters
    ----------
    forward : array_like, W
        Forward power.
    reflected : array_like, W
        Reflected power, same shape.
    min_power : float, W, optional
        Forward power at or below which the result is NaN.
    """
    return rf.reflected_share(forward, reflected, floor=min_power)


def find_loaded(
    time: ArrayLike,
    forward: ArrayLike,
    reflected: ArrayLike,
    *,
    unloaded: float = UNLOADED,
    min_power: float = MIN_POWER_W,
    min_length: float = 3e-3,
    max_gap: float = 5e-3,
) -> tuple[Span, ...]:
    """Return when a plasma loaded an antenna: its reflected share below ``unloaded``.

    A start lies between the last step at the share before and the crossing, an end likewise,
    or between ten times ``min_power`` and ``min_power`` where the plasma went with the power: half
    of that time is its sigma.

    Parameters
    ----------
    time, forward, reflected : (n_t,) array_like, s, W and W
        Means over equal steps.
    unloaded : float
        Share that only an antenna without plasma reflects.
    min_power, min_length, max_gap
        Power below which a generator counts as off, W; the others as in `find_above`, s.
    """
    t, p, r = arrays(time, forward, reflected)
    step = step_of(t)
    share = reflected_share(p, r, min_power=min_power)
    found = []
    for a, b in runs(share < unloaded, round(max_gap / step)):
        if (b - a + 1) * step >= min_length:
            found.append(
                Span(
                    start=between(t, _left_level(share, a), a, step),
                    end=between(t, _leaves_level(share, p, b, min_power), b + 1, step),
                )
            )
    return tuple(found)


def _left_level(share: Floats, a: int) -> int:
    """Return the last step before ``a`` at the share that the antenna had without plasma."""
    begin = a
    while begin > 0 and np.isfinite(share[begin - 1]):
        begin -= 1
    if begin == a:
        return a - 1
    level = float(np.median(share[begin:a]))
    at_level = np.flatnonzero(share[begin:a] > 0.9 * level)
    return begin + int(at_level[-1])


def _leaves_level(share: Floats, forward: Floats, b: int, min_power: float) -> int:
    """Return the last step up to ``b`` at which the plasma burned for sure."""
    if b + 1 < share.size and np.isfinite(share[b + 1]):  # the share rises while there is power
        level = float(np.nanmedian(share[max(b - 20, 0) : b + 1]))
        sure = share[: b + 1] < 1.2 * level
    else:
        sure = forward[: b + 1] > 10.0 * min_power
    last = np.flatnonzero(sure)
    return int(last[-1]) if last.size else b
