"""Publishing: the whole site, or only the pages that mention some subjects.

A reader may load pages while this runs, so the order matters. Files that nothing links to yet come
first (assets, figures, notebooks, then pages that are new); pages that change are prepared beside
their old selves and switched at the end, leaves before indexes; what is no longer mentioned goes
last. A page is written only where its bytes differ.
"""

from __future__ import annotations

import hashlib
import logging
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol

from ishtar.catalogue import Catalogue
from ishtar.errors import IshtarError
from ishtar.store import write_atomic
from ishtar.store.atomic import TEMPORARY_PREFIX
from ishtar.workspace import Workspace
from runner.publish.addresses import UNDATED, subject_folder, subject_page
from runner.publish.data.index import SiteData, has_data
from runner.publish.data.parquet import update_parquet
from runner.publish.data.traces_and_downloads import make_traces
from runner.publish.history import shots_after
from runner.publish.page_sets import render_missing, write_reference_pages, write_subject
from runner.publish.pages.across_shots import traces_page, write_across
from runner.publish.pages.landing import (
    days_page,
    home_page,
    latest_page,
    not_found_page,
    undated_page,
)
from runner.publish.pages.shots import shot_page
from runner.publish.records import SiteSource
from runner.publish.source import WorkspaceSource, opened
from runner.publish.view import View
from runner.publish.view_models import Site
from runner.publish.worker_pool import FEW, PoolSettings, WorkerPool, start_pool
from runner.publish.writer import Writer
from runner.receipts import Subject
from runner.render.notebook import renderer_version
from runner.render.theme import Theme
from runner.settings.file import Settings
from runner.settings.publishing import PublishSettings

log = logging.getLogger(__name__)

# 'self' holds for file:// as well in Chromium; see docs/site.md. Nothing may be asked of anywhere.
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'"
)
STAMP = ".ishtar-site"
DEFAULTS = PublishSettings()


class NotASite(IshtarError, FileExistsError):
    """A folder that holds something else than a site."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a publication did: paths in the site that were written and removed.

    ``without_traces`` are the shots whose traces are still to be made; ``outdated`` those whose
    pages show the history of results across a shot that has changed, and do not show the change
    yet; ``damaged`` the folders of reports whose receipts could not be read.
    """

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]
    without_traces: tuple[int, ...] = ()
    outdated: tuple[int, ...] = ()
    damaged: tuple[str, ...] = ()
    seconds: float


class Workplace(Protocol):
    """What publishing needs of a coordinator: where it reads, and how the site is set."""

    workspace: Workspace
    catalogue: Catalogue
    settings: Settings


def publish_workspace(
    coordinator: Workplace, only: Sequence[Subject] | None = None, *, traces: bool = True
) -> Published:
    """Build the site of a workspace, or the pages that mention some subjects.

    Without ``traces``, `Published.without_traces` says whose traces are left to be made.
    """
    workspace = coordinator.workspace
    source = WorkspaceSource(workspace, coordinator.catalogue)
    source.mark_changed()
    theme = workspace.theme if workspace.theme.is_dir() else None
    workers = 1 if only is not None else coordinator.settings.run.processes
    published = publish(
        source,
        workspace.site,
        only=only,
        theme=theme,
        workers=workers,
        opener=partial(opened, workspace.root),
        settings=coordinator.settings.publish,
        traces=traces,
    )
    for folder, why in source.damaged.items():
        log.warning("%s: %s", folder, why)
        coordinator.catalogue.remove_report(folder)
    return replace(published, damaged=tuple(source.damaged))


def publish(
    source: SiteSource,
    out: Path,
    *,
    only: Collection[Subject] | None = None,
    theme: Path | None = None,
    workers: int = 1,
    opener: Callable[[], SiteSource] | None = None,
    settings: PublishSettings = DEFAULTS,
    traces: bool = True,
) -> Published:
    """Build the site, or the pages that mention some subjects.

    Parameters
    ----------
    source
        Where the facts come from.
    out
        Folder of the site: empty, new, or a site already.
    only
        The shots, days and ranges that changed; None for everything.
    theme
        A workspace's own theme, searched before the packaged one.
    workers
        Processes that render reports which have no page body yet.
    opener
        Gives another process the same source; then a build of everything is shared by ``workers``.
    settings
        How deep traces go, and what is let go of old shots.
    traces
        Make the traces of the shots that lack them, once the pages are in place, and bring the
        courses of results on the pages of later shots up to date.

    Raises
    ------
    NotASite
        Where ``out`` holds other files.
    """
    began = time.perf_counter()
    _claim(out)
    looks = Theme.load(theme)
    view = View(
        source,
        renderer_version(looks),
        out,
        keep_figures_days=settings.keep_figures_days,
        first=settings.results,
    )
    if only is not None and not ((out / "index.html").is_file() and has_data(out)):
        only = None
    if only is not None:
        view.changing = frozenset()
    subjects = list(_everything(view) if only is None else _mentioning(view, only, out))
    if only is not None:
        view.changing = frozenset(s.number for s in subjects if s.scope == "shot")
    shared = _with_logo(Site.of(looks, source.facility, CSP), source)
    many = only is None and workers > 1 and len(view.numbers) >= FEW
    if opener and many:
        work = PoolSettings(open=opener, out=out, shared=shared, theme=theme, settings=settings)
        shared_work: AbstractContextManager[WorkerPool | None] = start_pool(workers, work)
    else:
        shared_work = nullcontext()
    with shared_work as pool:
        writer = Writer(out, looks, shared)
        data = SiteData(view, writer, settings, full=only is None)
        try:
            writer.assets()
            if shared.logo:
                writer.copy(shared.logo, source.logo(), by_name=True)
            alone = subjects
            if pool:
                alone = [s for s in subjects if s.scope != "shot"]
                for part in pool.pages(view.numbers):
                    writer.take(part.written)
                    view.take_shot_summaries(part.summaries)
                    data.put(part.collected)
                    source.damaged.update(part.damaged)
            render_missing(view, [*alone, *_newest(view)], theme, workers=workers)
            for subject in alone:
                write_subject(view, subject, writer)
                if subject.scope == "shot":
                    data.take(subject.number)
                view.forget(subject)
            data.write()
            write_across(view, writer)
            removed = write_reference_pages(
                view, writer, _days(view, subjects) if only is not None else None
            )
            writer.page(days_page(view), rank=2)
            if view.undated:
                writer.page(undated_page(view), rank=2)
            else:
                removed.add(UNDATED)
            writer.page(traces_page(looks.assets), rank=3)
            writer.page(not_found_page(), rank=3)
            writer.page(latest_page(view), rank=3)
            writer.page(home_page(view), rank=3)  # at last: it leads to all others
            writer.switch()
        finally:
            writer.drop_staged()
        kept = None if only is None else {subject_folder(s) for s in subjects}
        writer.remove_unmentioned(kept, {subject_page(s) for s in subjects} | removed)
        if only is None:
            update_parquet(out)
        outdated = _outdated(view, subjects, writer.written) if only is not None else ()
        if traces:
            for number in outdated:
                writer.page(shot_page(view, number), rank=1)
            if pool:
                for part_done in pool.traces(data.without_traces):
                    writer.take(part_done)
            else:
                make_traces(source, data.without_traces, writer, settings)
                for number in data.without_traces:  # now there is more to download
                    writer.page(shot_page(view, number), rank=1)
            writer.switch()
    done = Published(
        written=tuple(writer.written),
        unchanged=writer.unchanged,
        removed=tuple(writer.removed),
        without_traces=() if traces else tuple(data.without_traces),
        outdated=() if traces else tuple(outdated),
        seconds=time.perf_counter() - began,
    )
    log.info(
        "site: %d files written, %d unchanged, %d removed in %.2f s",
        len(done.written),
        done.unchanged,
        len(done.removed),
        done.seconds,
    )
    return done


def _claim(out: Path) -> None:
    """Make sure that what is going to be changed is ours."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / STAMP).exists():
        if any(not p.name.startswith(TEMPORARY_PREFIX) for p in out.iterdir()):
            raise NotASite(f"{out} holds files of others: publish into an empty folder")
        write_atomic(out / STAMP, "Made by ishtar publish; what it did not write it may remove.\n")


def _with_logo(site: Site, source: SiteSource) -> Site:
    if not source.facility.logo:
        return site
    file = source.logo()
    digest = hashlib.sha256(file.read_bytes()).hexdigest()[:10]
    return replace(site, logo=f"assets/logo.{digest}{file.suffix.lower()}")


def _days(view: View, subjects: Iterable[Subject]) -> set[str]:
    """Return the days of some subjects: their own, and those of shots."""
    shots = (
        view.shot_summary(s.number).date
        for s in subjects
        if s.scope == "shot" and s.number in view.known
    )
    days = {f"{date:%Y-%m-%d}" for date in shots if date}
    return days | {s.key for s in subjects if s.scope == "day"}


def _everything(view: View) -> Iterator[Subject]:
    yield from (Subject.shot(n) for n in view.numbers)
    yield from (Subject.day(d) for d in view.days)
    yield from view.source.ranges()


def _mentioning(view: View, only: Collection[Subject], out: Path) -> Iterator[Subject]:
    """Return the subjects whose pages mention those of ``only``: neighbours, and days of shots."""
    shots: dict[Subject, None] = {}
    days: dict[Subject, None] = {}
    for subject in sorted(only):
        if subject.scope == "shot":
            shots[subject] = None
            before, after = view.neighbours(subject.number)
            # its own pages first, then those that lead to it
            shots |= {Subject.shot(n): None for n in (before, after) if n is not None}
            if subject.number in view.known and (date := view.shot(subject.number).date):
                days[Subject.day(f"{date:%Y-%m-%d}")] = None
        elif subject.scope == "day":
            days[subject] = None
    for day in list(days):
        # a day with reports of its own, or a new one, changes what the days around it link to
        if view.reports(day) or not (out / subject_page(day)).is_file():
            days |= {Subject.day(d): None for d in view.neighbour_days(day.key) if d}
    yield from shots
    yield from days
    yield from sorted(s for s in only if s.scope == "range")


def _outdated(view: View, subjects: Iterable[Subject], written: Collection[str]) -> Sequence[int]:
    """Return the shots that show results of those of ``subjects`` whose pages have changed."""
    shots = [s for s in subjects if s.scope == "shot"]
    changed = [s.number for s in shots if subject_page(s) in written]
    later = {n for number in changed for n in shots_after(view, number)}
    return sorted(later - {s.number for s in shots})


def _newest(view: View) -> list[Subject]:
    """Return the subjects whose reports the home page and the latest one show."""
    shots = [Subject.shot(n) for n in view.numbers[-1:]]
    return shots + [Subject.day(d) for d in view.days[-1:]]
