"""Sets of coils: from their declared geometry and their current's signal to their field."""

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

    Parameters in the text: ``radius`` (mean, of the winding), ``positions`` (of the coils' centres
    on the axis), ``turns`` (of each), ``width`` and ``depth`` of the winding along the axis and
    along the radius, ``current`` (a signal); ``radius_sigma``, ``positions_sigma`` (each coil's).
    """

    @property
    def coil_set(self) -> CoilSet:
        """Its geometry, for the functions of :mod:`ishtar.coils`."""
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

    def displaced(self) -> Iterator[tuple[CoilSet, CoilSet]]:
        """Yield what of the set an uncertain length moves, before and after it grew by one sigma.

        As thin coils: the field changes with a length as that of a filament does, to a few percent
        of the sigma.
        """
        thin = replace(self.coil_set, width_m=0.0, depth_m=0.0)
        if sigma := self.sigma("radius", "m"):
            yield thin, replace(thin, radius_m=thin.radius_m + sigma)
        if sigma := self.sigma("positions", "m"):
            for z in thin.positions_m:
                yield replace(thin, positions_m=(z,)), replace(thin, positions_m=(z + sigma,))

    def current(self, t: Time) -> Measured:
        """Return the current at a time (s) or from and until, A, mean over 5 ms or the window."""
        signal = self.signal("current")
        found = reading(signal, t, "A")
        if not math.isfinite(found.value):
            raise ComponentError(
                f"{signal.name} holds no number at {t} s: choose another time", component=self.name
            )
        return found

    def tesla_per_ampere(self, z: float = 0.0) -> Measured:
        """Return the field on the axis at ``z``, m, for 1 A, in T/A; sigma of the geometry."""
        from ishtar.coils import tesla_per_ampere

        if np.ndim(z):
            raise TypeError("give one place z in m; machine.field([0.0, 0.1], t=2.0) takes several")
        value = float(tesla_per_ampere(self.coil_set, z))
        steps = [
            float(tesla_per_ampere(after, z) - tesla_per_ampere(before, z))
            for before, after in self.displaced()
        ]
        return Measured(value, sum(s**2 for s in steps) ** 0.5, "T/A")

    def field(self, z: ArrayLike, r: ArrayLike = 0.0, *, t: Time) -> xr.Dataset:
        """Return the field of this set alone, as :meth:`ishtar.machine.Machine.field`."""
        return magnetic.field([self], z, r, t)

    def axial_field(self, z: float = 0.0, *, t: Time) -> Measured:
        """Return the field of this set alone on the axis at ``z``, m, in T."""
        return magnetic.axial_field([self], z, t)
