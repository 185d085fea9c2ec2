"""Rows of a dataset from the bytes of its chunks, without the file that they lie in.

The bytes go unchanged into a small file in memory, which HDF5 then reads: every filter and every
checksum is HDF5's own, and nothing of a foreign file's structure is interpreted.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from functools import cached_property
from itertools import count
from typing import Any, NamedTuple

import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5t
from numpy.typing import NDArray

from ishtar.store.chunk_filters import Filter, check_chunk, check_filters
from ishtar.store.chunk_index import FILTERS, TABLE_ROW_BYTES, Chunks, inflate, unpack
from ishtar.store.h5_read import read_rows
from ishtar.store.reader import ReadRows

NUMBER = re.compile(r"[<>|]([iu][1248]|f[248])")  # the types of samples
MAX_CHUNK_BYTES = 1 << 27
MAX_CHUNKS = 1 << 22  # in a dataset: 275 billion samples
MAX_GROWTH = 4096  # bytes that filters may add to what cannot be compressed
MAX_SMALL_BYTES = 1 << 16  # of a dataset without chunks or place in the file, as HDF5 has it
WINDOW_BYTES = 1 << 28  # compressed; a longer slice is fetched in several parts

_numbers = count()

Span = tuple[int, int]
"""Place and length in a file, bytes."""


class _Window(NamedTuple):
    """The chunks of the rows ``start … stop``, as bytes by their places."""

    start: int
    stop: int
    pieces: Mapping[Span, bytes]


class ChunkedRows:
    """The rows of one dataset of a file that is read by pieces.

    Parameters
    ----------
    entry : mapping
        Its description, from `ishtar.store.chunk_index`.
    size : int
        Length of the file, bytes.
    fetch : callable
        Returns the bytes of some spans of the file.
    fetch_table : callable
        Returns the bytes of a span of the tables.

    Raises
    ------
    ValueError
        The description contradicts itself, or claims what no file of this length holds.
    """

    def __init__(
        self,
        entry: Mapping[str, Any],
        size: int,
        fetch: Callable[[Sequence[Span]], Sequence[bytes]],
        fetch_table: Callable[[Span], bytes],
    ) -> None:
        if not NUMBER.fullmatch(str(entry["dtype"])):
            raise ValueError(f"samples of type {entry['dtype']!r:.40} are not read")
        self.dtype: np.dtype[Any] = np.dtype(entry["dtype"])
        self.shape = tuple(int(n) for n in entry["shape"])
        if self.shape[1:] not in ((), (2,)) or self.shape[0] < 0:
            raise ValueError(f"samples of shape {self.shape} are not read")
        self._entry, self._size = entry, size
        self._fetch, self._fetch_table = fetch, fetch_table
        self._chunk = int(entry.get("chunk", 0))
        self._chunk_bytes = self._chunk * self.dtype.itemsize * (2 if self.shape[1:] else 1)
        if self._is_small:
            if self._n_bytes > MAX_SMALL_BYTES:
                raise ValueError(f"{self.shape[0]} rows are no part of an index")
        else:
            n_chunks = self._count
            if self._chunk_bytes > MAX_CHUNK_BYTES:
                raise ValueError(f"chunks of {self._chunk} rows are not read")
            if n_chunks > min(size, MAX_CHUNKS):
                raise ValueError(f"{n_chunks} chunks do not fit into {size} bytes")
            check_filters(self._filters)

    @property
    def _is_small(self) -> bool:
        """Whether its rows are in the index."""
        return "rows" in self._entry or "rows_at" in self._entry

    @property
    def _n_bytes(self) -> int:
        return self.shape[0] * self.dtype.itemsize * (2 if self.shape[1:] else 1)

    @property
    def _count(self) -> int:
        if self._chunk < 1:
            raise ValueError("chunks without rows are not read")
        return -(-self.shape[0] // self._chunk)

    @cached_property
    def _filters(self) -> list[Filter]:
        return [(int(c), int(f), tuple(map(int, v))) for c, f, v in self._entry["filters"]]

    @cached_property
    def _chunks(self) -> Chunks:
        if "chunks" in self._entry:
            chunks = Chunks(*(np.array(x, dtype=np.int64) for x in self._entry["chunks"]))
        else:
            span = self._in_tables("table", TABLE_ROW_BYTES * self._count)
            chunks = unpack(self._fetch_table(span), self._count)
        whole = len(chunks) == self._count and len(chunks.size) == len(chunks.mask) == len(chunks)
        ends = chunks.offset + chunks.size
        most = 2 * self._chunk_bytes + MAX_GROWTH if self._filters else self._chunk_bytes
        inside = (chunks.offset >= 0) & (chunks.size > 0) & (ends <= self._size) & (ends > 0)
        if not whole or not inside.all():
            raise ValueError("the table of its chunks points out of the file")
        if (chunks.size > most).any():
            raise ValueError(f"chunks of {self._chunk} rows have {chunks.size.max()} bytes")
        return chunks

    def _in_tables(self, name: str, size: int) -> Span:
        """Return where something of ``size`` bytes is, compressed, among the tables."""
        at, length = map(int, self._entry[name])
        if at < 0 or not 0 < length <= size + MAX_GROWTH:
            raise ValueError(f"a table of {length} bytes at {at} is none")
        return at, length

    @cached_property
    def _rows(self) -> NDArray[Any]:
        if "rows" in self._entry:
            content = base64.b64decode(self._entry["rows"], validate=True)
        else:
            packed = self._fetch_table(self._in_tables("rows_at", self._n_bytes))
            content = inflate(packed, self._n_bytes)
        return np.frombuffer(content, self.dtype).reshape(self.shape)

    def reader(self, start: int, stop: int) -> ReadRows:
        """Fetch the rows ``start … stop``; return a function that reads some of them.

        A slice that is too long for the memory is fetched in parts as it is read.
        """
        window = self._window(start, stop)

        def read(a: int, b: int | None, into: NDArray[Any] | None) -> NDArray[Any]:
            nonlocal window
            a, b, _ = slice(a, b).indices(self.shape[0])
            shape = (max(b - a, 0), *self.shape[1:])
            out = np.empty(shape, self.dtype) if into is None else into
            at = a
            while at < b:
                if not window.start <= at < window.stop:
                    window = self._window(at, max(b, stop))
                end = min(b, window.stop)
                out[at - a : end - a] = self._rows_of(window, at, end)
                at = end
            return out

        return read

    def _window(self, start: int, stop: int) -> _Window:
        if self._is_small or stop <= start:
            return _Window(start, stop, {})
        first, last = self._touched(start, stop)
        spans = self._spans(first, last)
        ends = np.cumsum([length for _, length in spans])
        count = max(1, int(np.searchsorted(ends, WINDOW_BYTES, side="right")))
        pieces = dict(zip(spans[:count], self._fetch(spans[:count]), strict=True))
        return _Window(first * self._chunk, (first + count) * self._chunk, pieces)

    def _rows_of(self, window: _Window, start: int, stop: int) -> NDArray[Any]:
        if self._is_small:
            return self._rows[start:stop]
        first, last = self._touched(start, stop)
        pieces = [window.pieces[span] for span in self._spans(first, last)]
        begin = first * self._chunk
        return self._decoded(first, pieces)[start - begin : stop - begin]

    def _touched(self, start: int, stop: int) -> tuple[int, int]:
        return start // self._chunk, -(-stop // self._chunk)

    def _spans(self, first: int, last: int) -> list[Span]:
        chunks = self._chunks
        return [(int(chunks.offset[k]), int(chunks.size[k])) for k in range(first, last)]

    def _decoded(self, first: int, pieces: Sequence[bytes]) -> NDArray[Any]:
        """Return the rows of the chunks from number ``first`` on."""
        width = self.shape[1:]
        for k, piece in enumerate(pieces, start=first):
            mask = int(self._chunks.mask[k])
            check_chunk(piece, mask, self._filters, self._chunk_bytes, self.dtype.itemsize)
        if not self._filters:
            content = b"".join(pieces)
            return np.frombuffer(content, self.dtype).reshape(-1, *width)
        masks = self._chunks.mask
        with _memory_file() as file:
            rows = (len(pieces) * self._chunk, *width)
            properties = h5p.create(h5p.DATASET_CREATE)
            properties.set_chunk((self._chunk, *width))
            for code, flags, values in self._filters:
                properties.set_filter(code, flags, values[FILTERS[code] :])
            kind, space = h5t.py_create(self.dtype, logical=True), h5s.create_simple(rows)
            dataset = h5d.create(file, b"rows", kind, space, properties)
            for k, piece in enumerate(pieces):
                at = (k * self._chunk, *(0 for _ in width))
                dataset.write_direct_chunk(at, piece, int(masks[first + k]))
            return read_rows(dataset)


def _memory_file() -> closing[h5f.FileID]:
    import hdf5plugin  # noqa: F401  registers the filters

    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_core(block_size=1 << 20, backing_store=False)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    name = f"rows {next(_numbers)}".encode()  # HDF5 tells open files apart by their names
    return closing(h5f.create(name, h5f.ACC_TRUNC, fapl=access))
