"""Executing one job: a template for a subject, to a report folder that appears whole."""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import secrets
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import ishtar
from ishtar.calibration import Declarations, load_declarations
from ishtar.lineage.record import RAN, REPORT, recording
from ishtar.lineage.record import VARIABLE as LINEAGE
from ishtar.shots.testbed import Testbed
from ishtar.store.atomic import TEMPORARY_PREFIX, fsync_dir, fsync_files
from ishtar.workspace import VARIABLE as WORKSPACE
from ishtar.workspace import Workspace
from runner.errors import KernelKilled
from runner.execution.library_code import ALL, CHANGING, code_input, library
from runner.execution.notebooks import prepare, run, scraps_in, write
from runner.execution.outcome import is_passing, was_killed
from runner.execution.working_folder import FolderMeddledWith, WorkingFolder
from runner.jobs import RERUN_PREFIX, Done, Job
from runner.kernel import sandbox
from runner.kernel.warm.processes import no_orphans
from runner.monitoring.progress import Telling, following
from runner.receipts import (
    NOTEBOOK,
    RECEIPT,
    Receipt,
    Scrap,
    State,
    Subject,
    identity,
    report_folder,
)
from runner.render.notebook import render_report, write_plainly
from runner.render.prefetch import ThumbnailPrefetch
from runner.templates.template import Template, file_stamp, read_template

logger = logging.getLogger(__name__)

LONGEST_REASON = 2000  # characters
MOST_KILLS = 3  # of kernels, by somebody else, until their report has failed


class Phases:
    """Seconds spent in each phase of a run; ``begins`` gets the name of each."""

    def __init__(self, begins: Callable[[str], object]) -> None:
        self.seconds: dict[str, float] = {}
        self._begins = begins

    @contextlib.contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time the block."""
        self._begins(name)
        start = time.perf_counter()
        try:
            yield
        finally:
            took = time.perf_counter() - start
            self.seconds[name] = round(self.seconds.get(name, 0.0) + took, 4)


def execute(job: Job) -> Done:
    """Run one job to its end, whatever that is; return where its report lies and its receipt.

    The report is made in a temporary folder and renamed to ``reports/<subject>/<template>/
    <digest>/`` when it is whole. A failing template is a report too, with state ``failed``. But a
    kernel that somebody else has killed (the system for want of memory, a person, the end of the
    server of kernels) says nothing of its report: that is made again, in another one.
    """
    from nbclient.exceptions import DeadKernelError

    workspace = Workspace.at(Path(job.root))
    with following(workspace, job) as telling, no_orphans():
        for _ in range(1, MOST_KILLS):
            try:
                return _execute(workspace, job, telling)
            except FolderMeddledWith as error:
                why = f"{error}: a report must leave that alone"
                return _execute(workspace, replace(job, given_up=why), telling)
            except (KernelKilled, DeadKernelError):  # the latter before the first cell
                logger.warning("%s: its kernel was killed; trying again", job)
        # Whatever else a server of kernels may have ended it with, now it has one of its own.
        alone = replace(job, kernels="cold")
        try:
            return _execute(workspace, alone, telling, last=not job.patient)
        except (KernelKilled, DeadKernelError) as error:
            if not job.patient:
                raise
            raise KernelKilled(f"{MOST_KILLS} kernels were killed while they ran it") from error


class PassingTrouble(Exception):
    """The machine lacked something: the report is none, and is made later."""


def _execute(workspace: Workspace, job: Job, telling: Telling, *, last: bool = False) -> Done:
    template = read_template(workspace.templates / f"{job.template}.ipynb")
    values = template.values(job.subject, job.parameters)
    started, clock, phases = datetime.now(UTC), time.perf_counter(), Phases(telling.phase)
    reports = Path(job.reports) if job.reports else workspace.reports
    packages, sources = sandbox.installed(), library().stamps()
    folder = WorkingFolder(reports, RERUN_PREFIX if job.rerun else TEMPORARY_PREFIX)
    temporary = folder.path
    ahead = ThumbnailPrefetch()
    try:
        scraps: tuple[Scrap, ...] = ()
        with phases.phase("prepare"):
            prepared = prepare(template, values)
            with recording() as recorder:
                state, lacking = _lacking(workspace, template, job.subject)
        notebook = temporary / NOTEBOOK
        if job.given_up or lacking:
            write(prepared, notebook)
            state = "failed" if job.given_up else state
            reason = job.given_up or lacking
        else:
            with phases.phase("execute"):
                prepared, state, reason = _run(
                    prepared, template, notebook, folder, job, phases, telling, ahead
                )
            if was_killed(state, reason) and not last:
                raise KernelKilled
            if job.patient and is_passing(state, reason):
                raise PassingTrouble(reason)
            with phases.phase("scraps"):
                scraps = scraps_in(prepared.cells)
        with phases.phase("render"):
            figures = render_report(
                notebook,
                temporary,
                theme=_theme(workspace),
                thumbnail=ahead.thumbnail,
                write=write_plainly,
            ).figures
        with phases.phase("record"):
            records = folder.take_records()
            it_ran = not (job.given_up or lacking)
            ran = library().counted(records) if it_ran else {ALL: [ALL]}
            code, sources_now = library().digests(ran), library().stamps()
            code |= {m: CHANGING for m in code if sources.get(m) != sources_now.get(m)}
            read = {r for r in records if r.kind != RAN}
            inputs = tuple(sorted({*read, *recorder.inputs, code_input(ran, code)}))
            environment = dict(_environment())
            if sandbox.installed() != packages:
                environment["changed"] = "packages were installed or removed while it ran"
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
            inputs=inputs,
            scraps=tuple(scraps),
            figures=figures,
            started=started.isoformat(timespec="milliseconds"),
            duration_s=round(time.perf_counter() - clock, 3),
            phases=phases.seconds,
            environment=environment,
            code=code,
            ran=ran,
            sandbox=sandbox.what_holds(job.sandbox) if it_ran else "",
        )
        receipt = replace(made, digest=identity(made))
        shutil.rmtree(folder.work, ignore_errors=True)
        place = report_folder(reports, job.subject, template.name, receipt.digest)
        (temporary / RECEIPT).write_text(receipt.to_json(), encoding="utf-8")
        return _finish(job, reports, temporary, place, receipt)
    except BaseException:
        folder.remove()
        raise
    finally:
        ahead.close()


def _lacking(workspace: Workspace, template: Template, subject: Subject) -> tuple[State, str]:
    """Return how it ends if the template cannot run for want of signals, and why; ok if it can.

    A shot that lacks a signal is passed over; a signal that is declared for no shot is a mistake.
    """
    if not template.needs or subject.scope != "shot":
        return "ok", ""
    testbed = Testbed(workspace)
    testbed.declarations = _declarations(workspace.calibrations, _files(workspace.calibrations))
    shot = testbed[subject.number]
    problems = {name: shot.problem(name) for name in template.needs}
    why = "; ".join(p for p in problems.values() if p)
    if problems.keys() - testbed.declarations.signals.keys():
        return "failed", f"the template needs what is declared for no shot: {why}"
    return ("skipped" if why else "ok"), why


@lru_cache(maxsize=4)
def _declarations(folder: Path, files: object) -> Declarations:
    """Return what is declared, as read when the files were those."""
    return load_declarations(folder)


def _files(folder: Path) -> tuple[tuple[str, object], ...]:
    return tuple((str(path), file_stamp(path)) for path in sorted(folder.rglob("*")))


def _run(
    prepared: Any,
    template: Template,
    notebook: Path,
    folder: WorkingFolder,
    job: Job,
    phases: Phases,
    telling: Telling,
    ahead: ThumbnailPrefetch,
) -> tuple[Any, State, str]:
    """Run the notebook and write what became of it; return how it ended."""
    executed, state, reason, cells_s = run(
        prepared,
        kernels=job.kernels,
        execution_timeout=job.timeout_s,
        output_mb=job.output_mb,
        memory_mb=job.memory_mb,
        folder=str(folder.work),
        cell_begins=telling.cell,
        cell_ends=ahead.cell,
        kernel_env={
            WORKSPACE: job.root,
            LINEAGE: str(folder.record),
            REPORT: "/".join((template.name, *template.after)),
            **library_environment(Path(job.root)),
            **sandbox.environment(job.sandbox, (folder.work, folder.record)),
        },
    )
    phases.seconds["cells"] = round(cells_s, 4)
    if (trouble := folder.settle()) and state == "ok":
        state, reason = "failed", trouble
    write(executed, notebook)
    return executed, state, reason


def library_environment(root: Path) -> dict[str, str]:
    """Return what the libraries that reports use read when they are imported, for a workspace."""
    return {"MPLCONFIGDIR": str(root / "data" / "cache" / "matplotlib")}


def _theme(workspace: Workspace) -> Path | None:
    return workspace.theme if workspace.theme.is_dir() else None


@cache
def _environment() -> Mapping[str, str]:
    from importlib.metadata import version

    packages = ("numpy", "scipy", "h5py", "matplotlib", "papermill", "ipykernel")
    return {
        "ishtar": ishtar.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "host": platform.node(),
    } | {name: version(name) for name in packages}


def _finish(job: Job, reports: Path, temporary: Path, folder: Path, receipt: Receipt) -> Done:
    """Make a whole report durable; place it, unless whoever asked for it does that."""
    fsync_files(path for path in temporary.rglob("*") if path.is_file())
    name = folder.relative_to(reports).as_posix()
    done = Done(folder=name, receipt=receipt, staged=temporary.name)
    return done if job.staged else place(reports, done)


def place(reports: Path, done: Done) -> Done:
    """Rename a whole report to where it belongs, over one of the same identity."""
    temporary, folder = reports / done.staged, reports / done.folder
    folder.parent.mkdir(parents=True, exist_ok=True)
    replaced: list[Path] = []
    while True:
        try:
            os.rename(temporary, folder)
            break
        except OSError:
            if not folder.is_dir() or not temporary.is_dir():
                raise
            replaced.append(temporary.with_name(f"{temporary.name}-old-{len(replaced)}"))
            os.rename(folder, replaced[-1])
    for aside in replaced:  # when the report is there again, not before
        shutil.rmtree(aside, ignore_errors=True)
    fsync_dir(folder.parent)
    return replace(done, staged="")


def rerender(job: Job, folder: Path, receipt: Receipt) -> Done:
    """Give an executed report its template's new words, without running anything.

    Only for a template whose code is what it was: outputs are carried over cell by cell.
    """
    import nbformat

    workspace = Workspace.at(Path(job.root))
    template = read_template(workspace.templates / f"{job.template}.ipynb")
    old = nbformat.read(folder / NOTEBOOK, as_version=4)
    new = prepare(template, receipt.parameters)
    outputs = [c for c in old.cells if c.cell_type == "code"]
    for cell in new.cells:
        if cell.cell_type == "code" and outputs:
            executed = outputs.pop(0)
            cell.outputs, cell.execution_count = executed.outputs, executed.execution_count
    new.metadata = old.metadata
    temporary = workspace.reports / f"{TEMPORARY_PREFIX}{secrets.token_hex(8)}"
    temporary.mkdir(parents=True)
    try:
        write(new, temporary / NOTEBOOK)
        rendered = render_report(
            temporary / NOTEBOOK, temporary, theme=_theme(workspace), write=write_plainly
        )
        changed = replace(
            receipt,
            title=template.title,
            prose_digest=template.prose_digest,
            figures=rendered.figures,
        )
        (temporary / RECEIPT).write_text(changed.to_json(), encoding="utf-8")
        return _finish(job, workspace.reports, temporary, folder, changed)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
