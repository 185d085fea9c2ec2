"""A file for HDF5 to write to that hides write errors from it until the owner asks.

HDF5 does not survive a write that fails while it closes a file: it keeps the file open, and often
crashes the process. So every write appears to succeed. The first error is kept for the owner to
raise, and later data stays in memory until HDF5 has closed the file, which is then discarded.
"""

from __future__ import annotations

import io
import os
from pathlib import Path
from typing import Any


class DeferredErrorFile(io.RawIOBase):
    """A new binary file that accepts every write.

    Attributes
    ----------
    error : OSError or None
        The first error of the disk; after it the file's content is invalid.
    """

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.error: OSError | None = None
        self._fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o666)
        self._position = 0
        self._size = 0
        self._unwritten: list[tuple[int, bytes]] = []

    def check(self) -> None:
        """Raise the first error of the disk, if there was one."""
        if self.error is not None:
            raise self.error

    def write(self, data: Any) -> int:
        """Write bytes at the position."""
        view = memoryview(data).cast("B")
        length = len(view)
        position = self._position
        try:
            self.check()
            while len(view):
                n = os.pwrite(self._fd, view, position)
                position, view = position + n, view[n:]
        except OSError as error:
            self.error = self.error or error
            self._unwritten.append((position, bytes(view)))
        self._position += length
        self._size = max(self._size, self._position)
        return length

    def readinto(self, buffer: Any) -> int:
        """Read at the position; bytes beyond the end are zero."""
        view = memoryview(buffer).cast("B")
        start, length = self._position, len(view)
        found = os.pread(self._fd, length, start)
        view[: len(found)] = found
        view[len(found) :] = bytes(length - len(found))
        for position, data in self._unwritten:
            first, last = max(start, position), min(start + length, position + len(data))
            if first < last:
                view[first - start : last - start] = data[first - position : last - position]
        self._position += length
        return length

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        """Move the position."""
        base = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self._size}[whence]
        self._position = base + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def truncate(self, size: int | None = None) -> int:
        """Set the size."""
        size = self._position if size is None else size
        try:
            self.check()
            os.ftruncate(self._fd, size)
        except OSError as error:
            self.error = self.error or error
        self._size = size
        return size

    def flush(self) -> None:
        """Do nothing: every write goes straight to the operating system."""

    def readable(self) -> bool:
        """Return True."""
        return True

    def writable(self) -> bool:
        """Return True."""
        return True

    def seekable(self) -> bool:
        """Return True."""
        return True

    def close(self) -> None:
        """Close the file; the owner must call `check` before."""
        if not self.closed:
            os.close(self._fd)
        super().close()
