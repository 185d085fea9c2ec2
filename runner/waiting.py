"""Jobs that wait for a worker, the urgent ones first.

An executor works off what it was given in that order and no other. So a job is handed to it only
when a worker is free, and until then it waits here, where a live shot may pass ten thousand old
ones.
"""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterator
from enum import IntEnum

from runner.plan import Planned
from runner.receipts import Subject

Key = tuple[Subject, str]


class Priority(IntEnum):
    """Who waits for a report; the smaller goes first."""

    LIVE = 0  # of a shot that has just arrived
    PERSON = 1  # that someone looks for
    BACKFILL = 2  # of old shots


class Waiting:
    """Planned reports, by priority, then in the order in which they came; each once."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int, Planned]] = []
        self._urgency: dict[Key, int] = {}
        self._count = itertools.count()

    def put(self, planned: Planned, priority: Priority) -> None:
        """Let a report wait; one that waits already moves up, never down."""
        key = (planned.subject, planned.template)
        if self._urgency.get(key, len(Priority)) <= priority:
            return
        self._urgency[key] = priority
        heapq.heappush(self._heap, (priority, next(self._count), planned))

    def take(self) -> tuple[Planned, Priority] | None:
        """Take the most urgent report; None where nothing waits."""
        while self._heap:
            priority, _, planned = heapq.heappop(self._heap)
            key = (planned.subject, planned.template)
            if self._urgency.get(key) == priority:  # else it has moved up, or is withdrawn
                del self._urgency[key]
                return planned, Priority(priority)
        return None

    def drop(self, subject: Subject, template: str) -> None:
        """Withdraw a report."""
        self._urgency.pop((subject, template), None)

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
