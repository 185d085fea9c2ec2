"""Jobs that wait for a worker, the urgent ones first.

An executor works off what it was given in that order and no other. So a job is handed to it only
when a worker is free, and until then it waits here, where a live shot may pass ten thousand old
ones.
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
    """Who waits for a report; the smaller goes first."""

    LIVE = 0  # of a shot that has just arrived
    PERSON = 1  # that someone looks for
    BACKFILL = 2  # of old shots


class PriorityQueue:
    """Planned reports, each once: by priority, then shot by shot in the order of their coming."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, float, int, Planned]] = []
        self._urgency: dict[Key, int] = {}
        self._turns: dict[Subject, int] = {}  # of what has reports waiting
        self._reports: Counter[Subject] = Counter()
        self._count = itertools.count()

    def put(self, planned: Planned, priority: Priority, *, rank: float = 0.0) -> None:
        """Let a report wait; one that waits already moves up, never down.

        Of the reports of one subject those of a smaller ``rank`` go first.
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
        """Take the most urgent report; None where nothing waits."""
        while self._heap:
            priority, _, _, _, planned = heapq.heappop(self._heap)
            if self._urgency.get((planned.subject, planned.template)) == priority:
                self.drop(planned.subject, planned.template)  # else it moved up, or is withdrawn
                return planned, Priority(priority)
        return None

    def drop(self, subject: Subject, template: str) -> None:
        """Withdraw a report."""
        if self._urgency.pop((subject, template), None) is None:
            return
        self._reports[subject] -= 1

    def leave(self, subject: Subject) -> None:
        """Give up a subject's turn, unless reports of it wait: what comes later queues up anew."""
        if not self._reports[subject]:
            del self._reports[subject]
            self._turns.pop(subject, None)

    def counts(self) -> dict[str, int]:
        """Return how many wait, by the name of their priority."""
        values = list(self._urgency.values())
        return {p.name.lower(): values.count(p) for p in Priority}

    def __contains__(self, key: object) -> bool:
        return key in self._urgency

    def __iter__(self) -> Iterator[Key]:
        return iter(self._urgency)

    def __len__(self) -> int:
        return len(self._urgency)
