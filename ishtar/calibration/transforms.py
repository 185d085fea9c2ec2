"""Transforms: what a device does to a signal, undone. One small class each, its equation beside it.

To add one, write a frozen dataclass of numbers (``float``) and lists of numbers
(``tuple[float, ...]``) with ``apply``, ``inverse`` where it has one, and a ``__post_init__`` that
refuses numbers which make no sense; put it into `TRANSFORMS` under the name that calibration files
use as ``kind``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import CalibrationFileError, did_you_mean
from ishtar.turns import polynomial_turns, table_turns

Array = NDArray[np.float64]
Quiet = Callable[[float, float], Array]
"""Gives a transform its own input between two times (s), for offsets taken before the shot."""


class Transform(Protocol):
    """One step from a device's output to what the device saw.

    One that is not ``monotonic`` may have ``turns()``: where its slope changes sign or its values
    begin and end, so that an envelope can be drawn without reading every sample.
    """

    monotonic: ClassVar[bool]

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return the calibrated values."""
        ...


@dataclass(frozen=True, kw_only=True)
class Gain:
    """y = gain · x"""

    monotonic: ClassVar[bool] = True
    gain: float
    sigma: float = 0.0

    def __post_init__(self) -> None:
        _refuse(self.gain == 0, "a gain of 0 leaves nothing")
        _refuse(self.sigma < 0, "sigma cannot be negative")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return gain · x."""
        return self.gain * x

    def inverse(self, y: Array) -> Array:
        """Return y / gain."""
        return y / self.gain


@dataclass(frozen=True, kw_only=True)
class Offset:
    """y = x − offset"""

    monotonic: ClassVar[bool] = True
    offset: float
    sigma: float = 0.0

    def __post_init__(self) -> None:
        _refuse(self.sigma < 0, "sigma cannot be negative")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return x − offset."""
        return x - self.offset

    def inverse(self, y: Array) -> Array:
        """Return y + offset."""
        return y + self.offset


@dataclass(frozen=True, kw_only=True)
class QuietOffset:
    """y = x − mean of x over the quiet time before the shot, ``t_start_s … t_end_s``"""

    monotonic: ClassVar[bool] = True
    t_start_s: float
    t_end_s: float

    def __post_init__(self) -> None:
        _refuse(self.t_end_s <= self.t_start_s, "t_end_s must be later than t_start_s")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return x less its mean over the quiet time."""
        return x - np.mean(quiet(self.t_start_s, self.t_end_s))


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """y = c0 + c1·x + c2·x² + …"""

    monotonic: ClassVar[bool] = False
    coefficients: tuple[float, ...]

    def __post_init__(self) -> None:
        _refuse(not any(self.coefficients[1:]), "the coefficients need a c1, c2 … other than 0")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Evaluate the polynomial."""
        with np.errstate(over="ignore", invalid="ignore"):  # inf or NaN say it
            return np.polynomial.polynomial.polyval(x, np.asarray(self.coefficients))

    def turns(self) -> Array | None:
        """Return where its slope changes sign."""
        return polynomial_turns(self.coefficients)


@dataclass(frozen=True, kw_only=True)
class LogDetector:
    """P = 10^(((x − zero − intercept)/slope + decibels)/10)

    A logarithmic detector gives ``slope`` volts a decibel above its output ``zero + intercept``,
    at which P is ``decibels`` (10) dB above 1 in the unit stated.
    """

    monotonic: ClassVar[bool] = True
    zero: float
    intercept: float
    slope: float
    decibels: float = 10.0

    def __post_init__(self) -> None:
        _refuse(self.slope == 0, "the slope cannot be 0")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return the power."""
        with np.errstate(over="ignore", under="ignore"):  # a broken input gives inf: it shows
            level_db = (x - self.zero - self.intercept) / self.slope + self.decibels
            return np.asarray(10.0 ** (level_db / 10.0), dtype=np.float64)

    def inverse(self, y: Array) -> Array:
        """Return the detector's voltage for power ``y``; there is none for one below zero."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return (10.0 * np.log10(y) - self.decibels) * self.slope + self.intercept + self.zero


@dataclass(frozen=True, kw_only=True)
class Table:
    """y by linear interpolation in a look-up table; NaN outside it, never an extrapolation"""

    monotonic: ClassVar[bool] = False
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        _refuse(
            len(self.x) != len(self.y) or len(self.x) < 2,
            "a table needs as many y as x, two at least",
        )
        steps = np.diff(self.x)
        _refuse(
            not (np.all(steps > 0) or np.all(steps < 0)),
            "the x of a table must rise or fall throughout",
        )

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Interpolate."""
        xs, ys = np.asarray(self.x), np.asarray(self.y)
        if xs[0] > xs[-1]:
            xs, ys = xs[::-1], ys[::-1]
        return np.interp(x, xs, ys, left=np.nan, right=np.nan)

    def inverse(self, y: Array) -> Array:
        """Interpolate the other way; only where y rises or falls throughout."""
        return Table(x=self.y, y=self.x).apply(y, _no_quiet)

    def turns(self) -> Array:
        """Return where its slope changes sign, and its two ends: beyond them there is nothing."""
        return np.unique([*table_turns(self.x, self.y), self.x[0], self.x[-1]])


def _refuse(wrong: bool, why: str) -> None:
    if wrong:
        raise ValueError(why)


def _no_quiet(t_start_s: float, t_end_s: float) -> Array:
    raise ValueError("this transform has no quiet time")


TRANSFORMS: dict[str, type[Any]] = {
    "gain": Gain,
    "offset": Offset,
    "quiet_offset": QuietOffset,
    "polynomial": Polynomial,
    "log_detector": LogDetector,
    "table": Table,
}


def parse_transform(entry: Mapping[str, Any]) -> Transform:
    """Return the transform that one table of a calibration file describes.

    Raises
    ------
    CalibrationFileError
        Unknown kind, unknown, missing or wrongly typed numbers: the first of them.
    """
    if not isinstance(entry, Mapping):
        raise CalibrationFileError(f'transform {_short(entry)} is no table: {{ kind = "gain", … }}')
    values = dict(entry)
    kind = values.pop("kind", None)
    if not isinstance(kind, str) or kind not in TRANSFORMS:
        raise CalibrationFileError(
            f"unknown transform {_short(kind)}{did_you_mean(str(kind)[:80], TRANSFORMS)} "
            f"(known: {', '.join(sorted(TRANSFORMS))})"
        )
    cls = TRANSFORMS[kind]
    known = {f.name: f for f in fields(cls)}
    for name in values.keys() - known.keys():
        raise CalibrationFileError(f"{kind} has no {name!r}{did_you_mean(name, known)}")
    for name, f in known.items():
        if name not in values and f.default is MISSING:
            raise CalibrationFileError(f"{kind} needs {name!r}: add it")
    numbers = {
        name: _numbers(kind, name, value)
        if str(known[name].type).startswith("tuple")
        else _number(kind, name, value)
        for name, value in values.items()
    }
    try:
        transform: Transform = cls(**numbers)
    except ValueError as error:
        raise CalibrationFileError(f"{kind}: {error}") from error
    return transform


def _numbers(kind: str, name: str, value: Any) -> tuple[float, ...]:
    if not isinstance(value, list):
        raise CalibrationFileError(f"{kind}: {name} = {_short(value)} is no list of numbers")
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
    """Return a value as it is shown in a message, however long it is."""
    try:
        text = repr(value)
    except ValueError:  # Python refuses to write integers of thousands of digits
        return "a number of thousands of digits"
    return text if len(text) <= 60 else f"{text[:57]}…"
