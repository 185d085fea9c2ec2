"""Execute one job: a template for a subject, into a report folder that appears atomically."""

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
from runner.execution.outcome import is_transient, was_killed
from runner.execution.working_folder import FolderTampered, WorkingFolder
from runner.jobs import RERUN_PREFIX, Done, Job
from runner.kernel import sandbox
from runner.kernel.warm.processes import no_orphans
from runner.monitoring.progress import ProgressWriter, track_progress
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
MOST_KILLS = 3  # of kernels, by something else than the engine, until their report fails


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


def execute(job: Job) -> Done:
    """Run one job to its end; return the folder of its report and its receipt.

    The report is made in a temporary folder and renamed to ``reports/<subject>/<template>/
    <digest>/`` when it is complete. A failing template yields a report too, with state ``failed``.
    If something else kills the kernel (the system when memory runs out, a user, the end of the
    kernel server), that is not the report's fault: retry it in another kernel.
    """
    from nbclient.exceptions import DeadKernelError

    workspace = Workspace.at(Path(job.root))
    with track_progress(workspace, job) as progress, no_orphans():
        for _ in range(1, MOST_KILLS):
            try:
                return _execute(workspace, job, progress)
            except FolderTampered as error:
                why = f"{error}: a report must leave its folder alone"
                return _execute(workspace, replace(job, given_up=why), progress)
            except (KernelKilled, DeadKernelError):  # the latter before the first cell
                logger.warning("%s: its kernel was killed; trying again", job)
        # The kernel server itself may be the cause: now use a kernel of its own.
        alone = replace(job, kernels="cold")
        try:
            return _execute(workspace, alone, progress, last=not job.may_retry)
        except (KernelKilled, DeadKernelError) as error:
            if not job.may_retry:
                raise
            raise KernelKilled(f"{MOST_KILLS} kernels were killed while they ran it") from error


class TransientFailure(Exception):
    """A temporary problem of the machine: discard the report and retry it later."""


def _execute(
    workspace: Workspace, job: Job, progress: ProgressWriter, *, last: bool = False
) -> Done:
    template = read_template(workspace.templates / f"{job.template}.ipynb")
    values = template.values(job.subject, job.parameters)
    started, clock, phases = datetime.now(UTC), time.perf_counter(), Phases(progress.phase)
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
                state, missing = _missing_needs(workspace, template, job.subject)
        notebook = temporary / NOTEBOOK
        if job.given_up or missing:
            write(prepared, notebook)
            state = "failed" if job.given_up else state
            reason = job.given_up or missing
        else:
            with phases.phase("execute"):
                prepared, state, reason = _run(
                    prepared, template, notebook, folder, job, phases, progress, ahead
                )
            if was_killed(state, reason) and not last:
                raise KernelKilled
            if job.may_retry and is_transient(state, reason):
                raise TransientFailure(reason)
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
            it_ran = not (job.given_up or missing)
            ran = library().dependencies(records) if it_ran else {ALL: [ALL]}
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


def _missing_needs(workspace: Workspace, template: Template, subject: Subject) -> tuple[State, str]:
    """Return state and reason of a report if signals are missing; ok and empty if none are.

    A shot without a signal is skipped; a signal that is declared for no shot is an error.
    """
    if not template.needs or subject.scope != "shot":
        return "ok", ""
    testbed = Testbed(workspace)
    testbed.declarations = _declarations(workspace.calibrations, _files(workspace.calibrations))
    shot = testbed[subject.number]
    problems = {name: shot.problem(name) for name in template.needs}
    why = "; ".join(p for p in problems.values() if p)
    if problems.keys() - testbed.declarations.signals.keys():
        return "failed", f"the template needs a signal that is declared for no shot: {why}"
    return ("skipped" if why else "ok"), why


@lru_cache(maxsize=4)
def _declarations(folder: Path, files: object) -> Declarations:
    """Return the declarations; the cache is keyed by the stamps of the files."""
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
    progress: ProgressWriter,
    ahead: ThumbnailPrefetch,
) -> tuple[Any, State, str]:
    """Run the notebook and write it; return it with its state and reason."""
    executed, state, reason, cells_s = run(
        prepared,
        kernels=job.kernels,
        execution_timeout=job.timeout_s,
        output_mb=job.output_mb,
        memory_mb=job.memory_mb,
        folder=str(folder.work),
        cell_begins=progress.cell,
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
    if (problem := folder.clean_up()) and state == "ok":
        state, reason = "failed", problem
    write(executed, notebook)
    return executed, state, reason


def library_environment(root: Path) -> dict[str, str]:
    """Return a workspace's environment variables that libraries read when they are imported."""
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
    """Make a complete report durable; place it, unless the caller will."""
    fsync_files(path for path in temporary.rglob("*") if path.is_file())
    name = folder.relative_to(reports).as_posix()
    done = Done(folder=name, receipt=receipt, staged=temporary.name)
    return done if job.staged else place(reports, done)


def place(reports: Path, done: Done) -> Done:
    """Rename a complete report to its final name, replacing one of the same identity."""
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
    for aside in replaced:  # only after the new report is in place
        shutil.rmtree(aside, ignore_errors=True)
    fsync_dir(folder.parent)
    return replace(done, staged="")


def rerender(job: Job, folder: Path, receipt: Receipt) -> Done:
    """Update an executed report to its template's new prose, without running anything.

    Only for a template with unchanged code: outputs are copied cell by cell.
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
