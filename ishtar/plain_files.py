"""Files that people put into the workspace: read without waiting for ever, named in any case.

What lies under the name of a notebook or a table may be a pipe, which keeps its reader waiting, or
a device without an end. Its name may be of an old share, in letters that are no UTF-8.
"""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

LARGEST = 64 << 20  # bytes of a notebook, a table, a module


def read_plain(path: Path, largest: int = LARGEST) -> bytes:
    """Return what an ordinary file holds.

    Raises
    ------
    FileNotFoundError
        There is nothing of this name.
    OSError
        It is no ordinary file, a link to nothing, too large or cannot be read; ``strerror`` says
        which.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        if os.path.islink(path):
            raise OSError(errno.ELOOP, "it is a link to nothing", str(path)) from None
        raise
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ENODEV):  # a socket, a device that is not there
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
    if data is None:  # of the kernel: it would keep its reader waiting
        raise _not_plain(path)
    if len(data) > largest:
        raise OSError(errno.EFBIG, f"it holds more than {largest >> 20} MB", str(path))
    return data


def _not_plain(path: Path) -> OSError:
    return OSError(errno.EINVAL, "it is no ordinary file", str(path))


def is_utf8(name: str) -> bool:
    """Say whether the name of a file can be written down: its bytes are UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True


def readable(name: str) -> str:
    """Return the name of a file as text; bytes that are no UTF-8 as Windows reads them."""
    if is_utf8(name):
        return name
    return name.encode("utf-8", "surrogateescape").decode("cp1252", "replace")


def printable(text: str) -> str:
    """Return a text on one line, as a terminal may get it: names may hold commands to it."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
