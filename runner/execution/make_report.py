"""Make one report in a temporary folder: prepare, run, read scraps, render, record, place."""

from __future__ import annotations

import contextlib
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from ishtar.lineage.record import recording
from ishtar.store.atomic import TEMPORARY_PREFIX
from ishtar.workspace import Workspace
from runner.errors import KernelKilled
from runner.execution.environment import kernel_environment
from runner.execution.needs import missing_signals
from runner.execution.notebooks import prepare, run, scraps_in, write
from runner.execution.outcome import is_transient, was_killed
from runner.execution.placing import finish
from runner.execution.run_record import RunRecord
from runner.execution.working_folder import WorkingFolder
from runner.jobs import RERUN_PREFIX, Done, Job
from runner.kernel import sandbox
from runner.monitoring.progress import ProgressWriter
from runner.receipts import NOTEBOOK, RECEIPT, Receipt, Scrap, identity, report_folder
from runner.render.notebook import render_report, write_plainly
from runner.render.prefetch import ThumbnailPrefetch
from runner.templates.template import read_template

LONGEST_REASON = 2000  # characters


class TransientFailure(Exception):
    """A temporary problem of the machine: discard the report and retry it later."""


class Phases:
    """Measure the seconds spent in each phase of a run; ``begins`` is called with each name."""

    def __init__(self, begins: Callable[[str], object]) -> None:
        self.seconds: dict[str, float] = {}
        self._begins = begins

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure the duration of the block."""
        self._begins(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 4)


def make_report(
    workspace: Workspace, job: Job, progress: ProgressWriter, *, last: bool = False
) -> Done:
    """Make the report of a job, whatever its outcome; return its folder and its receipt.

    Parameters
    ----------
    workspace : Workspace
    job : Job
    progress : ProgressWriter
        Receives each phase and each cell that begins.
    last : bool
        Whether a killed kernel fails the report.

    Raises
    ------
    KernelKilled
        Something else than the engine killed the kernel, and this attempt is not the ``last``.
    TransientFailure
        The machine had a temporary problem, and the job may be retried.
    """
    template = read_template(workspace.templates / f"{job.template}.ipynb")
    values = template.values(job.subject, job.parameters)
    started, clock, phases = datetime.now(UTC), time.perf_counter(), Phases(progress.phase)
    reports = Path(job.reports) if job.reports else workspace.reports
    record = RunRecord()
    folder = WorkingFolder(reports, RERUN_PREFIX if job.rerun else TEMPORARY_PREFIX)
    temporary = folder.path
    prefetch = ThumbnailPrefetch()
    try:
        scraps: tuple[Scrap, ...] = ()
        with phases.phase("prepare"):
            notebook = prepare(template, values)
            with recording() as recorder:
                state, reason = missing_signals(workspace, template.needs, job.subject)
        if job.given_up:
            state, reason = "failed", job.given_up
        runs = not reason
        if not runs:
            write(notebook, temporary / NOTEBOOK)
        else:
            with phases.phase("execute"):
                notebook, state, reason, cells_s = run(
                    notebook,
                    kernels=job.kernels,
                    execution_timeout=job.timeout_s,
                    output_mb=job.output_mb,
                    memory_mb=job.memory_mb,
                    folder=str(folder.work),
                    cell_begins=progress.cell,
                    cell_ends=prefetch.cell,
                    kernel_env=kernel_environment(job, template, folder),
                )
                phases.seconds["cells"] = round(cells_s, 4)
                if (problem := folder.clean_up()) and state == "ok":
                    state, reason = "failed", problem
                write(notebook, temporary / NOTEBOOK)
            with phases.phase("scraps"):
                scraps = scraps_in(notebook.cells)
            if was_killed(state, reason) and not last:
                raise KernelKilled
            if job.may_retry and is_transient(state, reason):
                raise TransientFailure(reason)
        with phases.phase("render"):
            figures = render_report(
                temporary / NOTEBOOK,
                temporary,
                theme=workspace.theme,
                thumbnail=prefetch.thumbnail,
                write=write_plainly,
            ).figures
        with phases.phase("record"):
            made_from = record.made_from(folder.take_records(), recorder.inputs, it_ran=runs)
        made = Receipt(
            scope=job.subject.scope,
            subject=job.subject.key,
            template=template.name,
            title=template.title,
            template_digest=template.code_digest,
            prose_digest=template.prose_digest,
            parameters=values,
            rerun=job.rerun,
            state=state,
            reason=reason if len(reason) <= LONGEST_REASON else reason[:LONGEST_REASON] + " …",
            digest="",
            inputs=made_from.inputs,
            scraps=scraps,
            figures=figures,
            started=started.isoformat(timespec="milliseconds"),
            duration_s=round(time.perf_counter() - clock, 3),
            phases=phases.seconds,
            environment=made_from.environment,
            code=made_from.code,
            ran=made_from.ran,
            sandbox=sandbox.what_holds(job.sandbox) if runs else "",
        )
        receipt = replace(made, digest=identity(made))
        shutil.rmtree(folder.work, ignore_errors=True)
        (temporary / RECEIPT).write_text(receipt.to_json(), encoding="utf-8")
        place = report_folder(reports, job.subject, template.name, receipt.digest)
        return finish(job, reports, temporary, place, receipt)
    except BaseException:
        folder.remove()
        raise
    finally:
        prefetch.close()
