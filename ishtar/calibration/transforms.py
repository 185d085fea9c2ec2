"""Transforms: one small class for each, which undoes what a device does to a signal.

To add one, write a frozen dataclass of numbers (``float``) and lists of numbers
(``tuple[float, ...]``) with ``apply``, ``inverse`` if there is one, and a ``__post_init__`` that
rejects invalid numbers; add it to `TRANSFORMS` under the ``kind`` that calibration files use. The
first line of its docstring is the equation that users see. A facility's own transforms stay in its
workspace: `ishtar.calibration.facility`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar

import numpy as np

from ishtar.calibration.inverse import invert_polynomial
from ishtar.calibration.response import FrequencyResponse
from ishtar.calibration.stationary_points import polynomial_turns, table_turns
from ishtar.calibration.steps import Array, Quiet, Transform, later, refuse
from ishtar.errors import CalibrationFileError, did_you_mean

__all__ = [
    "TRANSFORMS",
    "FrequencyResponse",
    "Gain",
    "LogDetector",
    "Offset",
    "Polynomial",
    "Quiet",
    "QuietOffset",
    "Table",
    "Transform",
    "parse_transform",
]

PER_DB = math.log(10.0) / 10.0  # relative change of a power per decibel


@dataclass(frozen=True, kw_only=True)
class Gain:
    """y = gain · x"""

    monotonic: ClassVar[bool] = True
    gain: float
    sigma: float = 0.0

    def __post_init__(self) -> None:
        refuse(self.gain == 0, "the gain cannot be 0")
        refuse(self.sigma < 0, "sigma cannot be negative")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return gain · x."""
        return self.gain * x

    def inverse(self, y: Array) -> Array:
        """Return y / gain."""
        return y / self.gain

    def derivative(self, x: Array) -> float:
        """Return the gain."""
        return self.gain

    def changes(self, x: Array) -> Mapping[str, Array]:
        """Return sigma · x."""
        return {"gain": self.sigma * x} if self.sigma else {}


@dataclass(frozen=True, kw_only=True)
class Offset:
    """y = x − offset"""

    monotonic: ClassVar[bool] = True
    offset: float
    sigma: float = 0.0

    def __post_init__(self) -> None:
        refuse(self.sigma < 0, "sigma cannot be negative")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return x − offset."""
        return x - self.offset

    def inverse(self, y: Array) -> Array:
        """Return y + offset."""
        return y + self.offset

    def derivative(self, x: Array) -> float:
        """Return 1."""
        return 1.0

    def changes(self, x: Array) -> Mapping[str, Array]:
        """Return −sigma for every sample."""
        return {"offset": np.full(x.shape, -self.sigma)} if self.sigma else {}


@dataclass(frozen=True, kw_only=True)
class QuietOffset:
    """y = x − mean of x over the quiet time before the shot, ``t_start_s … t_end_s``

    It has no inverse: the mean is lost. Its uncertainty, the standard error of that mean, is
    computed from the samples, see `ishtar.signals.calibrated`.
    """

    monotonic: ClassVar[bool] = True
    t_start_s: float
    t_end_s: float

    def __post_init__(self) -> None:
        refuse(self.t_end_s <= self.t_start_s, "t_end_s must be later than t_start_s")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return x less its mean over the quiet time."""
        return x - np.mean(quiet(self.t_start_s, self.t_end_s))


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """y = c0 + c1·x + c2·x² + …

    NaN outside ``x_min`` and ``x_max`` if they are given, never an extrapolation. ``sigmas`` are
    those of the coefficients, taken as independent of each other.
    """

    monotonic: ClassVar[bool] = False
    coefficients: tuple[float, ...]
    sigmas: tuple[float, ...] = later((), of="coefficients")
    x_min: float | None = later(None)
    x_max: float | None = later(None)

    def __post_init__(self) -> None:
        refuse(not any(self.coefficients[1:]), "the coefficients need a c1, c2 … other than 0")
        refuse(
            bool(self.sigmas) and len(self.sigmas) != len(self.coefficients),
            "sigmas needs one number for each of the coefficients, 0 where one is exact",
        )
        refuse(any(s < 0 for s in self.sigmas), "sigmas cannot be negative")
        low, high = self.range
        refuse(not low < high, "x_max must be larger than x_min")

    @property
    def range(self) -> tuple[float, float]:
        """The range of valid inputs."""
        low = -math.inf if self.x_min is None else self.x_min
        return low, math.inf if self.x_max is None else self.x_max

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Evaluate the polynomial."""
        with np.errstate(over="ignore", invalid="ignore"):  # inf and NaN show in the result
            y = np.polynomial.polynomial.polyval(x, np.asarray(self.coefficients))
        return y if self.range == (-math.inf, math.inf) else np.where(self.outside(x), np.nan, y)

    def inverse(self, y: Array) -> Array:
        """Return the x in ``x_min … x_max`` for each y; NaN where there is none.

        Raises
        ------
        ValueError
            The polynomial is not monotonic in that range, so that two x have the same y.
        """
        return invert_polynomial(self.coefficients, self.turns(), self.range, y)

    def derivative(self, x: Array) -> Array:
        """Return c1 + 2·c2·x + …"""
        derivative = np.polynomial.polynomial.polyder(np.asarray(self.coefficients))
        with np.errstate(over="ignore", invalid="ignore"):
            return np.asarray(np.polynomial.polynomial.polyval(x, derivative))

    def changes(self, x: Array) -> Mapping[str, Array]:
        """Return sigma · x^k for each coefficient."""
        with np.errstate(over="ignore", invalid="ignore"):
            return {f"c{k}": s * x**k for k, s in enumerate(self.sigmas) if s}

    def outside(self, x: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which inputs are out of range."""
        low, high = self.range
        return (x < low) | (x > high)

    def turns(self) -> Array | None:
        """Return its stationary points and the finite ends of its range."""
        turns = polynomial_turns(self.coefficients)
        ends = [e for e in self.range if math.isfinite(e)]
        return turns if turns is None or not ends else np.unique([*turns, *ends])


@dataclass(frozen=True, kw_only=True)
class LogDetector:
    """P = 10^(((x − zero − intercept)/slope + decibels)/10)

    The output of a logarithmic detector rises by ``slope`` volts per decibel; at the output
    ``zero + intercept``, P is ``decibels`` (10) dB above 1 in the stated unit. ``sigma_db`` is that
    of the level as a whole (coupler, cable, detector), dB; ``sigma_slope`` is that of the slope,
    V/dB, about the point ``zero + intercept``.
    """

    monotonic: ClassVar[bool] = True
    zero: float
    intercept: float
    slope: float
    decibels: float = 10.0
    sigma_db: float = later(0.0)
    sigma_slope: float = later(0.0)

    def __post_init__(self) -> None:
        refuse(self.slope == 0, "the slope cannot be 0")
        refuse(self.sigma_db < 0 or self.sigma_slope < 0, "sigma_db, sigma_slope: not below 0")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return the power."""
        with np.errstate(over="ignore", under="ignore"):  # inf shows a broken input
            level_db = (x - self.zero - self.intercept) / self.slope + self.decibels
            return np.asarray(10.0 ** (level_db / 10.0), dtype=np.float64)

    def inverse(self, y: Array) -> Array:
        """Return the detector's voltage for power ``y``; NaN for a negative power."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (10.0 * np.log10(y) - self.decibels) * self.slope + self.intercept + self.zero

    def derivative(self, x: Array) -> Array:
        """Return P · ln 10/10 / slope."""
        return self.apply(x, no_quiet_time) * (PER_DB / self.slope)

    def changes(self, x: Array) -> Mapping[str, Array]:
        """Return P · ln 10/10 times the change of the level in dB."""
        power = self.apply(x, no_quiet_time)
        found = {}
        if self.sigma_db:
            found["level"] = power * (PER_DB * self.sigma_db)
        if self.sigma_slope:
            level_db = (x - self.zero - self.intercept) / self.slope
            found["slope"] = power * (-PER_DB * self.sigma_slope / self.slope * level_db)
        return found


@dataclass(frozen=True, kw_only=True)
class Table:
    """y by linear interpolation in a look-up table; NaN outside it, never an extrapolation

    ``sigma``, in the unit of y, is that of the table as a whole: a common offset of all its y.
    """

    monotonic: ClassVar[bool] = False
    x: tuple[float, ...]
    y: tuple[float, ...]
    sigma: float = later(0.0, of="y")

    def __post_init__(self) -> None:
        refuse(
            len(self.x) != len(self.y) or len(self.x) < 2,
            "a table needs as many y as x, at least two",
        )
        steps = np.diff(self.x)
        refuse(
            not (np.all(steps > 0) or np.all(steps < 0)),
            "the x of a table must increase or decrease strictly",
        )
        refuse(self.sigma < 0, "sigma cannot be negative")

    @property
    def _rising(self) -> tuple[Array, Array]:
        order = 1 if self.x[0] < self.x[-1] else -1
        return np.asarray(self.x)[::order], np.asarray(self.y)[::order]

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Interpolate linearly."""
        return np.interp(x, *self._rising, left=np.nan, right=np.nan)

    def inverse(self, y: Array) -> Array:
        """Return the x for each y by linear interpolation.

        Raises
        ------
        ValueError
            The y do not increase or decrease strictly, so that two x may have the same y.
        """
        return Table(x=self.y, y=self.x).apply(y, no_quiet_time)

    def derivative(self, x: Array) -> Array:
        """Return the slope between the two points around x; NaN outside."""
        xs, ys = self._rising
        between = np.clip(np.searchsorted(xs, x, side="right") - 1, 0, len(xs) - 2)
        return np.where(self.outside(x), np.nan, (np.diff(ys) / np.diff(xs))[between])

    def changes(self, x: Array) -> Mapping[str, Array]:
        """Return sigma for every sample inside."""
        return {"table": np.where(self.outside(x), np.nan, self.sigma)} if self.sigma else {}

    def outside(self, x: Array) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which inputs are out of range."""
        return (x < min(self.x)) | (x > max(self.x))

    def turns(self) -> Array:
        """Return where its slope changes sign, and its two ends, beyond which it is NaN."""
        return np.unique([*table_turns(self.x, self.y), self.x[0], self.x[-1]])


def no_quiet_time(t_start_s: float, t_end_s: float) -> Array:
    """Raise ValueError: the `Quiet` of transforms that need no quiet time."""
    raise ValueError("this transform has no quiet time")


TRANSFORMS: dict[str, type[Any]] = {
    "gain": Gain,
    "offset": Offset,
    "quiet_offset": QuietOffset,
    "polynomial": Polynomial,
    "log_detector": LogDetector,
    "table": Table,
    "frequency_response": FrequencyResponse,
}


def parse_transform(entry: Mapping[str, Any], known: Mapping[str, type[Any]] = TRANSFORMS) -> Any:
    """Return the step (`ishtar.calibration.steps.Step`) that a table in a calibration describes.

    Parameters
    ----------
    entry : mapping
        ``kind`` and its numbers.
    known : mapping
        Classes by kind: `TRANSFORMS`, and a facility's own.

    Returns
    -------
    Step
        An instance of the kind's class.

    Raises
    ------
    CalibrationFileError
        The kind is unknown, or a number is unknown, missing or of the wrong type.
    """
    if not isinstance(entry, Mapping):
        raise CalibrationFileError(
            f'transform {_short(entry)} is not a table: write {{ kind = "gain", … }}'
        )
    values = dict(entry)
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in known:
        raise CalibrationFileError(
            f"unknown transform {_short(kind)}{did_you_mean(str(kind)[:80], known)} "
            f"(known: {', '.join(sorted(known))})"
        )
    cls = known[kind]
    numbers_of = {f.name: f for f in fields(cls)}
    for name in values.keys() - numbers_of.keys():
        raise CalibrationFileError(f"{kind} has no {name!r}{did_you_mean(name, numbers_of)}")
    for name, f in numbers_of.items():
        if name not in values and f.default is MISSING:
            raise CalibrationFileError(f"{kind} needs {name!r}: add it")
    numbers = {
        name: _numbers(kind, name, value)
        if str(numbers_of[name].type).startswith("tuple")
        else _number(kind, name, value)
        for name, value in values.items()
    }
    try:
        return cls(**numbers)
    except ValueError as error:
        raise CalibrationFileError(f"{kind}: {error}") from error


def _numbers(kind: str, name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise CalibrationFileError(f"{kind}: {name} = {_short(value)} is not a list of numbers")
    return tuple(_number(kind, name, v) for v in value)


def _number(kind: str, name: str, value: Any) -> float:
    try:
        if isinstance(value, int | float) and not isinstance(value, bool):
            number = float(value)
            if math.isfinite(number):
                return number
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise CalibrationFileError(f"{kind}: {name} = {_short(value)} is not a finite number")


def _short(value: Any) -> str:
    """Return a value for a message, abbreviated if it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}…"
