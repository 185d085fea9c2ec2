"""Plasma from the current of a probe."""

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
    """Return the times in which a probe's current exceeds its range in the quiet time.

    Parameters
    ----------
    time, low, high : (n_t,) array_like, s, A and A
        Smallest and largest current in each step, as from `Signal.envelope`.
    quiet_until : float, s
        There is no power and no plasma before this time.
    factor : float
        Threshold in units of the half width of the quiet range.
    max_gap : float, s
        Shorter pauses, as between sweeps, do not split a span.

    Returns
    -------
    tuple of Span

    Raises
    ------
    DetectionError
        Fewer than 10 steps are quiet, or the arrays differ in shape.
    """
    t, lowest, highest = arrays(time, low, high)
    quiet = t < quiet_until
    if quiet.sum() < 10:
        raise DetectionError(
            f"the record has {int(quiet.sum())} steps before {quiet_until:g} s, but the current "
            "without plasma needs 10: start recording earlier"
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
