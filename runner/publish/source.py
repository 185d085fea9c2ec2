"""The site's facts, from a workspace: catalogue, receipts, declarations and stored files."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

from ishtar.catalogue import Catalogue, ReportRow
from ishtar.errors import DamagedFile, IshtarError
from ishtar.lineage import Input
from ishtar.machine.component import shown
from ishtar.shot import Shot
from ishtar.testbed import Testbed
from ishtar.workspace import Workspace
from runner.plan import stale_reasons
from runner.present import Present
from runner.publish.records import (
    ComponentRecord,
    Facility,
    ReportRecord,
    ShotRecord,
    SourceRecord,
    TemplateRecord,
    WiringRow,
)
from runner.receipts import DamagedReceipt, Receipt, Subject
from runner.settings import read_settings
from runner.templates import Templates, read_templates

if TYPE_CHECKING:
    from runner.coordinator import Coordinator
    from runner.publish import Published

logger = logging.getLogger(__name__)

CLIPPED_SHARE = 1e-3  # of the samples of a wired channel; fewer is the odd spike


def publish_workspace(coordinator: Coordinator, only: Sequence[Subject] | None = None) -> Published:
    """Build the site of a workspace, or the pages that mention some subjects."""
    from runner.publish import publish

    workspace = coordinator.workspace
    source = WorkspaceSource(workspace, coordinator.catalogue)
    theme = workspace.theme if workspace.theme.is_dir() else None
    workers = 1 if only is not None else coordinator.settings.run.processes
    published = publish(source, workspace.site, only=only, theme=theme, workers=workers)
    for folder, why in source.damaged.items():
        logger.warning("%s: %s", folder, why)
        coordinator.catalogue.forget_report(folder)
    return published


class WorkspaceSource:
    """Implements `SiteSource` over a workspace and its catalogue."""

    def __init__(self, workspace: Workspace, catalogue: Catalogue) -> None:
        self.workspace = workspace
        self.facility: Facility = read_settings(workspace).facility
        self._catalogue = catalogue
        self.damaged: dict[str, str] = {}
        self._testbed = Testbed(workspace)
        self._present = Present(self._testbed, catalogue)
        self.shot = lru_cache(maxsize=512)(self._shot)

    @cached_property
    def _templates(self) -> Templates:
        return read_templates(self.workspace.templates)

    def shots(self) -> Sequence[int]:
        """Return all shot numbers, ascending."""
        return self._catalogue.shots()

    def days(self) -> Sequence[str]:
        """Return all days with shots, ascending."""
        return self._catalogue.days()

    def shots_of(self, day: str) -> Sequence[int]:
        """Return the shots of a day, ascending."""
        return self._catalogue.shots(day)

    def templates(self) -> Sequence[TemplateRecord]:
        """Return the templates, in the order in which reports are shown."""
        return [
            TemplateRecord(
                name=t.name, title=t.title, scope=t.scope, description=t.description, key=t.key
            )
            for t in self._templates.values()
        ]

    def ranges(self) -> Sequence[Subject]:
        """Return the ranges of shots that have reports."""
        rows = self._catalogue.reports(scope="range", current=True)
        return sorted({Subject("range", row.subject) for row in rows})

    def reports(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the official reports of a subject, in the templates' order."""
        order = {name: k for k, name in enumerate(self._templates)}
        rows = self._catalogue.reports(subject=subject.key, current=True)
        rows.sort(key=lambda row: (order.get(row.template, len(order)), row.template))
        return [record for row in rows if (record := self._record(row))]

    def reruns(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the re-runs of a subject, oldest first."""
        rows = self._catalogue.reports(subject=subject.key, rerun=True)
        rows.sort(key=lambda row: row.started)
        return [record for row in rows if (record := self._record(row))]

    def _record(self, row: ReportRow) -> ReportRecord | None:
        folder = self.workspace.reports / row.folder
        try:
            receipt = Receipt.read(folder)
        except (DamagedReceipt, FileNotFoundError, UnicodeDecodeError) as error:
            self.damaged[row.folder] = str(error)  # counts as missing; the plan makes it again
            return None
        stale = self._stale(row, receipt.inputs) if row.current else ()
        return ReportRecord(receipt=receipt, folder=folder, stale=stale)

    def _stale(self, row: ReportRow, inputs: Sequence[Input]) -> Sequence[str]:
        if row.template not in self._templates:
            return ("its template is gone",)
        template = self._templates[row.template]
        subject = Subject(template.scope, row.subject)
        found = stale_reasons(template, subject, row, inputs, self._present)
        return [reason.removeprefix("stale: ") for reason in found]

    def troubles(self) -> Sequence[str]:
        """Return quarantined files, templates that cannot be used, and wrong calibrations."""
        found = [f"template {name}: {why}" for name, why in self._templates.problems.items()]
        notes = sorted(
            self.workspace.quarantine.glob("*.reason.json"),
            key=lambda p: p.stat().st_mtime,
            reverse=True,
        )
        for note in notes[:20]:
            try:
                facts = json.loads(note.read_text(encoding="utf-8"))
                name = note.name.removesuffix(".reason.json")
                found.append(f"{name} is in quarantine: {facts.get('reason', 'no reason noted')}")
            except (ValueError, AttributeError, OSError):
                found.append(f"{note.name} cannot be read: look into data/quarantine")
        return found

    def _shot(self, number: int) -> ShotRecord:
        shot = self._testbed[number]
        try:
            sources = [
                SourceRecord(
                    name=s.source,
                    size=s.size,
                    sha256=s.sha256,
                    converter=s.converter,
                    writer=s.writer,
                    arrived=s.arrived,
                    n_channels=s.n_channels,
                )
                for s in self._catalogue.sources(number)
            ]
            return ShotRecord(
                shot=number,
                date=shot.date,
                attributes={k: v for k, v in shot.attributes.plain().items() if k != "date"},
                sources=sources,
                wiring=self._wiring(shot),
                components=self._components(shot),
                marks=self._marks(shot),
            )
        except DamagedFile as damage:
            return ShotRecord(
                shot=number,
                date=None,
                attributes={},
                sources=(),
                wiring=(),
                components=(),
                marks=(str(damage),),
            )

    def _wiring(self, shot: Shot) -> list[WiringRow]:
        rows = []
        for name, declared in self._testbed.declarations.signals.items():
            try:
                story = shot[name].explain()
            except IshtarError as error:
                rows.append(WiringRow(signal=name, unit=declared.unit, problem=str(error)))
                continue
            rows.append(
                WiringRow(
                    signal=name,
                    unit=declared.unit,
                    channel=story.channel or f"= {story.derived}",
                    device=story.device,
                    calibration=story.calibration,
                    span=story.span,
                )
            )
        return rows

    def _components(self, shot: Shot) -> list[ComponentRecord]:
        return [
            ComponentRecord(
                name=c.name,
                kind=c.kind.replace("_", " "),
                parameters={k.replace("_", " "): shown(v) for k, v in c.parameters.items()},
                span=str(c.declared.span),
            )
            for c in shot.machine
        ]

    def _marks(self, shot: Shot) -> list[str]:
        """Return what is wrong with the data of a shot, a plain sentence each."""
        marks = []
        for name, declared in self._testbed.declarations.signals.items():
            if declared.derived:
                continue
            problem = shot.problem(name)
            if problem is not None:
                marks.append(f"{name} is missing: {problem}")
                continue
            channel = shot.find_channel(shot[name].explain().channel)
            share = channel.n_clipped / channel.n if channel.n else 0.0
            if not channel.n:
                marks.append(f"{name} is empty: its channel holds no sample")
            elif share > CLIPPED_SHARE:
                marks.append(f"{name} is clipped: {share:.0%} of its samples are at the ADC limit")
            elif channel.raw_min == channel.raw_max and channel.n > 1:
                marks.append(f"{name} is dead: every sample has the same value")
        return marks
