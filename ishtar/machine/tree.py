"""All components at one shot: by name, by kind, as a tree; and their combined physics."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from ishtar.calibration import Declarations
from ishtar.calibration.changes import changes
from ishtar.errors import NoSuchComponent, did_you_mean, nearest
from ishtar.inputs import identity
from ishtar.lineage.record import OWN, Notes
from ishtar.machine import magnetic
from ishtar.machine.component import Component, ComponentError, parameter_text
from ishtar.machine.diff import Changes
from ishtar.machine.plasma_parameters import plasma
from ishtar.machine.readings import Time
from ishtar.quantity import Measured

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from ishtar.gases import Gas
    from ishtar.machine.coil_sets import Coils
    from ishtar.signals.protocols import RecordedShot

KINDS = ("antenna", "coils", "gas", "generator", "langmuir_probe", "manipulator")
"""Kinds with physics; any other is a plain `Component`."""


def class_of(kind: str) -> type[Component]:
    """Return the class of a kind, imported on first use: some load large packages."""
    match kind:
        case "antenna" | "generator":
            from ishtar.machine.rf_line import RFLine

            return RFLine
        case "coils":
            from ishtar.machine.coil_sets import Coils

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
    """The tree as text, displayed without quotes."""

    __slots__ = ()

    def __repr__(self) -> str:
        return str(self)


class Machine:
    """All components at one shot. Every look-up is recorded as an input, also of missing ones."""

    def __init__(
        self,
        declarations: Declarations,
        number: int,
        *,
        shot: RecordedShot | None = None,
        notes: Notes = OWN,
    ) -> None:
        self._declarations = declarations
        self.number = number
        self._shot = shot
        self._notes = notes

    @property
    def shot(self) -> RecordedShot:
        """The shot whose signals the components read; ComponentError without one."""
        if self._shot is None:
            raise ComponentError(
                f"this machine of shot {self.number} has no signals: take it from a shot, "
                "tb[1234].machine"
            )
        return self._shot

    def names(self) -> list[str]:
        """Return the names of the components present at this shot, sorted."""
        return sorted(
            name
            for name in self._declarations.components
            if identity.component_at(self._declarations, name, self.number)
        )

    def __getitem__(self, name: str) -> Component:
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is not the name of a component: write 'langmuir_1'")
        self._notes.record(identity.component_input(self._declarations, name, self.number))
        row = identity.component_at(self._declarations, name, self.number)
        if row is None:
            rows = self._declarations.components.get(name, ())
            spans = ", ".join(str(r.span) for r in rows)
            hint = f"; it exists at shots {spans}" if spans else did_you_mean(name, self.names())
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
        self._notes.record(identity.component_input(self._declarations, name, self.number))
        return identity.component_at(self._declarations, name, self.number) is not None

    def __iter__(self) -> Iterator[Component]:
        return iter(self._select(identity.ALL))

    def of_kind(self, kind: str) -> list[Component]:
        """Return the components of a kind, sorted by name; empty if this shot has none.

        Parameters
        ----------
        kind : str
            One of `KINDS`, or any kind declared for some shot.

        Raises
        ------
        NoSuchComponent
            The kind is not in `KINDS`, and no shot has a component of it.
        """
        rows = self._declarations.components.values()
        kinds = {*KINDS, *(row.kind for spans in rows for row in spans)}
        found = self._select(f"{identity.OF_KIND}{kind}")
        if kind not in kinds:
            hint = did_you_mean(str(kind), kinds) or f"; there are {', '.join(sorted(kinds))}"
            raise NoSuchComponent(
                f"no kind of component {kind!r}{hint}",
                name=str(kind),
                nearest=nearest(str(kind), kinds),
            )
        return found

    def parts_of(self, name: str) -> list[Component]:
        """Return the direct parts of the component ``name``, sorted by name."""
        return self._select(identity.PART_OF + name)

    def _select(self, which: str) -> list[Component]:
        self._notes.record(identity.component_input(self._declarations, which, self.number))
        return [self[n] for n in identity.components_listed(self._declarations, which, self.number)]

    def tree(self) -> Tree:
        """Return the tree of all components as text, each with its kind and parameters."""
        parts: dict[str, list[Component]] = {}
        names = set(self.names())
        for component in self:
            # the parent may be absent at this shot
            parent = component.declared.part_of
            parts.setdefault(parent if parent in names else "", []).append(component)

        def lines(parent: str, indent: str) -> Iterator[str]:
            for c in parts.get(parent, []):
                values = ", ".join(f"{k} {parameter_text(v)}" for k, v in c.parameters.items())
                yield f"{indent}{c.name} ({c.kind.replace('_', ' ')})" + f"  {values}".rstrip()
                yield from lines(c.name, indent + "    ")

        return Tree("\n".join(lines("", "")) or f"shot {self.number}: no component is declared")

    def diff(self, other: RecordedShot | Machine) -> Changes:
        """Return the changes of hardware, wiring and calibration from ``other`` to this shot.

        Compares all declarations: components, wiring, and the calibrations of all devices, wired or
        not. Versions, references and comments do not count, as no number depends on them. The list
        of changes is recorded as the input: a report that shows it becomes stale when the list
        changes. For machines with different declarations (another workspace, a pinned version),
        only the state of this one is recorded, entry by entry: an input belongs to the workspace of
        the report.

        Parameters
        ----------
        other : Shot or Machine
            The earlier one.

        Returns
        -------
        Changes
            One `Change` per changed entry.

        Raises
        ------
        TypeError
            ``other`` is a number, or anything else that has no machine.
        """
        before = other if isinstance(other, Machine) else getattr(other, "machine", None)
        if not isinstance(before, Machine):
            raise TypeError(f"diff({other!r}): give the other shot itself, machine.diff(tb[1200])")
        ours, theirs = self._declarations, before._declarations
        if ours is theirs or ours == theirs:
            self._notes.record(
                identity.component_input(ours, f"{identity.SINCE}{before.number}", self.number)
            )
        else:
            for fact in identity.everything_at(ours, self.number):
                self._notes.record(fact)
        return Changes(changes(theirs, before.number, ours, self.number))

    def field(self, z: ArrayLike, r: ArrayLike = 0.0, *, t: Time) -> xr.Dataset:
        """Return the static field of all sets of coils with their currents at a time.

        Parameters
        ----------
        z, r : float or array_like
            Position along the axis and distance from it, m; arrays span a grid.
        t : float or (float, float)
            Time, s, or from and until, over which the currents are averaged.

        Returns
        -------
        xarray.Dataset
            ``b_r``, ``b_z``, ``b`` (magnitude), T, each with ``_sigma`` (currents and geometry),
            and ``psi``, Wb/rad. A scalar ``z`` or ``r`` makes no dimension.

        Raises
        ------
        NoSuchComponent
            The shot has no coils.
        """
        return magnetic.field(self._coils(), z, r, t)

    def axial_field(self, z: float = 0.0, *, t: Time) -> Measured:
        """Return the field of all sets of coils on the axis, T.

        Parameters
        ----------
        z : float
            Position on the axis, m.
        t : float or (float, float)
            Time, s, or from and until, over which the currents are averaged.
        """
        return magnetic.axial_field(self._coils(), z, t)

    def field_map(
        self,
        *,
        t: Time,
        z: ArrayLike | None = None,
        r: ArrayLike | None = None,
    ) -> xr.Dataset:
        """Return the field on a grid; result and errors as `field`.

        Parameters
        ----------
        t : float or (float, float)
            Time, s, or from and until, over which the currents are averaged.
        z : (n_z,) array_like, optional
            m; by default every 5 cm, one radius beyond the outermost coils.
        r : (n_r,) array_like, optional
            m, negative for the other side of the axis; by default up to the winding on both sides.
        """
        return magnetic.field_map(self._coils(), t, z, r)

    def _coils(self) -> list[Coils]:
        from ishtar.machine.coil_sets import Coils

        found = [c for c in self.of_kind("coils") if isinstance(c, Coils)]
        if not found:
            raise NoSuchComponent(
                f"shot {self.number} has no component of kind 'coils', so there is no field: add "
                "them to calibrations/machine/"
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
        """Return frequencies, lengths, speeds, collision rates and helicon wave at a place.

        Parameters
        ----------
        ne, te : Measured or float
            Electron density, 1/m³, and temperature, eV; of a sweep: ``s.ne, s.Te``.
        t : float or (float, float)
            Time, s, or from and until, for field and pressure.
        z, r : float
            Position along the axis and distance from it, m.
        gas : str or Gas, optional
            Working gas; by default the one recorded for the shot.
        pressure : Measured or float, optional
            Pa; by default the gauge of the component of kind ``gas``.
        **assumed
            ``ti``, ``t_gas``, ``radius``, ``helicon_frequency``, ``antenna_length`` of
            :func:`ishtar.plasma.summary`, overriding what the machine declares.

        Returns
        -------
        dict of str to Measured
            As :func:`ishtar.plasma.summary`, plus the ``b``, T, and ``pressure``, Pa, used.

        Raises
        ------
        NoSuchComponent
            The shot has no coils, or no gas supply and ``pressure`` is not given.
        ComponentError
            No gas is given or recorded.
        """
        return plasma(self, ne, te, t, (z, r), gas, pressure, assumed)

    def __repr__(self) -> str:
        return f"<machine of shot {self.number}: {', '.join(self.names()) or 'no components'}>"
