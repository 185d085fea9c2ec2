"""Decide which planned reports are ready for a worker and which wait for another report."""

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
class SchedulerOptions:
    """Options of a scheduler.

    Attributes
    ----------
    force : whether to make reports that are neither missing nor stale.
    retry : whether to retry reports that a cluster lost, for as long as it takes, and those killed
        repeatedly, once nothing else is left to do.
    """

    force: bool = False
    retry: bool = True


class ReadyQueue:
    """Queue planned reports once the reports that they read are done.

    Parameters
    ----------
    coordinator : Coordinator
        Plans the reports that depend on a finished one.
    options : SchedulerOptions
        Which reports to make at all.
    listener : callable, optional
        Called when a report is queued or done.
    """

    def __init__(
        self, coordinator: Coordinator, options: SchedulerOptions, listener: Listener | None = None
    ) -> None:
        self._coordinator = coordinator
        self._options = options
        self._listener = listener
        self._durations = coordinator.catalogue.durations()
        self.queue = PriorityQueue()
        self.names: Collection[str] | None = None  # of the selected templates; None for all
        self.refused: set[Key] = set()  # reports that cannot be made now
        self._n_queued = self._n_done = 0  # reported to the listener

    def add(
        self, plan: Sequence[Planned], priority: Priority, in_progress: Collection[Key]
    ) -> None:
        """Queue the planned reports that depend on no unfinished report.

        The others are planned again when those are done. ``in_progress`` are the reports that
        workers have.
        """
        templates = self._coordinator.templates()
        pending = {(p.subject, p.template) for p in plan} | set(in_progress) | set(self.queue)
        for p in plan:
            key = (p.subject, p.template)
            if key in in_progress or key in self.refused:
                continue
            if any((p.subject, name) in pending for name in templates.upstream(p.template)):
                continue
            if self._listener and key not in self.queue:
                self._n_queued += 1
                job = job_of(self._coordinator, p, templates[p.template])
                self._listener(Event(kind="planned", job=job, total=self._n_queued))
            self.queue.put(p, priority, rank=-self._expected_duration_s(p.template, templates))

    def contains(self, key: Key, in_progress: Collection[Key]) -> bool:
        """Return whether a report is queued, cannot be made now or is ``in_progress``."""
        return key in self.queue or key in self.refused or key in in_progress

    def notify_done(self, job: Job, done: Done) -> None:
        """Notify the listener that a report is done."""
        if self._listener:
            self._n_done += 1
            self._listener(
                Event(kind="done", job=job, done=done, index=self._n_done, total=self._n_queued)
            )

    def add_downstream(self, done: Job, priority: Priority, in_progress: Collection[Key]) -> None:
        """Queue the due reports that read scraps of a finished one."""
        templates, subject = self._coordinator.templates(), done.subject
        names = {
            name
            for name in templates.downstream(done.template)
            if templates[name].scope == subject.scope and (self.names is None or name in self.names)
        }
        if names:
            plan = self._plan_of(subject, names)
            self.add([p for p in plan if p.subject == subject], priority, in_progress)
        if all(other != subject for other, _ in in_progress):
            self.queue.release_turn(subject)

    def _plan_of(self, subject: Subject, names: Collection[str]) -> Sequence[Planned]:
        shots: Sequence[int] | None = None
        if subject.scope == "shot":
            shots = [subject.number]
        elif subject.scope == "day":
            shots = self._coordinator.catalogue.shots(subject.key)
        ranges = [subject] if subject.scope == "range" else []
        return self._coordinator.due(
            Selection(shots=shots, names=names, ranges=ranges, force=self._options.force)
        )

    def _expected_duration_s(self, name: str, templates: Templates) -> float:
        """Return the expected duration of a report and its dependents, s."""
        scope = templates[name].scope
        following = [f for f in templates.downstream(name) if templates[f].scope == scope]
        longest = max((self._durations.get(f, 0.0) for f in following), default=0.0)
        return self._durations.get(name, 0.0) + longest
