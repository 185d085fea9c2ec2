"""Writing HDF5 through h5py's low-level functions.

A source may have a thousand channels of a thousand samples each. There the objects that h5py makes
on the way cost more than the samples, and so does how HDF5 keeps the attributes of an object that
has more than eight: every channel has more.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

LONGEST_ATTRIBUTE = 60_000  # bytes; HDF5 keeps up to 64 kB in an object's header
MOST_IN_HEADER = 64  # attributes; more would lie in a heap and a tree of their own
COMPACT_BYTES = 4096  # a dataset up to here lies in its own header


def create_group(parent: Any, name: str) -> h5g.GroupID:
    """Create a group below an open group or file."""
    return h5g.create(parent, name.encode(), gcpl=_of_group())


def set_text(loc: Any, name: str, text: str) -> None:
    """Keep a text as an attribute, or as a dataset where an attribute cannot hold it."""
    if "\0" not in text and len(text.encode()) < LONGEST_ATTRIBUTE:
        _set(loc, name, np.array(text, dtype=h5py.string_dtype()))
    else:
        write_small(loc, f"text_{name}", np.frombuffer(text.encode(), dtype=np.uint8))


def set_number(loc: Any, name: str, number: int | float) -> None:
    """Keep a number as an attribute."""
    _set(
        loc, name, np.array(number, dtype="<i8" if isinstance(number, int | np.integer) else "<f8")
    )


def _set(loc: Any, name: str, value: NDArray[Any]) -> None:
    h5a.create(loc, name.encode(), _type(value.dtype), _scalar()).write(value)


def write_small(group: Any, name: str, rows: NDArray[Any]) -> h5d.DatasetID:
    """Write a dataset that is whole, plainly: in one piece, neither compressed nor checked."""
    space = h5s.create_simple(rows.shape)
    how = _of_small(rows.nbytes <= COMPACT_BYTES)
    dataset = h5d.create(group, name.encode(), _type(rows.dtype), space, how)
    if rows.size:
        dataset.write(h5s.ALL, h5s.ALL, np.ascontiguousarray(rows))
    return dataset


def create_chunked(
    group: Any,
    name: str,
    dtype: np.dtype[Any],
    *,
    chunk: int,
    n: int | None,
    width: tuple[int, ...] = (),
    packed: bool = False,
) -> h5d.DatasetID:
    """Create a dataset in chunks of ``chunk`` rows.

    Parameters
    ----------
    n : int or None
        How many rows it will have; None: `append_rows` makes it longer. HDF5 needs no index of
        the chunks where there can be only one.
    width : tuple of int
        Shape of a row, ``()`` for single values.
    packed : bool
        Compressed, and with checksums: a disk that forgets is told when it is read, not believed.
    """
    space = (
        h5s.create_simple((0, *width), (h5s.UNLIMITED, *width))
        if n is None
        else h5s.create_simple((n, *width))
    )
    return h5d.create(
        group, name.encode(), _type(dtype), space, _of_chunks((chunk, *width), packed)
    )


def write_rows(dataset: h5d.DatasetID, start: int, rows: NDArray[Any]) -> None:
    """Write rows from number ``start`` on; a dataset without a fixed end becomes long enough."""
    stop, width = start + len(rows), rows.shape[1:]
    if dataset.shape[0] < stop:
        dataset.set_extent((stop, *width))
    space = dataset.get_space()
    space.select_hyperslab((start, *(0 for _ in width)), rows.shape)
    dataset.write(h5s.create_simple(rows.shape), space, np.ascontiguousarray(rows))


@lru_cache(maxsize=64)
def _type(dtype: np.dtype[Any]) -> h5t.TypeID:
    return h5t.py_create(dtype, logical=True)


@cache
def _scalar() -> h5s.SpaceID:
    return h5s.create(h5s.SCALAR)


@cache
def _of_group() -> h5p.PropGCID:
    how = h5p.create(h5p.GROUP_CREATE)
    how.set_attr_phase_change(MOST_IN_HEADER, 0)
    how.set_obj_track_times(False)
    return how


@cache
def _of_small(compact: bool) -> h5p.PropDCID:
    how = h5p.create(h5p.DATASET_CREATE)
    how.set_obj_track_times(False)
    if compact:
        how.set_layout(h5d.COMPACT)
    return how


@lru_cache(maxsize=64)
def _of_chunks(chunks: tuple[int, ...], packed: bool) -> h5p.PropDCID:
    how = h5p.create(h5p.DATASET_CREATE)
    how.set_obj_track_times(False)
    how.set_chunk(chunks)
    if packed:
        import hdf5plugin

        lz4 = dict(hdf5plugin.Bitshuffle(cname="lz4"))
        how.set_filter(lz4["compression"], h5z.FLAG_OPTIONAL, lz4["compression_opts"])
        how.set_fletcher32()  # the last: of what lies on the disk
    return how
