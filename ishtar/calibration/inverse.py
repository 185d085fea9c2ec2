"""The inverse of a polynomial in a range in which it is monotonic."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
HALVINGS = 80  # of a finite range: beyond the precision of floats


def invert_polynomial(
    coefficients: Sequence[float], turns: Array | None, span: tuple[float, float], y: Array
) -> Array:
    """Return the x in a range at which a polynomial equals y; NaN where there is none.

    Parameters
    ----------
    coefficients : sequence of float
        c0, c1, c2 …
    turns : (m,) float64 or None
        The stationary points; None if they cannot be computed.
    span : (float, float)
        The range of x; an end that is not stated is infinite.
    y : (n,) float64
        The values of the polynomial.

    Returns
    -------
    (n,) float64
        x for each y.

    Raises
    ------
    ValueError
        The polynomial is not monotonic in the range, so that two x have the same y.
    """
    low, high = span
    inside = None if turns is None else turns[(turns > low) & (turns < high)]
    if inside is None or inside.size:
        where = "somewhere" if inside is None else " and ".join(f"{t:.6g}" for t in inside)
        raise ValueError(
            f"the polynomial has no inverse: it turns at x = {where}; state x_min and x_max "
            "between which it is monotonic"
        )
    y = np.asarray(y, dtype=np.float64)
    c = np.trim_zeros(np.asarray(coefficients, dtype=np.float64), "b")
    if len(c) == 2 and not math.isfinite(low) and not math.isfinite(high):
        return np.asarray((y - c[0]) / c[1])
    return _bisect(c, low, high, y)


def _bisect(c: Array, low: float, high: float, y: Array) -> Array:
    """Bisect a bracket for each y; roots of any multiplicity are found."""
    # Cauchy's bound on the roots of p(x) = y
    bound = 1.0 + (np.abs(c[1:-1]).max(initial=0.0) + np.abs(c[0]) + np.abs(y)) / abs(c[-1])
    a = np.broadcast_to(low, y.shape).astype(float) if math.isfinite(low) else -bound
    b = np.broadcast_to(high, y.shape).astype(float) if math.isfinite(high) else bound.copy()
    at = np.polynomial.polynomial.polyval
    with np.errstate(over="ignore", invalid="ignore"):
        sign = np.where(at(b, c) >= at(a, c), 1.0, -1.0)
        # rounding may put a y at the end of the range slightly outside
        tolerance = 4 * np.finfo(float).eps * (np.abs(y) + at(np.abs(b), np.abs(c)))
        reached = (sign * (at(a, c) - y) <= tolerance) & (sign * (at(b, c) - y) >= -tolerance)
        for _ in range(HALVINGS):
            middle = a + (b - a) / 2
            beyond = sign * (at(middle, c) - y) > 0
            b = np.where(beyond, middle, b)
            a = np.where(beyond, a, middle)
    return np.where(reached & np.isfinite(y), a + (b - a) / 2, np.nan)
