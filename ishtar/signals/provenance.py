"""The story of a signal: channel, device, calibration, span, source."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Story:
    """Where a signal's numbers come from, for people and for receipts.

    ``uncertainty`` says what of the calibration has a sigma; ``lack`` why there is no calibration.
    ``time_base`` says where there is none, ``scale_missing`` why the scale that the file states is
    not applied, ``salvaged`` that the recording was cut, ``precision`` how exact a copy of it is.
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
    parts: tuple[Story, ...] = ()
    assumed: str = ""
    uncertainty: str = ""
    lack: str = ""
    time_base: str = ""
    scale_missing: str = ""
    salvaged: str = ""
    precision: str = ""

    @property
    def shown_unit(self) -> str:
        """The unit for people: ``1`` where it is none, and said where nobody states one."""
        stated = self.calibration or self.derived or self.lack or self.precision  # of signals alone
        states_none = not (self.unit or stated)
        return "no unit stated" if states_none else self.unit or "1"

    def attributes(self, stride: int) -> dict[str, Any]:
        """Return what goes with arrays of its values, of which ``stride`` make a stretch."""
        facts = {
            "channel": self.channel,
            "device": self.device,
            "calibration": self.calibration,
            "derived": self.derived,
            "uncertainty": self.uncertainty,
            "scale_missing": self.scale_missing,
            "salvaged": self.salvaged,
            "precision": self.precision,
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
        }
        lines += [f"  {name:<16}{value}" for name, value in facts.items() if value]
        for part in self.parts:
            lines += ["  " + line for line in str(part).splitlines()]
        return "\n".join(lines)
