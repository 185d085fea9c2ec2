"""Raw values of a TDMS file in one pass, in the order of the file, in constant memory.

npTDMS reads the metadata; the values are read here. Its own ``data_chunks()`` gives scaled values
only, and holds a whole segment at a time, which can be the whole file: this reads blocks of a few
MB whatever the segments are.

All layouts are rows of columns: an interleaved segment has a row for each sample, a contiguous
one a row for each of its chunks with many values of a channel side by side, a DAQmx segment
rows of the card's buffer in which scalers point at bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runner.ingest.errors import NotWhole, Rejected

BLOCK_BYTES = 8 << 20
LONGEST_TEXT = 16 << 20  # of a property
_RAW_DATA = 1 << 3
_INTERLEAVED = 1 << 5
_BIG_ENDIAN = 1 << 6


class Key(NamedTuple):
    """Which values: of a channel (object path), of one of its DAQmx scalers, or a text channel."""

    channel: str
    scaler: int | None = None
    is_text: bool = False


@dataclass(frozen=True, kw_only=True)
class Column:
    """``count`` values of a channel in each row, ``offset`` bytes from the row's start."""

    key: Key
    dtype: np.dtype[Any]
    offset: int
    count: int
    finish: Callable[[NDArray[Any]], NDArray[Any]] | None = None
    text: Any = None  # npTDMS' type, which knows how to read texts


@dataclass(frozen=True, kw_only=True)
class Region:
    """A stretch of the file that is rows of columns."""

    offset: int
    n_rows: int
    row_bytes: int
    columns: tuple[Column, ...]


class Block(NamedTuple):
    """The next values of a channel; ``position`` is up to where the file has been read."""

    key: Key
    values: Any
    position: int


class TdmsMetadata:
    """What a TDMS file says of its objects, and where its values are.

    Raises
    ------
    NotWhole
        The last segment is incomplete, or bytes follow it that are no segment.
    Rejected
        The metadata cannot be understood.
    """

    def __init__(self, path: Path) -> None:
        from nptdms.reader import TdmsReader

        self.path = path
        with _quiet_nptdms(), path.open("rb") as f:
            # An open file, because npTDMS would trust a `.tdms_index` beside a path.
            reader = TdmsReader(_MetadataFile(f))
            try:
                reader.read_metadata(require_segment_indexes=False)
            except struct.error as error:
                raise NotWhole(f"{path.name} ends inside its metadata") from error
            except Exception as error:  # npTDMS raises bare exceptions, too
                raise Rejected(f"{path.name} is no TDMS file that can be read: {error}") from error
            size = f.seek(0, 2)
        self.objects = reader.object_metadata
        self.version = reader.tdms_version
        self.segments: list[Any] = reader._segments or []
        self._refuse_incomplete(size)

    def _refuse_incomplete(self, size: int) -> None:
        end = self.segments[-1].next_segment_pos if self.segments else 0
        if self.segments and self.segments[-1].segment_incomplete:
            raise NotWhole(
                f"{self.path.name} is truncated: its last segment (number {len(self.segments)}) "
                "was not written to the end"
            )
        if end != size:
            raise NotWhole(
                f"{self.path.name} is truncated: {size - end} bytes after segment "
                f"{len(self.segments)} do not make another"
            )

    def regions(self) -> Iterator[Region]:
        """Yield where values are, in the order of the file."""
        for segment in self.segments:
            objects = [o for o in segment.ordered_objects if o.has_data and o.number_values]
            if segment.toc_mask & _RAW_DATA and objects and segment.num_chunks:
                yield from _segment_regions(segment, objects)

    def blocks(self, only: str | None = None) -> Iterator[Block]:
        """Yield raw values in the order of the file.

        Parameters
        ----------
        only : str, optional
            Object path of the one channel wanted.
        """
        with self.path.open("rb", buffering=0) as f:
            for region in self.regions():
                columns = region.columns
                if only is not None:
                    columns = tuple(c for c in columns if c.key.channel == only)
                if columns:
                    yield from _read(f, region, columns)


def _segment_regions(segment: Any, objects: list[Any]) -> Iterator[Region]:
    order = ">" if segment.toc_mask & _BIG_ENDIAN else "<"
    if hasattr(objects[0], "daqmx_metadata"):
        return _daqmx(segment, objects, order)
    if segment.toc_mask & _INTERLEAVED and all(o.data_type.size for o in objects):
        return _interleaved(segment, objects, order)
    return _contiguous(segment, objects, order)


def _interleaved(segment: Any, objects: list[Any], order: str) -> Iterator[Region]:
    if len({o.number_values for o in objects}) != 1:
        raise Rejected("interleaved channels of different lengths")
    columns, width = [], 0
    for o in objects:
        columns.append(
            Column(key=Key(o.path), dtype=_dtype(o.data_type, order), offset=width, count=1)
        )
        width += o.data_type.size
    size = segment.next_segment_pos - segment.data_position
    n_rows = min(objects[0].number_values * segment.num_chunks, size // width)
    yield Region(
        offset=segment.data_position, n_rows=n_rows, row_bytes=width, columns=tuple(columns)
    )


def _contiguous(segment: Any, objects: list[Any], order: str) -> Iterator[Region]:
    short = segment.final_chunk_lengths_override
    whole = segment.num_chunks - (1 if short is not None else 0)
    columns, width = _chunk([(o, o.number_values) for o in objects], order)
    yield Region(offset=segment.data_position, n_rows=whole, row_bytes=width, columns=columns)
    if short is not None:
        if any(o.data_type.size is None for o in objects):
            raise Rejected("a chunk with texts is shorter than its metadata say")
        columns, rest = _chunk([(o, short.get(o.path, 0)) for o in objects], order)
        start = segment.data_position + whole * width
        yield Region(offset=start, n_rows=1, row_bytes=rest, columns=columns)


def _chunk(objects: list[tuple[Any, int]], order: str) -> tuple[tuple[Column, ...], int]:
    columns, offset = [], 0
    for o, count in objects:
        is_text = o.data_type.size is None
        dtype = np.dtype(np.uint8) if is_text else _dtype(o.data_type, order)
        n_bytes = (o.data_size if count else 0) if is_text else count * dtype.itemsize
        columns.append(
            Column(
                key=Key(o.path, is_text=is_text),
                dtype=dtype,
                offset=offset,
                count=n_bytes if is_text else count,
                text=(o.data_type, count, order) if is_text else None,
            )
        )
        offset += n_bytes
    return tuple(columns), offset


def _daqmx(segment: Any, objects: list[Any], order: str) -> Iterator[Region]:
    from nptdms.daqmx import get_buffer_dimensions

    buffers = get_buffer_dimensions(objects)
    n_chunks = segment.num_chunks
    left = segment.next_segment_pos - segment.data_position
    if len(buffers) == 1:  # chunk after chunk of the same rows: rows without end
        buffers, n_chunks = [(buffers[0][0] * n_chunks, buffers[0][1])], 1
    offset = segment.data_position
    for _ in range(n_chunks):
        for number, (n_rows, width) in enumerate(buffers):
            rows = min(n_rows, left // width) if width else 0
            columns = tuple(_daqmx_columns(objects, number, order))
            yield Region(offset=offset, n_rows=rows, row_bytes=width, columns=columns)
            offset += n_rows * width
            left = max(0, left - n_rows * width)


def _daqmx_columns(objects: list[Any], buffer: int, order: str) -> Iterator[Column]:
    from nptdms.daqmx import DigitalLineScaler

    for o in objects:
        raw = o.data_type.nptype is None  # DaqMxRawData: scalers by their numbers
        for scaler in o.daqmx_metadata.scalers:
            if scaler.raw_buffer_index == buffer:
                digital = isinstance(scaler, DigitalLineScaler)
                yield Column(
                    key=Key(o.path, scaler.scale_id if raw else None),
                    dtype=_dtype(scaler.data_type, order),
                    offset=scaler.byte_offset(),
                    count=1,
                    finish=scaler.postprocess_data if digital else None,
                )


def _dtype(data_type: Any, order: str) -> np.dtype[Any]:
    """Return how a value lies in the file."""
    if data_type.enum_value == 0x44:  # time stamp: 2^-64 s, then s since 1904; reversed if big
        fields = [("fraction", order + "u8"), ("seconds", order + "i8")]
        return np.dtype(fields if order == "<" else fields[::-1])
    if data_type.nptype is None:
        raise Rejected(f"values of type {data_type.__name__}, which has no number")
    if data_type.nptype.kind == "b":
        return np.dtype(np.uint8)
    return data_type.nptype.newbyteorder(order)


def _read(f: BinaryIO, region: Region, columns: tuple[Column, ...]) -> Iterator[Block]:
    if region.row_bytes > BLOCK_BYTES // 2 or any(c.key.is_text for c in columns):
        for row in range(region.n_rows):
            yield from _read_long_row(f, region.offset + row * region.row_bytes, columns)
        return
    n_each = max(1, BLOCK_BYTES // max(1, region.row_bytes))
    buffer = np.empty(min(n_each, region.n_rows) * region.row_bytes, dtype=np.uint8)
    for first in range(0, region.n_rows, n_each):
        n_rows = min(n_each, region.n_rows - first)
        start = region.offset + first * region.row_bytes
        used = buffer[: n_rows * region.row_bytes]
        _fill(f, start, used)
        for c in columns:
            values = np.ndarray(
                (n_rows, c.count),
                dtype=c.dtype,
                buffer=used.data,
                offset=c.offset,
                strides=(region.row_bytes, c.dtype.itemsize),
            )
            own = np.array(values, order="C").reshape(-1)
            yield Block(c.key, c.finish(own) if c.finish else own, start + len(used))


def _read_long_row(f: BinaryIO, start: int, columns: tuple[Column, ...]) -> Iterator[Block]:
    """Read the chunks of a row one after the other, each a slice at a time."""
    for c in columns:
        position = start + c.offset
        step = c.count if c.key.is_text else BLOCK_BYTES // 2 // c.dtype.itemsize
        for first in range(0, c.count, max(1, step)):
            values = np.empty(min(step, c.count - first), dtype=c.dtype)
            _fill(f, position, values.view(np.uint8))
            position += values.nbytes
            if c.text is not None:
                yield Block(c.key, _texts(values.tobytes(), *c.text), position)
            else:
                yield Block(c.key, values, position)


def _texts(data: bytes, data_type: Any, count: int, order: str) -> list[str]:
    """Return the texts of a chunk: ends of all of them, then their bytes."""
    ends = np.frombuffer(data, dtype=order + "u4", count=count)
    body = data[4 * count :]
    starts = np.concatenate([np.zeros(1, dtype=ends.dtype), ends])[:count]
    return [body[a:b].decode("utf-8", errors="replace") for a, b in zip(starts, ends, strict=True)]


def _fill(f: BinaryIO, start: int, buffer: NDArray[np.uint8]) -> None:
    f.seek(start)
    view = memoryview(buffer)
    while len(view):
        n = f.readinto(view)  # type: ignore[attr-defined]
        if not n:
            raise NotWhole("the file became shorter while it was read")
        view = view[n:]


class _MetadataFile:
    """A file of which nobody reads much at once: damaged metadata may ask for all of it."""

    def __init__(self, file: BinaryIO) -> None:
        self.seek, self.tell, self._read = file.seek, file.tell, file.read

    def read(self, size: int) -> bytes:
        """Read some bytes of metadata."""
        if size > LONGEST_TEXT:
            raise ValueError(f"a text in its metadata has {size} bytes")
        return self._read(size)


class _quiet_nptdms:
    """Keep npTDMS from printing warnings of its own: what matters is raised here."""

    def __enter__(self) -> None:
        import logging

        import nptdms.daqmx
        import nptdms.reader
        import nptdms.tdms_segment
        import nptdms.types

        modules = (nptdms.daqmx, nptdms.reader, nptdms.tdms_segment, nptdms.types)
        self._loggers = [m.log for m in modules]
        self._levels = [log.level for log in self._loggers]
        for log in self._loggers:
            log.setLevel(logging.ERROR)

    def __exit__(self, *_: object) -> None:
        for log, level in zip(self._loggers, self._levels, strict=True):
            log.setLevel(level)
