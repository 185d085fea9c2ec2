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
from runner.publish.data.deferred import make_traces
from runner.publish.data.index import Collected, collect
from runner.publish.page_sets import render_missing, write_subject
from runner.publish.pages.shots import shot_page
from runner.publish.records import SiteSource
from runner.publish.summaries import ShotLine
from runner.publish.view import Facts
from runner.publish.view_models import Site
from runner.publish.writer import Writer, Written
from runner.receipts import Subject
from runner.render.notebook import renderer_version
from runner.render.theme import Theme
from runner.settings.site import PublishSettings

AT_ONCE = 25  # shots that a process takes; fewer where there are few
FEW = 20  # shots that are not worth starting processes for


@dataclass(frozen=True, kw_only=True)
class Part:
    """What one process did for some shots; ``damaged`` are reports whose receipts are, and why."""

    written: Written
    lines: Mapping[int, ShotLine]
    collected: Collected
    damaged: Mapping[str, str]


@dataclass(frozen=True, kw_only=True)
class Work:
    """What every process needs; ``open`` gives it a source of its own."""

    open: Callable[[], SiteSource]
    out: Path
    shared: Site
    theme: Path | None
    settings: PublishSettings


@dataclass(frozen=True, kw_only=True)
class Crew:
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
def crew_of(processes: int, work: Work) -> Iterator[Crew]:
    """Start processes; end them when the block ends."""
    pool = ProcessPoolExecutor(
        processes,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_begin,
        initargs=(work,),
    )
    with pool:
        yield Crew(pool=pool, processes=processes)


# in each process ---------------------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class _Bench:
    """What a process keeps between its shares."""

    work: Work
    looks: Theme
    facts: Facts

    def writer(self) -> Writer:
        return Writer(self.work.out, self.looks, self.work.shared)


_bench: list[_Bench] = []


def _begin(work: Work) -> None:
    end_with_parent()
    looks = Theme.load(work.theme)
    facts = Facts(
        work.open(),
        renderer_version(looks),
        work.out,
        keep_figures_days=work.settings.keep_figures_days,
        first=work.settings.results,
    )
    _bench[:] = [_Bench(work=work, looks=looks, facts=facts)]


def _pages(numbers: Sequence[int]) -> Part:
    (bench,) = _bench
    facts, writer = bench.facts, bench.writer()
    subjects = [Subject.shot(n) for n in numbers]
    try:
        render_missing(facts, subjects, bench.work.theme, workers=1)
        for subject in subjects:
            write_subject(facts, subject, writer)
        collected = collect(facts, numbers, writer, bench.work.settings)
        for subject in subjects:
            facts.forget(subject)
        writer.settle()
    except BaseException:
        writer.drop_staged()
        raise
    return Part(
        written=writer.handed(),
        lines={n: facts.line(n) for n in numbers},
        collected=collected,
        damaged=dict(facts.source.damaged),
    )


def _traces(numbers: Sequence[int]) -> Written:
    (bench,) = _bench
    writer = bench.writer()
    make_traces(bench.facts.source, numbers, writer, bench.work.settings)
    for number in numbers:
        writer.page(shot_page(bench.facts, number), rank=1)
    writer.switch()
    return writer.handed()
