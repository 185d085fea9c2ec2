"""The command line: thin; everything it does can be done from Python.

Exit 0 done, 1 something failed, 2 wrong usage. Errors are one line and say what to do next.
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
    "rerun": "people",
    "fork": "people",
    "template": "template_commands",
    "calib": "calib",
    "shots": "data",
    "edit": "edit",
    "signal": "data",
    "reports": "reports",
    "scraps": "reports",
    "doctor": "upkeep",
}
USAGE = (
    *(ParameterError, NoSuchTemplate, NotFoundError, WorkspaceError),
    *(BadShotSelection, QueryError),
)


class Commands(click.Group):
    """Finds a command's module when it is called, so that ``--help`` stays fast."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the commands in the order of the work."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        """Import and return a command; a misspelt one gets the nearest name."""
        if name not in COMMANDS:
            raise click.UsageError(
                f"no command {name!r}{did_you_mean(name, COMMANDS) or ': see ishtar --help'}"
            )
        module = importlib.import_module(f"runner.cli.{COMMANDS[name]}")
        command: click.Command = getattr(module, name)
        return command


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, message="ishtar %(version)s")
@click.option("-v", "--verbose", is_flag=True, help="Tell more of what goes on.")
@click.option("--log", type=click.Choice(FORMS), help="Log lines for people, or JSON objects.")
def ishtar(verbose: bool, log: Form | None) -> None:
    """From the raw files of a plasma testbed's shots to calibrated, traceable, published reports.

    Commands work on the workspace that this folder lies in, or on the one that ISHTAR_WORKSPACE
    names. Shots are written 1234, 1200..1250 or latest.
    """
    configure(log or "text", logging.DEBUG if verbose else logging.WARNING)


class Stopped(BaseException):
    """SIGTERM arrived; everything is left as Ctrl-C would leave it."""


def _stop(number: int, frame: object) -> None:
    raise Stopped


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the command line and exit."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _stop)
    for stream in (sys.stdout, sys.stderr):  # the name of a file may hold what is no character
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
        what = f"{error}: look into it"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what = "the disk is full: free some space"
        elif error.filename and error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            what = f"{error.filename}: you may not write there: see docs/permissions.md"
        click.echo(f"ishtar: {what}", err=True)
        status = 1
    except Stopped:
        click.echo("ishtar: stopped", err=True)
        status = 143
    sys.exit(status)
