"""The output of commands: JSON documents, tables and progress bars."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import click

from ishtar.plain_files import printable

json_option = click.option("--json", "as_json", is_flag=True, help="Print one JSON document.")


def _clean(value: Any) -> Any:
    """Replace NaN and infinities, which JSON does not have, with null."""
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, Mapping):
        return {k: _clean(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_clean(v) for v in value]
    return value


def print_json(document: Any) -> None:
    """Print one JSON document and nothing else."""
    click.echo(json.dumps(_clean(document), ensure_ascii=False, indent=1, default=str))


def print_rows(rows: Sequence[Mapping[str, Any]], as_json: bool, *, none: str) -> None:
    """Print rows as JSON or as a table; print ``none`` instead of an empty table."""
    if as_json:
        print_json(list(rows))
        return
    if not rows:
        click.echo(none)
        return
    names = list(rows[0])
    texts = [[_cell(row.get(name)) for name in names] for row in rows]
    widths = [max(len(name), *(len(t[k]) for t in texts)) for k, name in enumerate(names)]
    click.echo("  ".join(n.ljust(w) for n, w in zip(names, widths, strict=True)).rstrip())
    for text in texts:
        click.echo("  ".join(t.ljust(w) for t, w in zip(text, widths, strict=True)).rstrip())


def _cell(value: Any) -> str:
    if value is None:
        return "–"
    if isinstance(value, float):
        return f"{value:.5g}"
    if isinstance(value, list | tuple):
        return "; ".join(map(str, value))
    return printable(str(value))


class ProgressBar:
    """A progress bar on standard error, if that is a terminal."""

    def __init__(self, total: int, unit: str) -> None:
        self._total = total
        self._done = 0
        self._unit = unit
        self._bar: Any = None
        if sys.stderr.isatty():
            from tqdm import tqdm

            self._bar = tqdm(total=total, unit=unit, unit_scale=unit == "B", leave=False)

    def to(self, done: int, text: str = "") -> None:
        """Move to ``done``."""
        if self._bar is not None:
            self._bar.update(done - self._done)
            if text:
                self._bar.set_postfix_str(text)
        self._done = done

    def line(self, text: str) -> None:
        """Print a line above the bar."""
        if self._bar is not None:
            self._bar.write(printable(text), file=sys.stderr)
        else:
            click.echo(printable(text), err=True)

    def close(self) -> None:
        """Remove the bar."""
        if self._bar is not None:
            self._bar.close()

    def __enter__(self) -> ProgressBar:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()
