"""Where samples lie in time: a start and a step, or a time for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Times = NDArray[np.float64]


@dataclass(frozen=True)
class Regular:
    """Sample ``i`` lies at ``t0 + i · dt`` (s, on the shot's clock)."""

    t0: float
    dt: float
    n: int

    def index(self, t: float) -> int:
        """Return the first sample at or after ``t``."""
        # A time that was computed as t0 + i·dt must find sample i whatever the rounding.
        i = math.ceil((t - self.t0) / self.dt - 1e-6)
        return min(max(i, 0), self.n)

    def times(self, start: int, stop: int) -> Times:
        """Return the times of samples ``start … stop``."""
        return self.t0 + self.dt * np.arange(start, stop, dtype=np.float64)

    def same_as(self, other: TimeBase) -> bool:
        """Tell whether samples of the same index lie at the same time."""
        return (
            isinstance(other, Regular)
            and self.n == other.n
            and math.isclose(self.dt, other.dt, rel_tol=1e-12)
            and math.isclose(self.t0, other.t0, rel_tol=1e-12, abs_tol=self.dt * 1e-6)
        )


@dataclass(frozen=True)
class Irregular:
    """Each sample has a time of its own; they are read when first needed."""

    read: Callable[[], Times]
    n: int
    identity: str

    @property
    def dt(self) -> None:
        """There is no constant step."""
        return None

    @property
    def t0(self) -> float:
        """Time of the first sample, NaN where there is none."""
        return float(self._all[0]) if self.n else math.nan

    @cached_property
    def _all(self) -> Times:
        return self.read()

    def index(self, t: float) -> int:
        """Return the first sample at or after ``t``."""
        return int(np.searchsorted(self._all, t, side="left"))

    def times(self, start: int, stop: int) -> Times:
        """Return the times of samples ``start … stop``."""
        return self._all[start:stop]

    def same_as(self, other: TimeBase) -> bool:
        """Tell whether samples of the same index lie at the same time."""
        return isinstance(other, Irregular) and self.identity == other.identity


TimeBase = Regular | Irregular
