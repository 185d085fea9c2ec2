"""The mean of a long stretch of samples and how well it is known, walked block by block."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

PARTS = 16  # of a stretch, from the scatter of whose means the error of the whole is taken
BLOCK = 1 << 20  # samples in memory at a time


@dataclass(frozen=True, kw_only=True)
class Mean:
    """A mean over a stretch.

    Parameters
    ----------
    value : float
        NaN where any sample is not finite.
    error : float
        Its standard error by the scatter of the means of `PARTS` parts of the stretch: neighbours
        need not be independent, as long as a part is longer than they hang together. NaN for one
        sample.
    changes : mapping
        The mean of the change that one sigma of each source of uncertainty makes. These are common
        to all samples, and do not average down.
    """

    value: float
    error: float
    changes: Mapping[str, float] = field(default_factory=dict)


def mean_of(
    read: Callable[[int, int], tuple[Array, Mapping[str, Array]]], start: int, stop: int
) -> Mean:
    """Return the mean of samples ``start … stop``; ``read`` gives them with their changes."""
    n = stop - start
    m = min(PARTS, n)
    edges = start + (np.arange(m + 1) * n) // m
    sums = np.zeros(m)
    changes: dict[str, float] = {}
    for i in range(start, stop, BLOCK):
        j = min(i + BLOCK, stop)
        x, changed = read(i, j)
        a = int(np.searchsorted(edges, i, side="right")) - 1
        b = int(np.searchsorted(edges, j, side="left"))
        sums[a:b] += np.add.reduceat(x, np.maximum(edges[a:b], i) - i)
        for name, change in changed.items():
            changes[name] = changes.get(name, 0.0) + float(np.sum(change)) / n
    with np.errstate(invalid="ignore"):
        parts = sums / np.diff(edges)
        error = float(parts.std(ddof=1) / math.sqrt(m)) if m > 1 else math.nan
        return Mean(value=float(sums.sum() / n), error=error, changes=changes)


def root_sum_square(changes: Mapping[str, float]) -> float:
    """Return what independent sources make together."""
    return math.sqrt(sum(change**2 for change in changes.values()))
