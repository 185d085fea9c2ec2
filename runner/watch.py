"""The service: files that arrive become reports on the site, all by itself.

APScheduler calls `Watcher.look` every second or so and `Watcher.make_days` once a day, one at a
time, in one thread; workers make the reports. Everything it knows is in files, so that it can be
stopped at any moment and catches up when it starts.
"""

from __future__ import annotations

import json
import logging
import signal
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from ishtar.store import write_atomic
from ishtar.workspace import Workspace
from runner.backfill import take_requests
from runner.coordinator import Coordinator
from runner.desk import Desk
from runner.errors import SettingsError
from runner.ingest import Intake, Outcome, Settling, ingest_file, scan
from runner.lock import coordinator_lock
from runner.logs import about
from runner.observe import ServiceObserver
from runner.publish.later import Later, old_shots, work_later
from runner.publish.source import publish_workspace
from runner.receipts import Subject
from runner.waiting import Priority

logger = logging.getLogger(__name__)

PUBLISH_EVERY_S = 1.0  # at most, while reports are being made: pages take processor time, too
LET_GO_AT = 4  # o'clock: nobody runs shots, and the day's reports are made


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
    """Ingests what arrives, keeps the workers busy, publishes each report when it is done.

    `look` never waits for a report: it takes new files, hands out jobs to the workers that are free
    and collects those that are done, so that one slow report holds up nothing but its worker.

    ``wake``, if given, is called in any thread when a report is done, and it is time to look.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        stop: threading.Event,
        wake: Callable[[], None] | None = None,
    ) -> None:
        settings = coordinator.settings
        self._coordinator = coordinator
        self._stop = stop
        self._wake = wake
        self._day_reports = schedule(coordinator)
        for at in self._day_reports:
            time_of_day(at)  # now, not when they are due
        self.observer = ServiceObserver(coordinator.workspace, settings.watch.metrics)
        self.desk = Desk(coordinator, self.observer, wake=wake)
        self._changed: set[Subject] = set()  # since the last publication
        self._published = 0.0
        self._remade: set[str] = set()  # folders of reports that were found damaged
        self._incoming = coordinator.workspace.incoming
        self.folders = [self._incoming, *(Path(f) for f in settings.watch.folders)]
        self.later = Later(settings.publish)
        self._settling = Settling(settings.ingest.settle_s)
        self.intake = Intake(self._ingest, wake)
        self._to_note: dict[int, bool] = {}  # shots to go into the catalogue: has one a new file?
        self._seen = Seen(coordinator.workspace.root / "data" / "watched.json")

    def __enter__(self) -> Watcher:
        self.observer.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.desk.close()
        self.observer.__exit__(*exc)

    def look(self) -> list[Outcome]:
        """Take new files, collect finished reports, hand out what is due, publish what is new."""
        outcomes = self._take()
        subjects = {Subject.shot(n) for n in self._note_shots()}
        self.desk.ask((s.number for s in subjects), Priority.LIVE)
        if asked := take_requests(self._coordinator.workspace, self._coordinator.catalogue.shots):
            self.desk.ask(asked, Priority.BACKFILL)
            logger.info("backfill of %d shots was asked for", len(asked))
        subjects |= self.desk.collect()
        if not self._stop.is_set():
            self.desk.hand_out()  # before pages are written: no worker waits for them
        self._changed |= subjects
        in_hurry = any(o.status == "quarantined" for o in outcomes)
        rested = time.monotonic() - self._published > PUBLISH_EVERY_S
        if in_hurry or (self._changed and (rested or not self.desk.busy)):
            self._publish_changed()
        elif (
            all(o.status == "waiting" for o in outcomes)
            and not self._changed
            and not self._stop.is_set()
        ):
            done = work_later(self._coordinator, self.later)
            self._changed |= {Subject.shot(n) for n in done}
        self.observer.looked(self.desk.status(), self._day_reports)
        if self._wake and self.desk.has_done:
            self._wake()  # what was done meanwhile
        return outcomes

    def _publish(self, subjects: list[Subject] | None = None) -> None:
        with self.observer.publishing():
            done = publish_workspace(self._coordinator, subjects, traces=False)
        self.later.ask(done.lacking, done.behind)
        fresh = set(done.damaged) - self._remade  # one that is damaged again would be so for ever
        self._remade |= fresh
        damaged = {Subject.parse(folder.split("/")[0]) for folder in fresh}
        self.desk.ask((s.number for s in damaged if s.scope == "shot"), Priority.BACKFILL)
        if any(s.scope == "day" for s in damaged):
            self.make_days()

    def _publish_changed(self) -> None:
        subjects, self._changed = sorted(self._changed), set()
        self._publish(subjects)
        self._published = time.monotonic()
        logger.info(
            "published %s",
            ", ".join(map(str, subjects)) or "the home page",
            extra={"shots": [s.number for s in subjects if s.scope == "shot"]},
        )

    def catch_up(self, day_summary_at: datetime) -> None:
        """Publish what the site lacks, and make due whatever was left undone."""
        self._coordinator.clear_leftovers()
        new = self._coordinator.sync_shots()
        catalogue = self._coordinator.catalogue
        self.desk.ask(catalogue.shots(), Priority.BACKFILL)
        today = datetime.now().date().isoformat()
        if any(d < today or datetime.now() >= day_summary_at for d in catalogue.days()):
            self.make_days()
        # Whatever a killed service had made and not published; files that are right stay.
        self._publish()
        logger.info("caught up: %d shots were new", len(new))

    def make_days(self, names: Collection[str] | None = None) -> None:
        """Make the reports of days due: those of all days that are missing or stale."""
        templates = self._coordinator.templates()
        self.desk.ask_days(
            t.name
            for t in templates.values()
            if t.scope == "day" and (names is None or t.name in names)
        )

    def let_go(self) -> None:
        """Publish the shots again that hold more than they may by their age."""
        if old := old_shots(self._coordinator):
            self._publish(old)
            logger.info("old traces and figures of %d shots are let go", len(old))

    def finish(self) -> None:
        """Wait for the reports in progress, note and publish them; begin no more."""
        self._note(self.intake.close())
        self._changed |= {Subject.shot(n) for n in self._note_shots()}
        self._changed |= self.desk.finish()
        if self._changed:
            self._publish_changed()
        self.observer.looked(self.desk.status(), self._day_reports)

    def _take(self) -> list[Outcome]:
        """Begin with new files as there is room, and note those that are done."""
        if not self._stop.is_set():
            fresh = [path for path in scan(self.folders) if path not in self._seen]
            self.intake.offer(
                (path, self._settling.unchanged_for_s(path)) for path in self._settling.whole(fresh)
            )
        return self._note(self.intake.collect())

    def _ingest(self, path: Path, **how: Any) -> Outcome:
        """Store a file; called in threads."""
        return ingest_file(
            path,
            layout=self._coordinator.workspace,
            settings=self._coordinator.settings.ingest,
            incoming=self._incoming in path.parents,
            roots=self.folders,
            **how,
        )

    def _note(self, outcomes: list[Outcome]) -> list[Outcome]:
        for outcome in outcomes:
            if outcome.status == "waiting":
                logger.debug("%s waits: %s", outcome.source, outcome.reason)
                continue
            new = sum(not self._coordinator.catalogue.sources(n) for n in outcome.shots)
            for number in outcome.shots:
                # a file that is known, or a log, may have moved pulses between shots
                fresh = outcome.status != "quarantined"
                self._to_note[number] = fresh or self._to_note.get(number, False)
            self._seen.add(outcome.source)
            _log(outcome)
            self.observer.ingested(outcome, new)
        return outcomes

    def _note_shots(self) -> list[int]:
        """Bring the catalogue up to date; return the shots that a file came for."""
        fresh: list[int] = []
        for number, stored in sorted(self._to_note.items()):
            try:
                self._coordinator.note_shot(number)
            except Exception:  # it stays to be noted; the others are
                logger.exception("shot %d could not be noted: it will be tried again", number)
                continue
            del self._to_note[number]
            if stored:
                fresh.append(number)
        return fresh


def _log(outcome: Outcome) -> None:
    level = logging.WARNING if outcome.status == "quarantined" else logging.INFO
    shots = f" as shot {', '.join(map(str, outcome.shots))}" if outcome.shots else ""
    note = f"; {outcome.reason}" if outcome.reason else ""
    name = outcome.source.name
    fields: dict[str, object] = {"file": name, "state": outcome.status, "shots": outcome.shots}
    if len(outcome.shots) == 1:
        fields |= about(Subject.shot(outcome.shots[0]))
    logger.log(level, "%s: %s%s%s", name, outcome.status, shots, note, extra=fields)


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


def watch(workspace: Workspace, *, once: bool = False, stop: threading.Event | None = None) -> None:
    """Watch until SIGTERM or SIGINT; with ``once``, catch up, look until nothing waits, and end.

    A program of which the service is a part gives ``stop``, and sets it to end the service; signals
    are its own business then, and the service may run in any thread.
    """
    for_signals, stop = stop is None, stop or threading.Event()
    with coordinator_lock(workspace), Coordinator(workspace) as coordinator:
        settings = coordinator.settings
        hour, minute = time_of_day(settings.watch.day_summary_at)
        due = datetime.now().replace(hour=hour, minute=minute, second=0, microsecond=0)
        workspace.incoming.mkdir(parents=True, exist_ok=True)
        # One thread: jobs never overlap, so the catalogue and the site have one writer.
        scheduler = BackgroundScheduler(
            executors={"default": ThreadPoolExecutor(1)},
            job_defaults={"coalesce": True, "max_instances": 1, "misfire_grace_time": None},
        )
        logging.getLogger("apscheduler").setLevel(logging.ERROR)

        def wake() -> None:
            if not stop.is_set():
                scheduler.add_job(
                    watcher.look, id="look now", replace_existing=True, max_instances=2
                )

        with Watcher(coordinator, stop, None if once else wake) as watcher:
            if once:
                _drain(watcher, due, settings.ingest.settle_s)
                return
            if for_signals:
                for number in (signal.SIGTERM, signal.SIGINT):
                    signal.signal(number, lambda *_: stop.set())
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
            scheduler.add_job(
                watcher.let_go, CronTrigger(hour=LET_GO_AT), id="let go of what is old"
            )
            scheduler.start()
            logger.info("watching %s", ", ".join(map(str, watcher.folders)))
            stop.wait()
            logger.info("stopping: waiting for the reports in progress")
            scheduler.shutdown(wait=True)
            watcher.finish()


def _drain(watcher: Watcher, due: datetime, settle_s: float) -> None:
    watcher.catch_up(due)
    pause = threading.Event()
    end = datetime.now() + timedelta(seconds=settle_s)
    while True:
        outcomes = watcher.look()
        waiting = all(o.status == "waiting" for o in outcomes)
        busy = watcher.intake.busy or watcher.desk.busy or len(watcher.later)
        if datetime.now() > end and waiting and not busy:
            return
        pause.wait(0.1)
