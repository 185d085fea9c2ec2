"""Retry failed tasks after growing pauses.

The caller keeps a task until `Attempts.do` returns True. Until then each new error of the task is
logged once, and the last one is shown in the status.
"""

from __future__ import annotations

import errno
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

from ishtar.catalogue import CatalogueError
from ishtar.errors import IshtarError

logger = logging.getLogger(__name__)

# Problems of the machine: any other task would fail, too.
MACHINE_ERRORS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
}

FIRST_S, LONGEST_S = 1.0, 600.0  # first and longest pause


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """A task that has not succeeded yet; times are Unix times, s.

    Attributes
    ----------
    what : the task, in a few words.
    error : the last error, in one line.
    since : time of the first failure.
    tries : number of failures.
    next_try : time of the next try.
    """

    what: str
    error: str
    since: float
    tries: int
    next_try: float


def affects_all(error: Exception | None) -> bool:
    """Return whether an error affects all tasks, not just the one that raised it."""
    if isinstance(error, CatalogueError):
        return True
    return isinstance(error, OSError) and error.errno in MACHINE_ERRORS


class Attempts:
    """Retry failed tasks and list them."""

    def __init__(self) -> None:
        self._troubles: dict[str, Trouble] = {}
        self._paused: dict[str, float] = {}  # end of each task's pause, by the monotonic clock
        self._errors: dict[str, Exception] = {}
        self.n_failed = 0  # of all attempts

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """The failed tasks, the oldest first."""
        return tuple(sorted(self._troubles.values(), key=lambda t: (t.since, t.what)))

    def ready(self, what: str) -> bool:
        """Return whether a task may be tried now, that is, it is not paused after a failure."""
        return what not in self._paused or time.monotonic() >= self._paused[what]

    def error(self, what: str) -> Exception | None:
        """Return the last error of a task, None if it has not failed."""
        return self._errors.get(what)

    def tries(self, what: str) -> int:
        """Return how often a task has failed."""
        return self._troubles[what].tries if what in self._troubles else 0

    def do(self, what: str, work: Callable[[], object]) -> bool:
        """Do a task unless it is paused; return whether it is done."""
        if not self.ready(what):
            return False
        try:
            work()
        except Exception as error:  # whatever the error, the task remains to be done
            self.failed(what, error)
            return False
        self.succeeded(what)
        return True

    def failed(self, what: str, error: Exception) -> None:
        """Record that a task failed, and pause it; the pause grows with each failure."""
        before, now = self._troubles.get(what), time.time()
        tries = before.tries + 1 if before else 1
        pause = min(FIRST_S * 2.0 ** min(tries - 1, 30), LONGEST_S)
        text = " ".join((str(error) or type(error).__name__).split())
        expected = isinstance(error, IshtarError | OSError)
        text = text if expected else f"{type(error).__name__}: {text}"
        if before is None or before.error != text:
            traceback = None if expected else error
            logger.error("%s: %s; trying again", what, text, exc_info=traceback)
        self._troubles[what] = Trouble(
            what=what,
            error=text,
            since=before.since if before else now,
            tries=tries,
            next_try=now + pause,
        )
        self._errors[what] = error
        self._paused[what] = time.monotonic() + pause
        self.n_failed += 1

    def succeeded(self, what: str) -> None:
        """Record that a task is done; end the pauses of tasks that failed with the same error."""
        trouble = self._troubles.pop(what, None)
        self._paused.pop(what, None)
        self._errors.pop(what, None)
        if trouble is None:
            return
        logger.info("%s: done, after %d failed attempts", what, trouble.tries)
        for other in self._troubles.values():
            if other.error == trouble.error:
                self._paused.pop(other.what, None)

    def end_pauses(self) -> None:
        """End all pauses, because a user's change may have fixed the problems."""
        self._paused.clear()

    def forget(self, what: str) -> None:
        """Forget a task that no longer has to be done."""
        self._troubles.pop(what, None)
        self._paused.pop(what, None)
        self._errors.pop(what, None)
