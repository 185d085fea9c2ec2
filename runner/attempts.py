"""What is to be done and cannot be done now: it is tried again after a pause that grows.

Whoever has something to do keeps it, and lets go of it only when `Attempts.do` says that it is
done. Until then its last error is told, in the log once and in the status all the time.
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

# What is wrong with the machine: whatever is tried beside it fails as well.
OF_THE_MACHINE = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO, errno.ESTALE),
    *(errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EAGAIN),
}

FIRST_S, LONGEST_S = 1.0, 600.0  # pause before the second try, and before any


@dataclass(frozen=True, kw_only=True)
class Trouble:
    """Something that could not be done yet; times are Unix times, s.

    Attributes
    ----------
    what : what is to be done, in a few words.
    error : why it failed last, in one line.
    since : when it failed first.
    tries : how often it was tried.
    next_try : when it is tried again.
    """

    what: str
    error: str
    since: float
    tries: int
    next_try: float


def concerns_all(error: Exception | None) -> bool:
    """Tell whether an error says nothing of the one thing that was tried, but of all."""
    if isinstance(error, CatalogueError):
        return True
    return isinstance(error, OSError) and error.errno in OF_THE_MACHINE


class Attempts:
    """Tries things again that failed, and says which they are."""

    def __init__(self) -> None:
        self._troubles: dict[str, Trouble] = {}
        self._resting: dict[str, float] = {}  # until when, by the clock that nobody sets
        self._errors: dict[str, Exception] = {}
        self.n_failed = 0  # of all attempts

    @property
    def troubles(self) -> tuple[Trouble, ...]:
        """What could not be done yet, the oldest first."""
        return tuple(sorted(self._troubles.values(), key=lambda t: (t.since, t.what)))

    def ready(self, what: str) -> bool:
        """Tell whether something may be tried now: it did not fail a short while ago."""
        return what not in self._resting or time.monotonic() >= self._resting[what]

    def error(self, what: str) -> Exception | None:
        """Return why something failed last; None where it did not."""
        return self._errors.get(what)

    def tries(self, what: str) -> int:
        """Return how often something has failed."""
        return self._troubles[what].tries if what in self._troubles else 0

    def do(self, what: str, work: Callable[[], object]) -> bool:
        """Do something, unless it rests; say whether it is done."""
        if not self.ready(what):
            return False
        try:
            work()
        except Exception as error:  # whatever it is, what was to be done is still to be done
            self.failed(what, error)
            return False
        self.succeeded(what)
        return True

    def failed(self, what: str, error: Exception) -> None:
        """Note that something failed; it rests now, the longer the more often it did."""
        before, now = self._troubles.get(what), time.time()
        tries = before.tries + 1 if before else 1
        pause = min(FIRST_S * 2.0 ** min(tries - 1, 30), LONGEST_S)
        text = " ".join((str(error) or type(error).__name__).split())
        known = isinstance(error, IshtarError | OSError)
        text = text if known else f"{type(error).__name__}: {text}"
        if before is None or before.error != text:
            logger.error(
                "%s: %s; it is tried again", *(what, text), exc_info=None if known else error
            )
        self._troubles[what] = Trouble(
            what=what,
            error=text,
            since=before.since if before else now,
            tries=tries,
            next_try=now + pause,
        )
        self._errors[what] = error
        self._resting[what] = time.monotonic() + pause
        self.n_failed += 1

    def succeeded(self, what: str) -> None:
        """Note that something is done; what failed for the same reason may be tried at once."""
        trouble = self._troubles.pop(what, None)
        self._resting.pop(what, None)
        self._errors.pop(what, None)
        if trouble is None:
            return
        logger.info("%s: done, after %d attempts that failed", what, trouble.tries)
        for other in self._troubles.values():
            if other.error == trouble.error:
                self._resting.pop(other.what, None)

    def try_all_at_once(self) -> None:
        """Let nothing rest any more: somebody has changed something, and may have mended it."""
        self._resting.clear()

    def forget(self, what: str) -> None:
        """Let go of something that is not to be done any more."""
        self._troubles.pop(what, None)
        self._resting.pop(what, None)
        self._errors.pop(what, None)
