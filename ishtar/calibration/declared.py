"""The records that the calibration files declare: signals, wiring, devices, components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ishtar.calibration.spans import Span
from ishtar.calibration.steps import Step, identity
from ishtar.lineage.record import digest


@dataclass(frozen=True, kw_only=True)
class SignalDeclaration:
    """A stable name with its unit.

    ``derived`` is an expression of other signals, ``imas`` the path by which the IMAS Data
    Dictionary knows the signal; either may be ``""``.
    """

    name: str
    unit: str
    description: str = ""
    derived: str = ""
    imas: str = ""
    where: str = ""

    @property
    def digest(self) -> str:
        """Digest of name, unit and expression; description and IMAS path do not count."""
        return digest([self.name, self.unit, self.derived])


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """The channel and device of a signal, for a span of shots.

    ``unplugged`` says why the signal is not wired after the span.
    """

    signal: str
    channel: str
    device: str
    port: str = ""
    span: Span
    comment: str = ""
    unplugged: str = ""
    where: str = ""

    @property
    def digest(self) -> str:
        """Digest of the connection; span and comments do not count."""
        return digest([self.signal, self.channel, self.device, self.port])


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """The calibration of one port of a device, for a span of shots."""

    device: str
    port: str
    version: int
    span: Span
    input_unit: str
    unit: str
    transforms: tuple[Step, ...]
    reference: str = ""
    where: str = ""

    @property
    def name(self) -> str:
        """Device and, if it has ports, the port: ``langmuir_1.I``."""
        return f"{self.device}.{self.port}" if self.port else self.device

    @property
    def label(self) -> str:
        """Name and version: ``langmuir_1.I v2``."""
        return f"{self.name} v{self.version}"

    @property
    def digest(self) -> str:
        """Digest of units and transforms; version, span and reference do not count."""
        steps = [identity(step) for step in self.transforms]
        return digest([self.input_unit, self.unit, steps])


@dataclass(frozen=True, kw_only=True)
class Device:
    """A physical unit with a serial name, and its calibrations."""

    name: str
    serial: str = ""
    kind: str = ""
    description: str = ""
    calibrations: tuple[Calibration, ...] = ()
    where: str = ""


@dataclass(frozen=True, kw_only=True)
class ComponentDeclaration:
    """A component of the machine, for a span of shots."""

    name: str
    kind: str
    span: Span
    parameters: Mapping[str, Any] = field(default_factory=dict)
    part_of: str = ""
    description: str = ""
    where: str = ""

    @property
    def digest(self) -> str:
        """Digest of kind, place and parameters."""
        return digest([self.name, self.kind, self.part_of, dict(self.parameters)])


@dataclass(frozen=True, kw_only=True)
class Declarations:
    """Everything that a ``calibrations/`` folder declares.

    ``revision`` is the short hash of the commit that it was read from, or ``""`` for files on disk.
    """

    signals: Mapping[str, SignalDeclaration]
    wiring: Mapping[str, tuple[Wiring, ...]]
    devices: Mapping[str, Device]
    components: Mapping[str, tuple[ComponentDeclaration, ...]]
    revision: str = ""

    @property
    def imas_paths(self) -> dict[str, str]:
        """The IMAS path of each signal that has one."""
        return {name: signal.imas for name, signal in self.signals.items() if signal.imas}
