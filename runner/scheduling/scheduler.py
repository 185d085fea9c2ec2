"""The scheduler: decide which reports are due, which run and which come next.

Workers get one job at a time, when they are free. So a new shot waits for at most one report in
progress, and a report that reads scraps of another starts as soon as that one is done.
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

from runner.attempts import Attempts, affects_all
from runner.errors import ClusterError, KernelKilled, WorkersLost
from runner.jobs import Done, Listener, Observer
from runner.monitoring.logs import about
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import job_of, make_failed_report, open_workers, submit
from runner.scheduling.due import Due
from runner.scheduling.handed_out import HandedOut
from runner.scheduling.pool import jobs_at_once
from runner.scheduling.priority_queue import Key, Priority
from runner.scheduling.ready_queue import ReadyQueue, SchedulerOptions
from runner.scheduling.retries import Retries, Running, log_done
from runner.scheduling.stuck_workers import StuckWorkers
from runner.staleness.plan import Planned
from runner.templates.template import Templates

logger = logging.getLogger(__name__)


class Scheduler:
    """Keep the workers busy with due reports, the most urgent first.

    Parameters
    ----------
    coordinator : Coordinator
        Plans reports and notes finished ones.
    observer : Observer, optional
        Counts reports for the status and the metrics.
    options : SchedulerOptions
        Which reports to make at all.
    workers : int, optional
        Number of reports at once; by default the number in the settings.
    pool : Executor, optional
        Existing workers, which the caller ends.
    listener : callable, optional
        Called when a report is queued or done.
    wake : callable, optional
        Called, in any thread, when a report is done.
    attempts : Attempts, optional
        Records what failed and is to be retried; by default its own.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        observer: Observer | None = None,
        *,
        options: SchedulerOptions | None = None,
        workers: int | None = None,
        pool: Executor | None = None,
        listener: Listener | None = None,
        wake: Callable[[], None] | None = None,
        attempts: Attempts | None = None,
    ) -> None:
        self._coordinator = coordinator
        self._observer = observer
        self._options = options or SchedulerOptions()
        self._ready = ReadyQueue(coordinator, self._options, listener)
        self._wake = wake
        self._workers = coordinator.settings.run.processes if workers is None else workers
        self._pools = ExitStack()
        self._pool: Executor | None = pool or self._open_pool()
        self._attempts = attempts or Attempts()
        self._handed_out = HandedOut(coordinator.workspace)
        self._stuck_workers = StuckWorkers(coordinator.workspace)
        self.due = Due(coordinator, self._attempts)
        self._running: dict[Future[Done], Running] = {}
        self._made: list[tuple[Running, Done]] = []  # not noted yet
        self._retries = Retries(
            enabled=self._options.retry,
            attempts=self._attempts,
            handed_out=self._handed_out,
            fail=self._fail,
        )
        self._noted: set[Subject] = set()  # whose reports were noted since the last `collect`
        self._last_cluster_error = ""  # logged last
        self.errors: list[Exception] = []  # not recorded in any report
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
        return self.due.has_any or bool(self._retries.backing_off) or self.busy_with_shots

    def request_shots(self, shots: Iterable[int], priority: Priority) -> None:
        """Mark shots as due: their missing and stale reports will be made."""
        self.due.add_shots(shots, priority)

    def request_days(self, templates: Iterable[str]) -> None:
        """Mark day templates as due: their missing and stale reports follow those of shots."""
        self.due.add_days_and_ranges(templates)

    # --- out ------------------------------------------------------------------------------------

    def hand_out(self) -> None:
        """Give each free worker the most urgent report."""
        self._retry_backed_off()
        if self._pool is None and not self._try("start workers", self._start_workers):
            return
        templates = self._coordinator.templates()
        while not self._retries.suspects:
            if any(running.deaths or running.alone for running in self._running.values()):
                return
            if self._is_full:
                break
            self._plan_ahead(templates)
            taken = self._ready.queue.take()
            if taken is None:
                break
            planned, priority = taken
            if planned.template not in templates:
                continue  # the template was removed while its report waited
            job = job_of(self._coordinator, planned, templates[planned.template])
            running = Running(planned=planned, job=job, priority=priority, since=time.time())
            try:
                if self._retries.take_suspect(running):
                    continue
            except OSError as error:  # its record cannot be written
                self._back_off(running, error)
                continue
            if not self._hand_to_worker(running):
                return
        if self._running:
            return
        if self._retries.suspects:
            # One by one and alone: if a worker dies, its report is the culprit, and none else lost.
            self._hand_out_again(self._retries.suspects.pop(0))
        elif self._retries.deferred and not (self.due.has_shots or self._ready.queue):
            self._hand_out_again(self._retries.deferred.pop(0))  # it may use all memory

    @property
    def _is_full(self) -> bool:
        assert self._pool is not None
        return len(self._running) >= jobs_at_once(self._pool, self._workers)

    def _retry_backed_off(self) -> None:
        """Queue the reports again whose pause after a failure is over."""
        for running in self._retries.take_ready():
            self._ready.refused.discard((running.job.subject, running.job.template))
            self.enqueue([running.planned], running.priority)

    def _try(self, what: str, work: Callable[[], object]) -> bool:
        """Do something, with retries for a service; a run raises at once."""
        if self._options.retry:
            return self._attempts.do(what, work)
        work()
        return True

    def _start_workers(self) -> None:
        self._pool = self._open_pool()

    def _hand_out_again(self, running: Running) -> None:
        """Hand out a report again, with the current limits."""
        templates = self._coordinator.templates()
        if template := templates.get(running.planned.template):
            job = job_of(self._coordinator, running.planned, template)
            self._hand_to_worker(replace(running, job=job))

    def _hand_to_worker(self, running: Running) -> bool:
        """Hand out a job; return whether a worker took it. Otherwise it comes first next time."""
        may_retry = self._retries.may_retry(running)
        running = replace(running, since=time.time(), job=replace(running.job, may_retry=may_retry))
        try:
            assert self._pool is not None
            self._handed_out.begin(running.job)
            future = submit(self._coordinator, self._pool, running.planned, running.job)
        except (BrokenProcessPool, EOFError, ConnectionError, FileNotFoundError) as error:
            # An idle worker died, or the process that forks workers.
            logger.warning("no worker for %s (%r): starting new workers", running.job, error)
            self._retries.suspects.append(running)
            self._renew_workers()
            return False
        except Exception as error:
            if not self._options.retry:
                raise
            self._back_off(running, error)
            return False
        self._running[future] = running
        if self._wake:
            future.add_done_callback(lambda _: self._wake and self._wake())
        return True

    def _renew_workers(self) -> None:
        """Replace all workers; the jobs that they had become suspects with one death more."""
        self._pools.close()  # afterwards every job has ended, one way or another
        self._pool = None
        self._coordinator.clear_unfinished()
        self._try("start workers", self._start_workers)
        for future, running in list(self._running.items()):
            if _broken(future):
                del self._running[future]
                self._retries.worker_died(running)

    def _fail(self, running: Running, why: Exception) -> None:
        """Make the failed report of a job that is not retried any more."""
        try:
            done = make_failed_report(running.job, why)
        except Exception as error:
            self._back_off(running, error)
        else:
            self._made.append((running, done))
            self._note_made()

    def _plan_ahead(self, templates: Templates) -> None:
        """Plan the most urgent due shots, unless reports as urgent are queued already."""
        waiting = self._ready.queue
        for plan, priority in self.due.plan_shots(
            templates, lambda p: waiting.counts()[p.name.lower()]
        ):
            self.enqueue(plan, priority)
        if self.due.has_days_or_ranges and not self.busy_with_shots:
            for plan, priority in self.due.plan_days_and_ranges():
                self.enqueue(plan, priority)

    @property
    def busy_with_shots(self) -> bool:
        """Whether reports of shots, which reports of days may read, are running or due."""
        return bool(self._in_progress() or self.due.has_shots or self._ready.queue)

    def contains(self, planned: Planned) -> bool:
        """Return whether a report is queued, in progress or to be retried."""
        return self._ready.contains((planned.subject, planned.template), self._keys_in_progress())

    def only(self, names: Collection[str]) -> None:
        """Make only reports of these templates from now on."""
        self._ready.names = names

    def enqueue(self, plan: Sequence[Planned], priority: Priority) -> None:
        """Queue the planned reports that depend on no unfinished report."""
        self._ready.add(plan, priority, self._keys_in_progress())

    def _keys_in_progress(self) -> set[Key]:
        return {(r.job.subject, r.job.template) for r in self._in_progress()}

    def _in_progress(self) -> list[Running]:
        made = [running for running, _ in self._made]
        return [*self._running.values(), *self._retries.suspects, *self._retries.deferred, *made]

    # --- in -------------------------------------------------------------------------------------

    def collect(self) -> set[Subject]:
        """Note finished reports, which may make their dependents due; return their subjects."""
        self._stuck_workers.kill(self._running.values())
        if any(f.done() and _broken(f) for f in self._running):
            self._renew_workers()
        for future in [f for f in self._running if f.done()]:
            running = self._running.pop(future)
            self._try(
                f"note that {running.job} is back", partial(self._handed_out.returned, running.job)
            )
            if future.cancelled():
                continue
            try:
                done = future.result()
            except (WorkersLost, KernelKilled) as error:
                self._retries.defer(running, error)
                continue
            except ClusterError as error:
                self._requeue(running, error)
                continue
            except Exception as error:
                self._back_off(running, error)
                continue
            self._made.append((running, done))
        self._note_made()
        subjects, self._noted = self._noted, set()
        return subjects | self._coordinator.take_unpublished()

    def _note_made(self) -> None:
        """Note finished reports in the catalogue; retry later those that cannot be noted now."""
        for running, done in list(self._made):
            what = f"note {running.job}"
            if self._try(what, partial(self._coordinator.note_report, done)):
                self._made.remove((running, done))
                self._note(running, done)
            elif affects_all(self._attempts.error(what)):
                return  # each of the others would wait for the catalogue, too

    def _note(self, running: Running, done: Done) -> None:
        """Report a noted report to all observers and queue its dependents."""
        job, receipt = running.job, done.receipt
        self._attempts.succeeded(running.what)
        self._try(f"note that {job} is made", partial(self._handed_out.finished, job))
        self.finished[receipt.state] = self.finished.get(receipt.state, 0) + 1
        log_done(logger, running, receipt)
        if self._observer:
            self._observer.report_made(done)
        self._noted.add(job.subject)
        self._ready.notify_done(job, done)
        try:
            self._ready.add_downstream(job, running.priority, self._keys_in_progress())
        except Exception as error:
            if not self._options.retry:
                raise
            logger.warning(
                "reports that read %s cannot be planned now (%s): planning them again", job, error
            )
            self._make_due(running)

    def _requeue(self, running: Running, error: ClusterError) -> None:
        """Mark a report as due again after the cluster lost it."""
        if not self._options.retry:
            self.errors.append(error)
            return
        job, why = running.job, str(error)
        if why != self._last_cluster_error:
            logger.error("%s: %s", running.job, why, extra=about(job.subject, job.template))
        self._last_cluster_error = why
        self._make_due(running)

    def _make_due(self, running: Running) -> None:
        """Plan the missing reports of a job's subject again."""
        if running.job.subject.scope == "shot":
            self.request_shots([running.job.subject.number], running.priority)
        else:
            self.request_days([running.job.template])

    def _back_off(self, running: Running, why: Exception) -> None:
        """Retry a report after a pause; a run only records the error."""
        job = running.job
        self._ready.refused.add((job.subject, job.template))
        if not self._options.retry:
            logger.error("%s could not be made: %s: %s", job, type(why).__name__, why)
            self.errors.append(why)
            return
        self._retries.back_off(running, why)
        if self._observer:
            self._observer.report_not_made(job)

    def wait(self) -> None:
        """Wait until at least one report is done."""
        wait(self._running, return_when=FIRST_COMPLETED)

    @property
    def has_finished(self) -> bool:
        """Whether a report is done but not collected."""
        return any(future.done() for future in self._running)

    def finish(self) -> set[Subject]:
        """Wait for the reports in progress and note them, without starting others."""
        for future in self._running:
            future.cancel()
        wait(self._running)
        return self.collect()

    def status(self) -> dict[str, Any]:
        """Return what is running and how much is waiting, for the status."""
        return {
            "running": [running.status_entry for running in self._running.values()],
            "waiting": self._ready.queue.counts(),
            "shots_to_plan": len(self.due.shots),
            "finished": dict(self.finished),
        }


def _broken(future: Future[Done]) -> bool:
    """Return whether a job ended because its worker died."""
    return not future.cancelled() and isinstance(future.exception(), BrokenProcessPool)
