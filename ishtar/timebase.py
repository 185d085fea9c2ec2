"""Where samples lie in time: a start and a step, or a time for each."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import TimeBaseError

Times = NDArray[np.float64]

NEAR = 1e-6  # of a sampling interval: a time this much behind a sample means that sample
ULPS = 8.0  # roundings between a sample's index and a time that was computed from it


@dataclass(frozen=True)
class Regular:
    """Sample ``i`` lies at ``t0 + i · dt`` (s, on the shot's clock)."""

    t0: float
    dt: float
    n: int

    def index(self, t: float) -> int:
        """Return the first sample at or after ``t``."""
        _check(t)
        steps = (t - self.t0) / self.dt
        if not 0 < steps < self.n:  # infinite too
            return self.n if steps > 0 else 0
        # A time that was computed as t0 + i·dt must find sample i whatever the rounding, which
        # at ns steps and seconds after the trigger is more than a fixed share of a step.
        rounding = ULPS * math.ulp(max(abs(t), abs(self.t0))) / self.dt
        i = math.ceil(steps - min(NEAR + rounding, 0.5))
        return min(max(i, 0), self.n)

    def times(self, start: int, stop: int) -> Times:
        """Return the times of samples ``start … stop``."""
        return self.t0 + self.dt * np.arange(start, stop, dtype=np.float64)

    def same_as(self, other: TimeBase) -> bool:
        """Tell whether samples of the same index lie at the same time."""
        return (
            isinstance(other, Regular)
            and self.n == other.n
            # over the whole record, or the end of a long one would be apart by many samples
            and abs(self.dt - other.dt) * self.n <= self.dt * 1e-3
            and abs(self.t0 - other.t0) <= self.dt * 1e-3
        )


@dataclass(frozen=True)
class Irregular:
    """Each sample has a time of its own; they are read when first needed.

    ``read`` gives all of them, ``t0`` is the first, ``name`` says in errors whose they are.
    """

    read: Callable[[], Times]
    n: int
    t0: float
    name: str

    @property
    def dt(self) -> None:
        """There is no constant step."""
        return None

    @cached_property
    def _all(self) -> Times:
        return self.read()

    @cached_property
    def _first_step_back(self) -> int | None:
        forward = np.diff(self._all) >= 0  # False for NaN too
        return None if forward.all() else int(np.argmin(forward)) + 1

    def index(self, t: float) -> int:
        """Return the first sample at or after ``t``."""
        _check(t)
        if self._first_step_back is not None:
            raise TimeBaseError(
                f"the times of {self.name} do not run forward at sample {self._first_step_back}: "
                "select by sample, s[100:200], and look at s.times()"
            )
        return int(np.searchsorted(self._all, t, side="left"))

    def times(self, start: int, stop: int) -> Times:
        """Return the times of samples ``start … stop``."""
        return self._all[start:stop]

    def same_as(self, other: TimeBase) -> bool:
        """Tell whether samples of the same index lie at the same time; compares all of them."""
        if not isinstance(other, Irregular) or self.n != other.n:
            return False
        return self.t0 == other.t0 and np.array_equal(self._all, other._all)


TimeBase = Regular | Irregular


def _check(t: float) -> None:
    if math.isnan(t):
        raise TimeBaseError("nan is no time to select by: check where it was computed")
