"""A lock file that admits one coordinator at a time and names its holder."""

from __future__ import annotations

import fcntl
import logging
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from ishtar.workspace import Workspace
from runner.errors import Busy

logger = logging.getLogger(__name__)


class Lock:
    """The lock of a workspace, held until `release`; `Busy` if another process holds it."""

    def __init__(self, workspace: Workspace) -> None:
        self._root = workspace.root
        self._path = lock_file(workspace)
        self._file = self._take("works on")

    def check(self) -> bool:
        """Return whether the lock file had vanished and was created again.

        Raises
        ------
        Busy
            Another process has taken the workspace in the meantime.
        """
        there, mine = _stat(self._path), os.fstat(self._file.fileno())
        if there is not None and (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino):
            return False
        taken = self._take("took the lock, which somebody had removed, and works on")
        self._file.close()
        self._file = taken
        logger.warning("%s had vanished: created it again", self._path)
        return True

    def release(self) -> None:
        """Release the workspace."""
        with self._file:
            self._file.seek(0)
            self._file.truncate()

    def _take(self, how: str) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("a+", encoding="utf-8")
        try:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                file.seek(0)
                holder = file.read().strip() or "another process"
                raise Busy(f"{holder} {how} {self._root}: wait for it to end, or stop it") from None
            file.seek(0)
            file.truncate()
            file.write(_own_name())
            file.flush()
        except BaseException:
            file.close()
            raise
        return file


def lock_file(workspace: Workspace) -> Path:
    """Return the path of the lock file, which names the holder of a workspace."""
    return workspace.root / "data" / "coordinator.lock"


@contextmanager
def coordinator_lock(workspace: Workspace) -> Iterator[Lock]:
    """Hold the workspace for the block; `Busy` names the host and process that hold it now."""
    lock = Lock(workspace)
    try:
        yield lock
    finally:
        lock.release()


def held_by(workspace: Workspace) -> str:
    """Return the holder of the workspace as ``process 12 on host``; empty if there is none."""
    try:
        with lock_file(workspace).open("r+", encoding="utf-8") as f:
            try:
                fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return f.read().strip() or "another process"
    except FileNotFoundError:
        pass
    return ""


def held_here(workspace: Workspace) -> bool:
    """Return whether this process holds the workspace."""
    return held_by(workspace) == _own_name()


def _own_name() -> str:
    return f"process {os.getpid()} on {platform.node()}"


def _stat(path: Path) -> os.stat_result | None:
    try:
        return path.stat()
    except FileNotFoundError:
        return None
