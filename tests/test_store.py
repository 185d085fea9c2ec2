"""The store: what goes in comes out, whole and verified, or nothing does."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
from pathlib import Path

import h5py
import hdf5plugin  # noqa: F401  the filter of the datasets that are damaged on purpose
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from ishtar.errors import DamagedFile
from ishtar.store import (
    Origin,
    ScaleError,
    SourceFile,
    SourceWriter,
    StoreError,
    apply_scale,
    atomic_path,
    problems,
    write_atomic,
)
from ishtar.store.channel_writer import CHUNK
from ishtar.store.deferred_error_file import DeferredErrorFile
from ishtar.store.envelope import BASE, ROWS, STEP, block_minmax
from ishtar.store.h5_names import group_name
from ishtar.store.job_thread import JobThread

ORIGIN = Origin(
    shot=1234,
    source="01234_Data.tdms",
    size=17,
    sha256="ab" * 32,
    converter="tdms 1",
    writer="LabVIEW",
    arrived="2026-11-22T10:00:00+01:00",
)
DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "float32", "float64"]


def stored(path: Path, values: np.ndarray, parts: int = 1, **options: object) -> SourceFile:
    """Write one channel `g/c` in so many parts and open the file."""
    options = {"dt": 1e-5} | options
    with SourceWriter(path, ORIGIN) as w:
        channel = w.channel("g/c", dtype=values.dtype, **options)  # type: ignore[arg-type]
        for part in np.array_split(values, parts):
            channel.append(part)
    return SourceFile(path)


def brute_envelope(x: np.ndarray, factor: int) -> list[tuple[float, float]]:
    return [(x[i : i + factor].min(), x[i : i + factor].max()) for i in range(0, len(x), factor)]


# Round trip


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    values=st.sampled_from(DTYPES).flatmap(
        lambda d: hnp.arrays(d, hnp.array_shapes(max_dims=1, max_side=700))
    ),
    parts=st.integers(1, 9),
)
def test_every_value_comes_back_as_it_was(tmp_path: Path, values: np.ndarray, parts: int) -> None:
    channel = stored(tmp_path / "x.h5", values, parts).channels["g/c"]
    assert channel.dtype == values.dtype
    np.testing.assert_array_equal(channel.raw(), values)
    assert channel.n == len(values)
    assert channel.nbytes == values.nbytes
    assert not list(problems(tmp_path / "x.h5"))


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    n=st.integers(0, 4 * CHUNK),
    cuts=st.lists(st.integers(0, 4 * CHUNK), max_size=5),
)
def test_the_digest_does_not_depend_on_how_samples_were_appended(
    tmp_path: Path, n: int, cuts: list[int]
) -> None:
    values = np.arange(n, dtype=np.int32)
    times = np.sqrt(np.arange(n))
    digests = set()
    for where in ([], sorted(c for c in cuts if c < n)):
        with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
            regular = w.channel("g/regular", dtype=np.int32, dt=1.0)
            irregular = w.channel("g/irregular", dtype=np.int32, irregular=True)
            for part, t in zip(np.split(values, where), np.split(times, where), strict=True):
                regular.append(part)
                irregular.append(part, t)
        channels = SourceFile(tmp_path / "x.h5").channels
        digests.add((channels["g/regular"].digest, channels["g/irregular"].digest))
        np.testing.assert_array_equal(channels["g/irregular"].time(), times)
    assert len(digests) == 1


def test_the_digest_tells_values_times_and_meaning_apart(tmp_path: Path) -> None:
    x = np.arange(10, dtype=np.int16)
    digests = [
        stored(tmp_path / "x.h5", *args, **options).channels["g/c"].digest
        for args, options in [
            ((x,), {}),
            ((x + 1,), {}),
            ((x.astype(np.int32),), {}),
            ((x,), {"unit": "V"}),
            ((x,), {"t0": 1.0}),
            ((x,), {"dt": 2e-5}),
            ((x,), {"scale": [{"kind": "linear", "slope": 2.0, "intercept": 0.0}]}),
        ]
    ]
    assert len(set(digests)) == len(digests)
    assert stored(tmp_path / "x.h5", x, properties={"a": 1}).channels["g/c"].digest == digests[0]


def test_a_buffer_may_be_used_again_after_append(tmp_path: Path) -> None:
    buffer = np.zeros(1000, dtype=np.int16)
    with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
        channel = w.channel("g/c", dtype=np.int16, dt=1.0)
        for k in range(200):
            buffer[:] = k
            channel.append(buffer)
    x = SourceFile(tmp_path / "x.h5").channels["g/c"].raw()
    np.testing.assert_array_equal(x, np.repeat(np.arange(200, dtype=np.int16), 1000))


def test_what_a_source_says_of_the_shot_and_of_itself_is_kept(tmp_path: Path) -> None:
    long = "x" * 200_000
    with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
        w.attributes["gas"] = "Ar"
        w.properties.update(long=long, number=np.float32(0.5), when=np.datetime64("2026-11-22"))
        w.origin_sha256, w.origin_writer = "cd" * 32, "LabVIEW 2016"
        w.channel("g/c", dtype=np.int8, dt=1.0, properties={"long": long})
    source = SourceFile(tmp_path / "x.h5")
    assert source.attributes == {"gas": "Ar"}
    assert source.properties == {"long": long, "number": 0.5, "when": "2026-11-22"}
    assert (source.origin.sha256, source.origin.writer) == ("cd" * 32, "LabVIEW 2016")
    assert source.origin.shot == 1234
    assert source.channels["g/c"].properties == {"long": long}
    assert not list(problems(tmp_path / "x.h5"))


@given(paths=st.lists(st.text(min_size=1, max_size=8), unique=True, min_size=2, max_size=6))
def test_no_two_channels_share_a_group(paths: list[str]) -> None:
    groups = [group_name(path) for path in paths]
    assert len(set(groups)) == len(groups)
    assert all(len(g.split("/")) == 3 and "" not in g.split("/") for g in groups)


@pytest.mark.parametrize(
    "paths",
    [
        ["PXI M6251/Lang_I", "PXI M6251/cDAQ1/ai0", "PXI M6251/cDAQ1", "PXI M6251"],
        ["ä/µ Ω", "./..", "../.", "a/%2F", "a//", "/", " / "],
    ],
)
def test_channels_may_be_called_anything(tmp_path: Path, paths: list[str]) -> None:
    with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
        for i, path in enumerate(paths):
            w.channel(path, dtype=np.int16, dt=1.0).append(np.full(5, i, dtype=np.int16))
    channels = SourceFile(tmp_path / "x.h5").channels
    assert list(channels) == sorted(paths)
    assert [int(channels[p].raw()[0]) for p in paths] == list(range(len(paths)))


# Times


def test_times_of_a_regular_channel_follow_from_t0_and_dt(tmp_path: Path) -> None:
    channel = stored(tmp_path / "x.h5", np.arange(10, dtype=np.int16), t0=-0.5, dt=0.25).channels[
        "g/c"
    ]
    np.testing.assert_array_equal(channel.time(2, 5), [0.0, 0.25, 0.5])
    assert len(channel.time(8, 99)) == 2
    assert not channel.irregular


def test_an_irregular_channel_keeps_its_times_and_says_when_they_step_back(tmp_path: Path) -> None:
    with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
        channel = w.channel("S7/p", dtype=np.float64, unit="V", irregular=True)
        channel.append([1.0, 2.0, 3.0], [0.5, 0.7, 0.6])
        channel.append([4.0], [0.1])
    read = SourceFile(tmp_path / "x.h5").channels["S7/p"]
    assert read.irregular
    assert read.dt is None
    assert read.t0 == 0.5
    np.testing.assert_array_equal(read.time(), [0.5, 0.7, 0.6, 0.1])
    np.testing.assert_array_equal(read.time(1, 3), [0.7, 0.6])
    assert read.properties["time_steps_back"] == 2


# Envelope


@pytest.mark.parametrize("dtype", ["int16", "uint8", "float32"])
def test_each_level_of_the_envelope_bounds_its_blocks(tmp_path: Path, dtype: str) -> None:
    rng = np.random.default_rng(7)
    x = (100 + 30 * rng.standard_normal(3 * BASE * 1024 + 777)).astype(dtype)
    channel = stored(tmp_path / "x.h5", x, 7).channels["g/c"]
    assert channel.levels == (BASE, BASE * STEP)
    for factor in channel.levels:
        np.testing.assert_array_equal(channel.level(factor), brute_envelope(x, factor))
    np.testing.assert_array_equal(channel.level(BASE, 5, 7), brute_envelope(x, BASE)[5:7])
    assert (channel.raw_min, channel.raw_max) == (x.min(), x.max())


def test_a_long_envelope_is_written_in_pieces(tmp_path: Path) -> None:
    x = np.arange(ROWS * BASE * 2 + 3 * BASE + 5, dtype=np.int32)
    channel = stored(tmp_path / "x.h5", x, 3).channels["g/c"]
    assert channel.levels == (128, 512, 2048, 8192)
    for factor in channel.levels:
        level = channel.level(factor)
        assert len(level) == -(-len(x) // factor)
        np.testing.assert_array_equal(level[:, 0], np.arange(0, len(x), factor))
        assert level[-1, 1] == x[-1]


def test_nan_do_not_hide_what_is_around_them(tmp_path: Path) -> None:
    x = np.arange(300, dtype=np.float64)
    x[5] = np.nan
    x[128:256] = np.nan
    channel = stored(tmp_path / "x.h5", x).channels["g/c"]
    np.testing.assert_array_equal(channel.level(BASE), [[0, 127], [np.nan, np.nan], [256, 299]])
    assert (channel.raw_min, channel.raw_max) == (0.0, 299.0)


def test_blocks_of_pairs_combine_minima_and_maxima() -> None:
    pairs = np.array([[0, 5], [-3, 2], [1, 9], [4, 4], [7, 8]])
    np.testing.assert_array_equal(block_minmax(pairs, 4), [[-3, 9], [7, 8]])
    assert block_minmax(np.empty(0, dtype=np.int16), 4).shape == (0, 2)


# Rails


@pytest.mark.parametrize(
    ("values", "clipped"),
    [
        (np.array([32767, 5, -32768, 32767], dtype=np.int16), 3),
        (np.array([0, 1, 1, 0], dtype=np.uint8), 0),  # a digital line
        (np.array([0, 7, 255, 255], dtype=np.uint8), 3),
        (np.array([0, 1, 2], dtype=np.uint32), 0),  # a counter
        (np.array([1.0, np.inf]), 0),
    ],
)
def test_samples_at_the_rails_are_counted(tmp_path: Path, values: np.ndarray, clipped: int) -> None:
    assert stored(tmp_path / "x.h5", values).channels["g/c"].n_clipped == clipped


# Scales


def test_scale_steps_are_applied_in_their_order(tmp_path: Path) -> None:
    scale = [
        {"kind": "linear", "slope": 0.5, "intercept": 1.0},
        {"kind": "polynomial", "coefficients": [0.0, 0.0, 1.0]},
        {"kind": "table", "x": [0.0, 4.0, 9.0], "y": [0.0, 1.0, 2.0]},
    ]
    channel = stored(tmp_path / "x.h5", np.array([2, 4], dtype=np.int16), scale=scale).channels[
        "g/c"
    ]
    np.testing.assert_allclose(channel.scaled(), [1.0, 2.0])
    assert channel.scaled().dtype == np.float64
    assert channel.scale == scale
    np.testing.assert_array_equal(channel.raw(), [2, 4])


def test_scaling_leaves_the_raw_values_alone() -> None:
    raw = np.array([1.0, 2.0])
    apply_scale(raw, [{"kind": "linear", "slope": 3.0, "intercept": 0.0}])
    np.testing.assert_array_equal(raw, [1.0, 2.0])


def test_an_unknown_scale_type_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ScaleError, match=r"unknown scale type 'RTD' \(known: linear"):
        stored(tmp_path / "x.h5", np.zeros(3), scale=[{"kind": "RTD"}])
    assert not list(tmp_path.iterdir())


# Refusals


@pytest.mark.parametrize(
    ("options", "values", "message"),
    [
        ({"dtype": "int16", "dt": 1.0}, np.array([1.5]), "do not fit"),
        ({"dtype": "int16", "dt": 1.0}, np.array([40000]), "do not fit"),
        ({"dtype": "int16", "dt": 1.0}, np.zeros((2, 2), dtype=np.int16), "give 1-D"),
        ({"dtype": "complex128", "dt": 1.0}, None, "not numbers"),
        ({"dtype": "int16", "dt": 0.0}, None, "must be positive"),
        ({"dtype": "int16", "dt": 1.0, "t0": float("nan")}, None, "must be finite"),
        ({"dtype": "int16"}, None, "give dt, or irregular"),
        ({"dtype": "int16", "irregular": True}, np.zeros(2, dtype=np.int16), "give time_s"),
    ],
)
def test_what_makes_no_channel_is_refused(
    tmp_path: Path, options: dict, values: np.ndarray | None, message: str
) -> None:
    with (
        pytest.raises(StoreError, match=message),
        SourceWriter(tmp_path / "x.h5", ORIGIN) as w,
    ):
        w.channel("g/c", **options).append(values if values is not None else [])
    assert not list(tmp_path.iterdir())


def test_a_channel_is_begun_once(tmp_path: Path) -> None:
    with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
        w.channel("g/c", dtype=np.int16, dt=1.0)
        with pytest.raises(StoreError, match="occurs twice"):
            w.channel("g/c", dtype=np.int16, dt=1.0)


def test_whole_numbers_given_as_python_ints_fit_an_integer_channel(tmp_path: Path) -> None:
    with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
        w.channel("g/c", dtype=np.int16, dt=1.0).append([1, 2, 3])
    np.testing.assert_array_equal(SourceFile(tmp_path / "x.h5").channels["g/c"].raw(), [1, 2, 3])


# Whole or not at all


def test_an_error_leaves_nothing_behind(tmp_path: Path) -> None:
    def write() -> None:
        with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
            w.channel("g/c", dtype=np.int16, dt=1.0).append(np.zeros(10 * CHUNK, dtype=np.int16))
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        write()
    assert not list(tmp_path.iterdir())
    assert not [t for t in threading.enumerate() if t.name.startswith("store-")]


def test_an_exclusive_writer_never_replaces_a_file(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    writer = SourceWriter(path, ORIGIN, exclusive=True).__enter__()
    writer.channel("g/c", dtype=np.int16, dt=1.0).append([2])
    stored(path, np.array([1], dtype=np.int16))  # somebody else was faster
    with pytest.raises(FileExistsError):
        writer.__exit__(None, None, None)
    assert SourceFile(path).channels["g/c"].raw()[0] == 1
    assert os.listdir(tmp_path) == ["x.h5"]


def test_an_atomic_file_appears_whole_or_stays_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "x.txt"
    write_atomic(path, "first")

    def half() -> None:
        with atomic_path(path) as temporary:
            temporary.write_text("half")
            raise RuntimeError("midway")

    with pytest.raises(RuntimeError, match="midway"):
        half()
    assert path.read_text() == "first"
    with pytest.raises(FileExistsError):
        write_atomic(path, "second", exclusive=True)
    write_atomic(path, "third")
    assert path.read_text() == "third"
    assert os.listdir(path.parent) == ["x.txt"]


FULL_DISK = """
import json, resource, signal, sys
from pathlib import Path
import numpy as np
from ishtar.store import Origin, SourceWriter
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = int(sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
origin = Origin(**json.loads(sys.argv[3]))
noise = np.random.default_rng(0).integers(-30000, 30000, 1 << 19).astype(np.int16)
try:
    with SourceWriter(Path(sys.argv[1]), origin) as w:
        w.channel("g/c", dtype=np.int16, dt=1.0).append(noise)
except OSError as error:
    print("OSError", error.errno)
"""


# early in the data, among the last of it, and when HDF5 closes the file
@pytest.mark.parametrize("missing", [780_000, 24_000, 1])
def test_a_disk_that_takes_no_more_is_an_error_and_leaves_nothing(
    tmp_path: Path, missing: int
) -> None:
    whole = tmp_path / "whole.h5"
    noise = np.random.default_rng(0).integers(-30000, 30000, 1 << 19).astype(np.int16)
    with SourceWriter(whole, ORIGIN) as w:
        w.channel("g/c", dtype=np.int16, dt=1.0).append(noise)
    limit = whole.stat().st_size - missing
    whole.unlink()
    origin = json.dumps(vars(ORIGIN))
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "x.h5"), str(limit), origin],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stdout.startswith("OSError"), done.stderr
    assert done.returncode == 0, done.stderr
    assert not list(tmp_path.iterdir())


# Damage


def flip_a_byte(path: Path, at: int) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 0x40
    path.write_bytes(data)


def test_a_changed_sample_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    noise = np.random.default_rng(0).integers(-30000, 30000, 50_000).astype(np.int16)
    stored(path, noise)
    with h5py.File(path) as f:
        info = f[group_name("g/c")]["data"].id.get_chunk_info(0)
        at = info.byte_offset + info.size // 2
    flip_a_byte(path, at)
    (problem,) = problems(path)
    assert "g/c" in problem


def test_a_changed_meaning_is_found(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    stored(path, np.arange(5, dtype=np.int16), unit="V")
    with h5py.File(path, "r+") as f:
        f[group_name("g/c")].attrs["unit"] = "A"
    assert list(problems(path)) == [
        "its index differs from its channels",
        "channel g/c: its values differ from those written",
    ]


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ('"levels"', '"lovels"'),
        ('"unit"', '"umit"'),
        ('[{"', '[["'),
        ('"<i2"', '"<q2"'),
        ('"properties": {}', '"properties": []'),
    ],
)
def test_an_index_that_no_writer_wrote_is_told(tmp_path: Path, was: str, becomes: str) -> None:
    path = tmp_path / "x.h5"
    stored(path, np.arange(5, dtype=np.int16))
    with h5py.File(path, "r+") as f:
        text = str(f.attrs["index"])
        assert was in text
        f.attrs["index"] = text.replace(was, becomes)
    with pytest.raises(DamagedFile, match=r"x\.h5 cannot be read .*: ingest its source again"):
        _ = SourceFile(path).channels
    (problem,) = problems(path)
    assert "ingest its source again" in problem


def test_a_file_that_is_no_store_names_itself_and_says_what_to_do(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    path.write_bytes(b"no HDF5 at all")
    with pytest.raises(DamagedFile, match=r"x\.h5 cannot be read .*: ingest its source again"):
        SourceFile(path)
    assert len(list(problems(path))) == 1
    with pytest.raises(FileNotFoundError):
        SourceFile(tmp_path / "absent.h5")


def test_a_file_of_another_format_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    stored(path, np.zeros(3))
    with h5py.File(path, "r+") as f:
        f.attrs["format"] = 99
    with pytest.raises(DamagedFile, match="has format 99, but this version reads 1"):
        SourceFile(path)


def test_a_writer_that_wrote_something_else_publishes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ishtar.store.verify.recompute_digest", lambda *_: "0" * 40)
    with pytest.raises(DamagedFile, match="differs from what was written"):
        stored(tmp_path / "x.h5", np.zeros(3))
    assert not list(tmp_path.iterdir())


# Reading


def test_opening_reads_no_samples(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    channel = stored(path, np.arange(1000, dtype=np.int16)).channels["g/c"]
    facts = (channel.unit, channel.dt, channel.n, channel.nbytes, channel.raw_max)
    assert facts == ("", 1e-5, 1000, 2000, 999.0)
    path.unlink()
    with pytest.raises(FileNotFoundError):
        channel.raw()


def test_a_stored_file_needs_no_write_permission_to_be_read(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    stored(path, np.arange(10, dtype=np.int16))
    path.chmod(stat.S_IRUSR)
    assert SourceFile(path).channels["g/c"].raw(2, 4).tolist() == [2, 3]


def test_the_index_repeats_what_the_groups_say(tmp_path: Path) -> None:
    source = stored(tmp_path / "x.h5", np.arange(10, dtype=np.int16), unit="V")
    assert source.read_channels() == source.channels
    with h5py.File(tmp_path / "x.h5") as f:
        (facts,) = json.loads(f.attrs["index"])
    assert facts["path"] == "g/c"


# Lanes


def test_a_lane_does_jobs_in_order_and_raises_the_first_error() -> None:
    done: list[int] = []
    job_thread = JobThread("test")
    for i in range(20):
        job_thread.put(lambda i=i: done.append(i))
    job_thread.join()
    assert done == list(range(20))

    def fail() -> None:
        raise OSError(28, "full")

    job_thread.put(fail)
    with pytest.raises(OSError, match="full"):
        job_thread.join()
    assert -1 not in done


def test_an_abandoned_lane_forgets_its_jobs() -> None:
    started, release, done = threading.Event(), threading.Event(), []
    job_thread = JobThread("test")

    def first() -> None:
        started.set()
        release.wait(120)

    job_thread.put(first)
    started.wait(120)
    job_thread.put(lambda: done.append(1))
    threading.Timer(0.05, release.set).start()
    job_thread.abandon()
    assert done == []


# The file that HDF5 writes to


def test_what_the_disk_did_not_take_is_read_back_until_the_file_is_closed(tmp_path: Path) -> None:
    disk = DeferredErrorFile(tmp_path / "x")
    disk.write(b"abcdef")
    disk.error = OSError(28, "No space left on device")
    disk.seek(4)
    disk.write(b"XYZ")
    disk.seek(2)
    buffer = bytearray(8)
    disk.readinto(buffer)
    assert bytes(buffer) == b"cdXYZ\0\0\0"
    assert disk.seek(0, os.SEEK_END) == 7
    with pytest.raises(OSError, match="No space"):
        disk.check()
    disk.close()
    assert (tmp_path / "x").read_bytes() == b"abcdef"
