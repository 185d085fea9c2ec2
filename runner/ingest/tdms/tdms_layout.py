"""The layout of the values of a TDMS segment: tables of rows and columns.

An interleaved segment has a row for each sample, a contiguous one a row for each of its chunks,
with many values of a channel side by side; a DAQmx segment has rows of a card's buffer, in which
scalers point at bytes, a table for each card.

Where the metadata do not say beyond doubt where the values of a channel lie, the channel is *lost*,
with a reason; where that makes those of the others doubtful too, all of the segment's are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from runner.ingest.ingest_errors import Rejected
from runner.ingest.tdms.tdms_types import DataType, Order, possible_sizes

MAX_VALUES = 64  # bytes of values that may be made of a byte: 8 lines in it, each a uint64


class Key(NamedTuple):
    """Identifies the values of a channel, one of its DAQmx scalers, or a text channel."""

    channel: str
    scaler: int | None = None
    is_text: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Scaler:
    """The position of a value in the rows of a DAQmx buffer; ``bit`` of a digital line."""

    number: int
    data_type: DataType
    buffer: int
    offset: int
    bit: int | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class RawIndex:
    """The metadata of a channel's values in each chunk of a segment.

    ``n_bytes`` is None where the size of a value is not known.
    """

    data_type: DataType
    count: int
    n_bytes: int | None = 0
    scalers: tuple[Scaler, ...] = ()
    widths: tuple[int, ...] = ()
    problem: str = ""

    @property
    def is_daqmx(self) -> bool:
        return bool(self.widths)

    @property
    def signature(self) -> tuple[int, frozenset[tuple[int, int]]]:
        """What must not change between segments of one channel."""
        return self.data_type.code, frozenset((s.number, s.data_type.code) for s in self.scalers)


@dataclass(frozen=True, kw_only=True, slots=True)
class Column:
    """``count`` values of a channel in each row, ``offset`` bytes from the row's start."""

    key: Key
    dtype: np.dtype[Any]
    offset: int
    count: int
    bit: int | None = None
    n_texts: int = 0
    little: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Table:
    """Rows of columns; ``n_rows`` of them make its part of a chunk."""

    columns: tuple[Column, ...]
    row_bytes: int
    n_rows: int


@dataclass(frozen=True, kw_only=True, slots=True)
class Shape:
    """The chunk of a segment: one table after the other; ``lost`` are paths with their reasons."""

    tables: tuple[Table, ...]
    lost: dict[str, str]
    in_rows: bool  # one table whose rows go on from chunk to chunk

    @property
    def chunk_bytes(self) -> int:
        return sum(t.row_bytes * t.n_rows for t in self.tables)


@dataclass(frozen=True, kw_only=True, slots=True)
class Region:
    """A range of the file with rows of columns."""

    offset: int
    n_rows: int
    row_bytes: int
    columns: tuple[Column, ...]


Parts = Sequence[tuple[str, RawIndex]]


def shape_of(parts: Parts, order: Order, interleaved: bool, size: int) -> Shape:
    """Return how the chunks of a segment are laid out.

    Parameters
    ----------
    parts : sequence of (str, RawIndex)
        Object paths that have values in the segment, in the order of their values.
    order : str
        ``"<"`` or ``">"``.
    interleaved : bool
        Sample by sample.
    size : int
        Bytes of the segment's raw data: they tell the size of values that are not known.

    Raises
    ------
    Rejected
        Nothing of the segment can be found.
    """
    if any(index.is_daqmx for _, index in parts):
        if not all(index.is_daqmx for _, index in parts):
            return _all_lost(parts, "DAQmx values and others lie in one segment", size)
        return _daqmx(parts, order, size)
    if interleaved and not (len(parts) == 1 and parts[0][1].data_type.kind == "text"):
        return _interleaved(parts, order, size)
    return _contiguous(parts, order, size)


def _all_lost(parts: Parts, reason: str, size: int) -> Shape:
    lost = {path: reason for path, _ in parts}
    table = Table(columns=(), row_bytes=size, n_rows=1)
    return Shape(tables=(table,), lost=lost, in_rows=False)


def _interleaved(parts: Parts, order: Order, size: int) -> Shape:
    if any(index.data_type.kind == "text" for _, index in parts):
        return _all_lost(parts, "texts lie between interleaved values", size)
    if len({index.count for _, index in parts}) != 1:
        return _all_lost(parts, "interleaved channels have different lengths", size)
    unknown = _unknown_size(parts, size)
    if unknown is None:
        return _all_lost(parts, _no_size(parts), size)
    columns, width, lost = [], 0, {}
    for path, index in parts:
        t = index.data_type
        if t.dtype is None:
            lost[path] = _left_out(t)
        else:
            columns.append(Column(key=Key(path), dtype=t.in_file(order), offset=width, count=1))
        width += unknown if index.n_bytes is None else index.n_bytes // index.count
    table = Table(columns=tuple(columns), row_bytes=width, n_rows=parts[0][1].count)
    return Shape(tables=(table,), lost=lost, in_rows=True)


def _contiguous(parts: Parts, order: Order, size: int) -> Shape:
    unknown = _unknown_size(parts, size)
    if unknown is None:
        return _all_lost(parts, _no_size(parts), size)
    columns, offset, lost = [], 0, {}
    for path, index in parts:
        t = index.data_type
        n_bytes = index.count * unknown if index.n_bytes is None else index.n_bytes
        if t.kind == "text":
            key = Key(path, is_text=True)
            columns.append(
                Column(
                    key=key,
                    dtype=np.dtype(np.uint8),
                    offset=offset,
                    count=n_bytes,
                    n_texts=index.count,
                    little=order == "<",
                )
            )
        elif t.dtype is None:
            lost[path] = _left_out(t)
        else:
            key = Key(path)
            columns.append(
                Column(key=key, dtype=t.in_file(order), offset=offset, count=index.count)
            )
        offset += n_bytes
    table = Table(columns=tuple(columns), row_bytes=offset, n_rows=1)
    return Shape(tables=(table,), lost=lost, in_rows=False)


def _left_out(data_type: DataType) -> str:
    return f"its values are of a kind that is not read ({data_type.name})"


def _no_size(parts: Parts) -> str:
    names = sorted({i.data_type.name for _, i in parts if i.n_bytes is None})
    return f"values of {', '.join(names)}, of unknown size, lie among its own"


def _unknown_size(parts: Parts, size: int) -> int | None:
    """Return the size of values whose type does not tell it, if only one fits the segment."""
    odd = [index for _, index in parts if index.n_bytes is None]
    if not odd:
        return 0
    if len({index.data_type.code for index in odd}) != 1:
        return None
    count = sum(index.count for index in odd)
    known = sum(index.n_bytes or 0 for _, index in parts)
    fitting = [s for s in possible_sizes(odd[0].data_type.code) if size % (known + s * count) == 0]
    if not known:  # nothing else lies there, so that it does not matter
        return fitting[0] if fitting else None
    return fitting[0] if len(fitting) == 1 else None


def _daqmx(parts: Parts, order: Order, size: int) -> Shape:
    widths = parts[0][1].widths
    if any(index.widths != widths for _, index in parts):
        return _all_lost(parts, "its DAQmx channels state different widths of a row", size)
    rows = [0] * len(widths)
    for _, index in parts:
        for s in index.scalers:
            if s.buffer < len(widths):
                rows[s.buffer] = max(rows[s.buffer], index.count)
    columns: list[list[Column]] = [[] for _ in widths]
    lost = {}
    for path, index in parts:
        if problem := index.problem or _outside(index, widths, rows):
            lost[path] = problem
            continue
        for s in index.scalers:
            number = s.number if index.data_type.kind == "scalers" else None
            columns[s.buffer].append(
                Column(
                    key=Key(path, number),
                    dtype=s.data_type.in_file(order),
                    offset=s.offset,
                    count=1,
                    bit=s.bit,
                )
            )
    tables = tuple(
        Table(columns=tuple(c), row_bytes=w, n_rows=n)
        for c, w, n in zip(columns, widths, rows, strict=True)
        if n and w
    )
    for t in tables:
        if sum(c.dtype.itemsize for c in t.columns) > MAX_VALUES * t.row_bytes:
            raise Rejected(f"{len(t.columns)} DAQmx scalers share rows of {t.row_bytes} bytes")
    return Shape(tables=tables, lost=lost, in_rows=len(tables) == 1)


def _outside(index: RawIndex, widths: Sequence[int], rows: Sequence[int]) -> str:
    """Return why the values of a DAQmx channel cannot be taken from the rows, or nothing."""
    for s in index.scalers:
        if s.buffer >= len(widths) or s.offset + (s.data_type.size or 0) > widths[s.buffer]:
            return f"its scaler {s.number} lies outside of the card's rows"
        if rows[s.buffer] != index.count:
            return f"it has {index.count} values in a buffer of {rows[s.buffer]} rows"
    return "" if index.scalers else "it has no scalers"


def regions(shape: Shape, start: int, end: int, *, whole: bool) -> Iterator[Region]:
    """Yield the regions of a segment's raw data.

    Parameters
    ----------
    shape : Shape
    start, end : int
        Where the raw data lie in the file.
    whole : bool
        The segment was written to its end. Else whole rows and chunks are taken, and no more.

    Raises
    ------
    Rejected
        A whole segment does not hold whole rows.
    """
    size = end - start
    chunk = shape.tables[0].row_bytes if shape.in_rows else shape.chunk_bytes
    if chunk <= 0:
        raise Rejected(f"it has {size} bytes of values, but no channel for them")
    n_chunks, rest = divmod(size, chunk)
    short = _shortened(shape, rest) if rest and whole else None
    if rest and whole and (short is None or not n_chunks):
        what = "rows" if shape.in_rows else "chunks"
        raise Rejected(f"its {size} bytes of values do not make {what} of {chunk} bytes")
    if len(shape.tables) == 1:
        t = shape.tables[0]
        yield Region(offset=start, n_rows=n_chunks, row_bytes=t.row_bytes, columns=t.columns)
    else:
        for k in range(n_chunks):
            offset = start + k * chunk
            for t in shape.tables:
                yield Region(
                    offset=offset, n_rows=t.n_rows, row_bytes=t.row_bytes, columns=t.columns
                )
                offset += t.n_rows * t.row_bytes
    if short is not None:
        yield Region(offset=start + n_chunks * chunk, n_rows=1, row_bytes=rest, columns=short)


def _shortened(shape: Shape, rest: int) -> tuple[Column, ...] | None:
    """Return the columns of a last chunk that is short by the same share of each channel.

    LabVIEW writes such chunks where the last write of a loop had fewer values.
    """
    whole = shape.chunk_bytes
    if shape.in_rows or len(shape.tables) != 1 or shape.lost:
        return None
    columns = []
    for c in shape.tables[0].columns:
        if c.n_texts or c.count * rest % whole or c.offset * rest % whole:
            return None
        columns.append(
            Column(
                key=c.key,
                dtype=c.dtype,
                offset=c.offset * rest // whole,
                count=c.count * rest // whole,
            )
        )
    return tuple(columns)
