"""What HDF5's filters will make of the bytes of a chunk, checked before they run.

HDF5 and bitshuffle trust a chunk: one that decodes to less than its rows shows what else is in the
memory of the process, and a block of LZ4 that claims to be longer than it is ends the process. Both
are bytes that anybody can write into a file on a web server.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from ishtar.store.chunk_index import FILTERS, inflate

DEFLATE, FLETCHER32, BITSHUFFLE = 1, 3, 32008
LZ4 = 2  # of bitshuffle's compressors
BLOCK_HEADER = struct.Struct(">I")
BITSHUFFLE_HEADER = struct.Struct(">QI")
MULTIPLE = 8  # bitshuffle's blocks have so many elements, or a multiple; the rest follows as it is

Filter = tuple[int, int, tuple[int, ...]]
"""Number, flags and stored parameters of a filter."""


def check_filters(filters: Sequence[Filter]) -> None:
    """Raise ValueError for filters, or parameters, that stored files do not have."""
    codes = [code for code, _, _ in filters]
    for code, flags, values in filters:
        if code not in FILTERS:
            raise ValueError(f"HDF5's filter {code} is not among those of stored files")
        if flags not in (0, 1) or len(values) > 8 or any(not 0 <= v < 1 << 16 for v in values):
            raise ValueError(f"HDF5's filter {code} has the parameters {values}")
        if code == BITSHUFFLE and (values[4:] != (LZ4,) or values[3] % MULTIPLE):
            raise ValueError(f"bitshuffle has the parameters {values}")
    if len(set(codes)) != len(codes):
        raise ValueError(f"HDF5's filters {codes} repeat themselves")


def check_chunk(
    piece: bytes, mask: int, filters: Sequence[Filter], length: int, itemsize: int
) -> None:
    """Raise ValueError unless the filters make ``length`` bytes of a chunk.

    Parameters
    ----------
    piece : bytes
        The chunk as it is stored.
    mask : int
        A bit for each filter that was left out.
    filters : sequence of (int, int, tuple)
        As they were applied.
    length : int
        Bytes of its rows.
    itemsize : int
        Bytes of one number.
    """
    if not 0 <= mask < 1 << len(filters):
        raise ValueError(f"a chunk leaves out filters that there are not: {mask}")
    applied = [f for k, f in enumerate(filters) if not mask >> k & 1]
    size = len(piece)
    for code, _, _ in reversed(applied):
        if code == FLETCHER32:
            size -= 4
            piece = piece[: max(size, 0)]
        elif code == DEFLATE:
            piece = inflate(piece, length + 4)
            size = len(piece)
        elif code == BITSHUFFLE:
            size = _bitshuffled(piece, itemsize)
            piece = b""  # stored files have no filter before it
    if size != length:
        raise ValueError(f"a chunk holds {size} bytes instead of {length}")


def _bitshuffled(piece: bytes, itemsize: int) -> int:
    """Return the length of what bitshuffle decodes, if each of its blocks is where it says."""
    if len(piece) < BITSHUFFLE_HEADER.size:
        raise ValueError("a chunk is shorter than its header")
    size, block_bytes = BITSHUFFLE_HEADER.unpack_from(piece)
    block = block_bytes // itemsize
    if block < MULTIPLE or block % MULTIPLE or size % itemsize:
        raise ValueError(f"a chunk has blocks of {block_bytes} bytes")
    elements = size // itemsize
    blocks = elements // block + (elements % block >= MULTIPLE)
    if blocks * (BLOCK_HEADER.size + 1) > len(piece):
        raise ValueError(f"{blocks} blocks do not fit into a chunk of {len(piece)} bytes")
    at = BITSHUFFLE_HEADER.size
    for _ in range(blocks):
        if at + BLOCK_HEADER.size > len(piece):
            raise ValueError("a chunk has fewer blocks than it claims")
        at += BLOCK_HEADER.size + BLOCK_HEADER.unpack_from(piece, at)[0]
    if at + elements % MULTIPLE * itemsize != len(piece):
        raise ValueError("the blocks of a chunk are longer or shorter than they claim")
    return int(size)
