"""Write shots and reports into a catalogue, from their files."""

from __future__ import annotations

from ishtar.catalogue import Catalogue, ReportRow, SourceRow
from ishtar.catalogue.names import ResultName
from ishtar.shots.testbed import Testbed
from ishtar.store import SourceFile
from ishtar.workspace import Workspace
from runner.receipts import Receipt


def note_shot(catalogue: Catalogue, workspace: Workspace, number: int) -> None:
    """Write a stored shot into the catalogue."""
    seen = workspace.shot_folder(number).stat().st_mtime_ns  # before it is read
    shot = Testbed(workspace)[number]
    found = {path: shot.find_channel(path) for path in shot.channels()}
    catalogue.put_shot(
        number,
        shot.attributes.plain(),
        [source_row(number, s) for s in shot.sources],
        {path: (c.file.stem, c.digest) for path, c in found.items()},
        seen,
    )


def note_report(catalogue: Catalogue, folder: str, receipt: Receipt) -> None:
    """Write a report into the catalogue; ``folder`` is relative to the folder of all reports."""
    r = receipt
    row = ReportRow(
        folder=folder,
        scope=r.scope,
        subject=r.subject,
        template=r.template,
        digest=r.digest,
        state=r.state,
        reason=r.reason,
        rerun=r.rerun,
        current=not r.rerun,
        started=r.started,
        duration_s=r.duration_s,
        template_digest=r.template_digest,
        prose_digest=r.prose_digest,
        parameters=r.parameters,
    )
    catalogue.put_report(
        row,
        r.inputs,
        [(s.name, s.value, s.sigma, s.unit) for s in r.scraps],
        [ResultName(s.name, s.label, s.symbol) for s in r.scraps],
    )


def source_row(shot: int, source: SourceFile) -> SourceRow:
    """Return the catalogue's row of a stored source."""
    o = source.origin
    return SourceRow(
        shot=shot,
        file=source.path.name,
        source=o.source,
        sha256=o.sha256,
        size=o.size,
        converter=o.converter,
        writer=o.writer,
        arrived=o.arrived,
        n_channels=len(source.channels),
    )
