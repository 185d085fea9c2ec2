"""The command line, a thin layer: Python code can do everything that it does.

Exit codes: 0 done, 1 something failed, 2 invalid usage. Errors are one line that says what to do.
"""

from __future__ import annotations

import errno
import importlib
import io
import logging
import signal
import sys
import threading
from collections.abc import Sequence

import click

from ishtar.errors import IshtarError, NotFoundError, WorkspaceError, did_you_mean
from ishtar.query.query_tree import QueryError
from ishtar.query.shot_numbers import BadShotSelection
from ishtar.version import __version__
from runner.errors import NoSuchTemplate, ParameterError
from runner.monitoring.logs import FORMS, Form, configure

__all__ = ["main"]

COMMANDS: dict[str, str] = {
    "demo": "workspaces",
    "init": "workspaces",
    "simulate": "data",
    "ingest": "data",
    "watch": "service",
    "status": "service",
    "plan": "reports",
    "run": "reports",
    "publish": "reports",
    "rebuild": "upkeep",
    "verify": "upkeep",
    "serve": "service",
    "token": "token_commands",
    "rerun": "own_reports",
    "fork": "own_reports",
    "template": "template_commands",
    "calib": "calib",
    "shots": "data",
    "edit": "edit",
    "signal": "data",
    "reports": "reports",
    "scraps": "reports",
    "prune": "expiry_command",
    "cache": "cache",
    "doctor": "upkeep",
}
USAGE = (
    *(ParameterError, NoSuchTemplate, NotFoundError, WorkspaceError),
    *(BadShotSelection, QueryError),
)


class Commands(click.Group):
    """Import a command's module when the command is called, so that ``--help`` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the workflow."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return a command; suggest the nearest name for a misspelt one."""
        if name not in COMMANDS:
            raise click.UsageError(
                f"no command {name!r}{did_you_mean(name, COMMANDS) or ': see ishtar --help'}"
            )
        module = importlib.import_module(f"runner.cli.{COMMANDS[name]}")
        command: click.Command = getattr(module, name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ishtar %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Show more log messages.")
@click.option("--log", type=click.Choice(FORMS), help="Log as text lines or as JSON objects.")
def ishtar(verbose: bool, log: Form | None) -> None:
    """Turn the raw files of a plasma testbed's shots into calibrated, traceable, published reports.

    Commands work on the workspace that contains the current folder, or on the one named by
    ISHTAR_WORKSPACE. Shots are written 1234, 1200..1250 or latest.
    """
    configure(log or "text", logging.DEBUG if verbose else logging.WARNING)


class Stopped(BaseException):
    """SIGTERM was received; clean up as after Ctrl-C."""


def _stop(number: int, frame: object) -> None:
    raise Stopped


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):  # file names may contain undecodable bytes
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    try:
        code = ishtar.main(args=arguments, prog_name="ishtar", standalone_mode=False)
        status = code if isinstance(code, int) else 0
    except click.ClickException as error:
        where = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else ""
        text = " ".join(error.format_message().split())
        click.echo(f"{where or 'ishtar'}: {text}", err=True)
        status = 2
    except click.Abort:
        click.echo("ishtar: stopped", err=True)
        status = 130
    except IshtarError as error:
        click.echo(f"ishtar: {' '.join(str(error).split())}", err=True)
        status = 2 if isinstance(error, USAGE) else 1
    except BrokenPipeError:
        status = 1
    except OSError as error:
        what = f"{error}: check the file system"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = "the disk is full: free some space"
        elif error.filename and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            what = f"{error.filename}: you have no write permission: see docs/permissions.md"
        click.echo(f"ishtar: {what}", err=True)
        status = 1
    except Stopped:
        click.echo("ishtar: stopped", err=True)
        status = 143
    sys.exit(status)
