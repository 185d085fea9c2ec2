"""Publishing: the whole site, or only the pages that mention some subjects.

Readers may load pages while this runs, so the order matters. Files that nothing links to yet are
written first (assets, figures, notebooks, then new pages). Changed pages are written to temporary
files and renamed at the end, leaves before indexes; files that no page mentions any more are
removed last. A page is written only if its bytes differ.
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
from runner.publish.addresses import UNDATED, raw_folder, subject_folder, subject_page
from runner.publish.data.index import SiteData, has_data
from runner.publish.data.parquet import update_parquet
from runner.publish.data.shards import SHARD, SHARDS
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
from runner.publish.source import WorkspaceSource, open_source
from runner.publish.view import View
from runner.publish.view_models import Site
from runner.publish.worker_pool import MIN_SHOTS, PoolSettings, WorkerPool, start_pool
from runner.publish.writer import Writer
from runner.receipts import Subject
from runner.render.notebook import renderer_version
from runner.render.theme import Theme
from runner.settings.file import Settings
from runner.settings.publishing import PublishSettings

log = logging.getLogger(__name__)

# 'self' includes file:// in Chromium; see docs/site.md. Pages may load nothing from elsewhere.
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; "
    "base-uri 'none'; form-action 'none'"
)
STAMP = ".ishtar-site"
DEFAULTS = PublishSettings()


class NotASite(IshtarError, FileExistsError):
    """The folder contains files that are not a site."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a publication did: paths in the site that were written and removed.

    ``without_traces`` lists the shots whose traces must still be made; ``outdated`` those whose
    pages show the history of a result without the latest change of an earlier shot; ``damaged``
    the folders of reports whose receipts cannot be read.
    """

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]
    without_traces: tuple[int, ...] = ()
    outdated: tuple[int, ...] = ()
    damaged: tuple[str, ...] = ()
    seconds: float


class CoordinatorLike(Protocol):
    """What publishing needs of a coordinator: where to read, and the settings of the site."""

    workspace: Workspace
    catalogue: Catalogue
    settings: Settings


def publish_workspace(
    coordinator: CoordinatorLike, only: Sequence[Subject] | None = None, *, traces: bool = True
) -> Published:
    """Build the site of a workspace, or the pages that mention some subjects.

    Without ``traces``, `Published.without_traces` lists the shots whose traces must still be made.
    """
    workspace = coordinator.workspace
    source = WorkspaceSource(workspace, coordinator.catalogue)
    source.mark_changed()
    workers = 1 if only is not None else coordinator.settings.run.processes
    published = publish(
        source,
        workspace.site,
        only=only,
        theme=workspace.theme,
        workers=workers,
        opener=partial(open_source, workspace.root),
        settings=coordinator.settings.publish,
        traces=traces,
    )
    for folder, why in source.damaged.items():
        log.warning("%s: %s", folder, why)
        coordinator.catalogue.remove_report(folder)
    titles = {t.name: t.title or t.name for t in source.templates()}
    coordinator.catalogue.put_shown(workspace.site / SHARDS, SHARD, titles)
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
        The shots, reports and declarations to publish.
    out
        Folder of the site: new, empty, or an existing site.
    only
        The shots, days and ranges that changed; None for everything.
    theme
        A workspace's own theme, searched before the packaged one.
    workers
        Number of processes that render reports without a page body.
    opener
        Opens the same source in another process, so that ``workers`` processes share a full build.
    settings
        How deep traces go, and what is removed of old shots.
    traces
        Make missing traces once the pages are in place, and update the histories of results on the
        pages of later shots.

    Raises
    ------
    NotASite
        ``out`` contains other files.
    """
    began = time.perf_counter()
    _claim(out)
    loaded_theme = Theme.load(theme)
    view = View(
        source,
        renderer_version(loaded_theme),
        out,
        settings=settings,
    )
    if not ((out / "index.html").is_file() and has_data(out)):
        only = None
    subjects = _subjects(view, only, out)
    shared = _with_logo(Site.of(loaded_theme, source.facility, CSP), source)
    use_pool = only is None and workers > 1 and len(view.numbers) >= MIN_SHOTS
    pool_of: AbstractContextManager[WorkerPool | None] = nullcontext()
    if opener and use_pool:
        common = PoolSettings(open=opener, out=out, shared=shared, theme=theme, settings=settings)
        pool_of = start_pool(workers, common)
    with pool_of as pool:
        writer = Writer(out, loaded_theme, shared)
        build = _Build(
            view=view,
            writer=writer,
            data=SiteData(view, writer, settings, full=only is None),
            subjects=subjects,
            full=only is None,
            pool=pool,
        )
        try:
            _write_assets(build, shared)
            _write_subjects(build, theme, workers)
            removed = _write_indexes(build, loaded_theme)
            writer.switch()
        finally:
            writer.drop_staged()
        _remove_old(build, removed)
        outdated = [] if build.full else _outdated(view, subjects, writer.written)
        if traces:
            _write_traces(build, outdated, settings)
    done = Published(
        written=tuple(writer.written),
        unchanged=writer.unchanged,
        removed=tuple(writer.removed),
        without_traces=() if traces else tuple(build.data.without_traces),
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


@dataclass(frozen=True, kw_only=True)
class _Build:
    """One publication: what its steps share. Without ``full``, only ``subjects`` are published."""

    view: View
    writer: Writer
    data: SiteData
    subjects: Sequence[Subject]
    full: bool
    pool: WorkerPool | None


def _subjects(view: View, only: Collection[Subject] | None, out: Path) -> list[Subject]:
    """Return the subjects to publish, and tell the view which shots' pages change."""
    if only is None:
        return list(_everything(view))
    view.changing = frozenset()
    subjects = list(_mentioning(view, only, out))
    view.changing = frozenset(s.number for s in subjects if s.scope == "shot")
    return subjects


def _write_assets(build: _Build, shared: Site) -> None:
    build.writer.assets()
    if shared.logo:
        build.writer.copy(shared.logo, build.view.source.logo(), by_name=True)


def _write_subjects(build: _Build, theme: Path | None, workers: int) -> None:
    """Write the pages and the data of the subjects; with a pool, it writes those of shots."""
    view, writer, data = build.view, build.writer, build.data
    subjects = build.subjects
    if build.pool:
        subjects = [s for s in subjects if s.scope != "shot"]
        for part in build.pool.pages(view.numbers):
            writer.merge(part.written)
            view.add_shot_summaries(part.summaries)
            data.add(part.collected)
            view.source.damaged.update(part.damaged)
    render_missing(view, [*subjects, *_newest(view)], theme, workers=workers)
    for subject in subjects:
        write_subject(view, subject, writer)
        if subject.scope == "shot":
            data.add_shot(subject.number)
        view.forget(subject)
    data.write()


def _write_indexes(build: _Build, theme: Theme) -> set[str]:
    """Write the pages that lead to others; return the paths of those that no longer exist."""
    view, writer = build.view, build.writer
    write_across(view, writer)
    days = None if build.full else _days(view, build.subjects)
    removed = write_reference_pages(view, writer, days)
    writer.page(days_page(view), rank=2)
    if view.undated:
        writer.page(undated_page(view), rank=2)
    else:
        removed.add(UNDATED)
    writer.page(traces_page(theme.assets), rank=3)
    writer.page(not_found_page(), rank=3)
    writer.page(latest_page(view), rank=3)
    writer.page(home_page(view), rank=3)  # last: it leads to all others
    return removed


def _remove_old(build: _Build, removed: set[str]) -> None:
    """Remove the files that no page mentions, and update the table of all scraps."""
    folders = None if build.full else {subject_folder(s) for s in build.subjects}
    if folders is not None:
        folders |= {raw_folder(s.number) for s in build.subjects if s.scope == "shot"}
    pages = {subject_page(s) for s in build.subjects} | removed
    build.writer.remove_unmentioned(folders, pages)
    if build.full:
        update_parquet(build.writer.out)


def _write_traces(build: _Build, outdated: Sequence[int], settings: PublishSettings) -> None:
    """Make the traces of shots that have none, and update the pages that depend on them."""
    view, writer, shots = build.view, build.writer, build.data.without_traces
    for number in outdated:
        writer.page(shot_page(view, number), rank=1)
    if build.pool:
        for written in build.pool.traces(shots):
            writer.merge(written)
    else:
        make_traces(view.source, shots, writer, settings)
        for number in shots:  # now there is more to download
            writer.page(shot_page(view, number), rank=1)
    writer.switch()


def _claim(out: Path) -> None:
    """Make sure that the folder is a site, or mark an empty one as a site."""
    out.mkdir(parents=True, exist_ok=True)
    if not (out / STAMP).exists():
        if any(not p.name.startswith(TEMPORARY_PREFIX) for p in out.iterdir()):
            raise NotASite(
                f"{out} contains files that are not a site: publish into an empty folder"
            )
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
    """Yield the subjects whose pages mention those of ``only``: neighbours, and days of shots."""
    shots: dict[Subject, None] = {}
    days: dict[Subject, None] = {}
    for subject in sorted(only):
        if subject.scope == "shot":
            shots[subject] = None
            # its own pages first, then the pages that link to it
            shots |= {s: None for s in view.neighbours(subject) if s}
            if subject.number in view.known and (date := view.shot(subject.number).date):
                days[Subject.day(f"{date:%Y-%m-%d}")] = None
        elif subject.scope == "day":
            days[subject] = None
    for day in list(days):
        # a day with reports of its own, or a new one, changes the links of its neighbour days
        if view.reports(day) or not (out / subject_page(day)).is_file():
            days |= {d: None for d in view.neighbours(day) if d}
    yield from shots
    yield from days
    yield from sorted(s for s in only if s.scope == "range")


def _outdated(view: View, subjects: Iterable[Subject], written: Collection[str]) -> Sequence[int]:
    """Return the shots whose histories include a shot of ``subjects`` with a changed page."""
    shots = [s for s in subjects if s.scope == "shot"]
    changed = [s.number for s in shots if subject_page(s) in written]
    later = {n for number in changed for n in shots_after(view, number)}
    return sorted(later - {s.number for s in shots})


def _newest(view: View) -> list[Subject]:
    """Return the subjects whose reports the home page and the latest one show."""
    shots = [Subject.shot(n) for n in view.numbers[-1:]]
    return shots + [Subject.day(d) for d in view.days[-1:]]
