"""Reports that people ask for with parameters of their own, one at a time, beside the workers.

They have a worker of their own, so that a new shot never waits for one. A rerun that was cut off
by the end of the service is still a waiting act and is made again.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from ishtar.errors import IshtarError
from runner.acts import DONE, REFUSED, Act, Outcome, finish
from runner.errors import KernelKilled, WorkersLost
from runner.execution.execute import execute
from runner.jobs import Done, Job
from runner.publish.addresses import report_stem
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import make_failed_report, make_job, open_workers

logger = logging.getLogger(__name__)

RERUN = "rerun"


class _CutOff(Exception):
    """The service ends while a report is being made."""


@dataclass(frozen=True)
class _Running:
    act: Act
    job: Job
    future: Future[Done]


class Reruns:
    """Make the reports of acts of the kind ``rerun``.

    Parameters
    ----------
    coordinator : Coordinator
        Notes the reports.
    wake : callable, optional
        Called, in any thread, when one is made.
    """

    def __init__(self, coordinator: Coordinator, wake: Callable[[], None] | None = None) -> None:
        self._coordinator, self._wake = coordinator, wake
        self._open = ExitStack()
        self._pool: Executor | None = None
        self._running: _Running | None = None

    def close(self) -> None:
        """End the worker, also in the middle of a report: that stays a waiting act."""
        cut_off = _CutOff()
        self._open.__exit__(_CutOff, cut_off, None)  # as for an error: it is not waited for
        self._pool = self._running = None

    @property
    def busy(self) -> bool:
        """Whether a report is being made."""
        return self._running is not None

    def begin(self, act: Act) -> None:
        """Begin with an act, or refuse it; nothing if another one is being made."""
        if self._running is not None:
            return
        try:
            job = self._job(act)
        except (IshtarError, LookupError, TypeError, ValueError) as error:
            finish(self._coordinator.workspace, act, Outcome(state=REFUSED, detail=str(error)))
            return
        if self._pool is None:
            self._pool = self._open.enter_context(open_workers(self._coordinator, 1))
        try:
            future = self._pool.submit(execute, job)
        except Exception:
            self.close()  # its worker died while it was idle: the next attempt has a new one
            raise
        self._running = _Running(act, job, future)
        if self._wake:
            future.add_done_callback(lambda _: self._wake and self._wake())

    def _job(self, act: Act) -> Job:
        wanted = act.wanted
        template = self._coordinator.templates()[str(wanted["template"])]
        subject = Subject.parse(str(wanted["subject"]))
        values = template.values(subject, dict(wanted["parameters"]))
        return make_job(self._coordinator, template, subject, parameters=values, rerun=True)

    def collect(self) -> list[Subject]:
        """Note the report that is made, if any, and record its act; return its subject.

        An act that cannot be recorded now is still waiting, and begun again.
        """
        running = self._running
        if running is None or not running.future.done():
            return []
        self._running = None
        act, job = running.act, running.job
        try:
            done = running.future.result()
        except (WorkersLost, KernelKilled) as error:
            self.close()
            done = make_failed_report(job, error)
        except OSError:  # of the machine, a full disk
            raise
        except Exception as error:  # of this act: others must not wait for it for ever
            logger.exception("%s: rerun %s", act.who, job)
            why = f"it cannot be made ({type(error).__name__}: {error})"
            finish(self._coordinator.workspace, act, Outcome(state=REFUSED, detail=why))
            return []
        self._coordinator.note_report(done)
        finish(self._coordinator.workspace, act, _outcome(done))
        logger.info("%s: rerun %s %s", act.who, job, done.receipt.state)
        return [job.subject]


def _outcome(done: Done) -> Outcome:
    receipt = done.receipt
    scraps: dict[str, Any] = {
        s.name: {"value": s.value, "sigma": s.sigma, "unit": s.unit} for s in receipt.scraps
    }
    result = {"page": f"{report_stem(receipt)}.html", "state": receipt.state, "scraps": scraps}
    return Outcome(state=DONE, detail=receipt.reason, result=result)
