"""Find and end processes, so that none is left behind.

On Linux a kernel dies with the server that forked it. It adopts the orphaned background processes
of its notebook, so they stay its descendants, or the server's once it has died. On other systems
its descendants are looked up before it is killed.
"""

from __future__ import annotations

import contextlib
import ctypes
import multiprocessing
import os
import signal
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil

LINUX = sys.platform == "linux"
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36  # linux/prctl.h
_adopts = False  # whether this process adopts orphaned descendants


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with_parent(parent: int) -> None:
    """Have the system kill this process when its parent ends.

    Only for children of a single-threaded process: Linux watches the thread that forked.
    """
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it had already ended
        os._exit(1)


def end_with_parent() -> None:
    """End this process of `multiprocessing` when its parent is killed.

    It would otherwise wait for work forever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="end with the parent").start()


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent has ended."""
    global _adopts
    _prctl(_SET_CHILD_SUBREAPER, 1)
    _adopts = True


@contextlib.contextmanager
def no_orphans() -> Iterator[None]:
    """Kill all children of this process when the block ends, if it adopts orphans.

    For workers, which have no other children: they adopt what a notebook on a cold kernel leaves
    running.
    """
    try:
        yield
    finally:
        if _adopts:
            for pid in children(os.getpid()):
                kill_tree(pid)
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)


def children(pid: int) -> set[int]:
    """Return the children of a process; psutil would scan all processes."""
    try:
        return {int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()}
    except OSError:
        try:
            return {p.pid for p in psutil.Process(pid).children()}
        except psutil.NoSuchProcess:
            return set()


def is_from_descendant(connection: socket.socket) -> bool:
    """Return whether a connection comes from a descendant, or from a process that has ended.

    All processes that a kernel starts stay its descendants, since it adopts orphans.
    """
    if not LINUX:
        return False
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * 4)
    pid = int.from_bytes(credentials[:4], sys.byteorder)
    while pid != os.getpid():
        if pid <= 1:  # 0: a process of another namespace
            return False
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()[1])
        except OSError:
            return True
    return True


def descendants(pid: int) -> set[int]:
    """Return all descendants of a process."""
    found: set[int] = set()
    new = {pid}
    while new:
        new = {c for p in new for c in children(p)} - found
        found |= new
    return found


def kill(pid: int) -> bool:
    """Kill a process; return whether it existed and could be killed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_tree(pid: int) -> None:
    """Kill a process, its process group if it leads one, and all its descendants."""
    below = descendants(pid)
    kill(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for process in below:
        kill(process)
