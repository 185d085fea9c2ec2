"""Commands for reports with parameters of one's own: rerun, fork."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ishtar.query.shot_numbers import select
from ishtar.workspace import Workspace
from runner.cli.pages import publish_or_request
from runner.errors import ParameterError
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import make_job, run_one
from runner.templates.fork import fork as make_fork
from runner.templates.parameters import SCOPE_PARAMETERS, parse_assignments
from runner.templates.ranges import range_of
from runner.templates.template import Template

parameters_option = click.option(
    "-p", "--parameter", "assignments", multiple=True, metavar="NAME=VALUE", help="Set a parameter."
)


def _subject(coordinator: Coordinator, template: Template, text: str) -> Subject:
    """Return the subject of a report: a shot, day or range, by the template's scope."""
    if template.scope == "day":
        days = coordinator.catalogue.days()
        if text == "latest" and days:
            return Subject.day(days[-1])
        if text in days:
            return Subject.day(text)
        raise ParameterError(
            f"{template.name} is made for a day, and {text!r} is not a day with shots: write it "
            "as 2026-11-22"
        )
    known = coordinator.catalogue.shots()
    if template.scope == "range":
        return range_of(text, known, template.name)
    numbers = select(text, known)
    if len(numbers) != 1:
        raise ParameterError(f"{text!r} names {len(numbers)} shots: give one")
    return Subject.shot(numbers[0])


def _given(template: Template, assignments: tuple[str, ...]) -> dict[str, Any]:
    """Return the parameters given on the command line, checked."""
    fixed = SCOPE_PARAMETERS[template.scope]
    return parse_assignments(template.parameters, assignments, f"template {template.name}", fixed)


@click.command()
@click.argument("shot")
@click.argument("template")
@parameters_option
def rerun(shot: str, template: str, assignments: tuple[str, ...]) -> int:
    """Make a report with other parameters, in addition to the official one.

    ishtar rerun 7 langmuir -p t_start=0.5
    """
    with Coordinator(Workspace.find()) as coordinator:
        coordinator.sync_shots()
        chosen = coordinator.templates()[template]
        subject = _subject(coordinator, chosen, shot)
        given = _given(chosen, assignments)
        values = chosen.values(subject, given)
        job = make_job(coordinator, chosen, subject, parameters=values, rerun=True)
        done = run_one(coordinator, job)
        from runner.publish.addresses import report_stem

        publish_or_request(coordinator, [subject])

        receipt = done.receipt
        page = report_stem(receipt)
        state = receipt.state + (f": {receipt.reason}" if receipt.reason else "")
        click.echo(f"{job} {state} ({receipt.duration_s:.1f} s)")
        for scrap in receipt.scraps:
            sigma = "" if scrap.sigma is None else f" ± {scrap.sigma:.2g}"
            value = f"{scrap.value:.5g}" if isinstance(scrap.value, float) else scrap.value
            click.echo(f"  {scrap.name} = {value}{sigma} {scrap.unit}".rstrip())
        click.echo(coordinator.workspace.site / f"{page}.html")
    return int(receipt.state in ("failed", "timeout"))


@click.command()
@click.argument("shot")
@click.argument("template")
@parameters_option
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="The file.")
@click.option("--force", is_flag=True, help="Overwrite an existing file.")
def fork(
    shot: str, template: str, assignments: tuple[str, ...], output: Path | None, force: bool
) -> None:
    """Write a clean notebook with the shot's parameters filled in, to work on in Jupyter.

    ishtar fork 7 langmuir -o mine.ipynb
    """
    import nbformat

    with Coordinator(Workspace.find()) as coordinator:
        coordinator.sync_shots()
        chosen = coordinator.templates()[template]
        subject = _subject(coordinator, chosen, shot)
        given = _given(chosen, assignments)
        rows = coordinator.catalogue.reports(
            subject=subject.key, template=chosen.name, current=True
        )
        report = rows[0].digest if rows else ""
        notebook = make_fork(
            coordinator.workspace,
            chosen,
            subject,
            chosen.values(subject, given),
            report=report,
            url=coordinator.settings.facility.url,
        )
    path = output or Path(f"{subject.key}_{chosen.name}.ipynb")
    if path.exists() and not force:
        raise click.UsageError(f"{path} exists already: choose another name, or add --force")
    path.parent.mkdir(parents=True, exist_ok=True)
    nbformat.write(notebook, path)
    click.echo(f"{path}: open it with `jupyter lab {path}`")
