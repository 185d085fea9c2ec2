"""Commands for the tokens by which the web service knows programs and people."""

from __future__ import annotations

import click

from ishtar.workspace import Workspace
from runner.cli.output import json_option, print_rows
from runner.serve.tokens import add_token, read_tokens, revoke_token
from runner.settings.serving import ROLES


@click.group()
def token() -> None:
    """Add, list and revoke the tokens by which `ishtar serve` knows who asks."""


@token.command()
@click.argument("name")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    default="member",
    show_default=True,
    help="reader; member: may act; operator: sees the acts of all.",
)
def add(name: str, role: str) -> None:
    """Make a token for NAME and print it, this once.

    ishtar token add student-3 --role member
    """
    click.echo(add_token(Workspace.find(), name, role))


@token.command(name="list")
@json_option
def list_(as_json: bool) -> None:
    """List names, roles and ages of all tokens."""
    rows = [
        {"name": t.name, "role": t.role, "created": t.created}
        for t in read_tokens(Workspace.find())
    ]
    print_rows(rows, as_json, none="there are no tokens")


@token.command()
@click.argument("name")
def revoke(name: str) -> None:
    """Revoke the token of NAME, at once."""
    revoke_token(Workspace.find(), name)
