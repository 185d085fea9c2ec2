"""The service: files that arrive become reports on the site, all by itself.

APScheduler calls `Watcher.look` every few seconds and `Watcher.make_days` once a day, one at a
time, in one thread. Everything it knows is in files, so that it can be stopped at any moment and
catches up when it starts.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Executor
from datetime import datetime, timedelta
from pathlib import Path

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from ishtar.errors import IshtarError
from ishtar.store import write_atomic
from ishtar.workspace import Workspace
from runner.coordinator import Coordinator, Event
from runner.errors import SettingsError
from runner.ingest import Outcome, Settling, ingest_file, scan
from runner.lock import coordinator_lock
from runner.pool import open_pool
from runner.publish.source import publish_workspace
from runner.receipts import Subject

logger = logging.getLogger(__name__)


class Seen:
    """Files that were dealt with and stay where they are, so that they are not read again.

    Kept in ``data/watched.json``; if that is deleted, they are read again and found to be known.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        try:
            self._known: dict[str, list[int]] = json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            self._known = {}

    def __contains__(self, path: Path) -> bool:
        try:
            return self._known.get(str(path)) == self._identity(path)
        except FileNotFoundError:
            return True

    def add(self, path: Path) -> None:
        """Remember a file as it is now; one that is gone is forgotten."""
        try:
            self._known[str(path)] = self._identity(path)
        except FileNotFoundError:
            self._known.pop(str(path), None)
        write_atomic(self._path, json.dumps(self._known, indent=0))

    @staticmethod
    def _identity(path: Path) -> list[int]:
        stat = path.stat()
        return [stat.st_size, stat.st_mtime_ns]


class Watcher:
    """Looks for new files, ingests them, makes their reports and publishes them."""

    def __init__(self, coordinator: Coordinator, pool: Executor, stop: threading.Event) -> None:
        settings = coordinator.settings
        self._coordinator = coordinator
        self._pool = pool
        self._stop = stop
        self._incoming = coordinator.workspace.incoming
        self.folders = [self._incoming, *(Path(f) for f in settings.watch.folders)]
        self._settling = Settling(settings.ingest.settle_s)
        self._seen = Seen(coordinator.workspace.root / "data" / "watched.json")

    def look(self) -> list[Outcome]:
        """Ingest the files that are whole; make and publish the reports of their shots."""
        fresh = [path for path in scan(self.folders) if path not in self._seen]
        outcomes: list[Outcome] = []
        for path in self._settling.whole(fresh):
            if self._stop.is_set():
                break
            if (outcome := self._ingest(path)) is not None:
                outcomes.append(outcome)
        shots = sorted({n for o in outcomes if o.status == "stored" for n in o.shots})
        if shots or any(o.status == "quarantined" for o in outcomes):
            self._make(shots)
        return outcomes

    def _ingest(self, path: Path) -> Outcome | None:
        try:
            outcome = ingest_file(
                path,
                layout=self._coordinator.workspace,
                settings=self._coordinator.settings.ingest,
                incoming=self._incoming in path.parents,
                unchanged_for_s=self._settling.unchanged_for_s(path),
            )
        except IshtarError as error:
            logger.error("%s: %s", path, error)
            return None
        if outcome.status == "waiting":
            logger.debug("%s waits: %s", path, outcome.reason)
            return outcome
        self._seen.add(path)
        level = logging.WARNING if outcome.status == "quarantined" else logging.INFO
        shots = f" as shot {', '.join(map(str, outcome.shots))}" if outcome.shots else ""
        note = f"; {outcome.reason}" if outcome.reason else ""
        logger.log(level, "%s: %s%s%s", path.name, outcome.status, shots, note)
        for number in outcome.shots:
            self._coordinator.note_shot(number)
        return outcome

    def _make(self, shots: Sequence[int]) -> None:
        subjects = [Subject.shot(n) for n in shots]
        self._run(shots=shots, scopes=("shot",))
        if not self._stop.is_set():
            publish_workspace(self._coordinator, subjects)
            logger.info("published %s", ", ".join(map(str, subjects)) or "the home page")

    def _run(
        self,
        *,
        shots: Sequence[int] | None,
        scopes: Collection[str],
        names: Collection[str] | None = None,
    ) -> list[Subject]:
        done = self._coordinator.run(
            shots=shots,
            scopes=scopes,
            names=names,
            pool=self._pool,
            listener=self._tell,
            stop=self._stop,
        )
        return sorted({d.receipt.of for d in done})

    def _tell(self, event: Event) -> None:
        if event.done is not None:
            r = event.done.receipt
            level = logging.INFO if r.state in ("ok", "skipped") else logging.WARNING
            note = f": {r.reason}" if r.reason else ""
            logger.log(level, "%s %s in %.1f s%s", event.job, r.state, r.duration_s, note)

    def make_days(self, names: Collection[str] | None = None) -> None:
        """Make the reports of all days that are missing or stale, and publish them."""
        subjects = self._run(shots=None, scopes=("day",), names=names)
        if subjects and not self._stop.is_set():
            publish_workspace(self._coordinator, subjects)

    def catch_up(self, day_summary_at: datetime) -> None:
        """Do what was left undone while the service was down."""
        self._coordinator.clear_leftovers()
        new = self._coordinator.sync_shots()
        made = self._run(shots=None, scopes=("shot",))
        today = datetime.now().date().isoformat()
        catalogue = self._coordinator.catalogue
        due = [d for d in catalogue.days() if d < today or datetime.now() >= day_summary_at]
        if due:
            shots = [n for d in due for n in catalogue.shots(d)]
            made += self._run(shots=shots, scopes=("day",))
        home = self._coordinator.workspace.site / "index.html"
        if (new or made or not home.exists()) and not self._stop.is_set():
            publish_workspace(self._coordinator)
        logger.info("caught up: %d shots were new, %d reports made", len(new), len(made))


def time_of_day(text: str) -> tuple[int, int]:
    """Return hour and minute of ``HH:MM``."""
    try:
        moment = datetime.strptime(text, "%H:%M")
    except ValueError as error:
        raise SettingsError(
            f"[watch] day_summary_at = {text!r} is no time: write it as 21:00"
        ) from error
    return moment.hour, moment.minute


def schedule(coordinator: Coordinator) -> dict[str, list[str]]:
    """Return which day templates are due when; a sidecar's ``schedule`` goes over the setting."""
    due: dict[str, list[str]] = {}
    for template in coordinator.templates().values():
        if template.scope == "day":
            at = template.schedule or coordinator.settings.watch.day_summary_at
            due.setdefault(at, []).append(template.name)
    return due


def watch(workspace: Workspace, *, once: bool = False) -> None:
    """Watch until SIGTERM or SIGINT; with ``once``, catch up, look until nothing waits, and end."""
    stop = threading.Event()
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        settings = coordinator.settings
        hour, minute = time_of_day(settings.watch.day_summary_at)
        due = datetime.now().replace(hour=hour, minute=minute, second=0, microsecond=0)
        workspace.incoming.mkdir(parents=True, exist_ok=True)
        with open_pool(settings.run.processes) as pool:
            watcher = Watcher(coordinator, pool, stop)
            if once:
                _drain(watcher, due, settings.ingest.settle_s)
                return
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            # One thread: jobs never overlap, so the catalogue and the site have one writer.
            scheduler = BackgroundScheduler(
                executors={"default": ThreadPoolExecutor(1)},
                job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
            )
            scheduler.add_job(watcher.catch_up, args=(due,), id="catch up")
            scheduler.add_job(
                watcher.look, "interval", seconds=settings.watch.poll_s, id="look for files"
            )
            for at, names in schedule(coordinator).items():
                due_hour, due_minute = time_of_day(at)
                scheduler.add_job(
                    watcher.make_days,
                    CronTrigger(hour=due_hour, minute=due_minute),
                    args=(names,),
                    id=f"reports of the day at {at}",
                )
            scheduler.start()
            logger.info("watching %s", ", ".join(map(str, watcher.folders)))
            stop.wait()
            logger.info("stopping: waiting for the reports in progress")
            scheduler.shutdown(wait=True)


def _drain(watcher: Watcher, due: datetime, settle_s: float) -> None:
    watcher.catch_up(due)
    pause = threading.Event()
    end = datetime.now() + timedelta(seconds=settle_s)
    while True:
        outcomes = watcher.look()
        if datetime.now() > end and all(o.status == "waiting" for o in outcomes):
            return
        pause.wait(min(settle_s, 0.5))
