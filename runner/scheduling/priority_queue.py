"""A priority queue of reports that wait for a worker.

An executor runs jobs in the order of submission. So submit a job only when a worker is free and
keep it here until then, where a live shot can overtake ten thousand old ones.
"""

from __future__ import annotations

import heapq
import itertools
from collections import Counter
from collections.abc import Iterator
from enum import IntEnum

from runner.receipts import Subject
from runner.staleness.plan import Planned

Key = tuple[Subject, str]


class Priority(IntEnum):
    """The urgency of a report; smaller values run first."""

    LIVE = 0  # of a shot that has just arrived
    PERSON = 1  # requested by a user
    BACKFILL = 2  # of old shots


class PriorityQueue:
    """Planned reports without duplicates, by priority, then by subject in order of arrival."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, float, int, Planned]] = []
        self._urgency: dict[Key, int] = {}
        self._turns: dict[Subject, int] = {}  # the order of arrival of subjects
        self._reports: Counter[Subject] = Counter()
        self._count = itertools.count()

    def put(self, planned: Planned, priority: Priority, *, rank: float = 0.0) -> None:
        """Add a report; one in the queue already can move up, never down.

        Reports of one subject are ordered by ``rank``, the smallest first.
        """
        key = (planned.subject, planned.template)
        before = self._urgency.get(key)
        if before is not None and before <= priority:
            return
        count = next(self._count)
        if before is None:
            self._reports[planned.subject] += 1
        turn = self._turns.setdefault(planned.subject, count)
        self._urgency[key] = priority
        heapq.heappush(self._heap, (priority, turn, rank, count, planned))

    def take(self) -> tuple[Planned, Priority] | None:
        """Remove and return the most urgent report, None if the queue is empty."""
        while self._heap:
            priority, _, _, _, planned = heapq.heappop(self._heap)
            if self._urgency.get((planned.subject, planned.template)) == priority:
                self.remove(planned.subject, planned.template)  # else it moved up or was removed
                return planned, Priority(priority)
        return None

    def remove(self, subject: Subject, template: str) -> None:
        """Remove a report if it is in the queue."""
        if self._urgency.pop((subject, template), None) is None:
            return
        self._reports[subject] -= 1

    def release_turn(self, subject: Subject) -> None:
        """Release a subject's place in the order, unless reports of it are in the queue."""
        if not self._reports[subject]:
            del self._reports[subject]
            self._turns.pop(subject, None)

    def counts(self) -> dict[str, int]:
        """Return the number of reports by the name of their priority."""
        values = list(self._urgency.values())
        return {p.name.lower(): values.count(p) for p in Priority}

    def __contains__(self, key: object) -> bool:
        return key in self._urgency

    def __iter__(self) -> Iterator[Key]:
        return iter(self._urgency)

    def __len__(self) -> int:
        return len(self._urgency)
