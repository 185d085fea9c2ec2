"""The desk: which reports are due, which run, which come next.

Jobs are handed to the workers one by one, as workers become free, so that a shot that has just
arrived waits for no more than the report in progress, and a report that reads scraps of another
begins as soon as that is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Collection, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

from runner.coordinator import Coordinator, Event, Listener, given_up
from runner.errors import ClusterError, WorkersLost
from runner.execute import Done, Job, KernelKilled
from runner.lineup import Key, Lineup, Order
from runner.logs import about
from runner.observe import ServiceObserver
from runner.plan import Planned
from runner.pool import jobs_at_once
from runner.receipts import Subject
from runner.templates import Templates
from runner.waiting import Priority

logger = logging.getLogger(__name__)

AT_ONCE = 200  # shots that are planned together, the newest first
MOST_DEATHS = 3  # of workers, until the report that they were at is left for later
MOST_ROUNDS = 3  # of a report whose workers or kernels are killed, until it has failed


@dataclass(frozen=True, kw_only=True)
class Running:
    """A job that a worker has.

    ``deaths`` counts the workers that died while they had it, ``rounds`` how often it was left for
    later because they all did, or all its kernels.
    """

    planned: Planned
    job: Job
    priority: Priority
    since: float
    deaths: int = 0
    rounds: int = 0


class Desk:
    """Keeps the workers busy with what is due, the urgent first.

    Parameters
    ----------
    coordinator : Coordinator
        Plans, and notes what is done.
    observer : ServiceObserver, optional
        Counts for those who watch the service.
    order : Order
        What is made at all.
    workers : int, optional
        Reports at once; those of the settings by default.
    pool : Executor, optional
        Workers that someone else has started, and ends.
    listener : callable, optional
        Is told what is queued and what is done.
    wake : callable, optional
        Is called, in any thread, when a report is done.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        observer: ServiceObserver | None = None,
        *,
        order: Order | None = None,
        workers: int | None = None,
        pool: Executor | None = None,
        listener: Listener | None = None,
        wake: Callable[[], None] | None = None,
    ) -> None:
        self._coordinator = coordinator
        self._observer = observer
        self._order = order or Order()
        self._lineup = Lineup(coordinator, self._order, listener)
        self._listener = listener
        self._wake = wake
        self._workers = coordinator.settings.run.processes if workers is None else workers
        self._pools = ExitStack()
        self._pool = pool or self._open_pool()
        self._running: dict[Future[Done], Running] = {}
        self._suspects: list[Running] = []  # whose worker died; one of them may have ended it
        self._unlucky: list[Running] = []  # killed again and again: for when all else is done
        self._due: dict[int, Priority] = {}  # shots whose reports are to be looked at
        self._day_templates: set[str] = set()  # due now
        self._noted: set[Subject] = set()  # whose reports were noted since the last `collect`
        self._trouble = ""  # with the cluster, told last
        self._n_done = 0
        self.errors: list[Exception] = []  # that no report tells of
        self.finished: dict[str, int] = {}  # reports by state, since the start

    def _open_pool(self) -> Executor:
        return self._pools.enter_context(self._coordinator.open_pool(self._workers))

    def close(self) -> None:
        """End the workers."""
        self._pools.close()

    def __enter__(self) -> Desk:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pools.__exit__(kind, error, trace)

    @property
    def busy(self) -> bool:
        """Whether reports are running or due."""
        return bool(self._day_templates or self.busy_with_shots)

    def ask(self, shots: Iterable[int], priority: Priority) -> None:
        """Make the reports of some shots due that are missing or stale."""
        for number in shots:
            self._due[number] = min(priority, self._due.get(number, priority))

    def ask_days(self, templates: Iterable[str]) -> None:
        """Make the reports of all days due that are missing or stale, once nothing else runs."""
        self._day_templates |= set(templates)

    # --- out ------------------------------------------------------------------------------------

    def hand_out(self) -> None:
        """Give each free worker the most urgent report."""
        if self._suspects:
            # One by one and alone: whose worker dies then has ended it, and harms no other.
            if not self._running:
                self._hand_out_again(self._suspects.pop(0))
            return
        if any(running.deaths for running in self._running.values()):
            return
        templates = self._coordinator.templates()
        while len(self._running) < jobs_at_once(self._pool, self._workers):
            self._look_ahead(templates)
            taken = self._lineup.waiting.take()
            if taken is None:
                break
            planned, priority = taken
            if planned.template not in templates:
                continue  # it was taken away while its report waited
            job = self._coordinator.job(planned, templates[planned.template])
            running = Running(planned=planned, job=job, priority=priority, since=time.time())
            if not self._hand_to_worker(running):
                return
        if self._unlucky and not (self._running or self._due or self._lineup.waiting):
            self._hand_out_again(self._unlucky.pop(0))  # what lacked memory may have it alone

    def _hand_out_again(self, running: Running) -> None:
        """Hand out what a worker has had, with the limits that hold now."""
        templates = self._coordinator.templates()
        if template := templates.get(running.planned.template):
            job = self._coordinator.job(running.planned, template)
            self._hand_to_worker(replace(running, job=job))

    def _hand_to_worker(self, running: Running) -> bool:
        """Hand out a job; where no worker can be had, it comes first with the next ones."""
        patient = self._order.patient and running.rounds + 1 < MOST_ROUNDS
        running = replace(running, since=time.time(), job=replace(running.job, patient=patient))
        try:
            future = self._coordinator.submit(self._pool, running.planned, running.job)
        except (BrokenProcessPool, EOFError, ConnectionError, FileNotFoundError) as error:
            # A worker died while it had nothing to do, or the process that forks workers.
            logger.warning("no worker for %s (%r): starting others", running.job, error)
            self._suspects.append(running)
            self._renew_workers()
            return False
        self._running[future] = running
        if self._wake:
            future.add_done_callback(lambda _: self._wake and self._wake())
        return True

    def _renew_workers(self) -> None:
        """End the workers and start others; jobs that they had are suspects, each with a death."""
        self._pools.close()  # afterwards every job is done, one way or another
        self._coordinator.clear_unfinished()
        self._pool = self._open_pool()
        for future, running in list(self._running.items()):
            if _broken(future):
                del self._running[future]
                self._bury(running)

    def _bury(self, running: Running) -> None:
        """Note that the worker of a job died; it is tried again, but not for ever."""
        job, deaths = running.job, running.deaths + 1
        if deaths < MOST_DEATHS:
            logger.warning(
                "%s: its worker died; trying again", job, extra=about(job.subject, job.template)
            )
            self._suspects.append(replace(running, deaths=deaths))
            return
        error = WorkersLost(
            f"{deaths} workers died while they ran it: look into the system's log for a lack of "
            "memory"
        )
        self._leave_for_later(running, error)

    def _leave_for_later(self, running: Running, why: WorkersLost | KernelKilled) -> None:
        """Try a report again that is killed again and again when nothing else is to be done.

        Nothing is known of it yet: somebody else may have killed what ran it. But not for ever.
        """
        job, rounds = running.job, running.rounds + 1
        if self._order.patient and rounds < MOST_ROUNDS:
            logger.warning(
                "%s: %s; trying it again once nothing else is to be done",
                *(job, why),
                extra=about(job.subject, job.template),
            )
            self._unlucky.append(replace(running, deaths=0, rounds=rounds))
        else:
            self._note(running, given_up(job, why))

    def _look_ahead(self, templates: Templates) -> None:
        """Plan the most urgent of the due shots, unless something as urgent waits already."""
        if self._due:
            priority = min(self._due.values())
            if not self._lineup.waiting.counts()[priority.name.lower()]:
                shots = sorted(n for n, p in self._due.items() if p == priority)[-AT_ONCE:]
                for number in shots:
                    del self._due[number]
                names = [t.name for t in templates.values() if t.scope == "shot"]
                self.queue(self._coordinator.due(shots=shots, names=names), priority)
        if self._day_templates and not self.busy_with_shots:
            of_days, self._day_templates = self._day_templates, set()
            self.queue(self._coordinator.due(names=of_days), Priority.BACKFILL)

    @property
    def busy_with_shots(self) -> bool:
        """Whether reports of shots are running or due, which those of days would read."""
        return bool(self._at_work() or self._due or self._lineup.waiting)

    def only(self, names: Collection[str]) -> None:
        """Make reports of these templates from now on, and of no others."""
        self._lineup.names = names

    def queue(self, plan: Sequence[Planned], priority: Priority) -> None:
        """Let the planned reports wait for a worker that wait for no other report."""
        self._lineup.add(plan, priority, self._keys_at_work())

    def _keys_at_work(self) -> set[Key]:
        return {(r.job.subject, r.job.template) for r in self._at_work()}

    def _at_work(self) -> list[Running]:
        return [*self._running.values(), *self._suspects, *self._unlucky]

    # --- in -------------------------------------------------------------------------------------

    def collect(self) -> set[Subject]:
        """Note the reports that are done; what reads their scraps may be due now."""
        if any(f.done() and _broken(f) for f in self._running):
            self._renew_workers()
        for future in [f for f in self._running if f.done()]:
            running = self._running.pop(future)
            job = running.job
            if future.cancelled():
                continue
            try:
                done = future.result()
            except (WorkersLost, KernelKilled) as error:
                self._leave_for_later(running, error)
                continue
            except ClusterError as error:
                self._put_back(running, error)
                continue
            except Exception as error:
                self._give_up(job, error)
                continue
            self._note(running, done)
        subjects, self._noted = self._noted, set()
        return subjects

    def _note(self, running: Running, done: Done) -> None:
        """Note a report that is done, and tell of it."""
        job, receipt = running.job, done.receipt
        self._coordinator.note_report(done)
        self.finished[receipt.state] = self.finished.get(receipt.state, 0) + 1
        level = logging.INFO if receipt.state in ("ok", "skipped") else logging.WARNING
        note = f": {receipt.reason}" if receipt.reason else ""
        logger.log(
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
        if self._observer:
            self._observer.reported(done)
        self._noted.add(job.subject)
        if self._listener:
            self._n_done += 1
            self._listener(
                Event(
                    kind="done", job=job, done=done, index=self._n_done, total=self._lineup.n_queued
                )
            )
        self._lineup.add_following(job, running.priority, self._keys_at_work())

    def _put_back(self, running: Running, error: ClusterError) -> None:
        """Make a report due again that the cluster has lost."""
        if not self._order.patient:
            self.errors.append(error)
            return
        job, why = running.job, str(error)
        if why != self._trouble:
            logger.error("%s: %s", running.job, why, extra=about(job.subject, job.template))
        self._trouble = why
        if running.job.subject.scope == "shot":
            self.ask([running.job.subject.number], running.priority)
        else:
            self.ask_days([running.job.template])

    def _give_up(self, job: Job, why: Exception) -> None:
        """Leave a job alone until the service starts again, rather than fail at it for ever."""
        self._lineup.refused.add((job.subject, job.template))
        self.errors.append(why)
        logger.error(
            "%s could not be made: %s; it is tried again after a restart",
            *(job, why),
            extra=about(job.subject, job.template),
        )
        if self._observer:
            self._observer.gave_up(job)

    def wait(self) -> None:
        """Wait until a report is done."""
        wait(self._running, return_when=FIRST_COMPLETED)

    @property
    def has_done(self) -> bool:
        """Whether a report is done that was not collected."""
        return any(future.done() for future in self._running)

    def finish(self) -> set[Subject]:
        """Wait for the reports in progress and note them; begin no more."""
        for future in self._running:
            future.cancel()
        wait(self._running)
        return self.collect()

    def status(self) -> dict[str, Any]:
        """Return what runs and how much waits, for people and machines."""
        return {
            "running": [
                {
                    "subject": r.job.subject.key,
                    "template": r.job.template,
                    "priority": r.priority.name.lower(),
                    "since": r.since,
                }
                for r in self._running.values()
            ],
            "waiting": self._lineup.waiting.counts(),
            "shots_to_plan": len(self._due),
            "finished": dict(self.finished),
        }


def _broken(future: Future[Done]) -> bool:
    """Tell whether a job ended with its worker."""
    return not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)
