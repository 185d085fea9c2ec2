"""The pages of signals and devices: how each was wired and calibrated, span by span of shots."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar
from urllib.parse import quote

from runner.publish.addresses import DEVICES, SIGNALS, device_page, signal_page
from runner.publish.page_models import Page
from runner.publish.records import CalibrationRecord, DeviceRecord, SignalRecord, WiringSpan
from runner.publish.view_models import Link
from runner.render.format import unit_text


@dataclass(frozen=True, kw_only=True)
class SpanLine:
    """How a signal goes for a span of shots; ``signal`` and ``device`` lead to their pages."""

    shots: str
    signal: Link
    channel: str
    device: Link
    port: str
    calibration: str
    comment: str


@dataclass(frozen=True, kw_only=True)
class CalibrationLine:
    """A calibration of a device: from which unit to which, by which equations, says who."""

    port: str
    version: str
    shots: str
    units: str
    equation: Sequence[str]
    reference: str
    file: str


@dataclass(frozen=True, kw_only=True)
class SignalLine:
    """A signal in the list of all; ``now`` is how it goes since the last change."""

    link: Link
    unit: str
    description: str
    derived: str
    now: SpanLine | None


@dataclass(frozen=True, kw_only=True)
class DeviceLine:
    """A device in the list of all; ``signals`` are those that it serves, or served."""

    link: Link
    kind: str
    serial: str
    n_calibrations: int
    signals: Sequence[Link]


@dataclass(frozen=True, kw_only=True)
class SignalsPage(Page):
    """``signals/index.html``."""

    template: ClassVar[str] = "pages/signals.html"
    lines: Sequence[SignalLine]


@dataclass(frozen=True, kw_only=True)
class SignalPage(Page):
    """``signals/Lang_I~21.html``: one signal.

    Attributes
    ----------
    derived, parts
        The expression that it is computed by, and the signals in it; empty where it is wired.
    spans
        Wiring and calibration, the newest first.
    used_in
        The signals that are computed from it.
    traces
        Address of the trace viewer with this signal.
    """

    template: ClassVar[str] = "pages/signal.html"
    unit: str
    description: str
    derived: str
    parts: Sequence[Link]
    used_in: Sequence[Link]
    spans: Sequence[SpanLine]
    traces: str


@dataclass(frozen=True, kw_only=True)
class DevicesPage(Page):
    """``devices/index.html``."""

    template: ClassVar[str] = "pages/devices.html"
    lines: Sequence[DeviceLine]


@dataclass(frozen=True, kw_only=True)
class DevicePage(Page):
    """``devices/langmuir_1.html``: its calibrations, and what it served, the newest first."""

    template: ClassVar[str] = "pages/device.html"
    serial: str
    kind: str
    description: str
    calibrations: Sequence[CalibrationLine]
    spans: Sequence[SpanLine]


def signals_page(signals: Sequence[SignalRecord]) -> SignalsPage:
    """Return the list of all signals."""
    return SignalsPage(
        path=SIGNALS,
        title="Signals",
        lines=[
            SignalLine(
                link=signal_link(s.name),
                unit=unit_text(s.unit),
                description=s.description,
                derived=s.derived,
                now=_span(s.spans[-1]) if s.spans else None,
            )
            for s in signals
        ],
    )


def signal_page_of(signal: SignalRecord, all_signals: Sequence[SignalRecord]) -> SignalPage:
    """Return the page of a signal."""
    return SignalPage(
        path=signal_page(signal.name),
        title=signal.name,
        unit=unit_text(signal.unit),
        description=signal.description,
        derived=signal.derived,
        parts=[signal_link(name) for name in signal.parts],
        used_in=[signal_link(s.name) for s in all_signals if signal.name in s.parts],
        spans=[_span(s) for s in reversed(signal.spans)],
        traces=f"traces.html#signals={quote(signal.name, safe='')}",
    )


def devices_page(devices: Sequence[DeviceRecord]) -> DevicesPage:
    """Return the list of all devices."""
    return DevicesPage(
        path=DEVICES,
        title="Devices",
        lines=[
            DeviceLine(
                link=device_link(d.name),
                kind=d.kind,
                serial=d.serial,
                n_calibrations=len(d.calibrations),
                signals=[signal_link(name) for name in dict.fromkeys(s.signal for s in d.spans)],
            )
            for d in devices
        ],
    )


def device_page_of(device: DeviceRecord) -> DevicePage:
    """Return the page of a device."""
    return DevicePage(
        path=device_page(device.name),
        title=device.name,
        serial=device.serial,
        kind=device.kind,
        description=device.description,
        calibrations=[_calibration(c) for c in device.calibrations],
        spans=[_span(s) for s in reversed(device.spans)],
    )


def signal_link(name: str) -> Link:
    """Return the link to the page of a signal."""
    return Link(href=signal_page(name), text=name)


def device_link(name: str) -> Link:
    """Return the link to the page of a device."""
    return Link(href=device_page(name), text=name)


def span_text(first: int, until: int | None) -> str:
    """Return ``1180 … 1249`` for the half-open span from 1180 until 1250; ``1180 …`` if open."""
    if until is None:
        return f"{first} …"
    return f"{first}" if until == first + 1 else f"{first} … {until - 1}"


def _span(span: WiringSpan) -> SpanLine:
    return SpanLine(
        shots=span_text(span.first, span.until),
        signal=signal_link(span.signal),
        channel=span.channel,
        device=device_link(span.device) if span.device else Link(href="", text=""),
        port=span.port,
        calibration=span.calibration,
        comment=span.comment,
    )


def _calibration(c: CalibrationRecord) -> CalibrationLine:
    return CalibrationLine(
        port=c.port,
        version=f"v{c.version}",
        shots=span_text(c.first, c.until),
        units=f"{unit_text(c.input_unit) or '1'} → {unit_text(c.unit) or '1'}",
        equation=list(c.equation),
        reference=c.reference,
        file=c.file,
    )
