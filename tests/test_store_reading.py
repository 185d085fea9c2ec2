"""Reading stretches of stored channels: in blocks, through tables, and what damage looks like."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ishtar.errors import DamagedFile
from ishtar.store import Origin, SourceFile, SourceWriter, blocks, reader
from ishtar.store.h5_names import group_name
from ishtar.store.h5_write import MAX_ATTRIBUTE_BYTES

N = 5000
KINDS = ("int8", "uint8", "int16", "uint16", "int32", "float32", "float64")
SCALE = [{"kind": "linear", "slope": 0.1, "intercept": -3.0}]


def origin() -> Origin:
    return Origin(
        shot=1, source="x", size=1, sha256="0", converter="c", writer="w", arrived="2026-11-22"
    )


@pytest.fixture(scope="module")
def stored(tmp_path_factory):
    """A file with a channel of each kind, over the whole range of those of up to 16 bits."""
    path = tmp_path_factory.mktemp("store") / "x.h5"
    rng = np.random.default_rng(0)
    with SourceWriter(path, origin()) as writer:
        writer.attributes["long"] = "é" * MAX_ATTRIBUTE_BYTES
        for kind in KINDS:
            info = np.iinfo(kind) if np.dtype(kind).kind in "iu" else np.iinfo(np.int16)
            values = rng.integers(info.min, info.max, N, endpoint=True, dtype=np.int64)
            values[:2] = info.min, info.max
            channel = writer.channel(f"g/{kind}", dtype=kind, dt=1e-3, scale=SCALE)
            channel.append(values.astype(kind))
    return path


@pytest.fixture
def short_blocks(monkeypatch):
    """Everything is a long stretch of many small blocks."""
    monkeypatch.setattr(reader, "MIN_LENGTH", 1)
    monkeypatch.setattr(blocks, "READ_LENGTH", 700)
    monkeypatch.setattr(blocks, "BLOCK_LENGTH", 300)


bounds = st.none() | st.integers(-N - 10, N + 10)


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.sampled_from(KINDS), bounds, bounds)
def test_a_long_stretch_is_to_the_last_bit_what_it_is_at_once(
    stored, short_blocks, kind, start, stop
):
    channel = SourceFile(stored).channels[f"g/{kind}"]
    raw = channel.raw()[start:stop]
    assert raw.dtype == kind

    def compute(x):
        return np.sqrt(np.abs(x.astype(np.float64))) * 0.3 + x

    found = channel.through(compute, start or 0, stop)
    assert found.dtype == np.float64
    assert np.array_equal(found, compute(raw))


def test_a_calibration_is_computed_once_for_each_raw_value(stored, short_blocks):
    asked = []

    def compute(x):
        asked.append(len(x))
        return x * 2.0

    SourceFile(stored).channels["g/int8"].through(compute)
    assert asked == [256]


def test_what_a_calibration_raises_is_not_told_as_damage_of_the_file(stored, short_blocks):
    def compute(x):
        raise KeyError("my own")

    for kind in ("int16", "float64"):
        with pytest.raises(KeyError, match="my own") as told:
            SourceFile(stored).channels[f"g/{kind}"].through(compute)
        assert not isinstance(told.value, DamagedFile)


def test_a_chunk_damaged_inside_a_long_stretch_names_the_file(stored, short_blocks, tmp_path):
    copy = tmp_path / "x.h5"
    copy.write_bytes(stored.read_bytes())
    with h5py.File(copy) as f:
        chunk = f[group_name("g/int16") + "/data"].id.get_chunk_info(0)
    with copy.open("r+b") as f:
        f.seek(chunk.byte_offset)
        f.write(b"\xff" * chunk.size)
    channel = SourceFile(copy).channels["g/int16"]
    for read in (channel.raw, channel.scaled):
        with pytest.raises(DamagedFile, match=r"x\.h5 cannot be read .*: ingest its source again"):
            read()


def test_a_file_that_is_gone_is_not_told_as_damaged(stored, short_blocks, tmp_path):
    copy = tmp_path / "x.h5"
    copy.write_bytes(stored.read_bytes())
    channel = SourceFile(copy).channels["g/int16"]
    copy.unlink()
    for read in (channel.raw, channel.scaled):
        with pytest.raises(FileNotFoundError):
            read()


def test_a_text_too_long_for_an_attribute_is_read_with_the_others(stored):
    source = SourceFile(stored)
    assert source.attributes["long"] == "é" * MAX_ATTRIBUTE_BYTES
    assert source.origin == origin()
    assert [*source.channels] == sorted(f"g/{kind}" for kind in KINDS)


def test_bits_that_rot_in_the_data_are_told_when_they_are_read(tmp_path):
    values = (np.arange(200_000) * 37 % 5000).astype(np.int16)
    path = tmp_path / "00001_Data.tdms.h5"
    with SourceWriter(path, origin()) as w:
        w.channel("DAQ/a", dtype=np.int16, unit="V", dt=1e-5).append(values)
    with h5py.File(path) as f:
        chunk = f["channels"]
        while not isinstance(chunk, h5py.Dataset):
            chunk = chunk["data"] if "data" in chunk else chunk[next(iter(chunk))]
        where = chunk.id.get_chunk_info(0)
    content = bytearray(path.read_bytes())
    middle = where.byte_offset + where.size // 2
    content[middle : middle + 8] = bytes(8)
    path.write_bytes(content)
    channel = SourceFile(path).channels["DAQ/a"]
    with pytest.raises(DamagedFile, match=r"00001_Data\.tdms\.h5"):
        channel.raw(0, 1000)
