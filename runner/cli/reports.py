"""Commands on reports: plan, run, publish, reports, scraps."""

from __future__ import annotations

from typing import Any

import click

from ishtar.catalogue import Catalogue, ReportRow
from ishtar.lineage.record import subject_of
from ishtar.workspace import Workspace
from runner.cli.output import json_option, print_rows
from runner.cli.run_progress import RunProgress
from runner.cli.selection import choose_shots
from runner.jobs import Selection
from runner.receipts import Subject
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.lock import coordinator_lock, held_by
from runner.service.backfill import request_backfill
from runner.staleness.plan import Planned
from runner.templates.ranges import related_subjects, requested_ranges

shots_option = click.option("--shots", "shots", metavar="SHOTS", help="Only 7, 3..9, latest.")
templates_option = click.option(
    "--templates", "names", metavar="NAMES", help="Only these templates, separated by commas."
)


def chosen_shots(catalogue: Catalogue, text: str | None) -> list[int] | None:
    """Return the shots given by an option, None for all."""
    return None if text is None else choose_shots(catalogue, text)


def chosen_templates(coordinator: Coordinator, text: str | None) -> list[str] | None:
    """Return the templates given by an option, None for all; unknown ones are an error."""
    if text is None:
        return None
    templates = coordinator.templates()
    return [templates[name.strip()].name for name in text.split(",") if name.strip()]


def _selected(
    coordinator: Coordinator, shots: str | None, names: str | None, force: bool
) -> Selection:
    """Return the selection given by options; forget its damaged reports, so they are missing."""
    chosen = chosen_templates(coordinator, names)
    numbers = chosen_shots(coordinator.catalogue, shots)
    coordinator.forget_damaged(numbers)
    ranges = requested_ranges(coordinator.templates(), chosen, shots, coordinator.catalogue)
    return Selection(shots=numbers, names=chosen, ranges=ranges, force=force)


def _row(planned: Planned) -> dict[str, Any]:
    return {
        "shot": planned.subject.number if planned.subject.scope == "shot" else None,
        "subject": planned.subject.key,
        "template": planned.template,
        "reasons": list(planned.reasons),
    }


@click.command()
@shots_option
@templates_option
@click.option("--why", is_flag=True, help="Show why each report has to be made.")
@click.option("--force", is_flag=True, help="Also reports that are up to date.")
@json_option
def plan(shots: str | None, names: str | None, why: bool, force: bool, as_json: bool) -> None:
    """Show which reports are missing or stale."""
    with Coordinator(Workspace.find()) as coordinator:
        coordinator.sync_shots()
        selection = _selected(coordinator, shots, names, force)
        rows = [_row(p) for p in coordinator.plan(selection)]
        problems = coordinator.templates().problems
    for name, problem in problems.items():
        click.echo(f"template {name} cannot be used: {problem}", err=True)
    if not as_json and not why:
        rows = [{k: row[k] for k in ("subject", "template")} for row in rows]
    elif not as_json:
        rows = [{k: v for k, v in row.items() if k != "shot"} for row in rows]
    print_rows(rows, as_json, none="nothing to do: every report exists and is up to date")


@click.command()
@shots_option
@templates_option
@click.option("--force", is_flag=True, help="Also reports that are up to date.")
@click.option(
    "--workers", type=click.IntRange(0), default=None, help="Number of processes; 0: this one."
)
@click.option(
    "--backfill", is_flag=True, help="If the service is running, let it make them when it is idle."
)
def run(
    shots: str | None, names: str | None, force: bool, workers: int | None, backfill: bool
) -> int:
    """Make every report that is missing or stale.

    A report over a range of shots is made on request, --templates profile --shots 1..12, and kept
    up to date from then on.

    You can stop it at any time; the next run makes the reports that are still missing.

    Exits with 1 if a report failed or ran out of time; the others are made all the same.
    """
    workspace = Workspace.find()
    if backfill and (holder := held_by(workspace)):
        if names or force:
            raise click.UsageError(
                f"{holder} works on this workspace and makes all missing and stale reports: leave "
                "out --templates and --force"
            )
        with Coordinator(workspace) as coordinator:
            coordinator.sync_shots()
            request_backfill(workspace, chosen_shots(coordinator.catalogue, shots))
        click.echo(f"left to {holder}: the service makes them when it has nothing else to do")
        return 0
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        coordinator.clear_leftovers()
        coordinator.sync_shots()
        selection = _selected(coordinator, shots, names, force)
        with RunProgress(workspace) as run_progress:
            finished = run_batch(coordinator, selection, workers=workers, listener=run_progress)
        problems = coordinator.templates().problems
    states = [done.receipt.state for done in finished]
    counts = ", ".join(f"{states.count(s)} {s}" for s in dict.fromkeys(sorted(states)))
    click.echo(f"{len(states)} reports made: {counts}" if states else "nothing to do")
    for name, problem in problems.items():
        click.echo(f"template {name} cannot be used: {problem}", err=True)
    return int(bool(problems) or any(s in ("failed", "timeout") for s in states))


@click.command()
@shots_option
def publish(shots: str | None) -> None:
    """Build the site in site/public, or only the pages that mention some shots."""
    workspace = Workspace.find()
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        numbers = chosen_shots(coordinator.catalogue, shots)
        only = None if numbers is None else related_subjects(numbers, coordinator.catalogue)
        from runner.publish import publish_workspace

        published = publish_workspace(coordinator, only)
    click.echo(
        f"{len(published.written)} files written, {published.unchanged} unchanged, "
        f"in {published.seconds:.1f} s: {workspace.site / 'index.html'}"
    )


@click.command()
@shots_option
@json_option
def reports(shots: str | None, as_json: bool) -> None:
    """List reports with their state, and the reasons of stale and missing ones."""
    workspace = Workspace.find()
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        numbers = chosen_shots(coordinator.catalogue, shots)
        planned = {
            (p.subject.key, p.template): p for p in coordinator.plan(Selection(shots=numbers))
        }
        about = None if numbers is None else related_subjects(numbers, coordinator.catalogue)
        keys = None if about is None else {subject.key for subject in about}
        rows = []
        for row in coordinator.catalogue.reports():
            if keys is not None and row.subject not in keys:
                continue
            if not row.current and not row.rerun:
                continue
            plan_ = None if row.rerun else planned.pop((row.subject, row.template), None)
            stale = plan_ is not None and plan_.action == "run"
            reasons = list(plan_.reasons) if plan_ else [row.reason] if row.reason else []
            folder = workspace.reports / row.folder
            rows.append(
                {
                    "shot": int(row.subject) if row.scope == "shot" else None,
                    "subject": row.subject,
                    "template": row.template,
                    "state": "stale" if stale else row.state,
                    "digest": row.digest,
                    "notebook": str(folder / "report.ipynb"),
                    "html": _page(workspace, row),
                    "duration_s": row.duration_s,
                    "reasons": reasons,
                    "rerun": row.rerun,
                }
            )
        rows += [
            {
                "shot": p.subject.number if p.subject.scope == "shot" else None,
                "subject": p.subject.key,
                "template": p.template,
                "state": "missing",
                "digest": None,
                "notebook": None,
                "html": None,
                "duration_s": None,
                "reasons": list(p.reasons),
                "rerun": False,
            }
            for p in planned.values()
        ]
    rows.sort(key=lambda r: (r["subject"], r["template"], r["rerun"]))
    if not as_json:
        keep = ("subject", "template", "state", "duration_s", "reasons")
        rows = [{k: r[k] for k in keep} for r in rows]
    print_rows(rows, as_json, none="there are no reports yet: `ishtar run` makes them")


def _page(workspace: Workspace, row: ReportRow) -> str | None:
    """Return the path of a report's page, None if it is not published yet."""
    from runner.publish.addresses import safe_name, subject_folder

    folder = workspace.site / subject_folder(Subject.parse(row.subject))
    name = safe_name(row.template)
    path = folder / (f"reruns/{name}-{row.digest[:10]}.html" if row.rerun else f"{name}.html")
    return str(path) if path.exists() else None


@click.command()
@click.argument("shot")
@json_option
def scraps(shot: str, as_json: bool) -> None:
    """List the scraps (named results) of a shot's reports."""
    workspace = Workspace.find()
    with Coordinator(workspace) as coordinator:
        coordinator.sync_shots()
        numbers = choose_shots(coordinator.catalogue, shot)
        found = coordinator.catalogue.scraps([subject_of(n) for n in numbers])
    several = len(numbers) > 1
    rows = [
        ({"shot": int(s.subject)} if several else {})
        | {
            "template": s.template,
            "name": s.name,
            "value": s.value,
            "sigma": s.sigma,
            "unit": s.unit,
        }
        for s in found
    ]
    print_rows(rows, as_json, none=f"no scraps for shot {shot}: `ishtar run --shots {shot}`")
