"""Plasma by the current of a probe."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ishtar.detection.time_spans import UNIFORM, DetectionError, Span, arrays, runs, step_of
from ishtar.quantity import Measured


def find_probed(
    time: ArrayLike,
    low: ArrayLike,
    high: ArrayLike,
    *,
    quiet_until: float,
    factor: float = 3.0,
    max_gap: float = 0.03,
) -> tuple[Span, ...]:
    """Return when a probe's current stood out of what it is in the quiet time.

    Parameters
    ----------
    time, low, high : (n_t,) array_like, s, A and A
        Smallest and largest current in each step, as `Signal.envelope` gives them.
    quiet_until : float, s
        Before it there is no power and no plasma.
    factor : float
        How many times as far from the middle of the quiet band as its edge.
    max_gap : float, s
        Between sweeps; shorter pauses do not divide.

    Raises
    ------
    DetectionError
        Fewer than 10 steps are quiet.
    """
    t, lowest, highest = arrays(time, low, high)
    quiet = t < quiet_until
    if quiet.sum() < 10:
        raise DetectionError(
            f"the record has {int(quiet.sum())} steps before {quiet_until:g} s, 10 are needed to "
            "know the current without plasma: record earlier"
        )
    middle = 0.5 * float(np.median(highest[quiet]) + np.median(lowest[quiet]))
    edge = max(float((highest[quiet] - middle).max()), float((middle - lowest[quiet]).max()))
    step = step_of(t)
    out = highest - middle > max(factor * edge, np.finfo(float).tiny)
    found = []
    for a, b in runs(out, round(max_gap / step)):
        inside = np.flatnonzero(out[a : b + 1])
        pause = float(np.diff(inside).max()) * step if inside.size > 1 else max_gap
        sigma = max(pause, step) / UNIFORM
        first, last = float(t[a]), float(t[b])
        found.append(
            Span(start=Measured(first, sigma, "s"), end=Measured(last, sigma, "s")),
        )
    return tuple(found)
