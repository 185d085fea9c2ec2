"""Publish into an archive, and report the time of each phase."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from unittest.mock import patch

from site_archive import Archive

from ishtar.catalogue import Catalogue
from runner.publish import Published, publish
from runner.publish import build as publisher
from runner.publish.source import WorkspaceSource, open_source

PHASES = {  # function called by `publish` → its purpose
    "_claim": "look",
    "render_missing": "look",
    "_mentioning": "look",
    "write_subject": "shots and days",
    "write_across": "across shots",
    "write_reference_pages": "templates, signals, devices, weeks, months, feeds",
    "home_page": "home, latest, days",
    "days_page": "home, latest, days",
    "latest_page": "home, latest, days",
}


@dataclass
class Arrival:
    """Times of a publication, in seconds; ``phases`` of wall time."""

    wall_s: float
    cpu_s: float
    done: Published
    phases: dict[str, float] = field(default_factory=dict)


def load() -> str:
    """Return how busy the machine is."""
    return f"{os.getloadavg()[0]:.1f}"


def title(text: str) -> None:
    """Print a heading."""
    print(f"\n{text}", flush=True)


def build(archive: Archive, *, workers: int) -> None:
    """Build the whole site of an archive, and print how fast."""
    opener = partial(open_source, archive.workspace.root)
    run = _publish(archive, workers=workers, opener=opener)
    assert sum(p.endswith("/shot.json") for p in run.done.written) == archive.size
    print(
        f"  built whole by {workers} process{'es' if workers > 1 else ''} in {run.wall_s:6.1f} s: "
        f"{archive.size / run.wall_s:.1f} shots a second, {len(run.done.written)} files, "
        f"load {load()}",
        flush=True,
    )


def arrive(archive: Archive, news: int) -> list[Arrival]:
    """Add shots one by one; return the time of each."""
    runs = []
    for _ in range(news + 1):
        subject = archive.arrive()
        os.sync()  # earlier builds are still being written to disk
        run = _publish(archive, only=[subject])
        page = archive.workspace.site / f"shots/{subject.key}/index.html"
        assert page.is_file()
        assert f"shots/{subject.key}/" in (archive.workspace.site / "index.html").read_text()
        runs.append(run)
    runs = runs[1:]  # the first compiles page templates
    names = dict.fromkeys(name for run in runs for name in run.phases)
    for name in names:
        spent = statistics.median(run.phases.get(name, 0.0) for run in runs)
        print(f"    {1e3 * spent:6.0f} ms  {name}")
    written = statistics.median(len(run.done.written) for run in runs)
    print(f"    {written:.0f} files written, {runs[-1].done.unchanged} looked at")
    return runs


def _publish(archive: Archive, **options: Any) -> Arrival:
    with Catalogue(archive.workspace.catalogue) as catalogue, _phases() as phases:
        source = WorkspaceSource(archive.workspace, catalogue)
        cpu, wall = time.process_time(), time.perf_counter()
        done = publish(source, archive.workspace.site, traces=False, **options)
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    phases["the rest"] = wall - sum(phases.values())
    return Arrival(wall_s=wall, cpu_s=cpu, done=done, phases=dict(phases))


@contextmanager
def _phases() -> Iterator[dict[str, float]]:
    """Sum up the time of what `publish` calls."""
    spent: dict[str, float] = {}

    def timed(what: str, work: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            began = time.perf_counter()
            try:
                return work(*args, **more)
            finally:
                spent[what] = spent.get(what, 0.0) + time.perf_counter() - began

        return call

    with ExitStack() as stack:
        for name, what in PHASES.items():
            stack.enter_context(
                patch.object(publisher, name, timed(what, getattr(publisher, name)))
            )
        for owner, name, what in (
            (publisher.Theme, "load", "theme"),
            (publisher.SiteData, "add_shot", "data of the site"),
            (publisher.SiteData, "write", "data of the site"),
            (publisher.Writer, "switch", "switch"),
            (publisher.Writer, "remove_unmentioned", "remove"),
        ):
            stack.enter_context(patch.object(owner, name, timed(what, getattr(owner, name))))
        yield spent
