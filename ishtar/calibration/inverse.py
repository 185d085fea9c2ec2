"""The inverse of a polynomial, in a range over which it only rises or falls."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HALVINGS = 80  # of a range of finite ends: further than floats can tell apart


def invert_polynomial(
    coefficients: Sequence[float], turns: Array | None, span: tuple[float, float], y: Array
) -> Array:
    """Return the x in a range that give y; NaN where none does.

    Parameters
    ----------
    coefficients : sequence of float
        c0, c1, c2 …
    turns : (m,) float64 or None
        Where the polynomial turns; None where that cannot be worked out.
    span : (float, float)
        The range of x, its ends infinite where none is stated.
    y : (n,) float64
        Values.

    Raises
    ------
    ValueError
        The polynomial turns inside the range, so that two x give one y.
    """
    low, high = span
    inside = None if turns is None else turns[(turns > low) & (turns < high)]
    if inside is None or inside.size:
        where = "somewhere" if inside is None else " and ".join(f"{t:.6g}" for t in inside)
        raise ValueError(
            f"the polynomial has no inverse: it turns at x = {where}; state x_min and x_max "
            "between which it only rises or falls"
        )
    y = np.asarray(y, dtype=np.float64)
    c = np.trim_zeros(np.asarray(coefficients, dtype=np.float64), "b")
    if len(c) == 2 and not math.isfinite(low) and not math.isfinite(high):
        return np.asarray((y - c[0]) / c[1])
    return _bisect(c, low, high, y)


def _bisect(c: Array, low: float, high: float, y: Array) -> Array:
    """Halve a bracket of each y; a root is found whatever its multiplicity."""
    # Cauchy: no root of p(x) = y lies further from 0 than this
    far = 1.0 + (np.abs(c[1:-1]).max(initial=0.0) + np.abs(c[0]) + np.abs(y)) / abs(c[-1])
    a = np.broadcast_to(low, y.shape).astype(float) if math.isfinite(low) else -far
    b = np.broadcast_to(high, y.shape).astype(float) if math.isfinite(high) else far.copy()
    at = np.polynomial.polynomial.polyval
    with np.errstate(over="ignore", invalid="ignore"):
        sign = np.where(at(b, c) >= at(a, c), 1.0, -1.0)
        # rounding may put the value of an end itself a little outside
        slack = 4 * np.finfo(float).eps * (np.abs(y) + at(np.abs(b), np.abs(c)))
        there = (sign * (at(a, c) - y) <= slack) & (sign * (at(b, c) - y) >= -slack)
        for _ in range(HALVINGS):
            middle = a + (b - a) / 2
            beyond = sign * (at(middle, c) - y) > 0
            b = np.where(beyond, middle, b)
            a = np.where(beyond, a, middle)
    return np.where(there & np.isfinite(y), a + (b - a) / 2, np.nan)
