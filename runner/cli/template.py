"""Commands on templates: new, check, list, test."""

from __future__ import annotations

import shutil
from pathlib import Path

import click

from ishtar.numbers import select
from ishtar.workspace import Workspace
from runner.cli.output import json_option, print_rows
from runner.coordinator import Coordinator
from runner.errors import TemplateError
from runner.execute import Job, execute
from runner.ranges import range_of
from runner.receipts import Subject
from runner.templates import read_templates

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
    "--shot", default="latest", show_default=True, help="Or a range, where it is for one."
)
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path))
def test(name: str, shot: str, output: Path | None) -> int:
    """Run a template on a shot and show what came out; nothing is published or kept."""
    with Coordinator(Workspace.find()) as coordinator:
        coordinator.sync_shots()
        chosen = coordinator.templates()[name]
        if chosen.scope == "day":
            raise TemplateError(f"{name} is made for a day: use `ishtar rerun DAY {name}`")
        known = coordinator.catalogue.shots()
        if chosen.scope == "range":
            subject = range_of(shot, known, name)
        else:
            subject = Subject.shot(select(shot, known)[-1])
        job = Job(
            root=str(coordinator.workspace.root),
            subject=subject,
            template=name,
            rerun=True,
            timeout_s=chosen.timeout_s or coordinator.settings.run.timeout_s,
            output_mb=coordinator.settings.run.output_mb,
            memory_mb=chosen.memory_mb or coordinator.settings.run.memory_limit_mb,
            kernels=coordinator.settings.run.kernels,
        )
        done = execute(job)
        folder = coordinator.workspace.reports / done.folder
        numbers = "..".join(str(int(n)) for n in subject.key.split(".."))
        path = output or Path(f"{name}-{numbers}.ipynb")
        shutil.copyfile(folder / "report.ipynb", path)
        shutil.rmtree(folder)
    receipt = done.receipt
    click.echo(f"{job}: {receipt.state} in {receipt.duration_s:.1f} s {receipt.reason}".rstrip())
    for scrap in receipt.scraps:
        click.echo(f"  {scrap.name} = {scrap.value} ± {scrap.sigma} {scrap.unit}")
    click.echo(f"the executed notebook: {path}")
    return int(receipt.state in ("failed", "timeout"))
