"""What the process that converts a file may take: memory, disk, and life without its server."""

from __future__ import annotations

import contextlib
import ctypes
import os
import resource
import signal
import sys
from pathlib import Path

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
GROWTH = 64  # times its size: what a file may become on the disk, beside
GROWTH_FROM = 256 << 20  # bytes

_written_limit: int | None = None


def die_with(parent: int) -> None:
    """End when the parent ends, however that comes to its end; where the system offers it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGKILL))
    if os.getppid() != parent:  # it was quicker
        os._exit(1)


def limit_memory(megabytes: int) -> None:
    """Refuse this process more memory than it has now and ``megabytes``."""
    with contextlib.suppress(OSError, ValueError):  # no such file or limit on this system
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + megabytes * 1_000_000
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (limit, hard))


def limit_written(source_bytes: int) -> None:
    """Refuse this process to write a file that no source of this size can become."""
    global _written_limit
    limit = GROWTH * source_bytes + GROWTH_FROM
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    if soft == resource.RLIM_INFINITY or soft > limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
        _written_limit = limit


def written_limit() -> int | None:
    """Return what `limit_written` has set, bytes; None where the system's own limit is lower."""
    return _written_limit
