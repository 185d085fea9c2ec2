"""Atomic file writes: temporary name, fsync, rename."""

from __future__ import annotations

import errno
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

TEMPORARY_PREFIX = ".tmp-"


def temporary_path(path: Path) -> Path:
    """Return an unused path in the folder of ``path`` that every scan ignores."""
    return path.parent / f"{TEMPORARY_PREFIX}{secrets.token_hex(6)}-{path.name[-80:]}"


def fsync_dir(path: Path) -> None:
    """Make renames inside a folder durable, if the file system supports that."""
    fd = os.open(path, os.O_RDONLY)
    try:
        os.fsync(fd)
    except OSError as error:  # some network shares do not support fsync of a folder
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(fd)


def fsync_file(path: Path) -> None:
    """Make the content of a closed file durable."""
    with path.open("rb") as f:
        os.fsync(f.fileno())


def fsync_files(paths: Iterable[Path]) -> None:
    """Make the contents of several closed files durable, in parallel: the disk waits only once."""
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(8) as threads:
        list(threads.map(fsync_file, paths))


def rename_exclusive(temporary: Path, path: Path) -> None:
    """Rename a file, but never over an existing one: of two processes the first wins.

    Raises
    ------
    FileExistsError
        ``path`` exists; ``temporary`` is unchanged.
    """
    try:
        os.link(temporary, path)  # fails if the name exists, unlike a rename
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links; this leaves a short race
        if path.exists():
            raise FileExistsError(errno.EEXIST, "exists already", str(path)) from None
        os.replace(temporary, path)
    else:
        temporary.unlink()


@contextmanager
def atomic_path(path: Path, *, exclusive: bool = False) -> Iterator[Path]:
    """Yield a temporary path in the same folder; rename it to ``path`` if the block succeeds.

    If the block raises, the temporary file is removed and ``path`` is unchanged.

    Parameters
    ----------
    path : Path
        The file to write; its folder is created.
    exclusive : bool, optional
        Never replace an existing file.

    Raises
    ------
    FileExistsError
        ``path`` exists, and ``exclusive`` is True.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_path(path)
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
    """Write a file so that a reader sees either the old or the new content.

    Parameters
    ----------
    path : Path
        The file to write; its folder is created.
    content : str or bytes
        Text is encoded as UTF-8.
    exclusive : bool, optional
        Never replace an existing file.

    Raises
    ------
    FileExistsError
        ``path`` exists, and ``exclusive`` is True.
    """
    with atomic_path(path, exclusive=exclusive) as temporary:
        temporary.write_bytes(content.encode() if isinstance(content, str) else content)
