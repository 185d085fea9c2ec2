"""A connection that reads the catalogue, also where its folder may not be written.

SQLite's write-ahead log needs a file beside the database even for reading. Where somebody writes,
it is there. Where nobody does it is not, and who may not make it cannot read: then the database,
which nobody writes, is taken as it is, until a look at the files says that somebody has. A writer
that was killed leaves changes to be done or undone beside the database, which who may not write
cannot do there: it is done in a copy.
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
_BESIDE = ("-wal", "-journal")  # changes to be done, or undone
_MOST_COPIES = 5  # while others write
_PATIENCE_S = 30.0
_NOT_ALLOWED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class Reading:
    """Gives a connection that reads, made anew when the files under it have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwatched: _Stamps | None = None  # the files, where no lock holds them
        self._copy: tempfile.TemporaryDirectory[str] | None = None
        self._db = self._open()

    def now(self) -> sqlite3.Connection:
        """Return a connection to what is there now."""
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
        """Tell whether something is there that the connection does not see."""
        if self._unwatched is not None:
            return self._unwatched != self._stamps()
        with contextlib.suppress(FileNotFoundError):  # on its way to be replaced, if it is
            return self._file != _file(self._path)
        return False

    def _open(self) -> sqlite3.Connection:
        self._unwatched = None
        try:
            self._file = _file(self._path)
            return self._connected(self._path, "mode=ro")
        except FileNotFoundError as error:
            raise sqlite3.OperationalError(f"there is no {self._path}") from error
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NOT_ALLOWED:
                raise
        for _ in range(_MOST_COPIES):
            stamps = self._stamps()
            if any(stamp is not None and stamp[1] for stamp in stamps[1:]):
                db = self._recovered()
            else:
                db = self._connected(self._path, "mode=ro&immutable=1")
            if stamps == self._stamps():
                self._unwatched = stamps
                return db
            db.close()  # somebody wrote meanwhile
            self._remove_copy()
        raise sqlite3.OperationalError("it is written all the time, and cannot be read beside that")

    def _recovered(self) -> sqlite3.Connection:
        """Return a connection to a copy in which what a writer has left is done or undone."""
        self._copy = tempfile.TemporaryDirectory(prefix="ishtar-catalogue-")
        copy = Path(self._copy.name) / "catalogue.sqlite"
        for end in ("", *_BESIDE):
            with contextlib.suppress(FileNotFoundError):
                shutil.copyfile(f"{self._path}{end}", f"{copy}{end}")
        return self._connected(copy, "mode=rw")

    @staticmethod
    def _connected(path: Path, how: str) -> sqlite3.Connection:
        uri = f"{path.resolve().as_uri()}?{how}"
        db = sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)
        try:
            db.execute("SELECT 1 FROM sqlite_master").fetchone()  # what needs the files
        except BaseException:
            db.close()
            raise
        return db

    def _stamps(self) -> _Stamps:
        return tuple(_stamp(Path(f"{self._path}{end}")) for end in ("", *_BESIDE))


def _file(path: Path) -> tuple[int, int]:
    stat = os.stat(path)
    return (stat.st_dev, stat.st_ino)


def _stamp(path: Path) -> _Stamp:
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)
