"""Observers of the factory: status, metrics and the progress of a run.

``watch`` reports events to `ServiceObserver`, which updates the status file and the metrics;
`RunObserver` does the same for ``run``, from the events of its scheduler.
"""

from __future__ import annotations

import logging
import shutil
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ishtar.workspace import Workspace
from runner.attempts import Trouble
from runner.ingest import Outcome
from runner.ingest.raw_files.intake import WaitingFile
from runner.ingest.raw_files.quarantine import quarantined_names
from runner.monitoring.progress import Progress, kind_of, read_progress, write_transient
from runner.monitoring.status import LastFile, StatusWriter
from runner.service.external_changes import Change
from runner.settings.file import METRICS_FILE, address_of

if TYPE_CHECKING:
    from runner.jobs import Done, Event, Job

logger = logging.getLogger(__name__)

MOST_LISTED = 50  # troubles, and waiting files, in the status


class ServiceObserver:
    """Keep the status and the metrics of the service."""

    def __init__(self, workspace: Workspace, metrics: str = "") -> None:
        self._workspace = workspace
        from runner.service.metrics import Metrics  # a run needs none

        self._where = metrics
        self.metrics = Metrics()
        self.status_writer = StatusWriter(workspace, "watch")
        self._open = ExitStack()

    def __enter__(self) -> ServiceObserver:
        """Begin to write the status and serve the metrics, if their address is free."""
        self.metrics.put("ishtar_start_time_seconds", self.status_writer.holder.since)
        where = ""
        if self._where == METRICS_FILE:
            where = str(self._workspace.root / "data" / "metrics.prom")
        elif self._where:
            from runner.service.metrics import serve

            host, port = address_of(self._where)
            try:
                where = self._open.enter_context(serve(host, port, self.metrics.registry))
                logger.info("metrics at %s", where)
            except OSError as error:
                logger.error(
                    "cannot serve metrics at %s (%s): change [watch] metrics; reports are made "
                    "all the same",
                    self._where,
                    error.strerror or error,
                )
        self.status_writer.update(metrics=where)
        self._open.enter_context(self.status_writer)
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def new_shot(self) -> None:
        """Note that the first file of a shot was stored."""
        self.metrics.count("ishtar_shots_ingested_total", 1)

    def changed(self, change: Change) -> None:
        """Note an external change."""
        self.status_writer.update(change=asdict(change))

    def ingested(self, outcome: Outcome) -> None:
        """Note the outcome of a file."""
        now = time.time()
        self.metrics.count("ishtar_files_total", outcome=outcome.status)
        self.metrics.put("ishtar_last_file_timestamp_seconds", now)
        if outcome.status == "stored":
            self.metrics.observe("ishtar_ingest_duration_seconds", outcome.seconds)
        last = LastFile(
            name=outcome.name, status=outcome.status, shots=tuple(outcome.shots), when=now
        )
        self.status_writer.update(last_file=last)

    def report_made(self, done: Done) -> None:
        """Note a finished report."""
        r = done.receipt
        self.metrics.count("ishtar_reports_total", state=r.state, template=r.template)
        self.metrics.observe("ishtar_report_duration_seconds", r.duration_s, template=r.template)

    def report_not_made(self, job: Job) -> None:
        """Note a failed attempt to make a report."""
        self.metrics.count("ishtar_reports_given_up_total", template=job.template)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Measure the duration of the block, which updates the site."""
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        self.metrics.observe("ishtar_publish_duration_seconds", took)

    def poll_done(
        self,
        scheduler: Mapping[str, Any],
        day_reports: Mapping[str, Sequence[str]],
        *,
        troubles: Sequence[Trouble] = (),
        files: Sequence[WaitingFile] = (),
    ) -> None:
        """Update everything after a poll.

        ``day_reports`` lists the templates of days by the time (``HH:MM``) they are due,
        ``troubles`` the failed tasks, ``files`` those that wait to be stored.
        """
        put = self.metrics.put
        put("ishtar_running", len(scheduler["running"]))
        for priority, n in scheduler["waiting"].items():
            put("ishtar_waiting", n, priority=priority)
        put("ishtar_shots_to_plan", scheduler["shots_to_plan"])
        put("ishtar_troubles", len(troubles))
        put("ishtar_files_waiting", len(files))
        put("ishtar_quarantined_files", len(quarantined_names(self._workspace.quarantine)))
        put("ishtar_disk_free_bytes", shutil.disk_usage(self._workspace.root).free)
        put("ishtar_last_look_timestamp_seconds", time.time())
        self.status_writer.update(
            running=tuple(scheduler["running"]),
            waiting=scheduler["waiting"],
            shots_to_plan=scheduler["shots_to_plan"],
            finished=scheduler["finished"],
            day_reports=_next_times(day_reports),
            last_look=time.time(),
            troubles=tuple(asdict(t) for t in troubles[:MOST_LISTED]),
            files=tuple(asdict(f) for f in files[:MOST_LISTED]),
        )
        if self._where == METRICS_FILE:
            self._write_metrics()

    def _write_metrics(self) -> None:
        try:
            write_transient(self._workspace.root / "data" / "metrics.prom", self.metrics.text())
        except OSError as error:
            logger.warning("cannot write the metrics: %s", error)


def _next_times(due: Mapping[str, Sequence[str]]) -> tuple[dict[str, Any], ...]:
    now = datetime.now()
    found = []
    for at, names in due.items():
        hour, minute = (int(part) for part in at.split(":"))
        when = now.replace(hour=hour, minute=minute, second=0, microsecond=0)
        when += timedelta(days=when <= now)
        found.append({"at": when.isoformat(timespec="minutes"), "templates": sorted(names)})
    return tuple(sorted(found, key=lambda d: str(d["at"])))


class RunObserver:
    """Count the reports of a run and write its status; a listener of the scheduler.

    Events come from one thread; a live table may read from another.

    Parameters
    ----------
    workspace : Workspace
        Where reports are made.
    holds : bool
        Whether the run holds the workspace; otherwise it writes no status.
    """

    def __init__(self, workspace: Workspace, *, holds: bool = True) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._open: set[tuple[str, str, str]] = set()
        self._finished: dict[str, int] = {}
        self._status_writer = StatusWriter(workspace, "run", poll=self._poll) if holds else None
        self.total = 0
        self.done = 0
        self.began = time.time()

    def __enter__(self) -> RunObserver:
        if self._status_writer is not None:
            self._status_writer.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._status_writer is not None:
            self._status_writer.__exit__(*exc)

    def __call__(self, event: Event) -> None:
        """Process an event."""
        key = (event.job.subject.key, event.job.template, kind_of(event.job))
        with self._lock:
            if event.done is None:
                self.total = event.total
                self._open.add(key)
            else:
                self._open.discard(key)
                self.done = event.index
                state = event.done.receipt.state
                self._finished[state] = self._finished.get(state, 0) + 1

    def _poll(self) -> dict[str, Any]:
        """Return the changes for the status: finished and waiting reports."""
        n_running = len(self.in_progress())
        with self._lock:
            waiting = max(len(self._open) - n_running, 0)
            return {"finished": dict(self._finished), "waiting": {"person": waiting}}

    @property
    def finished(self) -> dict[str, int]:
        """The number of reports by state."""
        with self._lock:
            return dict(self._finished)

    def in_progress(self) -> list[Progress]:
        """Return the progress of this run's workers."""
        with self._lock:
            handed_out = set(self._open)
        return [
            a
            for a in read_progress(self._workspace)
            if (a.subject, a.template, a.kind) in handed_out
        ]

    def remaining_s(self) -> float | None:
        """Return the estimated time to the end at the pace so far, s; None before the first."""
        with self._lock:
            if not self.done:
                return None
            return (time.time() - self.began) / self.done * (self.total - self.done)
