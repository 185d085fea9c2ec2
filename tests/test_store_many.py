"""Many channels: each costs the same however many there are; what is stored stays what it was."""

from __future__ import annotations

import sys
import threading
import tracemalloc
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from h5py import h5f

import ishtar
from ishtar.quality import examine
from ishtar.store import Origin, SourceFile, SourceWriter, channel_writer, problems, writer
from ishtar.store.channel_writer import CHUNK
from ishtar.store.deferred_error_file import DeferredErrorFile
from ishtar.store.h5_names import group_name, to_json
from runner.ingest import IngestSettings, Layout, ingest_file
from runner.scheduling.coordinator import Coordinator
from runner.simulate.tdms_files import ChannelBlock, TdmsWriter, volts_properties
from runner.workspaces.new_workspace import make_workspace

pytestmark = pytest.mark.whole

FEW, MANY = 40, 200
ORIGIN = Origin(
    shot=1,
    source="00001_Data.tdms",
    size=1,
    sha256="ab" * 32,
    converter="tdms 1",
    writer="LabVIEW",
    arrived="2026-11-22T10:00:00+01:00",
)
NOISE = np.random.default_rng(0).normal(0, 300, 1000).astype(np.int16)
RAMP = np.arange(200_000) * 37 % 5000 - 2500


def write_channels(path: Path, count: int, values: np.ndarray = NOISE, comment: str = "") -> Path:
    with SourceWriter(path, ORIGIN) as w:
        channels = [
            w.channel(
                f"PXI M6251/ai{i}",
                dtype=values.dtype,
                unit="V",
                t0=-0.3,
                dt=1e-3,
                scale=[{"kind": "linear", "slope": 1e-3, "intercept": 0.0}],
                properties={"unit_string": "V", "wf_increment": 1e-3, "comment": comment},
            )
            for i in range(count)
        ]
        for part in np.array_split(values, 4):  # as interleaved files come
            for channel in channels:
                channel.append(part)
    return path


# What a channel costs


class CountingFile(DeferredErrorFile):
    """Counts what HDF5 asks of the file."""

    reads = writes = 0

    def write(self, data: Any) -> int:
        CountingFile.writes += 1
        return super().write(data)

    def readinto(self, buffer: Any) -> int:
        CountingFile.reads += 1
        return super().readinto(buffer)


class FullDisk(DeferredErrorFile):
    """Takes the beginning of a file and nothing more."""

    def write(self, data: Any) -> int:
        if self.tell() > 1 << 20:
            self.error = OSError(28, "No space left on device")
        return super().write(data)


def test_a_channel_that_the_disk_no_longer_takes_is_not_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "DeferredErrorFile", FullDisk)
    block = np.random.default_rng(1).integers(-30000, 30000, 1 << 20).astype(np.int16)
    taken = 0

    def write() -> None:
        nonlocal taken
        with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
            channel = w.channel("g/c", dtype=np.int16, dt=1.0)
            for _ in range(100):
                channel.append(block)
                taken += 1

    with pytest.raises(OSError, match="No space left"):
        write()
    assert taken < 30  # some blocks wait for the disk; the rest is never asked for
    assert not list(tmp_path.iterdir())


def test_a_channel_is_written_in_as_many_strokes_however_many_there_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "DeferredErrorFile", CountingFile)
    each = []
    for count in (FEW, MANY):
        monkeypatch.setattr(CountingFile, "writes", 0)
        monkeypatch.setattr(CountingFile, "reads", 0)
        # MANY of these texts are more than HDF5 would keep of a file by itself
        write_channels(tmp_path / f"{count}.h5", count, comment="x" * 20_000)
        assert CountingFile.reads == 0
        each.append(CountingFile.writes / count)
    assert each[1] <= each[0] <= 8


def test_a_file_is_opened_as_often_however_many_channels_it_has(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened: list[bytes] = []
    really = h5f.open

    def counting(name: bytes, *args: Any, **options: Any) -> Any:
        opened.append(name)
        return really(name, *args, **options)

    monkeypatch.setattr(h5f, "open", counting)
    for count in (FEW, MANY):
        opened.clear()
        path = write_channels(tmp_path / f"{count}.h5", count)
        assert len(opened) == 2  # both to verify it: its index, then its channels
        opened.clear()
        assert not list(problems(path))
        assert len(opened) == 2


def steps_of(work: Callable[[], object]) -> int:
    """Return how many lines of Python a piece of work takes, in all threads; no clock is asked."""
    count = 0

    def trace(frame: Any, event: str, arg: Any) -> Any:
        nonlocal count
        count += event == "line"
        return trace

    before = sys.gettrace()
    threading.settrace(trace)
    sys.settrace(trace)
    try:
        work()
    finally:
        sys.settrace(before)
        threading.settrace(before)  # type: ignore[arg-type]
    return count


def is_linear(few: int, many: int) -> bool:
    """Say whether the steps grow with the channels and no faster, rounding and trees aside."""
    return many <= 1.08 * few * MANY / FEW


def write_tdms(path: Path, count: int, *, segments: int, interleaved: bool) -> Path:
    path.parent.mkdir(parents=True)
    facts = volts_properties(volts_per_count=1e-4, t0_s=-0.3, dt_s=1e-3)
    names = [f"ai{i}" for i in range(count)]
    with path.open("wb") as f:
        tdms = TdmsWriter(f, {f"PXI/{name}": facts for name in names}, interleaved=interleaved)
        for part in np.array_split(NOISE, segments):
            tdms.write([ChannelBlock(group="PXI", name=name, values=part) for name in names])
    return path


@pytest.mark.parametrize(("segments", "interleaved"), [(1, False), (1, True), (8, True)])
def test_ingest_takes_the_same_steps_for_each_channel(
    tmp_path: Path, segments: int, interleaved: bool
) -> None:
    steps = []
    for count in (3, FEW, MANY):  # the first imports what is imported late
        source = write_tdms(
            tmp_path / f"{count}" / "00001_Data.tdms",
            count,
            segments=segments,
            interleaved=interleaved,
        )
        layout = Layout.of(tmp_path / f"ws-{count}")

        def ingest(source: Path = source, layout: Layout = layout) -> None:
            outcome = ingest_file(source, layout=layout, settings=IngestSettings())
            assert outcome.status == "stored", outcome.reason

        steps.append(steps_of(ingest))
    assert is_linear(*steps[1:]), steps


def test_reading_a_shot_takes_the_same_steps_for_each_channel(tmp_path: Path) -> None:
    workspace = make_workspace(tmp_path / "ws", facility="Many", clock_offset_s=0.0)
    for shot, count in ((1, FEW), (2, MANY)):
        write_channels(workspace.shot_folder(shot) / "x.tdms.h5", count)
    testbed = ishtar.open(workspace.root)

    def look_at_all(shot: int) -> None:
        opened = testbed[shot]
        for path in opened.channels():
            opened.channel(path)

    with Coordinator(workspace) as coordinator:
        ways: dict[str, Callable[[int], object]] = {
            "channels": look_at_all,
            "repr": lambda shot: repr(testbed[shot]),
            "samples": lambda shot: [
                testbed[shot].channel(p).raw() for p in ("PXI M6251/ai0", "PXI M6251/ai7")
            ],
            "examine": lambda shot: examine(testbed[shot]),
            "catalogue": coordinator.note_shot,
            "verify": lambda shot: list(problems(workspace.shot_folder(shot) / "x.tdms.h5")),
        }
        for name, work in ways.items():
            work(1)  # imports what is imported late
            few, many = steps_of(lambda work=work: work(1)), steps_of(lambda work=work: work(2))  # type: ignore[misc]
            assert is_linear(few, many), (name, few, many)


# Memory


def test_a_small_rest_does_not_keep_all_that_it_was_part_of(tmp_path: Path) -> None:
    with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
        channel = w.channel("g/c", dtype=np.float64, irregular=True)
        block = np.arange(1000.0)
        gone = weakref.ref(block)
        channel.append(block[:3], block[:3], owned=True)
        del block
        assert gone() is None
        channel.append([3.0], [3.0])
    stored = SourceFile(tmp_path / "x.h5").channels["g/c"]
    assert stored.raw().tolist() == stored.time().tolist() == [0.0, 1.0, 2.0, 3.0]


def test_channels_written_side_by_side_share_what_may_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel_writer, "PENDING_BYTES", 1 << 20)
    long = np.arange(50_000.0)
    tracemalloc.start()
    path = write_channels(tmp_path / "x.h5", 32, long)  # 12.8 MB, of each channel 0.4
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 6 << 20  # a quarter of each channel is handed over at once: 3.2 MB
    with h5py.File(path) as f:
        data = f[group_name("PXI M6251/ai7")]["data"]
        assert data.chunks == (1 << 12,)
        np.testing.assert_array_equal(data[:], long)
    assert not list(problems(path))


# What is stored


def fill(w: SourceWriter) -> None:
    """Write a channel of each kind and length."""
    scale = [{"kind": "linear", "slope": 0.5, "intercept": 1}]
    w.properties["long"] = "é" * 70_000
    short = w.channel("DAQ/short", dtype=np.int16, unit="V", dt=1e-4, scale=scale)
    short.append(RAMP[:1000].astype(np.int16))
    w.channel("DAQ/long", dtype=np.float32, t0=-0.5, dt=1e-5).append(RAMP.astype(np.float32))
    w.channel("DAQ/empty", dtype=np.float64, dt=1.0, x_unit="")
    w.channel("DAQ/one", dtype=np.uint8, dt=0.5, x_unit="Hz").append(np.array([255], np.uint8))
    irregular = w.channel("S7/µ p", dtype=np.float64, unit="Pa", irregular=True)
    irregular.append([1.0, np.nan, 3.0], [0.5, 0.7, 0.6])
    irregular.append(RAMP[:70_000].astype(float), np.arange(70_000) * 0.1)
    w.channel("lonely", dtype=np.int64, dt=1.0).append(RAMP[:CHUNK])


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("store") / "x.h5"
    with SourceWriter(path, ORIGIN) as w:
        fill(w)
    return path


def test_the_identity_of_a_channel_is_what_it_has_always_been(stored: Path) -> None:
    assert {path: c.digest for path, c in SourceFile(stored).channels.items()} == {
        "DAQ/empty": "cae1c83d87768591046bc8c365bece1d8d2147f0",
        "DAQ/long": "b773295aae1e129f00e7f45610c370ae00de1bff",
        "DAQ/one": "b89746f63cc111f8ce81b01d7b4c1882a8d0c2e0",
        "DAQ/short": "bc6ad96cbd9d4bdc4ba784fccdde1fb7310c37d8",
        "S7/µ p": "f2c7abb6f240f960dad1da63d884a3d12081bef6",
        "lonely": "3b95ece7e004a8b4ef1c66d1ac80bced2020b5fe",
    }


def test_any_program_reads_the_groups_of_a_stored_file(stored: Path) -> None:
    with h5py.File(stored) as f:
        short = f["channels/DAQ/short"]
        facts = {k: v for k, v in short.attrs.items() if k != "digest"}
        assert facts == {
            "path": "DAQ/short",
            "unit": "V",
            "n": 1000,
            "t0": 0.0,
            "dt": 1e-4,
            "n_clipped": 0,
            "raw_min": -2500.0,
            "raw_max": 2495.0,
            "scale": '[{"intercept": 1, "kind": "linear", "slope": 0.5}]',
            "properties": "{}",
        }
        assert isinstance(facts["unit"], str)
        assert short["envelope/128"].shape == (8, 2)
        assert (f.attrs["format"], f.attrs["size"]) == (1, 1)
        assert [a.dtype.kind for a in (f.attrs["format"], facts["n"], facts["t0"])] == list("iif")
        long = f["channels/DAQ/long"]
        assert sorted(long["envelope"]) == ["128", "512"]
        np.testing.assert_array_equal(long["data"][-5:], RAMP[-5:])
        assert f["channels/DAQ/empty/data"].shape == (0,)
        times = f[group_name("S7/µ p") + "/time"][:4]
        assert times.tolist() == [0.5, 0.7, 0.6, 0.0]


def test_a_short_channel_takes_no_more_room_than_it_needs(stored: Path) -> None:
    with h5py.File(stored) as f:
        for path, chunk in [("DAQ/short", 1000), ("DAQ/one", 1), ("DAQ/long", CHUNK)]:
            data = f[group_name(path) + "/data"]
            assert data.chunks == (chunk,)
            assert data.fletcher32  # damage is told when it is read


def write_as_before(path: Path) -> None:
    """Write format 1 as its first writers did: with h5py's own objects, in growing datasets."""
    packed = {
        "shape": (0,),
        "maxshape": (None,),
        "chunks": (CHUNK,),
        "fletcher32": True,
        **hdf5plugin.Bitshuffle(cname="lz4"),
    }
    facts: dict[str, Any] = {
        "path": "S7/µ p",
        "unit": "Pa",
        "n": 3,
        "t0": 0.5,
        "n_clipped": 0,
        "digest": "ddd62219f91df4aecb5068bd693784e0f2c73b37",
        "raw_min": 1.0,
        "raw_max": 3.0,
    }
    long = {"text": "é" * 70_000}
    with h5py.File(path, "w", libver=("v110", "v110")) as f:
        group = f.require_group(group_name("S7/µ p"))
        for name, values in (("data", [1.0, np.nan, 3.0]), ("time", [0.5, 0.7, 0.6])):
            dataset = group.create_dataset(name, dtype="<f8", **packed)
            dataset.resize((3,))
            dataset[:] = values
        group.create_dataset("envelope/128", data=[[1.0, 3.0]])
        group.create_dataset(
            "text_properties", data=np.frombuffer(to_json(long).encode(), np.uint8)
        )
        for key, value in facts.items():
            group.attrs[key] = value
        group.attrs["scale"] = "[]"
        more = {"dtype": "<f8", "levels": [128], "scale": [], "properties": long}
        index = to_json([facts | more])
        f.create_dataset("text_index", data=np.frombuffer(index.encode(), np.uint8))
        for key, value in vars(ORIGIN).items():
            f.attrs[key] = value
        f.attrs["format"], f.attrs["attributes"], f.attrs["properties"] = 1, '{"gas": "Ar"}', "{}"


def test_a_file_of_the_first_writers_is_read_and_verified(tmp_path: Path) -> None:
    path = tmp_path / "x.h5"
    write_as_before(path)
    source = SourceFile(path)
    channel = source.channels["S7/µ p"]
    np.testing.assert_array_equal(channel.raw(), [1.0, np.nan, 3.0])
    np.testing.assert_array_equal(channel.level(128), [[1.0, 3.0]])
    assert channel.time().tolist() == [0.5, 0.7, 0.6]
    assert source.attributes == {"gas": "Ar"}
    assert not list(problems(path))
    with h5py.File(path, "r+") as f:
        f[group_name("S7/µ p")]["time"][1] = 0.65
    assert list(problems(path)) == ["channel S7/µ p: its values differ from those written"]


def test_a_text_that_no_attribute_can_hold_is_kept_all_the_same(tmp_path: Path) -> None:
    unit = "V\0\0"  # as a text of fixed length arrives
    with SourceWriter(tmp_path / "x.h5", ORIGIN) as w:
        w.channel("g/c", dtype=np.int16, unit=unit, dt=1.0).append([1])
    assert SourceFile(tmp_path / "x.h5").channels["g/c"].unit == unit
    assert not list(problems(tmp_path / "x.h5"))
