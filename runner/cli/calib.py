"""Commands on calibrations."""

from __future__ import annotations

import click

from ishtar.calibration import read_declarations
from ishtar.workspace import Workspace


@click.group()
def calib() -> None:
    """Check the calibrations, wiring and machine that calibrations/ declares."""


@calib.command()
def check() -> int:
    """Check every file of calibrations/; all problems at once."""
    folder = Workspace.find().calibrations
    declared, problems = read_declarations(folder)
    for problem in problems:
        click.echo(f"calibrations/{problem}", err=True)
    if not problems:
        click.echo(
            f"{len(declared.signals)} signals, {len(declared.devices)} devices, "
            f"{len(declared.components)} components, no problem"
        )
    return int(bool(problems))
