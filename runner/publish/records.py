"""What the site needs to know of a workspace, as plain records.

The pages are made from these and from receipts alone, so that a site can be built from a fake
source in a test and from a catalogue in a workspace.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

from runner.facility import Facility
from runner.receipts import Receipt, Scope, Subject


@dataclass(frozen=True, kw_only=True)
class SourceRecord:
    """One source file of a shot."""

    name: str
    size: int
    sha256: str
    converter: str
    writer: str
    arrived: str
    n_channels: int


@dataclass(frozen=True, kw_only=True)
class WiringRow:
    """How one signal came to be at one shot; ``problem`` says why it cannot be had, if so."""

    signal: str
    unit: str
    channel: str = ""
    device: str = ""
    calibration: str = ""
    span: str = ""
    problem: str = ""


@dataclass(frozen=True, kw_only=True)
class ComponentRecord:
    """A component of the machine at one shot."""

    name: str
    kind: str
    parameters: Mapping[str, str]
    span: str = ""


@dataclass(frozen=True, kw_only=True)
class ShotRecord:
    """One shot. ``marks`` are plain sentences on what is wrong with its data."""

    shot: int
    date: datetime | None
    attributes: Mapping[str, Any]
    sources: Sequence[SourceRecord]
    wiring: Sequence[WiringRow]
    components: Sequence[ComponentRecord]
    marks: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class TemplateRecord:
    """A template as the site names it, in the order in which reports are shown.

    ``key`` names the scraps that tables and summaries show, in their order; where it is empty, the
    first few numbers of a report stand in.
    """

    name: str
    title: str
    scope: Scope
    description: str = ""
    key: Sequence[str] = ()


@dataclass(frozen=True, kw_only=True)
class ReportRecord:
    """A report: its receipt, the folder it lies in, and why it is stale, if it is."""

    receipt: Receipt
    folder: Path
    stale: Sequence[str] = ()


class SiteSource(Protocol):
    """Where the pages get their facts."""

    facility: Facility

    def shots(self) -> Sequence[int]:
        """Return all shot numbers, ascending."""

    def days(self) -> Sequence[str]:
        """Return all days with shots (``2026-11-22``), ascending."""

    def shots_of(self, day: str) -> Sequence[int]:
        """Return the shots of a day, ascending."""

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

    def troubles(self) -> Sequence[str]:
        """Return what the operator should know (quarantined files …), newest first."""
