"""Workers that come no further: somebody has stopped them, or they are far beyond their limit.

A worker keeps the limits of its kernel and needs none itself, until it is stopped (SIGSTOP, a
debugger that was forgotten) or hangs in a system call. Then it would keep its place for ever: it is
killed, and its report is made again as that of any worker that died. The same goes for the
processes that fork workers and kernels.
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
from runner.scheduling.setbacks import Running

logger = logging.getLogger(__name__)

EVERY_S = 5.0  # between two looks
STOPPED_S = 60.0  # until one that was stopped is not waited for any more
LIMITS = 3  # a worker tries that many kernels, each with the time limit of the report
GRACE_S = 300.0  # for what comes before and after
SERVERS = ("multiprocessing.forkserver", "runner.kernel.warm.server")


class Stuck:
    """Kills what is stuck; for the coordinator whose workers they are.

    Parameters
    ----------
    workspace : Workspace
        Where workers tell what they are at.
    """

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._since: dict[int, float] = {}  # when a process was first seen to be stopped
        self._looked = 0.0

    def look(self, running: Iterable[Running]) -> list[int]:
        """Kill what has been stuck for too long; return the processes."""
        now = time.monotonic()
        running = list(running)
        if not running or now - self._looked < EVERY_S:
            return []
        self._looked = now
        killed, stopped = [], {}
        for process, over in self._processes(running):
            with contextlib.suppress(psutil.NoSuchProcess):
                if process.status() == psutil.STATUS_STOPPED:
                    stopped[process.pid] = self._since.get(process.pid, now)
                    if now - stopped[process.pid] >= STOPPED_S:
                        over = f"it has been stopped for {STOPPED_S:.0f} s"
                if over:
                    logger.error("process %d is killed: %s", process.pid, over)
                    process.send_signal(signal.SIGKILL)
                    killed.append(process.pid)
        self._since = stopped
        return killed

    def _processes(self, running: Iterable[Running]) -> Iterator[tuple[psutil.Process, str]]:
        """Yield the processes below this one that work for it, and why one is too late."""
        me = psutil.Process()
        below = {p.pid: p for p in me.children(recursive=True)}
        jobs = {(r.job.subject.key, r.job.template): r for r in running}
        for at_work in read_progress(self._workspace):
            found = jobs.get((at_work.subject, at_work.template))
            if found is None or at_work.kind or at_work.host != platform.node():
                continue
            if (worker := below.get(at_work.process)) and worker.pid != os.getpid():
                limit = LIMITS * found.job.timeout_s + GRACE_S
                late = time.time() - found.since > limit
                yield worker, f"{found.job} has taken more than {limit:.0f} s" if late else ""
        for process in me.children():
            with contextlib.suppress(psutil.Error):
                if any(name in part for part in process.cmdline() for name in SERVERS):
                    yield process, ""
