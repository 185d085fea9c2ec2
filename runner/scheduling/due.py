"""Shots, and templates of days and ranges, that are due for planning."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from runner.attempts import Attempts, affects_all
from runner.jobs import Selection
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.priority_queue import Priority
from runner.staleness.plan import MISSING, Planned
from runner.templates.template import Templates

MOST_SHOTS = 200  # shots that are planned together, the newest first
PLAN_TOGETHER = "plan the reports that are due"


class Due:
    """Keep what is due until it is planned; a shot that cannot be planned delays no other.

    Parameters
    ----------
    coordinator : Coordinator
        Makes the plans.
    attempts : Attempts
        Records what could not be planned.
    """

    def __init__(self, coordinator: Coordinator, attempts: Attempts) -> None:
        self._coordinator = coordinator
        self._attempts = attempts
        self.shots: dict[int, Priority] = {}
        self._templates: dict[str, bool] = {}  # name → whether to make missing reports, too

    def add_shots(self, shots: Iterable[int], priority: Priority) -> None:
        """Mark shots as due: their missing and stale reports will be planned."""
        for number in shots:
            self.shots[number] = min(priority, self.shots.get(number, priority))

    def add_days_and_ranges(self, templates: Iterable[str], *, missing: bool = True) -> None:
        """Mark templates of days and ranges as due; without ``missing`` only existing reports."""
        for name in templates:
            self._templates[name] = missing or self._templates.get(name, False)

    @property
    def has_shots(self) -> bool:
        """Whether shots can be planned now."""
        return any(self._ready(number) for number in self.shots)

    @property
    def has_any(self) -> bool:
        """Whether anything is due, even if it cannot be planned now."""
        return bool(self.shots or self._templates)

    @property
    def has_days_or_ranges(self) -> bool:
        """Whether reports of days or ranges are due."""
        return bool(self._templates)

    def plan_shots(
        self, templates: Templates, waits: Callable[[Priority], object]
    ) -> Iterator[tuple[Sequence[Planned], Priority]]:
        """Plan the most urgent shots, unless reports as urgent are queued already."""
        ready = {n: p for n, p in self.shots.items() if self._ready(n)}
        if not ready or waits(priority := min(ready.values())):
            return
        names = [t.name for t in templates.values() if t.scope == "shot"]
        group = sorted(n for n, p in ready.items() if p == priority)[-MOST_SHOTS:]
        if (plan := self._plan(PLAN_TOGETHER, group, names)) is not None:
            yield plan, priority
        elif len(group) > 1 and not affects_all(self._attempts.error(PLAN_TOGETHER)):
            # Plan them one by one, so that the shot at fault does not delay the others.
            for number in group:
                if (plan := self._plan(self._name(number), [number], names)) is not None:
                    yield plan, priority
            self._attempts.forget(PLAN_TOGETHER)

    def plan_days_and_ranges(self) -> Iterator[tuple[Sequence[Planned], Priority]]:
        """Plan the due reports of days and ranges."""
        found: list[Planned] = []
        wanted = dict(self._templates)

        def plan() -> None:
            found.extend(self._coordinator.due(Selection(names=list(wanted))))

        if wanted and self._attempts.do("plan the reports of days", plan):
            for name in wanted:
                del self._templates[name]
            plan_of = [p for p in found if wanted[p.template] or MISSING not in p.reasons]
            yield plan_of, Priority.BACKFILL

    def _plan(
        self, what: str, numbers: Sequence[int], names: Collection[str]
    ) -> Sequence[Planned] | None:
        """Plan some shots and remove them from those due; None if that is not possible now."""
        found: list[Planned] = []

        def plan() -> None:
            found.extend(self._coordinator.due(Selection(shots=numbers, names=names)))

        if not self._attempts.do(what, plan):
            return None
        for number in numbers:
            del self.shots[number]
        return found

    def _ready(self, number: int) -> bool:
        return self._attempts.ready(self._name(number))

    @staticmethod
    def _name(number: int) -> str:
        return f"plan the reports of shot {number}"
