"""Commands that create workspaces: init, demo."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ishtar.workspace import MARKER, VARIABLE, Workspace
from runner.cli.data import ingest_files
from runner.cli.run_progress import RunProgress
from runner.demo.demo import Show, make_campaign_demo, make_demo
from runner.workspaces.new_workspace import make_workspace


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="", help="Name of the facility.")
@click.option("--empty", is_flag=True, help="Without signals of the reference testbed.")
def init(folder: Path, name: str, empty: bool) -> None:
    """Create a workspace in FOLDER with the reference templates and calibrations.

    With --empty it declares no signals and has one template, which shows the channels of any shot.
    """
    if (folder / MARKER).exists():
        raise click.UsageError(f"{folder} is a workspace already: choose another folder")
    make_workspace(folder, facility=name or folder.resolve().name, empty=empty)
    click.echo(f"{folder}: put raw files into {folder / 'data' / 'incoming'} and `ishtar watch`")
    named = os.environ.get(VARIABLE)
    if named and Path(named).resolve() != folder.resolve():
        click.echo(f"{VARIABLE} is set to {named}: unset it to work in {folder}", err=True)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--campaign", is_flag=True, help="60 shots in three weeks, some with faults.")
@click.option("--workers", type=click.IntRange(0), default=None, help="Number of processes.")
@click.option(
    "--probe",
    default=None,
    metavar="MODEL",
    help="Model of the simulated probe's current: analysis (by default), or independent of it.",
)
@click.option(
    "--magnetised",
    is_flag=True,
    help="The magnetic field reduces the electron current (with independent).",
)
def demo(
    folder: Path, campaign: bool, workers: int | None, probe: str | None, magnetised: bool
) -> int:
    """Create a workspace in FOLDER with 15 synthetic shots, all their reports and the site.

    A second call makes only what is missing or stale.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise click.UsageError(f"{folder} has other files in it: choose an empty or new folder")
    if campaign and (probe is not None or magnetised):
        raise click.UsageError(
            "--probe and --magnetised do not work with --campaign: leave one or the other out"
        )
    show = Show(say=_print, ingest=ingest_files, follow=RunProgress)
    failed = False  # in a campaign reports are meant to fail
    if campaign:
        make_campaign_demo(folder, workers=workers, show=show)
    else:
        from runner.simulate import SimulationError

        try:
            failed = make_demo(
                folder, workers=workers, probe=probe, magnetised=magnetised, show=show
            )
        except SimulationError as error:
            raise click.UsageError(str(error)) from error
    site = Workspace.at(folder).site / "index.html"
    click.echo(f"open {site}\nor  cd {folder} && ishtar serve")
    return int(failed)


def _print(text: str) -> None:
    click.echo(text, err=True)
