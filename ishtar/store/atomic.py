"""Files that appear whole or not at all: temporary name, fsync, rename."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_PREFIX = ".tmp-"


def temporary_beside(path: Path) -> Path:
    """Return a name in the folder of ``path`` that nobody else uses and every scan ignores."""
    return path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}-{path.name[-80:]}"


def fsync_dir(path: Path) -> None:
    """Make a rename inside ``path`` durable, where the file system can."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:  # some network shares know no fsync of a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(fd)


def fsync_file(path: Path) -> None:
    """Make the content of a closed file durable."""
    with path.open("rb") as f:
        os.fsync(f.fileno())


def fsync_files(paths: Iterable[Path]) -> None:
    """Make the contents of several closed files durable, all at once: the disk waits only once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fsync_file, paths))


def rename_exclusive(temporary: Path, path: Path) -> None:
    """Rename, but never over an existing file: of two processes the first wins.

    Raises
    ------
    FileExistsError
        ``path`` exists; ``temporary`` is left as it is.
    """
    try:
        os.link(temporary, path)  # fails where the name exists, which a rename would not
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: nearly as good
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists already", str(path)) from None
        os.replace(temporary, path)
    else:
        temporary.unlink()


@contextmanager
def atomic_path(path: Path, *, exclusive: bool = False) -> Iterator[Path]:
    """Give a temporary path beside ``path``; rename it there when the block ends well.

    The temporary file is removed when the block raises, and ``path`` is left as it was. With
    ``exclusive`` an existing ``path`` is never replaced: `FileExistsError`.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_beside(path)
    try:
        yield temporary
        fsync_file(temporary)
        if exclusive:
            rename_exclusive(temporary, path)
        else:
            os.replace(temporary, path)
        fsync_dir(path.parent)
    finally:
        temporary.unlink(missing_ok=True)


def write_atomic(path: Path, content: str | bytes, *, exclusive: bool = False) -> None:
    """Write ``content`` to ``path`` so that a reader sees the old file or the new one."""
    with atomic_path(path, exclusive=exclusive) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
