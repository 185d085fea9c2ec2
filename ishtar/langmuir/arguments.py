"""Check and convert the arguments of the analysis: arrays, probe, limits."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import UnitError
from ishtar.gases import Gas
from ishtar.gases import gas as _gas
from ishtar.langmuir.model import Probe
from ishtar.langmuir.sweeps import SweepError

Floats = NDArray[np.float64]

_NAMES_OF_UNIT = {"V": {"V", "volt", "volts"}, "A": {"A", "ampere", "amperes", "amp", "amps"}}


def window(
    v: Floats, i: Floats, t0: float, dt: float, quiet: tuple[float, float]
) -> tuple[Floats, Floats]:
    """Return bias and current in the quiet time, from and until in s."""
    a, b = (round((t - t0) / dt) for t in quiet)
    a, b = max(a, 0), min(b, v.size)
    if b - a < 20:
        raise SweepError(
            f"the quiet time {quiet[0]:g}…{quiet[1]:g} s has {max(b - a, 0)} samples of a record "
            f"from {t0:g} to {t0 + dt * v.size:g} s; give one within the record"
        )
    return v[a:b], i[a:b]


def pair(bias: ArrayLike, current: ArrayLike) -> tuple[Floats, Floats]:
    """Return bias, V, and current, A, as arrays of equal length."""
    v, i = _record("bias", bias, "V"), _record("current", current, "A")
    if v.shape != i.shape:
        raise SweepError(
            f"bias has {v.size} samples and current {i.size}; give both on one time base"
        )
    return v, i


def _record(name: str, data: Any, unit: str) -> Floats:
    """Return data as (n,) float64; refuse another unit or shape."""
    stated = getattr(data, "attrs", {}).get("units", getattr(data, "attrs", {}).get("unit"))
    if stated is None and hasattr(data, "magnitude") and hasattr(data, "units"):
        stated, data = str(data.units), data.magnitude
    if stated is not None and str(stated) not in _NAMES_OF_UNIT[unit]:
        raise UnitError(f"{name} is in {stated!r}; give it in {unit}")
    values = np.asarray(data)
    if values.dtype.kind not in "fiu":
        raise SweepError(f"{name} has dtype {values.dtype}; give real numbers in {unit}")
    if values.ndim != 1:
        raise SweepError(f"{name} has shape {values.shape}; give one record, shape (n,)")
    return values.astype(float)


def probe_of(
    area: float,
    gas: str | Gas,
    radius: float | None,
    length: float | None,
    reduction: float | None,
    field: float | None = None,
) -> Probe:
    """Return the probe of the model; SweepError for an impossible geometry."""
    if not 1e-9 < area < 0.1:
        raise SweepError(f"area is {area:g}; give the collecting area in m², 1e-9 … 0.1")
    for name, value in (("radius", radius), ("length", length)):
        if value is not None and not 1e-6 < value < 0.5:
            raise SweepError(f"{name} is {value:g}; give it in m, 1e-6 … 0.5")
    if radius is not None and length is not None:
        side, both = 2 * math.pi * radius * length, 2 * math.pi * radius * (length + radius)
        if not 0.8 * side < area < 1.2 * both:
            raise SweepError(
                f"area {area:.3g} m² does not match a cylinder of radius {radius:g} m and length "
                f"{length:g} m, {side:.3g} … {both:.3g} m²; correct one of them"
            )
    if reduction is not None and not 0.0 < reduction <= 1.0:
        raise SweepError(f"reduction is {reduction:g}; give 0 < reduction ≤ 1, or None to fit it")
    if field is not None and not 0.0 <= abs(field) < 50.0:
        raise SweepError(f"field is {field:g}; give the flux density at the tip in T")
    return Probe(area=float(area), radius=radius, length=length, gas=_gas(gas), field=field)


def limits_of(limits: tuple[float, float] | None) -> tuple[float, float] | None:
    """Return the recorder's limits, A; SweepError unless the first is the lower."""
    if limits is not None and not limits[0] < limits[1]:
        raise SweepError(
            f"limits are {limits[0]:g} and {limits[1]:g} A; give the lowest and the highest current"
        )
    return limits
