"""The work of the service at each poll: take files, make reports, publish.

Each step is tried on its own (`runner.attempts`): if it fails, it stays to be done, appears in the
status and delays nothing else. The list of things to do is in memory; a starting service finds it
again in files: raw files in the incoming folders, shots, reports and requests.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from ishtar.workspace import MARKER
from runner.acts import waiting as waiting_acts
from runner.attempts import Attempts, affects_all
from runner.errors import Busy
from runner.ingest import Intake, Outcome, Settling, ingest_file, scan
from runner.monitoring.logs import about
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.lock import Lock
from runner.scheduling.priority_queue import Priority
from runner.scheduling.scheduler import Scheduler
from runner.service.backfill import requests, take_request
from runner.service.day_times import DayTimes
from runner.service.deferred_work import old_shots
from runner.service.external_changes import ExternalChanges, change_of
from runner.service.observe import ServiceObserver
from runner.service.processed_files import ProcessedFiles
from runner.service.publication import Publication
from runner.service.reruns import Reruns
from runner.service.take_acts import take_act
from runner.staleness.plan import Planned

logger = logging.getLogger(__name__)

CHECK_SHARE = 20.0  # checks for external changes take at most 1/20 of the time
NOTE_SHOT = "note shot {}"


class Watcher:
    """Ingest arriving files, keep the workers busy and publish each report when it is done.

    `poll` never waits for a report: it takes new files, hands out jobs to free workers and collects
    finished reports, so a slow report occupies only its worker.

    Parameters
    ----------
    coordinator : Coordinator
        Plans reports and keeps the catalogue.
    stop : Event
        Set to end the service; the watcher sets it if another process took the workspace.
    wake : callable, optional
        Called in any thread when a report is done, to request a poll.
    lock : Lock, optional
        The lock on the workspace.
    """

    def __init__(
        self,
        coordinator: Coordinator,
        stop: threading.Event,
        wake: Callable[[], None] | None = None,
        lock: Lock | None = None,
    ) -> None:
        settings = coordinator.settings
        self._coordinator = coordinator
        self._stop = stop
        self._wake = wake
        self._lock = lock
        self.lost: Busy | None = None  # to whom the workspace was lost
        self.attempts = Attempts()
        self._days = DayTimes(coordinator, datetime.now())
        self.observer = ServiceObserver(coordinator.workspace, settings.watch.metrics)
        self.scheduler = Scheduler(coordinator, self.observer, wake=wake, attempts=self.attempts)
        self.reruns = Reruns(coordinator, wake)
        self.publication = Publication(coordinator, self.observer, self.attempts)
        self._incoming = coordinator.workspace.incoming
        self.folders = [self._incoming, *(Path(f) for f in settings.watch.folders)]
        self._settling = Settling(settings.ingest.settle_s)
        self.intake = Intake(self._ingest, wake)
        self._to_note: dict[int, bool] = {}  # shots to note → whether one has a new file
        self._steps: dict[str, Callable[[], object]] = {}  # to do once
        self._n_new = 0
        self._processed = ProcessedFiles(coordinator.workspace.root / "data" / "watched.json")
        self._external = ExternalChanges(coordinator.workspace)
        self._next_check = time.monotonic() + settings.watch.changes_every_s
        self._by_others = coordinator.catalogue.changed_by_others()

    def __enter__(self) -> Watcher:
        self.observer.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.reruns.close()
        self.scheduler.close()
        self.observer.__exit__(*exc)

    @property
    def busy(self) -> bool:
        """Whether anything is in progress or to be done."""
        left = self._steps or self._to_note or self.publication.due
        return bool(
            left
            or self.intake.busy
            or self.scheduler.busy
            or self.reruns.busy
            or len(self.publication.deferred)
        )

    def poll(self) -> list[Outcome]:
        """Take new files, collect finished reports, hand out what is due, publish what is new."""
        outcomes: list[Outcome] = []
        self.attempts.do("look for new files", lambda: outcomes.extend(self._take()))
        if self._holds_workspace():
            self._work(outcomes)
        if self._processed.unsaved:
            self.attempts.do("write data/watched.json", self._processed.save)
        self.report_status()
        if self._wake and self.scheduler.has_finished:
            self._wake()  # reports finished in the meantime
        return outcomes

    def _work(self, outcomes: list[Outcome]) -> None:
        self._take_steps()
        fresh = self._note_shots()
        self.scheduler.request_shots(fresh, Priority.LIVE)
        changed = {Subject.shot(n) for n in fresh}
        for path in requests(self._coordinator.workspace):
            self.attempts.do(f"take the request {path.name}", partial(self._take_request, path))
        self.attempts.do("collect reruns", lambda: changed.update(self.reruns.collect()))
        for path in waiting_acts(self._coordinator.workspace) if not self._stop.is_set() else ():
            self.attempts.do(f"do the act {path.stem}", partial(self._take_act, path))
        self.attempts.do("make day reports due", self._make_days_due)
        self.attempts.do("check files for edits", self._retry_after_change)
        self.attempts.do("check for external changes", self._check_external_changes)
        self.attempts.do("collect reports", lambda: changed.update(self.scheduler.collect()))
        if not self._stop.is_set():
            # before pages are written, so that no worker waits for them
            self.attempts.do("hand out reports", self.scheduler.hand_out)
        in_hurry = any(o.status == "quarantined" for o in outcomes)
        self.publication.request(changed, home=in_hurry)
        if not self.publication.work(self.scheduler.busy, in_hurry):
            quiet = all(o.status == "waiting" for o in outcomes) and not self._stop.is_set()
            if quiet:
                self.publication.work_deferred()
        if again := self.publication.take_damaged():
            self.scheduler.request_shots(
                (s.number for s in again if s.scope == "shot"), Priority.BACKFILL
            )
            if any(s.scope == "day" for s in again):
                self.make_days()

    def report_status(self) -> None:
        """Update the status and the metrics."""
        files, troubles = self.intake.waiting, self.attempts.troubles
        self.attempts.do(
            "update the status",
            lambda: self.observer.poll_done(
                self.scheduler.status(), self._days.due, troubles=troubles, files=files
            ),
        )
        self.publication.update_troubles(troubles, files)

    def catch_up(self) -> None:
        """Publish what the site is missing and make everything due that was left undone."""
        self._n_new = 0
        self._steps |= {
            "clear leftovers": self._coordinator.clear_leftovers,
            "note changed shots": self._take_changed_shots,
            # Finished reports of a killed service are published with all others.
            "note finished reports": self._coordinator.due,
            "make all shots due": self._request_all_shots,
            "make past days due": self._make_past_days,
            "publish all": lambda: self.publication.request(all_pages=True),
        }
        self._take_steps()

    def make_days(self, names: Collection[str] | None = None) -> None:
        """Make the missing and stale reports of all days due."""
        templates = self._coordinator.templates()
        self.scheduler.request_days(
            t.name
            for t in templates.values()
            if t.scope == "day" and (names is None or t.name in names)
        )

    def prune_old(self) -> None:
        """Publish shots again that have data older than the settings keep."""
        self._steps["remove old data"] = self._prune_old

    def finish(self) -> None:
        """Wait for the reports in progress, note and publish them, and start no others."""
        self._note(self.intake.close())
        changed = {Subject.shot(n) for n in self._note_shots()}
        self.publication.request(changed | self.scheduler.finish())
        if self.publication.due:
            self.publication.work(busy=False, in_hurry=True)
        self.report_status()

    # --- steps -----------------------------------------------------------------------------------

    def _holds_workspace(self) -> bool:
        """Return whether workspace and catalogue are ours; restore what vanished of them."""
        try:
            if self._lock is not None:
                self._lock.check()
        except Busy as busy:
            self.lost = busy
            self._stop.set()
            return False
        except OSError as error:
            self.attempts.failed("hold the workspace", error)
            return False
        self.attempts.succeeded("hold the workspace")
        why = self._coordinator.lost()
        if not why:
            return True
        what = "rebuild the catalogue"
        if self.attempts.ready(what):
            logger.error("%s: rebuilding it from the files", why)
        if not self.attempts.do(what, self._coordinator.reopen):
            return False
        logger.warning("the catalogue is rebuilt")
        self._steps["note changed shots"] = self._take_changed_shots
        self._steps["make all shots due"] = self._request_all_shots
        self.publication.request(all_pages=True)
        return True

    def _take_steps(self) -> None:
        """Do the steps to be done once, each until it succeeds."""
        had = bool(self._steps)
        for what, work in list(self._steps.items()):
            if self.attempts.do(what, work):
                del self._steps[what]
        if had and not self._steps:
            logger.info("caught up: %d new shots", self._n_new)

    def _take_changed_shots(self) -> None:
        changed = self._coordinator.changed_shots()
        self._n_new += len(changed)
        for number in changed:
            self._to_note.setdefault(number, True)

    def _request_all_shots(self) -> None:
        self.scheduler.request_shots(self._coordinator.catalogue.shots(), Priority.BACKFILL)

    def _make_past_days(self) -> None:
        now = datetime.now()
        if any(d < now.date().isoformat() for d in self._coordinator.catalogue.days()):
            self.make_days()
        else:
            self.make_days(self._days.due_today(now))

    def _prune_old(self) -> None:
        if old := old_shots(self._coordinator):
            self.publication.request(old)
            logger.info("removing old traces and figures of %d shots", len(old))

    def _make_days_due(self) -> None:
        if names := self._days.newly_due(datetime.now()):
            self.make_days(names)

    def _take_request(self, path: Path) -> None:
        request = take_request(path, self._coordinator.catalogue.shots)
        self.scheduler.request_shots(request.shots, Priority.BACKFILL)
        self.publication.request(request.pages)
        if request.shots:
            logger.info("backfill of %d shots requested", len(request.shots))

    def _take_act(self, path: Path) -> None:
        changed = take_act(self._coordinator, path, self.reruns)
        self.publication.request(Subject.shot(number) for number in changed)
        self.scheduler.request_shots(changed, Priority.PERSON)

    # --- external changes ------------------------------------------------------------------------

    def _retry_after_change(self) -> None:
        """Retry failed tasks at once if a user edited a file since."""
        if time.monotonic() >= self._next_check and self._external.changed_since_last_call():
            self.attempts.end_pauses()

    def _check_external_changes(self) -> None:
        """Find out which reports became stale by external changes."""
        settings = self._coordinator.settings.watch
        began = time.monotonic()
        if began < self._next_check:
            return
        files, stamps = self._external.compare()
        by_others = self._coordinator.catalogue.changed_by_others()
        for number in self._coordinator.changed_shots():
            self._to_note.setdefault(number, True)
        if files or by_others != self._by_others:
            plan = [p for p in self._coordinator.due() if not self.scheduler.contains(p)]
            self._report_change(files, plan)
        self._external.accept(stamps)
        self._by_others = by_others
        now = time.monotonic()
        pause = max(settings.changes_every_s, CHECK_SHARE * (now - began))
        self._next_check = now + pause

    def _report_change(self, files: tuple[str, ...], plan: list[Planned]) -> None:
        remade = self._coordinator.settings.watch.remake_changed
        change = change_of(files, plan, remade=remade, when=time.time())
        if files or change.stale:
            logger.info("%s", change)
            self.observer.changed(change)
        if MARKER in files:
            logger.warning("%s changed: restart the service to apply its settings", MARKER)
        subjects = {p.subject for p in plan}
        if remade:
            shots = {s.number for s in subjects if s.scope == "shot"}
            self.scheduler.request_shots(shots, Priority.BACKFILL)
            others = [t for t in self._coordinator.templates().values() if t.scope != "shot"]
            self.scheduler.due.add_days_and_ranges((t.name for t in others), missing=False)
        # Lists show which templates are unusable and which reports are stale.
        self.publication.request(() if remade else subjects, home=bool(files))

    # --- files and shots -------------------------------------------------------------------------

    def _take(self) -> list[Outcome]:
        """Start on new files while there is capacity, and note finished ones."""
        for folder in self.folders:
            self._check_folder(folder)
        done = self._note(self.intake.collect())
        if not self._stop.is_set():
            fresh = [path for path in scan(self.folders) if path not in self._processed]
            self.intake.offer(
                (path, self._settling.unchanged_for_s(path)) for path in self._settling.whole(fresh)
            )
        return done

    def _check_folder(self, folder: Path) -> None:
        """Report when an incoming folder (maybe a network share) disappears and is back."""
        what = f"look into {folder}"
        if folder.is_dir():
            self.attempts.succeeded(what)
        elif self.attempts.ready(what):
            problem = "the folder does not exist: mount it, or create it again"
            self.attempts.failed(what, FileNotFoundError(problem))

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
            for number in outcome.shots:
                # a known file, or a log, may have moved pulses between shots
                fresh = outcome.status != "quarantined"
                self._to_note[number] = fresh or self._to_note.get(number, False)
            self.attempts.do("remember files", partial(self._processed.remember, outcome.source))
            _log(outcome)
            self.attempts.do("report files", partial(self.observer.ingested, outcome))
        return outcomes

    def _note_shots(self) -> list[int]:
        """Update the catalogue; return the shots with a new file."""
        fresh: list[int] = []
        catalogue = self._coordinator.catalogue
        for number, stored in sorted(self._to_note.items()):
            known: list[bool] = []

            def note(number: int = number, known: list[bool] = known) -> None:
                known.append(bool(catalogue.sources(number)))
                self._coordinator.note_shot(number)

            what = NOTE_SHOT.format(number)
            if not self.attempts.do(what, note):
                if affects_all(self.attempts.error(what)):
                    break  # each of the others would wait for the catalogue, too
                continue
            del self._to_note[number]
            if not known[0]:
                self.observer.new_shot()
            if stored:
                fresh.append(number)
        return fresh


def _log(outcome: Outcome) -> None:
    level = logging.WARNING if outcome.status == "quarantined" else logging.INFO
    shots = f" as shot {', '.join(map(str, outcome.shots))}" if outcome.shots else ""
    note = f"; {outcome.reason}" if outcome.reason else ""
    name = outcome.name
    fields: dict[str, object] = {"file": name, "state": outcome.status, "shots": outcome.shots}
    if len(outcome.shots) == 1:
        fields |= about(Subject.shot(outcome.shots[0]))
    logger.log(level, "%s: %s%s%s", name, outcome.status, shots, note, extra=fields)
