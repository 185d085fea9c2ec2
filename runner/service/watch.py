"""Run the service, which turns arriving files into reports on the site.

APScheduler calls `Watcher.poll` about once a second, in one thread; workers make the reports. All
state is in files, so the service can be stopped at any moment and catches up when it starts.
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

PRUNE_AT_HOUR = 4  # local time: nobody runs shots, and the day's reports are made
SIGNAL_CHECK_S = 0.5
PATIENCE_S = 3.0  # for another process that writes the catalogue: failed writes are retried
LONGEST_START_S = 15.0  # between two attempts to open it at the start
MOST_TRIES_ONCE = 5  # of a failing task, until `watch --once` gives up


def watch(workspace: Workspace, *, once: bool = False, stop: threading.Event | None = None) -> None:
    """Watch until SIGTERM or SIGINT; with ``once``, catch up, work until idle, and return.

    A program that embeds the service passes ``stop`` and sets it to end the service. It handles
    signals itself then, and the service may run in any thread.
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
                    watcher.poll, id="poll now", replace_existing=True, max_instances=2
                )

        with Watcher(coordinator, stop, None if once else wake, lock) as watcher:
            if once:
                _drain(watcher, settings.ingest.settle_s)
                return
            signals = _catch_signals() if for_signals else []
            scheduler.add_job(watcher.catch_up, id="catch up")
            scheduler.add_job(watcher.poll, "interval", seconds=settings.watch.poll_s, id="poll")
            scheduler.add_job(
                watcher.prune_old, CronTrigger(hour=PRUNE_AT_HOUR), id="remove old data"
            )
            scheduler.start()
            logger.info("watching %s", ", ".join(map(str, watcher.folders)))
            while not (stop.wait(SIGNAL_CHECK_S) or signals):
                pass
            stop.set()
            if not watcher.lost:
                logger.info("stopping: waiting for the reports in progress")
            scheduler.shutdown(wait=True)
            if watcher.lost:
                raise watcher.lost  # another coordinator works here: write nothing more
            watcher.finish()


def _catch_signals() -> list[int]:
    """Return a list that receives the signals which ask this process to end.

    The handler must not set an event: its lock may be held by the interrupted thread itself. A
    signal delivered to another thread does not wake this one either, so the caller has to poll the
    list. Unblock the signals, since the parent process may have blocked them.
    """
    received: list[int] = []
    ends = signal.SIGTERM, signal.SIGINT
    for number in ends:
        signal.signal(number, lambda number, _: received.append(number))
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ends)
    return received


def _opened(workspace: Workspace, stop: threading.Event) -> Coordinator:
    """Open a coordinator; wait for a catalogue that cannot be opened now."""
    logged, pause_s = "", FIRST_S
    while True:
        try:
            return Coordinator(workspace, patience_s=PATIENCE_S)
        except CatalogueError as error:
            if error.damaged or stop.is_set():
                raise
            if str(error) != logged:
                logger.error("%s; the service waits for it", error)
            logged = str(error)
        stop.wait(pause_s)
        pause_s = min(2 * pause_s, LONGEST_START_S)


def _drain(watcher: Watcher, settle_s: float) -> None:
    watcher.catch_up()
    pause = threading.Event()
    watcher.poll()  # existing files begin to settle
    end = datetime.now() + timedelta(seconds=settle_s)
    while True:
        began = datetime.now()
        outcomes = watcher.poll()
        if watcher.lost:
            raise watcher.lost
        troubles = watcher.attempts.troubles
        if any(t.tries >= MOST_TRIES_ONCE for t in troubles):
            todo = "; ".join(f"{t.what}: {t.error}" for t in troubles)
            raise IshtarError(f"could not do everything: {todo}: correct it, then try again")
        waiting = all(o.status == "waiting" for o in outcomes)
        if began > end and waiting and not watcher.busy:
            return
        pause.wait(0.1)
