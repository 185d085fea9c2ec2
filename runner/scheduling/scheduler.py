"""The scheduler: which reports are due, which run, which come next.

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
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any

from runner.attempts import Attempts, concerns_all
from runner.errors import ClusterError, KernelKilled, WorkersLost
from runner.jobs import Done, Listener, Observer
from runner.monitoring.logs import about
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import given_up, job_of, open_workers, submit
from runner.scheduling.due import Due
from runner.scheduling.handed_out import HandedOut
from runner.scheduling.pool import jobs_at_once
from runner.scheduling.priority_queue import Key, Priority
from runner.scheduling.ready_queue import Order, ReadyQueue
from runner.scheduling.setbacks import Running, Setbacks, log_done
from runner.scheduling.stuck import Stuck
from runner.staleness.plan import Planned
from runner.templates.template import Templates

logger = logging.getLogger(__name__)


class Scheduler:
    """Keeps the workers busy with what is due, the urgent first.

    Parameters
    ----------
    coordinator : Coordinator
        Plans, and notes what is done.
    observer : Observer, optional
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
    attempts : Attempts, optional
        Where it is told what could not be done, and is tried again; those of its own by default.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        observer: Observer | None = None,
        *,
        order: Order | None = None,
        workers: int | None = None,
        pool: Executor | None = None,
        listener: Listener | None = None,
        wake: Callable[[], None] | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self._coordinator = coordinator
        self._observer = observer
        self._order = order or Order()
        self._ready = ReadyQueue(coordinator, self._order, listener)
        self._wake = wake
        self._workers = coordinator.settings.run.processes if workers is None else workers
        self._pools = ExitStack()
        self._pool: Executor | None = pool or self._open_pool()
        self._attempts = attempts or Attempts()
        self._handed_out = HandedOut(coordinator.workspace)
        self._stuck = Stuck(coordinator.workspace)
        self.due = Due(coordinator, self._attempts)
        self._running: dict[Future[Done], Running] = {}
        self._made: list[tuple[Running, Done]] = []  # to be noted
        self._setbacks = Setbacks(
            patient=self._order.patient,
            attempts=self._attempts,
            handed_out=self._handed_out,
            fail=self._fail,
        )
        self._noted: set[Subject] = set()  # whose reports were noted since the last `collect`
        self._trouble = ""  # with the cluster, told last
        self.errors: list[Exception] = []  # that no report tells of
        self.finished: dict[str, int] = {}  # reports by state, since the start

    def _open_pool(self) -> Executor:
        return self._pools.enter_context(open_workers(self._coordinator, self._workers))

    def close(self) -> None:
        """End the workers."""
        self._pools.close()
        self._handed_out.close()

    def __enter__(self) -> Scheduler:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._pools.__exit__(kind, error, trace)
        self._handed_out.close()

    @property
    def busy(self) -> bool:
        """Whether reports are running or due."""
        return self.due.has_any or bool(self._setbacks.resting) or self.busy_with_shots

    def ask(self, shots: Iterable[int], priority: Priority) -> None:
        """Make the reports of some shots due that are missing or stale."""
        self.due.ask(shots, priority)

    def ask_days(self, templates: Iterable[str]) -> None:
        """Make the reports of all days due that are missing or stale, once nothing else runs."""
        self.due.ask_of_many(templates)

    # --- out ------------------------------------------------------------------------------------

    def hand_out(self) -> None:
        """Give each free worker the most urgent report."""
        self._take_up_resting()
        if self._pool is None and not self._try("start workers", self._start_workers):
            return
        templates = self._coordinator.templates()
        while not self._setbacks.suspects:
            if any(running.deaths or running.alone for running in self._running.values()):
                return
            if self._is_full:
                break
            self._look_ahead(templates)
            taken = self._ready.waiting.take()
            if taken is None:
                break
            planned, priority = taken
            if planned.template not in templates:
                continue  # it was taken away while its report waited
            job = job_of(self._coordinator, planned, templates[planned.template])
            running = Running(planned=planned, job=job, priority=priority, since=time.time())
            try:
                if self._setbacks.is_suspect(running):
                    continue
            except OSError as error:  # what is known of it cannot be written down
                self._set_aside(running, error)
                continue
            if not self._hand_to_worker(running):
                return
        if self._running:
            return
        if self._setbacks.suspects:
            # One by one and alone: whose worker dies then has ended it, and harms no other.
            self._hand_out_again(self._setbacks.suspects.pop(0))
        elif self._setbacks.unlucky and not (self.due.has_shots or self._ready.waiting):
            self._hand_out_again(self._setbacks.unlucky.pop(0))  # it may have all memory

    @property
    def _is_full(self) -> bool:
        assert self._pool is not None
        return len(self._running) >= jobs_at_once(self._pool, self._workers)

    def _take_up_resting(self) -> None:
        """Let those wait for a worker again that could not be made a while ago."""
        for running in self._setbacks.rested():
            self._ready.refused.discard((running.job.subject, running.job.template))
            self.queue([running.planned], running.priority)

    def _try(self, what: str, work: Callable[[], object]) -> bool:
        """Do something: until it is done for the service, or at once for who waits for the run."""
        if self._order.patient:
            return self._attempts.do(what, work)
        work()
        return True

    def _start_workers(self) -> None:
        self._pool = self._open_pool()

    def _hand_out_again(self, running: Running) -> None:
        """Hand out what a worker has had, with the limits that hold now."""
        templates = self._coordinator.templates()
        if template := templates.get(running.planned.template):
            job = job_of(self._coordinator, running.planned, template)
            self._hand_to_worker(replace(running, job=job))

    def _hand_to_worker(self, running: Running) -> bool:
        """Hand out a job; where no worker can be had, it comes first with the next ones."""
        patient = self._setbacks.may_come_again(running)
        running = replace(running, since=time.time(), job=replace(running.job, patient=patient))
        try:
            assert self._pool is not None
            self._handed_out.begin(running.job)
            future = submit(self._coordinator, self._pool, running.planned, running.job)
        except (BrokenProcessPool, EOFError, ConnectionError, FileNotFoundError) as error:
            # A worker died while it had nothing to do, or the process that forks workers.
            logger.warning("no worker for %s (%r): starting others", running.job, error)
            self._setbacks.suspects.append(running)
            self._renew_workers()
            return False
        except Exception as error:
            if not self._order.patient:
                raise
            self._set_aside(running, error)
            return False
        self._running[future] = running
        if self._wake:
            future.add_done_callback(lambda _: self._wake and self._wake())
        return True

    def _renew_workers(self) -> None:
        """End the workers and start others; jobs that they had are suspects, each with a death."""
        self._pools.close()  # afterwards every job is done, one way or another
        self._pool = None
        self._coordinator.clear_unfinished()
        self._try("start workers", self._start_workers)
        for future, running in list(self._running.items()):
            if _broken(future):
                del self._running[future]
                self._setbacks.worker_died(running)

    def _fail(self, running: Running, why: Exception) -> None:
        """Make the failed report of one that is not tried any more."""
        try:
            done = given_up(running.job, why)
        except Exception as error:
            self._set_aside(running, error)
        else:
            self._made.append((running, done))
            self._note_made()

    def _look_ahead(self, templates: Templates) -> None:
        """Plan the most urgent of the due shots, unless something as urgent waits already."""
        waiting = self._ready.waiting
        for plan, priority in self.due.plan_shots(
            templates, lambda p: waiting.counts()[p.name.lower()]
        ):
            self.queue(plan, priority)
        if self.due.has_many and not self.busy_with_shots:
            for plan, priority in self.due.plan_many():
                self.queue(plan, priority)

    @property
    def busy_with_shots(self) -> bool:
        """Whether reports of shots are running or due, which those of days would read."""
        return bool(self._at_work() or self.due.has_shots or self._ready.waiting)

    def knows(self, planned: Planned) -> bool:
        """Tell whether a report waits, is being made, or rests."""
        return self._ready.knows((planned.subject, planned.template), self._keys_at_work())

    def only(self, names: Collection[str]) -> None:
        """Make reports of these templates from now on, and of no others."""
        self._ready.names = names

    def queue(self, plan: Sequence[Planned], priority: Priority) -> None:
        """Let the planned reports wait for a worker that wait for no other report."""
        self._ready.add(plan, priority, self._keys_at_work())

    def _keys_at_work(self) -> set[Key]:
        return {(r.job.subject, r.job.template) for r in self._at_work()}

    def _at_work(self) -> list[Running]:
        made = [running for running, _ in self._made]
        return [*self._running.values(), *self._setbacks.suspects, *self._setbacks.unlucky, *made]

    # --- in -------------------------------------------------------------------------------------

    def collect(self) -> set[Subject]:
        """Note the reports that are done; what reads their scraps may be due now."""
        self._stuck.look(self._running.values())
        if any(f.done() and _broken(f) for f in self._running):
            self._renew_workers()
        for future in [f for f in self._running if f.done()]:
            running = self._running.pop(future)
            self._try(
                f"note that {running.job} is back", partial(self._handed_out.back, running.job)
            )
            if future.cancelled():
                continue
            try:
                done = future.result()
            except (WorkersLost, KernelKilled) as error:
                self._setbacks.leave_for_later(running, error)
                continue
            except ClusterError as error:
                self._put_back(running, error)
                continue
            except Exception as error:
                self._set_aside(running, error)
                continue
            self._made.append((running, done))
        self._note_made()
        subjects, self._noted = self._noted, set()
        return subjects | self._coordinator.take_unpublished()

    def _note_made(self) -> None:
        """Note the reports that are made; one that cannot be noted now is noted later."""
        for running, done in list(self._made):
            what = f"note {running.job}"
            if self._try(what, partial(self._coordinator.note_report, done)):
                self._made.remove((running, done))
                self._note(running, done)
            elif concerns_all(self._attempts.error(what)):
                return  # the others would wait for it, too, one after the other

    def _note(self, running: Running, done: Done) -> None:
        """Tell of a report that is noted, and let those wait for a worker that read it."""
        job, receipt = running.job, done.receipt
        self._attempts.succeeded(running.what)
        self._try(f"note that {job} is made", partial(self._handed_out.made, job))
        self.finished[receipt.state] = self.finished.get(receipt.state, 0) + 1
        log_done(logger, running, receipt)
        if self._observer:
            self._observer.reported(done)
        self._noted.add(job.subject)
        self._ready.tell_done(job, done)
        try:
            self._ready.add_following(job, running.priority, self._keys_at_work())
        except Exception as error:
            if not self._order.patient:
                raise
            logger.warning("what follows %s cannot be planned now: %s", job, error)
            self._make_due(running)

    def _put_back(self, running: Running, error: ClusterError) -> None:
        """Make a report due again that the cluster has lost."""
        if not self._order.patient:
            self.errors.append(error)
            return
        job, why = running.job, str(error)
        if why != self._trouble:
            logger.error("%s: %s", running.job, why, extra=about(job.subject, job.template))
        self._trouble = why
        self._make_due(running)

    def _make_due(self, running: Running) -> None:
        """Let it be planned again what a job's subject lacks."""
        if running.job.subject.scope == "shot":
            self.ask([running.job.subject.number], running.priority)
        else:
            self.ask_days([running.job.template])

    def _set_aside(self, running: Running, why: Exception) -> None:
        """Let a report rest that cannot be made now; who waits for the run is told."""
        job = running.job
        self._ready.refused.add((job.subject, job.template))
        if not self._order.patient:
            logger.error("%s could not be made: %s: %s", job, type(why).__name__, why)
            self.errors.append(why)
            return
        self._setbacks.set_aside(running, why)
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
            "running": [running.told for running in self._running.values()],
            "waiting": self._ready.waiting.counts(),
            "shots_to_plan": len(self.due.shots),
            "finished": dict(self.finished),
        }


def _broken(future: Future[Done]) -> bool:
    """Tell whether a job ended with its worker."""
    return not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)
