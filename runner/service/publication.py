"""What of the site is to be written, and when; what fails is tried again until it is there."""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterable
from functools import partial

from runner.attempts import Attempts, Trouble, concerns_all
from runner.ingest.raw_files.intake import WaitingFile
from runner.monitoring.status import worth_telling
from runner.publish import publish_workspace
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator
from runner.service.deferred_work import Later, work_later
from runner.service.observe import ServiceObserver

logger = logging.getLogger(__name__)

PUBLISH_EVERY_S = 1.0  # at most, while reports are being made: pages take processor time, too
ALL = "publish the site"
SOME = "publish what is new"


class Publication:
    """Keeps what is to be published until it is; a page that fails holds up no other.

    Parameters
    ----------
    coordinator : Coordinator
        Of the workspace.
    observer : ServiceObserver
        Is told how long it takes.
    attempts : Attempts
        Where it is told what could not be published.
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
        self._told: set[str] = set()  # troubles that the home page tells of
        self._remade: set[str] = set()  # folders of reports that were found damaged
        self._damaged: set[Subject] = set()
        self.later = Later(coordinator.settings.publish, attempts)

    @property
    def due(self) -> bool:
        """Whether there is something to be published."""
        return bool(self._changed or self._all or self._home)

    def ask(
        self, subjects: Iterable[Subject] = (), *, home: bool = False, all_pages: bool = False
    ) -> None:
        """Let the pages of some subjects be written, the home page alone, or all pages."""
        self._changed |= set(subjects)
        self._home |= home
        self._all |= all_pages

    def told(self, troubles: Collection[Trouble], files: Collection[WaitingFile]) -> None:
        """Let the home page be written anew when others than before are to be told of."""
        now = set(worth_telling(troubles, files))
        if now != self._told:
            self._told, self._home = now, True
            self._observer.board.tell_now()  # the page is made from what the status says

    def take_damaged(self) -> set[Subject]:
        """Return the subjects whose reports were found damaged since this was last asked."""
        taken, self._damaged = self._damaged, set()
        return taken

    def work(self, busy: bool, in_hurry: bool) -> bool:
        """Publish what is due, unless it has just been done; say whether there was something."""
        rested = time.monotonic() - self._published > PUBLISH_EVERY_S
        if not self.due or not (in_hurry or rested or not busy):
            return self.due
        if self._all and self._attempts.do(ALL, partial(self._publish, None)):
            self._all = self._home = False
            self._changed.clear()
            self._said([])
        if self._changed or self._home:
            self._publish_some(sorted(self._changed))
        return True

    def _publish_some(self, subjects: list[Subject]) -> None:
        if self._attempts.do(SOME, partial(self._publish, subjects)):
            self._changed -= set(subjects)
            self._home = False
            self._said(subjects)
            return
        if len(subjects) < 2 or concerns_all(self._attempts.error(SOME)):
            return
        for subject in subjects:  # one of them: the others need not wait for it
            if self._attempts.do(f"publish {subject}", partial(self._publish, [subject])):
                self._changed.discard(subject)
                self._said([subject])

    def work_later(self) -> None:
        """Do what waits for a quiet moment, for a while."""
        done: list[int] = []
        self._attempts.do(
            "make what the site gets later",
            lambda: done.extend(work_later(self._coordinator, self.later)),
        )
        self._changed |= {Subject.shot(n) for n in done}

    def _publish(self, subjects: list[Subject] | None) -> None:
        with self._observer.publishing():
            done = publish_workspace(self._coordinator, subjects, traces=False)
        self._published = time.monotonic()
        self.later.ask(done.without_traces, done.outdated)
        fresh = set(done.damaged) - self._remade  # one that is damaged again would be so for ever
        self._remade |= fresh
        self._damaged |= {Subject.parse(folder.split("/")[0]) for folder in fresh}

    def _said(self, subjects: list[Subject]) -> None:
        logger.info(
            "published %s",
            ", ".join(map(str, subjects)) or "the home page",
            extra={"shots": [s.number for s in subjects if s.scope == "shot"]},
        )
