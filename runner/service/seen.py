"""Raw files that were dealt with and stay where they are."""

from __future__ import annotations

import json
from pathlib import Path

from ishtar.store import write_atomic


class Seen:
    """Files that were dealt with and stay where they are, so that they are not read again.

    Kept in ``data/watched.json``; if that is deleted, they are read again and found to be known.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unsaved = False
        self._known: dict[str, list[int]] = {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return  # they are read again
        if isinstance(found, dict):
            self._known = found

    def __contains__(self, path: Path) -> bool:
        try:
            return self._known.get(str(path)) == self._identity(path)
        except OSError:  # it went away, or cannot be looked at now: the next look tells
            return True

    def remember(self, path: Path) -> None:
        """Remember a file as it is now, until `save`; one that is gone is forgotten."""
        try:
            self._known[str(path)] = self._identity(path)
        except OSError:
            self._known.pop(str(path), None)
        self.unsaved = True

    def save(self) -> None:
        """Write down what is remembered."""
        write_atomic(self._path, json.dumps(self._known, indent=0))
        self.unsaved = False

    def add(self, path: Path) -> None:
        """Remember a file as it is now, and write it down."""
        self.remember(path)
        self.save()

    @staticmethod
    def _identity(path: Path) -> list[int]:
        stat = path.stat()
        return [stat.st_size, stat.st_mtime_ns]
