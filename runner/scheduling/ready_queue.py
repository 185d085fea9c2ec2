"""Which planned reports wait for a worker, in which order, and which wait for another report."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from runner.jobs import Done, Event, Job, Listener, Selection
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import job_of
from runner.scheduling.priority_queue import Key, Priority, PriorityQueue
from runner.staleness.plan import Planned
from runner.templates.template import Templates


@dataclass(frozen=True, kw_only=True)
class Order:
    """What is asked of a scheduler.

    Attributes
    ----------
    force : whether reports are made that are neither missing nor stale.
    patient : whether what a cluster has lost is due again, for as long as it takes, and what
        was killed again and again is tried once more when nothing else is to be done.
    """

    force: bool = False
    patient: bool = True


class ReadyQueue:
    """Puts planned reports in a line, once nothing else is to be done for them first.

    Parameters
    ----------
    coordinator : Coordinator
        Plans what a report leads to.
    order : Order
        What is made at all.
    listener : callable, optional
        Is told what is queued.
    """

    def __init__(
        self, coordinator: Coordinator, order: Order, listener: Listener | None = None
    ) -> None:
        self._coordinator = coordinator
        self._order = order
        self._listener = listener
        self._took = coordinator.catalogue.durations()
        self.waiting = PriorityQueue()
        self.names: Collection[str] | None = None  # of the templates that count; None for all
        self.refused: set[Key] = set()  # reports that cannot be made here
        self._n_queued = self._n_done = 0  # that the listener was told of

    def add(self, plan: Sequence[Planned], priority: Priority, at_work: Collection[Key]) -> None:
        """Let the planned reports wait for a worker that wait for no other report.

        The others are looked at again when those are done. ``at_work`` are those that workers have.
        """
        templates = self._coordinator.templates()
        pending = {(p.subject, p.template) for p in plan} | set(at_work) | set(self.waiting)
        for p in plan:
            key = (p.subject, p.template)
            if key in at_work or key in self.refused:
                continue
            if any((p.subject, name) in pending for name in templates.before(p.template)):
                continue
            if self._listener and key not in self.waiting:
                self._n_queued += 1
                job = job_of(self._coordinator, p, templates[p.template])
                self._listener(Event(kind="planned", job=job, total=self._n_queued))
            self.waiting.put(p, priority, rank=-self._until_end(p.template, templates))

    def knows(self, key: Key, at_work: Collection[Key]) -> bool:
        """Tell whether a report waits, is not to be made, or is one of ``at_work``."""
        return key in self.waiting or key in self.refused or key in at_work

    def tell_done(self, job: Job, done: Done) -> None:
        """Tell the listener of a report that is done."""
        if self._listener:
            self._n_done += 1
            self._listener(
                Event(kind="done", job=job, done=done, index=self._n_done, total=self._n_queued)
            )

    def add_following(self, done: Job, priority: Priority, at_work: Collection[Key]) -> None:
        """Let what reads the scraps of a report that is done wait, where it is due now."""
        templates, subject = self._coordinator.templates(), done.subject
        names = {
            name
            for name in templates.following(done.template)
            if templates[name].scope == subject.scope and (self.names is None or name in self.names)
        }
        if names:
            plan = self._plan_of(subject, names)
            self.add([p for p in plan if p.subject == subject], priority, at_work)
        if all(other != subject for other, _ in at_work):
            self.waiting.leave(subject)

    def _plan_of(self, subject: Subject, names: Collection[str]) -> Sequence[Planned]:
        shots: Sequence[int] | None = None
        if subject.scope == "shot":
            shots = [subject.number]
        elif subject.scope == "day":
            shots = self._coordinator.catalogue.shots(subject.key)
        ranges = [subject] if subject.scope == "range" else []
        return self._coordinator.due(
            Selection(shots=shots, names=names, ranges=ranges, force=self._order.force)
        )

    def _until_end(self, name: str, templates: Templates) -> float:
        """Return how long a report and what waits for it are expected to take, s."""
        scope = templates[name].scope
        following = [f for f in templates.following(name) if templates[f].scope == scope]
        longest = max((self._took.get(f, 0.0) for f in following), default=0.0)
        return self._took.get(name, 0.0) + longest
