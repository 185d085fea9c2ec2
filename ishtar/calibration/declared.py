"""What the calibration texts declare, as records: signals, wiring, devices, components."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ishtar.calibration.spans import Span
from ishtar.calibration.steps import Step, identity
from ishtar.lineage.record import digest


@dataclass(frozen=True, kw_only=True)
class SignalDeclaration:
    """A stable name with its unit; ``derived`` is an expression of other signals, or empty."""

    name: str
    unit: str
    description: str = ""
    derived: str = ""
    where: str = ""

    @property
    def digest(self) -> str:
        """Identity of what a reader would notice."""
        return digest([self.name, self.unit, self.derived])


@dataclass(frozen=True, kw_only=True)
class Wiring:
    """Signal → channel and device, for a span of shots.

    ``unplugged`` says why nothing follows where the span ends.
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
        """Identity of the connection; its span and comments do not count."""
        return digest([self.signal, self.channel, self.device, self.port])


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """Of one port of a device, for a span of shots."""

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
        """Device, with the port where it has several: ``langmuir_1.I``."""
        return f"{self.device}.{self.port}" if self.port else self.device

    @property
    def label(self) -> str:
        """As people write it: ``langmuir_1.I v2``."""
        return f"{self.name} v{self.version}"

    @property
    def digest(self) -> str:
        """Identity of the numbers; version, span and reference do not count."""
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
        """Identity of kind, place and parameters."""
        return digest([self.name, self.kind, self.part_of, dict(self.parameters)])


@dataclass(frozen=True, kw_only=True)
class Declarations:
    """Everything that a ``calibrations/`` folder declares.

    ``revision`` is the commit that the texts were read from, in short; empty for those on disk.
    """

    signals: Mapping[str, SignalDeclaration]
    wiring: Mapping[str, tuple[Wiring, ...]]
    devices: Mapping[str, Device]
    components: Mapping[str, tuple[ComponentDeclaration, ...]]
    revision: str = ""
