"""Reports whose making came to grief: which are tried again, when, and which no more.

Whose worker died is made again alone, as is what was being made when a coordinator died; whose
workers, kernels or coordinators die again and again waits until nothing else is to be done, and has
failed in the end. What could not be made for another reason rests for a while.
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

MOST_DEATHS = 3  # of workers or coordinators, until the report they were at is left for later
MOST_ROUNDS = 3  # of a report whose workers or kernels are killed, until it has failed
MOST_TRIES = 12  # of a report that lacks disk, say, until it has failed: an hour or so
MOST_ROUNDS_OF_SERVICES = 2  # of one whose coordinators are: each death costs a start


@dataclass(frozen=True, kw_only=True)
class Running:
    """A job that a worker has.

    ``deaths`` counts the workers that died while they had it, ``rounds`` how often it was left for
    later because they all did, or all its kernels. With ``alone`` it is made while nothing else is.
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
        """What is to be done, for those who watch."""
        return f"make {self.job}"

    @property
    def told(self) -> dict[str, Any]:
        """What the status tells of it."""
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
class Setbacks:
    """Keeps the reports that are to be tried again.

    Attributes
    ----------
    patient : whether there is time to try what is killed again and again.
    fail : makes the failed report of one that is not tried any more.
    suspects : whose worker or coordinator died; one of them may have ended it.
    unlucky : killed again and again: for when all else is done.
    resting : could not be made, and are tried again after a pause.
    """

    patient: bool
    attempts: Attempts
    handed_out: HandedOut
    fail: Callable[[Running, Exception], None]
    suspects: list[Running] = field(default_factory=list)
    unlucky: list[Running] = field(default_factory=list)
    resting: list[Running] = field(default_factory=list)

    def worker_died(self, running: Running) -> None:
        """Note that the worker of a job died; it is tried again, but not for ever."""
        job, deaths = running.job, running.deaths + 1
        if deaths < MOST_DEATHS:
            logger.warning(
                "%s: its worker died; trying again", job, extra=about(job.subject, job.template)
            )
            self.suspects.append(replace(running, deaths=deaths))
            return
        error = WorkersLost(
            f"{deaths} workers died while they ran it: look into the system's log for a lack of "
            "memory"
        )
        self.leave_for_later(running, error)

    def leave_for_later(self, running: Running, why: WorkersLost | KernelKilled) -> None:
        """Try a report again that is killed again and again when nothing else is to be done.

        Nothing is known of it yet: somebody else may have killed what ran it. But not for ever.
        """
        job, rounds = running.job, running.rounds + 1
        if self.patient and rounds < MOST_ROUNDS:
            logger.warning(
                "%s: %s; trying it again once nothing else is to be done",
                *(job, why),
                extra=about(job.subject, job.template),
            )
            self.unlucky.append(replace(running, deaths=0, rounds=rounds))
        else:
            self.fail(running, why)

    def may_come_again(self, running: Running) -> bool:
        """Tell whether a report may still be tried again if it is killed or lacks disk now."""
        tries = self.attempts.tries(running.what)
        return self.patient and running.rounds + 1 < MOST_ROUNDS and tries < MOST_TRIES

    def is_suspect(self, running: Running) -> bool:
        """Take a report that was being made when a coordinator died: it is made alone, if at all.

        False for any other.
        """
        known = self.handed_out.suspect(running.job)
        if known is None:
            return False
        running = replace(running, alone=True)
        if known.deaths >= MOST_DEATHS:
            known = self.handed_out.leave(running.job)
            if not self.patient or known.rounds >= MOST_ROUNDS_OF_SERVICES:
                n = MOST_DEATHS * known.rounds
                error = CoordinatorsLost(
                    f"the service was killed {n} times while it made this report and no other: "
                    "look in its template for what ends processes"
                )
                self.fail(running, error)
                return True
        (self.unlucky if known.rounds else self.suspects).append(running)
        return True

    def set_aside(self, running: Running, why: Exception) -> None:
        """Let a report rest that could not be made."""
        self.attempts.failed(running.what, why)
        self.resting.append(running)

    def rested(self) -> list[Running]:
        """Return those that have rested for long enough; they rest no more."""
        found = [running for running in self.resting if self.attempts.ready(running.what)]
        for running in found:
            self.resting.remove(running)
        return found
