"""The way to the scheduler, which may be lost and found again."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runner.errors import ClusterError, MissingExtra

if TYPE_CHECKING:
    from distributed import Client, LocalCluster

DEATHS = 3  # workers that a job may end, on a cluster of ours
CONNECT_S = 10.0
RETRY_S = 30.0  # a scheduler that did not answer is left alone for so long
LOST = (
    "the scheduler was lost while reports were being made: what was done is noted, `ishtar run` "
    "makes the rest once `dask scheduler` runs again"
)
ENDED = "the run was ended: start it again"


class Connection:
    """The way to a scheduler; made when it is first needed, and again after it was lost."""

    def __init__(self, scheduler: str = "", *, workers: int = 1) -> None:
        self._scheduler = scheduler
        self._workers = workers
        self._lock = threading.Lock()
        self._cluster: LocalCluster | None = None
        self._client: Client | None = None
        self._not_before = 0.0
        self._why = ""
        self._closed = False

    def client(self) -> Client:
        """Return the client of a scheduler that answers; `ClusterError` where none does."""
        with self._lock:
            if self._client is not None and self._client.status == "running":
                return self._client
            if self._closed or time.monotonic() < self._not_before:
                raise ClusterError(self._why)
            try:
                self._client = self._connect()
            except ClusterError as error:
                self._not_before, self._why = time.monotonic() + RETRY_S, str(error)
                raise
            return self._client

    def _connect(self) -> Client:
        try:
            import dask

            dask.config.set({"logging.distributed": "warning"})  # read by the import below
            from distributed import Client
        except ImportError as error:
            raise MissingExtra("distributed", "cluster") from error
        where: Any = self._scheduler
        if not where:
            where = self._cluster = self._cluster or local_cluster(self._workers)
        elif "://" not in where:
            where = _address_in(Path(where))
        try:
            return Client(where, timeout=CONNECT_S, name="ishtar", set_as_default=False)
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"the scheduler {where} does not answer ({error}): start it with `dask scheduler`, "
                "or correct scheduler under [pool]"
            ) from error

    def workers(self) -> int:
        """Return how many workers the scheduler has now; 0 where there is no connection."""
        client = self._client
        if client is None or client.status != "running":
            return 0
        try:
            return len(client.nthreads())
        except (OSError, RuntimeError):  # it is being lost; who waits for a job is told
            return 0

    def lost(self, client: Client) -> ClusterError:
        """Give up a connection; return what to tell of it."""
        with self._lock:
            if self._client is client:
                self._client = None
                self._why = self._why if self._closed else LOST
                threading.Thread(target=client.close, args=(1.0,), daemon=True).start()
            return ClusterError(self._why)

    def close(self, *, at_once: bool = False) -> None:
        """Let go of the scheduler; one of ours ends, with its workers."""
        with self._lock:
            self._closed, self._why = True, ENDED
            client, self._client = self._client, None
            cluster, self._cluster = self._cluster, None
        if cluster is not None and at_once:
            for nanny in cluster.workers.values():
                nanny.close_gracefully()  # it would start another worker
                if nanny.pid:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(nanny.pid, signal.SIGKILL)  # its kernel goes with it
        if client is not None:
            client.close()
        if cluster is not None:
            cluster.close()


def _address_in(path: Path) -> str:
    """Return the address that a scheduler has written into a file."""
    try:
        return str(json.loads(path.read_text("utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"{path} names no scheduler ({error}): start one with "
            f"`dask scheduler --scheduler-file {path}`, or correct scheduler under [pool]"
        ) from error


def local_cluster(workers: int) -> LocalCluster:
    """Start a scheduler and worker processes on this machine, for this process alone."""
    import dask
    from distributed import LocalCluster

    # With 1.0, a worker that is lost takes no other job down with it.
    with dask.config.set({"distributed.scheduler.worker-saturation": 1.0}):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,  # but it listens all the same, at a port that may be taken
            preload=["runner.scheduling.worker"],
            scheduler_kwargs={"allowed_failures": DEATHS - 1, "dashboard_address": "127.0.0.1:0"},
        )
