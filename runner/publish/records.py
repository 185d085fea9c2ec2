"""What the site needs to know of a workspace, as plain records.

The pages are made from these and from receipts alone, so that a site can be built from a fake
source in a test and from a catalogue in a workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from ishtar.signals.source_notes import time_base_missing
from runner.receipts import Receipt, Scope, Scrap, State, Subject
from runner.settings.facility import Facility
from runner.templates.parameters import Parameter
from runner.templates.results import ResultRecord

if TYPE_CHECKING:
    from ishtar.signals.signal import Signal


@dataclass(frozen=True, kw_only=True)
class SourceRecord:
    """One source file of a shot.

    ``notes`` say what of it was stored otherwise than a reader would think, and that its clock
    differs from the shot's; ``salvaged`` how much of a recording that was cut could be kept.
    """

    name: str
    size: int
    sha256: str
    converter: str
    writer: str
    arrived: str
    n_channels: int
    notes: Sequence[str] = ()
    salvaged: str = ""


@dataclass(frozen=True, kw_only=True)
class WiringRow:
    """How one signal came to be at one shot; ``problem`` says why it cannot be had, if so.

    ``lack`` says why it has no calibrated values where it can be read raw only. ``made`` changes
    with anything that its values are made of: samples, wiring, calibrations; it is empty where
    there are none to be drawn. ``x_unit`` says what its samples lie along: ``"s"``; ``""`` where
    they are only counted; another unit. ``salvaged`` says that the recording was cut.
    ``calibrated`` is the identity of the calibrations that its values go through, which a new
    version with the same numbers shares.
    """

    signal: str
    unit: str
    channel: str = ""
    device: str = ""
    calibration: str = ""
    span: str = ""
    problem: str = ""
    lack: str = ""
    made: str = ""
    x_unit: str = "s"
    salvaged: str = ""
    calibrated: str = ""

    @property
    def time_base(self) -> str:
        """Why its samples have no time base; empty where they have."""
        return "" if self.problem else time_base_missing(self.x_unit)


@dataclass(frozen=True, kw_only=True)
class ComponentRecord:
    """A component of the machine at one shot."""

    name: str
    kind: str
    parameters: Mapping[str, str]
    span: str = ""


@dataclass(frozen=True, kw_only=True)
class ShotRecord:
    """One shot. ``marks`` are plain sentences on what is wrong with its data.

    ``date`` is a moment (datetime); a day alone where that is all that is known.
    """

    shot: int
    date: Date | None
    attributes: Mapping[str, Any]
    sources: Sequence[SourceRecord]
    wiring: Sequence[WiringRow]
    components: Sequence[ComponentRecord]
    marks: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class TemplateRecord:
    """A template as the site names it, in the order in which reports are shown.

    ``key`` names the scraps that tables and summaries show, in their order; where it is empty, the
    first few numbers of a report stand in. ``limits`` gives (low, high) of scraps, each None where
    that side is open. ``results`` says what results are called. ``path`` is the notebook,
    None where it cannot be had.
    """

    name: str
    title: str
    scope: Scope
    description: str = ""
    key: Sequence[str] = ()
    limits: Mapping[str, tuple[float | None, float | None]] = field(default_factory=dict)
    parameters: Sequence[Parameter] = ()
    needs: Sequence[str] = ()
    after: Sequence[str] = ()
    schedule: str = ""
    results: Mapping[str, ResultRecord] = field(default_factory=dict)
    path: Path | None = None


@dataclass(frozen=True, kw_only=True)
class ReportRecord:
    """A report: its receipt, the folder it lies in, and why it is stale, if it is."""

    receipt: Receipt
    folder: Path
    stale: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ReportSummary:
    """What lists say of an official report, without a look at its files.

    ``stale`` says why it no longer holds, if so.
    """

    subject: Subject
    template: str
    state: State
    reason: str = ""
    stale: Sequence[str] = ()
    started: str = ""
    scraps: Sequence[Scrap] = ()


@dataclass(frozen=True, kw_only=True)
class WiringSpan:
    """How a signal goes for a span of shots; ``until`` is the first shot after it, None if open.

    ``calibration`` is empty where none is valid then.
    """

    first: int
    until: int | None
    signal: str
    channel: str
    device: str
    port: str = ""
    calibration: str = ""
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class SignalRecord:
    """A signal as declared: derived from others, or wired, span by span."""

    name: str
    unit: str
    description: str = ""
    derived: str = ""
    parts: Sequence[str] = ()
    spans: Sequence[WiringSpan] = ()


@dataclass(frozen=True, kw_only=True)
class CalibrationRecord:
    """A calibration of one port of a device; ``file`` is the text that holds it."""

    port: str
    version: int
    first: int
    until: int | None
    input_unit: str
    unit: str
    equation: Sequence[str]
    reference: str = ""
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class DeviceRecord:
    """A device with its calibrations, and what it was wired to."""

    name: str
    serial: str = ""
    kind: str = ""
    description: str = ""
    calibrations: Sequence[CalibrationRecord] = ()
    spans: Sequence[WiringSpan] = ()


class SiteSource(Protocol):
    """Where the pages get their facts.

    ``damaged`` gets the folders of reports whose receipt cannot be read, and why.
    """

    facility: Facility
    damaged: dict[str, str]

    def counts(self) -> Mapping[str, int]:
        """Return the number of shots of each day that has any, the days ascending."""

    def summaries(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sequence[ReportSummary]]:
        """Return what lists say of the official reports of some subjects."""

    def failures(
        self, limit: int, *, scope: Scope = "shot", template: str = ""
    ) -> Sequence[ReportSummary]:
        """Return what failed or ran out of time, the newest shots (or days) first.

        ``template``: only its own reports, of any scope.
        """

    def failures_between(self, first: int, last: int) -> Sequence[ReportSummary]:
        """Return what failed of the shots ``first … last``, the newest first."""

    def scrap_history(self, template: str, name: str, first: int, last: int) -> Mapping[int, Scrap]:
        """Return one scrap of the shots ``first … last`` that have it, ascending."""

    def signals(self) -> Sequence[SignalRecord]:
        """Return the declared signals, in their order."""

    def devices(self) -> Sequence[DeviceRecord]:
        """Return the declared devices, by name."""

    def logo(self) -> Path:
        """Return the file of the facility's logo; asked only where it has one."""

    def bibliography(self) -> str:
        """Return the text of the workspace's BibTeX file; empty where there is none."""

    def shots(self) -> Sequence[int]:
        """Return all shot numbers, ascending."""

    def days(self) -> Sequence[str]:
        """Return all days with shots (``2026-11-22``), ascending."""

    def shots_of(self, day: str) -> Sequence[int]:
        """Return the shots of a day, ascending."""

    def undated(self) -> Sequence[int]:
        """Return the shots without a date, ascending; asked only where there are any."""

    def shot(self, number: int) -> ShotRecord:
        """Return one shot."""

    def reports(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the official reports of a subject, one for each template that has any."""

    def reruns(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the re-runs of a subject, oldest first."""

    def ranges(self) -> Sequence[Subject]:
        """Return the ranges of shots that have reports."""

    def templates(self) -> Sequence[TemplateRecord]:
        """Return the templates, in the order in which reports are shown."""

    def signal(self, number: int, name: str) -> Signal:
        """Return a signal of a shot, for its samples, where its row says what it is made of."""

    def troubles(self) -> Sequence[str]:
        """Return what the operator should know (quarantined files …), newest first."""
