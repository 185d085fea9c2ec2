"""Raw files that were processed and stay where they are."""

from __future__ import annotations

import json
from pathlib import Path

from ishtar.store import write_atomic


class ProcessedFiles:
    """Remember processed files that stay where they are, so that they are not read again.

    They are kept in ``data/watched.json``. Without it, files are read again and found known.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.unsaved = False
        self._known: dict[str, list[int]] = {}
        try:
            found = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError):
            return  # the files are read again
        if isinstance(found, dict):
            self._known = found

    def __contains__(self, path: Path) -> bool:
        try:
            return self._known.get(str(path)) == self._identity(path)
        except OSError:  # removed, or inaccessible now: check again at the next poll
            return True

    def remember(self, path: Path) -> None:
        """Remember a file as it is now, until `save`; forget it if it no longer exists."""
        try:
            self._known[str(path)] = self._identity(path)
        except OSError:
            self._known.pop(str(path), None)
        self.unsaved = True

    def save(self) -> None:
        """Write the remembered files to the disk."""
        write_atomic(self._path, json.dumps(self._known, indent=0))
        self.unsaved = False

    def add(self, path: Path) -> None:
        """Remember a file as it is now and save."""
        self.remember(path)
        self.save()

    @staticmethod
    def _identity(path: Path) -> list[int]:
        stat = path.stat()
        return [stat.st_size, stat.st_mtime_ns]
