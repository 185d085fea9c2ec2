"""The unpacked length of packed data, and its completeness, checked before unpacking.

Some of the programs that unpack trust their data: they take whatever memory it asks for, read on
behind its end (LZ4, bitshuffle, Blosc) or never stop (bzip2). So what the format says of its
lengths is looked at first. Formats that do not tell enough for that are not in `KNOWN`.
"""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Sequence
from typing import Any

DEFLATE, BZIP2, LZF, BLOSC, LZ4, BITSHUFFLE = 1, 307, 32000, 32001, 32004, 32008
ZSTD, BLOSC2 = 32015, 32026
KNOWN = {DEFLATE, BZIP2, LZF, BLOSC, LZ4, BITSHUFFLE, ZSTD, BLOSC2}
COUNTED = KNOWN - {LZF, BLOSC2}  # their length can be determined
SAFE = 1 << 30  # bytes of memory
_DEFLATE_GROWS = 1032  # at most so many bytes from one
_ZSTD_MAGIC = b"\x28\xb5\x2f\xfd"


def unpacked_length(
    code: int, settings: Sequence[int], data: memoryview, due: int, *, always: bool = False
) -> int | None:
    """Return the unpacked length, bytes; None where unpacking is harmless.

    Parameters
    ----------
    code : int
        The HDF5 filter that packed it.
    settings : sequence of int
        Of that filter.
    data : memoryview
        What is packed.
    due : int
        The right length: more than a little over it is never unpacked.
    always : bool
        Wanted where unpacking is harmless, too; for `COUNTED`.

    Returns
    -------
    int or None
        -1 where the data is not whole.
    """
    try:
        if code == ZSTD:
            return _zstd(bytes(data[:18]))
        if code == LZ4:
            return _lz4(data)
        if code == BITSHUFFLE:
            return _bitshuffle(settings, data)
        if code == BLOSC:
            length, _, packed = struct.unpack_from("<III", data, 4)
            return length if packed == len(data) else -1
    except (struct.error, IndexError, ZeroDivisionError):
        return -1
    if code == BZIP2:
        return _counted(bz2.BZ2Decompressor(), data, due)
    if code == DEFLATE and (always or len(data) * _DEFLATE_GROWS > SAFE):
        return _counted(zlib.decompressobj(), data, due)
    return None


def _zstd(head: bytes) -> int:
    """Return the content size in a frame header of Zstandard (RFC 8878, 3.1.1.1)."""
    if head[:4] != _ZSTD_MAGIC:
        return -1
    flags = head[4]
    single = flags >> 5 & 1
    start = 5 + (1 - single) + (0, 1, 2, 4)[flags & 3]
    size = (single, 2, 4, 8)[flags >> 6]
    length = int.from_bytes(head[start : start + size], "little")
    return length + 256 if size == 2 else length


def _lz4(data: memoryview) -> int:
    """Walk over the blocks of the LZ4 filter: total and block length, then each with its length."""
    total, block = struct.unpack_from(">QI", data, 0)
    at, n_blocks = 12, -(-total // min(block, total)) if total else 0
    return total if _end_of_blocks(data, at, n_blocks) == len(data) else -1


def _bitshuffle(settings: Sequence[int], data: memoryview) -> int | None:
    """Walk over the blocks of bitshuffle; the last few elements are uncompressed."""
    item, packing = settings[2], settings[4] if len(settings) > 4 else 0
    if not packing:
        return None
    total, block_bytes = struct.unpack_from(">QI", data, 0)
    block, n = block_bytes // item, total // item
    if block % 8 or not block:
        return -1
    full, rest = divmod(n, block)
    n_blocks = full + (rest >= 8)
    end = _end_of_blocks(data, 12, n_blocks) + rest % 8 * item
    return total if end == len(data) and n * item == total else -1


def _end_of_blocks(data: memoryview, at: int, n_blocks: int) -> int:
    """Return the end of a number of blocks, each after its length; struct.error beyond the data."""
    if 4 * n_blocks > len(data):
        return -1
    for _ in range(n_blocks):
        at += 4 + int(struct.unpack_from(">I", data, at)[0])
    return at


def _counted(stream: Any, data: memoryview, due: int) -> int:
    """Unpack a stream in pieces and count, until it exceeds the expected length."""
    done = 0
    rest: Any = data
    while not stream.eof and done <= due:
        try:
            piece = stream.decompress(rest, 1 << 20)
        except (OSError, zlib.error):
            return -1
        rest = getattr(stream, "unconsumed_tail", b"")
        if not piece and not rest:
            return -1 if not stream.eof else done
        done += len(piece)
    return done
