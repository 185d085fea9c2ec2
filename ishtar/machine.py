"""The machine as it was at a shot: components by name or kind, with their parameters in units."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ishtar import facts
from ishtar.calibration import ComponentDeclaration, Declarations
from ishtar.errors import NoSuchComponent, UnitError, did_you_mean, nearest
from ishtar.lineage import record
from ishtar.units import parse_quantity


@dataclass(frozen=True)
class Component:
    """A component of the machine at one shot."""

    declared: ComponentDeclaration

    @property
    def name(self) -> str:
        """Its name, ``langmuir_1``."""
        return self.declared.name

    @property
    def kind(self) -> str:
        """What it is, ``langmuir_probe``."""
        return self.declared.kind

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its parameters as they are written, quantities as text with a unit."""
        return self.declared.parameters

    def value(self, name: str, unit: str) -> float:
        """Return a parameter as a number in ``unit``."""
        if name not in self.parameters:
            hint = did_you_mean(name, self.parameters) or f"; it has {', '.join(self.parameters)}"
            raise NoSuchComponent(
                f"{self.name} has no parameter {name!r}{hint}; add it at {self.declared.where}",
                name=name,
                nearest=nearest(name, self.parameters),
            )
        try:
            return parse_quantity(self.parameters[name], unit)
        except UnitError as error:
            raise UnitError(f"{self.declared.where}, {self.name}.{name}: {error}") from error

    @property
    def tip_radius(self) -> float:
        """Radius of a Langmuir probe's cylindrical tip, m."""
        return self.value("tip_radius", "m")

    @property
    def tip_length(self) -> float:
        """Length of a Langmuir probe's cylindrical tip, m."""
        return self.value("tip_length", "m")

    @property
    def area(self) -> float:
        """Collecting area of a cylindrical tip, m²: its side 2πrl and the free end πr²."""
        r, length = self.tip_radius, self.tip_length
        return 2 * math.pi * r * length + math.pi * r**2

    def __repr__(self) -> str:
        values = ", ".join(f"{k} {v}" for k, v in self.parameters.items())
        return f"<{self.kind} {self.name}: {values}>"


class Machine:
    """All components at one shot."""

    def __init__(self, declarations: Declarations, shot: int) -> None:
        self._declarations = declarations
        self._shot = shot

    def names(self) -> list[str]:
        """Return the names of the components that are there at this shot."""
        return sorted(
            name
            for name in self._declarations.components
            if facts.component_at(self._declarations, name, self._shot)
        )

    def __getitem__(self, name: str) -> Component:
        record(facts.component_fact(self._declarations, name, self._shot))
        row = facts.component_at(self._declarations, name, self._shot)
        if row is None:
            rows = self._declarations.components.get(name, ())
            there = ", ".join(str(r.span) for r in rows)
            hint = f"; it is there at shots {there}" if there else did_you_mean(name, self.names())
            raise NoSuchComponent(
                f"shot {self._shot} has no component {name!r}"
                f"{hint or '; shot.machine.names() lists them'}",
                name=name,
                nearest=nearest(name, self.names()),
            )
        return Component(row)

    def __contains__(self, name: object) -> bool:
        if not isinstance(name, str):
            return False
        record(facts.component_fact(self._declarations, name, self._shot))
        return facts.component_at(self._declarations, name, self._shot) is not None

    def __iter__(self) -> Iterator[Component]:
        return (self[name] for name in self.names())

    def of_kind(self, kind: str) -> list[Component]:
        """Return the components of a kind."""
        return [c for c in self if c.kind == kind]

    def __repr__(self) -> str:
        return f"<machine of shot {self._shot}: {', '.join(self.names()) or 'nothing declared'}>"
