"""The sets of pages: those of a shot, day or range, and the reference pages.

Reference pages are those of templates, signals, devices, weeks, months and the bibliography. Every
publication writes all of them, except weeks and months, whose number grows with the archive: only
those with a changed day are written.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from functools import partial
from pathlib import Path

from runner.kernel.warm.processes import end_with_parent
from runner.publish.addresses import FAILURES_FEED, FEED, subject_folder, template_page
from runner.publish.data.archive import write_raw_files
from runner.publish.data.traces_and_downloads import keep_shot_data
from runner.publish.page_models import Page
from runner.publish.pages.bibliography import bibliography_page, read_bibliography
from runner.publish.pages.calendar_pages import Kind, keys_of, period_link, period_page
from runner.publish.pages.declared import (
    device_page_of,
    devices_page,
    signal_link,
    signal_page_of,
    signals_page,
)
from runner.publish.pages.feeds import failures_feed, shots_feed
from runner.publish.pages.report_page import report_page
from runner.publish.pages.shots import day_page, shot_page
from runner.publish.pages.templates import template_page_of, templates_page
from runner.publish.records import ReportRecord
from runner.publish.subject_data import (
    day_summary_json,
    day_summary_path,
    scraps_data,
    shot_data,
    summarise_day,
)
from runner.publish.view import View
from runner.publish.writer import Writer, json_bytes
from runner.receipts import NOTEBOOK, Subject
from runner.render.fragment import read_fragment
from runner.render.notebook import THUMBNAIL, render_report
from runner.render.sanitise import FIGURES
from runner.templates.origin_cell import with_origin


def exists(view: View, subject: Subject) -> bool:
    """Return whether there is such a shot, day or range."""
    if subject.scope == "shot":
        return subject.number in view.known
    return subject.scope == "range" or subject.key in view.counts


def render_missing(
    view: View, subjects: Iterable[Subject], theme: Path | None, *, workers: int
) -> None:
    """Render the reports whose body is missing or from another version of the renderer."""
    folders: dict[Path, None] = {}
    for subject in dict.fromkeys(subjects):
        if not exists(view, subject):
            continue
        for report in (*view.reports(subject), *view.reruns(subject)):
            has_notebook = (report.folder / NOTEBOOK).is_file()
            if has_notebook and read_fragment(report.folder, view.renderer) is None:
                folders[report.folder] = None
        view.forget(subject)
    if workers > 1 and len(folders) > 2 * workers:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # no fork: this process may have threads, and the source has open files
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
            list(pool.map(partial(_render, theme=theme), folders, chunksize=4))
    else:
        for folder in folders:
            _render(folder, theme=theme)


def _render(folder: Path, *, theme: Path | None) -> None:
    render_report(folder / NOTEBOOK, folder, theme=theme)


def write_subject(view: View, subject: Subject, writer: Writer) -> None:
    """Write the pages and data of a subject with the files of its reports; reports first."""
    if not exists(view, subject):
        return
    for report in (*view.reports(subject), *view.reruns(subject)):
        _write_files(view, report, writer)
        writer.page(report_page(view, report), rank=0)
    if subject.scope == "shot":
        folder, number = subject_folder(subject), subject.number
        writer.data(f"{folder}/shot", shot_data(view, number))
        writer.bytes(f"{folder}/scraps.json", json_bytes(scraps_data(view, number)))
        keep_shot_data(number, writer)
        write_raw_files(view.source, number, writer, view.settings)  # the page links to them
        writer.page(shot_page(view, subject.number), rank=1)
    elif subject.scope == "day":
        numbers = day_summary_json(subject.key, summarise_day(view, subject.key))
        writer.bytes(day_summary_path(subject.key), numbers, rank=1)
        writer.page(day_page(view, subject.key), rank=2)


def _write_files(view: View, report: ReportRecord, writer: Writer) -> None:
    notebook = report.folder / NOTEBOOK
    if not notebook.is_file():
        return
    source = view.source
    content = with_origin(notebook.read_bytes(), source.folder(), source.facility.url)
    writer.bytes(f"{report.stem}.ipynb", content)
    fragment = view.fragment(report)
    if fragment is None:
        return
    for file in fragment.files:
        writer.copy(f"{report.stem}/{file}", report.folder / FIGURES / file, by_name=True)
    if fragment.thumbnail and not report.receipt.rerun and report.receipt.scope != "range":
        writer.copy(f"{report.stem}/{THUMBNAIL}", report.folder / THUMBNAIL)


FOLDERS = ("templates", "signals", "devices", "weeks", "months")


def write_reference_pages(view: View, writer: Writer, days: Collection[str] | None) -> set[str]:
    """Write the reference pages; return the paths of weeks and months that no longer exist.

    Parameters
    ----------
    days
        The days that changed; None for everything.
    """
    signals, devices = view.source.signals(), view.source.devices()
    links = [signal_link(s.name) for s in signals]
    pages: list[Page] = [signals_page(signals), devices_page(devices), templates_page(view)]
    pages += [signal_page_of(s, signals) for s in signals]
    pages += [device_page_of(d) for d in devices]
    for template in view.templates.values():
        if template.path is not None:
            notebook = template_page(template.name).removesuffix(".html") + ".ipynb"
            writer.copy(notebook, template.path)
        pages.append(template_page_of(view, template, links))
    pages.append(bibliography_page(read_bibliography(view.references)))
    removed = set()
    kinds: tuple[Kind, ...] = ("week", "month")
    for kind in kinds:
        every = keys_of(kind, view.days)
        changed = every if days is None else list(_changed(kind, days, every, writer))
        pages += [period_page(view, key, every) for key in changed if key in set(every)]
        removed |= {period_link(key).href for key in changed if key not in set(every)}
    for page in pages:
        writer.page(page, rank=2)
    writer.bytes(FEED, shots_feed(view), rank=3)
    writer.bytes(FAILURES_FEED, failures_feed(view), rank=3)
    return removed


def _changed(kind: Kind, days: Iterable[str], every: list[str], writer: Writer) -> Iterator[str]:
    """Yield the weeks or months of some days, and the neighbours of new and removed ones."""
    known = set(every)
    for key in keys_of(kind, days):
        yield key
        is_there = (writer.out / period_link(key).href).is_file()
        if (key in known) != is_there:
            around = [k for k in every if k != key]
            before = [k for k in around if k < key][-1:]
            after = [k for k in around if k > key][:1]
            yield from (*before, *after)
