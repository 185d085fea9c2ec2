"""Running a preview: the current template on golden shots, compared with published reports."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import time
from collections.abc import Sequence
from concurrent.futures import Future, as_completed
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

from ishtar.catalogue import Catalogue
from ishtar.errors import IshtarError
from ishtar.query.shot_numbers import select
from ishtar.store import write_atomic
from ishtar.store.atomic import TEMPORARY_PREFIX
from runner.errors import ParameterError, WorkersLost
from runner.execution.execute import execute
from runner.jobs import Done, Event, Job, Listener
from runner.preview.code_difference import code_difference
from runner.preview.compare import compare_inputs, compare_scraps
from runner.preview.figure_difference import compare_figures, figures_of
from runner.preview.preview_page import write_pages
from runner.preview.preview_result import Preview, SubjectPreview
from runner.receipts import NOTEBOOK, DamagedReceipt, Receipt, Subject
from runner.render.theme import Theme
from runner.render.untrusted import UnreadableNotebook
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import make_failed_report, make_job, open_workers
from runner.templates.ranges import range_of
from runner.templates.template import Template

PREVIEWS = "trials"  # folder of a workspace
LEFTOVER_S = 24 * 3600.0  # age after which files of a killed preview are removed


def golden_subjects(catalogue: Catalogue, template: Template, text: str | None) -> list[Subject]:
    """Return the subjects of a preview.

    Parameters
    ----------
    text
        A selection of shots; for a template of days, days or shots of them; for one of ranges,
        ranges separated by commas. None for the golden ones of its sidecar, else the latest.

    Raises
    ------
    BadShotSelection, NoSuchShot, ParameterError
        The text selects nothing that the template can run on.
    """
    text = text or ",".join(template.golden) or "latest"
    known, parts = catalogue.shots(), [part.strip() for part in text.split(",")]
    if template.scope == "shot":
        return [Subject.shot(n) for n in select(text, known)]
    if template.scope == "range":
        return list(dict.fromkeys(range_of(part, known, template.name) for part in parts))
    days = catalogue.days()
    chosen = {part for part in parts if part in days}
    if shots := [part for part in parts if part not in chosen]:
        numbers = set(select(",".join(shots), known))
        chosen |= {day for day in days if numbers & set(catalogue.shots(day))}
    if not chosen:
        raise ParameterError(
            f"{template.name} runs on days, and {text!r} selects no day with shots: write "
            f"{days[-1] if days else '2026-11-22'}"
        )
    return [Subject.day(day) for day in sorted(chosen)]


def preview_template(
    coordinator: Coordinator,
    template: Template,
    subjects: Sequence[Subject],
    *,
    workers: int | None = None,
    listener: Listener | None = None,
) -> Preview:
    """Run a template on some subjects and compare the results with the published reports.

    The preview replaces the last one in ``trials/NAME/`` of the workspace atomically. It changes
    neither official reports nor the catalogue nor the site.

    Parameters
    ----------
    workers
        Number of processes; 0 runs in this one, None uses the settings.
    """
    parent = coordinator.workspace.root / PREVIEWS
    _prepare(parent)
    folder = parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}"
    folder.mkdir()
    try:
        made = str(folder / "made")
        jobs = [
            make_job(coordinator, template, subject, rerun=True, reports=made)
            for subject in subjects
        ]
        found = _run(coordinator, jobs, workers, listener)
        for done in found:
            os.rename(folder / "made" / done.folder, folder / done.receipt.subject)
        shutil.rmtree(folder / "made")
        preview = Preview(
            template=template.name,
            title=template.title,
            folder=parent / template.name,
            subjects=tuple(
                _compared(coordinator, done.receipt, folder / done.receipt.subject)
                for done in found
            ),
        )
        own = coordinator.workspace.theme
        write_pages(
            preview,
            folder,
            facility=coordinator.settings.facility,
            theme=Theme.load(own if own.is_dir() else None),
        )
        _replace(folder, preview.folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return preview


def _prepare(parent: Path) -> None:
    """Make the folder of previews, which git ignores; remove remains of killed ones."""
    parent.mkdir(exist_ok=True)
    if not (parent / ".gitignore").exists():
        write_atomic(parent / ".gitignore", "*\n")
    for path in parent.glob(f"{TEMPORARY_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):  # another preview has just removed it
            if time.time() - path.stat().st_mtime > LEFTOVER_S:
                shutil.rmtree(path, ignore_errors=True)


def _run(
    coordinator: Coordinator, jobs: Sequence[Job], workers: int | None, listener: Listener | None
) -> list[Done]:
    """Run all jobs; return their outcomes in the same order."""
    processes = coordinator.settings.run.processes if workers is None else workers
    with open_workers(coordinator, min(processes, len(jobs))) as pool:
        futures: dict[Future[Done], Job] = {}
        for job in jobs:
            if listener:
                listener(Event(kind="planned", job=job, total=len(jobs)))
            futures[pool.submit(execute, job)] = job
        made: dict[Subject, Done] = {}
        for n, future in enumerate(as_completed(futures), start=1):
            job = futures[future]
            try:
                done = future.result()
            except WorkersLost as error:
                done = make_failed_report(job, error)
            except BrokenProcessPool as error:
                raise IshtarError(
                    f"{job}: its worker died; check the system log for lack of memory"
                ) from error
            made[job.subject] = done
            if listener:
                listener(Event(kind="done", job=job, done=done, index=n, total=len(jobs)))
        return [made[job.subject] for job in jobs]


def _compared(coordinator: Coordinator, after: Receipt, folder: Path) -> SubjectPreview:
    """Compare the report of a preview with the published one."""
    rows = coordinator.catalogue.reports(
        subject=after.subject, template=after.template, current=True
    )
    published = coordinator.workspace.reports / rows[0].folder if rows else None
    trouble, before = "", None
    if published is not None:
        try:
            before = Receipt.read(published)
        except (DamagedReceipt, OSError, UnicodeDecodeError) as error:
            trouble = f"The published report cannot be read ({error}): `ishtar run` makes it again."
    if before is None or published is None:
        scraps = compare_scraps((), after.scraps)
        return SubjectPreview(
            subject=after.about, before=None, after=after, scraps=tuple(scraps), trouble=trouble
        )
    notebooks = published / NOTEBOOK, folder / NOTEBOOK
    try:
        figures = tuple(compare_figures(*(figures_of(path) for path in notebooks)))
        code = code_difference(*notebooks)
    except UnreadableNotebook as error:
        figures, code = (), ()
        trouble = f"Figures and code are not compared. {error}"
    return SubjectPreview(
        subject=after.about,
        before=before,
        after=after,
        scraps=tuple(compare_scraps(before.scraps, after.scraps)),
        inputs=tuple(compare_inputs(before, after)),
        figures=figures,
        code=code,
        trouble=trouble,
    )


def _replace(folder: Path, target: Path) -> None:
    """Move a finished preview to its place, over the last one."""
    while True:
        try:
            os.rename(folder, target)
            return
        except OSError:
            if not target.is_dir():
                raise
            old = target.with_name(f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}")
            os.rename(target, old)
            shutil.rmtree(old, ignore_errors=True)
