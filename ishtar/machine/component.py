"""A component of the machine: its parameters in units, its place in the tree, its signals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from ishtar.calibration import ComponentDeclaration
from ishtar.calibration.components import SIGMA
from ishtar.errors import (
    IshtarError,
    NoSuchComponent,
    NotFoundError,
    UnitError,
    did_you_mean,
    nearest,
)
from ishtar.measured import Measured
from ishtar.units import parse_quantity

if TYPE_CHECKING:
    import xarray as xr
    from numpy.typing import ArrayLike

    from ishtar.machine.readings import Time
    from ishtar.signals.protocols import RecordedShot, RecordedSignal


class ComponentError(IshtarError, ValueError):
    """A question that a component cannot answer; ``component`` says which."""

    def __init__(self, message: str, *, component: str = "") -> None:
        super().__init__(message)
        self.component = component


class Machine(Protocol):
    """What a component sees of the machine that it is of: `ishtar.machine.Machine`."""

    number: int

    @property
    def shot(self) -> RecordedShot:
        """The shot whose signals the components read."""

    def __getitem__(self, name: str, /) -> Component:
        """Return a component by its name."""

    def parts_of(self, name: str, /) -> list[Component]:
        """Return the components that are part of one."""

    def of_kind(self, kind: str, /) -> list[Component]:
        """Return the components of a kind."""

    def field(self, z: ArrayLike, r: ArrayLike = 0.0, *, t: Time) -> xr.Dataset:
        """Return the static field of all sets of coils."""

    def axial_field(self, z: float = 0.0, *, t: Time) -> Measured:
        """Return the field of all sets of coils on the axis, T."""


@dataclass(frozen=True, kw_only=True)
class Component:
    """A component of the machine at one shot. Kinds with physics of their own are subclasses."""

    declared: ComponentDeclaration
    machine: Machine = field(repr=False, compare=False)

    @property
    def name(self) -> str:
        """Its name, ``langmuir_1``."""
        return self.declared.name

    @property
    def kind(self) -> str:
        """What it is, ``langmuir_probe``."""
        return self.declared.kind

    @property
    def description(self) -> str:
        """What it is, in words."""
        return self.declared.description

    @property
    def where(self) -> str:
        """Where it is declared, file and line."""
        return self.declared.where

    @property
    def parameters(self) -> Mapping[str, Any]:
        """Its parameters as they are written, quantities as text with a unit."""
        return self.declared.parameters

    @property
    def parent(self) -> Component | None:
        """What it is part of; None at a root of the tree."""
        return self.machine[self.declared.part_of] if self.declared.part_of else None

    @property
    def children(self) -> list[Component]:
        """What is part of it, by name."""
        return self.machine.parts_of(self.name)

    @property
    def shot(self) -> RecordedShot:
        """The shot whose signals it reads."""
        return self.machine.shot

    def has(self, parameter: str) -> bool:
        """Tell whether a parameter is declared."""
        return parameter in self.parameters

    def parameter(self, name: str) -> Any:
        """Return a parameter as it is written; an error names the nearest and the line."""
        if name not in self.parameters:
            known = [p for p in self.parameters if not p.endswith(SIGMA)]
            has = f"; it has {', '.join(known)}; " if known else "; "
            hint = did_you_mean(name, known)
            raise NoSuchComponent(
                f"{self.name} has no parameter {name!r}{f'{hint} Or ' if hint else has}"
                f"add it at {self.where}",
                name=name,
                nearest=nearest(name, known),
            )
        return self.parameters[name]

    def value(self, name: str, unit: str) -> float:
        """Return a parameter as a number in ``unit``.

        Parameters
        ----------
        name : str
            Name of the parameter in `machine.toml`.
        unit : str
            Unit of the result.
        """
        return self._number(name, self.parameter(name), unit)

    def values(self, name: str, unit: str) -> tuple[float, ...]:
        """Return a parameter that lists quantities, ``["-0.3 m", "0.3 m"]``, in ``unit``.

        Parameters
        ----------
        name : str
            Name of the parameter in `machine.toml`.
        unit : str
            Unit of the result.
        """
        written = self.parameter(name)
        rows = written if isinstance(written, list) else [written]
        return tuple(self._number(name, row, unit) for row in rows)

    def sigma(self, name: str, unit: str) -> float:
        """Return the one-sigma that a parameter states in ``NAME_sigma``; 0, exact, without it.

        Parameters
        ----------
        name : str
            Name of the parameter in `machine.toml`.
        unit : str
            Unit of the result.
        """
        if not self.has(name + SIGMA):
            return 0.0
        sigma = self.value(name + SIGMA, unit)
        if sigma < 0.0:
            raise UnitError(
                f"{self.where}, {self.name}.{name}{SIGMA}: {sigma:g} {unit} is no sigma: "
                "give 0 or more"
            )
        return sigma

    def quantity(self, name: str, unit: str) -> Measured:
        """Return a parameter with its one-sigma, in ``unit``; without one it counts as exact.

        Parameters
        ----------
        name : str
            Name of the parameter in `machine.toml`.
        unit : str
            Unit of the result.
        """
        return Measured(self.value(name, unit), self.sigma(name, unit), unit)

    def count(self, name: str) -> float:
        """Return a parameter that is a bare number, ``turns = 91``."""
        written = self.parameter(name)
        if isinstance(written, bool) or not isinstance(written, int | float):
            raise UnitError(
                f"{self.where}, {self.name}.{name}: {written!r} is no bare number: "
                f"write {name} = 10"
            )
        if not math.isfinite(written):
            raise UnitError(f"{self.where}, {self.name}.{name}: give a finite number")
        return float(written)

    def text(self, name: str) -> str:
        """Return a parameter that is a name or words."""
        written = self.parameter(name)
        if not isinstance(written, str):
            raise UnitError(f"{self.where}, {self.name}.{name}: {written!r} is no text: quote it")
        return written

    def signal(self, role: str) -> RecordedSignal:
        """Return the signal that a parameter names: ``probe.signal("bias")`` is ``Lang_U``."""
        name = self.text(role)
        try:
            return self.shot[name]
        except NotFoundError as error:
            raise type(error)(
                f"{self.name}.{role} ({self.where}): {error}",
                name=error.name,
                nearest=error.nearest,
            ) from error

    def _number(self, name: str, written: Any, unit: str) -> float:
        try:
            return parse_quantity(written, unit)
        except UnitError as error:
            raise UnitError(f"{self.where}, {self.name}.{name}: {error}") from error

    def __repr__(self) -> str:
        values = ", ".join(f"{k} {shown(v)}" for k, v in self.parameters.items())
        return f"<{self.kind} {self.name}{': ' if values else ''}{values}>"


def shown(value: Any) -> str:
    """Return a parameter for people: a list without brackets and quotes."""
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
