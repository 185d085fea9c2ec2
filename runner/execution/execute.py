"""Execute one job: a template for a subject, into a report folder that appears atomically."""

from __future__ import annotations

import logging
import secrets
import shutil
from dataclasses import replace
from pathlib import Path

from ishtar.store.atomic import TEMPORARY_PREFIX
from ishtar.workspace import Workspace
from runner.errors import KernelKilled
from runner.execution.make_report import make_report
from runner.execution.notebooks import prepare, write
from runner.execution.placing import finish
from runner.execution.working_folder import FolderTampered
from runner.jobs import Done, Job
from runner.kernel.warm.processes import no_orphans
from runner.monitoring.progress import track_progress
from runner.receipts import NOTEBOOK, RECEIPT, Receipt
from runner.render.notebook import render_report, write_plainly
from runner.templates.template import read_template

logger = logging.getLogger(__name__)

MOST_KILLS = 3  # of kernels, by something else than the engine, until their report fails


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
                return make_report(workspace, job, progress)
            except FolderTampered as error:
                why = f"{error}: a report must leave its folder alone"
                return make_report(workspace, replace(job, given_up=why), progress)
            except (KernelKilled, DeadKernelError):  # the latter before the first cell
                logger.warning("%s: its kernel was killed; trying again", job)
        # The kernel server itself may be the cause: now use a kernel of its own.
        alone = replace(job, kernels="cold")
        try:
            return make_report(workspace, alone, progress, last=not job.may_retry)
        except (KernelKilled, DeadKernelError) as error:
            if not job.may_retry:
                raise
            raise KernelKilled(f"{MOST_KILLS} kernels were killed while they ran it") from error


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
            temporary / NOTEBOOK,
            temporary,
            theme=workspace.theme,
            write=write_plainly,
        )
        changed = replace(
            receipt,
            title=template.title,
            prose_digest=template.prose_digest,
            figures=rendered.figures,
        )
        (temporary / RECEIPT).write_text(changed.to_json(), encoding="utf-8")
        return finish(job, workspace.reports, temporary, folder, changed)
    except BaseException:
        shutil.rmtree(temporary, ignore_errors=True)
        raise
