"""Raw values of a TDMS file in one pass, in the order of the file, in constant memory.

Blocks of a few MB are read whatever the segments are, which can be the whole file.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from runner.ingest.ingest_errors import NotWhole, Rejected, one_line
from runner.ingest.tdms.tdms_layout import Column, Key, Region
from runner.ingest.tdms.tdms_metadata import MetadataReader, Salvaged
from runner.ingest.tdms.tdms_types import decoded

BLOCK_BYTES = 8 << 20
REMEDY = "copy it again, or take what is whole with `ishtar ingest --salvage FILE`"
LONGEST_TEXTS = 1 << 20  # bytes of the texts of a chunk that are read


class Block(NamedTuple):
    """The next values of a channel; ``position`` is up to where the file has been read.

    ``values`` is an array, or a list of texts; a number of bytes where these are too long to be
    read, None where they do not lie as they should.
    """

    key: Key
    values: Any
    position: int


class TdmsMetadata:
    """What a TDMS file says of its objects, and where its values are.

    Parameters
    ----------
    path : Path
    salvage : bool
        Of a file that is damaged or not whole, take the segments before.

    Attributes
    ----------
    salvaged : Salvaged or None
        The salvaged part of an incomplete file.

    Raises
    ------
    NotWhole
        The last segment is incomplete, or bytes follow it that are no segment.
    Rejected
        The metadata cannot be understood.
    """

    def __init__(self, path: Path, *, salvage: bool = False) -> None:
        self.path = path
        with path.open("rb") as f:
            reader = _read(f, path, f.seek(0, 2), salvage=salvage)
        self.salvaged = reader.salvaged
        self.objects = reader.objects
        self.lost = reader.lost
        self.version = reader.version
        self.segments = reader.segments
        self.short, self.padded = reader.short, reader.padded
        self.n_values = self._count()

    def _count(self) -> dict[str, int]:
        """Return how many values each channel has, texts and DAQmx rows counted."""
        rows: dict[int, int] = {}
        columns: dict[int, tuple[Column, ...]] = {}  # most segments share them
        for region in self.regions():
            columns[id(region.columns)] = region.columns
            rows[id(region.columns)] = rows.get(id(region.columns), 0) + region.n_rows
        counts: dict[Key, int] = {}
        for k, n_rows in rows.items():
            for c in columns[k]:
                counts[c.key] = counts.get(c.key, 0) + n_rows * (c.n_texts or c.count)
        found: dict[str, int] = {}
        for key, n in counts.items():
            found[key.channel] = max(n, found.get(key.channel, 0))
        return found

    def regions(self) -> Iterator[Region]:
        """Yield where values are, in the order of the file."""
        for segment in self.segments:
            yield from segment.regions()

    def blocks(self, only: str | None = None) -> Iterator[Block]:
        """Yield raw values in the order of the file.

        Parameters
        ----------
        only : str, optional
            Object path of the one channel wanted.
        """
        with self.path.open("rb", buffering=0) as f:
            for region in self.regions():
                columns = [
                    c
                    for c in region.columns
                    if c.key.channel not in self.lost and only in (None, c.key.channel)
                ]
                if columns:
                    yield from _blocks(f, region, columns)


def _read(f: BinaryIO, path: Path, size: int, *, salvage: bool) -> MetadataReader:
    """Read all of the metadata; of a file that is not whole what is, where that is wanted."""
    reader, error = _attempt(f, path, size)
    if error is None:
        return reader
    if salvage:
        until = reader.position
        if isinstance(error, NotWhole):
            unfinished, second = _attempt(f, path, size, unfinished=True)
            if second is None:
                last = unfinished.segments[-1]
                end = max(r.offset + r.n_rows * r.row_bytes for r in last.regions())
                unfinished.salvaged = _salvaged(unfinished, end, size, error)
                return unfinished
        # read again, because what the damaged segment says of channels must not count
        whole, second = _attempt(f, path, until)
        if second is None and whole.segments:
            whole.salvaged = _salvaged(whole, until, size, error)
            return whole
        raise type(error)(f"{error}; nothing before that is whole: copy it again") from error
    raise type(error)(f"{error}: {REMEDY}") from error


def _attempt(
    f: BinaryIO, path: Path, size: int, *, unfinished: bool = False
) -> tuple[MetadataReader, Rejected | None]:
    reader = MetadataReader(f, path.name, size)
    try:
        reader.read(unfinished=unfinished)
    except Rejected as error:
        return reader, error
    return reader, None


def _salvaged(reader: MetadataReader, end: int, size: int, error: Rejected) -> Salvaged:
    return Salvaged(bytes=end, of=size, segments=reader.n_segments, reason=str(error))


def _blocks(f: BinaryIO, region: Region, columns: list[Column]) -> Iterator[Block]:
    if region.row_bytes > BLOCK_BYTES // 2 or any(c.key.is_text for c in columns):
        for row in range(region.n_rows):
            start = region.offset + row * region.row_bytes
            for c in columns:
                if c.key.is_text and (len(region.columns) > 1 or region.n_rows > 1):
                    _check_place(f, start + c.offset, c)
            yield from _read_long_row(f, start, columns)
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
            if c.bit is not None:
                own = (own >> c.bit) & 1
            yield Block(c.key, own, start + len(used))


def _read_long_row(f: BinaryIO, start: int, columns: list[Column]) -> Iterator[Block]:
    """Read the chunks of a row one after the other, each a slice at a time."""
    for c in columns:
        position = start + c.offset
        if c.key.is_text and c.count > LONGEST_TEXTS:
            yield Block(c.key, c.count, position + c.count)
            continue
        step = c.count if c.key.is_text else BLOCK_BYTES // 2 // c.dtype.itemsize
        for first in range(0, c.count, max(1, step)):
            values = np.empty(min(step, c.count - first), dtype=c.dtype)
            _fill(f, position, values.view(np.uint8))
            position += values.nbytes
            if c.key.is_text:
                yield Block(c.key, _texts(values.tobytes(), c), position)
            else:
                yield Block(c.key, values, position)


def _check_place(f: BinaryIO, start: int, column: Column) -> None:
    """Refuse texts that do not fill their place: what lies behind them could be anywhere."""
    ends = np.empty(1, dtype=("<" if column.little else ">") + "u4")
    _fill(f, start + 4 * (column.n_texts - 1), ends.view(np.uint8))
    n_bytes = 4 * column.n_texts + int(ends[0])
    if n_bytes != column.count:
        raise Rejected(
            f"it is damaged: at byte {start}, {column.n_texts} texts of "
            f"{one_line(column.key.channel)} have {n_bytes} bytes in a place of {column.count}: "
            "copy it again"
        )


def _texts(data: bytes, column: Column) -> list[str] | None:
    """Return the texts of a chunk, where the ends of all of them stand before their bytes."""
    order = "<" if column.little else ">"
    ends = np.frombuffer(data, dtype=order + "u4", count=column.n_texts).astype(np.int64)
    body = data[4 * column.n_texts :]
    starts = np.concatenate([np.zeros(1, dtype=np.int64), ends[:-1]])
    if np.any(ends < starts) or ends[-1] > len(body):
        return None
    return [decoded(body[a:b]) for a, b in zip(starts, ends, strict=True)]


def _fill(f: BinaryIO, start: int, buffer: NDArray[np.uint8]) -> None:
    f.seek(start)
    view = memoryview(buffer)
    while len(view):
        n = f.readinto(view)  # type: ignore[attr-defined]
        if not n:
            raise NotWhole("the file became shorter while it was read")
        view = view[n:]
