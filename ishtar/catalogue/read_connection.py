"""A read-only connection to the catalogue that also works in a folder without write permission.

SQLite's write-ahead log needs a file next to the database even for reading. While somebody writes,
it exists. Otherwise a reader without write permission cannot create it: then the database is opened
as immutable, and reopened when its files have changed. A killed writer leaves changes to apply or
roll back next to the database, which such a reader does in a copy.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
from pathlib import Path

_Stamp = tuple[int, int, int] | None
_Stamps = tuple[_Stamp, ...]
_JOURNALS = ("-wal", "-journal")  # changes to apply, or to roll back
_MAX_ATTEMPTS = 5  # to get a consistent view while others write
_TIMEOUT_S = 30.0
_NOT_WRITABLE = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class ReadConnection:
    """A connection for reading, reopened when its files have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unlocked_state: _Stamps | None = None  # of the files, if they are read without a lock
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._db = self._open()

    def current(self) -> sqlite3.Connection:
        """Return a connection to the current database."""
        if self._has_changed():
            self.close()
            self._db = self._open()
        return self._db

    def close(self) -> None:
        """Close the connection."""
        self._db.close()
        self._remove_copy()

    def _remove_copy(self) -> None:
        if self._copy is not None:
            self._copy.cleanup()
            self._copy = None

    def _has_changed(self) -> bool:
        """Return whether the files have changes that the connection does not see."""
        if self._unlocked_state is not None:
            return self._unlocked_state != self._stamps()
        with contextlib.suppress(FileNotFoundError):  # it may just be being replaced
            return self._file != _file(self._path)
        return False

    def _open(self) -> sqlite3.Connection:
        self._unlocked_state = None
        try:
            self._file = _file(self._path)
            return self._connect(self._path, "mode=ro")
        except FileNotFoundError as error:
            raise sqlite3.OperationalError(f"{self._path} does not exist") from error
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NOT_WRITABLE:
                raise
        for _ in range(_MAX_ATTEMPTS):
            stamps = self._stamps()
            if any(stamp is not None and stamp[1] for stamp in stamps[1:]):
                db = self._open_copy()
            else:
                db = self._connect(self._path, "mode=ro&immutable=1")
            if stamps == self._stamps():
                self._unlocked_state = stamps
                return db
            db.close()  # somebody wrote in the meantime
            self._remove_copy()
        raise sqlite3.OperationalError("other processes keep writing it, so that no read is clean")

    def _open_copy(self) -> sqlite3.Connection:
        """Return a connection to a copy, in which SQLite applies or rolls back what is left."""
        self._copy = tempfile.TemporaryDirectory(prefix="ishtar-catalogue-")
        copy = Path(self._copy.name) / "catalogue.sqlite"
        for end in ("", *_JOURNALS):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{self._path}{end}", f"{copy}{end}")
        return self._connect(copy, "mode=rw")

    @staticmethod
    def _connect(path: Path, options: str) -> sqlite3.Connection:
        uri = f"{path.resolve().as_uri()}?{options}"
        db = sqlite3.connect(uri, uri=True, timeout=_TIMEOUT_S)
        try:
            db.execute("SELECT 1 FROM sqlite_master").fetchone()  # the first access to the files
        except BaseException:
            db.close()
            raise
        return db

    def _stamps(self) -> _Stamps:
        return tuple(_stamp(Path(f"{self._path}{end}")) for end in ("", *_JOURNALS))


def _file(path: Path) -> tuple[int, int]:
    stat = os.stat(path)
    return (stat.st_dev, stat.st_ino)


def _stamp(path: Path) -> _Stamp:
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)
