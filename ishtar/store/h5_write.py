"""Write HDF5 through h5py's low-level functions.

A source may have a thousand channels of a thousand samples each. The objects that h5py's high-level
interface creates then cost more than the samples, and so does HDF5's default storage of more than
eight attributes of an object; every channel has more.
"""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5g, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

MAX_ATTRIBUTE_BYTES = 60_000  # HDF5 stores up to 64 kB in an object's header
MAX_HEADER_ATTRIBUTES = 64  # more are stored in a separate heap and B-tree
COMPACT_BYTES = 4096  # a dataset up to this size is stored in its header


def create_group(parent: Any, name: str) -> h5g.GroupID:
    """Create a group below an open group or file."""
    return h5g.create(parent, name.encode(), gcpl=_group_properties())


def set_text(loc: Any, name: str, text: str) -> None:
    """Store a text as an attribute, or as a dataset if it does not fit an attribute."""
    if "\0" not in text and len(text.encode()) < MAX_ATTRIBUTE_BYTES:
        _set(loc, name, np.array(text, dtype=h5py.string_dtype()))
    else:
        write_small(loc, f"text_{name}", np.frombuffer(text.encode(), dtype=np.uint8))


def set_number(loc: Any, name: str, number: int | float) -> None:
    """Store a number as an attribute."""
    _set(
        loc, name, np.array(number, dtype="<i8" if isinstance(number, int | np.integer) else "<f8")
    )


def _set(loc: Any, name: str, value: NDArray[Any]) -> None:
    h5a.create(loc, name.encode(), _type(value.dtype), _scalar()).write(value)


def write_small(group: Any, name: str, rows: NDArray[Any]) -> h5d.DatasetID:
    """Write a complete dataset, contiguous or compact, without compression or checksums."""
    space = h5s.create_simple(rows.shape)
    properties = _small_properties(rows.nbytes <= COMPACT_BYTES)
    dataset = h5d.create(group, name.encode(), _type(rows.dtype), space, properties)
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
    """Create a chunked dataset.

    Parameters
    ----------
    group : GroupID
        The group to create it in.
    name : str
        Its name.
    dtype : dtype
        Of its values.
    chunk : int
        Rows in a chunk.
    n : int or None
        The number of rows; None if `write_rows` extends it. With a fixed number HDF5 needs no
        index of a single chunk.
    width : tuple of int
        Shape of a row, ``()`` for single values.
    packed : bool
        Compress it, and add checksums, so that corruption on the disk is detected on reading.
    """
    space = (
        h5s.create_simple((0, *width), (h5s.UNLIMITED, *width))
        if n is None
        else h5s.create_simple((n, *width))
    )
    return h5d.create(
        group, name.encode(), _type(dtype), space, _chunk_properties((chunk, *width), packed)
    )


def write_rows(dataset: h5d.DatasetID, start: int, rows: NDArray[Any]) -> None:
    """Write rows from ``start`` on, and extend a dataset without a fixed length if necessary."""
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
def _group_properties() -> h5p.PropGCID:
    properties = h5p.create(h5p.GROUP_CREATE)
    properties.set_attr_phase_change(MAX_HEADER_ATTRIBUTES, 0)
    properties.set_obj_track_times(False)
    return properties


@cache
def _small_properties(compact: bool) -> h5p.PropDCID:
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    if compact:
        properties.set_layout(h5d.COMPACT)
    return properties


@lru_cache(maxsize=64)
def _chunk_properties(chunks: tuple[int, ...], packed: bool) -> h5p.PropDCID:
    properties = h5p.create(h5p.DATASET_CREATE)
    properties.set_obj_track_times(False)
    properties.set_chunk(chunks)
    if packed:
        import hdf5plugin

        lz4 = dict(hdf5plugin.Bitshuffle(cname="lz4"))
        properties.set_filter(lz4["compression"], h5z.FLAG_OPTIONAL, lz4["compression_opts"])
        properties.set_fletcher32()  # last in the pipeline: a checksum of the bytes on disk
    return properties
