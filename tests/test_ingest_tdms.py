"""TDMS into the store: raw values, scales and times, the same from every layout."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nptdms import ChannelObject, GroupObject, RootObject, TdmsFile
from nptdms import TdmsWriter as NpTdmsWriter
from nptdms.types import String

from ishtar.store import ScaleError, SourceFile
from runner.ingest import Layout, ingest_file
from runner.ingest.tdms import tdms_blocks, tdms_time
from runner.ingest.tdms.tdms_blocks import TdmsMetadata
from runner.ingest.tdms.tdms_scale import scale_of
from runner.simulate.tdms_files import ChannelBlock, TdmsWriter, truncate, volts_properties
from tests.ingest_fakes import SETTINGS
from tests.tdms_fakes import daqmx_index, ingested, noise, segment, tdms_object


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """Segments of channels, and properties of objects."""

    segments: list[dict[str, np.ndarray]]
    properties: dict[str, dict[str, Any]] = field(default_factory=dict)

    def values(self) -> dict[str, np.ndarray]:
        paths = dict.fromkeys(path for segment in self.segments for path in segment)
        return {
            p: np.concatenate([segment[p] for segment in self.segments if p in segment])
            for p in paths
        }

    def write(self, path: Path, *, interleaved: bool) -> Path:
        with path.open("wb") as f:
            writer = TdmsWriter(f, self.properties, interleaved=interleaved)
            for segment in self.segments:
                blocks = [
                    ChannelBlock(group=p.split("/")[0], name=p.split("/")[1], values=v)
                    for p, v in segment.items()
                ]
                writer.write(blocks)
        return path


SCENARIOS = {
    "one segment": Scenario(segments=[{"g/a": noise(1000), "g/b": noise(1000, seed=1)}]),
    "segments without metadata of their own": Scenario(
        segments=[{"g/a": noise(500, seed=k), "g/b": noise(500, seed=9 + k)} for k in range(5)]
    ),
    "segments of different lengths": Scenario(
        segments=[{"g/a": noise(n, seed=n), "g/b": noise(n)} for n in (10, 10, 300, 1)]
    ),
    "different types side by side": Scenario(
        segments=[
            {f"g/{d}": noise(777, d) for d in ("int8", "int16", "int32", "int64", "float32")}
            | {"g/float64": noise(777, "float64")}
        ]
    ),
    "groups that take turns": Scenario(
        segments=[
            {"fast/a": noise(900, seed=k)} if k % 3 else {"slow/b": noise(7)} for k in range(9)
        ]
    ),
    "channels that come and go": Scenario(
        segments=[{"g/a": noise(50)}, {"g/a": noise(50), "g/b": noise(50)}, {"g/b": noise(50)}]
    ),
}


@pytest.fixture(params=[False, True], ids=["contiguous", "interleaved"])
def interleaved(request: pytest.FixtureRequest) -> bool:
    return request.param


@pytest.fixture(params=[None, 256], ids=["large blocks", "small blocks"])
def _blocks(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param:
        monkeypatch.setattr(tdms_blocks, "BLOCK_BYTES", request.param)


@pytest.mark.usefixtures("_blocks")
@pytest.mark.parametrize("name", SCENARIOS)
def test_raw_values_are_those_that_were_written(
    tmp_path: Path, name: str, interleaved: bool
) -> None:
    scenario = SCENARIOS[name]
    path = scenario.write(tmp_path / "x.tdms", interleaved=interleaved)
    channels = ingested(path, tmp_path).channels
    assert set(channels) == set(scenario.values())
    with TdmsFile.open(path) as peer:
        for p, values in scenario.values().items():
            assert channels[p].dtype == values.dtype
            np.testing.assert_array_equal(channels[p].raw(), values)
            group, channel = p.split("/")
            np.testing.assert_array_equal(peer[group][channel][:], values)


def test_each_byte_is_read_once_and_in_the_order_of_the_file(
    tmp_path: Path, interleaved: bool
) -> None:
    scenario = SCENARIOS["segments of different lengths"]
    path = scenario.write(tmp_path / "x.tdms", interleaved=interleaved)
    positions = [block.position for block in TdmsMetadata(path).blocks()]
    assert positions == sorted(positions)
    assert positions[-1] == path.stat().st_size
    n_bytes = sum(b.values.nbytes for b in TdmsMetadata(path).blocks())
    assert n_bytes == sum(v.nbytes for v in scenario.values().values())


def test_progress_goes_to_the_end(tmp_path: Path, interleaved: bool) -> None:
    path = SCENARIOS["one segment"].write(tmp_path / "x.tdms", interleaved=interleaved)
    seen: list[tuple[int, int]] = []
    ingested(path, tmp_path, progress=lambda done, total: seen.append((done, total)))
    size = path.stat().st_size
    assert seen[-1] == (size, size)
    assert seen == sorted(seen)


# Scales


SCALES = {
    "linear": {
        "NI_Number_Of_Scales": 1,
        "NI_Scale[0]_Scale_Type": "Linear",
        "NI_Scale[0]_Linear_Slope": 3e-4,
        "NI_Scale[0]_Linear_Y_Intercept": -0.25,
    },
    "polynomial": {
        "NI_Number_Of_Scales": 1,
        "NI_Scale[0]_Scale_Type": "Polynomial",
        "NI_Scale[0]_Polynomial_Coefficients_Size": 3,
        "NI_Scale[0]_Polynomial_Coefficients[0]": 0.5,
        "NI_Scale[0]_Polynomial_Coefficients[1]": 1e-3,
        "NI_Scale[0]_Polynomial_Coefficients[2]": -2e-8,
    },
    "falling table": {
        "NI_Scale[0]_Scale_Type": "Table",
        "NI_Scale[0]_Table_Pre_Scaled_Values_Size": 3,
        "NI_Scale[0]_Table_Scaled_Values_Size": 3,
        "NI_Scale[0]_Table_Pre_Scaled_Values[0]": 1444.0,
        "NI_Scale[0]_Table_Pre_Scaled_Values[1]": 800.0,
        "NI_Scale[0]_Table_Pre_Scaled_Values[2]": -446.0,
        "NI_Scale[0]_Table_Scaled_Values[0]": 55.3,
        "NI_Scale[0]_Table_Scaled_Values[1]": 30.0,
        "NI_Scale[0]_Table_Scaled_Values[2]": 2.2,
    },
    "chain with a scale that is not used": {
        "NI_Number_Of_Scales": 3,
        "NI_Scale[0]_Scale_Type": "Linear",
        "NI_Scale[0]_Linear_Slope": 2.0,
        "NI_Scale[0]_Linear_Y_Intercept": 1.0,
        "NI_Scale[1]_Scale_Type": "Linear",
        "NI_Scale[1]_Linear_Slope": 77.0,
        "NI_Scale[1]_Linear_Y_Intercept": 77.0,
        "NI_Scale[2]_Scale_Type": "Polynomial",
        "NI_Scale[2]_Polynomial_Coefficients[0]": 0.0,
        "NI_Scale[2]_Polynomial_Coefficients[1]": 0.0,
        "NI_Scale[2]_Polynomial_Coefficients[2]": 1.0,
        "NI_Scale[2]_Polynomial_Coefficients[3]": 0.0,
        "NI_Scale[2]_Polynomial_Input_Source": 0,
    },
    "values scaled already": {
        "NI_Scaling_Status": "scaled",
        "NI_Number_Of_Scales": 1,
        "NI_Scale[0]_Scale_Type": "Linear",
        "NI_Scale[0]_Linear_Slope": 2.0,
        "NI_Scale[0]_Linear_Y_Intercept": 1.0,
    },
}


@pytest.mark.parametrize("where", ["g/a", "g", "/"])
@pytest.mark.parametrize("name", SCALES)
def test_scales_are_kept_beside_raw_integers_and_applied_on_reading(
    tmp_path: Path, name: str, where: str
) -> None:
    values = noise(500)
    scenario = Scenario(segments=[{"g/a": values}], properties={where: SCALES[name]})
    path = scenario.write(tmp_path / "x.tdms", interleaved=False)
    channel = ingested(path, tmp_path).channels["g/a"]
    assert channel.dtype == np.int16
    np.testing.assert_array_equal(channel.raw(), values)
    with TdmsFile.open(path) as peer:
        np.testing.assert_array_equal(channel.scaled(), peer["g"]["a"][:])


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({"NI_Scale[0]_Scale_Type": "Linear"}, "has no property"),
        (
            {
                "NI_Scale[0]_Scale_Type": "Linear",
                "NI_Scale[0]_Linear_Slope": 1.0,
                "NI_Scale[0]_Linear_Y_Intercept": 0.0,
                "NI_Scale[0]_Linear_Input_Source": 0,
            },
            "feed each other",
        ),
        (
            SCALES["falling table"] | {"NI_Scale[0]_Table_Pre_Scaled_Values[1]": 9999.0},
            "do not match",
        ),
    ],
)
def test_a_scale_that_makes_no_sense_is_an_error(properties: dict, message: str) -> None:
    with pytest.raises(ScaleError, match=message):
        scale_of("g/a", properties)


# Times


def test_the_waveform_says_its_times(tmp_path: Path) -> None:
    properties = volts_properties(volts_per_count=1e-3, t0_s=-0.5, dt_s=1e-5)
    scenario = Scenario(
        segments=[{"PXI M6251/Lang_I": noise(9)}],
        properties={
            "PXI M6251/Lang_I": properties,
            "PXI M6251": {"Tstart": 3.0, "SampleTime": 1.0},
        },
    )
    source = ingested(scenario.write(tmp_path / "x.tdms", interleaved=False), tmp_path)
    channel = source.channels["PXI M6251/Lang_I"]
    assert (channel.t0, channel.dt, channel.unit) == (-0.5, 1e-5, "V")
    assert channel.properties["time_base"] == "wf_increment"
    assert not [k for k in channel.properties if k.startswith("NI_Scale[")]
    assert source.properties["groups"]["PXI M6251"] == {"Tstart": 3.0, "SampleTime": 1.0}


@pytest.mark.parametrize(
    ("group", "t0", "dt", "base"),
    [
        ({"Tstart": -0.5, "SampleTime": 1e-4}, -0.5, 1e-4, "SampleTime"),
        ({"sampling": 1000.0}, 0.0, 1e-3, "sampling"),
        ({}, 0.0, 1.0, "samples"),
        ({"SampleTime": float("nan")}, 0.0, 1.0, "samples"),
    ],
)
def test_else_the_group_says_them_else_samples_are_numbered(
    tmp_path: Path, group: dict, t0: float, dt: float, base: str
) -> None:
    scenario = Scenario(segments=[{"g/a": noise(9)}], properties={"g": group})
    path = scenario.write(tmp_path / "x.tdms", interleaved=False)
    channel = ingested(path, tmp_path).channels["g/a"]
    assert (channel.t0, channel.dt) == (t0, dt)
    assert channel.properties["time_base"] == base


@pytest.mark.parametrize("longest", [1 << 21, 10], ids=["short clock", "long clock"])
def test_the_slow_channels_share_the_time_channel_of_their_group(
    tmp_path: Path, interleaved: bool, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tdms_time, "LONGEST_CLOCK", longest)
    time_ms = np.cumsum(np.random.default_rng(3).uniform(40, 60, 300)) - 500.0
    parts = np.split(np.arange(300), [50, 51, 200])
    scenario = Scenario(
        segments=[
            # the clock comes last in each segment, after the values that need it
            {"S7/Ngas_P": noise(len(i), "float64"), "S7/Time": time_ms[i]}
            for i in parts
        ]
    )
    path = scenario.write(tmp_path / "x.tdms", interleaved=interleaved)
    channels = ingested(path, tmp_path).channels
    for p in ("S7/Ngas_P", "S7/Time"):
        assert channels[p].irregular
        np.testing.assert_allclose(channels[p].time(), time_ms / 1e3, rtol=1e-12)
    np.testing.assert_array_equal(channels["S7/Time"].raw(), time_ms)
    assert channels["S7/Ngas_P"].properties["time_base"] == "S7/Time"


@pytest.mark.parametrize(
    ("group", "unit", "n", "told"),
    [
        ("S7", "", 5, "has 6 values but S7/Time 5"),
        ("other", "furlong", 6, "has the unit 'furlong', not a time"),
    ],
)
def test_a_clock_that_does_not_fit_is_told(
    tmp_path: Path, group: str, unit: str, n: int, told: str
) -> None:
    scenario = Scenario(
        segments=[{f"{group}/Time": noise(n, "float64"), f"{group}/a": noise(6)}],
        properties={f"{group}/Time": {"unit_string": unit}},
    )
    path = scenario.write(tmp_path / "x.tdms", interleaved=False)
    outcome = ingest_file(path, layout=Layout.of(tmp_path), settings=SETTINGS, shot=7)
    assert told in outcome.reason
    source = SourceFile(outcome.stored[0])
    assert source.channels[f"{group}/a"].properties["time_base"] == "samples"
    assert told in source.properties["notes"][0]


def test_the_plc_s_clock_counts_more_than_its_waveform_properties(tmp_path: Path) -> None:
    scenario = Scenario(
        segments=[{"S7/Time": np.array([10.0, 60.0]), "S7/p": noise(2)}],
        properties={"S7/p": {"wf_increment": 1.0}},
    )
    path = scenario.write(tmp_path / "x.tdms", interleaved=False)
    np.testing.assert_allclose(ingested(path, tmp_path).channels["S7/p"].time(), [0.01, 0.06])


def test_the_clock_of_another_group_says_its_unit(tmp_path: Path) -> None:
    scenario = Scenario(
        segments=[{"pump/Time": np.array([0.0, 2.0]), "pump/p": noise(2)}],
        properties={"pump/Time": {"unit_string": "min"}},
    )
    path = scenario.write(tmp_path / "x.tdms", interleaved=False)
    np.testing.assert_allclose(ingested(path, tmp_path).channels["pump/p"].time(), [0.0, 120.0])


# What the file says of the shot


@pytest.mark.parametrize(
    ("stated", "date"),
    [
        ("22.11.2026 09:04:06", "2026-11-22T09:04:06"),
        ("2026-11-22T09:04:06.733", "2026-11-22T09:04:06.733"),
        (np.datetime64("2026-11-22T08:04:06.733", "us"), "2026-11-22T09:04:06.733"),  # UTC
    ],
)
def test_the_date_is_the_facility_s_local_time(tmp_path: Path, stated: Any, date: str) -> None:
    path = tmp_path / "x.tdms"
    with NpTdmsWriter(path) as w:
        root = RootObject({"DateTime": stated, "Operator": "kovacs", "WriterName": "LabVIEW 2016"})
        w.write_segment([root, ChannelObject("g", "a", noise(4))])
    source = ingested(path, tmp_path)
    assert source.attributes == {"date": date, "operator": "kovacs"}
    assert source.origin.writer == "LabVIEW 2016"


def test_without_a_date_the_first_waveform_gives_it(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    start = np.datetime64("2026-07-01T10:00:00", "us")
    with NpTdmsWriter(path) as w:
        properties = {"wf_start_time": start, "wf_increment": 0.1, "wf_start_offset": 0.0}
        w.write_segment([ChannelObject("g", "a", noise(4), properties)])
    assert ingested(path, tmp_path).attributes == {"date": "2026-07-01T12:00:00"}


# Channels that are no plain numbers


def test_nothing_is_dropped_silently(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    stamps = np.array(["2026-11-22T09:00:00.000001", "1960-01-01T00:00:00.5"], "datetime64[us]")
    with NpTdmsWriter(path) as w:
        w.write_segment(
            [
                GroupObject("empty group", {"why": "not used today"}),
                ChannelObject("g", "open", np.array([True, False, True])),
                ChannelObject("g", "when", stamps),
                ChannelObject("g", "event", ["gas on", "RF on", "ä"]),
                ChannelObject("g", "none", np.array([], dtype=np.int16)),
                ChannelObject("g", "long", ["x" * 40_000, "y" * 40_000]),
                ChannelObject("g", "z", np.array([1 + 2j, 3 - 4j])),
            ]
        )
    layout = Layout.of(tmp_path)
    outcome = ingest_file(path, layout=layout, settings=SETTINGS, shot=7)
    source = SourceFile(outcome.stored[0])
    channels = source.channels
    assert channels["g/open"].raw().tolist() == [1, 0, 1]
    assert channels["g/open"].dtype == np.uint8
    assert channels["g/open"].n_clipped == 0
    ns = stamps.astype("datetime64[ns]").astype(np.int64)
    assert np.abs(channels["g/when"].raw() - ns).max() <= 1
    assert channels["g/when"].unit == "ns"
    assert source.properties["texts"]["g/event"] == ["gas on", "RF on", "ä"]
    assert channels["g/none"].n == 0
    assert channels["g/z.re"].raw().tolist() == [1.0, 3.0]
    assert channels["g/z.im"].raw().tolist() == [2.0, -4.0]
    assert source.properties["groups"]["empty group"] == {"why": "not used today"}
    assert "g/long holds 80000 characters of text, which are not stored" in outcome.reason


def test_texts_of_several_segments_follow_each_other(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    with NpTdmsWriter(path) as w:
        for k in range(3):
            w.write_segment([ChannelObject("g", "event", [f"{k} a", f"{k} b"])])
            w.write_segment([ChannelObject("g", "x", noise(10, seed=k))])
    source = ingested(path, tmp_path)
    assert source.properties["texts"]["g/event"] == [f"{k} {c}" for k in range(3) for c in "ab"]
    assert source.channels["g/x"].n == 30


# Files as cards write them: built byte by byte


def test_daqmx_scalers_point_at_bytes_of_a_row(tmp_path: Path) -> None:
    rows = np.zeros(600, dtype=[("a", "<i2"), ("b", "<i4"), ("c", "<u2")])
    rows["a"], rows["b"], rows["c"] = noise(600), noise(600, "int32"), np.abs(noise(600))
    linear = {
        "NI_Number_Of_Scales": 2,
        "NI_Scale[1]_Scale_Type": "Linear",
        "NI_Scale[1]_Linear_Slope": 0.5,
        "NI_Scale[1]_Linear_Y_Intercept": 1.0,
        "NI_Scale[1]_Linear_Input_Source": 0,
    }
    objects = [
        tdms_object("/'card'/'a'", daqmx_index(100, [(3, 0, 0, 0)], 8), linear),
        tdms_object("/'card'/'b'", daqmx_index(100, [(5, 2, 0, 0), (2, 6, 5, 0)], 8), linear),
    ]
    path = tmp_path / "x.tdms"
    toc = 2 | 4 | 8 | 128
    path.write_bytes(
        segment(toc, objects, rows[:200].tobytes()) + segment(toc, objects, rows[200:].tobytes())
    )
    channels = ingested(path, tmp_path).channels
    np.testing.assert_array_equal(channels["card/a"].raw(), rows["a"])
    np.testing.assert_array_equal(channels["card/b"].raw(), rows["b"])
    np.testing.assert_array_equal(channels["card/b [scaler 5]"].raw(), rows["c"])
    with TdmsFile.open(path) as peer:
        for c in "ab":
            np.testing.assert_array_equal(channels[f"card/{c}"].scaled(), peer["card"][c][:])


@pytest.mark.parametrize("interleave", [0, 1 << 5])
def test_big_endian_files_are_read(tmp_path: Path, interleave: int) -> None:
    a, b = noise(50), noise(50, "float64")
    index = {d: struct.pack(">IIIQ", 20, t, 1, 50) for d, t in (("a", 2), ("b", 10))}
    objects = [tdms_object(f"/'g'/'{c}'", index[c], {"wf_increment": 0.5}, ">") for c in "ab"]
    table = np.zeros(50, dtype=[("a", ">i2"), ("b", ">f8")])
    table["a"], table["b"] = a, b
    data = table.tobytes() if interleave else a.astype(">i2").tobytes() + b.astype(">f8").tobytes()
    path = tmp_path / "x.tdms"
    path.write_bytes(segment(2 | 4 | 8 | (1 << 6) | interleave, objects, data, ">"))
    channels = ingested(path, tmp_path).channels
    np.testing.assert_array_equal(channels["g/a"].raw(), a)
    np.testing.assert_array_equal(channels["g/b"].raw(), b)
    assert channels["g/a"].dtype == np.dtype("<i2")
    assert channels["g/a"].dt == 0.5


# Files that are not whole


@pytest.mark.parametrize("crashed", [False, True], ids=["cut copy", "LabVIEW crashed"])
@pytest.mark.parametrize("at", [0, -1])
def test_a_cut_file_waits_and_then_goes_to_quarantine(
    tmp_path: Path, interleaved: bool, crashed: bool, at: int
) -> None:
    scenario = SCENARIOS["segments of different lengths"]
    layout = Layout.of(tmp_path)
    layout.incoming.mkdir(parents=True)
    path = scenario.write(layout.incoming / "00007_x.tdms", interleaved=interleaved)
    truncate(path, segment=at, fraction=0.4, crashed=crashed)
    for age, status in ((5.0, "waiting"), (61.0, "quarantined")):
        outcome = ingest_file(
            path, layout=layout, settings=SETTINGS, incoming=True, unchanged_for_s=age
        )
        assert outcome.status == status
        assert "truncated" in outcome.reason
    assert not path.exists()
    assert not list(layout.shots.rglob("*"))


def test_every_cut_of_a_file_is_noticed(tmp_path: Path) -> None:
    scenario = SCENARIOS["segments of different lengths"]
    whole = scenario.write(tmp_path / "whole.tdms", interleaved=False).read_bytes()
    ends = {s.next_segment_pos for s in TdmsMetadata(tmp_path / "whole.tdms").segments}
    layout = Layout.of(tmp_path / "w")
    path = tmp_path / "00007_x.tdms"
    for size in [*range(1, 400, 3), *range(401, len(whole), 53)]:
        if size in ends:
            continue  # a file that ends between two segments cannot be told from a whole one
        path.write_bytes(whole[:size])
        outcome = ingest_file(path, layout=layout, settings=SETTINGS, incoming=True, isolated=False)
        assert outcome.status == ("waiting" if size >= 4 else "quarantined"), size


def test_an_index_file_beside_it_is_not_trusted(tmp_path: Path) -> None:
    path = SCENARIOS["one segment"].write(tmp_path / "x.tdms", interleaved=False)
    (tmp_path / "x.tdms_index").write_bytes(b"TDSh from another file")
    assert ingested(path, tmp_path).channels["g/a"].n == 1000


def test_garbage_after_the_magic_is_no_crash(tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    whole = SCENARIOS["one segment"].write(tmp_path / "w.tdms", interleaved=False).read_bytes()
    layout = Layout.of(tmp_path)
    for k in range(25):
        data = bytearray(whole)
        for at in rng.integers(4, 300, 3):
            data[at] = int(rng.integers(0, 256))
        path = tmp_path / f"{k + 1:05d}_x.tdms"
        path.write_bytes(data)
        outcome = ingest_file(path, layout=layout, settings=SETTINGS, isolated=False)
        assert outcome.status in ("stored", "quarantined")


def test_text_properties_of_any_kind_survive(tmp_path: Path) -> None:
    assert String("x").bytes  # npTDMS writes them; what it reads back is plain
    path = tmp_path / "x.tdms"
    with NpTdmsWriter(path) as w:
        properties = {"i": 3, "f": 0.5, "b": True, "s": "µ", "t": np.datetime64("2026-11-22", "us")}
        w.write_segment([ChannelObject("g", "a", noise(4), properties)])
    found = ingested(path, tmp_path).channels["g/a"].properties
    assert {k: found[k] for k in properties} == properties | {"t": "2026-11-22T00:00:00.000000Z"}
