"""Where jobs run: an executor, of the kind that the settings name.

Local workers are forked from a single-threaded server that has imported everything a worker needs,
so that a new worker is there at once and no thread or open file of the coordinator crosses the
fork. All of them take their kernels from one server of warm kernels, which belongs to the pool:
what it imports is imported once, and is ready when the workers are. A process that was told of a
server (`runner.kernel.warm.owner.use`) has its pools take their kernels from that, one after the
other.
"""

from __future__ import annotations

import atexit
import multiprocessing
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from runner.kernel.warm import owner
from runner.kernel.warm.folders import private_folder
from runner.kernel.warm.processes import adopt_orphans, end_with_parent
from runner.monitoring import logs
from runner.settings.file import PoolSettings

PRELOADED = ["runner.scheduling.worker"]


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
    """Local processes with a kernel server, which starts with the first job."""

    def __init__(
        self, workers: int, server: owner.WarmServer | None, address: str | None = None
    ) -> None:
        context = multiprocessing.get_context("forkserver")
        context.set_forkserver_preload(PRELOADED)
        _keep_sockets_private()
        super().__init__(
            workers,
            mp_context=context,
            initializer=_begin,
            initargs=(server.address if server else address, logs.configured()),
        )
        self._server = server

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Hand a job to a worker."""
        if self._server is not None:
            self._server.start()
        return super().submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers.

        Where one has died, the executor ends the others; but one that was just being started then
        is overlooked, and would be waited for without end.
        """
        if getattr(self, "_broken", False):
            for process in list((self._processes or {}).values()):
                process.kill()
        super().shutdown(wait, cancel_futures=cancel_futures)


@cache
def _keep_sockets_private() -> None:
    """Let multiprocessing have its socket in a folder that is found if this process is killed."""
    folder = private_folder()
    # What `multiprocessing.util.get_temp_dir` looks at; its own would stay in $TMPDIR for ever.
    config: dict[str, Any] = multiprocessing.current_process()._config  # type: ignore[attr-defined]
    config.setdefault("tempdir", str(folder.path))
    atexit.register(folder.remove)


def _begin(address: str | None, log: logs.Form | None) -> None:
    """Let this worker end when the coordinator is killed; it would wait for jobs for ever."""
    owner.use(address)
    adopt_orphans()
    if log is not None:
        logs.configure(log)
    end_with_parent()  # its kernel goes with it


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What is asked of a pool; `open_pool` says what each means."""

    workers: int
    kernels: str = "warm"
    environment: Mapping[str, str] | None = None
    settings: PoolSettings = field(default_factory=PoolSettings)
    root: Path | None = None


@contextmanager
def _inline(wanted: Wanted) -> Iterator[Executor]:
    yield Inline()


@contextmanager
def _local(wanted: Wanted) -> Iterator[Executor]:
    workers = wanted.workers
    warm = wanted.kernels == "warm" and owner.available()
    address = owner.shared_address() if warm else None
    with (
        (
            owner.WarmServer(spare=workers, environment=wanted.environment)
            if warm and address is None
            else nullcontext()
        ) as server,
        Workers(workers, server, address) as pool,
    ):
        try:
            yield pool
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            for worker in multiprocessing.active_children():
                worker.kill()  # its kernel goes with it; a handler of SIGTERM could keep it
            raise


def _dask(wanted: Wanted) -> AbstractContextManager[Executor]:
    from runner.scheduling.cluster.cluster_pool import open_cluster

    return open_cluster(wanted.workers, settings=wanted.settings, root=wanted.root)


POOLS: dict[str, Callable[[Wanted], AbstractContextManager[Executor]]] = {
    "inline": _inline,
    "local": _local,
    "dask": _dask,
}


def open_pool(
    workers: int,
    *,
    kernels: str = "warm",
    environment: Mapping[str, str] | None = None,
    settings: PoolSettings | None = None,
    root: Path | None = None,
) -> AbstractContextManager[Executor]:
    """Give an executor of ``workers`` processes; 0 runs in this process, whatever the settings.

    When the block raises (Ctrl-C and SIGTERM, too), the workers are ended with what they do.

    Parameters
    ----------
    kernels : {"warm", "cold"}
        Whether there is a kernel server.
    environment : mapping
        Further variables for it, which libraries read when they are imported.
    settings : PoolSettings
        The kind of pool, and where its scheduler is; local processes where it is not given.
    root : path
        Root of the workspace that jobs are of; workers of a cluster look whether they see it.
    """
    wanted = Wanted(
        workers=workers,
        kernels=kernels,
        environment=environment,
        settings=settings or PoolSettings(),
        root=root,
    )
    return POOLS[wanted.settings.kind if workers else "inline"](wanted)


def jobs_at_once(pool: Executor, otherwise: int) -> int:
    """Return how many jobs a pool runs side by side now; a cluster says that itself."""
    return max(1, getattr(pool, "workers", otherwise))
