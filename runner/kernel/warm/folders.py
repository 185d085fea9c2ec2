"""Private folders for sockets in ``$TMPDIR``, removed even after their owner was killed.

The owner holds a lock on its folder while it lives. This needs no process ids, so it also works
across containers. Whoever makes a new folder removes those that nobody has locked.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

PREFIX = "ishtar-"
UNFINISHED = "ishtar.new-"  # not locked yet
LOCK = "owner"
MAX_PREFIX = 80  # a socket's path must stay below 104 characters on macOS


@dataclass(frozen=True, kw_only=True)
class PrivateFolder:
    """A folder that only this user can enter, and the lock that marks it as in use."""

    path: Path
    lock: int

    def remove(self) -> None:
        """Remove the folder and its contents."""
        shutil.rmtree(self.path, ignore_errors=True)
        with contextlib.suppress(OSError):  # it was removed before
            os.close(self.lock)


def private_folder() -> PrivateFolder:
    """Make a folder that only this user can enter, with a path short enough for sockets."""
    temporary = Path(tempfile.gettempdir())
    if len(str(temporary)) > MAX_PREFIX - 30:
        temporary = Path("/tmp")
    remove_abandoned(temporary)
    made = Path(tempfile.mkdtemp(prefix=UNFINISHED, dir=temporary))
    lock = os.open(made / LOCK, os.O_CREAT | os.O_RDWR, 0o600)
    fcntl.flock(lock, fcntl.LOCK_EX)
    path = made.rename(temporary / made.name.replace(UNFINISHED, PREFIX, 1))
    return PrivateFolder(path=path, lock=lock)


def remove_abandoned(temporary: Path) -> None:
    """Remove the folders whose owner ended without removing them."""
    for path in temporary.glob(f"{PREFIX}*"):
        try:
            lock = os.open(path / LOCK, os.O_RDWR)
        except OSError:  # another user's folder, or not one of these
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(path, ignore_errors=True)
        except OSError:
            pass  # in use
        finally:
            os.close(lock)


def remove(path: Path) -> None:
    """Remove a file, a folder or a link (not its target), if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove_files_of(prefix: str) -> None:
    """Remove the sockets and folders of a kernel, whose names share a prefix."""
    for path in Path(prefix).parent.glob(f"{Path(prefix).name}[-.]*"):
        remove(path)
