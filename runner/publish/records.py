"""The data of a workspace that the site shows, as plain records.

Pages depend on these and on receipts alone, so that a site can be built from a fake source in a
test and from the catalogue of a workspace. A report also knows the path of its page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from ishtar.signals.source_notes import time_base_missing
from runner.publish.addresses import report_stem
from runner.receipts import Receipt, Scope, Scrap, State, Subject
from runner.settings.facility import Facility
from runner.templates.parameters import Parameter
from runner.templates.results import ResultRecord

if TYPE_CHECKING:
    from ishtar.signals.lazy_signal import Signal

ReportState = Literal["ok", "failed", "skipped", "timeout", "stale", "missing"]
"""The state of a report on pages."""


@dataclass(frozen=True, kw_only=True)
class SourceRecord:
    """One source file of a shot.

    ``file`` is the name under which it is stored, and published as raw data. ``notes`` say what was
    stored differently than expected, and whether its clock differs from the shot's; ``salvaged``
    how much of a truncated recording was kept.
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
    file: str = ""


@dataclass(frozen=True, kw_only=True)
class WiringRow:
    """The wiring and calibration of one signal at one shot.

    ``problem`` says why the signal is missing, ``lack`` why it can be read raw but not calibrated.
    ``made`` is the identity of everything that its values depend on (samples, wiring,
    calibrations); it is empty if there is nothing to draw. ``x_unit`` is the unit of its axis:
    ``"s"``, another unit, or ``""`` if its samples are only counted. ``salvaged`` says that the
    recording was truncated. ``calibrated`` is the identity of its calibrations, which a new version
    with the same numbers shares. The field names are keys of ``shot.json``.
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
        """Why its samples have no time base; empty if they have one."""
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
    """One shot. ``problems`` are plain sentences on what is wrong with its data.

    ``date`` is a datetime; a date if only the day is known.
    """

    shot: int
    date: Date | None
    attributes: Mapping[str, Any]
    sources: Sequence[SourceRecord]
    wiring: Sequence[WiringRow]
    components: Sequence[ComponentRecord]
    problems: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class TemplateRecord:
    """A template.

    ``key`` names the scraps that tables and summaries show, in order; if empty, they show the first
    few numbers of a report. ``limits`` are (low, high) of scraps, None for an open side.
    ``results`` has the labels and symbols of results. ``path`` is the notebook, None if it is not
    available.
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
    """A report: its receipt, its folder, and the reasons why it is stale, if any."""

    receipt: Receipt
    folder: Path
    stale: Sequence[str] = ()

    @cached_property
    def stem(self) -> str:
        """The path of its page without suffix, which is also the folder of its figures."""
        return report_stem(self.receipt)

    @property
    def page(self) -> str:
        """The path of its page in the site."""
        return f"{self.stem}.html"

    @property
    def shown_state(self) -> ReportState:
        """Its state on pages: an ok report with changed inputs is stale."""
        return "stale" if self.stale and self.receipt.state == "ok" else self.receipt.state

    @property
    def reasons(self) -> Sequence[str]:
        """Why it is not ok, one line each."""
        return [r for r in (self.receipt.reason, *self.stale) if r]


@dataclass(frozen=True, kw_only=True)
class ReportSummary:
    """An official report in a list, from the catalogue alone.

    ``stale`` are the reasons why it is out of date, if any.
    """

    subject: Subject
    template: str
    state: State
    reason: str = ""
    stale: Sequence[str] = ()
    started: str = ""
    scraps: Sequence[Scrap] = ()

    @property
    def shown_state(self) -> ReportState:
        """Its state on pages: an ok report with changed inputs is stale."""
        return "stale" if self.stale and self.state == "ok" else self.state

    @property
    def reasons(self) -> Sequence[str]:
        """Why it is not ok, one line each."""
        return [r for r in (self.reason, *self.stale) if r]


@dataclass(frozen=True, kw_only=True)
class WiringSpan:
    """The wiring of a signal from shot ``first`` until shot ``until``, which is None if open.

    ``calibration`` is empty if none is valid.
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
    """A signal as declared: derived from others, or wired, span by span.

    ``imas`` is its path in the IMAS Data Dictionary, or empty.
    """

    name: str
    unit: str
    description: str = ""
    derived: str = ""
    parts: Sequence[str] = ()
    imas: str = ""
    spans: Sequence[WiringSpan] = ()


@dataclass(frozen=True, kw_only=True)
class CalibrationRecord:
    """A calibration of one port of a device; ``file`` declares it."""

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
    """A device with its calibrations and wiring."""

    name: str
    serial: str = ""
    kind: str = ""
    description: str = ""
    calibrations: Sequence[CalibrationRecord] = ()
    spans: Sequence[WiringSpan] = ()


class SiteSource(Protocol):
    """The data that pages are made from.

    ``damaged`` collects the folders of reports whose receipts cannot be read, and why.
    """

    facility: Facility
    damaged: dict[str, str]

    def counts(self) -> Mapping[str, int]:
        """Return the number of shots of each day with shots, days ascending."""

    def summaries(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sequence[ReportSummary]]:
        """Return the summaries of the official reports of some subjects."""

    def failures(
        self, limit: int, *, scope: Scope = "shot", template: str = ""
    ) -> Sequence[ReportSummary]:
        """Return the reports that failed or timed out, newest shots (or days) first.

        With ``template``, only its reports, of any scope.
        """

    def failures_between(self, first: int, last: int) -> Sequence[ReportSummary]:
        """Return the failed reports of the shots ``first … last``, newest first."""

    def scrap_history(self, template: str, name: str, first: int, last: int) -> Mapping[int, Scrap]:
        """Return one scrap of each shot ``first … last`` that has it, ascending."""

    def signals(self) -> Sequence[SignalRecord]:
        """Return the declared signals, in order of declaration."""

    def devices(self) -> Sequence[DeviceRecord]:
        """Return the declared devices, by name."""

    def logo(self) -> Path:
        """Return the file of the facility's logo; called only if it has one."""

    def folder(self) -> Path:
        """Return the folder of the workspace."""

    def calibrations(self) -> Path:
        """Return the folder of the declarations."""

    def raw_files(self, number: int) -> Sequence[Path]:
        """Return the stored files of a shot."""

    def edits(self, number: int) -> str:
        """Return the corrections of a shot's attributes, as they are written."""

    def bibliography(self) -> str:
        """Return the text of the workspace's BibTeX file; empty if there is none."""

    def shots(self) -> Sequence[int]:
        """Return all shot numbers, ascending."""

    def days(self) -> Sequence[str]:
        """Return all days with shots (``2026-11-22``), ascending."""

    def shots_of(self, day: str) -> Sequence[int]:
        """Return the shots of a day, ascending."""

    def undated(self) -> Sequence[int]:
        """Return the shots without a date, ascending; called only if there are any."""

    def shot(self, number: int) -> ShotRecord:
        """Return one shot."""

    def reports(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the official reports of a subject, one for each template that has any."""

    def reruns(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the re-runs of a subject, oldest first."""

    def ranges(self) -> Sequence[Subject]:
        """Return the ranges of shots that have reports."""

    def templates(self) -> Sequence[TemplateRecord]:
        """Return the templates, in display order."""

    def signal(self, number: int, name: str) -> Signal:
        """Return a signal of a shot, for its samples; called only if `WiringRow.made` is set."""

    def troubles(self) -> Sequence[str]:
        """Return messages for the operator (quarantined files …), newest first."""
