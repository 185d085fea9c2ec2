"""A thread that runs jobs in order while its owner continues.

Hashing, HDF5 filters and file writes all release the GIL, so that two or three threads keep two
cores busy. The queue is short, so that memory stays bounded; the owner gets the first error at the
next call.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

MAX_QUEUE = 6  # jobs of at most writer.BLOCK_BYTES each


class InlineJobs:
    """The interface of `JobThread` for small work: each job runs at once in the caller's thread."""

    def put(self, job: Callable[[], object]) -> None:
        """Run a job."""
        job()

    def join(self) -> None:
        """Do nothing: all jobs are done."""

    def abandon(self) -> None:
        """Do nothing: no jobs are queued."""


class JobThread:
    """Runs jobs in order in its own thread, which starts with the first job."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.Queue[Callable[[], object] | None] = queue.Queue(MAX_QUEUE)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def put(self, job: Callable[[], object]) -> None:
        """Queue a job, waiting while the queue is full; raise the error of an earlier job."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._raise()
        self._jobs.put(job)

    def join(self) -> None:
        """Wait until all jobs are done; raise the first error."""
        self.close()
        self._raise()

    def close(self) -> None:
        """End the thread when its queue is empty, without raising errors."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def abandon(self) -> None:
        """End the thread and discard the jobs still queued."""
        self._error = self._error or RuntimeError("abandoned")
        self.close()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._error is None:  # after an error the remaining jobs are discarded
                try:
                    job()
                except BaseException as error:  # any error is raised in the owner's thread
                    self._error = error
