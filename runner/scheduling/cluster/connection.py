"""The connection to the scheduler, which is re-established after a loss."""

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

DEATHS = 3  # workers that a job may end, on our own cluster
CONNECT_S = 10.0
RETRY_S = 30.0  # pause after a scheduler did not answer
LOST = (
    "the scheduler was lost while reports were in progress; finished ones are noted: start "
    "`dask scheduler` again, then `ishtar run` makes the rest"
)
ENDED = "the run was ended: start it again"


class Connection:
    """A connection to a scheduler, opened when first needed, and again after a loss."""

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
        """Return the client of the scheduler; `ClusterError` if it does not answer."""
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
                "or correct scheduler in [pool]"
            ) from error

    def workers(self) -> int:
        """Return how many workers the scheduler has now; 0 without a connection."""
        client = self._client
        if client is None or client.status != "running":
            return 0
        try:
            return len(client.nthreads())
        except (OSError, RuntimeError):  # the connection is failing: waiting jobs will raise
            return 0

    def lost(self, client: Client) -> ClusterError:
        """Drop a connection; return the error to raise."""
        with self._lock:
            if self._client is client:
                self._client = None
                self._why = self._why if self._closed else LOST
                threading.Thread(target=client.close, args=(1.0,), daemon=True).start()
            return ClusterError(self._why)

    def close(self, *, at_once: bool = False) -> None:
        """Close the connection; end our own scheduler with its workers."""
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
    """Return the address in a scheduler file."""
    try:
        return str(json.loads(path.read_text("utf-8"))["address"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ClusterError(
            f"{path} is not a scheduler file ({error}): start a scheduler with "
            f"`dask scheduler --scheduler-file {path}`, or correct scheduler in [pool]"
        ) from error


def local_cluster(workers: int) -> LocalCluster:
    """Start a scheduler and worker processes on this machine, for this process only."""
    import dask
    from distributed import LocalCluster

    # With 1.0, a worker that is lost takes no other job down with it.
    with dask.config.set({"distributed.scheduler.worker-saturation": 1.0}):
        return LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            dashboard_address=None,  # it listens all the same, at a port that may be taken
            preload=["runner.scheduling.worker"],
            scheduler_kwargs={"allowed_failures": DEATHS - 1, "dashboard_address": "127.0.0.1:0"},
        )
