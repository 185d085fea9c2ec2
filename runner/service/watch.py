"""The service: files that arrive become reports on the site, all by itself.

APScheduler calls `Watcher.look` every second or so, one at a time, in one thread; workers make the
reports. Everything it knows is in files, so that it can be stopped at any moment and catches up
when it starts.
"""

from __future__ import annotations

import logging
import signal
import threading
from datetime import datetime, timedelta

from apscheduler.executors.pool import ThreadPoolExecutor
from apscheduler.schedulers.background import BackgroundScheduler
from apscheduler.triggers.cron import CronTrigger

from ishtar.catalogue import CatalogueError
from ishtar.errors import IshtarError
from ishtar.workspace import Workspace
from runner.attempts import FIRST_S
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.lock import coordinator_lock
from runner.service.watcher import Watcher

logger = logging.getLogger(__name__)

LET_GO_AT = 4  # o'clock: nobody runs shots, and the day's reports are made
LOOK_FOR_SIGNALS_S = 0.5
PATIENCE_S = 3.0  # for another process that writes the catalogue: what waits is tried again
LONGEST_START_S = 15.0  # between two attempts to open it at the start
MOST_TRIES_ONCE = 5  # of what fails, until `watch --once` ends without it


def watch(workspace: Workspace, *, once: bool = False, stop: threading.Event | None = None) -> None:
    """Watch until SIGTERM or SIGINT; with ``once``, catch up, look until nothing waits, and end.

    A program of which the service is a part gives ``stop``, and sets it to end the service; signals
    are its own business then, and the service may run in any thread.
    """
    for_signals, stop = stop is None, stop or threading.Event()
    with (
        coordinator_lock(workspace) as lock,
        Coordinator(workspace) if once else _opened(workspace, stop) as coordinator,
    ):
        settings = coordinator.settings
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

        with Watcher(coordinator, stop, None if once else wake, lock) as watcher:
            if once:
                _drain(watcher, settings.ingest.settle_s)
                return
            asked = _asked_by_signals() if for_signals else []
            scheduler.add_job(watcher.catch_up, id="catch up")
            scheduler.add_job(
                watcher.look, "interval", seconds=settings.watch.poll_s, id="look for files"
            )
            scheduler.add_job(
                watcher.let_go, CronTrigger(hour=LET_GO_AT), id="let go of what is old"
            )
            scheduler.start()
            logger.info("watching %s", ", ".join(map(str, watcher.folders)))
            while not (stop.wait(LOOK_FOR_SIGNALS_S) or asked):
                pass
            stop.set()
            if not watcher.lost:
                logger.info("stopping: waiting for the reports in progress")
            scheduler.shutdown(wait=True)
            if watcher.lost:
                raise watcher.lost  # another coordinator works here: nothing more is written
            watcher.finish()


def _asked_by_signals() -> list[int]:
    """Return a list that is filled when this process is asked to end.

    The handler takes no lock, such as an event has: it may run while this very thread holds it. Nor
    does a signal that reaches another thread wake this one, so that who waits has to look. Whoever
    started this process may have had the signals blocked.
    """
    asked: list[int] = []
    ends = signal.SIGTERM, signal.SIGINT
    for number in ends:
        signal.signal(number, lambda number, _: asked.append(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
    return asked


def _opened(workspace: Workspace, stop: threading.Event) -> Coordinator:
    """Open a coordinator; a catalogue that cannot be opened now is waited for."""
    said, pause_s = "", FIRST_S
    while True:
        try:
            return Coordinator(workspace, patience_s=PATIENCE_S)
        except CatalogueError as error:
            if error.damaged or stop.is_set():
                raise
            if str(error) != said:
                logger.error("%s; the service waits for it", error)
            said = str(error)
        stop.wait(pause_s)
        pause_s = min(2 * pause_s, LONGEST_START_S)


def _drain(watcher: Watcher, settle_s: float) -> None:
    watcher.catch_up()
    pause = threading.Event()
    watcher.look()  # from here on files that are there can settle
    end = datetime.now() + timedelta(seconds=settle_s)
    while True:
        began = datetime.now()
        outcomes = watcher.look()
        if watcher.lost:
            raise watcher.lost
        troubles = watcher.attempts.troubles
        if any(t.tries >= MOST_TRIES_ONCE for t in troubles):
            todo = "; ".join(f"{t.what}: {t.error}" for t in troubles)
            raise IshtarError(f"not everything could be done: {todo}: correct it, then try again")
        waiting = all(o.status == "waiting" for o in outcomes)
        if began > end and waiting and not watcher.busy:
            return
        pause.wait(0.1)
