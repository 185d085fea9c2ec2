"""A site source over a workspace: catalogue, receipts, declarations and stored files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property, lru_cache
from pathlib import Path

from ishtar.attributes import edits_text
from ishtar.catalogue import Catalogue, ReportRow
from ishtar.errors import DamagedFile, IshtarError
from ishtar.lineage.record import Input, digest, recording
from ishtar.machine.component import parameter_text
from ishtar.shots.clocks import clock_differences
from ishtar.shots.shot import Shot
from ishtar.shots.testbed import STORED, Testbed
from ishtar.signals.lazy_signal import Signal
from ishtar.signals.source_notes import notes_of, salvaged
from ishtar.signals.time_base import COUNTED
from ishtar.workspace import MARKER, Workspace
from runner.errors import SettingsError
from runner.ingest.raw_files.quarantine import quarantined_files
from runner.monitoring.status import service_troubles
from runner.publish.declared_source import device_records, signal_records, template_record
from runner.publish.records import (
    ComponentRecord,
    DeviceRecord,
    ReportRecord,
    ReportSummary,
    ShotRecord,
    SignalRecord,
    SourceRecord,
    TemplateRecord,
    WiringRow,
)
from runner.publish.summaries import Summaries
from runner.receipts import DamagedReceipt, Receipt, Scope, Scrap, Subject
from runner.settings.facility import Facility
from runner.settings.file import read_settings
from runner.staleness.current_state import CurrentState
from runner.staleness.fingerprints import fingerprints_of
from runner.templates.template import Templates, read_templates

REFERENCES = "references.bib"
CLIPPED_SHARE = 1e-3  # of the samples of a wired channel; less is a rare spike


def open_source(root: Path) -> WorkspaceSource:
    """Open the source of a workspace in another process."""
    workspace = Workspace.at(root)
    return WorkspaceSource(workspace, Catalogue(workspace.catalogue))


def identity_of(inputs: Iterable[Input]) -> str:
    """Return the identity of inputs."""
    return digest(sorted([i.kind, i.name, i.digest] for i in inputs))


class WorkspaceSource:
    """Implements `SiteSource` over a workspace and its catalogue."""

    def __init__(self, workspace: Workspace, catalogue: Catalogue) -> None:
        self.workspace = workspace
        self.facility: Facility = read_settings(workspace).facility
        self._catalogue = catalogue
        self.damaged: dict[str, str] = {}
        self._testbed = Testbed(workspace)
        self._current = CurrentState(self._testbed, catalogue)
        self.shot = lru_cache(maxsize=512)(self._shot)

    @cached_property
    def _templates(self) -> Templates:
        return read_templates(self.workspace.templates)

    @cached_property
    def _summaries(self) -> Summaries:
        return Summaries(self._catalogue, self._templates, self._current, self.damaged)

    def mark_changed(self) -> None:
        """Mark reports dirty whose inputs changed since the last plan: lists show them as stale."""
        self._catalogue.mark_changed(
            fingerprints_of(self._testbed.declarations, self._templates, self._current)
        )

    def shots(self) -> Sequence[int]:
        """Return all shot numbers, ascending."""
        return self._catalogue.shots()

    def days(self) -> Sequence[str]:
        """Return all days with shots, ascending."""
        return self._catalogue.days()

    def shots_of(self, day: str) -> Sequence[int]:
        """Return the shots of a day, ascending."""
        return self._catalogue.shots(day)

    def undated(self) -> Sequence[int]:
        """Return the shots without a date, ascending."""
        return self._catalogue.undated()

    def counts(self) -> Mapping[str, int]:
        """Return the number of shots of each day, days ascending."""
        return self._catalogue.shots_by_day()

    def templates(self) -> Sequence[TemplateRecord]:
        """Return the templates, in display order."""
        called = self._catalogue.result_names()
        return [template_record(t, called.get(t.name, ())) for t in self._templates.values()]

    def ranges(self) -> Sequence[Subject]:
        """Return the ranges of shots that have reports."""
        return [Subject("range", key) for key in self._catalogue.ranges()]

    def summaries(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sequence[ReportSummary]]:
        """Return the summaries of the official reports of some subjects."""
        return self._summaries.of(subjects)

    def failures(
        self, limit: int, *, scope: Scope = "shot", template: str = ""
    ) -> Sequence[ReportSummary]:
        """Return the reports that failed or timed out, newest shots (or days) first."""
        return self._summaries.failed(limit, scope, template)

    def failures_between(self, first: int, last: int) -> Sequence[ReportSummary]:
        """Return the failed reports of the shots ``first … last``, newest first."""
        return self._summaries.failed_between(first, last)

    def scrap_history(self, template: str, name: str, first: int, last: int) -> Mapping[int, Scrap]:
        """Return one scrap of each shot ``first … last`` that has it, ascending."""
        return self._summaries.scrap_history(template, name, first, last)

    def signals(self) -> Sequence[SignalRecord]:
        """Return the declared signals, in order of declaration."""
        return signal_records(self._testbed.declarations)

    def devices(self) -> Sequence[DeviceRecord]:
        """Return the declared devices, by name."""
        return device_records(self._testbed.declarations)

    def logo(self) -> Path:
        """Return the file of the facility's logo."""
        path = self.workspace.root / self.facility.logo
        if not path.is_file():
            raise SettingsError(
                f"{MARKER} [facility] logo = {self.facility.logo!r}: no such file: correct the path"
            )
        return path

    def folder(self) -> Path:
        """Return the folder of the workspace."""
        return self.workspace.root

    def calibrations(self) -> Path:
        """Return the folder of the declarations."""
        return self.workspace.calibrations

    def raw_files(self, number: int) -> Sequence[Path]:
        """Return the stored files of a shot."""
        return sorted(self.workspace.shot_folder(number).glob(STORED))

    def edits(self, number: int) -> str:
        """Return the corrections of a shot's attributes, as they are written."""
        return edits_text(self.workspace.shot_folder(number))

    def bibliography(self) -> str:
        """Return the text of ``references.bib``: in the workspace, or in ``calibrations/``."""
        for folder in (self.workspace.root, self.workspace.calibrations):
            if (folder / REFERENCES).is_file():
                return (folder / REFERENCES).read_text(encoding="utf-8", errors="replace")
        return ""

    def reports(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the official reports of a subject, in the templates' order."""
        order = {name: k for k, name in enumerate(self._templates)}
        rows = self._catalogue.reports(subject=subject.key, current=True)
        rows.sort(key=lambda row: (order.get(row.template, len(order)), row.template))
        stale = self._summaries.stale(rows)
        found = ((self._receipt(row), row) for row in rows)
        return [self._record(receipt, row, stale) for receipt, row in found if receipt]

    def reruns(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the re-runs of a subject, oldest first."""
        rows = self._catalogue.reports(subject=subject.key, rerun=True)
        rows.sort(key=lambda row: row.started)
        found = ((self._receipt(row), row) for row in rows)
        return [self._record(receipt, row, {}) for receipt, row in found if receipt]

    def _receipt(self, row: ReportRow) -> Receipt | None:
        """Return the receipt of a report; None if it is damaged or removed."""
        try:
            return Receipt.read(self.workspace.reports / row.folder)
        except (DamagedReceipt, FileNotFoundError) as error:
            self.damaged[row.folder] = str(error)  # the plan makes it again
            return None

    def _record(
        self, receipt: Receipt, row: ReportRow, stale: Mapping[str, Sequence[str]]
    ) -> ReportRecord:
        folder = self.workspace.reports / row.folder
        return ReportRecord(receipt=receipt, folder=folder, stale=stale.get(row.folder, ()))

    def troubles(self) -> Sequence[str]:
        """Return invalid templates, troubles of the service, and quarantined files."""
        found = [f"template {name}: {why}" for name, why in self._templates.problems.items()]
        found += service_troubles(self.workspace)
        for file in quarantined_files(self.workspace.quarantine):
            found.append(f"{file.name} is in quarantine: {file.reason}")
        return found

    def _shot(self, number: int) -> ShotRecord:
        shot = self._testbed[number]
        try:
            clocks = clock_differences(shot)
            files = {source.path.name: source for source in shot.sources}
            sources = [
                SourceRecord(
                    name=s.source,
                    size=s.size,
                    sha256=s.sha256,
                    converter=s.converter,
                    writer=s.writer,
                    arrived=s.arrived,
                    n_channels=s.n_channels,
                    file=s.file,
                    notes=[
                        *(notes_of(files[s.file]) if s.file in files else ()),
                        *(str(d) for d in clocks if d.date.by == s.source and d.is_rounding),
                    ],
                    salvaged=salvaged(files[s.file]) if s.file in files else "",
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
                problems=[*(str(d) for d in clocks if not d.is_rounding), *self._problems(shot)],
            )
        except DamagedFile as damage:
            return ShotRecord(
                shot=number,
                date=None,
                attributes={},
                sources=(),
                wiring=(),
                components=(),
                problems=(str(damage),),
            )

    def _wiring(self, shot: Shot) -> list[WiringRow]:
        rows = []
        for name, declared in self._testbed.declarations.signals.items():
            try:
                with recording() as read:
                    signal = shot[name]
                    provenance = signal.explain()
            except IshtarError as error:
                rows.append(WiringRow(signal=name, unit=declared.unit, problem=str(error)))
                continue
            rows.append(
                WiringRow(
                    signal=name,
                    unit=declared.unit,
                    channel=provenance.channel or f"= {provenance.derived}",
                    device=provenance.device,
                    calibration=provenance.calibration,
                    span=provenance.span,
                    lack=provenance.lack,
                    made="" if provenance.lack else identity_of(read.inputs),
                    calibrated=identity_of(i for i in read.inputs if i.kind == "calibration"),
                    x_unit=signal.x_unit,
                    salvaged=provenance.salvaged,
                )
            )
        return rows

    def signal(self, number: int, name: str) -> Signal:
        """Return a signal of a shot, for its samples."""
        return self._testbed[number][name]

    def _components(self, shot: Shot) -> list[ComponentRecord]:
        return [
            ComponentRecord(
                name=c.name,
                kind=c.kind.replace("_", " "),
                parameters={
                    k.replace("_", " "): parameter_text(v) for k, v in c.parameters.items()
                },
                span=str(c.declared.span),
            )
            for c in shot.machine
        ]

    def _problems(self, shot: Shot) -> list[str]:
        """Return the problems of a shot's data, one sentence each."""
        problems = [
            f"{source.origin.source} was salvaged: {text}"
            for source in shot.sources
            if (text := salvaged(source))
        ]
        for name, declared in self._testbed.declarations.signals.items():
            if declared.derived:
                continue
            problem = shot.problem(name)
            if problem is not None:
                problems.append(f"{name} is missing: {problem}")
                continue
            signal = shot[name]
            channel = shot.find_channel(signal.explain().channel)
            if signal.x_unit == COUNTED:
                problems.append(f"{name} has no time base: its samples are only counted")
            share = channel.n_clipped / channel.n if channel.n else 0.0
            if not channel.n:
                problems.append(f"{name} is empty: its channel has no samples")
            elif share > CLIPPED_SHARE:
                problems.append(
                    f"{name} is clipped: {share:.0%} of its samples are at the ADC limit"
                )
            elif channel.raw_min == channel.raw_max and channel.n > 1:
                problems.append(f"{name} is dead: every sample has the same value")
        return problems
