"""What is due and not planned yet: shots to be looked at, and templates of days and ranges."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence

from runner.attempts import Attempts, concerns_all
from runner.jobs import Selection
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.priority_queue import Priority
from runner.staleness.plan import MISSING, Planned
from runner.templates.template import Templates

AT_ONCE = 200  # shots that are planned together, the newest first
TOGETHER = "plan the reports that are due"


class Due:
    """Keeps what is due until it is planned; a shot that cannot be planned holds up no other.

    Parameters
    ----------
    coordinator : Coordinator
        Plans.
    attempts : Attempts
        Where it is told what could not be planned.
    """

    def __init__(self, coordinator: Coordinator, attempts: Attempts) -> None:
        self._coordinator = coordinator
        self._attempts = attempts
        self.shots: dict[int, Priority] = {}
        self._of_many: dict[str, bool] = {}  # templates; also what was never made of them?

    def ask(self, shots: Iterable[int], priority: Priority) -> None:
        """Make the reports of some shots due that are missing or stale."""
        for number in shots:
            self.shots[number] = min(priority, self.shots.get(number, priority))

    def ask_of_many(self, templates: Iterable[str], *, missing: bool = True) -> None:
        """Make the reports of days and ranges due; without ``missing`` those that were made."""
        for name in templates:
            self._of_many[name] = missing or self._of_many.get(name, False)

    @property
    def has_shots(self) -> bool:
        """Whether shots can be planned now."""
        return any(self._ready(number) for number in self.shots)

    @property
    def has_any(self) -> bool:
        """Whether anything is due, be it that it cannot be planned now."""
        return bool(self.shots or self._of_many)

    @property
    def has_many(self) -> bool:
        """Whether reports of days or ranges are due."""
        return bool(self._of_many)

    def plan_shots(
        self, templates: Templates, waits: Callable[[Priority], object]
    ) -> Iterator[tuple[Sequence[Planned], Priority]]:
        """Plan the most urgent shots, unless something as urgent waits already."""
        ready = {n: p for n, p in self.shots.items() if self._ready(n)}
        if not ready or waits(priority := min(ready.values())):
            return
        names = [t.name for t in templates.values() if t.scope == "shot"]
        group = sorted(n for n, p in ready.items() if p == priority)[-AT_ONCE:]
        if (plan := self._plan(TOGETHER, group, names)) is not None:
            yield plan, priority
        elif len(group) > 1 and not concerns_all(self._attempts.error(TOGETHER)):
            # One of them: the others need not wait for it.
            for number in group:
                if (plan := self._plan(self._name(number), [number], names)) is not None:
                    yield plan, priority
            self._attempts.forget(TOGETHER)

    def plan_many(self) -> Iterator[tuple[Sequence[Planned], Priority]]:
        """Plan the reports of days and ranges that are due."""
        found: list[Planned] = []
        wanted = dict(self._of_many)

        def plan() -> None:
            found.extend(self._coordinator.due(Selection(names=list(wanted))))

        if wanted and self._attempts.do("plan the reports of days", plan):
            for name in wanted:
                del self._of_many[name]
            plan_of = [p for p in found if wanted[p.template] or MISSING not in p.reasons]
            yield plan_of, Priority.BACKFILL

    def _plan(
        self, what: str, numbers: Sequence[int], names: Collection[str]
    ) -> Sequence[Planned] | None:
        """Plan some shots, which are no longer due then; None where it cannot be done now."""
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
