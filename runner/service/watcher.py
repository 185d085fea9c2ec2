"""What the service does at each look: take files, make reports, publish; nothing is lost by errors.

Each step is tried by itself (`runner.attempts`): what cannot be done now stays to be done, is told
in the status, and holds up nothing else. Everything that is to be done is in memory, and can be
found in files by a service that starts: raw files in the incoming folders, shots, reports and
requests.
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
from runner.attempts import Attempts, concerns_all
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
from runner.service.observe import ServiceObserver
from runner.service.outside import Outside, change_of
from runner.service.publication import Publication
from runner.service.seen import Seen
from runner.staleness.plan import Planned

logger = logging.getLogger(__name__)

OUTSIDE_SHARE = 20.0  # such looks take at most one part in so many, however many shots there are
NOTING = "note shot {}"


class Watcher:
    """Ingests what arrives, keeps the workers busy, publishes each report when it is done.

    `look` never waits for a report: it takes new files, hands out jobs to the workers that are free
    and collects those that are done, so that one slow report holds up nothing but its worker.

    Parameters
    ----------
    coordinator : Coordinator
        Plans, and keeps the catalogue.
    stop : Event
        Set by whoever ends the service; by the watcher itself where another took the workspace.
    wake : callable, optional
        Called in any thread when a report is done, and it is time to look.
    lock : Lock, optional
        By which the workspace is held.
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
        self.publication = Publication(coordinator, self.observer, self.attempts)
        self._incoming = coordinator.workspace.incoming
        self.folders = [self._incoming, *(Path(f) for f in settings.watch.folders)]
        self._settling = Settling(settings.ingest.settle_s)
        self.intake = Intake(self._ingest, wake)
        self._to_note: dict[int, bool] = {}  # shots to go into the catalogue: has one a new file?
        self._steps: dict[str, Callable[[], object]] = {}  # to be done once
        self._n_new = 0
        self._seen = Seen(coordinator.workspace.root / "data" / "watched.json")
        self._outside = Outside(coordinator.workspace)
        self._look_outside_at = time.monotonic() + settings.watch.changes_every_s
        self._by_others = coordinator.catalogue.changed_by_others()

    def __enter__(self) -> Watcher:
        self.observer.__enter__()
        return self

    def __exit__(self, *exc: object) -> None:
        self.scheduler.close()
        self.observer.__exit__(*exc)

    @property
    def busy(self) -> bool:
        """Whether something is under way or to be done."""
        left = self._steps or self._to_note or self.publication.due
        return bool(left or self.intake.busy or self.scheduler.busy or len(self.publication.later))

    def look(self) -> list[Outcome]:
        """Take new files, collect finished reports, hand out what is due, publish what is new."""
        outcomes: list[Outcome] = []
        self.attempts.do("look for new files", lambda: outcomes.extend(self._take()))
        if self._holds():
            self._work(outcomes)
        if self._seen.unsaved:
            self.attempts.do("write data/watched.json", self._seen.save)
        self.tell()
        if self._wake and self.scheduler.has_done:
            self._wake()  # what was done meanwhile
        return outcomes

    def _work(self, outcomes: list[Outcome]) -> None:
        self._take_steps()
        fresh = self._note_shots()
        self.scheduler.ask(fresh, Priority.LIVE)
        changed = {Subject.shot(n) for n in fresh}
        for path in requests(self._coordinator.workspace):
            self.attempts.do(f"take the request {path.name}", partial(self._take_request, path))
        self.attempts.do("see whose time has come", self._make_days_due)
        self.attempts.do("look at the files of people", self._notice)
        self.attempts.do("look for what changed outside", self._look_outside)
        self.attempts.do("collect reports", lambda: changed.update(self.scheduler.collect()))
        if not self._stop.is_set():
            # before pages are written: no worker waits for them
            self.attempts.do("hand out reports", self.scheduler.hand_out)
        in_hurry = any(o.status == "quarantined" for o in outcomes)
        self.publication.ask(changed, home=in_hurry)
        if not self.publication.work(self.scheduler.busy, in_hurry):
            quiet = all(o.status == "waiting" for o in outcomes) and not self._stop.is_set()
            if quiet:
                self.publication.work_later()
        if again := self.publication.take_damaged():
            self.scheduler.ask((s.number for s in again if s.scope == "shot"), Priority.BACKFILL)
            if any(s.scope == "day" for s in again):
                self.make_days()

    def tell(self) -> None:
        """Tell those who watch what goes on."""
        files, troubles = self.intake.waiting, self.attempts.troubles
        self.attempts.do(
            "tell the status",
            lambda: self.observer.looked(
                self.scheduler.status(), self._days.due, troubles=troubles, files=files
            ),
        )
        self.publication.told(troubles, files)

    def catch_up(self) -> None:
        """Publish what the site lacks, and make due whatever was left undone."""
        self._n_new = 0
        self._steps |= {
            "clear what was left over": self._coordinator.clear_leftovers,
            "take in shots that changed": self._take_changed_shots,
            # Reports that a killed service had made: they are published with all others.
            "note reports that were made": self._coordinator.due,
            "look at all shots": self._ask_all,
            "look at all days": self._make_past_days,
            "publish all": lambda: self.publication.ask(all_pages=True),
        }
        self._take_steps()

    def make_days(self, names: Collection[str] | None = None) -> None:
        """Make the reports of days due: those of all days that are missing or stale."""
        templates = self._coordinator.templates()
        self.scheduler.ask_days(
            t.name
            for t in templates.values()
            if t.scope == "day" and (names is None or t.name in names)
        )

    def let_go(self) -> None:
        """Publish the shots again that hold more than they may by their age."""
        self._steps["let go of what is old"] = self._let_go

    def finish(self) -> None:
        """Wait for the reports in progress, note and publish them; begin no more."""
        self._note(self.intake.close())
        changed = {Subject.shot(n) for n in self._note_shots()}
        self.publication.ask(changed | self.scheduler.finish())
        if self.publication.due:
            self.publication.work(busy=False, in_hurry=True)
        self.tell()

    # --- steps -----------------------------------------------------------------------------------

    def _holds(self) -> bool:
        """Tell whether workspace and catalogue are ours; what vanished of them is made again."""
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
        what = "make the catalogue again"
        if self.attempts.ready(what):
            logger.error("%s: it is made again from the files", why)
        if not self.attempts.do(what, self._coordinator.open_again):
            return False
        logger.warning("the catalogue is there again")
        self._steps["take in shots that changed"] = self._take_changed_shots
        self._steps["look at all shots"] = self._ask_all
        self.publication.ask(all_pages=True)
        return True

    def _take_steps(self) -> None:
        """Do what is to be done once, each until it is done."""
        had = bool(self._steps)
        for what, work in list(self._steps.items()):
            if self.attempts.do(what, work):
                del self._steps[what]
        if had and not self._steps:
            logger.info("caught up: %d shots were new", self._n_new)

    def _take_changed_shots(self) -> None:
        changed = self._coordinator.changed_shots()
        self._n_new += len(changed)
        for number in changed:
            self._to_note.setdefault(number, True)

    def _ask_all(self) -> None:
        self.scheduler.ask(self._coordinator.catalogue.shots(), Priority.BACKFILL)

    def _make_past_days(self) -> None:
        now = datetime.now()
        if any(d < now.date().isoformat() for d in self._coordinator.catalogue.days()):
            self.make_days()
        else:
            self.make_days(self._days.past(now))

    def _let_go(self) -> None:
        if old := old_shots(self._coordinator):
            self.publication.ask(old)
            logger.info("old traces and figures of %d shots are let go", len(old))

    def _make_days_due(self) -> None:
        if names := self._days.come(datetime.now()):
            self.make_days(names)

    def _take_request(self, path: Path) -> None:
        request = take_request(path, self._coordinator.catalogue.shots)
        self.scheduler.ask(request.shots, Priority.BACKFILL)
        self.publication.ask(request.pages)
        if request.shots:
            logger.info("backfill of %d shots was asked for", len(request.shots))

    # --- what people change ----------------------------------------------------------------------

    def _notice(self) -> None:
        """Try at once what failed, where people have changed something since."""
        if time.monotonic() >= self._look_outside_at and self._outside.moved():
            self.attempts.try_all_at_once()

    def _look_outside(self) -> None:
        """See what became stale by what people changed beside the service."""
        settings = self._coordinator.settings.watch
        began = time.monotonic()
        if began < self._look_outside_at:
            return
        files, stamps = self._outside.look()
        by_others = self._coordinator.catalogue.changed_by_others()
        for number in self._coordinator.changed_shots():
            self._to_note.setdefault(number, True)
        if files or by_others != self._by_others:
            plan = [p for p in self._coordinator.due() if not self.scheduler.knows(p)]
            self._tell_of_change(files, plan)
        self._outside.accept(stamps)
        self._by_others = by_others
        now = time.monotonic()
        pause = max(settings.changes_every_s, OUTSIDE_SHARE * (now - began))
        self._look_outside_at = now + pause

    def _tell_of_change(self, files: tuple[str, ...], plan: list[Planned]) -> None:
        remade = self._coordinator.settings.watch.remake_changed
        change = change_of(files, plan, remade=remade, when=time.time())
        if files or change.stale:
            logger.info("%s", change)
            self.observer.changed(change)
        if MARKER in files:
            logger.warning("%s changed: its settings are read when the service starts", MARKER)
        subjects = {p.subject for p in plan}
        if remade:
            shots = {s.number for s in subjects if s.scope == "shot"}
            self.scheduler.ask(shots, Priority.BACKFILL)
            of_many = [t for t in self._coordinator.templates().values() if t.scope != "shot"]
            self.scheduler.due.ask_of_many((t.name for t in of_many), missing=False)
        # Lists say which templates are out of order and which reports are stale.
        self.publication.ask(() if remade else subjects, home=bool(files))

    # --- files and shots -------------------------------------------------------------------------

    def _take(self) -> list[Outcome]:
        """Begin with new files as there is room, and note those that are done."""
        for folder in self.folders:
            self._tell_whether_there(folder)
        done = self._note(self.intake.collect())
        if not self._stop.is_set():
            fresh = [path for path in scan(self.folders) if path not in self._seen]
            self.intake.offer(
                (path, self._settling.unchanged_for_s(path)) for path in self._settling.whole(fresh)
            )
        return done

    def _tell_whether_there(self, folder: Path) -> None:
        """Say when a folder where files arrive is away, as a share may be, and when it is back."""
        what = f"look into {folder}"
        if folder.is_dir():
            self.attempts.succeeded(what)
        elif self.attempts.ready(what):
            away = "it is not there: mount it, or make it again"
            self.attempts.failed(what, FileNotFoundError(away))

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
                # a file that is known, or a log, may have moved pulses between shots
                fresh = outcome.status != "quarantined"
                self._to_note[number] = fresh or self._to_note.get(number, False)
            self.attempts.do("remember files", partial(self._seen.remember, outcome.source))
            _log(outcome)
            self.attempts.do("tell of files", partial(self.observer.ingested, outcome))
        return outcomes

    def _note_shots(self) -> list[int]:
        """Bring the catalogue up to date; return the shots that a file came for."""
        fresh: list[int] = []
        catalogue = self._coordinator.catalogue
        for number, stored in sorted(self._to_note.items()):
            known: list[bool] = []

            def note(number: int = number, known: list[bool] = known) -> None:
                known.append(bool(catalogue.sources(number)))
                self._coordinator.note_shot(number)

            what = NOTING.format(number)
            if not self.attempts.do(what, note):
                if concerns_all(self.attempts.error(what)):
                    break  # the others would wait for it, too, one after the other
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
