"""Show the progress of a run: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack

import click

from ishtar.workspace import Workspace
from runner.cli.live import LiveLines
from runner.jobs import Event
from runner.receipts import Subject
from runner.service.observe import RunObserver


class RunProgress:
    """Print each report when it is done, and on a terminal those in progress.

    Parameters
    ----------
    workspace : Workspace
        Where reports are made.
    holds : bool
        Whether the run holds the workspace and writes its status.
    """

    def __init__(self, workspace: Workspace, *, holds: bool = True) -> None:
        self._observer = RunObserver(workspace, holds=holds)
        self._open = ExitStack()

    def __enter__(self) -> RunProgress:
        self._open.enter_context(self._observer)
        if sys.stderr.isatty():
            self._open.enter_context(LiveLines(lambda: table(self._observer)))
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.__exit__(*exc)  # type: ignore[arg-type]

    def __call__(self, event: Event) -> None:
        """Process an event."""
        self._observer(event)
        if event.done is None:
            return
        receipt = event.done.receipt
        text = (
            f"[{event.index}/{event.total}] {event.job} {receipt.state} {receipt.duration_s:.1f} s"
        )
        if receipt.state != "ok":
            text += f": {receipt.reason}"
        click.echo(text, err=True)


def table(observer: RunObserver) -> list[str]:
    """Return the lines of the live table: one for each report in progress, then the totals."""
    if not observer.total:
        return []
    now = time.time()
    in_progress = observer.in_progress()
    rows = [
        (
            f"{Subject.parse(a.subject)} {a.template}",
            f"cell {a.cell} of {a.cells}" if a.phase == "cells" and a.cell else a.phase,
            seconds(now - a.cell_since),
            f"since {time.strftime('%H:%M:%S', time.localtime(a.since))}",
        )
        for a in in_progress
    ]
    widths = [max((len(row[k]) for row in rows), default=0) for k in range(4)]
    lines = [
        "  " + "  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    counts = ", ".join(f"{n} {state}" for state, n in sorted(observer.finished.items()))
    waiting = max(observer.total - observer.done - len(in_progress), 0)
    totals = f"  {observer.done} of {observer.total} reports done, {waiting} waiting"
    if counts:
        totals += f" ({counts} so far)"
    left = observer.remaining_s()
    if left is not None and observer.done < observer.total:
        totals += f"; about {seconds(left)} left"
    return [*lines, totals]


def seconds(s: float) -> str:
    """Format a duration: ``3.2 s``, ``4 min 10 s``, ``2 h 5 min``, ``3 d 4 h``."""
    if s < 60:
        return f"{max(s, 0.0):.1f} s"
    minutes, rest = divmod(int(s), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours < 24 else f"{hours // 24} d {hours % 24} h"
