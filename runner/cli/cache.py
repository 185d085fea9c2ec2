"""The command for what was read of sites and is kept on this disk."""

from __future__ import annotations

import click

from ishtar.remote.cache import FOLDER, LIMIT, Cache
from runner.cli.output import json_option, print_json


@click.command()
@click.option("--clear", is_flag=True, help="Remove everything.")
@click.option("--prune", is_flag=True, help="Remove what was not used for longest, if too large.")
@json_option
def cache(clear: bool, prune: bool, as_json: bool) -> None:
    """Show or clear what was read of published sites and is kept on this disk.

    ISHTAR_CACHE names its folder, ISHTAR_CACHE_GB its largest size, 10 GB by default; 0 keeps
    nothing.
    """
    kept = Cache()
    freed = kept.clear() if clear else kept.prune() if prune else 0
    size = kept.size()
    if as_json:
        print_json({"folder": str(kept.folder), "bytes": size, "limit": kept.limit, "freed": freed})
        return
    if clear or prune:
        click.echo(f"{freed / 1e6:.1f} MB removed")
    click.echo(
        f"{size / 1e6:.1f} MB of at most {kept.limit / 1e9:g} GB in {kept.folder} "
        f"({FOLDER}, {LIMIT})"
    )
