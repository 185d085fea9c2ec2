"""The demos: a day of synthetic shots through the whole factory, or three weeks with faults."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ishtar.workspace import MARKER, Workspace
from runner.demo import campaign_demo as campaign
from runner.ingest import ingest_file
from runner.jobs import Done, Listener
from runner.publish import publish_workspace
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.lock import coordinator_lock
from runner.simulate import SimulationError, demo_campaign, simulate, three_weeks
from runner.simulate.weeks import NO_LOG
from runner.workspaces.new_workspace import make_workspace

if TYPE_CHECKING:
    from runner.simulate import Campaign


def _ingest_quietly(coordinator: Coordinator, files: Iterable[Path]) -> None:
    for path in files:
        outcome = ingest_file(
            path, layout=coordinator.workspace, settings=coordinator.settings.ingest
        )
        for number in outcome.shots:
            coordinator.note_shot(number)


@dataclass(frozen=True, kw_only=True)
class Show:
    """How a demo reports its progress; by default it prints its steps.

    Attributes
    ----------
    say : prints a line for each step.
    ingest : ingests files and notes their shots.
    follow : opens a listener to the events of a workspace's reports.
    """

    say: Callable[[str], None] = print
    ingest: Callable[[Coordinator, Iterable[Path]], object] = _ingest_quietly
    follow: Callable[[Workspace], AbstractContextManager[Listener | None]] = lambda _: nullcontext()


def make_demo(
    folder: Path,
    *,
    workers: int | None = None,
    probe: str | None = None,
    magnetised: bool = False,
    show: Show = Show(),
) -> bool:
    """Make the demo workspace, or bring it up to date; return whether a report failed.

    Raw files are written to ``raw/``, as on a LabVIEW share, and ingested from there.

    Parameters
    ----------
    folder : Path
        Folder of the workspace.
    workers : int, optional
        Number of processes.
    probe, magnetised
        Model of the probe, as in `runner.simulate.Campaign`; by default that of the existing shots,
        else that of the analysis.
    show : Show
        How to report progress.

    Raises
    ------
    SimulationError
        The model is unknown, or existing shots were simulated with another one.
    """
    days = [demo_campaign(probe=probe or "analysis", magnetised=magnetised)]
    if probe is not None or magnetised:
        _check_model(folder / "raw" / "complete", days[0])
    workspace = _workspace(folder, days, "Demo testbed")
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        raw = _simulate(workspace, days, show)
        _ingest(coordinator, raw, show)
        made = _run(coordinator, workers, show)
        _publish(coordinator, bool(made), show)
    return any(d.receipt.state in ("failed", "timeout") for d in made)


def make_campaign_demo(folder: Path, *, workers: int | None = None, show: Show = Show()) -> None:
    """Make a workspace of three weeks with faults, or bring it up to date."""
    days = three_weeks()
    fresh = not (folder / MARKER).exists()
    workspace = _workspace(folder, days, "Demo testbed")
    if fresh:
        campaign.change_testbed(workspace)
        campaign.add_template(workspace)
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        raw = _simulate(workspace, days, show)
        (raw / f"GENERATOR_{NO_LOG}.txt").unlink(missing_ok=True)
        if not (raw / f"{campaign.HALF_COPIED:05d}_Data.tdms").exists():
            campaign.copy_partly(raw, days[-1].first)
        if _ingest(coordinator, raw, show):
            campaign.correct_attributes(coordinator, campaign.COMMENTS)
        made = _run(coordinator, workers, show)
        if made:
            campaign.run_requested(coordinator)
            campaign.correct_late(coordinator)
        _publish(coordinator, bool(made), show)


def _workspace(folder: Path, days: Sequence[Campaign], facility: str) -> Workspace:
    if not (folder / MARKER).exists():
        offset = -days[0].clock_offset_s
        make_workspace(folder, facility=facility, clock_offset_s=offset, tolerance_s=5.0)
    return Workspace.at(folder)


def _simulate(workspace: Workspace, days: Sequence[Campaign], show: Show) -> Path:
    raw = workspace.root / "raw"
    done = raw / "complete"
    if not done.exists():
        show.say(f"simulating {sum(d.shots for d in days)} shots into {raw}")
        for day in days:
            simulate(day, raw)
        done.write_text(_model_of(days[0]) + "\n")
    return raw


def _check_model(done: Path, day: Campaign) -> None:
    if not done.exists():
        return
    present, requested = (
        done.read_text().strip() or "analysis",
        _model_of(day),
    )  # early versions recorded no model
    if present != requested:
        raise SimulationError(
            f"the shots in {done.parent} were simulated with the probe model {present!r}, "
            f"not {requested!r}: name a new folder, or omit --probe and --magnetised"
        )


def _model_of(day: Campaign) -> str:
    return f"{day.probe}, magnetised" if day.magnetised else day.probe


def _ingest(coordinator: Coordinator, raw: Path, show: Show) -> bool:
    """Ingest the files that are not stored yet; return whether there were any."""
    stored = {
        source.source
        for number in coordinator.catalogue.shots()
        for source in coordinator.catalogue.sources(number)
    }
    refused = {
        note.name.removesuffix(".reason.json")
        for note in coordinator.workspace.quarantine.glob("*.reason.json")
    }
    files = sorted(p for p in raw.iterdir() if p.is_file() and p.name != "complete")
    fresh = [p for p in files if p.name not in stored | refused]
    if fresh:
        show.say(f"ingesting {len(fresh)} files")
        show.ingest(coordinator, fresh)
    return bool(fresh)


def _run(coordinator: Coordinator, workers: int | None, show: Show) -> list[Done]:
    show.say("making reports")
    with show.follow(coordinator.workspace) as listener:
        return run_batch(coordinator, workers=workers, listener=listener)


def _publish(coordinator: Coordinator, something_new: bool, show: Show) -> None:
    if something_new or not (coordinator.workspace.site / "index.html").exists():
        show.say("publishing the site")
        publish_workspace(coordinator)
    else:
        show.say("every report is up to date")
