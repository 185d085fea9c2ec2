"""All components at one shot: by name, by kind, as a tree; and what they answer together."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ishtar.calibration import Declarations
from ishtar.calibration.changes import changes
from ishtar.errors import NoSuchComponent, did_you_mean, nearest
from ishtar.inputs import identity
from ishtar.lineage.record import record
from ishtar.machine import magnetic
from ishtar.machine.component import Component, ComponentError, shown
from ishtar.machine.diff import Changes
from ishtar.machine.plasma import plasma
from ishtar.machine.readings import Time
from ishtar.measured import Measured

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from ishtar.gases import Gas
    from ishtar.machine.coils import Coils
    from ishtar.signals.protocols import RecordedShot

KINDS = ("antenna", "coils", "gas", "generator", "langmuir_probe", "manipulator")
"""The kinds with physics of their own; any other is a plain `Component`."""


def class_of(kind: str) -> type[Component]:
    """Return the class of a kind, imported when it is met: some bring much with them."""
    match kind:
        case "antenna" | "generator":
            from ishtar.machine.rf_line import RFLine

            return RFLine
        case "coils":
            from ishtar.machine.coils import Coils

            return Coils
        case "gas":
            from ishtar.machine.gas import GasSupply

            return GasSupply
        case "langmuir_probe":
            from ishtar.machine.langmuir_probe import LangmuirProbe

            return LangmuirProbe
        case "manipulator":
            from ishtar.machine.manipulator import Manipulator

            return Manipulator
    return Component


class Tree(str):
    """The tree as text, shown as it is."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Machine:
    """All components at one shot. What is looked at is recorded, and what is not there as well."""

    def __init__(
        self, declarations: Declarations, number: int, *, shot: RecordedShot | None = None
    ) -> None:
        self._declarations = declarations
        self.number = number
        self._shot = shot

    @property
    def shot(self) -> RecordedShot:
        """The shot whose signals the components read."""
        if self._shot is None:
            raise ComponentError(
                f"this machine of shot {self.number} has no signals: take it from a shot, "
                "tb[1234].machine"
            )
        return self._shot

    def names(self) -> list[str]:
        """Return the names of the components that are there at this shot."""
        return sorted(
            name
            for name in self._declarations.components
            if identity.component_at(self._declarations, name, self.number)
        )

    def __getitem__(self, name: str) -> Component:
        if not isinstance(name, str):
            raise TypeError(f"{name!r} names no component: write 'langmuir_1'")
        record(identity.component_input(self._declarations, name, self.number))
        row = identity.component_at(self._declarations, name, self.number)
        if row is None:
            rows = self._declarations.components.get(name, ())
            there = ", ".join(str(r.span) for r in rows)
            hint = f"; it is there at shots {there}" if there else did_you_mean(name, self.names())
            raise NoSuchComponent(
                f"shot {self.number} has no component {name!r}"
                f"{hint or '; shot.machine.names() lists them'}",
                name=name,
                nearest=nearest(name, self.names()),
            )
        return class_of(row.kind)(declared=row, machine=self)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        record(identity.component_input(self._declarations, name, self.number))
        return identity.component_at(self._declarations, name, self.number) is not None

    def __iter__(self) -> Iterator[Component]:
        return iter(self._listed(identity.ALL))

    def of_kind(self, kind: str) -> list[Component]:
        """Return the components of a kind, by name; none where this shot has none of it.

        Raises
        ------
        NoSuchComponent
            Nobody has heard of such a kind: it is not in `KINDS`, and no shot has one.
        """
        rows = self._declarations.components.values()
        known = {*KINDS, *(row.kind for spans in rows for row in spans)}
        found = self._listed(f"{identity.OF_KIND}{kind}")
        if kind not in known:
            hint = did_you_mean(str(kind), known) or f"; there are {', '.join(sorted(known))}"
            raise NoSuchComponent(
                f"no kind of component {kind!r}{hint}",
                name=str(kind),
                nearest=nearest(str(kind), known),
            )
        return found

    def parts_of(self, name: str) -> list[Component]:
        """Return the components that are part of another, by name."""
        return self._listed(identity.PART_OF + name)

    def _listed(self, which: str) -> list[Component]:
        record(identity.component_input(self._declarations, which, self.number))
        return [self[n] for n in identity.components_listed(self._declarations, which, self.number)]

    def tree(self) -> Tree:
        """Return the tree of all components as text, each with its kind and parameters."""
        parts: dict[str, list[Component]] = {}
        names = set(self.names())
        for component in self:
            # what it is part of may be away at this shot
            above = component.declared.part_of
            parts.setdefault(above if above in names else "", []).append(component)

        def lines(above: str, indent: str) -> Iterator[str]:
            for c in parts.get(above, []):
                values = ", ".join(f"{k} {shown(v)}" for k, v in c.parameters.items())
                yield f"{indent}{c.name} ({c.kind.replace('_', ' ')})" + f"  {values}".rstrip()
                yield from lines(c.name, indent + "    ")

        return Tree("\n".join(lines("", "")) or f"shot {self.number}: no component is declared")

    def diff(self, other: RecordedShot | Machine) -> Changes:
        """Return what changed of hardware, wiring and calibration from ``other`` to this shot.

        Compared are all that the texts declare: components, wiring, and the calibrations of all
        devices, wired or not. What no number depends on (versions, references, comments) does not
        count. What is recorded is the list of changes: a report that shows it is stale when the
        list changes. Of machines with different texts (another workspace, a pinned version), the
        state of this one is recorded entry by entry, that of the other is not: an input belongs
        to the workspace of the report.

        Parameters
        ----------
        other : Shot or Machine
            The one before.
        """
        before = other if isinstance(other, Machine) else getattr(other, "machine", None)
        if not isinstance(before, Machine):
            raise TypeError(f"diff({other!r}): give the other shot itself, machine.diff(tb[1200])")
        ours, theirs = self._declarations, before._declarations
        if ours is theirs or ours == theirs:
            record(identity.component_input(ours, f"{identity.SINCE}{before.number}", self.number))
        else:
            for fact in identity.everything_at(ours, self.number):
                record(fact)
        return Changes(changes(theirs, before.number, ours, self.number))

    def field(self, z: ArrayLike, r: ArrayLike = 0.0, *, t: Time) -> xr.Dataset:
        """Return the static field of all sets of coils with the currents of a time.

        Parameters
        ----------
        z, r : float or array_like
            Place along the axis and distance from it, m; lists span a grid.
        t : float or (float, float)
            When, s: a time, or from and until, over which currents are averaged.

        Returns
        -------
        xarray.Dataset
            ``b_r``, ``b_z``, ``b`` (magnitude), T, each with ``_sigma`` (currents and geometry),
            and ``psi``, Wb/rad, over those of ``z`` and ``r`` that are lists.
        """
        return magnetic.field(self._coils(), z, r, t)

    def axial_field(self, z: float = 0.0, *, t: Time) -> Measured:
        """Return the field on the axis at ``z``, m, in T, of all sets of coils.

        Parameters
        ----------
        z : float, m, optional
            Place on the axis.
        t : float or (float, float), s
            Time, or a window to average over.
        """
        return magnetic.axial_field(self._coils(), z, t)

    def field_map(
        self,
        *,
        t: Time,
        z: ArrayLike | None = None,
        r: ArrayLike | None = None,
    ) -> xr.Dataset:
        """Return the field on a grid, by default all between the coils; as `field`.

        Parameters
        ----------
        t : float or (float, float), s
            Time, or a window to average over.
        z : (n_z,) array_like, m, optional
            Places along the axis; between the coils by default.
        r : (n_r,) array_like, m, optional
            Distances from the axis; up to the coils by default.
        """
        return magnetic.field_map(self._coils(), t, z, r)

    def _coils(self) -> list[Coils]:
        from ishtar.machine.coils import Coils

        found = [c for c in self.of_kind("coils") if isinstance(c, Coils)]
        if not found:
            raise NoSuchComponent(
                f"shot {self.number} has no component of kind 'coils', so no field: add them to "
                "calibrations/machine/"
            )
        return found

    def plasma(
        self,
        ne: Measured | float,
        te: Measured | float,
        *,
        t: Time,
        z: float = 0.0,
        r: float = 0.0,
        gas: str | Gas | None = None,
        pressure: Measured | float | None = None,
        **assumed: Any,
    ) -> dict[str, Measured]:
        """Return frequencies, lengths, speeds, collision rates, helicon wave at a place and time.

        Parameters
        ----------
        ne, te : Measured or float
            Electron density, 1/m³, and temperature, eV: of a sweep, ``s.ne, s.Te``.
        t : float or (float, float)
            When field and pressure are read, s.
        z, r : float
            Where, m.
        gas : str or Gas, optional
            Working gas; as noted for the shot.
        pressure : Measured or float, optional
            Pa; the reading of the gauge of the component of kind ``gas``.
        **assumed
            ``ti``, ``t_gas``, ``radius``, ``helicon_frequency``, ``antenna_length`` of
            :func:`ishtar.plasma.summary`, instead of what the machine declares.

        Returns
        -------
        dict of str to Measured
            As :func:`ishtar.plasma.summary`, and ``b``, T, and ``pressure``, Pa, that were used.
        """
        return plasma(self, ne, te, t, (z, r), gas, pressure, assumed)

    def __repr__(self) -> str:
        return f"<machine of shot {self.number}: {', '.join(self.names()) or 'nothing declared'}>"
