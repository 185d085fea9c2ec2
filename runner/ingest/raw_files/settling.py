"""Find arrived files, and whether they are complete. It polls: SMB and NFS pass on no events."""

from __future__ import annotations

import fcntl
import logging
import os
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

log = logging.getLogger(__name__)

IGNORED_PREFIXES = (".", "~", ".tmp-")
IGNORED_SUFFIXES = (".part", ".partial", ".filepart", ".crdownload", ".tmp", ".tdms_index", ".lnk")
JUNK = {  # files and folders that Windows, macOS and file servers leave everywhere
    *("desktop.ini", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "icon\r", "autorun.inf"),
    *("$recycle.bin", "system volume information", "recycler", "@eadir", "#recycle", "#snapshot"),
    *("lost+found", "__macosx", "network trash folder", "temporary items"),
}


def scan(folders: Iterable[Path]) -> Iterator[Path]:
    """Yield the files in incoming folders and their subfolders, by name.

    It skips hidden and temporary names, junk of file servers, and TDMS index files, which only
    repeat their data file. A missing folder (a share) has no files. It follows links, and visits
    each folder once.
    """
    for folder in folders:
        yield from _files_below(folder, set())


def is_inside(path: Path, folder: Path) -> bool:
    """Return whether a file is physically in a folder, not behind a link there.

    Only such a file may ever be removed: behind a link may be an original.
    """
    folder = folder.resolve()
    # compare the parent, because the file itself may be a link, too
    return path.parent.resolve().is_relative_to(folder) and not path.is_symlink()


def _files_below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        stat = folder.stat()
        if (stat.st_dev, stat.st_ino) in seen:  # a link to a parent folder
            return
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(folder) as found:
            entries = sorted((e for e in found if _wanted(e.name)), key=lambda e: e.name)
    except OSError as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            log.warning("%s cannot be read (%s): its files wait", folder, error.strerror)
        return
    for entry in entries:
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # a link to itself
            continue
        if is_folder:
            yield from _files_below(Path(entry.path), seen)
        elif is_file:
            yield Path(entry.path)


def _wanted(name: str) -> bool:
    lower = name.casefold()
    return (
        not lower.startswith(IGNORED_PREFIXES)
        and not lower.endswith(IGNORED_SUFFIXES)
        and lower not in JUNK
    )


class Settling:
    """Tracks how long each file has not changed, by this computer's monotonic clock.

    The clock of a network share may be wrong by hours, so its time stamps are only compared with
    each other, never with now.

    Parameters
    ----------
    settle_s : float
        A file is complete when its size and time stamp have not changed for this time.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, settle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._settle_s = settle_s
        self._clock = clock
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}

    def whole(self, paths: Iterable[Path]) -> list[Path]:
        """Check all current files; return those that have settled."""
        now = self._clock()
        seen: dict[Path, tuple[tuple[int, int], float]] = {}
        for path in paths:
            try:
                stat = path.stat()
            except OSError:  # removed since the listing
                continue
            state = (stat.st_size, stat.st_mtime_ns)
            before = self._seen.get(path)
            seen[path] = before if before is not None and before[0] == state else (state, now)
        self._seen = seen
        return [path for path, (_, since) in seen.items() if now - since >= self._settle_s]

    def unchanged_for_s(self, path: Path) -> float:
        """Return how long a file has not changed, s; 0 if the last check did not see it."""
        found = self._seen.get(path)
        return self._clock() - found[1] if found is not None else 0.0


def open_for_writing(path: Path) -> bool:
    """Return whether a local process is known to have the file open for writing.

    Linux grants a read lease only on a file that no process has open for writing. On other systems
    and on shares the answer is False: unknown.
    """
    if not hasattr(fcntl, "F_SETLEASE"):
        return False
    fd = os.open(path, os.O_RDONLY)
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    except BlockingIOError:
        return True
    except OSError:  # not ours, or a file system without leases
        return False
    finally:
        os.close(fd)
    return False
