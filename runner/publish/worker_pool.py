"""A full build by several processes: each writes the pages of some shots, then their traces.

The calling process writes shared pages (days, lists, indexes) from the results of the others. These
are spawned, not forked: the caller may have threads, and its source has open files.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runner.kernel.warm.processes import end_with_parent
from runner.publish.data.index import Collected, collect
from runner.publish.data.traces_and_downloads import make_traces
from runner.publish.page_sets import render_missing, write_subject
from runner.publish.pages.shots import shot_page
from runner.publish.records import SiteSource
from runner.publish.summaries import ShotSummary
from runner.publish.view import View
from runner.publish.view_models import Site
from runner.publish.writer import Writer, Written
from runner.receipts import Subject
from runner.render.notebook import renderer_version
from runner.render.theme import Theme
from runner.settings.publishing import PublishSettings

MAX_SHARE = 25  # shots per task at most
MIN_SHOTS = 20  # for fewer, starting processes costs more than it saves


@dataclass(frozen=True, kw_only=True)
class ShareResult:
    """The result of writing some shots' pages; ``damaged``: folders of reports, and why."""

    written: Written
    summaries: Mapping[int, ShotSummary]
    collected: Collected
    damaged: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """The arguments of every process; ``open`` returns a source of its own."""

    open: Callable[[], SiteSource]
    out: Path
    shared: Site
    theme: Path | None
    settings: PublishSettings


@dataclass(frozen=True, kw_only=True)
class WorkerPool:
    """Running processes."""

    pool: ProcessPoolExecutor
    processes: int

    def pages(self, numbers: Sequence[int]) -> Iterator[ShareResult]:
        """Write the pages of shots; `Writer.switch` of the caller puts changed ones in place."""
        return self.pool.map(_pages, self._shares(numbers))

    def traces(self, numbers: Sequence[int]) -> Iterator[Written]:
        """Make the traces of shots, and update their pages with the new downloads."""
        return self.pool.map(_traces, self._shares(numbers))

    def _shares(self, numbers: Sequence[int]) -> list[Sequence[int]]:
        size = max(1, min(MAX_SHARE, len(numbers) // (4 * self.processes)))
        return [numbers[i : i + size] for i in range(0, len(numbers), size)]


@contextmanager
def start_pool(processes: int, common: PoolSettings) -> Iterator[WorkerPool]:
    """Start processes; end them when the block ends."""
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_initialise,
        initargs=(common,),
    )
    with pool:
        yield WorkerPool(pool=pool, processes=processes)


# in each process ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Worker:
    """The state of a process between its tasks."""

    common: PoolSettings
    theme: Theme
    view: View

    def writer(self) -> Writer:
        return Writer(self.common.out, self.theme, self.common.shared)


_worker: list[_Worker] = []


def _initialise(common: PoolSettings) -> None:
    end_with_parent()
    theme = Theme.load(common.theme)
    view = View(
        common.open(),
        renderer_version(theme),
        common.out,
        settings=common.settings,
    )
    _worker[:] = [_Worker(common=common, theme=theme, view=view)]


def _pages(numbers: Sequence[int]) -> ShareResult:
    (worker,) = _worker
    view, writer = worker.view, worker.writer()
    subjects = [Subject.shot(n) for n in numbers]
    try:
        render_missing(view, subjects, worker.common.theme, workers=1)
        for subject in subjects:
            write_subject(view, subject, writer)
        collected = collect(view, numbers, writer, worker.common.settings)
        for subject in subjects:
            view.forget(subject)
        writer.place_new()
    except BaseException:
        writer.drop_staged()
        raise
    return ShareResult(
        written=writer.result(),
        summaries={n: view.shot_summary(n) for n in numbers},
        collected=collected,
        damaged=dict(view.source.damaged),
    )


def _traces(numbers: Sequence[int]) -> Written:
    (worker,) = _worker
    writer = worker.writer()
    make_traces(worker.view.source, numbers, writer, worker.common.settings)
    for number in numbers:
        writer.page(shot_page(worker.view, number), rank=1)
    writer.switch()
    return writer.result()
