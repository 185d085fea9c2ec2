"""A connection that reads the catalogue, also where its folder may not be written.

SQLite's write-ahead log needs a file beside the database even for reading. Where somebody writes,
it is there. Where nobody does it is not, and who may not make it cannot read: then the database,
which nobody writes, is taken as it is, until a look at the files says that somebody has.
"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

_Stamp = tuple[int, int, int] | None
_PATIENCE_S = 30.0
_NOT_ALLOWED = (sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN)


class Reading:
    """Gives a connection that reads, made anew when the files under it have changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._unwatched: tuple[_Stamp, _Stamp] | None = None  # the files, where no lock holds them
        self._db = self._open()

    def now(self) -> sqlite3.Connection:
        """Return a connection to what is there now."""
        if self._unwatched is not None and self._unwatched != self._stamps():
            self._db.close()
            self._db = self._open()
        return self._db

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def _open(self) -> sqlite3.Connection:
        self._unwatched = None
        try:
            return self._connected("mode=ro")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in _NOT_ALLOWED:
                raise
        stamps = self._stamps()
        if stamps[1] is not None and stamps[1][1] > 0:  # a log with changes: they would be missed
            return self._connected("mode=ro")
        db = self._connected("mode=ro&immutable=1")
        self._unwatched = stamps
        return db

    def _connected(self, how: str) -> sqlite3.Connection:
        uri = f"{self._path.resolve().as_uri()}?{how}"
        db = sqlite3.connect(uri, uri=True, timeout=_PATIENCE_S)
        try:
            db.execute("SELECT 1 FROM sqlite_master").fetchone()  # what needs the files
        except BaseException:
            db.close()
            raise
        return db

    def _stamps(self) -> tuple[_Stamp, _Stamp]:
        return _stamp(self._path), _stamp(self._path.with_name(f"{self._path.name}-wal"))


def _stamp(path: Path) -> _Stamp:
    try:
        stat = os.stat(path)
    except FileNotFoundError:
        return None
    return (stat.st_ino, stat.st_size, stat.st_mtime_ns)
