"""The output of `ishtar calib`, as text and as documents."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ishtar.calibration import Calibration, ComponentDeclaration, Wiring
from ishtar.calibration.changes import Change, component_text, wiring_text
from ishtar.calibration.equations import equation
from ishtar.calibration.show import DeviceOverview, Overview, SignalOverview
from ishtar.calibration.spans import Span

FOLDER = "calibrations/"


def _limits(span: Span | None) -> dict[str, int | None]:
    return {} if span is None else {"from": span.first, "until": span.until}


def _wiring(row: Wiring) -> dict[str, Any]:
    return {
        **_limits(row.span),
        "signal": row.signal,
        "channel": row.channel,
        "device": row.device,
        "port": row.port or None,
        "comment": row.comment or None,
        "unplugged": row.unplugged or None,
        "where": FOLDER + row.where,
    }


def _calibration(row: Calibration) -> dict[str, Any]:
    return {
        **_limits(row.span),
        "name": row.name,
        "version": row.version,
        "input": row.input_unit,
        "unit": row.unit,
        "transforms": [equation(t, complete=True) for t in row.transforms],
        "reference": row.reference or None,
        "where": FOLDER + row.where,
    }


def _component(row: ComponentDeclaration) -> dict[str, Any]:
    return {
        **_limits(row.span),
        "name": row.name,
        "kind": row.kind,
        "part_of": row.part_of or None,
        "description": row.description or None,
        "parameters": dict(row.parameters),
        "where": FOLDER + row.where,
    }


def _signal(shown: SignalOverview) -> dict[str, Any]:
    return {
        "name": shown.declared.name,
        "unit": shown.declared.unit,
        "description": shown.declared.description or None,
        "derived": shown.declared.derived or None,
        "imas": shown.declared.imas or None,
        "where": FOLDER + shown.declared.where,
        "spans": [
            {
                **_limits(s.span),
                "wiring": _wiring(s.wiring),
                "calibration": _calibration(s.calibration) if s.calibration else None,
            }
            for s in shown.periods
        ],
        "parts": [_signal(part) for part in shown.parts],
    }


def _device(shown: DeviceOverview) -> dict[str, Any]:
    return {
        "name": shown.declared.name,
        "serial": shown.declared.serial or None,
        "kind": shown.declared.kind or None,
        "description": shown.declared.description or None,
        "where": FOLDER + shown.declared.where,
        "calibrations": [_calibration(row) for row in shown.calibrations],
        "wirings": [_wiring(row) for row in shown.wirings],
    }


def shown_document(shown: Overview) -> dict[str, Any]:
    """Return the document of `ishtar calib show --json`."""
    return {
        "name": shown.name,
        "shot": shown.shot,
        "revision": shown.revision or None,
        "signal": _signal(shown.signal) if shown.signal else None,
        "device": _device(shown.device) if shown.device else None,
        "components": [_component(row) for row in shown.components],
    }


def change_document(change: Change) -> dict[str, Any]:
    """Return one row of `ishtar calib diff --json`."""
    return {
        "kind": change.kind,
        "name": change.name,
        **_limits(change.span),
        "before": change.before,
        "after": change.after,
        "where": FOLDER + change.where,
    }


def shown_lines(shown: Overview) -> Iterator[str]:
    """Yield the lines of `ishtar calib show`."""
    when = "" if shown.shot is None else f" at shot {shown.shot}"
    if shown.revision:
        when += f", as of {shown.revision}"
    if shown.signal is not None:
        yield from _signal_lines(shown.signal, when)
    if shown.device is not None:
        yield from _device_lines(shown.device, when)
    for row in shown.components:
        yield f"component {row.name}{when}, shots {row.span}: {component_text(row)}"
        if row.description:
            yield f"  {row.description}"
        yield f"  {FOLDER}{row.where}"
    if not (shown.signal or shown.device or shown.components):
        yield f"component {shown.name}{when}: not there"


def _signal_lines(shown: SignalOverview, when: str) -> Iterator[str]:
    declared = shown.declared
    description = f" — {declared.description}" if declared.description else ""
    yield f"signal {declared.name}{when} [{declared.unit or '1'}]{description}"
    yield f"  declared     {FOLDER}{declared.where}"
    if declared.imas:
        yield f"  IMAS path    {declared.imas}"
    if declared.derived:
        yield f"  derived      {declared.derived}"
    elif not shown.periods:
        yield "  wiring       none"
    last: Wiring | None = None
    for s in shown.periods:
        if s.wiring is not last:
            last = s.wiring
            yield f"  wiring       shots {last.span}: {wiring_text(last)}  ({FOLDER}{last.where})"
            for word, text in {"comment": last.comment, "unplugged": last.unplugged}.items():
                if text:
                    yield f"  {word:<13}{text}"
        if s.calibration is None:
            yield f"  calibration  shots {s.span}: none"
        else:
            yield from _calibration_lines(s.calibration, s.span)
    for part in shown.parts:
        yield from (f"  {line}" for line in _signal_lines(part, ""))


def _calibration_lines(row: Calibration, span: Span) -> Iterator[str]:
    units = f"{row.input_unit or '1'} → {row.unit or '1'}"
    yield f"  calibration  shots {span}: {row.label}, {units}  ({FOLDER}{row.where})"
    for step in row.transforms:
        yield f"    {equation(step)}"
    if row.reference:
        yield f"    reference: {row.reference}"


def _device_lines(shown: DeviceOverview, when: str) -> Iterator[str]:
    d = shown.declared
    details = ", ".join(text for text in (d.kind, d.serial and f"serial {d.serial}") if text)
    yield f"device {d.name}{when}" + (f": {details}" if details else "")
    if d.description:
        yield f"  {d.description}"
    yield f"  declared     {FOLDER}{d.where}"
    for row in shown.calibrations:
        yield from _calibration_lines(row, row.span)
    if not shown.calibrations:
        yield "  calibration  none"
    for wire in shown.wirings:
        port = f" port {wire.port}" if wire.port else ""
        yield (
            f"  wired        shots {wire.span}:{port} {wire.signal} from {wire.channel}"
            f"  ({FOLDER}{wire.where})"
        )
    if not shown.wirings:
        yield "  wired        nowhere"


def name_rows(names: Mapping[str, Mapping[str, Any]]) -> list[dict[str, str]]:
    """Return a row for each name with its kind: signal, device, component."""
    return [{"name": name, "is": kind} for kind, known in names.items() for name in known]
