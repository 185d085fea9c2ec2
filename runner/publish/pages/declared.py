"""The pages of signals and devices: their wiring and calibration, by span of shots."""

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
class SpanRow:
    """The wiring of a signal for a span of shots; ``signal`` and ``device`` are links."""

    shots: str
    signal: Link
    channel: str
    device: Link
    port: str
    calibration: str
    comment: str


@dataclass(frozen=True, kw_only=True)
class CalibrationRow:
    """A calibration of a device: its units, equations and reference."""

    port: str
    version: str
    shots: str
    units: str
    equation: Sequence[str]
    reference: str
    file: str


@dataclass(frozen=True, kw_only=True)
class SignalRow:
    """A signal in the list of all; ``now`` is its newest wiring."""

    link: Link
    unit: str
    description: str
    derived: str
    now: SpanRow | None


@dataclass(frozen=True, kw_only=True)
class DeviceRow:
    """A device in the list of all; ``signals`` are those wired to it, now or earlier."""

    link: Link
    kind: str
    serial: str
    n_calibrations: int
    signals: Sequence[Link]


@dataclass(frozen=True, kw_only=True)
class SignalsPage(Page):
    """``signals/index.html``."""

    template: ClassVar[str] = "pages/signals.html"
    rows: Sequence[SignalRow]


@dataclass(frozen=True, kw_only=True)
class SignalPage(Page):
    """``signals/Lang_I~21.html``: one signal.

    Attributes
    ----------
    derived, parts
        Its expression and the signals in it; empty if it is wired.
    spans
        Wiring and calibration, newest first.
    used_in
        The signals that are computed from it.
    imas
        Its path in the IMAS Data Dictionary, or empty.
    traces
        Address of the trace viewer with this signal.
    """

    template: ClassVar[str] = "pages/signal.html"
    unit: str
    description: str
    derived: str
    parts: Sequence[Link]
    used_in: Sequence[Link]
    spans: Sequence[SpanRow]
    imas: str
    traces: str


@dataclass(frozen=True, kw_only=True)
class DevicesPage(Page):
    """``devices/index.html``."""

    template: ClassVar[str] = "pages/devices.html"
    rows: Sequence[DeviceRow]


@dataclass(frozen=True, kw_only=True)
class DevicePage(Page):
    """``devices/langmuir_1.html``: its calibrations and wiring, newest first."""

    template: ClassVar[str] = "pages/device.html"
    serial: str
    kind: str
    description: str
    calibrations: Sequence[CalibrationRow]
    spans: Sequence[SpanRow]


def signals_page(signals: Sequence[SignalRecord]) -> SignalsPage:
    """Return the list of all signals."""
    return SignalsPage(
        path=SIGNALS,
        title="Signals",
        rows=[
            SignalRow(
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
        imas=signal.imas,
        traces=f"traces.html#signals={quote(signal.name, safe='')}",
    )


def devices_page(devices: Sequence[DeviceRecord]) -> DevicesPage:
    """Return the list of all devices."""
    return DevicesPage(
        path=DEVICES,
        title="Devices",
        rows=[
            DeviceRow(
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


def _span(span: WiringSpan) -> SpanRow:
    return SpanRow(
        shots=span_text(span.first, span.until),
        signal=signal_link(span.signal),
        channel=span.channel,
        device=device_link(span.device) if span.device else Link(href="", text=""),
        port=span.port,
        calibration=span.calibration,
        comment=span.comment,
    )


def _calibration(c: CalibrationRecord) -> CalibrationRow:
    return CalibrationRow(
        port=c.port,
        version=f"v{c.version}",
        shots=span_text(c.first, c.until),
        units=f"{unit_text(c.input_unit) or '1'} → {unit_text(c.unit) or '1'}",
        equation=list(c.equation),
        reference=c.reference,
        file=c.file,
    )
