"""HDF5 chunks: what was not written is no value, and what is there fills its chunk."""

from __future__ import annotations

import bz2
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from h5py import h5d, h5p, h5s, h5t

from runner.ingest.hdf5 import h5_packed, h5_storage
from tests.hdf5_fakes import GOOD, Written, filtered, good, ingest

pytestmark = pytest.mark.whole

DATA = np.round(100 * np.sin(np.arange(5000) / 50)).astype(np.int16)
FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "gzip": {"compression": "gzip"},
    "gzip, shuffle and sum": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "sum": {"fletcher32": True},
    "shuffle and sum": {"shuffle": True, "fletcher32": True},
    "shuffle": {"shuffle": True},
    "lzf": {"compression": "lzf", "shuffle": True},
    "blosc": dict(hdf5plugin.Blosc()),
    "blosc2": dict(hdf5plugin.Blosc2()),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle-lz4": dict(hdf5plugin.Bitshuffle(cname="lz4")),
    "bitshuffle-zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "lz4": dict(hdf5plugin.LZ4()),
    "zstd": dict(hdf5plugin.Zstd()),
    "bzip2": dict(hdf5plugin.BZip2()),
}
each_filter = pytest.mark.parametrize("name", FILTERS)


@each_filter
@pytest.mark.parametrize(("chunk", "order"), [(7, ">"), (1024, "<"), (9000, ">")])
def test_whole_chunks_are_stored_as_they_were_written(
    tmp_path: Path, name: str, chunk: int, order: str
) -> None:
    data = DATA[:700] if chunk < 100 else DATA
    written = Written(
        tmp_path,
        lambda f: f.create_dataset(
            "g/U",
            data=data.astype(f"{order}i2"),
            chunks=(chunk,),
            maxshape=(None,),
            **FILTERS[name],
        ),
    )
    channel = written["g/U"]
    assert channel.dtype == np.int16
    np.testing.assert_array_equal(channel.raw(), data)


@each_filter
@pytest.mark.parametrize("n", [100, 2048])
def test_a_chunk_that_holds_less_or_more_than_a_chunk_is_refused(
    tmp_path: Path, name: str, n: int
) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        other = f.create_dataset("other", data=DATA[:n], chunks=(n,), **FILTERS[name])
        mask, raw = other.id.read_direct_chunk((0,))
        assert not mask
        dataset = f.create_dataset("U", (3072,), "i2", chunks=(1024,), **FILTERS[name])
        dataset[:] = DATA[:3072]
        dataset.id.write_direct_chunk((1024,), raw)
        del f["other"]

    reason = Written(tmp_path, fill).refused
    assert "is damaged: U: " in reason
    if name == "none":
        assert f"a chunk of it has {2 * n} of 2048 bytes" in reason
    else:
        assert f"its chunk at 1024: it holds {n} of 1024 values" in reason


@pytest.mark.parametrize("name", sorted(FILTERS.keys() - {"none"}))
@pytest.mark.parametrize("cut", [1, 50])
def test_a_chunk_that_was_cut_is_refused(tmp_path: Path, name: str, cut: int) -> None:
    def fill(f: h5py.File) -> None:
        dataset = f.create_dataset("U", data=DATA[:3072], chunks=(1024,), **FILTERS[name])
        mask, raw = dataset.id.read_direct_chunk((1024,))
        assert not mask
        dataset.id.write_direct_chunk((1024,), raw[:-cut])

    assert "is damaged: U: " in Written(tmp_path, fill).refused


@each_filter
def test_an_empty_chunk_is_refused(tmp_path: Path, name: str) -> None:
    def fill(f: h5py.File) -> None:
        dataset = f.create_dataset("U", data=DATA[:3072], chunks=(1024,), **FILTERS[name])
        dataset.id.write_direct_chunk((1024,), b"\0")

    assert "is damaged: U: " in Written(tmp_path, fill).refused


@pytest.mark.parametrize("n", [0, 1, 3, 4, 5, 2047, 2048, 2052])
def test_a_sum_within_the_compression_is_checked_too(tmp_path: Path, n: int) -> None:
    """Netcdf writes it so; of fewer than four bytes HDF5 would read before their begin."""

    def fill(f: h5py.File) -> None:
        summed = f.create_dataset("s", data=DATA[:1024], chunks=(1024,), fletcher32=True)
        raw = summed.id.read_direct_chunk((0,))[1][:n]
        del f["s"]
        dataset = filtered(f, "U", [(3, ()), (1, (4,))], 1024, 1024)
        dataset.write_direct_chunk((0,), zlib.compress(raw))

    written = Written(tmp_path, fill)
    if n == 2052:
        np.testing.assert_array_equal(written["U"].raw(), DATA[:1024])
    else:
        assert "is damaged: U: its chunk at 0: it " in written.refused


def test_a_chunk_that_could_not_be_compressed_went_without_the_filter(tmp_path: Path) -> None:
    noise = np.random.default_rng(1).integers(-30000, 30000, 400).astype(np.int16)

    def fill(f: h5py.File) -> None:
        options = dict(hdf5plugin.Blosc(shuffle=0))
        dataset = f.create_dataset("U", data=noise, chunks=(100,), **options)
        assert dataset.id.read_direct_chunk((100,))[0] == 1  # its mask: without the first filter

    np.testing.assert_array_equal(Written(tmp_path, fill)["U"].raw(), noise)


# What unpacking could do to us


def packed(code: int, raw: bytes, chunk: int = 1024) -> Callable[[h5py.File], None]:
    """Return what writes one chunk, packed by others."""

    def fill(f: h5py.File) -> None:
        good(f)
        settings = {32008: (0, 4, 2, 0, 2)}.get(code, ())
        dataset = filtered(f, "U", [(code, settings[3:])], chunk, chunk)
        dataset.write_direct_chunk((0,), raw)

    return fill


@pytest.mark.parametrize(
    ("code", "raw"),
    [
        (32004, struct.pack(">QI", 1 << 40, 1 << 20) + bytes(64)),
        (32008, struct.pack(">QI", 1 << 40, 1 << 13) + bytes(64)),
        (32001, struct.pack("<IIII", 1 << 24, 1 << 31, 1 << 13, 64) + bytes(48)),
        (32015, b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 1 << 40) + bytes(64)),
        (32008, struct.pack(">QI", 2048, 3) + bytes(64)),
        (32004, struct.pack(">QI", 2048, 0) + bytes(64)),
        (32015, b"\x28\xb5\x2f\xfd"),
        (32004, b"\0"),
    ],
)
def test_a_length_that_packed_data_claims_is_not_believed(
    tmp_path: Path, code: int, raw: bytes
) -> None:
    assert "is damaged: U: its chunk at 0: it " in Written(tmp_path, packed(code, raw)).refused


@pytest.mark.parametrize("code", [1, 307])
def test_a_stream_that_would_fill_the_memory_is_not_unpacked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    monkeypatch.setattr(h5_packed, "SAFE", 1 << 20)
    pack = {1: zlib.compress, 307: bz2.compress}[code]
    bomb = pack(bytes(50 << 20))
    reason = Written(tmp_path, packed(code, bomb)).refused
    held = int(reason.partition("it holds ")[2].partition(" of 1024")[0])
    assert 1024 < held <= 1 << 19  # it was left at the first MB


def test_a_large_honest_stream_is_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(h5_packed, "SAFE", 1000)
    options = {"compression": "gzip", "fletcher32": True}
    written = Written(
        tmp_path, lambda f: f.create_dataset("U", data=DATA, chunks=(5000,), **options)
    )
    np.testing.assert_array_equal(written["U"].raw(), DATA)


@pytest.mark.parametrize(
    ("codes", "reason"),
    [
        ([(1, (4,)), (1, (4,))], "it is compressed more than once"),
        ([(1, (4,)), (2, (2,))], "its filters come in an order that cannot be checked"),
        ([(3, ()), (32000, ())], "its filters come in an order that cannot be checked"),
        ([(6, (2, 0))], "what its filter 6 (scaleoffset) returns cannot be checked"),
        ([(5, ())], "what its filter 5 (nbit) returns cannot be checked"),
    ],
)
def test_filters_that_cannot_be_checked_leave_their_dataset_out(
    tmp_path: Path, codes: list[tuple[int, tuple[int, ...]]], reason: str
) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        h5py.Dataset(filtered(f, "U", codes, 100, 100))[:] = DATA[:100]

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert f"U is left out: {reason}" in written.reason


def test_a_filter_that_is_not_installed_leaves_its_dataset_out(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        dataset = filtered(f, "U", [(399, (1,))], 100, 100)
        dataset.write_direct_chunk((0,), DATA[:100].tobytes())

    written = Written(tmp_path, fill)
    np.testing.assert_array_equal(written["good/U"].raw(), GOOD)
    assert "U is left out: its filter 399 is not installed" in written.reason


# What was never written


def holes(f: h5py.File, present: list[int], **options: Any) -> h5py.Dataset:
    """Write some of ten chunks of 100 samples."""
    dataset = f.create_dataset("U", (950,), "i2", chunks=(100,), **options)
    for i in present:
        dataset[100 * i : 100 * i + 100] = DATA[100 * i : 100 * i + len(dataset[100 * i :][:100])]
    f.attrs["sampling"] = 1000.0
    return dataset


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}])
def test_the_end_that_was_never_written_is_no_part_of_the_channel(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    written = Written(tmp_path, lambda f: holes(f, [0, 1, 2], **options))
    channel = written["U"]
    np.testing.assert_array_equal(channel.raw(), DATA[:300])
    assert (channel.t0, channel.dt) == (0.0, 0.001)
    assert "650 of 950 samples of U were never written: left out" in written.reason


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}])
def test_what_comes_after_a_hole_keeps_its_place(tmp_path: Path, options: dict[str, Any]) -> None:
    channel = Written(tmp_path, lambda f: holes(f, [1, 2, 9], **options))["U"]
    places = np.concatenate([np.arange(100, 300), np.arange(900, 950)])
    np.testing.assert_array_equal(channel.raw(), DATA[places])
    np.testing.assert_allclose(channel.time(), places / 1000.0, rtol=1e-12)


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}])
def test_a_fill_value_that_the_dataset_defines_stands_for_what_was_never_written(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    written = Written(tmp_path, lambda f: holes(f, [0, 2, 9], fillvalue=-7, **options))
    expected = np.full(950, -7, dtype=np.int16)
    for span in (slice(0, 100), slice(200, 300), slice(900, 950)):
        expected[span] = DATA[:950][span]
    np.testing.assert_array_equal(written["U"].raw(), expected)
    assert (
        "700 of 950 samples of U were never written: they have its fill value -7" in written.reason
    )


@pytest.mark.parametrize("options", [{}, {"chunks": (10,)}, {"fillvalue": 3}])
def test_a_dataset_of_which_nothing_was_written_is_left_out(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f.create_dataset("U", (100,), "i2", **options)
        f.create_dataset("x", (), "i2")
        f.create_dataset("text", (), "S5")

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert "U is left out: its values were never written" in written.reason
    assert "x is left out: its value was never written" in written.reason
    assert "text is left out: its text was never written" in written.reason


def test_columns_of_which_some_chunks_are_missing_end_there(tmp_path: Path) -> None:
    data = np.arange(60.0).reshape(30, 2)

    def fill(f: h5py.File) -> None:
        dataset = f.create_dataset("U", (30, 2), "f8", chunks=(10, 1), compression="gzip")
        dataset[:20] = data[:20]
        dataset[20:, 0] = data[20:, 0]

    written = Written(tmp_path, fill)
    np.testing.assert_array_equal(written["U.0"].raw(), data[:20, 0])
    np.testing.assert_array_equal(written["U.1"].raw(), data[:20, 1])


# What cannot be there


@pytest.mark.parametrize("options", [{}, {"chunks": (1 << 20,)}, {"chunks": (1,)}])
@pytest.mark.parametrize("n", [1 << 40, 1 << 61, 1 << 31])
def test_a_claim_beyond_the_size_of_the_file_is_told_at_once(
    tmp_path: Path, options: dict[str, Any], n: int
) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f.create_dataset("U", (n,), "i1", **options)

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert "U is left out: it claims " in written.reason
    assert "but the whole file has" in written.reason


@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}])
def test_who_reserves_more_than_is_recorded_keeps_what_is(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    def fill(f: h5py.File) -> None:
        dataset = f.create_dataset("U", (1 << 40,), "i2", chunks=(1000,), **options)
        dataset[:3000] = DATA[:3000]

    np.testing.assert_array_equal(Written(tmp_path, fill)["U"].raw(), DATA[:3000])


def test_a_fill_value_does_not_make_a_small_file_large(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f.create_dataset("U", (1 << 40,), "i2", chunks=(1000,), fillvalue=3)[:1000] = DATA[:1000]

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert "U is left out: it claims 2.2 TB" in written.reason


def test_many_datasets_cannot_claim_together_what_one_cannot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(h5_storage, "FREE_CLAIM", 100_000)
    monkeypatch.setattr(h5_storage, "MAX_RATIO", 1)

    def fill(f: h5py.File) -> None:
        for i in range(20):
            f.create_dataset(f"U{i}", data=np.zeros(4000, "i2"), compression="gzip")

    assert "its datasets claim more than" in Written(tmp_path, fill).refused


def test_a_constant_channel_may_compress_a_thousand_times(tmp_path: Path) -> None:
    options = dict(hdf5plugin.Zstd())
    written = Written(
        tmp_path, lambda f: f.create_dataset("U", data=np.zeros(1 << 22, "i2"), **options)
    )
    assert written.path.stat().st_size < (1 << 23) / 400
    assert written["U"].n == 1 << 22


def test_a_chunk_larger_than_memory_is_left_out(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        dataset = filtered(f, "U", [(1, (4,))], 300 << 20, 300 << 20)
        dataset.write_direct_chunk((0,), zlib.compress(bytes(1000)))

    written = Written(tmp_path, fill)
    assert written.paths == ["good/U"]
    assert "U is left out: one chunk of it has 600 MB" in written.reason


def contiguous(f: h5py.File) -> None:
    f["a"] = np.arange(1000, 1512, dtype="<i8")
    f["b"] = np.arange(2000, 2512, dtype="<i8")


def move(source: Path, name: str, place: int, target: Path) -> None:
    """Make the values of a contiguous dataset of 4096 bytes lie elsewhere."""
    with h5py.File(source) as f:
        old = f[name].id.get_offset()
    layout = b"\x03\x01%b" + struct.pack("<Q", 4096)
    whole = source.read_bytes()
    before, after = (layout % struct.pack("<Q", x) for x in (old, place))
    assert whole.count(before) == 1
    target.write_bytes(whole.replace(before, after))


def test_values_beyond_the_end_of_the_file_are_not_read(tmp_path: Path) -> None:
    written = Written(tmp_path, contiguous)
    size = written.path.stat().st_size
    for wrong in (size - 100, 1 << 50):
        path = tmp_path / f"{wrong}.h5"
        move(written.path, "a", wrong, path)
        outcome = ingest(path)
        assert outcome.status == "quarantined"
        assert "is damaged: a" in outcome.reason


def test_two_datasets_never_share_bytes(tmp_path: Path) -> None:
    written = Written(tmp_path, contiguous)
    with h5py.File(written.path) as f:
        place = f["a"].id.get_offset()
    path = tmp_path / "shared.h5"
    move(written.path, "b", place + 8, path)
    outcome = ingest(path)
    assert outcome.status == "quarantined"
    assert "two pieces of its values overlap" in outcome.reason


def test_compact_and_empty_datasets_are_stored(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        creation = h5p.create(h5p.DATASET_CREATE)
        creation.set_layout(h5d.COMPACT)
        compact = h5d.create(f.id, b"U", h5t.STD_I16BE, h5s.create_simple((20,)), creation)
        compact.write(h5s.ALL, h5s.ALL, GOOD)
        f.create_dataset("empty", (0,), "f4", maxshape=(None,), compression="gzip")
        f.create_dataset("null", data=h5py.Empty("f4"))

    written = Written(tmp_path, fill)
    np.testing.assert_array_equal(written["U"].raw(), GOOD)
    assert (written["empty"].n, written["empty"].dtype) == (0, np.float32)
    assert written.source.properties["scalars"] == {"null": None}


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("maxshape", [(1000,), (None,)])
@pytest.mark.parametrize("options", [{}, {"compression": "gzip"}])
def test_every_index_of_chunks_is_read(
    tmp_path: Path, libver: str, maxshape: tuple[int | None], options: dict[str, Any]
) -> None:
    def fill(f: h5py.File) -> None:
        f.create_dataset("U", data=DATA[:1000], chunks=(64,), maxshape=maxshape, **options)
        f.create_dataset("one", data=DATA[:1000], chunks=(1000,), **options)
        f.create_dataset(
            "two", data=DATA[:1000].reshape(-1, 1), chunks=(64, 1), maxshape=(None, None), **options
        )

    written = Written(tmp_path, fill, libver=libver)
    for name in ("U", "one", "two"):
        np.testing.assert_array_equal(written[name].raw(), DATA[:1000])
