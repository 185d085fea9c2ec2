"""Modes of a helicon discharge from the reflected share of its antenna."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ishtar.detection.antennas import UNLOADED
from ishtar.detection.time_spans import Floats, Span, arrays, between, step_of
from ishtar.quantity import Measured

MODE_BOUNDS: dict[str, tuple[float, float]] = {
    "E": (0.19, UNLOADED),
    "H": (0.077, 0.19),
    "W": (0.0, 0.077),
}
"""Lower and upper reflected share of each mode: geometric means of 0.85 (no plasma), 0.30, 0.12 and
0.05, the shares of the reference testbed's antenna."""
_HYSTERESIS = 1.1
_CHANGED = 0.08  # of a share, whose noise is some 1 %


@dataclass(frozen=True, kw_only=True)
class Jump:
    """A change of mode: time (s), both modes, and the reflected share in each."""

    time: Measured
    before: str
    after: str
    share_before: float
    share_after: float


def find_jumps(
    time: ArrayLike,
    share: ArrayLike,
    span: Span,
    *,
    bounds: dict[str, tuple[float, float]] = MODE_BOUNDS,
    min_length: float = 4e-3,
) -> tuple[str, tuple[Jump, ...]]:
    """Return the first mode of a plasma, and its jumps.

    A mode counts if the share is within its bounds for ``min_length``; it ends when the share is
    10 % beyond a bound.

    Parameters
    ----------
    time, share : (n_t,) array_like, s and 1
        From `reflected_share`; NaN without power.
    span : Span
        The plasma.
    bounds : dict of str to (float, float)
        Lower and upper share of each mode by name.
    min_length : float, s
        Shorter modes are ignored.

    Returns
    -------
    first : str
        Empty if no mode is found.
    jumps : tuple of Jump

    Raises
    ------
    DetectionError
        The arrays differ in shape or have fewer than 3 steps.
    """
    t, s = arrays(time, share)
    step = step_of(t)
    # the antenna settles some ms after ignition
    settled = span.start.value + 4.0 * max(span.start.sigma, step)
    keep = np.flatnonzero((t >= settled) & (t <= span.end.value) & np.isfinite(s))
    names = _named(s[keep], bounds)
    runs = [
        (name, at[0], at[-1])
        for name, group in itertools.groupby(zip(names, keep, strict=True), lambda pair: pair[0])
        if (at := [int(k) for _, k in group])
    ]
    runs = [r for r in runs if (r[2] - r[1] + 1) * step >= min_length]
    jumps = []
    for before, after in itertools.pairwise(_merged(runs)):
        share_before = float(np.median(s[before[1] : before[2] + 1]))
        # the antenna follows within some ms: the jump is where the share begins to change
        near = np.abs(s[before[1] : before[2] + 1] / share_before - 1.0) < _CHANGED
        begin = before[1] + int(np.flatnonzero(near)[-1]) if near.any() else before[2]
        jumps.append(
            Jump(
                time=between(t, begin, after[1], step),
                before=before[0],
                after=after[0],
                share_before=share_before,
                share_after=float(np.median(s[after[1] : after[2] + 1])),
            )
        )
    return (runs[0][0] if runs else ""), tuple(jumps)


def _named(share: Floats, bounds: dict[str, tuple[float, float]]) -> list[str]:
    names: list[str] = []
    current = ""
    for s in share.tolist():
        low, high = bounds.get(current, (math.inf, -math.inf))
        if not low / _HYSTERESIS <= s < high * _HYSTERESIS:
            current = next((name for name, (lo, hi) in bounds.items() if lo <= s < hi), "")
        names.append(current)
    return names


def _merged(runs: list[tuple[str, int, int]]) -> list[tuple[str, int, int]]:
    """Join consecutive runs of the same mode, between which a short one was dropped."""
    found: list[tuple[str, int, int]] = []
    for name, a, b in runs:
        if found and found[-1][0] == name:
            found[-1] = (name, found[-1][1], b)
        elif name:
            found.append((name, a, b))
    return found
