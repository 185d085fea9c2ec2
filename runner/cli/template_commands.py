"""Commands on templates: new, add, check, list, test."""

from __future__ import annotations

import shutil
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ishtar.workspace import Workspace
from runner.cli.output import json_option, print_json, print_rows
from runner.cli.run_progress import RunProgress
from runner.scheduling.coordinator import Coordinator
from runner.templates.template import read_templates

if TYPE_CHECKING:
    from runner.preview.preview_result import Preview


@click.group()
def template() -> None:
    """Create, check, list and test template notebooks."""


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
    """Check all templates and their sidecars, or only NAME; list all problems."""
    from ishtar.calibration import read_declarations
    from runner.templates.check import problems_of

    workspace = Workspace.find()
    templates = read_templates(workspace.templates)
    known = {**templates, **templates.drafts}
    if name is not None:
        known = {} if name in templates.invalid else {name: templates.get_or_draft(name)}
    declared, _ = read_declarations(workspace.calibrations)
    lines = [
        f"{n}: {problem}"
        for n, problems in templates.invalid.items()
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
    """Write a starting notebook NAME into templates_nb, to edit in Jupyter.

    It plots the first signal that the workspace declares, or the first channel of the shot.
    """
    from runner.templates.scaffold import write_scaffold

    if not name.isidentifier():
        raise click.UsageError(f"{name!r}: use only letters, digits and _ in a template's name")
    workspace = Workspace.find()
    path = workspace.templates / f"{name}.ipynb"
    if path.exists():
        raise click.UsageError(f"{path} exists already: choose another name")
    write_scaffold(workspace, path)
    click.echo(f"{path}\ntry it: ishtar template test {name} --shot latest")


@template.command()
@click.argument("name")
def add(name: str) -> None:
    """Copy the standard template NAME of the reference testbed into templates_nb.

    List the signals and other templates that it needs and that are missing here.
    """
    from ishtar.calibration import read_declarations
    from runner.templates.check import problems_of
    from runner.workspaces.new_workspace import add_template

    workspace = Workspace.find()
    path = add_template(workspace, name)
    templates = read_templates(workspace.templates)
    declared, _ = read_declarations(workspace.calibrations)
    problems = [f"{name}: {why}" for why in templates.invalid.get(name, ())]
    if not problems:
        problems = [f"{name}: {why}" for why in problems_of(templates.get_or_draft(name), declared)]
    click.echo(f"{path}\ntry it: ishtar template test {name} --shot latest")
    for text in problems:
        click.echo(text, err=True)


@template.command()
@click.argument("name")
@click.option(
    "--shots",
    "--shot",
    "shots",
    metavar="SHOTS",
    help="3,7,9 or latest; or days or ranges, by its scope. Default: golden in its sidecar.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Copy the executed notebook of a single shot here.",
)
@click.option(
    "--fail-on-change",
    "limit",
    type=click.FloatRange(0.0),
    metavar="SIGMAS",
    help="Exit with 1 if a result changed by more than this number of sigmas, or in another way.",
)
@click.option(
    "--workers", type=click.IntRange(0), default=None, help="Number of processes; 0: this one."
)
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
    """Run a template on some shots and compare the results with the published ones.

    Writes a page in trials/NAME/ of the workspace, which shows by how many sigmas results changed
    and which figures differ. Publishes nothing and leaves all reports as they are.

    Exits with 1 if a preview failed; changes count only with --fail-on-change.
    """
    from runner.preview.preview_run import golden_subjects, preview_template

    workspace = Workspace.find()
    with (
        Coordinator(workspace) as coordinator,
        RunProgress(workspace, holds=False) as progress,
    ):
        coordinator.sync_shots()
        chosen = coordinator.templates().get_or_draft(name)
        subjects = golden_subjects(coordinator.catalogue, chosen, shots)
        if output is not None and len(subjects) > 1:
            raise click.UsageError(
                f"-o {output} takes one notebook, and there are {len(subjects)}: give one shot"
            )
        preview = preview_template(
            coordinator,
            chosen,
            subjects,
            workers=workers,
            listener=None if as_json else progress,
        )
    if output is not None:
        shutil.copyfile(preview.notebook(subjects[0]), output)
    if as_json:
        print_json(preview.to_dict())
    else:
        _print_preview(preview)
    if show and not webbrowser.open(preview.page.as_uri()):
        click.echo(f"no browser found: open {preview.page} yourself", err=True)
    changed = limit is not None and any(s.exceeds(limit) for s in preview.subjects)
    return int(changed or preview.verdict == "failed")


def _print_preview(preview: Preview) -> None:
    """Print a preview: a line for each subject, one for each changed result, the verdict."""
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
