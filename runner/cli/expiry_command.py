"""The command that removes what the settings no longer keep."""

from __future__ import annotations

from collections import defaultdict

import click

from ishtar.workspace import Workspace
from runner.cli.output import json_option, print_json
from runner.publish import publish_workspace
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.lock import coordinator_lock
from runner.workspaces.prune import changed_pages, expired
from runner.workspaces.prune import remove as remove_expired


@click.command()
@click.option("--dry-run", is_flag=True, help="Only list what would go, and what that frees.")
@json_option
def prune(dry_run: bool, as_json: bool) -> int:
    """Remove what the settings no longer keep, and move old raw data to another disk.

    Raw data, current reports, re-runs, scraps, calibrations, templates and corrections never go.
    """
    workspace = Workspace.find()
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        found = expired(coordinator)
        freed, problems = sum(item.bytes for item in found), list[str]()
        if not dry_run:
            freed, problems = remove_expired(coordinator, found)
            if pages := changed_pages(found):
                publish_workspace(coordinator, pages)
    if as_json:
        names = ("kind", "where", "bytes", "since")
        rows = [{name: getattr(item, name) for name in names} for item in found]
        print_json({"expired": rows, "freed": freed, "problems": problems, "dry_run": dry_run})
        return int(bool(problems))
    by_kind: dict[str, list[int]] = defaultdict(list)
    for item in found:
        by_kind[item.kind].append(item.bytes)
        click.echo(f"{item.since}  {item.bytes / 1e6:9.1f} MB  {item.kind}: {item.where}")
    for kind, sizes in by_kind.items():
        click.echo(f"{kind}: {len(sizes)}, {sum(sizes) / 1e6:.1f} MB")
    for problem in problems:
        click.echo(problem, err=True)
    does = "would free" if dry_run else "freed"
    click.echo(f"{does} {freed / 1e6:.1f} MB" if found else "nothing has expired")
    return int(bool(problems))
