"""Kill workers that make no progress: stopped, or far beyond their time limit.

A worker enforces the limits of its kernel and needs none itself, unless it is stopped (SIGSTOP, a
forgotten debugger) or hangs in a system call. It would then occupy its slot for ever. Kill it, so
that its report is retried as after the death of any worker. The same applies to the processes that
fork workers and kernels.
"""

from __future__ import annotations

import contextlib
import logging
import os
import platform
import signal
import time
from collections.abc import Iterable, Iterator

import psutil

from ishtar.workspace import Workspace
from runner.monitoring.progress import read_progress
from runner.scheduling.retries import Running

logger = logging.getLogger(__name__)

CHECK_EVERY_S = 5.0  # between two checks
STOPPED_S = 60.0  # until a stopped process is killed
TIME_LIMITS = 3  # a worker tries this many kernels, each with the time limit of the report
GRACE_S = 300.0  # for the work before and after
SERVERS = ("multiprocessing.forkserver", "runner.kernel.warm.server")


class StuckWorkers:
    """Kill the stuck workers of this process, the coordinator.

    Parameters
    ----------
    workspace : Workspace
        Where workers write their progress.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._since: dict[int, float] = {}  # when a process was first seen to be stopped
        self._last_check = 0.0

    def kill(self, running: Iterable[Running]) -> list[int]:
        """Kill processes that have been stuck for too long; return their numbers."""
        now = time.monotonic()
        running = list(running)
        if not running or now - self._last_check < CHECK_EVERY_S:
            return []
        self._last_check = now
        killed, stopped = [], {}
        for process, over in self._processes(running):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() == psutil.STATUS_STOPPED:
                    stopped[process.pid] = self._since.get(process.pid, now)
                    if now - stopped[process.pid] >= STOPPED_S:
                        over = f"it has been stopped for {STOPPED_S:.0f} s"
                if over:
                    logger.error("killing process %d: %s", process.pid, over)
                    process.send_signal(signal.SIGKILL)
                    killed.append(process.pid)
        self._since = stopped
        return killed

    def _processes(self, running: Iterable[Running]) -> Iterator[tuple[psutil.Process, str]]:
        """Yield the worker and server processes below this one, each with why it is overdue."""
        me = psutil.Process()
        below = {p.pid: p for p in me.children(recursive=True)}
        jobs = {(r.job.subject.key, r.job.template): r for r in running}
        for progress in read_progress(self._workspace):
            found = jobs.get((progress.subject, progress.template))
            if found is None or progress.kind or progress.host != platform.node():
                continue
            if (worker := below.get(progress.process)) and worker.pid != os.getpid():
                limit = TIME_LIMITS * found.job.timeout_s + GRACE_S
                late = time.time() - found.since > limit
                yield worker, f"{found.job} has taken more than {limit:.0f} s" if late else ""
        for process in me.children():
            with contextlib.suppress(psutil.Error):
                if any(name in part for part in process.cmdline() for name in SERVERS):
                    yield process, ""
