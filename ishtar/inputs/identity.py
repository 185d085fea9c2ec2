"""The identity of everything that a report can read: one function for each kind of input.

The same functions serve recording (while a report runs) and comparison (when a plan checks whether
the report is up to date), so that the two cannot differ.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Protocol

from ishtar.calibration import Calibration, ComponentDeclaration, Declarations, Wiring
from ishtar.calibration.spans import valid_at
from ishtar.lineage.record import ABSENT, Input, digest, subject_of
from ishtar.store import Channel

# Prefixes of the names of inputs that stand for many components together
ALL, OF_KIND, PART_OF, SINCE = "all components", "all of kind ", "all parts of ", "changes since "
ALL_SIGNALS, ALL_CHANNELS = "all signals", "all channels"  # the lists of their names
IMAS_PATHS = "all IMAS paths"  # which signal has which
ALL_SCRAPS = ".*"  # suffix of the name of the list of a template's scraps


class ScrapLike(Protocol):
    """A result of a report, as the catalogue returns it."""

    @property
    def template(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def value(self) -> Any: ...
    @property
    def sigma(self) -> float | None: ...
    @property
    def unit(self) -> str: ...


def wiring_at(declarations: Declarations, signal: str, shot: int) -> Wiring | None:
    """Return the wiring of a signal at a shot, None if it is not wired."""
    return valid_at(declarations.wiring.get(signal, ()), shot)


def calibration_at(
    declarations: Declarations, device: str, port: str, shot: int
) -> Calibration | None:
    """Return the calibration of a device's port at a shot, None if there is none.

    ``port`` is ``""`` for a device without ports.
    """
    if device not in declarations.devices:
        return None
    rows = declarations.devices[device].calibrations
    return valid_at((c for c in rows if c.port == port), shot)


def component_at(declarations: Declarations, name: str, shot: int) -> ComponentDeclaration | None:
    """Return the declaration of a component at a shot, None if there is none."""
    return valid_at(declarations.components.get(name, ()), shot)


def _of_revision(declarations: Declarations, item: Input) -> Input:
    """Return an input; one from the declarations of a commit as ``pinned``, which never changes."""
    if not declarations.revision:
        return item
    return replace(item, kind="pinned", name=f"{item.kind} {item.name} of {declarations.revision}")


def signal_input(declarations: Declarations, name: str) -> Input:
    """Return the identity of a signal's declaration, or of the list of all declared signals.

    A signal's IMAS path is no part of its own identity, but of the list of all `IMAS_PATHS`.
    """
    if name == ALL_SIGNALS:
        names = sorted(declarations.signals)
        listed = Input(
            kind="signal", name=name, version=f"{len(names)} signals", digest=digest(names)
        )
        return _of_revision(declarations, listed)
    if name == IMAS_PATHS:
        paths = sorted(declarations.imas_paths.items())
        listed = Input(
            kind="signal", name=name, version=f"{len(paths)} paths", digest=digest(paths)
        )
        return _of_revision(declarations, listed)
    declared = declarations.signals.get(name)
    found = Input(kind="signal", name=name, digest=declared.digest if declared else ABSENT)
    return _of_revision(declarations, found)


def wiring_input(declarations: Declarations, signal: str, shot: int) -> Input:
    """Return the identity of a signal's wiring at a shot."""
    row = wiring_at(declarations, signal, shot)
    found = Input(
        kind="wiring",
        name=signal,
        subject=subject_of(shot),
        version=f"{row.channel} via {row.device}" if row else "not wired",
        digest=row.digest if row else ABSENT,
    )
    return _of_revision(declarations, found)


def calibration_input(declarations: Declarations, name: str, shot: int) -> Input:
    """Return the identity of a calibration at a shot; ``name`` is ``device`` or ``device.port``."""
    device, _, port = name.partition(".")
    row = calibration_at(declarations, device, port, shot)
    found = Input(
        kind="calibration",
        name=name,
        subject=subject_of(shot),
        version=f"v{row.version}" if row else "none",
        digest=row.digest if row else ABSENT,
    )
    return _of_revision(declarations, found)


def components_listed(declarations: Declarations, which: str, shot: int) -> list[str]:
    """Return the names of components at a shot.

    ``which`` is `ALL`, ``OF_KIND + kind`` or ``PART_OF + name``.
    """
    found = []
    for name in sorted(declarations.components):
        row = component_at(declarations, name, shot)
        if row is not None and which in (ALL, OF_KIND + row.kind, PART_OF + row.part_of):
            found.append(name)
    return found


def component_input(declarations: Declarations, name: str, shot: int) -> Input:
    """Return the identity of a component at a shot, of a list of them, or of their changes."""
    if name == ALL or name.startswith((OF_KIND, PART_OF)):
        names = components_listed(declarations, name, shot)
        return _machine_input(declarations, name, shot, f"{len(names)} components", names)
    if name.startswith(SINCE):
        from ishtar.calibration.changes import changes

        since = int(name.removeprefix(SINCE))
        rows = changes(declarations, since, declarations, shot)
        content = [[row.kind, row.name, row.before, row.after] for row in rows]
        return _machine_input(declarations, name, shot, f"{len(content)} changes", content)
    row = component_at(declarations, name, shot)
    found = Input(
        kind="machine",
        name=name,
        subject=subject_of(shot),
        version=row.kind if row else "absent",
        digest=row.digest if row else ABSENT,
    )
    return _of_revision(declarations, found)


def _machine_input(
    declarations: Declarations, name: str, shot: int, version: str, content: object
) -> Input:
    found = Input(
        kind="machine",
        name=name,
        subject=subject_of(shot),
        version=version,
        digest=digest(content),
    )
    return _of_revision(declarations, found)


def everything_at(declarations: Declarations, shot: int) -> Iterator[Input]:
    """Yield the identity of every wiring, calibration and component at a shot."""
    for signal in declarations.wiring:
        yield wiring_input(declarations, signal, shot)
    ports = {c.name for d in declarations.devices.values() for c in d.calibrations}
    for name in sorted(ports):
        yield calibration_input(declarations, name, shot)
    yield component_input(declarations, ALL, shot)
    for name in components_listed(declarations, ALL, shot):
        yield component_input(declarations, name, shot)


def channel_input(channel: Channel | None, path: str, shot: int) -> Input:
    """Return the identity of a channel's samples with their time base and scale."""
    return Input(
        kind="channel",
        name=path,
        subject=subject_of(shot),
        version=channel.file.stem if channel else "absent",
        digest=channel.digest if channel else ABSENT,
    )


def sources_input(stored: Iterable[tuple[str, str]], shot: int) -> Input:
    """Return the identity of the list of a shot's stored files.

    ``stored`` has (name, SHA-256 of the source) of each.
    """
    found = sorted(stored)
    return Input(
        kind="sources",
        name="sources",
        subject=subject_of(shot),
        version=f"{len(found)} files",
        digest=digest(found),
    )


def channels_input(paths: Iterable[str], shot: int) -> Input:
    """Return the identity of the list of a shot's channels, without their samples."""
    names = sorted(paths)
    return Input(
        kind="channel",
        name=ALL_CHANNELS,
        subject=subject_of(shot),
        version=f"{len(names)} channels",
        digest=digest(names),
    )


def attribute_input(name: str, value: object, shot: int) -> Input:
    """Return the identity of a shot's attribute (gas, date …); ``value`` is None if it has none."""
    return Input(
        kind="attribute",
        name=name,
        subject=subject_of(shot),
        version=_short(value),
        digest=ABSENT if value is None else digest(value),
    )


def scrap_input(row: ScrapLike | None, name: str, subject: str) -> Input:
    """Return the identity of a scrap; ``name`` may include its template, ``langmuir.Te``."""
    value = None if row is None else [row.value, row.sigma, row.unit]
    return Input(
        kind="scraps",
        name=name,
        subject=subject,
        version=_short(row.value if row else None),
        digest=ABSENT if value is None else digest(value),
    )


def scraps_input(rows: Iterable[ScrapLike], template: str, subject: str) -> Input:
    """Return the identity of the list of a template's scraps, without their values."""
    names = sorted(row.name for row in rows if row.template == template)
    return Input(
        kind="scraps",
        name=f"{template}{ALL_SCRAPS}",
        subject=subject,
        version=", ".join(names) or "none",
        digest=digest(names) if names else ABSENT,
    )


def shots_input(numbers: Sequence[int], subject: str) -> Input:
    """Return the identity of the list of shots of a day, a range or a query."""
    return Input(
        kind="shots",
        name="shots",
        subject=subject,
        version=f"{len(numbers)} shots",
        digest=digest(list(numbers)),
    )


def _short(value: object) -> str:
    """Return a value as text for a reason, abbreviated if it is long."""
    if value is None:
        return "absent"
    text = f"{value:.6g}" if isinstance(value, float) else " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:39]}…"
