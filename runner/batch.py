"""Making every report that is missing or stale, now, in the order that takes least time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from concurrent.futures import Executor

from runner.coordinator import Coordinator, Event, Listener
from runner.desk import Desk
from runner.errors import ClusterError, TemplateError
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
            # what others do is still to be noted, and what other templates give still to be made
            if not isinstance(error, ClusterError | TemplateError):
                raise error
    if desk.errors:
        raise desk.errors[0]
