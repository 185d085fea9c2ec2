"""The provenance of a signal: channel, device, calibration, span, source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The provenance of a signal's values, for users and receipts.

    ``uncertainty`` names the numbers of the calibration that have a sigma. ``lack`` is the reason
    why there is no calibration, ``time_base`` why there are no times, and ``scale_missing`` why the
    file's own scale is not applied. ``salvaged`` says that the recording was cut, ``precision`` how
    exact the values of a published site are. ``imas`` is the signal's path in the IMAS Data
    Dictionary.
    """

    signal: str
    shot: int
    unit: str
    channel: str = ""
    device: str = ""
    calibration: str = ""
    span: str = ""
    source: str = ""
    derived: str = ""
    description: str = ""
    reference: str = ""
    steps: tuple[str, ...] = ()
    parts: tuple[Provenance, ...] = ()
    assumed: str = ""
    uncertainty: str = ""
    lack: str = ""
    time_base: str = ""
    scale_missing: str = ""
    salvaged: str = ""
    precision: str = ""
    imas: str = ""

    @property
    def shown_unit(self) -> str:
        """The unit to display: ``1`` if dimensionless, or a note that none is stated."""
        stated = self.calibration or self.derived or self.lack or self.precision  # not for channels
        states_none = not (self.unit or stated)
        return "no unit stated" if states_none else self.unit or "1"

    def attributes(self, stride: int) -> dict[str, Any]:
        """Return the attributes of arrays of the signal's values, kept in blocks of ``stride``."""
        facts = {
            "channel": self.channel,
            "device": self.device,
            "calibration": self.calibration,
            "derived": self.derived,
            "uncertainty": self.uncertainty,
            "scale_missing": self.scale_missing,
            "salvaged": self.salvaged,
            "precision": self.precision,
            "imas": self.imas,
            "samples_per_stretch_kept": stride if self.precision else 0,
        }
        known = {name: value for name, value in facts.items() if value}
        of = {"shot": self.shot, "long_name": self.description or self.signal, "units": self.unit}
        return of | known

    def __str__(self) -> str:
        lines = [f"{self.signal} of shot {self.shot} [{self.shown_unit}]"]
        if self.description:
            lines[0] += f" — {self.description}"
        facts = {
            "derived": self.derived,
            "channel": self.channel,
            "assumed": self.assumed,
            "time base": self.time_base,
            "scale missing": self.scale_missing,
            "device": self.device,
            "calibration": self.calibration or (f"none: {self.lack}" if self.lack else ""),
            "valid for shots": self.span,
            "equations": "; ".join(self.steps),
            "uncertainty": self.uncertainty,
            "reference": self.reference,
            "source": self.source,
            "salvaged": self.salvaged,
            "precision": self.precision,
            "IMAS path": self.imas,
        }
        lines += [f"  {name:<16}{value}" for name, value in facts.items() if value]
        for part in self.parts:
            lines += ["  " + line for line in str(part).splitlines()]
        return "\n".join(lines)
