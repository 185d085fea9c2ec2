"""How much memory a process takes, together with all that it has started."""

from __future__ import annotations

from collections.abc import Collection

import psutil

from runner.kernel.warm.processes import descendants


def over(pid: int, limit_bytes: float) -> float:
    """Return what a process and its descendants take [bytes] if that is over a limit, else 0.

    Resident memory is quickly read but counts a page once for each process that shares it, so
    where it is over the limit the proportional share decides, which the system has to count.
    A limit on addresses (``RLIMIT_AS``) would count mapped files that were never read.
    """
    if not (pid and limit_bytes):
        return 0.0
    processes = {pid} | descendants(pid)
    if _sum(processes, exact=False) <= limit_bytes:
        return 0.0
    taken = _sum(processes, exact=True)
    return taken if taken > limit_bytes else 0.0


def _sum(processes: Collection[int], *, exact: bool) -> float:
    total = 0.0
    for pid in processes:
        try:
            process = psutil.Process(pid)
            info = process.memory_full_info() if exact else process.memory_info()
        except (psutil.NoSuchProcess, psutil.AccessDenied):
            continue
        total += getattr(info, "pss", info.rss)
    return total
