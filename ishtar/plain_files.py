"""Safe reading and naming of files that people put into a workspace.

The name of a notebook or a table may belong to a pipe, which blocks its reader, or to an endless
device. File names from an old share may not be UTF-8.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

MAX_BYTES = 64 << 20  # of a notebook, a table, a module


def read_plain(path: Path, largest: int = MAX_BYTES) -> bytes:
    """Return the content of a regular file.

    Parameters
    ----------
    path : Path
        The file.
    largest : int, optional
        Limit on its size, bytes.

    Raises
    ------
    FileNotFoundError
        There is no such file.
    OSError
        It is not a regular file, is a dangling link or too large, or cannot be read; ``strerror``
        says which.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if os.path.islink(path):
            raise OSError(errno.ELOOP, "it is a dangling link", str(path)) from None
        raise
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):  # a socket, a missing device
            raise _not_plain(path) from error
        raise
    try:
        mode = os.fstat(fd).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(path))
        if not stat.S_ISREG(mode):
            raise _not_plain(path)
        with open(fd, "rb", closefd=False) as file:
            data = file.read(largest + 1)
    finally:
        os.close(fd)
    if data is None:  # a file of the operating system's kernel that would block
        raise _not_plain(path)
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"it is larger than {largest >> 20} MB", str(path))
    return data


def _not_plain(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it is not a regular file", str(path))


def is_utf8(name: str) -> bool:
    """Return whether the bytes of a file name are valid UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(name: str) -> str:
    """Return a file name as valid text; one that is not UTF-8 is decoded as Windows-1252."""
    if is_utf8(name):
        return name
    return name.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def printable(text: str) -> str:
    """Return a text that is safe for a terminal: one line, without escape sequences."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
