"""Commands on templates: new, add, check, list, test."""

from __future__ import annotations

import shutil
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ishtar.workspace import Workspace
from runner.cli.narrator import Narrator
from runner.cli.output import json_option, print_json, print_rows
from runner.scheduling.coordinator import Coordinator
from runner.templates.template import read_templates

if TYPE_CHECKING:
    from runner.preview.preview_result import Preview


@click.group()
def template() -> None:
    """Make, check, list and try template notebooks."""


@template.command("list")
@json_option
def list_(as_json: bool) -> None:
    """List the templates."""
    templates = read_templates(Workspace.find().templates)
    rows = [
        {
            "template": t.name,
            "scope": t.scope,
            "title": t.title,
            "needs": list(t.needs),
            "after": list(t.after),
            "parameters": [f"{p.name}: {p.annotation} = {p.default!r}" for p in t.parameters],
        }
        for t in templates.values()
    ]
    print_rows(rows, as_json, none="there are no templates yet: `ishtar template new NAME`")
    for name, why in templates.problems.items():
        click.echo(f"{name} cannot be used: {why}", err=True)


@template.command()
@click.argument("name", required=False)
def check(name: str | None) -> int:
    """Check every template and its sidecar, or the one of NAME; all problems at once."""
    from ishtar.calibration import read_declarations
    from runner.templates.check import problems_of

    workspace = Workspace.find()
    templates = read_templates(workspace.templates)
    known = {**templates, **templates.drafts}
    if name is not None:
        known = {} if name in templates.wrong else {name: templates.to_try(name)}
    declared, _ = read_declarations(workspace.calibrations)
    lines = [
        f"{n}: {problem}"
        for n, problems in templates.wrong.items()
        if name in (None, n)
        for problem in problems
    ]
    lines += [
        f"{n}: {problem}"
        for n, template in known.items()
        if n not in templates.problems
        for problem in problems_of(template, declared)
    ]
    for line in lines:
        click.echo(line, err=True)
    if not lines:
        click.echo(f"{len(known)} templates, no problem" if name is None else f"{name}: no problem")
    return int(bool(lines))


@template.command()
@click.argument("name")
def new(name: str) -> None:
    """Write a first notebook NAME into templates_nb, to be filled in Jupyter.

    It draws the first signal that the workspace declares, or the first channel of the shot.
    """
    from runner.templates.scaffold import write_scaffold

    if not name.isidentifier():
        raise click.UsageError(f"{name!r}: a template's name is letters, digits and _")
    workspace = Workspace.find()
    path = workspace.templates / f"{name}.ipynb"
    if path.exists():
        raise click.UsageError(f"{path} is there already: choose another name")
    write_scaffold(workspace, path)
    click.echo(f"{path}\ntry it: ishtar template test {name} --shot latest")


@template.command()
@click.argument("name")
def add(name: str) -> None:
    """Copy the standard template NAME, of the reference testbed, into templates_nb.

    What it needs beside that, signals and other templates, is told.
    """
    from ishtar.calibration import read_declarations
    from runner.templates.check import problems_of
    from runner.workspaces.new_workspace import add_template

    workspace = Workspace.find()
    path = add_template(workspace, name)
    templates = read_templates(workspace.templates)
    declared, _ = read_declarations(workspace.calibrations)
    lacking = [f"{name}: {why}" for why in templates.wrong.get(name, ())]
    if not lacking:
        lacking = [f"{name}: {why}" for why in problems_of(templates.to_try(name), declared)]
    click.echo(f"{path}\ntry it: ishtar template test {name} --shot latest")
    for text in lacking:
        click.echo(text, err=True)


@template.command()
@click.argument("name")
@click.option(
    "--shots",
    "--shot",
    "shots",
    metavar="SHOTS",
    help="3,7,9 or latest; days or ranges where it is for those. Default: golden of its sidecar.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Copy the executed notebook here; for one shot.",
)
@click.option(
    "--fail-on-change",
    "limit",
    type=click.FloatRange(0.0),
    metavar="SIGMAS",
    help="Exit with 1 when a result changed by more than so many sigmas, or in another way.",
)
@click.option("--workers", type=click.IntRange(0), default=None, help="Processes; 0: in this one.")
@click.option("--open", "show", is_flag=True, help="Open the page in a browser.")
@json_option
def test(
    name: str,
    shots: str | None,
    output: Path | None,
    limit: float | None,
    workers: int | None,
    show: bool,
    as_json: bool,
) -> int:
    """Run a template on some shots and lay the results beside the published ones.

    Shows which results changed by how many sigmas and which figures differ, as a page in
    trials/NAME/ of the workspace. Nothing is published, and no report is touched.

    Exits with 1 when a preview failed; a change is none, unless --fail-on-change says so.
    """
    from runner.preview.preview_run import golden_subjects, preview_template

    workspace = Workspace.find()
    with (
        Coordinator(workspace) as coordinator,
        Narrator(workspace, holds=False) as narrator,
    ):
        coordinator.sync_shots()
        chosen = coordinator.templates().to_try(name)
        subjects = golden_subjects(coordinator.catalogue, chosen, shots)
        if output is not None and len(subjects) > 1:
            raise click.UsageError(f"{len(subjects)} notebooks do not fit into {output}: give one")
        preview = preview_template(
            coordinator, chosen, subjects, workers=workers, listener=None if as_json else narrator
        )
    if output is not None:
        shutil.copyfile(preview.notebook(subjects[0]), output)
    if as_json:
        print_json(preview.to_dict())
    else:
        _tell(preview)
    if show and not webbrowser.open(preview.page.as_uri()):
        click.echo(f"no browser is found here: open {preview.page} in one", err=True)
    changed = limit is not None and any(s.exceeds(limit) for s in preview.subjects)
    return int(changed or preview.verdict == "failed")


def _tell(preview: Preview) -> None:
    """Print a preview: a line for each subject, one for each result that changed, the verdict."""
    from runner.preview.preview_result import VERDICTS, change_text

    for part in preview.subjects:
        click.echo(f"{part.subject}: {part.summary}")
        if part.trouble:
            click.echo(f"  {part.trouble}")
        width = max((len(s.name) for s in part.changed_scraps), default=0)
        for scrap in part.changed_scraps if part.verdict != "failed" else ():
            click.echo(f"  {scrap.name.ljust(width)}  {change_text(scrap)}")
    click.echo(f"{preview.template}: {VERDICTS[preview.verdict]}")
    click.echo(f"the page: {preview.page}")
