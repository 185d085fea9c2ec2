"""Sets of coils: the field from their declared geometry and the signal of their current."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from ishtar.machine import magnetic
from ishtar.machine.component import Component, ComponentError
from ishtar.machine.readings import Time, reading
from ishtar.quantity import Measured

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from ishtar.coils import CoilSet


class Coils(Component):
    """Equal coaxial coils in series.

    Declared parameters: ``radius`` (mean radius of the winding), ``positions`` (centres of the
    coils on the axis), ``turns`` (per coil), ``width`` and ``depth`` of the winding along the axis
    and along the radius, ``current`` (a signal), ``radius_sigma``, ``positions_sigma`` (per coil).
    """

    @property
    def coil_set(self) -> CoilSet:
        """Geometry, for the functions of :mod:`ishtar.coils`.

        Raises
        ------
        BadCoils
            No coils can have the declared geometry.
        """
        from ishtar.coils import BadCoils, CoilSet

        sides = {s: self.value(s, "m") if self.has(s) else 0.0 for s in ("width", "depth")}
        radius, turns = self.value("radius", "m"), self.count("turns")
        positions = self.values("positions", "m")
        try:
            return CoilSet(
                name=self.name,
                radius_m=radius,
                positions_m=positions,
                turns=turns,
                width_m=sides["width"],
                depth_m=sides["depth"],
            )
        except BadCoils as error:
            raise BadCoils(f"{self.where}, {error}") from error

    def perturbed(self) -> Iterator[tuple[CoilSet, CoilSet]]:
        """Yield the coils that an uncertain length affects, as declared and one sigma longer.

        The coils are thin: the field of a filament responds to a length like that of the winding,
        to within a few percent of sigma.
        """
        thin = replace(self.coil_set, width_m=0.0, depth_m=0.0)
        if sigma := self.sigma("radius", "m"):
            yield thin, replace(thin, radius_m=thin.radius_m + sigma)
        if sigma := self.sigma("positions", "m"):
            for z in thin.positions_m:
                yield replace(thin, positions_m=(z,)), replace(thin, positions_m=(z + sigma,))

    def current(self, t: Time) -> Measured:
        """Return the mean current, A.

        Parameters
        ----------
        t : float or (float, float)
            s: a time, averaged over ± 5 ms, or from and until.

        Raises
        ------
        ComponentError
            The signal has no finite value at that time.
        """
        signal = self.signal("current")
        found = reading(signal, t, "A")
        if not math.isfinite(found.value):
            raise ComponentError(
                f"{signal.name} has no finite value at {t} s: choose another time",
                component=self.name,
            )
        return found

    def tesla_per_ampere(self, z: float = 0.0) -> Measured:
        """Return the field on the axis for 1 A, T/A.

        Parameters
        ----------
        z : float
            Position on the axis, m.

        Returns
        -------
        Measured
            The sigma is that of the geometry.
        """
        from ishtar.coils import tesla_per_ampere

        if np.ndim(z):
            raise TypeError("give one z in m; machine.field([0.0, 0.1], t=2.0) takes several")
        value = float(tesla_per_ampere(self.coil_set, z))
        steps = [
            float(tesla_per_ampere(after, z) - tesla_per_ampere(before, z))
            for before, after in self.perturbed()
        ]
        return Measured(value, sum(s**2 for s in steps) ** 0.5, "T/A")

    def field(self, z: ArrayLike, r: ArrayLike = 0.0, *, t: Time) -> xr.Dataset:
        """Return the field of this set alone; otherwise like :meth:`ishtar.machine.Machine.field`.

        Parameters
        ----------
        z, r : float or array_like
            Position along the axis and distance from it, m; arrays span a grid.
        t : float or (float, float)
            Time, s, or from and until, over which the current is averaged.

        Returns
        -------
        xarray.Dataset
            ``b_r``, ``b_z``, ``b``, T, each with ``_sigma``, and ``psi``, Wb/rad.
        """
        return magnetic.field([self], z, r, t)

    def axial_field(self, z: float = 0.0, *, t: Time) -> Measured:
        """Return the field of this set alone on the axis, T.

        Parameters
        ----------
        z : float
            Position on the axis, m.
        t : float or (float, float)
            Time, s, or from and until, over which the current is averaged.
        """
        return magnetic.axial_field([self], z, t)
