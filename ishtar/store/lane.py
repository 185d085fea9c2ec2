"""A lane: one thread that does jobs in their order while its owner goes on.

Hashing, HDF5 filters and file writes all release the interpreter, so two or three lanes keep two
cores busy. A lane holds a few jobs at most, so memory stays bounded; its first error is raised
to its owner at the next call.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable

LONGEST_QUEUE = 6  # jobs of at most writer.BLOCK_BYTES each


class Here:
    """A lane for little work: every job is done at once, where it is put."""

    def put(self, job: Callable[[], object]) -> None:
        """Do a job."""
        job()

    def join(self) -> None:
        """Return: everything is done."""

    def abandon(self) -> None:
        """Return: nothing is queued."""


class Lane:
    """Does jobs one after the other in a thread of its own, which starts with the first job."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._jobs: queue.Queue[Callable[[], object] | None] = queue.Queue(LONGEST_QUEUE)
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def put(self, job: Callable[[], object]) -> None:
        """Queue a job; wait while the queue is full; raise what an earlier job raised."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name=self._name, daemon=True)
            self._thread.start()
        self._raise()
        self._jobs.put(job)

    def join(self) -> None:
        """Wait until every job is done; raise what one of them raised."""
        self.close()
        self._raise()

    def close(self) -> None:
        """End the thread when its queue is empty; errors stay unsaid."""
        if self._thread is not None:
            self._jobs.put(None)
            self._thread.join()
            self._thread = None

    def abandon(self) -> None:
        """End the thread without doing the jobs still queued."""
        self._error = self._error or RuntimeError("abandoned")
        self.close()

    def _raise(self) -> None:
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        while (job := self._jobs.get()) is not None:
            if self._error is None:  # after an error the queue is emptied, nothing is done
                try:
                    job()
                except BaseException as error:  # handed to the owner, whatever it is
                    self._error = error
