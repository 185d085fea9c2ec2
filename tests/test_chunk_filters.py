"""Chunks that others wrote: HDF5 gets none that would show or overwrite other memory."""

from __future__ import annotations

import random
import struct
import tracemalloc
import zlib
from contextlib import suppress
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest

from ishtar.store import Origin, SourceWriter
from ishtar.store.chunk_decode import ChunkedRows
from ishtar.store.chunk_index import describe_shot, lengths, read_description

FILTERED = [[32008, 1, [0, 4, 2, 0, 2]]]
FLIPS = 1200

# --- claims --------------------------------------------------------------------------------------

HUGE = 1 << 41


@pytest.mark.parametrize(
    "table", [{"table": [0, 1 << 30]}, {"table": [0, 40]}, {"chunks": [[], [], []]}]
)
@pytest.mark.parametrize("chunk", [1 << 16, 1 << 40, 1])
def test_two_terabytes_in_two_kilobytes_take_no_memory(table, chunk):
    entry = {"dtype": "<i2", "shape": [HUGE // 2], "chunk": chunk, "filters": FILTERED} | table
    asked: list[int] = []

    def fetch(spans):
        asked.extend(length for _, length in spans)
        return [zlib.compress(bytes(1 << 20)) for _ in spans]

    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=r"chunk|table|compressed"):
            ChunkedRows(entry, HUGE, fetch, lambda span: fetch([span])[0]).reader(0, 100)
        assert tracemalloc.get_traced_memory()[1] < 10_000_000
    finally:
        tracemalloc.stop()


# --- chunks --------------------------------------------------------------------------------------

ROWS = 1 << 14


def rows_of(piece: bytes, filters: Any, mask: int = 0) -> Any:
    """Return what is read of a chunk."""
    entry = {"dtype": "<i2", "shape": [ROWS], "chunk": ROWS, "filters": filters}
    entry["chunks"] = [[0], [len(piece)], [mask]]
    rows = ChunkedRows(entry, len(piece), lambda spans: [piece for _ in spans], lambda _: b"")
    return rows.reader(0, ROWS)(0, ROWS, None)


def block(length: int, content: bytes) -> bytes:
    """Return a block of bitshuffle."""
    return struct.pack(">I", length) + content


SHORT = {
    "deflate": (zlib.compress(b"ab"), [[1, 0, [6]]], 0),
    "deflate that never ends": (zlib.compress(bytes(1 << 24)), [[1, 0, [6]]], 0),
    "filter left out": (b"abcdefgh", [[1, 0, [6]]], 1),
    "filter that is not there left out": (bytes(2 * ROWS), [[1, 0, [6]]], 6),
    "checksum alone": (b"abcdefgh" + bytes(4), [[3, 0, []]], 0),
    "shuffled": (b"abcdefgh", [[2, 0, [2]]], 0),
    "no filter": (b"abcd", [], 0),
    "less than a header": (b"abcd", FILTERED, 0),
    "bitshuffle of little": (struct.pack(">QI", 16, 8192) + block(5, b"12345"), FILTERED, 0),
    "bitshuffle of 2**62": (struct.pack(">QI", 2**62, 8192) + block(5, b"12345"), FILTERED, 0),
    "blocks that end beyond": (
        struct.pack(">QI", 2 * ROWS, 8192) + block(1 << 28, b"12345") + bytes(99),
        FILTERED,
        0,
    ),
    "blocks of nothing": (struct.pack(">QI", 2 * ROWS, 0) + bytes(99), FILTERED, 0),
}


@pytest.mark.parametrize("what", SHORT)
def test_a_chunk_that_is_less_than_its_rows_never_reaches_hdf5(what):
    """HDF5 returns other memory of the process for some of them, and crashes for others."""
    with pytest.raises(ValueError, match=r"chunk|compressed|parameters"):
        rows_of(*SHORT[what])


def test_samples_with_flipped_bytes_are_an_error_or_samples(tmp_path):
    rng = random.Random(3)
    values = np.random.default_rng(3).integers(-99, 99, ROWS).astype("<i2")
    with h5py.File(tmp_path / "x.h5", "w") as file:
        options = hdf5plugin.Bitshuffle()
        data = file.create_dataset("x", data=values, chunks=(ROWS,), **options)
        piece = data.id.read_direct_chunk((0,))[1]
    np.testing.assert_array_equal(rows_of(piece, FILTERED), values)
    for _ in range(FLIPS):
        wrong = bytearray(piece)
        wrong[rng.randrange(rng.choice([40, len(wrong)]))] = rng.randrange(256)
        with suppress(ValueError, OSError):
            assert rows_of(bytes(wrong), FILTERED).shape == values.shape


# --- the description -----------------------------------------------------------------------------


def test_a_description_of_many_channels_is_short(tmp_path):
    """Opening a shot costs some 100 bytes a channel; levels are fetched when they are looked at."""
    path = tmp_path / "x.h5"
    origin = dict.fromkeys(("source", "sha256", "converter", "writer", "arrived"), "")
    noise = np.random.default_rng(5).integers(-9999, 9999, 60_000).astype(np.int16)
    with SourceWriter(path, Origin(shot=1, size=1, **origin)) as writer:
        for k in range(20):
            writer.channel(f"DAQ/ai{k}", dtype=np.int16, dt=1e-6).append(noise + k)
    content = describe_shot([path], edits="")
    begin, total = lengths(content)
    assert begin < 20 * 150 < total == len(content)
    entry = read_description(content[:begin])["files"][0]["datasets"]["DAQ/ai7"]
    (coarsest,) = (e for e in entry.values() if "rows_at" in e)
    rows = ChunkedRows(
        coarsest, len(content), lambda _: [], lambda s: content[begin + s[0] : begin + sum(s)]
    )
    factor = -(-len(noise) // rows.shape[0])
    assert (
        rows.reader(0, 1)(0, 1, None).tolist()[0][0]
        == (noise + 7)[: 1 << factor.bit_length() - 1].min()
    )
