"""Quantities with their uncertainty: value ± sigma, and means of long records."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

PARTS = 16  # a window is split into; the scatter of their means is the error of the whole
BLOCK = 1 << 20  # samples in memory at a time


@dataclass(frozen=True)
class Measured:
    """A value with its uncertainty and unit.

    Parameters
    ----------
    value : float
        NaN for a missing value.
    sigma : float
        One standard deviation, in the same unit; NaN if unknown.
    unit : str
        In pint's notation (``"eV"``, ``"1/m^3"``, ``"V"``).
    """

    value: float
    sigma: float
    unit: str

    def __str__(self) -> str:
        if math.isfinite(self.sigma):
            return f"{self.value:.{self._digits()}g} ± {self.sigma:.2g} {self.unit}"
        return f"{self.value:.4g} {self.unit}"

    def _digits(self) -> int:
        """Return how many digits of the value are significant given sigma; at least four."""
        if not (math.isfinite(self.value) and self.value and self.sigma > 0.0):
            return 4
        orders = math.floor(math.log10(abs(self.value))) - math.floor(math.log10(self.sigma))
        return min(max(4, orders + 2), 15)


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The mean of a window of samples.

    Parameters
    ----------
    value : float
        NaN if any sample is not finite.
    error : float
        Standard error, from the scatter of the means of `PARTS` parts of the window. Neighbouring
        samples may be correlated, as long as a part is longer than their correlation time. NaN for
        one sample.
    changes : mapping of str to float
        Mean change that one sigma of each source of uncertainty causes. These are common to all
        samples and do not average down.
    """

    value: float
    error: float
    changes: Mapping[str, float] = field(default_factory=dict)


def mean_of(
    read: Callable[[int, int], tuple[Floats, Mapping[str, Floats]]], start: int, stop: int
) -> Mean:
    """Return the mean of samples ``start … stop``, read block by block.

    Parameters
    ----------
    read : callable
        ``read(i, j)`` returns samples ``i … j`` and their change for one sigma of each source of
        uncertainty, all of shape (j − i,).
    start, stop : int
        Window, as indices of samples; ``stop`` is excluded.

    Returns
    -------
    Mean
    """
    import numpy as np  # late, as templates import `Measured` for a single number

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
    """Return the combined effect of independent sources of uncertainty."""
    return math.sqrt(sum(change**2 for change in changes.values()))
