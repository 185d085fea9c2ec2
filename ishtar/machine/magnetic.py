"""The field of several sets of coils with their currents at a time, and its uncertainty."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ishtar.machine.readings import Floats, Time
from ishtar.quantity import Measured

if TYPE_CHECKING:
    import xarray as xr

    from ishtar.coils import CoilSet


class Coils(Protocol):
    """The part of `ishtar.machine.coil_sets.Coils` that the field needs."""

    @property
    def name(self) -> str:
        """Name in the machine."""

    @property
    def coil_set(self) -> CoilSet:
        """Geometry."""

    def current(self, t: Time, /) -> Measured:
        """Return the current at a time, A."""

    def tesla_per_ampere(self, z: float, /) -> Measured:
        """Return the field on the axis for 1 A, T/A."""

    def perturbed(self) -> Iterable[tuple[CoilSet, CoilSet]]:
        """Yield the geometry as declared and with one length a sigma longer."""


def axial_field(sets: Sequence[Coils], z: float, t: Time) -> Measured:
    """Return the field on the axis at ``z``, m, in T: Σ c_j(z) I_j; sigmas add in quadrature."""
    value = variance = 0.0
    for one in sets:
        slope, current = one.tesla_per_ampere(z), one.current(t)
        value += slope.value * current.value
        variance += (slope.value * current.sigma) ** 2 + (slope.sigma * current.value) ** 2
    return Measured(value, math.sqrt(variance), "T")


def field(sets: Sequence[Coils], z: ArrayLike, r: ArrayLike, t: Time) -> xr.Dataset:
    """Return ``b_r b_z b`` with sigmas, T, and ``psi``, Wb/rad; a scalar z or r makes no axis."""
    from ishtar import coils

    currents = {one.name: one.current(t) for one in sets}
    amperes = {name: current.value for name, current in currents.items()}
    geometry = [one.coil_set for one in sets]
    found = coils.field_map(geometry, amperes, r, z)
    rr, zz = np.abs(found["r"].values)[None, :], found["z"].values[:, None]

    def alone(one: coils.CoilSet, current: float) -> tuple[Floats, Floats]:
        return coils.field([one], {one.name: current}, rr, zz)

    variance = {name: np.zeros(found["b"].shape) for name in ("b_r", "b_z", "b")}
    b = np.where(found["b"] > 0.0, found["b"], np.inf)
    sides = np.where(found["r"] < 0.0, -1.0, 1.0)
    share_r, share_z = found["b_r"].values * sides / b, found["b_z"].values / b
    for one, whole in zip(sets, geometry, strict=True):
        current = currents[one.name]
        steps = [alone(whole, current.sigma)] if current.sigma else []
        for before, after in one.perturbed():
            (r0, z0), (r1, z1) = alone(before, current.value), alone(after, current.value)
            steps.append((r1 - r0, z1 - z0))
        for step_r, step_z in steps:
            variance["b_r"] += step_r**2
            variance["b_z"] += step_z**2
            variance["b"] += (share_r * step_r + share_z * step_z) ** 2
    for name, square in variance.items():
        found[f"{name}_sigma"] = (("z", "r"), np.sqrt(square), {"units": "T"})
    for name, current in currents.items():
        found.attrs[f"current_{name}_sigma_A"] = current.sigma
    found.attrs["time_s"] = t if isinstance(t, tuple) else float(t)
    single = [axis for axis, given in (("z", z), ("r", r)) if np.ndim(given) == 0]
    return found.squeeze(single)


def field_map(
    sets: Sequence[Coils],
    t: Time,
    z: ArrayLike | None,
    r: ArrayLike | None,
) -> xr.Dataset:
    """Return the field on a grid; by default 5 cm apart, between the coils, on both sides."""
    geometry = [one.coil_set for one in sets]
    if z is None:
        low = min(min(c.positions_m) - c.radius_m for c in geometry)
        high = max(max(c.positions_m) + c.radius_m for c in geometry)
        z = np.linspace(low, high, math.ceil((high - low) / _STEP_M) + 1)
    if r is None:
        inner = min(c.radius_m - 0.5 * c.depth_m for c in geometry)
        # stay out of the winding, where the field of filaments is not that of the coil
        half = np.linspace(0.0, 0.95 * inner, math.ceil(inner / _STEP_M) + 1)
        r = np.concatenate([-half[:0:-1], half])
    return field(sets, np.atleast_1d(z), np.atleast_1d(r), t)


_STEP_M = 0.05
