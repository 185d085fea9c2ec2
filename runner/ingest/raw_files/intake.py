"""Files that arrive at a service are ingested side by side: none waits behind a bad or large one.

Each file has a thread that minds its process. Small files go two at a time, large ones one at a
time beside them; a file that makes no progress does not count, so that the next one begins.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ishtar.errors import IshtarError
from ishtar.plain_files import readable
from runner.ingest.ingest_outcome import Outcome

logger = logging.getLogger(__name__)

SMALL = 64 << 20  # bytes
AT_ONCE = {True: 2, False: 1}  # small ones, large ones
STALLED_S = 3.0  # without progress: it does not hold up others any more
MOST = 16  # at once, however many are stalled
FIRST_REST_S, LONGEST_REST_S = (
    1.0,
    60.0,
)  # before a file is tried again that could not be stored now
GRACE_S = 5.0  # for what is under way when the service ends


class Ingest(Protocol):
    """Stores one file: `runner.ingest.ingest_file` with all else given."""

    def __call__(
        self,
        path: Path,
        *,
        unchanged_for_s: float,
        progress: Callable[[int, int], None],
        cancelled: threading.Event,
    ) -> Outcome:
        """Return what became of the file."""


@dataclass(eq=False)
class _Work:
    """A file that is being ingested."""

    path: Path
    small: bool
    moved: float
    thread: threading.Thread | None = None

    def progress(self, done: int, total: int) -> None:
        self.moved = time.monotonic()

    @property
    def counts(self) -> bool:
        return time.monotonic() - self.moved < STALLED_S


@dataclass(frozen=True, kw_only=True)
class _Rest:
    """A file that could not be stored now is tried again later, and told of once."""

    until: float
    seconds: float
    reason: str
    since: float


@dataclass(frozen=True, kw_only=True)
class WaitingFile:
    """A file that waits, why, and since when (Unix time, s)."""

    name: str
    reason: str
    since: float


class Intake:
    """Ingests files in threads; all its methods are called from one.

    Parameters
    ----------
    ingest : callable
        See `Ingest`.
    wake : callable, optional
        Called in any thread when a file is done, and it is time to `collect`.
    """

    def __init__(self, ingest: Ingest, wake: Callable[[], None] | None = None) -> None:
        self._ingest = ingest
        self._wake = wake
        self._works: dict[Path, _Work] = {}
        self._resting: dict[Path, _Rest] = {}
        self._done: list[tuple[_Work, Outcome | Exception]] = []
        self._cancelled = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether a file is under way or not collected yet."""
        return bool(self._works)

    @property
    def waiting(self) -> tuple[WaitingFile, ...]:
        """The files that could not be stored yet, the oldest first."""
        found = [
            WaitingFile(name=readable(path.name), reason=rest.reason, since=rest.since)
            for path, rest in self._resting.items()
        ]
        return tuple(sorted(found, key=lambda h: (h.since, h.name)))

    def offer(self, files: Iterable[tuple[Path, float]]) -> None:
        """Begin with those files that there is room for; the others are offered again later.

        Parameters
        ----------
        files : iterable of (Path, float)
            Each with the time for which it has not changed, s.
        """
        files = list(files)
        there = {path for path, _ in files}
        self._resting = {path: rest for path, rest in self._resting.items() if path in there}
        for path, unchanged_for_s in files:
            rest = self._resting.get(path)
            if path in self._works or (rest and time.monotonic() < rest.until):
                continue
            try:
                small = path.stat().st_size <= SMALL
            except OSError:  # it went away
                continue
            if self._room(small):
                self._begin(path, small, unchanged_for_s)

    def collect(self) -> list[Outcome]:
        """Return what became of the files that are done; what went wrong is logged, and rests."""
        done, self._done = self._done, []
        outcomes: list[Outcome] = []
        for work, result in done:
            del self._works[work.path]
            if isinstance(result, Exception):
                self._lay_aside(work.path, result)
                continue
            if result.status == "waiting":
                self._rest(work.path, FIRST_REST_S, result.reason)
            else:
                self._resting.pop(work.path, None)
            outcomes.append(result)
        return outcomes

    def close(self) -> list[Outcome]:
        """Wait a little for what is under way, end the rest, and return what was done."""
        deadline = time.monotonic() + GRACE_S
        for last in (False, True):
            for work in list(self._works.values()):
                assert work.thread is not None
                work.thread.join(None if last else max(0.0, deadline - time.monotonic()))
            self._cancelled.set()
        return self.collect()

    def _room(self, small: bool) -> bool:
        counted = sum(w.small == small and w.counts for w in self._works.values())
        return counted < AT_ONCE[small] and len(self._works) < MOST

    def _begin(self, path: Path, small: bool, unchanged_for_s: float) -> None:
        work = _Work(path, small, time.monotonic())
        self._works[path] = work
        work.thread = threading.Thread(
            target=self._run, args=(work, unchanged_for_s), name=f"ingest {path.name}", daemon=True
        )
        work.thread.start()

    def _run(self, work: _Work, unchanged_for_s: float) -> None:
        result: Outcome | Exception
        try:
            result = self._ingest(
                work.path,
                unchanged_for_s=unchanged_for_s,
                progress=work.progress,
                cancelled=self._cancelled,
            )
        except Exception as error:  # no file may end this thread without a word
            result = error
        self._done.append((work, result))
        if self._wake is not None:
            self._wake()

    def _lay_aside(self, path: Path, error: Exception) -> None:
        before = self._resting.get(path)
        seconds = min(2 * before.seconds, LONGEST_REST_S) if before else FIRST_REST_S
        if (before is None or before.reason != str(error)) and not self._cancelled.is_set():
            known = isinstance(error, IshtarError)
            logger.error(
                "%s: %s", path, error, exc_info=None if known else error, extra={"file": path.name}
            )
        self._rest(path, seconds, str(error))

    def _rest(self, path: Path, seconds: float, reason: str) -> None:
        before = self._resting.get(path)
        self._resting[path] = _Rest(
            until=time.monotonic() + seconds,
            seconds=seconds,
            reason=reason,
            since=before.since if before else time.time(),
        )
