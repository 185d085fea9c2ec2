"""Single samples that cannot belong to the curve: a spike, a lost bit, a switching transient.

One spike among some hundred samples shifts every mean that includes it. It is detected by the
medians of its neighbours, which are robust against it: neighbours in bias for the current, and in
time for the bias.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

MAX_SHARE = 0.02  # of the samples of a sweep; more of them are not outliers but the signal
_FAR = 7.0  # standard deviations of the surrounding samples
_SIDE = 5  # neighbours on either side
_BLOCK, _MIN_BLOCK = 32, 15  # samples to estimate the scatter from
_MIN_DEVIATION = 2e-4  # of the range, for records without noise


def without_outliers(bias: Floats, current: Floats, step: float) -> tuple[Floats, Floats, Floats]:
    """Return bias and current with NaN for outliers, and their number.

    Parameters
    ----------
    bias, current : (n, k) float64, V and A
        In the order of time; NaN is a missing sample.
    step : float
        Resolution of the recorded current, A.

    Returns
    -------
    bias, current : (n, k) float64
        An outlier is NaN in both.
    count : (n,) int
        0 if a sweep has a larger share than `MAX_SHARE`; they are then kept.
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
    kept = (count <= np.maximum(MAX_SHARE * present.sum(1), 1.0)) & some
    far &= kept[:, None]
    if not far.any():
        return bias, current, np.zeros(count.size, int)
    return (
        np.where(far, np.nan, bias),
        np.where(far, np.nan, current),
        np.where(kept, count, 0),
    )


def _far(values: Floats, present: Flags, step: float) -> Flags:
    """Return which samples are far from the extrapolation of their neighbours."""
    n, k = values.shape
    around = min(_BLOCK, k // 2)
    if around < _MIN_BLOCK:
        return np.zeros((n, k), bool)
    values = filled(values, present)
    before, after = neighbour_medians(values)
    size = np.where(present, np.abs(values - 0.5 * (before + after)), 0.0)
    # at a jump or a slope the sample lies between the values before and after it
    up, down = values - np.maximum(before, after), np.minimum(before, after) - values
    alone = np.maximum(up, down)
    blocks = max(k // around, 1)
    inside = size[:, : blocks * around].reshape(n, blocks, around)
    scatter = np.median(inside, axis=2) / 0.6745
    # noise may grow along the curve: the largest of a block and its neighbours
    padded = np.pad(scatter, ((0, 0), (1, 1)), mode="edge")
    wide = np.maximum(np.maximum(padded[:, :-2], padded[:, 2:]), scatter)
    each = np.repeat(wide, around, axis=1)
    each = np.pad(each, ((0, 0), (0, k - each.shape[1])), mode="edge")
    span = np.ptp(values, axis=1)
    floor = np.maximum(_MIN_DEVIATION * span, 0.5 * step)
    limit = _FAR * np.maximum(each, floor[:, None] / 2.0)
    return np.asarray((size > limit) & (alone > 0.5 * limit))


def filled(values: Floats, present: Flags) -> Floats:
    """Return values with gaps replaced by a neighbour, reflected past the end of a sweep."""
    k = values.shape[1]
    place = np.arange(k)
    last = np.maximum.accumulate(np.where(present, place, -1), axis=1)
    first = np.argmax(present, axis=1)[:, None]
    whole = np.take_along_axis(values, np.where(last < 0, first, last), 1)
    whole = np.where(np.asarray(present.any(1))[:, None], whole, 0.0)
    # continue a shorter sweep as `_reflected` does
    end = np.maximum(last[:, -1:] - 1, 0)
    mirror = np.clip(2 * end - place, 0, k - 1)
    beyond = 2.0 * np.take_along_axis(whole, end, 1) - np.take_along_axis(whole, mirror, 1)
    return np.where(place > end + 1, beyond, whole)


def neighbour_medians(values: Floats) -> tuple[Floats, Floats]:
    """Return the medians of the five samples before and of the five after each, (n, k) both.

    Their mean is exact for a straight line, and two outliers among five do not affect it. Beyond
    the ends the curve is reflected about its second sample, or its second to last.
    """
    k = values.shape[1]
    padded = np.concatenate(
        [_reflected(values), values, _reflected(values[:, ::-1])[:, ::-1]], axis=1
    )
    lanes = [padded[:, i : i + k] for i in range(2 * _SIDE + 1)]
    return _median5(*lanes[:_SIDE]), _median5(*lanes[_SIDE + 1 :])


def _reflected(values: Floats) -> Floats:
    """Return five samples before the first, (n, 5), by reflection about the second."""
    middle = _median3(values[:, 0], values[:, 1], values[:, 2])
    return 2.0 * middle[:, None] - values[:, 3 : 3 + _SIDE][:, ::-1]


def _median3(a: Floats, b: Floats, c: Floats) -> Floats:
    return np.maximum(np.minimum(a, b), np.minimum(np.maximum(a, b), c))


def _median5(a: Floats, b: Floats, c: Floats, d: Floats, e: Floats) -> Floats:
    low = np.maximum(np.minimum(a, b), np.minimum(c, d))
    high = np.minimum(np.maximum(a, b), np.maximum(c, d))
    return _median3(e, low, high)
