"""Locate and read the written values of an HDF5 dataset.

Nothing is read before it is known that the values lie in this file, all of them, and that the
file is large enough for what it claims. What was never written is no value: HDF5 would hand out
zeros, or its fill value, which counts only where the dataset defines one.
"""

from __future__ import annotations

import math
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from h5py import h5d, h5p, h5s, h5t
from numpy.typing import NDArray

from runner.ingest.hdf5.h5_errors import BLOCK_BYTES, Omitted, Unreadable, reading
from runner.ingest.hdf5.h5_filters import MAX_CHUNK_BYTES, ChunkDecoder, stored_size
from runner.ingest.hdf5.h5_structure import Found
from runner.ingest.ingest_errors import Rejected

FREE_CLAIM = 1 << 30  # bytes that any file may become
MAX_RATIO = 1000  # times its own size that a file may become beyond that

Span = tuple[int, int]
Block = tuple[int, NDArray[Any]]


@dataclass(kw_only=True)
class Claims:
    """The bytes claimed by the datasets of one file: none twice, none beyond its end."""

    file_size: int
    _total: int = 0
    _extents: list[NDArray[np.int64]] = field(default_factory=list)

    @property
    def limit(self) -> int:
        """Limit for the values of the whole file, bytes."""
        return FREE_CLAIM + MAX_RATIO * self.file_size

    def want(self, n_bytes: int) -> None:
        """Raise `Omitted` for a dataset that is larger than the file can be."""
        if n_bytes > self.limit:
            raise Omitted(
                f"it claims {_size(n_bytes)}, but the whole file has {_size(self.file_size)}"
            )

    def add(
        self, path: str, n_bytes: int, places: NDArray[np.int64], sizes: NDArray[np.int64]
    ) -> None:
        """Count a dataset that will be read; its pieces have places and sizes in the file."""
        self._total += n_bytes
        if self._total > self.limit:
            raise Rejected(
                f"its datasets claim more than {_size(self.limit)}, but the file has "
                f"{_size(self.file_size)}: check the program that wrote it"
            )
        if len(places) and (int(places.min()) <= 0 or int((places + sizes).max()) > self.file_size):
            raise Unreadable(f"{path} is beyond the end of the file")
        self._extents.append(np.stack([places, places + sizes], axis=1))

    def check_overlap(self) -> None:
        """Raise `Unreadable` if two pieces share bytes."""
        extents = np.concatenate([*self._extents, np.empty((0, 2), dtype=np.int64)])
        extents = extents[np.argsort(extents[:, 0], kind="stable")]
        if np.any(extents[1:, 0] < extents[:-1, 1]):
            raise Unreadable("two pieces of its values overlap")


class Values:
    """The values of a dataset; one of its axes is that of the samples, see `select_axis`.

    Attributes
    ----------
    spans : list of (start, stop)
        The samples that there are.
    n_missing : int
        How many were never written.
    filled : bool
        Those have the dataset's fill value, and are in ``spans``, too.
    """

    def __init__(self, found: Found, dtype: np.dtype[Any], claims: Claims, axis: int = 0) -> None:
        self._path, self._id, self.dtype = found.path, found.id, dtype
        self._chunk: tuple[int, ...] | None = None
        self._decoder: ChunkDecoder | None = None
        self.fill: Any = None
        with reading(found.path):
            creation, kind = self._id.get_create_plist(), self._id.get_type()
            layout = creation.get_layout()
            self.shape = self._id.shape
            self._itemsize = stored_size(self._id)
            self.n_bytes = math.prod(self.shape) * self._itemsize
            is_enum = kind.get_class() == h5t.ENUM and dtype.kind in "iu"
            self._kind = kind.get_super() if is_enum else kind
            self.fill = _fill_value(creation, dtype)
            if layout == h5d.CHUNKED and self.n_bytes:
                self._open_chunks(creation, claims)
            elif layout == h5d.CONTIGUOUS and self.n_bytes:
                self._open_contiguous(claims)
        self.select_axis(axis)

    @property
    def n(self) -> int:
        """Number of samples, written or not."""
        return int(self.shape[self._axis])

    @property
    def has_gaps(self) -> bool:
        """Whether samples are missing before others, not only at the end."""
        return len(self.spans) > 1 or bool(self.spans and self.spans[0][0])

    def _open_contiguous(self, claims: Claims) -> None:
        claims.want(self.n_bytes)
        place = self._id.get_offset()
        if place is None:
            raise Omitted("its values were never written")
        if self._id.get_storage_size() < self.n_bytes:
            raise Unreadable(f"{self._path} is shorter than it claims")
        claims.add(self._path, self.n_bytes, np.array([place]), np.array([self.n_bytes]))

    def _open_chunks(self, creation: h5p.PropDCID, claims: Claims) -> None:
        self._chunk = chunk = creation.get_chunk()
        if creation.get_nfilters():
            self._decoder = ChunkDecoder(self._id, chunk)
        self._corners, self._facts = self._chunk_table(claims.file_size)
        size = math.prod(chunk) * self._itemsize
        # space reserved but never written does not count
        claimed = len(self._corners) * size
        if not claimed or self.fill is not None:
            claimed = self.n_bytes
        claims.want(claimed)
        if not len(self._corners):
            raise Omitted("its values were never written")
        wrong = self._facts[:, 2] != size
        if self._decoder is None and np.any(wrong):
            short = int(self._facts[wrong][0, 2])
            raise Unreadable(f"{self._path}: a chunk of it has {short} of {size} bytes")
        if np.any(self._corners % chunk) or np.any(self._corners >= self.shape):
            raise Unreadable(f"{self._path}: a chunk of it has an impossible position")
        if len(np.unique(self._corners, axis=0)) != len(self._corners):
            raise Unreadable(f"{self._path}: there are two chunks for the same values")
        claims.add(self._path, claimed, self._facts[:, 1], self._facts[:, 2])

    def _chunk_table(self, file_size: int) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Return of each chunk its corner, and its filter mask, place and size in the file."""
        corners, facts = array("q"), array("q")
        stored = 0

        def take(info: Any) -> bool | None:
            nonlocal stored
            corners.extend(info.chunk_offset)
            facts.extend((info.filter_mask, info.byte_offset or 0, info.size))
            stored += max(1, info.size)
            return stored > file_size or None

        self._id.chunk_iter(take)
        if stored > file_size:
            raise Unreadable(f"{self._path}: its chunks are larger than the file")
        return (
            np.array(corners, dtype=np.int64).reshape(-1, len(self.shape)),
            np.array(facts, dtype=np.int64).reshape(-1, 3),
        )

    def select_axis(self, axis: int) -> None:
        """Select the axis of the samples."""
        self._axis = axis
        self.filled, self.n_missing = False, 0
        self.spans: list[Span] = [(0, self.n)] if self.n else []
        if self._chunk is None:
            return
        order = np.argsort(self._corners[:, axis], kind="stable")
        self._corners, self._facts = self._corners[order], self._facts[order]
        step = self._chunk[axis]
        per_band = math.prod(-(-n // c) for n, c in zip(self.shape, self._chunk, strict=True))
        per_band //= -(-self.n // step)
        bands, counts = np.unique(self._corners[:, axis] // step, return_counts=True)
        present = _merged(bands[counts == per_band], step, self.n)
        self.n_missing = self.n - sum(stop - start for start, stop in present)
        self.filled = bool(self.n_missing) and self.fill is not None
        if not self.filled:
            self.spans = present

    def blocks(self) -> Iterator[Block]:
        """Yield number of the first sample and samples (n, …), some MB at a time, in order."""
        for start, stop in self.spans:
            if self._decoder is not None or self.filled:
                yield from _gathered(self._bands(start, stop))
            else:
                yield from self._slabs(start, stop)

    def whole(self) -> NDArray[Any]:
        """Return all values in one array, samples first."""
        parts = [block for _, block in self.blocks()]
        return np.concatenate(parts) if parts else np.empty(0, dtype=self.dtype)

    def check(self) -> None:
        """Raise `Unreadable` unless every chunk can be decoded, before reading by other means."""
        if self._decoder is not None:
            for row in range(len(self._corners)):
                self._data(row)

    def _across(self) -> int:
        """Return the number of values per sample."""
        return math.prod(n for i, n in enumerate(self.shape) if i != self._axis)

    def _slabs(self, start: int, stop: int) -> Iterator[Block]:
        step = max(1, BLOCK_BYTES // (self._across() * self.dtype.itemsize))
        for i in range(start, stop, step):
            yield i, self._slab(i, min(i + step, stop))

    def _slab(self, start: int, stop: int) -> NDArray[Any]:
        first, count = [0] * len(self.shape), list(self.shape)
        first[self._axis], count[self._axis] = start, stop - start
        with reading(self._path):
            out = np.empty(count, dtype=self.dtype)
            space = self._id.get_space()
            space.select_hyperslab(tuple(first), tuple(count))
            self._id.read(h5s.create_simple(tuple(count)), space, out)
        return np.moveaxis(out, self._axis, 0)

    def _bands(self, start: int, stop: int) -> Iterator[Block]:
        """Yield samples, one row of chunks across the axis at a time."""
        assert self._chunk is not None
        step = self._chunk[self._axis]
        if step * self._across() * self.dtype.itemsize > MAX_CHUNK_BYTES:
            raise Unreadable(f"{self._path}: one row of its chunks is too large")
        along = self._corners[:, self._axis]
        for i in range(start, stop, step):
            shape = list(self.shape)
            shape[self._axis] = min(step, self.n - i)
            first, last = np.searchsorted(along, [i, i + 1])
            if last - first == 1 and self._chunk[1:] == self.shape[1:] and not self._axis:
                yield i, self._numbers(first)[: shape[0]]  # one chunk is all
                continue
            out = np.empty(shape, dtype=self.dtype)
            if self.fill is not None:
                out[...] = self.fill
            for row in range(first, last):
                self._put(out, row, i)
            yield i, np.moveaxis(out, self._axis, 0)

    def _put(self, out: NDArray[Any], row: int, start: int) -> None:
        chunk = self._numbers(row)
        at = self._corners[row].tolist()
        at[self._axis] -= start
        size = [min(c, n - a) for c, n, a in zip(chunk.shape, out.shape, at, strict=True)]
        target = tuple(slice(a, a + s) for a, s in zip(at, size, strict=True))
        out[target] = chunk[tuple(slice(s) for s in size)]

    def _numbers(self, row: int) -> NDArray[Any]:
        assert self._chunk is not None
        data = self._data(row)
        with reading(self._path):
            return _as_numbers(data, self._kind, self.dtype).reshape(self._chunk)

    def _data(self, row: int) -> NDArray[np.uint8]:
        """Return the decoded bytes of one chunk, of checked length."""
        corner = tuple(self._corners[row].tolist())
        mask, _, size = self._facts[row].tolist()
        what = f"{self._path}: its chunk at {', '.join(map(str, corner))}"
        with reading(what):
            _, raw = self._id.read_direct_chunk(corner)
        if len(raw) != size:
            raise Unreadable(f"{what} is not whole")
        if self._decoder is None:
            return np.frombuffer(raw, dtype=np.uint8)
        try:
            return self._decoder.decode(raw, mask)
        except Unreadable as error:
            raise Unreadable(f"{what}: {error}") from error.__cause__


def _as_numbers(data: NDArray[np.uint8], kind: h5t.TypeID, dtype: np.dtype[Any]) -> NDArray[Any]:
    """Return the bytes of a file's type as numbers of this computer."""
    for as_stored in (dtype, dtype.newbyteorder("<"), dtype.newbyteorder(">")):
        if kind.equal(h5t.py_create(as_stored, logical=True)):
            return data.view(as_stored).astype(dtype, copy=False)
    memory = h5t.py_create(dtype, logical=True)
    n = len(data) // kind.get_size()
    buffer = np.zeros(n * max(kind.get_size(), memory.get_size()), dtype=np.uint8)
    buffer[: len(data)] = data
    h5t.convert(kind, memory, n, buffer)
    return buffer[: n * dtype.itemsize].view(dtype)


def _fill_value(creation: h5p.PropDCID, dtype: np.dtype[Any]) -> Any:
    """Return the fill value of the dataset, if it defines one."""
    if creation.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED or dtype.kind not in "biufc":
        return None
    value = np.zeros((), dtype=dtype)
    creation.get_fill_value(value)
    return value


def _merged(bands: NDArray[np.int64], step: int, n: int) -> list[Span]:
    """Return the samples of bands as few long spans."""
    if not len(bands):
        return []
    breaks = np.flatnonzero(np.diff(bands) > 1)
    first = bands[np.concatenate([[0], breaks + 1])]
    last = bands[np.concatenate([breaks, [len(bands) - 1]])]
    return [(int(a) * step, min((int(b) + 1) * step, n)) for a, b in zip(first, last, strict=True)]


def _gathered(blocks: Iterator[Block]) -> Iterator[Block]:
    """Join small blocks that follow each other."""
    parts: list[NDArray[Any]] = []
    start = n_bytes = 0
    for i, block in blocks:
        if not parts:
            start = i
        parts.append(block)
        n_bytes += block.nbytes
        if n_bytes >= BLOCK_BYTES // 4:
            yield start, np.concatenate(parts) if len(parts) > 1 else block
            parts, n_bytes = [], 0
    if parts:
        yield start, np.concatenate(parts)


def _size(n_bytes: int) -> str:
    for factor, unit in ((1e12, "TB"), (1e9, "GB"), (1e6, "MB"), (1e3, "kB")):
        if n_bytes >= factor:
            return f"{n_bytes / factor:.3g} {unit}"
    return f"{n_bytes} bytes"
