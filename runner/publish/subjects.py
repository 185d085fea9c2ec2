"""The pages of one shot, day or range: rendering what its reports lack, and writing all of them."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path

from runner.kernel.warm.processes import end_with_parent
from runner.publish.addresses import report_stem, subject_folder
from runner.publish.daily import daily_json, daily_path, work_out
from runner.publish.data.deferred import keep_of_shot
from runner.publish.data.shot import scraps_data, shot_data
from runner.publish.encode import json_bytes
from runner.publish.pages.shots import day_page, report_page, shot_page
from runner.publish.records import ReportRecord
from runner.publish.view import Facts
from runner.publish.writer import Writer
from runner.receipts import NOTEBOOK, Subject
from runner.render.fragment import read_fragment
from runner.render.notebook import THUMBNAIL, render_report
from runner.render.sanitise import FIGURES


def exists(facts: Facts, subject: Subject) -> bool:
    """Whether there is such a shot, day or range."""
    if subject.scope == "shot":
        return subject.number in facts.known
    return subject.scope == "range" or subject.key in facts.counts


def render_missing(
    facts: Facts, subjects: Iterable[Subject], theme: Path | None, *, workers: int
) -> None:
    """Render the reports whose body is missing or was made by another renderer."""
    folders: dict[Path, None] = {}
    for subject in dict.fromkeys(subjects):
        if not exists(facts, subject):
            continue
        for report in (*facts.reports(subject), *facts.reruns(subject)):
            has_notebook = (report.folder / NOTEBOOK).is_file()
            if has_notebook and read_fragment(report.folder, facts.renderer) is None:
                folders[report.folder] = None
        facts.forget(subject)
    if workers > 1 and len(folders) > 2 * workers:
        import multiprocessing
        from concurrent.futures import ProcessPoolExecutor

        # not a fork of this process: it may have threads, and the source open files
        context = multiprocessing.get_context("spawn")
        with ProcessPoolExecutor(workers, mp_context=context, initializer=end_with_parent) as pool:
            list(pool.map(partial(_render, theme=theme), folders, chunksize=4))
    else:
        for folder in folders:
            _render(folder, theme=theme)


def _render(folder: Path, *, theme: Path | None) -> None:
    render_report(folder / NOTEBOOK, folder, theme=theme)


def write_subject(facts: Facts, subject: Subject, writer: Writer) -> None:
    """Write the pages and the data of a subject, and what its reports need; its reports first."""
    if not exists(facts, subject):
        return
    for report in (*facts.reports(subject), *facts.reruns(subject)):
        _write_files(facts, report, writer)
        writer.page(report_page(facts, report), rank=0)
    if subject.scope == "shot":
        folder, number = subject_folder(subject), subject.number
        writer.data(f"{folder}/shot", shot_data(facts, number))
        writer.bytes(f"{folder}/scraps.json", json_bytes(scraps_data(facts, number)))
        keep_of_shot(number, writer)
        writer.page(shot_page(facts, subject.number), rank=1)
    elif subject.scope == "day":
        numbers = daily_json(subject.key, work_out(facts, subject.key))
        writer.bytes(daily_path(subject.key), numbers, rank=1)
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
    for file in fragment.files:
        writer.copy(f"{stem}/{file}", report.folder / FIGURES / file, by_name=True)
    if fragment.thumbnail and not report.receipt.rerun and report.receipt.scope != "range":
        writer.copy(f"{stem}/{THUMBNAIL}", report.folder / THUMBNAIL)
