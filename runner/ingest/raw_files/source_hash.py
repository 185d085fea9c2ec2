"""SHA-256 of a source, computed while it is converted, just behind the converter.

Both read the same part of the file within moments, so the second read comes from the page cache,
even if the file is on a network share.
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from pathlib import Path
from types import TracebackType

BLOCK = 4 << 20


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file."""
    with path.open("rb") as f:
        return hashlib.file_digest(f, "sha256").hexdigest()


def sha256_of_prefixes(path: Path, sizes: Iterable[int]) -> dict[int, str]:
    """Return the SHA-256 of the first bytes of a file for several sizes, reading it once.

    Sizes beyond the end of the file are omitted.
    """
    found: dict[int, str] = {}
    hashed, done = hashlib.sha256(), 0
    with path.open("rb") as f:
        for size in sorted(set(sizes)):
            while done < size and (block := f.read(min(size - done, BLOCK))):
                hashed.update(block)
                done += len(block)
            if done < size:
                break
            found[size] = hashed.hexdigest()
    return found


class FollowingHash:
    """Hashes a file in its own thread, never ahead of `advance`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._limit = 0
        self._source_complete = False
        self._abandoned = False
        self._changed = threading.Condition()
        self._hash = hashlib.sha256()
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="source-hash", daemon=True)

    def __enter__(self) -> FollowingHash:
        self._thread.start()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        tb: TracebackType | None,
    ) -> None:
        with self._changed:
            self._abandoned = True
            self._changed.notify()
        self._thread.join()

    def advance(self, done_bytes: int) -> None:
        """Allow hashing up to ``done_bytes``."""
        if done_bytes >= self._limit + BLOCK:
            with self._changed:
                self._limit = done_bytes
                self._changed.notify()

    def hexdigest(self) -> str:
        """Hash the rest of the file and return the digest."""
        with self._changed:
            self._source_complete = True
            self._changed.notify()
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._hash.hexdigest()

    def _run(self) -> None:
        try:
            with self._path.open("rb", buffering=0) as f:
                buffer = bytearray(BLOCK)
                while self._wait_for(f.tell() + BLOCK) and (n := f.readinto(buffer)):
                    self._hash.update(memoryview(buffer)[:n])
        except BaseException as error:  # raised by `hexdigest`
            self._error = error

    def _wait_for(self, position: int) -> bool:
        with self._changed:
            while not (self._abandoned or self._source_complete or self._limit >= position):
                self._changed.wait()
            return not self._abandoned
