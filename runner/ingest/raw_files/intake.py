"""Concurrent ingest of arriving files, so that none waits behind a bad or large one.

Each file has a thread that watches its process. Two small files and one large file run at a time; a
file without progress does not count, so that the next one begins.
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
CONCURRENT = {True: 2, False: 1}  # small files, large files
STALLED_S = 3.0  # without progress: the file no longer counts
MAX_RUNNING = 16  # including stalled ones
FIRST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0  # delay before a failed file is tried again
GRACE_S = 5.0  # for running files when the service ends


class Ingest(Protocol):
    """Stores one file: `runner.ingest.ingest_file` with its other arguments bound."""

    def __call__(
        self,
        path: Path,
        *,
        unchanged_for_s: float,
        progress: Callable[[int, int], None],
        cancelled: threading.Event,
    ) -> Outcome:
        """Return the outcome of the file."""


@dataclass(eq=False)
class _Running:
    """A file that is being ingested."""

    path: Path
    small: bool
    progressed: float
    thread: threading.Thread | None = None

    def progress(self, done: int, total: int) -> None:
        self.progressed = time.monotonic()

    @property
    def progressing(self) -> bool:
        return time.monotonic() - self.progressed < STALLED_S


@dataclass(frozen=True, kw_only=True)
class _Retry:
    """The next attempt for a file that could not be stored; its reason is logged once."""

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
    """Ingests files in threads; its methods are called from a single thread.

    Parameters
    ----------
    ingest : callable
        See `Ingest`.
    wake : callable, optional
        Called in any thread when a file is done and can be collected.
    """

    def __init__(self, ingest: Ingest, wake: Callable[[], None] | None = None) -> None:
        self._ingest = ingest
        self._wake = wake
        self._running: dict[Path, _Running] = {}
        self._retries: dict[Path, _Retry] = {}
        self._done: list[tuple[_Running, Outcome | Exception]] = []
        self._cancelled = threading.Event()

    @property
    def busy(self) -> bool:
        """Whether a file is running or not collected yet."""
        return bool(self._running)

    @property
    def waiting(self) -> tuple[WaitingFile, ...]:
        """The files that could not be stored yet, the oldest first."""
        found = [
            WaitingFile(name=readable(path.name), reason=retry.reason, since=retry.since)
            for path, retry in self._retries.items()
        ]
        return tuple(sorted(found, key=lambda h: (h.since, h.name)))

    def offer(self, files: Iterable[tuple[Path, float]]) -> None:
        """Begin as many files as the limits allow; the caller offers the others again later.

        Parameters
        ----------
        files : iterable of (Path, float)
            Each with the time since its last change, s.
        """
        files = list(files)
        there = {path for path, _ in files}
        self._retries = {path: retry for path, retry in self._retries.items() if path in there}
        for path, unchanged_for_s in files:
            retry = self._retries.get(path)
            if path in self._running or (retry and time.monotonic() < retry.until):
                continue
            try:
                small = path.stat().st_size <= SMALL
            except OSError:  # it disappeared
                continue
            if self._has_room(small):
                self._begin(path, small, unchanged_for_s)

    def collect(self) -> list[Outcome]:
        """Return the outcomes of the finished files; failures are logged and retried later."""
        done, self._done = self._done, []
        outcomes: list[Outcome] = []
        for work, result in done:
            del self._running[work.path]
            if isinstance(result, Exception):
                self._failed(work.path, result)
                continue
            if result.status == "waiting":
                self._schedule_retry(work.path, FIRST_RETRY_S, result.reason)
            else:
                self._retries.pop(work.path, None)
            outcomes.append(result)
        return outcomes

    def close(self) -> list[Outcome]:
        """Wait `GRACE_S` for running files, cancel the others, and return the outcomes."""
        deadline = time.monotonic() + GRACE_S
        for last in (False, True):
            for work in list(self._running.values()):
                assert work.thread is not None
                work.thread.join(None if last else max(0.0, deadline - time.monotonic()))
            self._cancelled.set()
        return self.collect()

    def _has_room(self, small: bool) -> bool:
        counted = sum(w.small == small and w.progressing for w in self._running.values())
        return counted < CONCURRENT[small] and len(self._running) < MAX_RUNNING

    def _begin(self, path: Path, small: bool, unchanged_for_s: float) -> None:
        work = _Running(path, small, time.monotonic())
        self._running[path] = work
        work.thread = threading.Thread(
            target=self._run, args=(work, unchanged_for_s), name=f"ingest {path.name}", daemon=True
        )
        work.thread.start()

    def _run(self, work: _Running, unchanged_for_s: float) -> None:
        result: Outcome | Exception
        try:
            result = self._ingest(
                work.path,
                unchanged_for_s=unchanged_for_s,
                progress=work.progress,
                cancelled=self._cancelled,
            )
        except Exception as error:  # reported by `collect`
            result = error
        self._done.append((work, result))
        if self._wake is not None:
            self._wake()

    def _failed(self, path: Path, error: Exception) -> None:
        before = self._retries.get(path)
        seconds = min(2 * before.seconds, LONGEST_RETRY_S) if before else FIRST_RETRY_S
        if (before is None or before.reason != str(error)) and not self._cancelled.is_set():
            known = isinstance(error, IshtarError)
            logger.error(
                "%s: %s", path, error, exc_info=None if known else error, extra={"file": path.name}
            )
        self._schedule_retry(path, seconds, str(error))

    def _schedule_retry(self, path: Path, seconds: float, reason: str) -> None:
        before = self._retries.get(path)
        self._retries[path] = _Retry(
            until=time.monotonic() + seconds,
            seconds=seconds,
            reason=reason,
            since=before.since if before else time.time(),
        )
