"""The command that corrects attributes of shots and records who did it."""

from __future__ import annotations

import getpass
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ishtar.attributes import (
    AttributeEditError,
    check,
    current,
    edit_many,
    from_text,
    read_edits,
    stated_in,
)
from ishtar.workspace import Workspace
from runner.cli.output import json_option, print_rows
from runner.cli.pages import publish_or_request
from runner.cli.selection import choose_shots
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator

ASSIGNMENT = re.compile(r"\w+=[^=]\S*")  # where SHOTS was forgotten; never a query by accident


@click.command()
@click.argument("selection", metavar="SHOTS")
@click.argument("assignments", metavar="[NAME=VALUE]...", nargs=-1)
@click.option("--who", help="Who corrects it; your login name by default.")
@click.option("--why", default="", help="Reason of the correction.")
@click.option("--new", is_flag=True, help="Allow names that the shot does not have yet.")
@click.option("--dry-run", is_flag=True, help="Show what would change without changing it.")
@json_option
def edit(
    selection: str,
    assignments: tuple[str, ...],
    who: str | None,
    why: str,
    new: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Correct attributes of SHOTS; without NAME=VALUE, show the corrections so far.

    The values in the raw files are kept. Each correction is recorded with who, when, why, before
    and after. SHOTS may be a query. An empty VALUE removes an attribute.

    ishtar edit 7 gas=He useful=no --why "wrong bottle"
    """
    if ASSIGNMENT.fullmatch(selection):
        told = selection.replace("=", " = ")
        raise click.UsageError(f"which shots? SHOTS stands before {selection}; a query is '{told}'")
    with Coordinator(Workspace.find()) as coordinator:
        coordinator.sync_shots()
        workspace = coordinator.workspace
        folders = {
            n: workspace.shot_folder(n) for n in choose_shots(coordinator.catalogue, selection)
        }
        if not assignments:
            rows = [row for n, folder in folders.items() for row in _history(n, folder)]
            print_rows(rows, as_json, none="no attribute has been corrected")
            return
        try:
            changes = _changes(assignments)
            if dry_run:
                rows = [r for n, f in folders.items() for r in _preview(n, f, changes, new)]
                print_rows(rows, as_json, none="nothing would change")
                return
            done = edit_many(
                folders.values(), changes, who=who or getpass.getuser(), why=why, new=new
            )
        except AttributeEditError as error:
            raise click.UsageError(str(error).replace("new=True adds", "--new adds")) from error
        changed = [n for n, folder in folders.items() if done[folder] is not None]
        noted = coordinator.note_edited(changed, changes)
        if workspace.site.is_dir():
            _publish(coordinator, noted)
    rows = [
        {"shot": n, "attribute": name, "before": c.before, "after": c.after}
        for n in changed
        for name, c in done[folders[n]].changes.items()  # type: ignore[union-attr]
    ]
    print_rows(rows, as_json, none="nothing changed: the attributes have these values already")


def _changes(assignments: Sequence[str]) -> dict[str, Any]:
    changes: dict[str, Any] = {}
    for text in assignments:
        name, equals, value = text.partition("=")
        if not equals or not name.strip():
            raise AttributeEditError(f"{text!r} is not NAME=VALUE: write gas=He")
        changes[name.strip()] = from_text(name.strip(), value)
    return changes


def _history(shot: int, folder: Path) -> list[dict[str, Any]]:
    return [
        {
            "shot": shot,
            "when": e.when,
            "who": e.who,
            "attribute": name,
            "before": change.before,
            "after": change.after,
            "why": e.why,
        }
        for e in read_edits(folder)
        for name, change in e.changes.items()
    ]


def _preview(shot: int, folder: Path, changes: dict[str, Any], new: bool) -> list[dict[str, Any]]:
    now = current(stated_in(folder), read_edits(folder))
    return [
        {"shot": shot, "attribute": name, "before": now.get(name), "after": value}
        for name, value in check(changes, new=new, have=now).items()
        if now.get(name) != value
    ]


def _publish(coordinator: Coordinator, shots: Sequence[int]) -> None:
    if shots:
        publish_or_request(coordinator, [Subject.shot(n) for n in shots])
