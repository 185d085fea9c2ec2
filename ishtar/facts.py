"""The identity of everything that a report can read: one function for each kind of input.

The same functions serve the recording (while a report runs) and the comparison (when it is asked
whether the report still holds), so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Sequence

from ishtar.calibration import Calibration, ComponentDeclaration, Declarations, Wiring
from ishtar.catalogue import ScrapRow
from ishtar.lineage import ABSENT, Input, digest, subject_of
from ishtar.spans import valid_at
from ishtar.store import Channel


WHERE = "where "  # begins the subject of a list of shots that a query has given


def wiring_at(declarations: Declarations, signal: str, shot: int) -> Wiring | None:
    """Return how a signal is wired at a shot."""
    return valid_at(declarations.wiring.get(signal, ()), shot)


def calibration_at(
    declarations: Declarations, device: str, port: str, shot: int
) -> Calibration | None:
    """Return the calibration of a device's port at a shot; its port is empty where it has none."""
    if device not in declarations.devices:
        return None
    rows = declarations.devices[device].calibrations
    return valid_at((c for c in rows if c.port == port), shot)


def component_at(declarations: Declarations, name: str, shot: int) -> ComponentDeclaration | None:
    """Return a component of the machine at a shot."""
    return valid_at(declarations.components.get(name, ()), shot)


def signal_fact(declarations: Declarations, name: str) -> Input:
    """Identity of a signal's declaration."""
    declared = declarations.signals.get(name)
    return Input(kind="signal", name=name, digest=declared.digest if declared else ABSENT)


def wiring_fact(declarations: Declarations, signal: str, shot: int) -> Input:
    """Identity of a signal's wiring at a shot."""
    row = wiring_at(declarations, signal, shot)
    return Input(
        kind="wiring",
        name=signal,
        subject=subject_of(shot),
        version=f"{row.channel} via {row.device}" if row else "not wired",
        digest=row.digest if row else ABSENT,
    )


def calibration_fact(declarations: Declarations, name: str, shot: int) -> Input:
    """Identity of a calibration at a shot; ``name`` is ``device`` or ``device.port``."""
    device, _, port = name.partition(".")
    row = calibration_at(declarations, device, port, shot)
    return Input(
        kind="calibration",
        name=name,
        subject=subject_of(shot),
        version=f"v{row.version}" if row else "none",
        digest=row.digest if row else ABSENT,
    )


def component_fact(declarations: Declarations, name: str, shot: int) -> Input:
    """Identity of a component of the machine at a shot."""
    row = component_at(declarations, name, shot)
    return Input(
        kind="machine",
        name=name,
        subject=subject_of(shot),
        version=row.kind if row else "absent",
        digest=row.digest if row else ABSENT,
    )


def channel_fact(channel: Channel | None, path: str, shot: int) -> Input:
    """Identity of a channel's samples with their time base and scale."""
    return Input(
        kind="channel",
        name=path,
        subject=subject_of(shot),
        version=channel.file.stem if channel else "absent",
        digest=channel.digest if channel else ABSENT,
    )


def attribute_fact(name: str, value: object, shot: int) -> Input:
    """Identity of a shot's attribute (gas, date …); None where it has no such attribute."""
    return Input(
        kind="attribute",
        name=name,
        subject=subject_of(shot),
        version=_short(value),
        digest=ABSENT if value is None else digest(value),
    )


def scrap_fact(row: ScrapRow | None, name: str, subject: str) -> Input:
    """Identity of a scrap; ``name`` may carry its template, ``langmuir.Te``."""
    value = None if row is None else [row.value, row.sigma, row.unit]
    return Input(
        kind="scraps",
        name=name,
        subject=subject,
        version=_short(row.value if row else None),
        digest=ABSENT if value is None else digest(value),
    )


def shots_fact(numbers: Sequence[int], subject: str) -> Input:
    """Identity of the list of shots of a day, a range or a query."""
    return Input(
        kind="shots",
        name="shots",
        subject=subject,
        version=f"{len(numbers)} shots",
        digest=digest(list(numbers)),
    )


def _short(value: object) -> str:
    """Return a value as it is named in a reason."""
    if value is None:
        return "absent"
    text = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"
