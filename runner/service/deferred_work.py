"""Site work that the service defers until it is idle.

Pages come first. The traces of shots, the histories of results on the pages of later shots, the
file of all scraps and the removal of old data wait for a quiet moment. After a restart the service
finds out again what is missing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from runner.attempts import Attempts
from runner.publish.data.parquet import update_parquet
from runner.publish.data.traces import LEVELS_KEPT, read_index
from runner.publish.data.traces_and_downloads import UnreadableSignals, steps_of_traces
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
SLICE_S = 1.0  # of such work at a time; new files wait meanwhile


class DeferredWork:
    """Keep the shots whose traces are missing or whose pages are outdated; the newest go first."""

    def __init__(self, settings: PublishSettings, attempts: Attempts | None = None) -> None:
        self._settings = settings
        self._attempts = attempts or Attempts()
        self._waiting: set[int] = set()
        self._begun: dict[int, Iterator[None]] = {}  # traces that took longer than a while
        self._outdated: set[int] = set()
        self._parquet_at = 0.0

    def __len__(self) -> int:
        return len(self._waiting) + len(self._outdated)

    @property
    def n_traces(self) -> int:
        """The number of shots that wait for traces, without those pausing after a failure."""
        return len(self._ready)

    def add(self, traces_of: Iterable[int], pages_of: Iterable[int] = ()) -> None:
        """Add shots whose traces, or whose pages, have to be made."""
        for number in set(traces_of):
            self._waiting.add(number)
            self._begun.pop(number, None)  # its inputs may have changed
        self._outdated |= set(pages_of)

    def take_pages(self) -> list[int]:
        """Remove and return some shots with outdated pages."""
        taken = sorted(self._outdated)[-PAGES:]
        self._outdated -= set(taken)
        return taken

    def work(self, source: SiteSource, writer: Writer) -> list[int]:
        """Make traces for a while; return the finished shots. What takes longer is gone on with.

        A shot of which a signal cannot be read is finished, and tried again after a pause.
        """
        end = time.monotonic() + SLICE_S
        done: list[int] = []
        self._drop_removed(source)
        for number in sorted(self._ready, reverse=True):
            steps = self._begun.pop(number, None)
            steps = steps or steps_of_traces(source, number, writer, self._settings)
            if not self._attempts.do(self._name(number), partial(self._go_on, number, steps, end)):
                if isinstance(self._attempts.error(self._name(number)), UnreadableSignals):
                    done.append(number)
                continue
            if number in self._begun:
                break
            self._waiting.discard(number)
            done.append(number)
        return done

    def _go_on(self, number: int, steps: Iterator[None], end: float) -> None:
        """Take steps until there are no more, or it is late."""
        for _ in steps:
            if time.monotonic() > end:
                self._begun[number] = steps
                return

    def _drop_removed(self, source: SiteSource) -> None:
        """Forget shots that are gone, and what was begun of their traces."""
        for number in self._waiting - set(source.shots()):
            self._waiting.discard(number)
            self._begun.pop(number, None)
            self._attempts.forget(self._name(number))

    @property
    def _ready(self) -> list[int]:
        return [n for n in self._waiting if self._attempts.ready(self._name(n))]

    @staticmethod
    def _name(number: int) -> str:
        return f"make the traces of shot {number}"

    def update_scraps(self, writer: Writer) -> bool:
        """Update the file of all scraps if it is outdated and its interval over."""
        now = time.monotonic()
        if self._parquet_at and now - self._parquet_at < self._settings.parquet_every_s:
            return False
        new = update_parquet(writer.out)
        self._parquet_at = now
        return new


def do_deferred_work(coordinator: Coordinator, deferred: DeferredWork) -> list[int]:
    """Do deferred work for a while, when nothing else is to be done.

    Return the shots to publish again: they have new traces and downloads, or a changed history.
    """
    writer = Writer.plain(coordinator.workspace.site)
    if deferred.n_traces:
        source = WorkspaceSource(coordinator.workspace, coordinator.catalogue)
        done = deferred.work(source, writer)
        logger.info(
            "made traces of shots %s; %d waiting", ", ".join(map(str, done)), deferred.n_traces
        )
        return done
    if pages := deferred.take_pages():
        return pages
    if deferred.update_scraps(writer):
        logger.info("updated the file of all scraps")
    return []


def old_shots(coordinator: Coordinator) -> list[Subject]:
    """Return the shots to publish again because they have data older than the settings keep."""
    settings = coordinator.settings.publish
    if not (settings.keep_tiles_days or settings.keep_figures_days):
        return []
    catalogue = coordinator.catalogue
    dates = {}
    for day in catalogue.days():
        for number in catalogue.shots(day):
            dates[number] = datetime.fromisoformat(day)
    return [Subject.shot(n) for n in shots_over_age(coordinator.workspace.site, dates, settings)]


def shots_over_age(
    out: Path, dates: Mapping[int, datetime | None], settings: PublishSettings
) -> Iterable[int]:
    """Yield the shots with traces or figures beyond the age that the settings keep."""
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
