"""Decide what of the site to publish, and when; retry what fails."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from functools import partial

from runner.attempts import Attempts, Trouble, affects_all
from runner.ingest.raw_files.intake import WaitingFile
from runner.monitoring.status import lasting_troubles
from runner.publish import publish_workspace
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.service.deferred_work import DeferredWork, do_deferred_work
from runner.service.observe import ServiceObserver

logger = logging.getLogger(__name__)

PUBLISH_EVERY_S = 1.0  # at most, while reports are in progress: pages take processor time, too
ALL = "publish the site"
SOME = "publish what is new"


class Publication:
    """Keep what is to be published until it is; a page that fails delays no other.

    Parameters
    ----------
    coordinator : Coordinator
        The coordinator of the workspace.
    observer : ServiceObserver
        Records how long it takes.
    attempts : Attempts
        Records what could not be published.
    """

    def __init__(
        self, coordinator: Coordinator, observer: ServiceObserver, attempts: Attempts
    ) -> None:
        self._coordinator = coordinator
        self._observer = observer
        self._attempts = attempts
        self._changed: set[Subject] = set()  # since the last publication
        self._all = False
        self._home = False
        self._published = 0.0
        self._shown: set[str] = set()  # troubles on the home page
        self._remade: set[str] = set()  # folders of reports that were found damaged
        self._damaged: set[Subject] = set()
        self.deferred = DeferredWork(coordinator.settings.publish, attempts)

    @property
    def due(self) -> bool:
        """Whether there is something to publish."""
        return bool(self._changed or self._all or self._home)

    def request(
        self, subjects: Iterable[Subject] = (), *, home: bool = False, all_pages: bool = False
    ) -> None:
        """Request the pages of some subjects, the home page or all pages."""
        self._changed |= set(subjects)
        self._home |= home
        self._all |= all_pages

    def update_troubles(
        self, troubles: Collection[Trouble], files: Collection[WaitingFile]
    ) -> None:
        """Request the home page if the lasting troubles differ from those on it."""
        now = set(lasting_troubles(troubles, files))
        if now != self._shown:
            self._shown, self._home = now, True
            self._observer.status_writer.update_now()  # the page reads them from the status

    def take_damaged(self) -> set[Subject]:
        """Return the subjects whose reports were found damaged since the last call."""
        taken, self._damaged = self._damaged, set()
        return taken

    def work(self, busy: bool, in_hurry: bool) -> bool:
        """Publish what is due, unless the last time was just now; return whether any is due."""
        rested = time.monotonic() - self._published > PUBLISH_EVERY_S
        if not self.due or not (in_hurry or rested or not busy):
            return self.due
        if self._all and self._attempts.do(ALL, partial(self._publish, None)):
            self._all = self._home = False
            self._changed.clear()
            self._log_published([])
        if self._changed or self._home:
            self._publish_some(sorted(self._changed))
        return True

    def _publish_some(self, subjects: list[Subject]) -> None:
        if self._attempts.do(SOME, partial(self._publish, subjects)):
            self._changed -= set(subjects)
            self._home = False
            self._log_published(subjects)
            return
        if len(subjects) < 2 or affects_all(self._attempts.error(SOME)):
            return
        for subject in subjects:  # so that the one at fault does not delay the others
            if self._attempts.do(f"publish {subject}", partial(self._publish, [subject])):
                self._changed.discard(subject)
                self._log_published([subject])

    def work_deferred(self) -> None:
        """Do deferred work for a while."""
        done: list[int] = []
        self._attempts.do(
            "do the deferred work of the site",
            lambda: done.extend(do_deferred_work(self._coordinator, self.deferred)),
        )
        self._changed |= {Subject.shot(n) for n in done}

    def _publish(self, subjects: list[Subject] | None) -> None:
        with self._observer.publishing():
            done = publish_workspace(self._coordinator, subjects, traces=False)
        self._published = time.monotonic()
        self.deferred.add(done.without_traces, done.outdated)
        fresh = (
            set(done.damaged) - self._remade
        )  # remake each only once: one damaged again would go on for ever
        self._remade |= fresh
        self._damaged |= {Subject.parse(folder.split("/")[0]) for folder in fresh}

    def _log_published(self, subjects: list[Subject]) -> None:
        logger.info(
            "published %s",
            ", ".join(map(str, subjects)) or "the home page",
            extra={"shots": [s.number for s in subjects if s.scope == "shot"]},
        )
