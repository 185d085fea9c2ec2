"""Decide which reports to retry after a failure, and when.

A report whose worker or coordinator died is made again alone. One whose workers, kernels or
coordinators die repeatedly is deferred until nothing else is left to do, and fails in the end. One
that could not be made for another reason is retried after a pause.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from runner.attempts import Attempts
from runner.errors import CoordinatorsLost, KernelKilled, WorkersLost
from runner.jobs import Job
from runner.monitoring.logs import about
from runner.receipts import Receipt
from runner.scheduling.handed_out import HandedOut
from runner.scheduling.priority_queue import Priority
from runner.staleness.plan import Planned

logger = logging.getLogger(__name__)

MOST_DEATHS = 3  # of workers or coordinators, until a report is deferred
MOST_ROUNDS = 3  # of a report whose workers or kernels are killed, until it fails
MOST_TRIES = 12  # of a report without enough disk space, say, until it fails: about an hour
MOST_ROUNDS_OF_SERVICES = 2  # if its coordinators are killed: each death costs a restart


@dataclass(frozen=True, kw_only=True)
class Running:
    """A job that a worker has.

    ``deaths`` counts the workers that died while they had it, ``rounds`` how often it was deferred
    because all its workers or kernels died. With ``alone`` nothing else runs at the same time.
    """

    planned: Planned
    job: Job
    priority: Priority
    since: float
    deaths: int = 0
    rounds: int = 0
    alone: bool = False

    @property
    def what(self) -> str:
        """The task in words, for the status."""
        return f"make {self.job}"

    @property
    def status_entry(self) -> dict[str, Any]:
        """The entry of the job in the status."""
        return {
            "subject": self.job.subject.key,
            "template": self.job.template,
            "priority": self.priority.name.lower(),
            "since": self.since,
        }


def log_done(log: logging.Logger, running: Running, receipt: Receipt) -> None:
    """Log what became of a report."""
    job = running.job
    level = logging.INFO if receipt.state in ("ok", "skipped") else logging.WARNING
    note = f": {receipt.reason}" if receipt.reason else ""
    log.log(
        level,
        "%s %s in %.1f s%s",
        *(job, receipt.state, receipt.duration_s, note),
        extra={
            **about(job.subject, job.template),
            "state": receipt.state,
            "duration_s": receipt.duration_s,
            "priority": running.priority.name.lower(),
        },
    )


@dataclass(kw_only=True)
class Retries:
    """Keep the reports to be retried.

    Attributes
    ----------
    enabled : whether to retry reports that are killed repeatedly.
    fail : makes the failed report of a job that is not retried any more.
    suspects : their worker or coordinator died, and one of them may have killed it.
    deferred : killed repeatedly; retried when everything else is done.
    backing_off : could not be made; retried after a pause.
    """

    enabled: bool
    attempts: Attempts
    handed_out: HandedOut
    fail: Callable[[Running, Exception], None]
    suspects: list[Running] = field(default_factory=list)
    deferred: list[Running] = field(default_factory=list)
    backing_off: list[Running] = field(default_factory=list)

    def worker_died(self, running: Running) -> None:
        """Retry a job whose worker died, up to a limit."""
        job, deaths = running.job, running.deaths + 1
        if deaths < MOST_DEATHS:
            logger.warning(
                "%s: its worker died; trying again", job, extra=about(job.subject, job.template)
            )
            self.suspects.append(replace(running, deaths=deaths))
            return
        error = WorkersLost(
            f"{deaths} workers died while they ran it: check the system log for messages about "
            "memory"
        )
        self.defer(running, error)

    def defer(self, running: Running, why: WorkersLost | KernelKilled) -> None:
        """Defer a report that is killed repeatedly until nothing else is left to do.

        Something else may have killed what ran it. After some rounds the report fails.
        """
        job, rounds = running.job, running.rounds + 1
        if self.enabled and rounds < MOST_ROUNDS:
            logger.warning(
                "%s: %s; trying again once nothing else is left to do",
                *(job, why),
                extra=about(job.subject, job.template),
            )
            self.deferred.append(replace(running, deaths=0, rounds=rounds))
        else:
            self.fail(running, why)

    def may_retry(self, running: Running) -> bool:
        """Return whether to retry a report once more if it is killed or the disk is full."""
        tries = self.attempts.tries(running.what)
        return self.enabled and running.rounds + 1 < MOST_ROUNDS and tries < MOST_TRIES

    def take_suspect(self, running: Running) -> bool:
        """Take over a report that was in progress when a coordinator died, and make it alone.

        Return whether it was one. It fails if it has killed too many coordinators.
        """
        known = self.handed_out.suspect(running.job)
        if known is None:
            return False
        running = replace(running, alone=True)
        if known.deaths >= MOST_DEATHS:
            known = self.handed_out.postpone(running.job)
            if not self.enabled or known.rounds >= MOST_ROUNDS_OF_SERVICES:
                n = MOST_DEATHS * known.rounds
                error = CoordinatorsLost(
                    f"the service was killed {n} times while it made only this report: look in "
                    "its template for code that kills processes"
                )
                self.fail(running, error)
                return True
        (self.deferred if known.rounds else self.suspects).append(running)
        return True

    def back_off(self, running: Running, why: Exception) -> None:
        """Retry a report after a pause."""
        self.attempts.failed(running.what, why)
        self.backing_off.append(running)

    def take_ready(self) -> list[Running]:
        """Remove and return the reports whose pause is over."""
        found = [running for running in self.backing_off if self.attempts.ready(running.what)]
        for running in found:
            self.backing_off.remove(running)
        return found
