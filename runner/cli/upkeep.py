"""Commands for the operator: rebuild, verify, doctor."""

from __future__ import annotations

import click

from ishtar.shots.testbed import stored_shots
from ishtar.store import problems as store_problems
from ishtar.workspace import Workspace
from runner.cli.output import ProgressBar, json_option, print_rows
from runner.ingest import day_problems
from runner.receipts import receipts
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.lock import coordinator_lock
from runner.scheduling.rebuild import rebuild as rebuild_catalogue
from runner.staleness.integrity import confirmed_damage, report_damage


@click.command()
def rebuild() -> int:
    """Rebuild the catalogue from the files.

    Also rebuild the index of days, and move pulses of the generator to the shots that they match by
    clock.
    """
    workspace = Workspace.find()
    with coordinator_lock(workspace):
        shots, reports, problems = rebuild_catalogue(workspace)
    click.echo(f"{shots} shots and {reports} reports in {workspace.catalogue}")
    for problem in problems:
        click.echo(problem, err=True)
    return int(bool(problems))


@click.command()
@json_option
def verify(as_json: bool) -> int:
    """Read all stored files and reports and compare them with their digests.

    A damaged report counts as missing from then on: `ishtar run` makes it again.
    """
    workspace = Workspace.find()
    rows: list[dict[str, str]] = []
    files = [
        path
        for number in stored_shots(workspace)
        for path in sorted(workspace.shot_folder(number).glob("[!.]*.h5"))
    ]
    with ProgressBar(len(files), "file") as progress:
        for k, path in enumerate(files, start=1):
            name = str(path.relative_to(workspace.root))
            rows += [{"file": name, "problem": problem} for problem in store_problems(path)]
            progress.to(k)
    with Coordinator(workspace) as coordinator:
        for path, problem in day_problems(workspace, coordinator.settings.ingest):
            rows.append({"file": str(path.relative_to(workspace.root)), "problem": problem})
        noted = {row.folder for row in coordinator.catalogue.reports()}
        on_disk = receipts(workspace.reports)
        made = {path.parent.relative_to(workspace.reports).as_posix() for path in on_disk}
        found = confirmed_damage(workspace.reports, sorted(noted | made), report_damage)
        for name, problem in found.items():
            folder = (workspace.reports / name).relative_to(workspace.root)
            rows.append({"file": str(folder), "problem": problem})
            coordinator.catalogue.remove_report(name)
    good = f"{len(files)} stored files and {len(made)} reports are as they were written"
    print_rows(rows, as_json, none=good)
    return int(bool(rows))


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Check the installation and the workspace for problems.

    A workspace without shots or a site is fine. Exits with 1 if something is wrong.
    """
    from runner.workspaces.doctor import examine

    checks = list(examine())
    rows = [
        {"check": c.name, "state": "ok" if c.good else "wrong", "found": c.found} for c in checks
    ]
    print_rows(rows, as_json, none="nothing to check")
    n_wrong = sum(not c.good for c in checks)
    if not as_json:
        click.echo(f"{n_wrong} of {len(checks)} are wrong" if n_wrong else "ok: nothing is wrong")
    return int(bool(n_wrong))
