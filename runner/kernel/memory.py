"""Measure the memory that a process and its descendants use."""

from __future__ import annotations

from collections.abc import Collection

import psutil

from runner.kernel.warm.processes import descendants


def memory_above(pid: int, limit_bytes: float) -> float:
    """Return the memory of a process and its descendants, bytes, if above a limit, else 0.

    Resident memory (RSS) is read quickly but counts a shared page once for each process. If it is
    above the limit, the proportional share (PSS) decides, which is slow to read. A limit on
    addresses (``RLIMIT_AS``) would count mapped files that were never read.
    """
    if not (pid and limit_bytes):
        return 0.0
    processes = {pid} | descendants(pid)
    if _sum(processes, exact=False) <= limit_bytes:
        return 0.0
    used = _sum(processes, exact=True)
    return used if used > limit_bytes else 0.0


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
