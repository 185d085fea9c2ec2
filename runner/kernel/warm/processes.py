"""What the operating system offers so that no process is left behind.

On Linux a kernel dies with the server that forked it, and adopts whatever its notebook starts in
the background, so that those are found below it, or below the server once it has died. Elsewhere
its descendants are looked up before it is ended.
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
_adopts = False  # orphans from below


def _prctl(option: int, value: int) -> None:
    if LINUX:
        ctypes.CDLL(None).prctl(option, value, 0, 0, 0)


def die_with(parent: int) -> None:
    """Let the system end this process when its parent ends.

    Only for children of a process with a single thread: Linux goes by the thread that forked.
    """
    _prctl(_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before this was said
        os._exit(1)


def end_with_parent() -> None:
    """Let a process of `multiprocessing` end when the one that started it is killed.

    Left alone, it would wait for work for ever.
    """
    parent = multiprocessing.parent_process()
    if parent is None:
        return

    def wait() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=wait, daemon=True, name="end with the parent").start()


def adopt_orphans() -> None:
    """Become the parent of all descendants whose own parent ends."""
    global _adopts
    _prctl(_SET_CHILD_SUBREAPER, 1)
    _adopts = True


@contextlib.contextmanager
def no_orphans() -> Iterator[None]:
    """Kill what is left below this process at the end, if it adopts orphans and has nothing else.

    That is so in a worker: what a notebook on an ordinary kernel leaves running falls to it.
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
    """Return the children of a process; psutil would look at every process there is."""
    try:
        return {int(p) for p in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()}
    except OSError:
        try:
            return {p.pid for p in psutil.Process(pid).children()}
        except psutil.NoSuchProcess:
            return set()


def comes_from_below(connection: socket.socket) -> bool:
    """Tell whether a process below this one has made a connection, or one that is gone already.

    Whatever a kernel has started stays below it, since it adopts orphans.
    """
    if not LINUX:
        return False
    told = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 3 * 4)
    pid = int.from_bytes(told[:4], sys.byteorder)
    while pid != os.getpid():
        if pid <= 1:  # 0 is in no namespace of ours
            return False
        try:
            pid = int(Path(f"/proc/{pid}/stat").read_text("latin-1").rpartition(")")[2].split()[1])
        except OSError:
            return True
    return True


def descendants(pid: int) -> set[int]:
    """Return all processes below one."""
    found: set[int] = set()
    new = {pid}
    while new:
        new = {c for p in new for c in children(p)} - found
        found |= new
    return found


def kill(pid: int) -> bool:
    """Kill a process; tell whether there was one that could be killed."""
    try:
        os.kill(pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        return False
    return True


def kill_tree(pid: int) -> None:
    """Kill a process, the group where it leads one, and all that is below it."""
    below = descendants(pid)
    kill(pid)
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
    for process in below:
        kill(process)
