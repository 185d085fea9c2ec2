"""A build of everything by several processes: each writes the pages of some shots, then traces.

What all pages share (days, lists, indexes) is written by the process that asked, from what the
others hand back. They are no forks of it: it may have threads, and its source open files.
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

AT_ONCE = 25  # shots that a process takes; fewer where there are few
MIN_SHOTS = 20  # for fewer, starting processes costs more than it saves


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one process did for some shots; ``damaged`` are reports whose receipts are, and why."""

    written: Written
    summaries: Mapping[int, ShotSummary]
    collected: Collected
    damaged: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class PoolSettings:
    """What every process needs; ``open`` gives it a source of its own."""

    open: Callable[[], SiteSource]
    out: Path
    shared: Site
    theme: Path | None
    settings: PublishSettings


@dataclass(frozen=True, kw_only=True)
class WorkerPool:
    """Some processes at work."""

    pool: ProcessPoolExecutor
    processes: int

    def pages(self, numbers: Sequence[int]) -> Iterator[Part]:
        """Write the pages of shots; those that change wait for the caller's `Writer.switch`."""
        return self.pool.map(_pages, self._shares(numbers))

    def traces(self, numbers: Sequence[int]) -> Iterator[Written]:
        """Make the traces of shots, and their pages anew, as there is more to download then."""
        return self.pool.map(_traces, self._shares(numbers))

    def _shares(self, numbers: Sequence[int]) -> list[Sequence[int]]:
        size = max(1, min(AT_ONCE, len(numbers) // (4 * self.processes)))
        return [numbers[i : i + size] for i in range(0, len(numbers), size)]


@contextmanager
def start_pool(processes: int, work: PoolSettings) -> Iterator[WorkerPool]:
    """Start processes; end them when the block ends."""
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(work,),
    )
    with pool:
        yield WorkerPool(pool=pool, processes=processes)


# in each process ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Worker:
    """What a process keeps between its shares."""

    work: PoolSettings
    looks: Theme
    view: View

    def writer(self) -> Writer:
        return Writer(self.work.out, self.looks, self.work.shared)


_worker: list[_Worker] = []


def _begin(work: PoolSettings) -> None:
    end_with_parent()
    looks = Theme.load(work.theme)
    view = View(
        work.open(),
        renderer_version(looks),
        work.out,
        keep_figures_days=work.settings.keep_figures_days,
        first=work.settings.results,
    )
    _worker[:] = [_Worker(work=work, looks=looks, view=view)]


def _pages(numbers: Sequence[int]) -> Part:
    (bench,) = _worker
    view, writer = bench.view, bench.writer()
    subjects = [Subject.shot(n) for n in numbers]
    try:
        render_missing(view, subjects, bench.work.theme, workers=1)
        for subject in subjects:
            write_subject(view, subject, writer)
        collected = collect(view, numbers, writer, bench.work.settings)
        for subject in subjects:
            view.forget(subject)
        writer.settle()
    except BaseException:
        writer.drop_staged()
        raise
    return Part(
        written=writer.handed(),
        summaries={n: view.shot_summary(n) for n in numbers},
        collected=collected,
        damaged=dict(view.source.damaged),
    )


def _traces(numbers: Sequence[int]) -> Written:
    (bench,) = _worker
    writer = bench.writer()
    make_traces(bench.view.source, numbers, writer, bench.work.settings)
    for number in numbers:
        writer.page(shot_page(bench.view, number), rank=1)
    writer.switch()
    return writer.handed()
