"""Records of the declared signals, devices and templates, for their pages."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from ishtar.calibration import Calibration, Declarations, Device, Wiring
from ishtar.calibration.equations import equation
from ishtar.calibration.expression import names_in
from ishtar.calibration.show import periods
from ishtar.catalogue.names import ResultName
from runner.publish.records import (
    CalibrationRecord,
    DeviceRecord,
    SignalRecord,
    TemplateRecord,
    WiringSpan,
)
from runner.templates.results import ResultRecord, merge_glued
from runner.templates.template import Template

FOLDER = "calibrations/"


def signal_records(declarations: Declarations) -> Sequence[SignalRecord]:
    """Return the signals, in order of declaration."""
    return [
        SignalRecord(
            name=name,
            unit=declared.unit,
            description=declared.description,
            derived=declared.derived,
            imas=declared.imas,
            parts=tuple(names_in(declared.derived)) if declared.derived else (),
            spans=[
                _span(s.wiring, s.span.first, s.span.until, s.calibration)
                for s in periods(declarations, name)
            ],
        )
        for name, declared in declarations.signals.items()
    ]


def device_records(declarations: Declarations) -> Sequence[DeviceRecord]:
    """Return the devices by name, each with the signals that were wired to it."""
    wired: dict[str, list[WiringSpan]] = {}
    for rows in declarations.wiring.values():
        for row in rows:
            span = _span(row, row.span.first, row.span.until, None)
            wired.setdefault(row.device, []).append(span)
    return [
        _device(device, sorted(wired.get(name, ()), key=lambda s: (s.first, s.signal)))
        for name, device in sorted(declarations.devices.items())
    ]


def _device(device: Device, spans: Sequence[WiringSpan]) -> DeviceRecord:
    ordered = sorted(device.calibrations, key=lambda c: (c.port, c.span.first, c.version))
    return DeviceRecord(
        name=device.name,
        serial=device.serial,
        kind=device.kind,
        description=device.description,
        calibrations=[
            CalibrationRecord(
                port=c.port,
                version=c.version,
                first=c.span.first,
                until=c.span.until,
                input_unit=c.input_unit,
                unit=c.unit,
                equation=[equation(step) for step in c.transforms],
                reference=c.reference,
                file=FOLDER + c.where if c.where else "",
            )
            for c in ordered
        ],
        spans=spans,
    )


def _span(
    row: Wiring, first: int, until: int | None, calibration: Calibration | None
) -> WiringSpan:
    return WiringSpan(
        first=first,
        until=until,
        signal=row.signal,
        channel=row.channel,
        device=row.device,
        port=row.port,
        calibration=f"v{calibration.version}" if calibration else "",
        comment=row.unplugged or row.comment,
    )


def template_record(template: Template, called: Sequence[ResultName] = ()) -> TemplateRecord:
    """Return the record of a template; ``called`` are the labels that notebooks glued."""
    glued = {c.name: ResultRecord(label=c.label, symbol=c.symbol) for c in called}
    return TemplateRecord(
        name=template.name,
        title=template.title,
        scope=template.scope,
        description=template.description,
        key=template.key,
        limits=_limits(template.limits),
        parameters=template.parameters,
        needs=template.needs,
        after=template.after,
        schedule=template.schedule,
        results=merge_glued(template.results, glued),
        path=template.path,
    )


def _limits(given: Mapping[str, Any]) -> dict[str, tuple[float | None, float | None]]:
    """Return the limits that are pairs of numbers; ``-inf`` and ``inf`` are open ends."""
    found = {}
    for name, pair in given.items():
        if (
            isinstance(pair, list)
            and len(pair) == 2
            and all(isinstance(v, int | float) and not isinstance(v, bool) for v in pair)
        ):
            low, high = (float(v) if math.isfinite(v) else None for v in pair)
            found[name] = (low, high)
    return found
