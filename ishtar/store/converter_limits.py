"""Extremes of a channel, and the number of samples at the ends of its converter's range."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


class Rails:
    """Counts the samples at the rails of an integer channel, and tracks its extremes.

    Zero is a rail of an unsigned converter, but not of a digital line (0 and 1) or a counter (32
    bits and more).
    """

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.low: Any = None
        self.high: Any = None
        self._limits = np.iinfo(dtype) if dtype.kind in "iu" else None
        self._unsigned, self._counter = dtype.kind == "u", dtype.itemsize > 2
        self._n_low = self._n_high = 0

    def add(self, block: NDArray[Any], rows: NDArray[Any]) -> None:
        """Add a block of samples, given with its (m, 2) minima and maxima."""
        low, high = np.fmin.reduce(rows[:, 0]), np.fmax.reduce(rows[:, 1])
        self.low = low if self.low is None else np.fmin(self.low, low)
        self.high = high if self.high is None else np.fmax(self.high, high)
        if self._limits is not None:
            if low == self._limits.min:
                self._n_low += int(np.count_nonzero(block == low))
            if high == self._limits.max:
                self._n_high += int(np.count_nonzero(block == high))

    def count(self) -> int:
        """Return the number of samples at a rail."""
        zero_is_no_rail = self._unsigned and (self._counter or self.high is None or self.high <= 1)
        return self._n_high + (0 if zero_is_no_rail else self._n_low)
