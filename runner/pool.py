"""Where jobs run: an executor, chosen by the number of workers.

Workers are forked from a single-threaded server that has imported everything a report needs, so
that a new worker is there at once and no thread or open file of the coordinator crosses the fork.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any

PRELOADED = ["runner.worker"]


class Inline(Executor):
    """Runs each job at once, in this process."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Run ``fn`` now; return its finished future."""
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


def _end_with_the_coordinator() -> None:
    """Let this worker end when the coordinator is killed; it would wait for jobs for ever."""
    coordinator = multiprocessing.parent_process()
    if coordinator is None:
        return

    def wait() -> None:
        coordinator.join()
        os._exit(1)  # its kernel watches this process, and ends as well

    threading.Thread(target=wait, daemon=True, name="end with the coordinator").start()


@contextmanager
def open_pool(workers: int) -> Iterator[Executor]:
    """Give an executor of ``workers`` local processes; 0 runs in this process.

    When the block raises (Ctrl-C and SIGTERM, too), the workers are ended with what they do.
    """
    if workers == 0:
        yield Inline()
        return
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    with ProcessPoolExecutor(
        workers, mp_context=context, initializer=_end_with_the_coordinator
    ) as pool:
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.terminate()  # its kernel watches it, and ends as well
            raise
