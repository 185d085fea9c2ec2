"""One coordinator at a time: a lock file that names who holds it."""

from __future__ import annotations

import fcntl
import os
import platform
from collections.abc import Iterator
from contextlib import contextmanager

from ishtar.workspace import Workspace
from runner.errors import Busy


@contextmanager
def coordinator_lock(workspace: Workspace) -> Iterator[None]:
    """Hold the workspace for the block; `Busy` names the host and process that hold it now."""
    path = workspace.root / "data" / "coordinator.lock"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as f:
        try:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            f.seek(0)
            holder = f.read().strip() or "another process"
            raise Busy(
                f"{holder} works on {workspace.root}: wait for it to end, or stop it"
            ) from None
        f.seek(0)
        f.truncate()
        f.write(f"process {os.getpid()} on {platform.node()}")
        f.flush()
        try:
            yield
        finally:
            f.seek(0)
            f.truncate()


def held_by(workspace: Workspace) -> str:
    """Return who holds the workspace now, ``process 12 on host``; empty where nobody does."""
    path = workspace.root / "data" / "coordinator.lock"
    try:
        with path.open("r+", encoding="utf-8") as f:
            try:
                fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
            except OSError:
                return f.read().strip() or "another process"
    except FileNotFoundError:
        pass
    return ""
