"""Making every report that is missing or stale, now, in the order that takes least time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor

from runner.attempts import concerns_all
from runner.coordinator import Coordinator, Event, Listener
from runner.desk import Desk
from runner.errors import ClusterError, ReportsNotMade
from runner.execute import Done
from runner.lineup import Order
from runner.receipts import Subject
from runner.waiting import Priority


def run_batch(
    coordinator: Coordinator,
    *,
    shots: Sequence[int] | None = None,
    names: Collection[str] | None = None,
    ranges: Sequence[Subject] = (),
    force: bool = False,
    workers: int | None = None,
    scopes: Collection[str] = ("shot", "day", "range"),
    listener: Listener | None = None,
    pool: Executor | None = None,
) -> list[Done]:
    """Make every report that is missing or stale; return those that were made.

    Parameters are those of `Coordinator.run`.
    """
    templates = coordinator.templates()
    wanted = {
        t.name
        for t in templates.values()
        if t.scope in scopes and (names is None or t.name in names)
    }
    made: list[Done] = []

    def tell(event: Event) -> None:
        if event.done is not None:
            made.append(event.done)
        if listener:
            listener(event)

    order = Order(force=force, patient=False)
    try:
        with Desk(coordinator, order=order, workers=workers, pool=pool, listener=tell) as desk:
            for phase in templates.phases():
                if now := phase & wanted:
                    desk.only(now)
                    plan = coordinator.due(shots=shots, names=now, ranges=ranges, force=force)
                    desk.queue(plan, Priority.PERSON)
                    _work_off(desk)
    except BaseException:
        if pool is None:  # all who made reports have ended
            coordinator.clear_unfinished()
        raise
    return made


def _work_off(desk: Desk) -> None:
    while desk.busy:
        desk.hand_out()
        desk.wait()
        desk.collect()
        for error in desk.errors:
            if concerns_all(error):
                raise error
    if desk.errors:
        error, n = desk.errors[0], len(desk.errors)
        if isinstance(error, ClusterError):
            raise error
        what = f"{n} reports" if n > 1 else "a report"
        raise ReportsNotMade(
            f"{what} could not be made, all others were: {type(error).__name__}: {error}"
        ) from error
