"""Limits of a conversion process: memory, size of files, and the lifetime of its server."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
GROWTH = 64  # a stored file may be this many times as large as its source, plus GROWTH_FROM
GROWTH_FROM = 256 << 20  # bytes

_written_limit: int | None = None


def die_with(parent: int) -> None:
    """End when the parent ends, however it ends, where the system supports that."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # the parent ended before the call above
        os._exit(1)


def limit_memory(megabytes: int) -> None:
    """Limit the memory of this process to what it has now plus ``megabytes``."""
    with contextlib.suppress(OSError, ValueError):  # this system has no such file or limit
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + megabytes * 1_000_000
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def limit_written(source_bytes: int) -> None:
    """Keep this process from writing a file larger than a source of this size can become."""
    global _written_limit
    limit = GROWTH * source_bytes + GROWTH_FROM
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft == resource.RLIM_INFINITY or soft > limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        _written_limit = limit


def written_limit() -> int | None:
    """Return the limit set by `limit_written`, bytes; None where the system's own is lower."""
    return _written_limit
