"""Commands that keep running, and their status: watch, serve, status."""

from __future__ import annotations

import logging
import socket

import click

from ishtar.errors import IshtarError
from ishtar.plain_files import printable
from ishtar.workspace import Workspace
from runner.cli import status_text
from runner.cli.output import json_option, print_json
from runner.monitoring import logs
from runner.monitoring.status import read_status
from runner.settings.file import read_settings


@click.command()
@click.option("--once", is_flag=True, help="Process all waiting files, catch up and exit.")
@click.pass_context
def watch(context: click.Context, once: bool) -> None:
    """Turn arriving files into published reports, until stopped (SIGTERM or Ctrl-C).

    Polls data/incoming and the folders in ishtar.toml, so network shares work, too. Catches up with
    everything that was left undone.
    """
    from runner.service.watch import watch as watch_workspace

    workspace = Workspace.find()
    if context.find_root().params.get("log") is None:
        form = read_settings(workspace).watch.log
        logs.configure("json" if form == "json" else "text", logging.getLogger().level)
    logging.getLogger("runner").setLevel(logging.INFO)
    watch_workspace(workspace, once=once)


@click.command()
@json_option
def status(as_json: bool) -> None:
    """Show what the service or a run is doing, on any machine that sees the workspace."""
    found = read_status(Workspace.find())
    if as_json:
        print_json(status_text.document(found))
        return
    for line in status_text.lines(found):
        click.echo(printable(line))


@click.command()
@click.option("--port", default=8000, show_default=True, type=click.IntRange(0, 65535))
@click.option("--host", default="127.0.0.1", show_default=True)
def serve(port: int, host: str) -> None:
    """Serve the site and the API of the workspace on this machine.

    Any web server can serve site/public as it is; the API needs this service.
    """
    workspace = Workspace.find()
    site, settings = workspace.site, read_settings(workspace).serve
    if not (site / "index.html").exists():
        raise IshtarError("there is no site yet: `ishtar publish` builds it")
    from runner.serve.run import run_app  # heavy
    from runner.serve.site_app import workspace_app

    try:
        listening = _listen(host, port)
    except OSError as error:
        raise IshtarError(f"port {port} cannot be used ({error.strerror}): try --port 0") from error
    shown = f"[{host}]" if ":" in host else host
    click.echo(f"http://{shown}:{listening.getsockname()[1]}/  (Ctrl-C ends it)")
    run_app(workspace_app(workspace, settings), listening)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host, port), family=family, backlog=128)
