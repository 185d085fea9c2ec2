"""The static magnetic field of sets of coaxial coils: on the axis, anywhere, and as a map.

A coil is one circular filament, or with ``width_m`` and ``depth_m`` a grid of Gauss–Legendre
filaments in place of the winding's rectangle (no good inside the winding itself). The axis of all
coils is z; the field has no azimuthal part. No iron, no eddy currents in the vessel.

Two engines give the field off the axis. ``"elliptic"``, the default, is the closed form with
complete elliptic integrals, written here so that nothing cancels near the axis; it needs scipy
only. ``"magpylib"`` is the optional library of that name: written independently, it checks the
first, and brings its 3-D views (:func:`magpylib_sources`).

References
----------
.. [1] J. D. Jackson, *Classical Electrodynamics*, 3rd ed., Wiley (1999), sec. 5.5.
.. [2] J. Simpson, J. Lane, C. Immer and R. Youngquist, *Simple Analytic Expressions for the
   Magnetic Field of a Circular Current Loop*, NASA (2001).
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError, NotFoundError, did_you_mean
from ishtar.measured import Measured

if TYPE_CHECKING:
    import xarray as xr

__all__ = [
    "BadCoils",
    "CoilSet",
    "MissingExtra",
    "NoSuchCoil",
    "field",
    "field_map",
    "flux",
    "magpylib_sources",
    "on_axis_field",
    "on_axis_measured",
    "tesla_per_ampere",
]

VACUUM_PERMEABILITY = 1.25663706212e-6  # H/m, CODATA 2018
_NODES = 6  # filaments along each side of a winding's cross section

Floats = NDArray[np.float64]
Engine = Literal["elliptic", "magpylib"]


class BadCoils(IshtarError, ValueError):
    """A set of coils that cannot be built."""


class NoSuchCoil(NotFoundError):
    """A current for a set of coils that is not there, or a set without a current."""


class MissingExtra(IshtarError, ImportError):
    """An optional library that is not installed; ``extra`` is what installs it."""

    def __init__(self, library: str, extra: str) -> None:
        self.extra = extra
        super().__init__(f"{library} is not installed: pip install 'ishtar-testbed[{extra}]'")


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
    """Return the axial field on the axis for 1 A, T/A: Σ μ₀ N a²/2 (a² + (z − z₀)²)^-3/2 [1]_.

    Parameters
    ----------
    coil : CoilSet
        One set.
    z : array_like
        Positions on the axis, m.
    """
    z = np.asarray(z, float)
    total = np.zeros(z.shape)
    for a, z0, turns in coil.filaments():
        total += 0.5 * VACUUM_PERMEABILITY * turns * a**2 * (a**2 + (z - z0) ** 2) ** -1.5
    return total


def on_axis_field(coils: Sequence[CoilSet], currents: Mapping[str, float], z: ArrayLike) -> Floats:
    """Return the axial field on the axis, T, by Biot and Savart's law.

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
    z = np.asarray(z, float)
    amperes = _matched(coils, currents)
    return np.asarray(sum((tesla_per_ampere(c, z) * i for c, i in amperes), np.zeros(z.shape)))


def on_axis_measured(
    coils: Sequence[CoilSet], currents: Mapping[str, Measured], z: float
) -> Measured:
    """Return the axial field at one place of the axis with the sigma that the currents give it.

    Parameters as in :func:`on_axis_field`; currents as `Measured` in a unit of current,
    independent of one another. What the geometry is uncertain by is not in it.
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


def field(
    coils: Sequence[CoilSet],
    currents: Mapping[str, float],
    r: ArrayLike,
    z: ArrayLike,
    *,
    engine: Engine = "elliptic",
) -> tuple[Floats, Floats]:
    """Return the radial and the axial field at points, T.

    Parameters
    ----------
    coils, currents
        As in :func:`on_axis_field`.
    r, z : array_like
        Distance from the axis and position along it, m; broadcast against each other.
    engine : {"elliptic", "magpylib"}
        See the module.

    Returns
    -------
    b_r, b_z : numpy.ndarray
        float64, shape of the broadcast. On a filament itself not finite.

    Raises
    ------
    MissingExtra
        ``"magpylib"`` without that library.
    """
    r, z = np.broadcast_arrays(np.asarray(r, float), np.asarray(z, float))
    if engine == "magpylib":
        return _field_magpylib(coils, currents, r, z)
    if engine != "elliptic":
        raise BadCoils(f"there is no engine {engine!r}: use 'elliptic' or 'magpylib'")
    return _of_filaments(coils, currents, r, z)[:2]


def flux(
    coils: Sequence[CoilSet], currents: Mapping[str, float], r: ArrayLike, z: ArrayLike
) -> Floats:
    """Return the flux function ψ = r A_φ, Wb/rad; its contours are the field lines.

    The flux through the circle at (r, z) is 2π ψ. Parameters as in :func:`field`.
    """
    r, z = np.broadcast_arrays(np.asarray(r, float), np.asarray(z, float))
    return _of_filaments(coils, currents, r, z)[2]


def _of_filaments(
    coils: Sequence[CoilSet], currents: Mapping[str, float], r: Floats, z: Floats
) -> tuple[Floats, Floats, Floats]:
    """Return b_r, b_z and ψ of all filaments, T and Wb/rad."""
    b_r, b_z, psi = np.zeros(r.shape), np.zeros(r.shape), np.zeros(r.shape)
    for coil, current in _matched(coils, currents):
        for a, z0, turns in coil.filaments():
            loop_r, loop_z, loop_psi = _loop(a, r, z - z0)
            b_r += turns * current * loop_r
            b_z += turns * current * loop_z
            psi += turns * current * loop_psi
    return b_r, b_z, psi


def field_map(
    coils: Sequence[CoilSet],
    currents: Mapping[str, float],
    r: ArrayLike,
    z: ArrayLike,
    *,
    engine: Engine = "elliptic",
) -> xr.Dataset:
    """Return the field on a grid of r and z.

    Parameters
    ----------
    coils, currents, engine
        As in :func:`field`.
    r : array_like
        (n_r,), m; may be negative, for a cut through both sides of the axis.
    z : array_like
        (n_z,), m.

    Returns
    -------
    xarray.Dataset
        ``b_r``, ``b_z``, ``b`` (magnitude), T, and ``psi`` (:func:`flux`), Wb/rad, each
        (``z``, ``r``); the currents and the engine in the attributes.
    """
    import xarray as xr

    r, z = np.atleast_1d(np.asarray(r, float)), np.atleast_1d(np.asarray(z, float))
    rr, zz = np.broadcast_arrays(np.abs(r)[None, :], z[:, None])
    b_r, b_z, psi_values = _of_filaments(coils, currents, rr, zz)
    if engine != "elliptic":
        b_r, b_z = field(coils, currents, rr, zz, engine=engine)
    b_r = b_r * np.where(r < 0.0, -1.0, 1.0)
    names = {"b_r": b_r, "b_z": b_z, "b": np.hypot(b_r, b_z)}
    data = {k: (("z", "r"), v, {"units": "T"}) for k, v in names.items()}
    psi = {"psi": (("z", "r"), psi_values, {"units": "Wb/rad"})}
    axes = {"r": ("r", r, {"units": "m"}), "z": ("z", z, {"units": "m"})}
    attrs = {"engine": engine, **{f"current_{k}_A": float(i) for k, i in currents.items()}}
    return xr.Dataset(data | psi, coords=axes, attrs=attrs)


def _loop(a: float, r: Floats, z: Floats) -> tuple[Floats, Floats, Floats]:
    """Return b_r, b_z, T, and ψ, Wb/rad, of a loop of radius ``a``, m, with 1 A at z = 0.

    Jackson's closed form [1]_, [2]_ has K and E in differences that vanish on the axis as r². With

        B = ∫ cos²/Δ,  D = ∫ sin²/Δ,  C = ∫ sin² cos²/Δ³ = (D − B)/m,  Δ² = 1 − m sin²

    they are K = B + D and E = B + (1 − m) D, and the differences can be taken by hand:

        b_r = μ₀ z a m (D − C) / (π α² β),    ψ = μ₀ m^3/2 √(a r) C / 2π

    with m = 4 a r/β², α² = (a − r)² + z², β² = (a + r)² + z².
    """
    from scipy.special import elliprd

    near, far = (a - r) ** 2 + z**2, (a + r) ** 2 + z**2
    m = 4.0 * a * r / far
    with np.errstate(divide="ignore", invalid="ignore"):  # on the filament itself
        rest = near / far  # 1 − m
        d = elliprd(0.0, rest, 1.0) / 3.0
        b = elliprd(0.0, 1.0, rest) / 3.0 * rest
        # near the axis D − B cancels: its series in m, 0.42 m⁴ off
        series = math.pi / 16.0 * (1.0 + m * (0.75 + m * (75.0 / 128.0 + m * (245.0 / 512.0))))
        c = np.where(m < 2e-3, series, (d - b) / np.where(m > 0.0, m, 1.0))
        scale = VACUUM_PERMEABILITY / math.pi
        beta = np.sqrt(far)
        b_r = scale * z * a * m * (d - c) / (near * beta)
        whole, second = b + d, b + rest * d
        b_z = scale * ((a**2 - r**2 - z**2) * second / near + whole) / (2.0 * beta)
        psi = 0.5 * scale * m**1.5 * np.sqrt(a * r) * c
    return b_r, b_z, psi


def magpylib_sources(coils: Sequence[CoilSet], currents: Mapping[str, float]) -> list[Any]:
    """Return the filaments as `magpylib.current.Circle`, for its 3-D views. Parameters as above.

    Raises
    ------
    MissingExtra
        magpylib is not installed.
    """
    try:
        import magpylib
    except ImportError as error:
        raise MissingExtra("magpylib", "machine") from error
    return [
        magpylib.current.Circle(position=(0.0, 0.0, z), diameter=2.0 * a, current=turns * current)
        for coil, current in _matched(coils, currents)
        for a, z, turns in coil.filaments()
    ]


def _field_magpylib(
    coils: Sequence[CoilSet], currents: Mapping[str, float], r: Floats, z: Floats
) -> tuple[Floats, Floats]:
    sources = magpylib_sources(coils, currents)
    if not sources:
        return np.zeros(r.shape), np.zeros(r.shape)
    import magpylib

    points = np.stack([r, np.zeros(r.shape), z], axis=-1).reshape(-1, 3)
    b = np.asarray(magpylib.getB(sources, points, sumup=True)).reshape(*r.shape, 3)
    return b[..., 0], b[..., 2]
