"""Everything declared under a name (signal, device, component), over time or at one shot."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ishtar.calibration.declared import (
    Calibration,
    ComponentDeclaration,
    Declarations,
    Device,
    SignalDeclaration,
    Wiring,
)
from ishtar.calibration.expression import names_in
from ishtar.calibration.spans import Span, T, valid_at
from ishtar.errors import NotFoundError, did_you_mean, nearest


@dataclass(frozen=True, kw_only=True)
class Period:
    """A span in which a signal has one wiring, and one calibration or none."""

    span: Span
    wiring: Wiring
    calibration: Calibration | None


@dataclass(frozen=True, kw_only=True)
class SignalOverview:
    """A signal with its periods; a derived one also has the signals that it uses."""

    declared: SignalDeclaration
    periods: tuple[Period, ...]
    parts: tuple[SignalOverview, ...] = ()


@dataclass(frozen=True, kw_only=True)
class DeviceOverview:
    """A device (or one of its ports) with its calibrations and wirings."""

    declared: Device
    calibrations: tuple[Calibration, ...]
    wirings: tuple[Wiring, ...]


@dataclass(frozen=True, kw_only=True)
class Overview:
    """Everything declared under one name; a device and a component may share it."""

    name: str
    shot: int | None
    revision: str
    signal: SignalOverview | None
    device: DeviceOverview | None
    components: tuple[ComponentDeclaration, ...]


def show(d: Declarations, name: str, shot: int | None = None) -> Overview:
    """Return everything declared under a name, over time or at one shot.

    Parameters
    ----------
    d : Declarations
        The declarations of today or of a commit.
    name : str
        A signal, a device, one of its ports (``langmuir_1.I``), or a component.
    shot : int, optional
        Return only what is valid at this shot.

    Raises
    ------
    NotFoundError
        Nothing has this name; the message has the nearest names.
    """
    device_name, _, port = name.partition(".")
    signal, device = d.signals.get(name), d.devices.get(device_name)
    ports = {c.port for c in device.calibrations} if device else set()
    if device is not None and port and port not in ports:
        has = ", ".join(f"{device_name}.{p}" for p in sorted(ports) if p)
        raise NotFoundError(
            f"{device_name} has no port {port!r}: {f'it has {has}' if has else 'leave it out'}",
            name=name,
            nearest=sorted(f"{device_name}.{p}" for p in ports if p),
        )
    components = d.components.get(name, ())
    if signal is None and device is None and not components:
        known = [*d.signals, *d.devices, *d.components]
        hint = did_you_mean(name, known) or ": `ishtar calib show` lists all names"
        raise NotFoundError(
            f"no signal, device or component {name!r}{hint}",
            name=name,
            nearest=nearest(name, known),
        )
    return Overview(
        name=name,
        shot=shot,
        revision=d.revision,
        signal=_signal(d, signal, shot) if signal else None,
        device=_device(d, device, port, shot) if device else None,
        components=_at(components, shot),
    )


def periods(d: Declarations, signal: str) -> list[Period]:
    """Return the periods of a signal, one for each wiring and calibration.

    Parameters
    ----------
    d : Declarations
        The declarations.
    signal : str
        A signal; one without wiring has no periods.
    """
    found = []
    for wiring in sorted(d.wiring.get(signal, ()), key=lambda row: row.span.first):
        mine = _calibrations(d, wiring.device, wiring.port)
        edges = {wiring.span.first} | {
            edge
            for c in mine
            for edge in (c.span.first, c.span.until)
            if edge is not None and edge in wiring.span
        }
        ends: list[int | None] = [*sorted(edges), wiring.span.until]
        for first, until in zip(sorted(edges), ends[1:], strict=True):
            found.append(
                Period(span=Span(first, until), wiring=wiring, calibration=valid_at(mine, first))
            )
    return found


def _signal(d: Declarations, declared: SignalDeclaration, shot: int | None) -> SignalOverview:
    parts = names_in(declared.derived) if declared.derived else ()
    return SignalOverview(
        declared=declared,
        periods=_at(periods(d, declared.name), shot),
        parts=tuple(_signal(d, d.signals[part], shot) for part in parts),
    )


def _device(d: Declarations, device: Device, port: str, shot: int | None) -> DeviceOverview:
    wirings = [
        row
        for rows in d.wiring.values()
        for row in rows
        if row.device == device.name and (not port or row.port == port)
    ]
    mine = [c for c in device.calibrations if not port or c.port == port]
    return DeviceOverview(declared=device, calibrations=_at(mine, shot), wirings=_at(wirings, shot))


def _calibrations(d: Declarations, device: str, port: str) -> Sequence[Calibration]:
    known = d.devices.get(device)
    return [c for c in known.calibrations if c.port == port] if known else []


def _at(items: Iterable[T], shot: int | None) -> tuple[T, ...]:
    ordered = sorted(items, key=lambda item: item.span.first)
    return tuple(item for item in ordered if shot is None or shot in item.span)
