"""What the service makes of the site while nothing else is to be done.

Pages come first. The traces of a shot, the courses of results on the pages of later ones, the file
of all scraps and what is let go with age wait for a quiet moment; a service that was killed finds
out anew what is lacking when it starts.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.attempts import Attempts
from runner.publish.data.parquet import update_parquet
from runner.publish.data.traces import LEVELS_KEPT, read_index
from runner.publish.data.traces_and_downloads import make_traces
from runner.publish.records import SiteSource
from runner.publish.retention import is_old
from runner.publish.source import WorkspaceSource
from runner.publish.writer import Writer
from runner.receipts import Subject
from runner.settings.publishing import PublishSettings

if TYPE_CHECKING:
    from runner.scheduling.coordinator import Coordinator

logger = logging.getLogger(__name__)

PAGES = 10  # of shots at a time
STRETCH_S = 1.0  # of such work at a time; new files are not looked at meanwhile


class Later:
    """The shots whose traces wait, or whose pages are behind; the newest are made first."""

    def __init__(self, settings: PublishSettings, attempts: Attempts | None = None) -> None:
        self._settings = settings
        self._attempts = attempts or Attempts()
        self._waiting: set[int] = set()
        self._behind: set[int] = set()
        self._parquet_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._behind)

    @property
    def n_traces(self) -> int:
        """How many shots wait for their traces, without those that failed a short while ago."""
        return len(self._ready)

    def ask(self, traces_of: Iterable[int], pages_of: Iterable[int] = ()) -> None:
        """Let the traces of some shots be made, and the pages of some written."""
        self._waiting |= set(traces_of)
        self._behind |= set(pages_of)

    def take_pages(self) -> list[int]:
        """Return some shots whose pages are to be written now."""
        taken = sorted(self._behind)[-PAGES:]
        self._behind -= set(taken)
        return taken

    def work(self, source: SiteSource, writer: Writer) -> list[int]:
        """Make traces for a while; return the shots that are done."""
        end = time.monotonic() + STRETCH_S
        done = []
        for number in sorted(self._ready, reverse=True):
            make = partial(make_traces, source, [number], writer, self._settings)
            if self._attempts.do(self._name(number), make):
                self._waiting.discard(number)
                done.append(number)
            if time.monotonic() > end:
                break
        return done

    @property
    def _ready(self) -> list[int]:
        return [n for n in self._waiting if self._attempts.ready(self._name(n))]

    @staticmethod
    def _name(number: int) -> str:
        return f"make the traces of shot {number}"

    def scraps(self, writer: Writer) -> bool:
        """Make the file of all scraps anew where it is behind, not more often than set."""
        now = time.monotonic()
        if self._parquet_at and now - self._parquet_at < self._settings.parquet_every_s:
            return False
        new = update_parquet(writer.out)
        self._parquet_at = now
        return new


def work_later(coordinator: Coordinator, later: Later) -> list[int]:
    """Do what waits, for a while: to be called when there is nothing better to do.

    Returns the shots whose pages do not say yet what they should: of which there are traces and
    downloads now, or other results in the course up to them.
    """
    writer = Writer.plain(coordinator.workspace.site)
    if later.n_traces:
        source = WorkspaceSource(coordinator.workspace, coordinator.catalogue)
        done = later.work(source, writer)
        logger.info("traces of shots %s; %d wait", ", ".join(map(str, done)), later.n_traces)
        return done
    if pages := later.take_pages():
        return pages
    if later.scraps(writer):
        logger.info("the file of all scraps is new")
    return []


def old_shots(coordinator: Coordinator) -> list[Subject]:
    """Return the shots that are to be published again, as they hold more than they may."""
    settings = coordinator.settings.publish
    if not (settings.keep_tiles_days or settings.keep_figures_days):
        return []
    catalogue = coordinator.catalogue
    dates = {}
    for day in catalogue.days():
        for number in catalogue.shots(day):
            dates[number] = datetime.fromisoformat(day)
    return [Subject.shot(n) for n in due(coordinator.workspace.site, dates, settings)]


def due(
    out: Path, dates: Mapping[int, datetime | None], settings: PublishSettings
) -> Iterable[int]:
    """Give the shots that hold more than they may by their age, to be published again."""
    for number, date in dates.items():
        if is_old(date, settings.keep_tiles_days):
            signals = read_index(out, number).values()
            if any(len(s["levels"]) > LEVELS_KEPT for s in signals):
                yield number
                continue
        if is_old(date, settings.keep_figures_days) and _has_figures(out, number):
            yield number


def _has_figures(out: Path, number: int) -> bool:
    folder = out / "shots" / Subject.shot(number).key
    try:
        reports = json.loads((folder / "shot.json").read_bytes())["reports"]
        return any(report["figures"] for report in reports)
    except (OSError, ValueError, KeyError, TypeError):
        return False
