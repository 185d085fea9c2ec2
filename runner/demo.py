"""The demos: a day of synthetic shots through the whole factory, or three weeks with faults."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from ishtar.workspace import MARKER, Workspace
from runner.batch import run_batch
from runner.cli.narrator import Narrator
from runner.coordinator import Coordinator
from runner.jobs import Done
from runner.lock import coordinator_lock
from runner.starter import make_workspace

if TYPE_CHECKING:
    from runner.simulate import Campaign

Tell = Callable[[str], None]


def make_demo(
    folder: Path,
    *,
    workers: int | None = None,
    probe: str | None = None,
    magnetised: bool = False,
    tell: Tell = print,
) -> bool:
    """Make the demo workspace, or bring it up to date; return whether a report failed.

    Raw files are written to ``raw/``, as a LabVIEW share would hold them, and ingested from there.

    Parameters
    ----------
    folder : Path
        Of the workspace.
    workers : int, optional
        Processes.
    probe, magnetised
        Model of the probe, as `runner.simulate.Campaign` has it; by default that of the analysis,
        or whichever the shots that are there were simulated with.
    tell : callable
        Gets a line for each step.

    Raises
    ------
    SimulationError
        There is no such model, or the shots that are there were simulated with another.
    """
    from runner.simulate import demo_campaign

    days = [demo_campaign(probe=probe or "analysis", magnetised=magnetised)]
    if probe is not None or magnetised:
        _check_model(folder / "raw" / "complete", days[0])
    workspace = _workspace(folder, days, "Demo testbed")
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        raw = _simulate(workspace, days, tell)
        _ingest(coordinator, raw, tell)
        made = _run(coordinator, workers, tell)
        _publish(coordinator, bool(made), tell)
    return any(d.receipt.state in ("failed", "timeout") for d in made)


def make_campaign_demo(folder: Path, *, workers: int | None = None, tell: Tell = print) -> None:
    """Make a workspace of three weeks with faults in it, or bring it up to date."""
    from runner import campaign
    from runner.simulate import three_weeks
    from runner.simulate.weeks import NO_LOG

    days = three_weeks()
    fresh = not (folder / MARKER).exists()
    workspace = _workspace(folder, days, "Demo testbed")
    if fresh:
        campaign.change_testbed(workspace)
        campaign.add_template(workspace)
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        raw = _simulate(workspace, days, tell)
        (raw / f"GENERATOR_{NO_LOG}.txt").unlink(missing_ok=True)
        if not (raw / f"{campaign.HALF_COPIED:05d}_Data.tdms").exists():
            campaign.copy_by_halves(raw, days[-1].first)
        if _ingest(coordinator, raw, tell):
            campaign.correct_attributes(coordinator, campaign.COMMENTS)
        made = _run(coordinator, workers, tell)
        if made:
            campaign.run_again(coordinator)
            campaign.correct_late(coordinator)
        _publish(coordinator, bool(made), tell)


def _workspace(folder: Path, days: Sequence[Campaign], facility: str) -> Workspace:
    if not (folder / MARKER).exists():
        offset = -days[0].clock_offset_s
        make_workspace(folder, facility=facility, clock_offset_s=offset, tolerance_s=5.0)
    return Workspace.at(folder)


def _simulate(workspace: Workspace, days: Sequence[Campaign], tell: Tell) -> Path:
    from runner.simulate import simulate

    raw = workspace.root / "raw"
    done = raw / "complete"
    if not done.exists():
        tell(f"simulating {sum(d.shots for d in days)} shots into {raw}")
        for day in days:
            simulate(day, raw)
        done.write_text(_model_of(days[0]) + "\n")
    return raw


def _check_model(done: Path, day: Campaign) -> None:
    from runner.simulate import SimulationError

    if not done.exists():
        return
    there, asked = done.read_text().strip() or "analysis", _model_of(day)  # once nothing was noted
    if there != asked:
        raise SimulationError(
            f"the shots in {done.parent} were simulated with the probe model {there!r}, "
            f"not {asked!r}: name a new folder, or leave --probe and --magnetised out"
        )


def _model_of(day: Campaign) -> str:
    return f"{day.probe}, magnetised" if day.magnetised else day.probe


def _ingest(coordinator: Coordinator, raw: Path, tell: Tell) -> bool:
    """Ingest the files that are not stored yet; return whether there were any."""
    from runner.cli.data import ingest_files

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
        tell(f"ingesting {len(fresh)} files")
        ingest_files(coordinator, fresh)
    return bool(fresh)


def _run(coordinator: Coordinator, workers: int | None, tell: Tell) -> list[Done]:
    tell("making reports")
    with Narrator(coordinator.workspace) as narrator:
        return run_batch(coordinator, workers=workers, listener=narrator)


def _publish(coordinator: Coordinator, something_new: bool, tell: Tell) -> None:
    from runner.publish.source import publish_workspace

    if something_new or not (coordinator.workspace.site / "index.html").exists():
        tell("publishing the site")
        publish_workspace(coordinator)
    else:
        tell("every report is there and up to date")
