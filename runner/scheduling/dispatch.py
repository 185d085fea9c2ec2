"""Turn planned reports into jobs for workers; make a failed report if no worker survives one."""

from __future__ import annotations

import logging
from concurrent.futures import Executor, Future
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path
from typing import Any

from runner.errors import WorkersLost
from runner.execution.environment import library_environment
from runner.execution.execute import execute, rerender
from runner.jobs import Done, Job
from runner.receipts import NOTEBOOK, DamagedReceipt, Receipt, Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.pool import open_pool
from runner.staleness.plan import Planned
from runner.templates.template import Template

logger = logging.getLogger(__name__)


def job_of(coordinator: Coordinator, planned: Planned, template: Template) -> Job:
    """Return the work order of a planned report."""
    return make_job(coordinator, template, planned.subject, reasons=planned.reasons)


def make_job(coordinator: Coordinator, template: Template, subject: Subject, **given: Any) -> Job:
    """Return a work order with the limits of its template, or else of the workspace.

    Parameters
    ----------
    given
        Other fields of `Job`: ``parameters``, ``rerun``, ``reports``, ``reasons``.
    """
    settings = coordinator.settings
    return Job(
        root=str(coordinator.workspace.root),
        subject=subject,
        template=template.name,
        timeout_s=template.timeout_s or settings.run.timeout_s,
        output_mb=settings.run.output_mb,
        memory_mb=template.memory_mb or settings.memory_limit_mb,
        kernels=settings.run.kernels,
        sandbox=settings.run.sandbox,
        **given,
    )


def open_workers(coordinator: Coordinator, workers: int) -> AbstractContextManager[Executor]:
    """Open a pool of workers of the kind in the settings."""
    return open_pool(
        workers,
        kernels=coordinator.settings.run.kernels,
        environment=library_environment(coordinator.workspace.root),
        settings=coordinator.settings.pool,
        root=coordinator.workspace.root,
    )


def submit(coordinator: Coordinator, pool: Executor, planned: Planned, job: Job) -> Future[Done]:
    """Submit a job to a pool; only render its report again if nothing but prose changed."""
    folder = coordinator.workspace.reports / planned.folder
    if (
        planned.action == "render"
        and (folder / NOTEBOOK).is_file()
        and (old := _receipt_in(folder))
    ):
        return pool.submit(rerender, job, folder, old)
    return pool.submit(execute, job)


def _receipt_in(folder: Path) -> Receipt | None:
    try:
        return Receipt.read(folder)
    except (DamagedReceipt, FileNotFoundError):
        return None


def run_one(coordinator: Coordinator, job: Job, *, inline: bool = False) -> Done:
    """Run one job for a waiting user and note its report."""
    with open_workers(coordinator, 0 if inline else 1) as pool:
        try:
            done = pool.submit(execute, job).result()
        except WorkersLost as error:
            done = make_failed_report(job, error)
    coordinator.note_report(done)
    return done


def make_failed_report(job: Job, error: Exception) -> Done:
    """Make the failed report of a job that no worker survives, without running it."""
    logger.error("%s: %s", job, error)
    return execute(replace(job, given_up=str(error)))
