"""Commands for the operator: rebuild, verify, doctor."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import click

from ishtar.calibration.gaps import check_folder
from ishtar.errors import IshtarError
from ishtar.store import problems as store_problems
from ishtar.testbed import stored_shots
from ishtar.workspace import Workspace
from runner.cli.output import Progress, json_option, print_rows
from runner.coordinator import Coordinator
from runner.coordinator import rebuild as rebuild_catalogue
from runner.ingest import day_problems
from runner.lock import coordinator_lock
from runner.receipts import receipts
from runner.settings import read_settings
from runner.soundness import damage_within, damaged_still
from runner.templates import read_templates


@click.command()
def rebuild() -> int:
    """Make the catalogue anew from the files.

    Notes of when shots were are made anew too, and pulses of the generator that lie otherwise than
    the clocks of shots say are brought to where they belong.
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
    """Read every stored file and report again and compare them with their digests.

    A report that is damaged counts as missing from then on: `ishtar run` makes it again.
    """
    workspace = Workspace.find()
    rows: list[dict[str, str]] = []
    files = [
        path
        for number in stored_shots(workspace)
        for path in sorted(workspace.shot_folder(number).glob("[!.]*.h5"))
    ]
    with Progress(len(files), "file") as progress:
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
        found = damaged_still(workspace.reports, sorted(noted | made), damage_within)
        for name, problem in found.items():
            folder = (workspace.reports / name).relative_to(workspace.root)
            rows.append({"file": str(folder), "problem": problem})
            coordinator.catalogue.forget_report(name)
    good = f"{len(files)} stored files and {len(made)} reports are as they were written"
    print_rows(rows, as_json, none=good)
    return int(bool(rows))


@click.command()
@json_option
def doctor(as_json: bool) -> int:
    """Look for what is wrong with the installation and the workspace."""
    rows = [
        {"check": check, "state": "ok" if good else "wrong", "found": found}
        for check, good, found in _checks()
    ]
    print_rows(rows, as_json, none="nothing to check")
    return int(any(row["state"] == "wrong" for row in rows))


def _checks() -> Iterator[tuple[str, bool, str]]:
    yield "python", sys.version_info >= (3, 11), sys.version.split()[0]
    try:
        workspace = Workspace.find()
    except IshtarError as error:
        yield "workspace", False, str(error)
        return
    yield "workspace", True, str(workspace.root)
    try:
        read_settings(workspace)
        yield "settings", True, "ishtar.toml is understood"
    except IshtarError as error:
        yield "settings", False, str(error)
    _, findings = check_folder(workspace.calibrations, stored_shots(workspace))
    problems = [str(f) for f in findings if f.sure]
    yield "calibrations", not problems, "; ".join(problems) or "no problem"
    templates = read_templates(workspace.templates)
    wrong = "; ".join(f"{name}: {why}" for name, why in templates.problems.items())
    yield "templates", not wrong, wrong or f"{len(templates)}: {', '.join(templates)}"
    free = shutil.disk_usage(workspace.root).free / 1e9
    yield "disk", free > 5, f"{free:.0f} GB free"
    waiting = _files(workspace.incoming)
    yield "incoming", True, f"{len(waiting)} files wait"
    held = [p for p in _files(workspace.quarantine) if not p.name.endswith(".reason.json")]
    yield "quarantine", not held, f"{len(held)} files: see {workspace.quarantine}"
    yield "catalogue", workspace.catalogue.exists(), str(workspace.catalogue)


def _files(folder: Path) -> list[Path]:
    return [p for p in folder.rglob("*") if p.is_file()] if folder.is_dir() else []
