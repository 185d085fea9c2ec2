"""Who looks on while the factory works: status, metrics and the progress of a run.

`ServiceObserver` is told by ``watch`` what happens and hands it on to the status file and the
metrics; `RunObserver` does it for ``run``, from the events of its coordinator.
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
from runner.ingest.ingest_outcome import Outcome
from runner.ingest.raw_files.intake import WaitingFile
from runner.ingest.raw_files.quarantine import quarantined_files
from runner.monitoring.progress import AtWork, kind_of, read_progress, write_passing
from runner.monitoring.status import Board, LastFile
from runner.service.outside import Change
from runner.settings.file import METRICS_FILE, address_of

if TYPE_CHECKING:
    from runner.jobs import Done, Event, Job

logger = logging.getLogger(__name__)

MOST_LISTED = 50  # troubles, and files that wait, in the status


class ServiceObserver:
    """Keeps the status and the metrics of the service."""

    def __init__(self, workspace: Workspace, metrics: str = "") -> None:
        self._workspace = workspace
        from runner.service.metrics import Metrics  # which a run has no use for

        self._where = metrics
        self.metrics = Metrics()
        self.board = Board(workspace, "watch")
        self._open = ExitStack()
        self._quarantined = 0

    def __enter__(self) -> ServiceObserver:
        """Begin to tell; where metrics cannot be served, the service works all the same."""
        self.metrics.put("ishtar_start_time_seconds", self.board.holder.since)
        self._quarantined = len(quarantined_files(self._workspace.quarantine))
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
                    "no metrics at %s (%s): change [watch] metrics; reports are made all the same",
                    self._where,
                    error.strerror or error,
                )
        self.board.tell(metrics=where)
        self._open.enter_context(self.board)
        return self

    def __exit__(self, *exc: object) -> None:
        self._open.close()

    def new_shot(self) -> None:
        """Note that a shot was stored of which nothing was known."""
        self.metrics.count("ishtar_shots_ingested_total", 1)

    def changed(self, change: Change) -> None:
        """Note what people changed beside the service."""
        self.board.tell(change=asdict(change))

    def ingested(self, outcome: Outcome) -> None:
        """Note what became of a file."""
        now = time.time()
        self.metrics.count("ishtar_files_total", outcome=outcome.status)
        self.metrics.put("ishtar_last_file_timestamp_seconds", now)
        if outcome.status == "stored":
            self.metrics.observe("ishtar_ingest_duration_seconds", outcome.seconds)
        if outcome.status == "quarantined":
            self._quarantined = len(quarantined_files(self._workspace.quarantine))
        last = LastFile(
            name=outcome.name, status=outcome.status, shots=tuple(outcome.shots), when=now
        )
        self.board.tell(last_file=last)

    def reported(self, done: Done) -> None:
        """Note a report that is done."""
        r = done.receipt
        self.metrics.count("ishtar_reports_total", state=r.state, template=r.template)
        self.metrics.observe("ishtar_report_duration_seconds", r.duration_s, template=r.template)

    def gave_up(self, job: Job) -> None:
        """Note a report that could not be made."""
        self.metrics.count("ishtar_reports_given_up_total", template=job.template)

    @contextmanager
    def publishing(self) -> Iterator[None]:
        """Time the block, in which the site is brought up to date."""
        start = time.perf_counter()
        yield
        took = time.perf_counter() - start
        self.metrics.observe("ishtar_publish_duration_seconds", took)

    def looked(
        self,
        scheduler: Mapping[str, Any],
        day_reports: Mapping[str, Sequence[str]],
        *,
        troubles: Sequence[Trouble] = (),
        files: Sequence[WaitingFile] = (),
    ) -> None:
        """Take over what the scheduler says, and when (``HH:MM``) which reports of days are due.

        ``troubles`` are what could not be done yet, ``files`` those that wait to be stored.
        """
        put = self.metrics.put
        put("ishtar_running", len(scheduler["running"]))
        for priority, n in scheduler["waiting"].items():
            put("ishtar_waiting", n, priority=priority)
        put("ishtar_shots_to_plan", scheduler["shots_to_plan"])
        put("ishtar_troubles", len(troubles))
        put("ishtar_files_waiting", len(files))
        put("ishtar_quarantined_files", self._quarantined)
        put("ishtar_disk_free_bytes", shutil.disk_usage(self._workspace.root).free)
        put("ishtar_last_look_timestamp_seconds", time.time())
        self.board.tell(
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
            write_passing(self._workspace.root / "data" / "metrics.prom", self.metrics.text())
        except OSError as error:
            logger.warning("the metrics cannot be written: %s", error)


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
    """Keeps count of a run and tells it on the status; a listener of the coordinator.

    Events come from one thread; a live table may read from another.

    Parameters
    ----------
    workspace : Workspace
        Where reports are made.
    holds : bool
        Whether the run holds the workspace; else its status is left to whoever does.
    """

    def __init__(self, workspace: Workspace, *, holds: bool = True) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        self._open: set[tuple[str, str, str]] = set()
        self._finished: dict[str, int] = {}
        self._board = Board(workspace, "run", look=self._look) if holds else None
        self.total = 0
        self.done = 0
        self.began = time.time()

    def __enter__(self) -> RunObserver:
        if self._board is not None:
            self._board.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        if self._board is not None:
            self._board.__exit__(*exc)

    def __call__(self, event: Event) -> None:
        """Take note of an event."""
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

    def _look(self) -> dict[str, Any]:
        """Return what the status is to tell: what has been handed out and what of it runs."""
        n_running = len(self.at_work())
        with self._lock:
            waiting = max(len(self._open) - n_running, 0)
            return {"finished": dict(self._finished), "waiting": {"person": waiting}}

    @property
    def finished(self) -> dict[str, int]:
        """Reports by state."""
        with self._lock:
            return dict(self._finished)

    def at_work(self) -> list[AtWork]:
        """Return what workers do now for this run."""
        with self._lock:
            handed_out = set(self._open)
        return [
            a
            for a in read_progress(self._workspace)
            if (a.subject, a.template, a.kind) in handed_out
        ]

    def remaining_s(self) -> float | None:
        """Return how long the rest will take at the pace so far, s; None before the first."""
        with self._lock:
            if not self.done:
                return None
            return (time.time() - self.began) / self.done * (self.total - self.done)
