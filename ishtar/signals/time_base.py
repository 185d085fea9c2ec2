"""The axis of samples: time if a file states it, otherwise a count or another quantity.

::

    TimeBase   seconds on the shot's clock
    ├── Regular     a start and a step
    └── Irregular   a time for each sample
    Counted    nothing says when the samples were taken; they are only counted
    Along      another quantity, a spectrum's frequency

Only a `TimeBase` has seconds. Code that needs them calls `in_seconds`, which raises an error for
the others.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import TimeBaseError

Times = NDArray[np.float64]
Places = NDArray[Any]
"""Times in s, sample numbers, or positions in the unit of the axis."""

SECONDS = "s"
COUNTED = ""
NEAR = 1e-6  # sampling intervals; a time this little after a sample selects that sample
ULPS = 8.0  # rounding errors of a time that was computed from a sample's index


@dataclass(frozen=True)
class Regular:
    """Sample ``i`` lies at ``t0 + i · dt`` (s, on the shot's clock)."""

    t0: float
    dt: float
    n: int

    unit = SECONDS
    dim = "time"

    @property
    def x0(self) -> float:
        """Time of the first sample, s."""
        return self.t0

    @property
    def dx(self) -> float:
        """Sampling interval, s."""
        return self.dt

    def index(self, t: float) -> int:
        """Return the first sample at or after ``t``."""
        _check(t)
        steps = (t - self.t0) / self.dt
        if not 0 < steps < self.n:  # infinite too
            return self.n if steps > 0 else 0
        # A time computed as t0 + i·dt must find sample i despite rounding, which for steps of ns at
        # seconds after the trigger exceeds any fixed fraction of a step.
        rounding = ULPS * math.ulp(max(abs(t), abs(self.t0))) / self.dt
        i = math.ceil(steps - min(NEAR + rounding, 0.5))
        return min(max(i, 0), self.n)

    def times(self, start: int, stop: int) -> Times:
        """Return the times of samples ``start … stop``."""
        return self.t0 + self.dt * np.arange(start, stop, dtype=np.float64)

    def places(self, start: int, stop: int) -> Places:
        """Return the times of samples ``start … stop``."""
        return self.times(start, stop)

    def middles(self, edges: NDArray[np.int64]) -> Times:
        """Return the middles of the blocks of samples between edges, (m,)."""
        return np.asarray(self.t0 + self.dt * (edges[:-1] + edges[1:] - 1) / 2)

    def same_as(self, other: Axis) -> bool:
        """Return whether samples of the same index have the same time."""
        return (
            isinstance(other, Regular)
            and self.n == other.n
            # compared at the end of the record, where a difference in dt has added up
            and abs(self.dt - other.dt) * self.n <= self.dt * 1e-3
            and abs(self.t0 - other.t0) <= self.dt * 1e-3
        )


@dataclass(frozen=True)
class Irregular:
    """A time for each sample; the times are read when first needed.

    ``read`` returns all times, ``t0`` is the first, ``name`` is for errors.
    """

    read: Callable[[], Times]
    n: int
    t0: float
    name: str

    unit = SECONDS
    dim = "time"

    @property
    def dt(self) -> None:
        """There is no constant step."""
        return None

    @property
    def x0(self) -> float:
        """Time of the first sample, s."""
        return self.t0

    @property
    def dx(self) -> None:
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
                "select by sample, s[100:200], and check s.times()"
            )
        return int(np.searchsorted(self._all, t, side="left"))

    def times(self, start: int, stop: int) -> Times:
        """Return the times of samples ``start … stop``."""
        return self._all[start:stop]

    def places(self, start: int, stop: int) -> Places:
        """Return the times of samples ``start … stop``."""
        return self.times(start, stop)

    def middles(self, edges: NDArray[np.int64]) -> Times:
        """Return the middles of the blocks of samples between edges, (m,)."""
        return np.asarray((self._all[edges[:-1]] + self._all[edges[1:] - 1]) / 2)

    def same_as(self, other: Axis) -> bool:
        """Return whether samples of the same index have the same time; compares all times."""
        if not isinstance(other, Irregular) or self.n != other.n:
            return False
        return self.t0 == other.t0 and np.array_equal(self._all, other._all)


TimeBase = Regular | Irregular


@dataclass(frozen=True)
class Counted:
    """Samples that are only counted: nothing says when they were taken; ``name`` is for errors."""

    n: int
    name: str

    unit = COUNTED
    dim = "sample"
    x0 = None
    dx = None

    @property
    def time_problem(self) -> str:
        """Why there are no seconds, and what to do."""
        return (
            "is only counted: nothing says when its samples were taken; select by sample, "
            "s[100:200], and have its recorder write the sampling interval"
        )

    def places(self, start: int, stop: int) -> Places:
        """Return the numbers of samples ``start … stop``."""
        return np.arange(start, stop, dtype=np.int64)

    def middles(self, edges: NDArray[np.int64]) -> Times:
        """Return the middles of the blocks of samples between edges, (m,)."""
        return np.asarray((edges[:-1] + edges[1:] - 1) / 2)

    def same_as(self, other: Axis) -> bool:
        """Return whether the other axis is counted, too, and has the same length."""
        return isinstance(other, Counted) and self.n == other.n


@dataclass(frozen=True)
class Along:
    """Samples along another quantity than time: ``base`` holds their positions, in ``unit``."""

    base: TimeBase
    unit: str
    name: str

    @property
    def n(self) -> int:
        """Number of samples."""
        return self.base.n

    @property
    def dim(self) -> str:
        """Name of the axis, from its unit: ``frequency``, or ``x``."""
        return dim_of(self.unit)

    @property
    def x0(self) -> float:
        """Position of the first sample, in ``unit``."""
        return self.base.t0

    @property
    def dx(self) -> float | None:
        """Distance between samples, in ``unit``; None if irregular."""
        return self.base.dt

    @property
    def time_problem(self) -> str:
        """Why there are no seconds, and what to do."""
        what = "frequency" if self.dim == "frequency" else "something else"
        return (
            f"lies along {what} in {self.unit}, not along time: select by sample, s[100:200], or "
            f"load() it and .sel({self.dim}=slice(a, b))"
        )

    def places(self, start: int, stop: int) -> Places:
        """Return the positions of samples ``start … stop``, in ``unit``."""
        return self.base.times(start, stop)

    def middles(self, edges: NDArray[np.int64]) -> Times:
        """Return the middles of the blocks of samples between edges, (m,)."""
        return self.base.middles(edges)

    def same_as(self, other: Axis) -> bool:
        """Return whether samples of the same index have the same position, in the same unit."""
        return (
            isinstance(other, Along) and self.unit == other.unit and self.base.same_as(other.base)
        )


Axis = TimeBase | Counted | Along


def axis(
    unit: str, n: int, x0: float, dx: float | None, places: Callable[[], Times], name: str
) -> Axis:
    """Return the axis of ``n`` samples; ``places`` reads all positions if ``dx`` is None."""
    if unit == COUNTED:
        return Counted(n, name)
    base: TimeBase = Irregular(places, n, x0, name) if dx is None else Regular(x0, dx, n)
    return base if unit == SECONDS else Along(base, unit, name)


def dim_of(unit: str) -> str:
    """Return the name of an axis, from its unit."""
    if unit.endswith("Hz"):
        return "frequency"
    return {SECONDS: "time", COUNTED: "sample"}.get(unit, "x")


def in_seconds(axis: Axis, name: str) -> TimeBase:
    """Return an axis as a time base.

    Parameters
    ----------
    axis : Axis
        Axis of the samples.
    name : str
        Name of the signal, for the error.

    Returns
    -------
    TimeBase
        The axis itself.

    Raises
    ------
    TimeBaseError
        The axis is not time.
    """
    if isinstance(axis, Regular | Irregular):
        return axis
    raise TimeBaseError(str(time_problem(axis, name)))


def time_problem(axis: Axis, name: str) -> str | None:
    """Return why samples have no times in seconds, and what to do; None if they have."""
    if isinstance(axis, Regular | Irregular):
        return None
    samples = name if name == axis.name else f"{name} ({axis.name})"
    return f"{samples} {axis.time_problem}"


def step_text(axis: Axis, regular: str = "every {:g} s") -> str:
    """Return a short text on the step between samples."""
    if isinstance(axis, Counted):
        return "only counted, no time base"
    if isinstance(axis, Along):
        step = "irregular" if axis.dx is None else f"every {axis.dx:.4g} {axis.unit}"
        return f"along {axis.dim} in {axis.unit}, {step}"
    return "irregular" if axis.dt is None else regular.format(axis.dt)


def _check(t: float) -> None:
    if math.isnan(t):
        raise TimeBaseError("nan is not a time to select by: check where it was computed")
