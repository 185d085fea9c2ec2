"""Commands that make workspaces: init, demo."""

from __future__ import annotations

import os
from pathlib import Path

import click

from ishtar.workspace import MARKER, VARIABLE, Workspace
from runner.cli.data import ingest_files
from runner.cli.narrator import Narrator
from runner.demo.demo import Show, make_campaign_demo, make_demo
from runner.workspaces.new_workspace import make_workspace


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--name", default="", help="Name of the facility.")
@click.option("--empty", is_flag=True, help="Without the reference testbed: no signals yet.")
def init(folder: Path, name: str, empty: bool) -> None:
    """Make a workspace in FOLDER, with the reference templates and calibrations to start from.

    With --empty it declares no signal and has one template, which shows the channels of any shot.
    """
    if (folder / MARKER).exists():
        raise click.UsageError(f"{folder} is a workspace already")
    make_workspace(folder, facility=name or folder.resolve().name, empty=empty)
    click.echo(f"{folder}: put raw files into {folder / 'data' / 'incoming'} and `ishtar watch`")
    named = os.environ.get(VARIABLE)
    if named and Path(named).resolve() != folder.resolve():
        click.echo(f"{VARIABLE} names {named}: unset it to work in this one", err=True)


@click.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
@click.option("--campaign", is_flag=True, help="60 shots in three weeks, with faults in them.")
@click.option("--workers", type=click.IntRange(0), default=None, help="Processes.")
@click.option(
    "--probe",
    default=None,
    metavar="MODEL",
    help="Of the simulated probe's current: analysis (by default), or independent of it.",
)
@click.option(
    "--magnetised", is_flag=True, help="The field holds electrons back (with independent)."
)
def demo(
    folder: Path, campaign: bool, workers: int | None, probe: str | None, magnetised: bool
) -> int:
    """Make a workspace of 15 synthetic shots in FOLDER, with all reports and the site.

    A second call only does what is missing or stale.
    """
    if folder.exists() and any(folder.iterdir()) and not (folder / MARKER).exists():
        raise click.UsageError(f"{folder} holds other files: name an empty or new folder")
    if campaign and (probe is not None or magnetised):
        raise click.UsageError(
            "--probe and --magnetised are for the demo's day: leave them or --campaign out"
        )
    show = Show(say=_tell, ingest=ingest_files, follow=Narrator)
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


def _tell(text: str) -> None:
    click.echo(text, err=True)
