"""Stationary points of curves, to map min/max without reading every sample.

Between its turns (stationary points, or kinks at which the slope changes sign) a curve is
monotonic: the minimum and maximum of many samples follow from the smallest and the largest one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]
NEAR = 1e-9  # relative: a turn this close to a range counts as inside, for rounding


def polynomial_turns(coefficients: Sequence[float]) -> Array | None:
    """Return the stationary points of ``c0 + c1·x + …``, ascending.

    Parameters
    ----------
    coefficients : sequence of float
        c0, c1, c2 …

    Returns
    -------
    (m,) float64 or None
        x of the stationary points; None if they cannot be computed.
    """
    derivative = [k * c for k, c in enumerate(coefficients)][1:]
    with np.errstate(all="ignore"):
        try:
            roots = np.roots(derivative[::-1])
        except np.linalg.LinAlgError:  # ratios of coefficients overflow
            return None
    # Rounding gives a nearly double root a small imaginary part.
    real = np.abs(roots.imag) <= 1e-6 * np.abs(roots)
    return np.sort(roots.real[real])


def table_turns(x: ArrayLike, y: ArrayLike) -> Array:
    """Return the knots at which the slope of a polyline changes sign, ascending.

    Parameters
    ----------
    x, y : (n,) float64
        The points of the polyline, x ascending or descending.

    Returns
    -------
    (m,) float64
        x of the knots.
    """
    knots, slopes = np.asarray(x, dtype=float)[1:-1], np.sign(np.diff(np.asarray(y, dtype=float)))
    found, before = [], 0.0
    for k, slope in enumerate(slopes):
        if slope and before and slope != before:
            found.append(knots[k - 1])
        before = slope or before
    return np.sort(np.asarray(found, dtype=float))


def holds_turn(turns: Array | None, low: Array, high: Array) -> NDArray[np.bool_]:
    """Return for each range ``low … high`` whether it contains a turn.

    Parameters
    ----------
    turns : (m,) float64 or None
        The turns, ascending; None if they are not known, then any range may contain one.
    low, high : (n,) float64
        The ends of the ranges.
    """
    if turns is None:
        return low < high
    margin = NEAR * (np.abs(low) + np.abs(high))
    with np.errstate(invalid="ignore"):
        before = np.searchsorted(turns, low - margin, side="left")
        upto = np.searchsorted(turns, high + margin, side="right")
    return (upto > before) & (low < high)
