"""Publishing: the whole site, or only the pages that mention some subjects.

A reader may load pages while this runs, so the order matters. Files that nothing links to yet come
first (assets, figures, notebooks, then pages that are new); pages that change are prepared beside
their old selves and switched at the end, leaves before indexes; what is no longer mentioned goes
last. A page is written only where its bytes differ.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from ishtar.errors import IshtarError
from ishtar.store import write_atomic
from ishtar.store.atomic import TEMPORARY_PREFIX
from runner.publish.addresses import (
    report_stem,
    subject_folder,
    subject_page,
)
from runner.publish.compose import day_page, report_page, shot_json, shot_page
from runner.publish.facts import Facts
from runner.publish.fragment import read_fragment
from runner.publish.fronts import days_page, home_page, latest_page, not_found_page
from runner.publish.notebook import THUMBNAIL, render_report, renderer_version
from runner.publish.parts import Site
from runner.publish.records import ReportRecord, SiteSource
from runner.publish.sanitise import FIGURES
from runner.publish.theme import Theme
from runner.publish.writer import Writer
from runner.receipts import NOTEBOOK, Subject

log = logging.getLogger(__name__)

# 'self' holds for file:// as well in Chromium; see docs/site.md. Nothing may be asked of anywhere.
CSP = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; "
    "base-uri 'none'; form-action 'none'"
)
STAMP = ".ishtar-site"


class NotASite(IshtarError, FileExistsError):
    """A folder that holds something else than a site."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What a publication did: paths in the site that were written and removed."""

    written: tuple[str, ...]
    unchanged: int
    removed: tuple[str, ...]
    seconds: float


def publish(
    source: SiteSource,
    out: Path,
    *,
    only: Collection[Subject] | None = None,
    theme: Path | None = None,
    workers: int = 1,
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

    Raises
    ------
    NotASite
        Where ``out`` holds other files.
    """
    began = time.perf_counter()
    _claim(out)
    looks = Theme.load(theme)
    facts = Facts(source, renderer_version(looks))
    if only is not None and not (out / "index.html").is_file():
        only = None
    subjects = list(_everything(facts) if only is None else _mentioning(facts, only, out))
    _render_missing(facts, subjects, theme, workers)
    writer = Writer(out, looks, _site(source, looks))
    try:
        writer.assets()
        for subject in subjects:
            _write_subject(facts, subject, writer)
            facts.forget(subject)
        writer.page(days_page(facts), rank=2)
        writer.page(latest_page(facts), rank=3)
        writer.page(home_page(facts), rank=3)
        writer.page(not_found_page(), rank=3)
        writer.switch()
    finally:
        writer.drop_staged()
    kept = None if only is None else {subject_folder(s) for s in subjects}
    writer.remove_unmentioned(kept, {subject_page(s) for s in subjects})
    done = Published(
        written=tuple(writer.written),
        unchanged=writer.unchanged,
        removed=tuple(writer.removed),
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


def _site(source: SiteSource, theme: Theme) -> Site:
    names = theme.asset_names
    return Site(
        facility=source.facility,
        styles=[f"assets/{n}" for n in names.values() if n.endswith(".css")],
        scripts=[f"assets/{n}" for n in names.values() if n.endswith(".js")],
        icon=f"assets/{names['mark.svg']}",
        csp=CSP,
    )


def _everything(facts: Facts) -> Iterator[Subject]:
    yield from (Subject.shot(n) for n in facts.numbers)
    yield from (Subject.day(d) for d in facts.days)
    yield from facts.source.ranges()


def _mentioning(facts: Facts, only: Collection[Subject], out: Path) -> Iterator[Subject]:
    """Return the subjects whose pages mention those of ``only``: neighbours, and days of shots."""
    known = set(facts.numbers)
    shots: dict[Subject, None] = {}
    days: dict[Subject, None] = {}
    for subject in sorted(only):
        if subject.scope == "shot":
            shots[subject] = None
            before, after = facts.neighbours(subject.number)
            # its own pages first, then those that lead to it
            shots |= {Subject.shot(n): None for n in (before, after) if n is not None}
            if subject.number in known and (date := facts.shot(subject.number).date):
                days[Subject.day(f"{date:%Y-%m-%d}")] = None
        elif subject.scope == "day":
            days[subject] = None
    for day in list(days):
        # a day with reports of its own, or a new one, changes what the days around it link to
        if facts.reports(day) or not (out / subject_page(day)).is_file():
            days |= {Subject.day(d): None for d in facts.neighbour_days(day.key) if d}
    yield from shots
    yield from days
    yield from sorted(s for s in only if s.scope == "range")


def _exists(facts: Facts, subject: Subject) -> bool:
    if subject.scope == "shot":
        return subject.number in set(facts.numbers)
    return subject.scope == "range" or subject.key in set(facts.days)


# rendering of reports ------------------------------------------------------------------------


def _render_missing(
    facts: Facts, subjects: Iterable[Subject], theme: Path | None, workers: int
) -> None:
    """Render the reports whose body is missing or was made by another renderer."""
    newest = [Subject.shot(n) for n in facts.numbers[-1:]]
    newest += [Subject.day(d) for d in facts.days[-1:]]
    folders: dict[Path, None] = {}
    for subject in dict.fromkeys([*subjects, *newest]):
        if not _exists(facts, subject):
            continue
        for report in (*facts.reports(subject), *facts.reruns(subject)):
            has_notebook = (report.folder / NOTEBOOK).is_file()
            if has_notebook and read_fragment(report.folder, facts.renderer) is None:
                folders[report.folder] = None
    if workers > 1 and len(folders) > 2 * workers:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # not a fork of this process: it may have threads, and the source open files
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context) as pool:
            list(pool.map(partial(_render, theme=theme), folders, chunksize=4))
    else:
        for folder in folders:
            _render(folder, theme=theme)


def _render(folder: Path, *, theme: Path | None) -> None:
    render_report(folder / NOTEBOOK, folder, theme=theme)


# writing -------------------------------------------------------------------------------------


def _write_subject(facts: Facts, subject: Subject, writer: Writer) -> None:
    if not _exists(facts, subject):
        return
    for report in (*facts.reports(subject), *facts.reruns(subject)):
        _write_files(facts, report, writer)
        writer.page(report_page(facts, report), rank=0)
    if subject.scope == "shot":
        writer.bytes(f"{subject_folder(subject)}/shot.json", shot_json(facts, subject.number))
        writer.page(shot_page(facts, subject.number), rank=1)
    elif subject.scope == "day":
        writer.page(day_page(facts, subject.key), rank=2)


def _write_files(facts: Facts, report: ReportRecord, writer: Writer) -> None:
    stem = report_stem(report.receipt)
    notebook = report.folder / NOTEBOOK
    if not notebook.is_file():
        return
    writer.copy(f"{stem}.ipynb", notebook)
    fragment = facts.fragment(report)
    if fragment is None:
        return
    for picture in fragment.figures:
        writer.copy(f"{stem}/{picture.file}", report.folder / FIGURES / picture.file, by_name=True)
    if fragment.thumbnail and not report.receipt.rerun and report.receipt.scope != "range":
        writer.copy(f"{stem}/{THUMBNAIL}", report.folder / THUMBNAIL)
