"""Some bins of a level as compressed bytes.

::

    for each column:  1 byte: how codes are predicted, 2 bytes: the code before the first
    if rounded:       8 bytes: value of code 0, 8 bytes: what a code is worth
    for each column:  what the predictions are off, low bytes, then high bytes
    if irregular:     places of the first samples of the bins as float64, by weight of the bytes

All together compressed by zlib; numbers are little-endian. A column is what single samples are, or
the minima, and one is the maxima less the minima. What a prediction is off, modulo 65536, is
written as 0, -1, 1, -2, 2 …: 0, 1, 2, 3, 4 …
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.packs.codes import NO_VALUE

LEVEL = 6  # of zlib
HEAD = struct.Struct("<BH")
ROUNDING = struct.Struct("<dd")
MOST_BYTES = 1 << 17  # of a block, decompressed

Codes = NDArray[np.uint16]
Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Bins:
    """The content of a block.

    Attributes
    ----------
    codes : (1, m) or (2, m) uint16
        Of samples, or of minima and maxima.
    rounding : (float, float), optional
        The value of code 0 and what a code is worth; None if a ladder has the values.
    places : (m,) float64, optional
        Of the first samples, relative to the first one of the record; only for irregular sampling.
    """

    codes: Codes
    rounding: tuple[float, float] | None = None
    places: Array | None = None


def pack(bins: Bins) -> bytes:
    """Return the bytes of a block."""
    columns = [bins.codes[0]]
    if len(bins.codes) > 1:
        height = np.where(bins.codes[0] == NO_VALUE, 0, bins.codes[1] - bins.codes[0])
        columns.append(height.astype(np.uint16))
    heads, planes = [], []
    for column in columns:
        kind, before, off = _predicted(column)
        heads.append(HEAD.pack(kind, before))
        planes.append(byte_planes(_folded(off)))
    rounding = ROUNDING.pack(*bins.rounding) if bins.rounding else b""
    places = b"" if bins.places is None else byte_planes(bins.places.astype("<f8"))
    stream = zlib.compressobj(LEVEL, strategy=zlib.Z_FILTERED)  # 5 % less than the usual one
    return stream.compress(b"".join([*heads, rounding, *planes, places])) + stream.flush()


def unpack(content: bytes, m: int, *, columns: int, has_ladder: bool, irregular: bool) -> Bins:
    """Return what `pack` made bytes of; ValueError if they are damaged."""
    stream = zlib.decompressobj()
    try:
        found = stream.decompress(content, MOST_BYTES)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    rounding_at = columns * HEAD.size
    at = rounding_at + (0 if has_ladder else ROUNDING.size)
    if len(found) != at + 2 * m * columns + (8 * m if irregular else 0):
        raise ValueError(f"a block of {m} bins has {len(found)} bytes")
    codes = np.empty((columns, m), dtype=np.uint16)
    for i in range(columns):
        kind, before = HEAD.unpack_from(found, i * HEAD.size)
        off = _unfolded(from_byte_planes(found[at : at + 2 * m], "<u2"))
        codes[i] = _restored(off, kind, before)
        at += 2 * m
    if columns == 2:
        codes[1] = np.where(codes[0] == NO_VALUE, NO_VALUE, codes[0] + codes[1])
    return Bins(
        codes=codes,
        rounding=None if has_ladder else ROUNDING.unpack_from(found, rounding_at),
        places=from_byte_planes(found[at:], "<f8") if irregular else None,
    )


# --- predictions ---------------------------------------------------------------------------------

CONSTANT, LAST, LINE = 0, 1, 2
"""A code is predicted as the code before the first, the last one, or on a line with the last two"""


def _predicted(column: Codes) -> tuple[int, int, Codes]:
    """Return the best kind of prediction, the code before the first, and what it is off."""
    candidates = []
    for kind, before in (
        (CONSTANT, int(np.median(column))),
        (LAST, int(column[0])),
        (LINE, int(column[0])),
    ):
        off = _off(column, kind, before)
        size = np.log2(1.0 + np.abs(off.view(np.int16).astype(np.float64))).sum()
        candidates.append((float(size), kind, before, off))
    _, kind, before, off = min(candidates, key=lambda c: c[:2])
    return kind, before, off


def _off(column: Codes, kind: int, before: int) -> Codes:
    start = np.full(2, before, dtype=np.uint16)
    padded = np.concatenate([start, column])
    last, second = padded[1:-1], padded[:-2]
    if kind == CONSTANT:
        return np.asarray(column - start[0])
    return np.asarray(column - last if kind == LAST else column - (last + last - second))


def _restored(off: Codes, kind: int, before: int) -> Codes:
    if kind == CONSTANT:
        return np.asarray(off + np.uint16(before))
    if kind not in (LAST, LINE):
        raise ValueError(f"there is no prediction {kind}")
    steps = np.cumsum(off, dtype=np.uint16) if kind == LINE else off
    return np.asarray(np.cumsum(steps, dtype=np.uint16) + np.uint16(before))


def _folded(off: Codes) -> Codes:
    signed = off.view(np.int16)
    return np.asarray((signed << 1) ^ (signed >> 15)).view(np.uint16)


def _unfolded(folded: Codes) -> Codes:
    return np.asarray((folded >> 1) ^ (0 - (folded & 1)).astype(np.uint16))


def byte_planes(values: NDArray[np.generic]) -> bytes:
    """Return little-endian numbers as bytes: all lowest ones, then the next …"""
    width = values.dtype.itemsize
    little = np.ascontiguousarray(values, dtype=values.dtype.newbyteorder("<"))
    return little.view(np.uint8).reshape(-1, width).T.tobytes()


def from_byte_planes(content: bytes, dtype: str) -> NDArray[Any]:
    """Return the numbers that `byte_planes` wrote."""
    width = np.dtype(dtype).itemsize
    by_weight = np.frombuffer(content, np.uint8).reshape(width, -1)
    return np.ascontiguousarray(by_weight.T).view(dtype).ravel()
