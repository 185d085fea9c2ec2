"""Read HDF5 through h5py's low-level functions, at a third of the cost of `h5py.File`.

Opening a shot reads a dozen attributes of each of its files, and a zoom reads one chunk; the
objects that `h5py.File` creates cost more than these reads.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5g, h5p, h5s
from numpy.typing import NDArray

from ishtar.errors import DamagedFile


@contextmanager
def open_h5(path: Path) -> Iterator[h5f.FileID]:
    """Open a stored file for one read; raise `DamagedFile` if HDF5 fails."""
    with reporting_damage(path), open_unchecked(path) as file:
        yield file


@contextmanager
def reporting_damage(path: Path) -> Iterator[None]:
    """Turn errors of HDF5 into a `DamagedFile` that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        if path.is_symlink():
            raise DamagedFile(
                f"{path} lies on another disk, as {os.readlink(path)}, which is not there: mount it"
            ) from error
        raise
    except DamagedFile:
        raise
    except (OSError, KeyError, RuntimeError) as error:
        raise _damaged(path, error) from error


@contextmanager
def reporting_invalid_content(path: Path) -> Iterator[None]:
    """Turn errors from invalid content of a readable file into a `DamagedFile` that names it."""
    try:
        yield
    except (ValueError, TypeError, AttributeError, LookupError) as error:
        raise _damaged(path, error) from error


def _damaged(path: Path, error: Exception) -> DamagedFile:
    what = (str(error).splitlines() or [type(error).__name__])[0]
    return DamagedFile(
        f"{path} cannot be read ({what}): "
        "ingest its source again; `ishtar verify` lists every damaged file"
    )


@contextmanager
def open_unchecked(path: Path) -> Iterator[h5f.FileID]:
    """Open a stored file and leave errors as they are."""
    file = h5f.open(os.fsencode(path), h5f.ACC_RDONLY, fapl=_access())
    try:
        yield file
    finally:
        file.close()


@cache
def _access() -> h5p.PropFAID:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_file_locking(False, ignore_when_disabled=False)  # stored files never change
    access.set_fclose_degree(h5f.CLOSE_STRONG)  # no object outlives its file
    return access


def open_dataset(file: h5f.FileID, name: str) -> h5d.DatasetID:
    """Open a dataset with any compression."""
    import hdf5plugin  # noqa: F401  registers the filters; not needed to open a shot

    return h5d.open(file, name.encode())


def read_rows(
    dataset: h5d.DatasetID,
    start: int = 0,
    stop: int | None = None,
    *,
    into: NDArray[Any] | None = None,
) -> NDArray[Any]:
    """Read rows ``start … stop``, with the rules of a slice, into an array of their shape."""
    shape = dataset.shape
    start, stop, _ = slice(start, stop).indices(shape[0])
    count = (max(stop - start, 0), *shape[1:])
    out = np.empty(count, dataset.dtype) if into is None else into
    if out.size:
        space = dataset.get_space()
        space.select_hyperslab((start,) + (0,) * len(shape[1:]), count)
        dataset.read(h5s.create_simple(count), space, out)
    return out


@cache
def _text() -> np.dtype[Any]:
    answer: np.dtype[Any] = np.dtype(h5py.string_dtype())
    return answer


def read_text(group: Any, name: str) -> str:
    """Return a text that `ishtar.store.h5_write.set_text` wrote."""
    if not has_attribute(group, name):
        return bytes(read_rows(open_dataset(group, f"text_{name}")).data).decode()
    return str(_attribute(group, name, _text()).decode())


def open_group(loc: Any, name: str | bytes) -> h5g.GroupID:
    """Open a group below an open group or file."""
    return h5g.open(loc, name.encode() if isinstance(name, str) else name)


def names_in(group: h5g.GroupID) -> list[bytes]:
    """Return the names of a group's members."""
    return list(group)


def has_attribute(group: Any, name: str) -> bool:
    """Return whether an object has an attribute."""
    return bool(h5a.exists(group, name.encode()))


def read_integer(group: Any, name: str) -> int:
    """Return an integer attribute."""
    return int(_attribute(group, name, np.dtype(np.int64)))


def read_float(group: Any, name: str) -> float:
    """Return a floating-point attribute."""
    return float(_attribute(group, name, np.dtype(np.float64)))


def _attribute(group: Any, name: str, dtype: np.dtype[Any]) -> Any:
    # the dtype is given: reading it from the file takes longer than reading the value
    out = np.empty((), dtype)
    h5a.open(group, name.encode()).read(out)
    return out[()]
