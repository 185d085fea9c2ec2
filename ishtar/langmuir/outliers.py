"""Single samples that cannot belong to the curve: a spike, a lost bit, a switching transient.

One spiked sample of some hundred says nothing of the plasma, and moves every mean that it is in.
It is told by its neighbours, whose medians do not mind it; they are those in bias for the current
and those in time for the bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MOST = 0.02  # share of the samples of a sweep; more of them are no outliers but what there is
_FAR = 7.0  # in standard deviations of what surrounds it
_SIDE = 5  # neighbours on either side
_AROUND, _FEWEST = 32, 15  # samples over which the scatter is learnt
_FINEST = 2e-4  # of the range: what a record without noise cannot be blamed for


def without_outliers(bias: Floats, current: Floats, step: float) -> tuple[Floats, Floats, Floats]:
    """Return bias and current with NaN for outliers, and how many there are.

    Parameters
    ----------
    bias, current : (n, k) float64, V and A
        In the order of time; NaN where there is no sample.
    step : float
        Resolution of the recorded current, A.

    Returns
    -------
    bias, current : (n, k) float64
        A sample is missing in both, or in none.
    count : (n,) int
        0 where there would be more than `MOST` of them, which then are left in.
    """
    present = np.isfinite(bias) & np.isfinite(current)
    order = np.argsort(np.where(present, bias, np.inf), axis=1, kind="stable")
    some = present.any(1)

    def sorted_(values: Floats | Flags) -> Floats:
        return np.asarray(np.take_along_axis(values, order, 1), float)

    far = np.zeros_like(present)
    by_bias = _far(sorted_(current), sorted_(present) > 0, step)
    np.put_along_axis(far, order, by_bias, 1)
    far |= _far(bias, present, 0.0)
    far &= present
    count = far.sum(1)
    kept = (count <= np.maximum(MOST * present.sum(1), 1.0)) & some
    far &= kept[:, None]
    if not far.any():
        return bias, current, np.zeros(count.size, int)
    return (
        np.where(far, np.nan, bias),
        np.where(far, np.nan, current),
        np.where(kept, count, 0),
    )


def _far(values: Floats, present: Flags, step: float) -> Flags:
    """Return which samples are far from where those before and after them lead."""
    n, k = values.shape
    around = min(_AROUND, k // 2)
    if around < _FEWEST:
        return np.zeros((n, k), bool)
    values = filled(values, present)
    before, after = medians_beside(values)
    size = np.where(present, np.abs(values - 0.5 * (before + after)), 0.0)
    # a jump, or a slope, is on one side of what was and on the other of what comes
    up, down = values - np.maximum(before, after), np.minimum(before, after) - values
    alone = np.maximum(up, down)
    blocks = max(k // around, 1)
    inside = size[:, : blocks * around].reshape(n, blocks, around)
    scatter = np.median(inside, axis=2) / 0.6745
    # noise may grow along the curve: the larger of a block and of those beside it
    padded = np.pad(scatter, ((0, 0), (1, 1)), mode="edge")
    wide = np.maximum(np.maximum(padded[:, :-2], padded[:, 2:]), scatter)
    each = np.repeat(wide, around, axis=1)
    each = np.pad(each, ((0, 0), (0, k - each.shape[1])), mode="edge")
    span = np.ptp(values, axis=1)
    floor = np.maximum(_FINEST * span, 0.5 * step)
    limit = _FAR * np.maximum(each, floor[:, None] / 2.0)
    return np.asarray((size > limit) & (alone > 0.5 * limit))


def filled(values: Floats, present: Flags) -> Floats:
    """Return values with what is missing replaced by a neighbour, and past the end turned about."""
    k = values.shape[1]
    place = np.arange(k)
    last = np.maximum.accumulate(np.where(present, place, -1), axis=1)
    first = np.argmax(present, axis=1)[:, None]
    whole = np.take_along_axis(values, np.where(last < 0, first, last), 1)
    whole = np.where(np.asarray(present.any(1))[:, None], whole, 0.0)
    # a shorter sweep goes on as `_turned` does it
    end = np.maximum(last[:, -1:] - 1, 0)
    mirror = np.clip(2 * end - place, 0, k - 1)
    beyond = 2.0 * np.take_along_axis(whole, end, 1) - np.take_along_axis(whole, mirror, 1)
    return np.where(place > end + 1, beyond, whole)


def medians_beside(values: Floats) -> tuple[Floats, Floats]:
    """Return the median of five samples before each and of five after, (n, k) both.

    A straight line leads through their mean, and two wrong samples of five do not move it. Beyond
    the ends the curve is turned about its second sample, or that before the last.
    """
    k = values.shape[1]
    ahead = np.concatenate([_turned(values), values, _turned(values[:, ::-1])[:, ::-1]], axis=1)
    lanes = [ahead[:, i : i + k] for i in range(2 * _SIDE + 1)]
    return _median5(*lanes[:_SIDE]), _median5(*lanes[_SIDE + 1 :])


def _turned(values: Floats) -> Floats:
    """Return the samples that come before, (n, 5), by turning the first ones about the second."""
    middle = _median3(values[:, 0], values[:, 1], values[:, 2])
    return 2.0 * middle[:, None] - values[:, 3 : 3 + _SIDE][:, ::-1]


def _median3(a: Floats, b: Floats, c: Floats) -> Floats:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def _median5(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats) -> Floats:
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return _median3(e, low, high)
