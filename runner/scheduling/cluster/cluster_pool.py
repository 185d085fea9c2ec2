"""The executor of a cluster, and how to open it."""

from __future__ import annotations

import itertools
import logging
import secrets
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import ClusterError, WorkersLost
from runner.execution.execute import place
from runner.jobs import Done, Job
from runner.scheduling.cluster.cluster_worker import WorkspaceLocation, work
from runner.scheduling.cluster.connection import Connection
from runner.settings.file import PoolSettings

if TYPE_CHECKING:
    from distributed import Client

logger = logging.getLogger(__name__)

MOST_JOBS = 256  # sent at once to a scheduler whose number of workers varies
POLL_S = 30.0  # time between two checks of a sent job
RECENT_S = 5.0  # how long the number of workers is cached
APPEARS_S = 60.0  # network file systems show a new folder to other machines within this time


class Cluster(ThreadPoolExecutor):
    """An executor over a dask cluster, with a thread for each sent job.

    A future is running once its job was sent; before that it can be cancelled. If a worker is lost,
    the scheduler sends its job to another one. Futures raise `WorkersLost` for a job that ended
    several workers, and `ClusterError` when the scheduler is lost; the next job reconnects.
    """

    def __init__(
        self, connection: Connection, home: WorkspaceLocation | None, workers: int = 0
    ) -> None:
        super().__init__(workers or MOST_JOBS, thread_name_prefix="job on the cluster")
        self._connection = connection
        self._home = home
        self._most = workers
        self._name = f"ishtar-{secrets.token_hex(8)}"
        self._numbers = itertools.count()
        self._counted = (0.0, 1)

    @property
    def workers(self) -> int:
        """The number of jobs that can run at once now."""
        if self._most:
            return self._most
        when, n = self._counted
        if time.monotonic() - when > RECENT_S:
            n = max(1, self._connection.workers())
            self._counted = (time.monotonic(), n)
        return n

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Send a job to the cluster; jobs take no keyword arguments."""
        if kwargs:
            raise TypeError(f"jobs take no keyword arguments: {', '.join(kwargs)}")
        return super().submit(self._run_job, fn, args)

    def _run_job(self, fn: Callable[..., Any], args: tuple[Any, ...]) -> Any:
        """Send a job, wait for it and place its report."""
        client = self._connection.client()
        home = self._home
        sent = tuple(map(home.translated, args)) if home else args
        key = (
            self._name,
            next(self._numbers),
        )  # one prefix: the scheduler queues the surplus
        task = client.submit(work, home, fn, sent, key=key, pure=False)
        done = self._result(client, task)
        return self._placed(done, args) if isinstance(done, Done) and done.staged else done

    def _result(self, client: Client, task: Any) -> Any:
        from distributed import KilledWorker

        warned = False
        while True:
            try:
                return task.result(timeout=POLL_S)
            except KilledWorker as error:
                raise WorkersLost(
                    f"{error.allowed_failures + 1} workers ended while they ran it, the last at "
                    f"{error.last_worker.address}: check their logs for messages about memory"
                ) from error
            except TimeoutError:
                if task.done():
                    raise  # by the job itself
                if not warned and self._connection.workers() == 0:
                    logger.warning("the scheduler has no worker: jobs wait, start one")
                    warned = True
            except BaseException as error:
                if not task.cancelled():
                    raise
                raise self._connection.lost(client) from error

    def _placed(self, done: Done, args: tuple[Any, ...]) -> Done:
        """Rename a staged report as soon as it is visible in the file system here."""
        assert self._home is not None
        job = next(a for a in args if isinstance(a, Job))
        reports = Path(job.reports) if job.reports else Path(self._home.root, "reports")
        deadline = time.monotonic() + APPEARS_S
        while True:
            try:
                return place(reports, done)
            except FileNotFoundError as error:
                if time.monotonic() > deadline:
                    host = done.receipt.environment["host"]
                    raise ClusterError(
                        f"{job} was made on {host}, but does not appear in {reports}: "
                        "mount the same file system there on both machines"
                    ) from error
            time.sleep(0.2)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Shut down; without ``wait``, abandon running jobs."""
        if not wait:
            self._connection.close(at_once=True)
        super().shutdown(wait=wait, cancel_futures=cancel_futures)
        self._connection.close()


@contextmanager
def open_cluster(
    workers: int, *, settings: PoolSettings | None = None, root: Path | None = None
) -> Iterator[Cluster]:
    """Open an executor over the cluster in the settings.

    If the block raises (also by Ctrl-C and SIGTERM), local workers are killed; those of a scheduler
    finish their jobs, whose results are discarded.

    Parameters
    ----------
    workers : int
        Number of processes if there is no scheduler.
    settings : PoolSettings, optional
    root : path, optional
        Root of the workspace, if the jobs belong to one.
    """
    settings = settings or PoolSettings(kind="dask")
    scheduler = settings.scheduler
    if root and scheduler and "://" not in scheduler:
        scheduler = str(root / scheduler)
    pool = Cluster(
        Connection(scheduler, workers=workers),
        WorkspaceLocation.of(root, settings.root_on_workers) if root else None,
        settings.workers if scheduler else workers,
    )
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()
