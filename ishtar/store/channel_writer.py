"""Write the samples of one channel, with chunks, envelope, digest and rail count on the fly."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
from h5py import h5d, h5g
from numpy.typing import ArrayLike, DTypeLike, NDArray

from ishtar.errors import IshtarError
from ishtar.store.converter_limits import Rails
from ishtar.store.digest import SECONDS, ChannelDigest, dtype_name
from ishtar.store.envelope import BASE, ROWS, Level, add_coarser_levels, block_minmax
from ishtar.store.h5_names import to_json
from ishtar.store.h5_write import (
    create_chunked,
    create_group,
    set_number,
    set_text,
    write_rows,
    write_small,
)
from ishtar.store.job_thread import InlineJobs, JobThread
from ishtar.store.scale import Step, check_scale

CHUNK = 1 << 16  # samples; 128 kB of int16: a 100 ms slice of a fast channel is a few chunks
SMALLEST_CHUNK = 1 << 12  # samples, if very many channels are written in parallel
BLOCK_BYTES = 4 << 20  # the largest block that is hashed and written at a time
PENDING_BYTES = 48 << 20  # the most that all channels together buffer
SHORT_BYTES = 64 << 10  # a channel up to this size is not worth passing to another thread


class StoreError(IshtarError, ValueError):
    """Data was written that does not form a valid channel."""


class WriterThreads:
    """The threads that the channels of one file share: one hashes blocks, one writes them.

    ``check`` raises the disk's errors, which are hidden from HDF5.
    """

    def __init__(self, check: Callable[[], None]) -> None:
        self.check = check
        self.hashing, self.writing = JobThread("store-hash"), JobThread("store-write")
        self.n_channels = 0

    def chunk_length(self, sample_bytes: int) -> int:
        """Return the length of a chunk in samples: shorter if many channels buffer theirs."""
        room = PENDING_BYTES // max(1, self.n_channels) // sample_bytes
        nearest = 1 << round(math.log2(max(1, room)))
        return min(CHUNK, max(SMALLEST_CHUNK, nearest))

    def block_length(self, sample_bytes: int, chunk: int) -> int:
        """Return the length of a block in samples: whole chunks, longer if channels are few.

        Long blocks save hand-overs between threads, each of which costs more than hashing a chunk.
        """
        n_bytes = min(BLOCK_BYTES, PENDING_BYTES // max(1, self.n_channels))
        return max(chunk, n_bytes // sample_bytes // chunk * chunk)

    def join(self) -> None:
        """Wait until every block is hashed and written; raise the first error."""
        self.hashing.join()
        self.writing.join()

    def abandon(self) -> None:
        """End both threads and discard what is still queued."""
        self.hashing.abandon()
        self.writing.abandon()


class ChannelWriter:
    """Writes the samples of one channel, any number at a time.

    ``properties`` may be extended until the file is finished.
    """

    def __init__(
        self,
        parent: h5g.GroupID,
        name: str,
        path: str,
        *,
        dtype: DTypeLike,
        unit: str,
        t0: float,
        dt: float | None,
        x_unit: str,
        scale: list[Step],
        properties: dict[str, Any],
        threads: WriterThreads,
    ) -> None:
        check_scale(scale)
        self.path = path
        self.properties = properties
        # through JSON, so that writer and reader digest the same text
        self._scale: list[Step] = json.loads(to_json(scale))
        self._dtype = np.dtype(dtype).newbyteorder("<")
        if self._dtype.kind not in "iuf" or self._dtype.itemsize > 8:
            raise StoreError(f"channel {path!r} has {self._dtype}, not numbers: leave it out")
        self._x_unit = x_unit
        self._unit, self._t0, self._dt = unit, float(t0), None if dt is None else float(dt)
        self._group = create_group(parent, name)
        self._data: h5d.DatasetID | None = None
        self._time: h5d.DatasetID | None = None
        self._sample_bytes = self._dtype.itemsize + (8 if dt is None else 0)
        self._chunk = self._block = CHUNK  # until the first samples are written
        self._planned_channels = 0
        self._finest: Level | None = None
        self._digest = ChannelDigest()
        self._rails = Rails(self._dtype)
        self._threads = threads
        threads.n_channels += 1
        self._values: list[NDArray[Any]] = []
        self._times: list[NDArray[np.float64]] = []
        self._n_pending = 0
        self._n_sent = 0
        self._last_time = -np.inf
        self._steps_back = 0

    @property
    def n(self) -> int:
        """Number of samples appended so far."""
        return self._n_sent + self._n_pending

    def append(
        self, values: ArrayLike, time_s: ArrayLike | None = None, *, owned: bool = False
    ) -> None:
        """Append samples.

        Parameters
        ----------
        values : (n,)
            Raw values; the channel's dtype must represent them exactly.
        time_s : (n,), s
            Times on the shot's clock, for an irregular channel only.
        owned : bool
            The caller will not change the array again, so that no copy is needed.

        Raises
        ------
        StoreError
            The values do not fit the channel.
        """
        x = self._cast(np.asarray(values), owned)
        if self._dt is not None and time_s is not None:
            raise StoreError(f"channel {self.path!r} is regular: give no time_s")
        if self._dt is None and time_s is None:
            raise StoreError(f"channel {self.path!r} is irregular: give time_s with the values")
        block = self._block_length()
        if time_s is None:
            for i in range(0, len(x), block):
                self._buffer(x[i : i + block], None, block)
            return
        t = np.array(time_s, dtype="<f8")
        if t.shape != x.shape:
            raise StoreError(
                f"channel {self.path!r}: {len(x)} values but {t.shape} times: give one each"
            )
        self._check_times(t)
        for i in range(0, len(x), block):
            self._buffer(x[i : i + block], t[i : i + block], block)

    def _block_length(self) -> int:
        """Return the length of a block in samples for the current number of channels."""
        if self._planned_channels != self._threads.n_channels:
            self._planned_channels = self._threads.n_channels
            if not self._n_sent:
                self._chunk = self._threads.chunk_length(self._sample_bytes)
            self._block = self._threads.block_length(self._sample_bytes, self._chunk)
        return self._block

    def _cast(self, x: NDArray[Any], owned: bool) -> NDArray[Any]:
        """Return the values in the channel's dtype; raise `StoreError` if that changes them."""
        if x.ndim != 1:
            raise StoreError(f"channel {self.path!r} got an array of shape {x.shape}: give 1-D")
        if x.dtype == self._dtype:
            return np.ascontiguousarray(x) if owned else x.copy()
        with np.errstate(invalid="ignore", over="ignore"):
            cast = x.astype(self._dtype)
        same = np.can_cast(x.dtype, self._dtype, "safe") or np.array_equal(
            cast, x, equal_nan=x.dtype.kind == "f"
        )
        if not same:
            raise StoreError(
                f"channel {self.path!r} is {self._dtype.name}; its {x.dtype.name} values do not "
                "fit: begin it with their dtype"
            )
        return cast

    def _check_times(self, t: NDArray[np.float64]) -> None:
        if len(t):
            if not self.n:
                self._t0 = float(t[0])
            self._steps_back += int(t[0] < self._last_time) + int(np.count_nonzero(np.diff(t) < 0))
            self._last_time = float(t[-1])

    def _buffer(self, x: NDArray[Any], t: NDArray[np.float64] | None, block: int) -> None:
        waits = self._n_pending + len(x) < block
        self._values.append(_detached(x) if waits else x)
        if t is not None:
            self._times.append(_detached(t) if waits else t)
        self._n_pending += len(x)
        if self._n_pending >= block:
            self._send(self._n_pending // self._chunk * self._chunk)

    def _send(self, count: int, *, last: bool = False) -> None:
        """Pass ``count`` samples (whole chunks except at the end) to hash, envelope and disk."""
        block, self._values = _split(self._values, count)
        times, self._times = _split(self._times, count) if self._dt is None else (None, [])
        start, whole = self._n_sent, last and not self._n_sent
        self._n_pending -= count
        self._n_sent += count
        rows = block_minmax(block, BASE)
        self._rails.add(block, rows)
        short = whole and count * self._sample_bytes <= SHORT_BYTES
        hashing, writing = (
            (InlineJobs(), InlineJobs())
            if short
            else (self._threads.hashing, self._threads.writing)
        )
        hashing.put(lambda: self._hash(block, times))
        writing.put(lambda: self._store(start, block, times, rows, whole=whole))

    def _hash(self, block: NDArray[Any], times: NDArray[np.float64] | None) -> None:
        self._digest.values.update(block.data)
        if times is not None:
            self._digest.times.update(times.data)

    def _store(
        self,
        start: int,
        block: NDArray[Any],
        times: NDArray[np.float64] | None,
        rows: NDArray[Any],
        *,
        whole: bool,
    ) -> None:
        """Write a block; ``whole``: it is the channel's only one."""
        n, chunk = (len(block), min(len(block), self._chunk)) if whole else (None, self._chunk)
        if self._data is None:
            self._data = self._create("data", self._dtype, n, chunk)
            if times is not None:
                self._time = self._create("time", times.dtype, n, chunk)
            envelope = create_group(self._group, "envelope")
            self._finest = Level(envelope, BASE, self._dtype, ROWS * self._chunk // CHUNK)
        write_rows(self._data, start, block)
        if times is not None:
            write_rows(self._time, start, times)
        assert self._finest is not None
        self._finest.add(rows)
        self._threads.check()

    def _create(self, name: str, dtype: np.dtype[Any], n: int | None, chunk: int) -> h5d.DatasetID:
        return create_chunked(self._group, name, dtype, chunk=chunk, n=n, packed=True)

    def flush(self) -> None:
        """Send the pending samples; nothing may be appended afterwards."""
        if self._n_pending:
            self._send(self._n_pending, last=True)

    def finish(self) -> dict[str, Any]:
        """Write levels, counts and digest; the threads must have been joined.

        Returns
        -------
        dict
            The description of the channel for the file's index.
        """
        levels = self._finish_levels()
        if self._steps_back:
            self.properties["time_steps_back"] = self._steps_back
        plain: dict[str, Any] = {
            "path": self.path,
            "unit": self._unit,
            "n": self._n_sent,
            "t0": self._t0,
            "n_clipped": self._rails.count(),
            "digest": self._digest.hexdigest(
                dtype=dtype_name(self._dtype),
                unit=self._unit,
                t0=self._t0,
                dt=self._dt,
                x_unit=self._x_unit,
                scale=self._scale,
            ),
        }
        if self._x_unit != SECONDS:
            plain["x_unit"] = self._x_unit
        if self._dt is not None:
            plain["dt"] = self._dt
        if self._n_sent:
            plain["raw_min"], plain["raw_max"] = float(self._rails.low), float(self._rails.high)
        for key, value in plain.items():
            (set_text if isinstance(value, str) else set_number)(self._group, key, value)
        set_text(self._group, "scale", to_json(self._scale))
        set_text(self._group, "properties", to_json(self.properties))
        # closing a file makes h5py check every open object
        del self._group, self._data, self._time, self._finest
        return plain | {
            "dtype": self._dtype.str,
            "levels": levels,
            "scale": self._scale,
            "properties": self.properties,
        }

    def _finish_levels(self) -> list[int]:
        """Complete the envelope and return the factors of its levels."""
        if self._finest is None:  # a channel without samples has empty datasets, not none
            create_group(self._group, "envelope")
            write_small(self._group, "data", np.empty(0, self._dtype))
            if self._dt is None:
                write_small(self._group, "time", np.empty(0, "<f8"))
            return []
        self._finest.finish()
        return add_coarser_levels(self._finest)


def _split(parts: list[NDArray[Any]], count: int) -> tuple[NDArray[Any], list[NDArray[Any]]]:
    """Return the first ``count`` samples of the parts as one array, and the rest."""
    whole = parts[0] if len(parts) == 1 else np.concatenate(parts)
    rest = whole[count:]
    return whole[:count], [rest.copy()] if len(rest) else []


def _detached(x: NDArray[Any]) -> NDArray[Any]:
    """Return a copy of a small view, which would keep its whole base array in memory."""
    base = x.base
    whole = base is None or (isinstance(base, np.ndarray) and base.nbytes <= 2 * x.nbytes)
    return x if whole else x.copy()
