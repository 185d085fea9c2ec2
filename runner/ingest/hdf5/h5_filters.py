"""Decode one chunk of an HDF5 dataset, and check that the data fill it.

HDF5 does not ask whether what its filters return is as long as the chunk: of a shorter one it
hands out whatever lies behind it in memory. So a chunk is taken raw, put into a file in memory
that has the same filters and one more, which counts the bytes, and read from there. That costs
about as much as reading it in place.
"""

from __future__ import annotations

import ctypes
import itertools
import math
import threading
from collections.abc import Sequence
from functools import cache
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5i, h5p, h5s, h5t, h5z
from numpy.typing import NDArray

from runner.ingest.hdf5 import h5_packed
from runner.ingest.hdf5.h5_errors import Omitted, Unreadable, reading

COUNTER = 51_309  # filters from 32 768 up are for use within one program
MAX_CHUNK_BYTES = 512 << 20  # bytes; one chunk is held in memory, twice
SHUFFLE, FLETCHER32, BITSHUFFLE = 2, 3, h5_packed.BITSHUFFLE
_KNOWN = {SHUFFLE, FLETCHER32} | h5_packed.KNOWN
_REVERSE = 0x100  # H5Z_FLAG_REVERSE: reading
_scratch_names = itertools.count()


class ChunkDecoder:
    """Decodes raw chunks of one dataset, and checks their length.

    Raises
    ------
    Omitted
        The filters are not installed, or cannot be checked.
    """

    def __init__(self, dataset: h5d.DatasetID, chunk: tuple[int, ...]) -> None:
        creation, kind = dataset.get_create_plist(), dataset.get_type()
        if kind.get_class() in (h5t.VLEN, h5t.STRING, h5t.REFERENCE):
            kind = h5t.create(h5t.OPAQUE, stored_size(dataset))  # only the bytes are wanted
        self._kind, self._chunk, self._itemsize = kind, chunk, kind.get_size()
        self._size = math.prod(chunk) * self._itemsize
        if self._size > MAX_CHUNK_BYTES:
            raise Omitted(f"one chunk of it has {self._size >> 20} MB")
        self._filters = [creation.get_filter(i) for i in range(creation.get_nfilters())]
        self._packing = _packing(self._filters)
        self._counter, _ = _counting()
        self._scratches: dict[int, h5d.DatasetID] = {}
        self._scratch(0)

    def decode(self, raw: bytes, mask: int) -> NDArray[np.uint8]:
        """Return the bytes of a chunk; ``mask`` has a bit for each skipped filter.

        Raises
        ------
        Unreadable
            It cannot be decoded, or holds more or less than a chunk.
        """
        scratch = self._scratch(mask & ((1 << len(self._filters)) - 1))
        self._check_packed(raw, mask)
        out = np.empty(self._size, dtype=np.uint8)
        self._counter.seen = None
        try:
            scratch.write_direct_chunk((0,) * len(self._chunk), raw)
            scratch.read(h5s.ALL, h5s.ALL, out, scratch.get_type())
        except Exception as error:
            if self._counter.seen is not None:
                raise self._wrong_length(self._counter.seen) from error
            raise Unreadable("it cannot be decompressed") from error
        if self._counter.seen != self._size:  # HDF5 did not call the counter: never trust that
            raise Unreadable("its length was not checked")
        return out

    def _scratch(self, mask: int) -> h5d.DatasetID:
        """Return the dataset in memory with the filters that the mask does not skip."""
        if mask not in self._scratches:
            filters = [f for i, f in enumerate(self._filters) if not mask >> i & 1]
            with reading("its filters"):
                made = _scratch(self._kind, self._chunk, filters, self._size)
            self._scratches[mask] = made
        return self._scratches[mask]

    def _wrong_length(self, n_bytes: int) -> Unreadable:
        due = math.prod(self._chunk)
        if not 0 <= n_bytes < 1 << 60:  # some filters return a negative number for a length
            return Unreadable("it is not whole")
        return Unreadable(f"it holds {n_bytes / self._itemsize:g} of {due} values")

    def _check_packed(self, raw: bytes, mask: int) -> None:
        """Check a packed chunk before it is unpacked: see `h5_packed`."""
        i = self._packing if self._packing is not None else -1
        sums = [k for k, (code, *_) in enumerate(self._filters) if code == FLETCHER32]
        sums = [k for k in sums if not mask >> k & 1]
        # of data shorter than its sum HDF5 would read what lies before it
        if len(raw) <= 4 * sum(k > i for k in sums):
            raise self._wrong_length(-1)
        if i < 0 or mask >> i & 1:
            return
        data = memoryview(raw)[: len(raw) - 4 * sum(k > i for k in sums)]
        due = self._size + 4 * sum(k < i for k in sums)
        code, _, settings, _ = self._filters[i]
        length = h5_packed.unpacked_length(
            code, settings, data, due, always=any(k < i for k in sums)
        )
        if length is not None and length != due:
            raise self._wrong_length(length)


def stored_size(dataset: h5d.DatasetID) -> int:
    """Return the size of a value in the file, bytes."""
    kind = dataset.get_type()
    if kind.get_class() == h5t.STRING and kind.is_variable_str():
        # its length, and where it lies: an address and a number there
        return 8 + int(h5i.get_file_id(dataset).get_create_plist().get_sizes()[0])
    return int(kind.get_size())


def _packing(filters: Sequence[Any]) -> int | None:
    """Return the compressing filter, if any.

    Raises
    ------
    Omitted
        Not all filters are known here; or something else than a checksum comes after packing.
    """
    codes = [code for code, *_ in filters]
    for code, _, _, name in filters:
        label = f"{code} ({name.decode('ascii', errors='replace')})" if name else str(code)
        if not h5z.filter_avail(code):
            raise Omitted(f"its filter {label} is not installed")
        if code not in _KNOWN:
            raise Omitted(f"what its filter {label} returns cannot be checked")
    packing = [i for i, code in enumerate(codes) if code in h5_packed.KNOWN]
    if len(packing) > 1:
        raise Omitted("it is compressed more than once")
    before, after = (codes[: packing[0]], codes[packing[0] + 1 :]) if packing else (codes, [])
    if any(code != FLETCHER32 for code in after) or (
        FLETCHER32 in before and packing and codes[packing[0]] not in h5_packed.COUNTED
    ):
        raise Omitted("its filters come in an order that cannot be checked")
    return packing[0] if packing else None


def _scratch(
    kind: h5t.TypeID, chunk: tuple[int, ...], filters: Sequence[Any], size: int
) -> h5d.DatasetID:
    """Make a dataset of one chunk in memory; on reading, the counter is the last filter."""
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_chunk(chunk)
    creation.set_filter(COUNTER, 0, (size,))
    for code, flags, values, _ in filters:
        # bitshuffle prepends three values of its own to the given ones
        creation.set_filter(code, flags, tuple(values[3:] if code == BITSHUFFLE else values))
    name = f"ishtar-scratch-{next(_scratch_names)}"
    file = h5py.File(name, "w", driver="core", backing_store=False)
    made = h5d.create(file.id, b"chunk", kind, h5s.create_simple(chunk), creation)
    got = made.get_create_plist()
    for i, (code, _, values, _) in enumerate(filters):
        got_code, _, got_values, _ = got.get_filter(i + 1)
        if (got_code, tuple(got_values[: len(values)])) != (code, tuple(values)):
            raise Omitted(f"the settings of its filter {code} do not fit its type")
    return made


class _FilterClass(ctypes.Structure):
    """H5Z_class2_t, the description of a filter for HDF5."""

    _fields_ = (
        ("version", ctypes.c_int),
        ("id", ctypes.c_int),
        ("encoder_present", ctypes.c_uint),
        ("decoder_present", ctypes.c_uint),
        ("name", ctypes.c_char_p),
        ("can_apply", ctypes.c_void_p),
        ("set_local", ctypes.c_void_p),
        ("filter", ctypes.c_void_p),
    )


class _Counter(threading.local):
    """The filter that changes nothing and fails a chunk of the wrong length.

    ``seen`` is the length, bytes, of the last chunk that this thread has read.
    """

    seen: int | None = None


class _Counting:
    """Registers that filter with HDF5, which keeps its address: it must live as long."""

    def __init__(self, counter: _Counter) -> None:
        self._counter = counter
        size_t, unsigned = ctypes.c_size_t, ctypes.c_uint
        signature = ctypes.CFUNCTYPE(
            *(size_t, unsigned, size_t, ctypes.POINTER(unsigned), size_t),
            *(ctypes.POINTER(size_t), ctypes.POINTER(ctypes.c_void_p)),
        )
        self._call = signature(self._filter)
        self._class = _FilterClass(
            version=1,
            id=COUNTER,
            encoder_present=1,
            decoder_present=1,
            name=b"count bytes",
            filter=ctypes.cast(self._call, ctypes.c_void_p),
        )
        h5z.register_filter(ctypes.addressof(self._class))

    def _filter(
        self, flags: int, n_settings: int, settings: Any, n_bytes: int, size: Any, data: Any
    ) -> int:
        if not flags & _REVERSE:
            return n_bytes
        self._counter.seen = n_bytes
        return n_bytes if n_settings and n_bytes == settings[0] else 0


@cache
def _counting() -> tuple[_Counter, _Counting]:
    counter = _Counter()
    return counter, _Counting(counter)
