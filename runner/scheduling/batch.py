"""Make every missing or stale report now, in the order that takes least time."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import replace

from runner.attempts import affects_all
from runner.errors import ClusterError, ReportsNotMade
from runner.jobs import EVERYTHING, Done, Event, Listener, Selection
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.priority_queue import Priority
from runner.scheduling.ready_queue import SchedulerOptions
from runner.scheduling.scheduler import Scheduler


def run_batch(
    coordinator: Coordinator,
    selection: Selection = EVERYTHING,
    *,
    workers: int | None = None,
    listener: Listener | None = None,
    pool: Executor | None = None,
) -> list[Done]:
    """Make every missing or stale report of a selection; return those made.

    Templates that read scraps of other templates run after them, on their new scraps.

    Parameters
    ----------
    coordinator : Coordinator
    selection : Selection
    workers : int, optional
        Number of processes, 0 to run in this one; by default the number in the settings.
    listener : callable, optional
        Called with each `Event`.
    pool : Executor, optional
        Existing workers to use.
    """
    templates = coordinator.templates()
    wanted = {t.name for t in templates.values() if selection.includes(t.name, t.scope)}
    made: list[Done] = []

    def notify(event: Event) -> None:
        if event.done is not None:
            made.append(event.done)
        if listener:
            listener(event)

    options = SchedulerOptions(force=selection.force, retry=False)
    try:
        with Scheduler(
            coordinator, options=options, workers=workers, pool=pool, listener=notify
        ) as scheduler:
            for phase in templates.phases():
                if now := phase & wanted:
                    scheduler.only(now)
                    plan = coordinator.due(replace(selection, names=now))
                    scheduler.enqueue(plan, Priority.PERSON)
                    _work_until_done(scheduler)
    except BaseException:
        if pool is None:  # all workers have ended
            coordinator.clear_unfinished()
        raise
    return made


def _work_until_done(scheduler: Scheduler) -> None:
    while scheduler.busy:
        scheduler.hand_out()
        scheduler.wait()
        scheduler.collect()
        for error in scheduler.errors:
            if affects_all(error):
                raise error
    if scheduler.errors:
        error, n = scheduler.errors[0], len(scheduler.errors)
        if isinstance(error, ClusterError):
            raise error
        what = f"{n} reports" if n > 1 else "a report"
        raise ReportsNotMade(
            f"{what} could not be made, all others were: {type(error).__name__}: {error}"
        ) from error
