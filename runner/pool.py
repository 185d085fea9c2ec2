"""Where jobs run: an executor, chosen by the number of workers.

Workers are forked from a single-threaded server that has imported everything a worker needs, so
that a new worker is there at once and no thread or open file of the coordinator crosses the fork.
All of them take their kernels from one server of warm kernels, which belongs to the pool: what it
imports is imported once, and is ready when the workers are.
"""

from __future__ import annotations

import multiprocessing
import os
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager, nullcontext
from typing import Any

from runner.warm import owner

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


class Workers(ProcessPoolExecutor):
    """Local processes with a server of kernels, which starts with the first job."""

    def __init__(self, workers: int, server: owner.WarmServer | None) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        super().__init__(
            workers,
            mp_context=context,
            initializer=_begin,
            initargs=(server.address if server else None,),
        )
        self._server = server

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a job to a worker."""
        if self._server is not None:
            self._server.start()
        return super().submit(fn, *args, **kwargs)


def _begin(address: str | None) -> None:
    """Let this worker end when the coordinator is killed; it would wait for jobs for ever."""
    owner.use(address)
    coordinator = multiprocessing.parent_process()
    if coordinator is None:
        return

    def wait() -> None:
        coordinator.join()
        os._exit(1)  # its kernel goes with it

    threading.Thread(target=wait, daemon=True, name="end with the coordinator").start()


@contextmanager
def open_pool(
    workers: int, *, kernels: str = "warm", environment: Mapping[str, str] | None = None
) -> Iterator[Executor]:
    """Give an executor of ``workers`` local processes; 0 runs in this process.

    When the block raises (Ctrl-C and SIGTERM, too), the workers are ended with what they do.

    Parameters
    ----------
    kernels : {"warm", "cold"}
        Whether there is a server of kernels.
    environment : mapping
        Further variables for it, which libraries read when they are imported.
    """
    if workers == 0:
        yield Inline()
        return
    warm = kernels == "warm" and owner.available()
    with (
        (
            owner.WarmServer(spare=workers, environment=environment) if warm else nullcontext()
        ) as server,
        Workers(workers, server) as pool,
    ):
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.kill()  # its kernel goes with it; a handler of SIGTERM could keep it
            raise
