"""Which files have arrived, and are they whole? By polling: events do not cross SMB and NFS."""

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
    """Yield the files in incoming folders and in all folders below them, by name.

    Hidden and temporary names and what file servers leave behind are left out, and so are TDMS
    index files, which only repeat what the file beside them says. A folder that is away (a share)
    has no files. Links are followed, each folder once.
    """
    for folder in folders:
        yield from _files_below(folder, set())


def lies_in(path: Path, folder: Path) -> bool:
    """Say whether a file really lies in a folder, not behind a link that lies there.

    Only such a file may ever be removed: behind a link it is somebody's original.
    """
    folder = folder.resolve()
    # the parent is compared, because the file itself may be a link, too
    return path.parent.resolve().is_relative_to(folder) and not path.is_symlink()


def _files_below(folder: Path, seen: set[tuple[int, int]]) -> Iterator[Path]:
    try:
        stat = folder.stat()
        if (stat.st_dev, stat.st_ino) in seen:  # a link that leads back to where it lies
            return
        seen.add((stat.st_dev, stat.st_ino))
        with os.scandir(folder) as found:
            entries = sorted((e for e in found if _wanted(e.name)), key=lambda e: e.name)
    except OSError as error:
        if not isinstance(error, FileNotFoundError | NotADirectoryError):
            log.warning("%s cannot be looked into (%s): files in it wait", folder, error.strerror)
        return
    for entry in entries:
        try:
            is_folder, is_file = entry.is_dir(), entry.is_file()
        except OSError:  # a link that leads to itself
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
    """Remembers since when each file has not changed, by this computer's own clock.

    The clock of a network share may be wrong by hours; so its times are only compared with
    each other, never with now.

    Parameters
    ----------
    settle_s : float
        A file is whole when its size and time have stayed the same for so long.
    clock : callable
        Monotonic seconds.
    """

    def __init__(self, settle_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._settle_s = settle_s
        self._clock = clock
        self._seen: dict[Path, tuple[tuple[int, int], float]] = {}

    def whole(self, paths: Iterable[Path]) -> list[Path]:
        """Look at all files that are there now; return those that have settled."""
        now = self._clock()
        seen: dict[Path, tuple[tuple[int, int], float]] = {}
        for path in paths:
            try:
                stat = path.stat()
            except OSError:  # it went away between the listing and now
                continue
            state = (stat.st_size, stat.st_mtime_ns)
            before = self._seen.get(path)
            seen[path] = before if before is not None and before[0] == state else (state, now)
        self._seen = seen
        return [path for path, (_, since) in seen.items() if now - since >= self._settle_s]

    def unchanged_for_s(self, path: Path) -> float:
        """Return for how long a file has not changed, s; 0 for one not seen at the last look."""
        found = self._seen.get(path)
        return self._clock() - found[1] if found is not None else 0.0


def open_for_writing(path: Path) -> bool:
    """Say whether a process of this computer has the file open for writing, where that is known.

    Linux grants a read lease only on a file that nobody has open for writing. Elsewhere, and on
    shares, nothing is known: False.
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
