"""The demo: a day of synthetic shots through the whole factory."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from ishtar.workspace import MARKER, Workspace
from runner.cli.narrator import Narrator
from runner.coordinator import Coordinator
from runner.lock import coordinator_lock
from runner.starter import make_workspace


def make_demo(
    folder: Path, *, workers: int | None = None, tell: Callable[[str], None] = print
) -> bool:
    """Make the demo workspace, or bring it up to date; return whether a report failed.

    Raw files are written to ``raw/``, as a LabVIEW share would hold them, and ingested from there.
    """
    from runner.cli.data import ingest_files
    from runner.publish.source import publish_workspace
    from runner.simulate import demo_campaign, simulate

    campaign = demo_campaign()
    if not (folder / MARKER).exists():
        make_workspace(
            folder,
            facility="Demo testbed",
            clock_offset_s=-campaign.clock_offset_s,
            tolerance_s=5.0,
        )
    workspace = Workspace.at(folder)
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        raw = workspace.root / "raw"
        done = raw / "complete"
        if not done.exists():
            tell(f"simulating {campaign.shots} shots into {raw}")
            simulate(campaign, raw)
            done.touch()
        files = sorted(p for p in raw.iterdir() if p.is_file() and p != done)
        stored = {
            source.source
            for number in coordinator.catalogue.shots()
            for source in coordinator.catalogue.sources(number)
        }
        fresh = [p for p in files if p.name not in stored]
        if fresh:
            tell(f"ingesting {len(fresh)} files")
            ingest_files(coordinator, fresh)
        tell("making reports")
        with Narrator(workspace) as narrator:
            made = coordinator.run(workers=workers, listener=narrator)
        if made or not (workspace.site / "index.html").exists():
            tell("publishing the site")
            publish_workspace(coordinator)
        else:
            tell("every report is there and up to date")
    return any(d.receipt.state in ("failed", "timeout") for d in made)
