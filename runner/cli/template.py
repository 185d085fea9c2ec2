"""Commands on templates: new, check, list, test."""

from __future__ import annotations

import shutil
import webbrowser
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ishtar.workspace import Workspace
from runner.cli.narrator import Narrator
from runner.cli.output import json_option, print_json, print_rows
from runner.coordinator import Coordinator
from runner.templates import read_templates

if TYPE_CHECKING:
    from runner.trial.result import Trial

STARTER_PARAMETERS = """\
shot: int = 7  # number of the shot
t_start: float = 0.0  # [s] start of the window, 0 .. 10
t_end: float = 5.0  # [s] end of the window, 0 .. 10"""

STARTER_CODE = """\
import ishtar
import matplotlib.pyplot as plt
from ishtar.report import glue

this_shot = ishtar.open()[shot]
power = this_shot["H_Pfwd"][t_start:t_end]
power"""

STARTER_FIGURE = """\
envelope = power.envelope(1000)
fig, ax = plt.subplots(figsize=(9, 3), layout="constrained")
ax.fill_between(envelope.time, envelope["min"], envelope["max"])
ax.set(xlabel="t [s]", ylabel="$P_{fwd}$ [W]", title="Helicon forward power");"""


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
def check() -> int:
    """Check every template and its sidecar; all problems at once."""
    workspace = Workspace.find()
    templates = read_templates(workspace.templates)
    signals = set()
    from ishtar.calibration import read_declarations

    declared, _ = read_declarations(workspace.calibrations)
    signals = set(declared.signals)
    problems = [f"{name}: {why}" for name, why in templates.problems.items()]
    problems += [
        f"{t.name}: needs {name!r}, which calibrations/signals.toml does not declare"
        for t in templates.values()
        for name in t.needs
        if name not in signals
    ]
    for problem in problems:
        click.echo(problem, err=True)
    if not problems:
        click.echo(f"{len(templates)} templates, no problem")
    return int(bool(problems))


@template.command()
@click.argument("name")
def new(name: str) -> None:
    """Write a first notebook NAME into templates_nb, to be filled in Jupyter."""
    import nbformat
    from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

    if not name.isidentifier():
        raise click.UsageError(f"{name!r}: a template's name is letters, digits and _")
    path = Workspace.find().templates / f"{name}.ipynb"
    if path.exists():
        raise click.UsageError(f"{path} is there already: choose another name")
    title = name.replace("_", " ").capitalize()
    notebook = new_notebook(
        cells=[
            new_markdown_cell(f"# {title}\n\nWhat this report shows, in one sentence."),
            new_code_cell(STARTER_PARAMETERS, metadata={"tags": ["parameters"]}),
            new_code_cell(STARTER_CODE),
            new_code_cell(STARTER_FIGURE),
            new_markdown_cell("The result of the report, with its unit:"),
            new_code_cell('glue("max_power", float(envelope["max"].max()), unit="W")'),
        ],
        metadata={
            "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
            "language_info": {"name": "python"},
        },
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    path.with_suffix(".toml").write_text('needs = ["H_Pfwd"]\n', encoding="utf-8")
    click.echo(f"{path}\ntry it: ishtar template test {name} --shot latest")


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

    Exits with 1 when a trial failed; a change is none, unless --fail-on-change says so.
    """
    from runner.trial.run import golden_subjects, try_template

    workspace = Workspace.find()
    with (
        Coordinator(workspace) as coordinator,
        Narrator(workspace, holds=False) as narrator,
    ):
        coordinator.sync_shots()
        chosen = coordinator.templates()[name]
        subjects = golden_subjects(coordinator.catalogue, chosen, shots)
        if output is not None and len(subjects) > 1:
            raise click.UsageError(f"{len(subjects)} notebooks do not fit into {output}: give one")
        trial = try_template(
            coordinator, chosen, subjects, workers=workers, listener=None if as_json else narrator
        )
    if output is not None:
        shutil.copyfile(trial.notebook(subjects[0]), output)
    if as_json:
        print_json(trial.to_dict())
    else:
        _tell(trial)
    if show and not webbrowser.open(trial.page.as_uri()):
        click.echo(f"no browser is found here: open {trial.page} in one", err=True)
    changed = limit is not None and any(s.exceeds(limit) for s in trial.subjects)
    return int(changed or trial.verdict == "failed")


def _tell(trial: Trial) -> None:
    """Print a trial: a line for each subject, one for each result that changed, the verdict."""
    from runner.trial.result import VERDICTS, change_text

    for part in trial.subjects:
        click.echo(f"{part.subject}: {part.summary}")
        if part.trouble:
            click.echo(f"  {part.trouble}")
        width = max((len(s.name) for s in part.changed_scraps), default=0)
        for scrap in part.changed_scraps if part.verdict != "failed" else ():
            click.echo(f"  {scrap.name.ljust(width)}  {change_text(scrap)}")
    click.echo(f"{trial.template}: {VERDICTS[trial.verdict]}")
    click.echo(f"the page: {trial.page}")
