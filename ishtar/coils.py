"""The static magnetic field of sets of coaxial coils: on the axis, anywhere, and as a map.

A coil is one circular filament, or with ``width_m`` and ``depth_m`` a grid of Gauss–Legendre
filaments in place of the winding's rectangle (no good inside the winding itself). The axis of all
coils is z; the field has no azimuthal part. No iron, no eddy currents in the vessel.

The field of a filament is magpylib's [1]_, which holds close to the axis and to the filament.

References
----------
.. [1] M. Ortner, P. Leitner and F. Slanovc, *Numerically Stable and Computationally Efficient
   Expression for the Magnetic Field of a Current Loop*, Magnetism 3, 11 (2023).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError, NotFoundError, did_you_mean
from ishtar.measured import Measured

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "BadCoils",
    "CoilSet",
    "NoSuchCoil",
    "field",
    "field_map",
    "flux",
    "magpylib_sources",
    "on_axis_field",
    "on_axis_measured",
    "tesla_per_ampere",
]

_NODES = 6  # filaments along each side of a winding's cross section

Floats = NDArray[np.float64]


class BadCoils(IshtarError, ValueError):
    """A set of coils that cannot be built."""


class NoSuchCoil(NotFoundError):
    """A current for a set of coils that is not there, or a set without a current."""


@dataclass(frozen=True, kw_only=True)
class CoilSet:
    """Equal coaxial coils in series.

    Parameters
    ----------
    name : str
        ``"big_coils"``: the name of its current.
    radius_m : float
        Mean radius of the winding, m.
    positions_m : tuple of float
        Where the centres of the coils are on the axis, m.
    turns : float
        Of each coil; negative for one wound the other way round.
    width_m, depth_m : float
        Cross section of the winding along the axis and along the radius, m; 0 for a filament.
    """

    name: str
    radius_m: float
    positions_m: tuple[float, ...]
    turns: float
    width_m: float = 0.0
    depth_m: float = 0.0

    def __post_init__(self) -> None:
        object.__setattr__(self, "positions_m", tuple(float(z) for z in self.positions_m))
        numbers = (self.radius_m, self.turns, self.width_m, self.depth_m, *self.positions_m)
        if not self.positions_m or not all(math.isfinite(x) for x in numbers):
            raise BadCoils(f"{self.name} has no finite position, radius or turns: give them in m")
        if self.width_m < 0.0 or not 0.0 <= self.depth_m < 2.0 * self.radius_m:
            raise BadCoils(
                f"{self.name}: a radius of {self.radius_m} m does not carry a winding of "
                f"{self.width_m} m x {self.depth_m} m: correct its geometry"
            )

    def filaments(self) -> Iterator[tuple[float, float, float]]:
        """Yield radius, m, position, m, and turns of every filament."""
        for z in self.positions_m:
            for dz, share_z in _rule(self.width_m):
                for dr, share_r in _rule(self.depth_m):
                    yield self.radius_m + dr, z + dz, self.turns * share_z * share_r


def _rule(side: float) -> list[tuple[float, float]]:
    """Return offsets and shares of the filaments along one side of a winding."""
    if side == 0.0:
        return [(0.0, 1.0)]
    nodes, weights = np.polynomial.legendre.leggauss(_NODES)
    return [(float(0.5 * side * x), float(0.5 * w)) for x, w in zip(nodes, weights, strict=True)]


def tesla_per_ampere(coil: CoilSet, z: ArrayLike) -> Floats:
    """Return the axial field on the axis for 1 A, T/A.

    Parameters
    ----------
    coil : CoilSet
        One set.
    z : array_like
        Positions on the axis, m.
    """
    return on_axis_field([coil], {coil.name: 1.0}, z)


def on_axis_field(coils: Sequence[CoilSet], currents: Mapping[str, float], z: ArrayLike) -> Floats:
    """Return the axial field on the axis, T.

    Parameters
    ----------
    coils : sequence of CoilSet
        All sets.
    currents : mapping of str to float
        A through the conductor, for every set by its name.
    z : array_like
        Positions on the axis, m.

    Raises
    ------
    NoSuchCoil
        A set has no current, or a current no set.
    """
    return field(coils, currents, 0.0, z)[1]


def on_axis_measured(
    coils: Sequence[CoilSet], currents: Mapping[str, Measured], z: float
) -> Measured:
    """Return the axial field at one place of the axis with the sigma that the currents give it.

    Parameters as in :func:`on_axis_field`; currents as `Measured` in a unit of current,
    independent of one another. What the geometry is uncertain by is not in it.

    Parameters
    ----------
    coils : sequence of CoilSet
        The sets.
    currents : mapping of str to Measured
        Current of each set in a unit of current, independent of one another.
    z : float, m
        Place on the axis.
    """
    from ishtar.units import factor

    value = variance = 0.0
    for coil, current in _matched(coils, currents):
        slope = float(tesla_per_ampere(coil, z)) * factor(current.unit, "A")
        value += slope * current.value
        variance += (slope * current.sigma) ** 2
    return Measured(value, math.sqrt(variance), "T")


def _matched(coils: Sequence[CoilSet], currents: Mapping[str, Any]) -> list[tuple[CoilSet, Any]]:
    """Return each set with its current; a silent zero would be a wrong field."""
    names = [c.name for c in coils]
    for name in names:
        if name not in currents:
            raise NoSuchCoil(f"no current is given for {name!r}: give 0 if it is off", name=name)
    for name in currents:
        if name not in names:
            hint = did_you_mean(name, names) or f": there are {', '.join(names) or 'none'}"
            raise NoSuchCoil(f"there is no set of coils {name!r}{hint}", name=name)
    if len(set(names)) != len(names):
        raise BadCoils(f"two sets of coils share a name ({', '.join(names)}): rename one")
    return [(c, currents[c.name]) for c in coils]


def _filaments(
    coils: Sequence[CoilSet], currents: Mapping[str, float]
) -> Iterator[tuple[float, float, float]]:
    """Yield radius, m, position, m, and current, A, of the filaments of all sets."""
    for coil, current in _matched(coils, currents):
        for a, z0, turns in coil.filaments():
            yield a, z0, turns * current


def field(
    coils: Sequence[CoilSet], currents: Mapping[str, float], r: ArrayLike, z: ArrayLike
) -> tuple[Floats, Floats]:
    """Return the radial and the axial field at points, T.

    Parameters
    ----------
    coils, currents
        As in :func:`on_axis_field`.
    r, z : array_like
        Distance from the axis and position along it, m; broadcast against each other.

    Returns
    -------
    b_r, b_z : numpy.ndarray
        float64, shape of the broadcast. On a filament itself not finite.
    """
    r, z = np.broadcast_arrays(np.asarray(r, float), np.asarray(z, float))
    b_r, b_z = np.zeros(r.shape), np.zeros(r.shape)
    for a, z0, amperes in _filaments(coils, currents):
        loop_r, loop_z = _loop(a, r, z - z0)
        b_r += amperes * loop_r
        b_z += amperes * loop_z
    return b_r, b_z


def flux(
    coils: Sequence[CoilSet], currents: Mapping[str, float], r: ArrayLike, z: ArrayLike
) -> Floats:
    """Return the flux function ψ = r A_φ, Wb/rad; its contours are the field lines.

    The flux through the circle at (r, z) is 2π ψ. Of one loop, ψ(a, r, z) is homogeneous of the
    first degree, so that ψ = a ∂ψ/∂a + r ∂ψ/∂r + z ∂ψ/∂z (Euler), with ∂ψ/∂r = r b_z and
    ∂ψ/∂z = −r b_r; and two loops have one mutual inductance, whichever carries the current: a and r
    can be exchanged, which makes ∂ψ/∂a the field of a loop of radius r at the distance a.

    Parameters
    ----------
    coils : sequence of CoilSet
        The sets.
    currents : mapping of str to float, A
        Current of each set by name; every set needs one.
    r : array_like, m
        Distance from the axis.
    z : array_like, m
        Place along the axis.
    """
    r, z = np.broadcast_arrays(np.asarray(r, float), np.asarray(z, float))
    psi = np.zeros(r.shape)
    off_axis = np.where(r > 0.0, r, np.nan)
    for a, z0, amperes in _filaments(coils, currents):
        (b_r, b_z), (_, exchanged) = _loop(a, r, z - z0), _loop(off_axis, a, z - z0)
        psi += amperes * (a**2 * exchanged + r**2 * b_z - r * (z - z0) * b_r)
    return np.where(r == 0.0, 0.0, psi)


def _loop(a: ArrayLike, r: ArrayLike, z: ArrayLike) -> tuple[Floats, Floats]:
    """Return b_r and b_z, T, of loops of radius ``a``, m, with 1 A at z = 0; NaN on a loop."""
    from magpylib.core import current_circle_Hfield
    from scipy.constants import mu_0

    a, r, z = np.broadcast_arrays(a, r, z)
    b = np.full((3, *r.shape), np.nan)
    off = (r / a - 1.0) ** 2 + (z / a) ** 2 > 1e-300  # on a loop itself magpylib does not end
    b[:, off] = mu_0 * current_circle_Hfield(
        r0=a[off], r=r[off], z=z[off], i0=np.ones(np.count_nonzero(off))
    )
    return b[0], b[2]


def field_map(
    coils: Sequence[CoilSet],
    currents: Mapping[str, float],
    r: ArrayLike,
    z: ArrayLike,
) -> xr.Dataset:
    """Return the field on a grid of r and z.

    Parameters
    ----------
    coils, currents
        As in :func:`field`.
    r : array_like
        (n_r,), m; may be negative, for a cut through both sides of the axis.
    z : array_like
        (n_z,), m.

    Returns
    -------
    xarray.Dataset
        ``b_r``, ``b_z``, ``b`` (magnitude), T, and ``psi`` (:func:`flux`), Wb/rad, each
        (``z``, ``r``); the currents in the attributes.
    """
    import xarray as xr

    r, z = np.atleast_1d(np.asarray(r, float)), np.atleast_1d(np.asarray(z, float))
    rr, zz = np.broadcast_arrays(np.abs(r)[None, :], z[:, None])
    b_r, b_z = field(coils, currents, rr, zz)
    b_r = b_r * np.where(r < 0.0, -1.0, 1.0)
    names = {"b_r": b_r, "b_z": b_z, "b": np.hypot(b_r, b_z)}
    data = {k: (("z", "r"), v, {"units": "T"}) for k, v in names.items()}
    psi = {"psi": (("z", "r"), flux(coils, currents, rr, zz), {"units": "Wb/rad"})}
    axes = {"r": ("r", r, {"units": "m"}), "z": ("z", z, {"units": "m"})}
    attrs = {f"current_{k}_A": float(i) for k, i in currents.items()}
    return xr.Dataset(data | psi, coords=axes, attrs=attrs)


def magpylib_sources(coils: Sequence[CoilSet], currents: Mapping[str, float]) -> list[Any]:
    """Return the filaments as `magpylib.current.Circle`, for its 3-D views.

    Parameters
    ----------
    coils : sequence of CoilSet
        The sets.
    currents : mapping of str to float, A
        Current of each set by name; every set needs one.
    """
    import magpylib

    return [
        magpylib.current.Circle(position=(0.0, 0.0, z), diameter=2.0 * a, current=amperes)
        for a, z, amperes in _filaments(coils, currents)
    ]
