"""Transforms: what a device does to a signal, undone. One small class each, its equation beside it.

To add one, write a frozen dataclass with ``apply``, ``inverse`` (where it has one) and put it into
`TRANSFORMS` under the name that calibration files use as ``kind``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import CalibrationFileError, did_you_mean

Array = NDArray[np.float64]
Quiet = Callable[[float, float], Array]
"""Gives a transform its own input between two times (s), for offsets taken before the shot."""


class Transform(Protocol):
    """One step from a device's output to what the device saw."""

    monotonic: bool

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return the calibrated values."""
        ...


@dataclass(frozen=True, kw_only=True)
class Gain:
    """y = gain · x"""

    monotonic: ClassVar[bool] = True
    gain: float
    sigma: float = 0.0

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

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return x less its mean over the quiet time."""
        return x - np.mean(quiet(self.t_start_s, self.t_end_s))


@dataclass(frozen=True, kw_only=True)
class Polynomial:
    """y = c0 + c1·x + c2·x² + …"""

    monotonic: ClassVar[bool] = False
    coefficients: tuple[float, ...]

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Evaluate the polynomial."""
        return np.polynomial.polynomial.polyval(x, np.asarray(self.coefficients))


@dataclass(frozen=True, kw_only=True)
class LogDetector:
    """P = 10^(((x − zero − intercept)/slope + 10)/10)

    A logarithmic detector gives ``slope`` volts a decibel; ``zero`` is its output offset and
    ``intercept`` its output at the reference level, 10 dB above which P is 1 in the unit stated.
    """

    monotonic: ClassVar[bool] = True
    zero: float
    intercept: float
    slope: float
    decibels: float = 10.0

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Return the power."""
        level_db = (x - self.zero - self.intercept) / self.slope + self.decibels
        return np.asarray(10.0 ** (level_db / 10.0), dtype=np.float64)

    def inverse(self, y: Array) -> Array:
        """Return the detector's voltage for power ``y``."""
        return (10.0 * np.log10(y) - self.decibels) * self.slope + self.intercept + self.zero


@dataclass(frozen=True, kw_only=True)
class Table:
    """y by linear interpolation in a look-up table; NaN outside it, never an extrapolation"""

    monotonic: ClassVar[bool] = False
    x: tuple[float, ...]
    y: tuple[float, ...]

    def __post_init__(self) -> None:
        steps = np.diff(self.x)
        if len(self.x) != len(self.y) or len(self.x) < 2:
            raise ValueError("a table needs as many y as x, two at least")
        if not (np.all(steps > 0) or np.all(steps < 0)):
            raise ValueError("the x of a table must rise or fall throughout")

    def apply(self, x: Array, quiet: Quiet) -> Array:
        """Interpolate."""
        xs, ys = np.asarray(self.x), np.asarray(self.y)
        if xs[0] > xs[-1]:
            xs, ys = xs[::-1], ys[::-1]
        return np.interp(x, xs, ys, left=np.nan, right=np.nan)

    def inverse(self, y: Array) -> Array:
        """Interpolate the other way; only where y rises or falls throughout."""
        return Table(x=self.y, y=self.x).apply(y, _no_quiet)


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
        Unknown kind, unknown, missing or wrongly typed numbers.
    """
    values = dict(entry)
    kind = values.pop("kind", None)
    if kind not in TRANSFORMS:
        raise CalibrationFileError(
            f"unknown transform {kind!r}{did_you_mean(str(kind), TRANSFORMS)} "
            f"(known: {', '.join(sorted(TRANSFORMS))})"
        )
    cls = TRANSFORMS[kind]
    known = {f.name: f for f in fields(cls)}
    for name in values.keys() - known.keys():
        raise CalibrationFileError(f"{kind} has no {name!r}{did_you_mean(name, known)}")
    for name, f in known.items():
        if name not in values and f.default is MISSING:
            raise CalibrationFileError(f"{kind} needs {name!r}: add it")
    try:
        return cls(**{name: _number(name, value) for name, value in values.items()})
    except ValueError as error:
        raise CalibrationFileError(f"{kind}: {error}") from error


def _number(name: str, value: Any) -> float | tuple[float, ...]:
    if isinstance(value, list):
        return tuple(float(_number(name, v)) for v in value)  # type: ignore[arg-type]
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        raise CalibrationFileError(f"{name} = {value!r} is not a finite number")
    return float(value)
