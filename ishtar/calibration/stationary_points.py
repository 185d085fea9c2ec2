"""Where a curve turns, so that the image of a range of values need not be sampled.

Between its turns a curve rises or falls throughout: minimum and maximum of many samples then
follow from the smallest and the largest of them.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
NEAR = 1e-9  # relative: a turn that rounding may have moved counts as inside


def polynomial_turns(coefficients: Sequence[float]) -> Array | None:
    """Return where ``c0 + c1·x + …`` turns; None where that cannot be worked out."""
    derivative = [k * c for k, c in enumerate(coefficients)][1:]
    with np.errstate(all="ignore"):
        try:
            roots = np.roots(derivative[::-1])
        except np.linalg.LinAlgError:  # coefficients whose ratios no float holds
            return None
    # A pair of nearly equal roots is found with a small imaginary part.
    real = np.abs(roots.imag) <= 1e-6 * np.abs(roots)
    return np.sort(roots.real[real])


def table_turns(x: ArrayLike, y: ArrayLike) -> Array:
    """Return the knots of a polyline at which it begins to fall after rising, or to rise."""
    knots, slopes = np.asarray(x, dtype=float)[1:-1], np.sign(np.diff(np.asarray(y, dtype=float)))
    found, before = [], 0.0
    for k, slope in enumerate(slopes):
        if slope and before and slope != before:
            found.append(knots[k - 1])
        before = slope or before
    return np.sort(np.asarray(found, dtype=float))


def holds_turn(turns: Array | None, low: Array, high: Array) -> NDArray[np.bool_]:
    """Tell for each range ``low … high`` whether a turn lies in it; with None, none is safe."""
    if turns is None:
        return low < high
    margin = NEAR * (np.abs(low) + np.abs(high))
    with np.errstate(invalid="ignore"):
        before = np.searchsorted(turns, low - margin, side="left")
        upto = np.searchsorted(turns, high + margin, side="right")
    return (upto > before) & (low < high)
