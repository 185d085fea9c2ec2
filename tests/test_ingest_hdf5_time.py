"""What the samples of an HDF5 file lie along, and when its shot was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from runner.ingest.hdf5 import h5_clock
from tests.hdf5_fakes import Written, good

pytestmark = pytest.mark.whole

N = np.arange(5.0)
COUNTED = ("", 0.0, 1.0, "samples")


def facts(channel: Any) -> tuple[Any, ...]:
    return channel.x_unit, channel.t0, channel.dt, channel.properties["time_base"]


# Rates


def stating(tmp_path: Path, where: str, attributes: dict[str, Any]) -> Written:
    def fill(f: h5py.File) -> None:
        f["g/U"] = N
        f[where].attrs.update(attributes)

    return Written(tmp_path, fill)


def rated(tmp_path: Path, **attributes: Any) -> Written:
    return stating(tmp_path, "g", attributes)


@pytest.mark.parametrize(
    ("sampling", "dt"),
    [
        (1e5, 1e-5),
        (np.float32(1000), 1e-3),
        ("1E5", 1e-5),
        (np.bytes_("100000"), 1e-5),
        ("100 kHz", 1e-5),
        ("2.5MHz", 4e-7),
        ("0,5", 2.0),
        ("1000 S/s", 1e-3),
        ([1000.0], 1e-3),
        (np.array([[1000]]), 1e-3),
        ("100 khz", 1e-5),
        ("2 MHZ", 5e-7),
        ("100 mHz", 10.0),
        ("20 kS/s", 5e-5),
    ],
)
def test_a_rate_is_read_as_people_write_it(tmp_path: Path, sampling: Any, dt: float) -> None:
    channel = rated(tmp_path, sampling=sampling, Tstart="-0.5")["g/U"]
    assert facts(channel) == ("s", -0.5, pytest.approx(dt, rel=1e-15), "sampling")


@pytest.mark.parametrize(
    "sampling",
    [
        "fast",
        0.0,
        -5.0,
        np.nan,
        np.inf,
        [1.0, 2.0],
        "10 s",
        True,
        "10,000 Hz",
        "1,000",
        "5 mhz",
        1e300,
    ],
)
def test_a_rate_that_is_none_leaves_samples_counted(tmp_path: Path, sampling: Any) -> None:
    written = rated(tmp_path, sampling=sampling)
    assert facts(written["g/U"]) == COUNTED
    assert "g/U: sampling" in written.reason
    assert "is not a rate in Hz" in written.reason


def test_a_start_that_cannot_be_read_is_said(tmp_path: Path) -> None:
    written = rated(tmp_path, sampling=10.0, Tstart="soon")
    assert facts(written["g/U"]) == ("s", 0.0, 0.1, "sampling")
    assert "g/U: Tstart 'soon' is not a time in s" in written.reason


@pytest.mark.parametrize("step", [-0.1, 0.0, 1e-320, 1e300, "1,000", "soon"])
def test_a_step_that_is_none_costs_no_other_channel(tmp_path: Path, step: Any) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f["g/U"] = N
        f["g"].attrs["SampleTime"] = step

    written = Written(tmp_path, fill)
    assert facts(written["g/U"]) == COUNTED
    assert "good/U" in written.paths
    assert "g/U: SampleTime" in written.reason


def test_a_rate_that_contradicts_the_step_is_said(tmp_path: Path) -> None:
    written = rated(tmp_path, sampling=100.0, SampleTime=0.1)
    assert facts(written["g/U"]) == ("s", 0.0, 0.1, "SampleTime")
    assert "SampleTime is 0.1 s but sampling 100 Hz is ignored" in written.reason
    assert rated(tmp_path / "same", sampling="10 Hz", SampleTime=0.1).reason == ""


def test_names_of_attributes_are_read_in_any_case(tmp_path: Path) -> None:
    channel = rated(tmp_path, sampletime="1E-3", TSTART=-1)["g/U"]
    assert facts(channel) == ("s", -1.0, 0.001, "SampleTime")


def test_the_waveform_of_labview_gives_increment_offset_and_unit(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f.attrs["date"] = "2026-11-22 15:00:00"
        for name, unit in (("t", "ms"), ("f", "Hz"), ("n", None), ("s", "s")):
            f[f"g/{name}"] = N
            attrs = f[f"g/{name}"].attrs
            attrs.update(wf_increment="0.1", wf_start_offset=2.0)
            if unit:
                attrs["wf_xunit_string"] = unit
        f["g/s"].attrs["wf_start_time"] = "2026-11-22 15:00:00.500"
        f["g/x"] = N
        f["g"].attrs["SampleTime"] = "1E-3"

    written = Written(tmp_path, fill)
    assert facts(written["g/t"]) == ("s", 0.002, 0.0001, "wf_increment")
    assert facts(written["g/f"]) == ("Hz", 2.0, 0.1, "wf_increment")
    assert facts(written["g/n"]) == ("s", 2.0, 0.1, "wf_increment")
    assert facts(written["g/s"]) == ("s", 2.5, 0.1, "wf_increment")
    assert facts(written["g/x"]) == ("s", 0.0, 0.001, "SampleTime")


def waveform(tmp_path: Path, **attributes: Any) -> Written:
    return stating(tmp_path, "g/U", attributes)


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"wf_increment": 0.0}, "g/U: its wf_increment 0.0 is not a valid step"),
        ({"wf_increment": -1.0}, "g/U: its wf_increment -1.0 is not a valid step"),
        ({"wf_increment": 1e300}, "g/U: its wf_increment 1e+300 is not a valid step"),
        ({"wf_increment": "1,000"}, "g/U: its wf_increment '1,000' is not a valid step"),
        (
            {"wf_increment": 0.1, "wf_xname": "Frequency"},
            "g/U: its x axis 'Frequency' has no unit (wf_xunit_string)",
        ),
    ],
)
def test_a_waveform_without_a_step_is_counted_and_told(
    tmp_path: Path, attributes: dict[str, Any], reason: str
) -> None:
    written = waveform(tmp_path, **attributes)
    assert facts(written["g/U"]) == COUNTED
    assert reason in written.reason


def test_a_step_as_text_may_name_its_unit(tmp_path: Path) -> None:
    channel = waveform(tmp_path, wf_increment="10 us", wf_start_offset="2 ms")["g/U"]
    assert facts(channel) == ("s", 0.002, 1e-5, "wf_increment")


LABVIEW = 3_878_200_800.0  # 2026-11-22 14:00 UTC, s since 1904


@pytest.mark.parametrize(
    "starts",
    [
        (LABVIEW, LABVIEW + 0.5),
        (str(LABVIEW), str(LABVIEW + 0.5)),
        (LABVIEW - 2_082_844_800, LABVIEW - 2_082_844_800 + 0.5),
        ("2026-11-22T14:00:00Z", "2026-11-22T14:00:00.5Z"),
        ("22.11.2026 15:00:00", "22.11.2026 15:00:00,5"),
    ],
)
def test_two_cards_keep_the_time_between_their_starts(tmp_path: Path, starts: Any) -> None:
    def fill(f: h5py.File) -> None:
        for name, start in zip("ab", starts, strict=True):
            f[f"g/{name}"] = N
            f[f"g/{name}"].attrs.update(wf_increment=0.1, wf_start_time=start)

    written = Written(tmp_path, fill)
    assert facts(written["g/a"]) == ("s", 0.0, 0.1, "wf_increment")
    assert facts(written["g/b"]) == ("s", 0.5, 0.1, "wf_increment")
    assert written.source.attributes["date"] == "2026-11-22T15:00:00"


@pytest.mark.parametrize("start", ["05/06/2026 10:00", "noon", 12.0])
def test_a_start_that_is_no_date_is_told(tmp_path: Path, start: Any) -> None:
    written = waveform(tmp_path, wf_increment=0.1, wf_start_time=start)
    assert facts(written["g/U"]) == ("s", 0.0, 0.1, "wf_increment")
    assert f"g/U: its wf_start_time {start!r} is not a date: it is ignored" in written.reason


def test_a_start_that_nobody_has_set_is_none(tmp_path: Path) -> None:
    assert waveform(tmp_path, wf_increment=0.1, wf_start_time=0.0).reason == ""


def test_an_absolute_start_of_a_waveform_counts_before_tstart(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f.attrs["date"] = "2026-11-22 15:00:00"
        f.create_group("g").attrs["Tstart"] = 0.0
        for name, late in (("a", 2.0), ("b", 2.5)):
            f[f"g/{name}"] = N
            f[f"g/{name}"].attrs.update(wf_increment=0.1, wf_start_time=LABVIEW + late)

    written = Written(tmp_path, fill)
    assert [written[f"g/{name}"].t0 for name in "ab"] == [2.0, 2.5]
    assert "g/a: it has a wf_start_time and a Tstart, which is not used" in written.reason


def test_tstart_of_a_rate_counts_before_an_absolute_start(tmp_path: Path) -> None:
    written = waveform(tmp_path, SampleTime=0.1, wf_start_time=LABVIEW, Tstart=-0.5)
    assert facts(written["g/U"]) == ("s", -0.5, 0.1, "SampleTime")
    assert "g/U: it has a wf_start_time and a Tstart: Tstart counts" in written.reason


@pytest.mark.parametrize(
    ("own", "group", "base", "dt"),
    [
        ({"sampling": 1e6}, {"SampleTime": 1e-3}, "sampling", 1e-6),
        ({"SampleTime": 1e-6}, {"sampling": 10.0}, "SampleTime", 1e-6),
        ({}, {"wf_increment": 0.1, "SampleTime": 0.2}, "wf_increment", 0.1),
        ({"sampling": 10.0}, {"wf_increment": 0.2}, "sampling", 0.1),
    ],
)
def test_what_a_dataset_states_counts_before_what_its_group_does(
    tmp_path: Path, own: dict[str, Any], group: dict[str, Any], base: str, dt: float
) -> None:
    def fill(f: h5py.File) -> None:
        f["g/U"] = N
        f["g/U"].attrs.update(own)
        f["g"].attrs.update(group)

    assert facts(Written(tmp_path, fill)["g/U"]) == ("s", 0.0, pytest.approx(dt), base)


@pytest.mark.parametrize(
    "attributes",
    [
        {"wf_increment": 0.1, "wf_start_offset": LABVIEW + 2.0},
        {"SampleTime": 0.1, "Tstart": LABVIEW + 2.0 - 2_082_844_800},
    ],
)
def test_a_start_that_counts_from_a_date_is_a_moment(
    tmp_path: Path, attributes: dict[str, Any]
) -> None:
    def fill(f: h5py.File) -> None:
        f.attrs["date"] = "2026-11-22 15:00:00"
        f["g/U"] = N
        f["g/U"].attrs.update(attributes)

    written = Written(tmp_path, fill)
    assert written["g/U"].t0 == 2.0
    assert "is read as" in written.reason


def test_what_says_nothing_is_counted(tmp_path: Path) -> None:
    assert facts(rated(tmp_path)["g/U"]) == COUNTED


# Datasets of times


def timed(
    tmp_path: Path, name: str, times: Any, attributes: dict[str, Any] | None = None, **options: Any
) -> Written:
    def fill(f: h5py.File) -> None:
        f["g/U"] = N
        f.create_dataset(f"g/{name}", data=np.asarray(times), **options)
        f[f"g/{name}"].attrs.update(attributes or {})

    return Written(tmp_path, fill)


@pytest.mark.parametrize(
    ("name", "unit"),
    [
        ("Time", "ms"),
        ("time", "ms"),
        ("TIME", np.bytes_("milliseconds")),
        ("Zeit", "msec"),
        ("Time [ms]", None),
        ("time (ms)", None),
        ("time_ms", None),
    ],
)
def test_a_dataset_of_times_is_known_by_its_name_and_unit(
    tmp_path: Path, name: str, unit: Any
) -> None:
    written = timed(tmp_path, name, 100 * N**2, {"unit": unit} if unit else {})
    channel = written["g/U"]
    assert channel.x_unit == "s"
    np.testing.assert_allclose(channel.time(), 0.1 * N**2, rtol=1e-15)
    assert channel.properties["time_base"] == f"g/{name}"


@pytest.mark.parametrize(
    ("unit", "per_second"),
    [
        *(("s", 1), ("us", 1e6), ("µs", 1e6), ("μs", 1e6), ("ns", 1e9), ("Seconds", 1)),
        *(("min", 1 / 60), ("h", 1 / 3600), ("days", 1 / 86400), ("[s]", 1)),
        *(("Sekunden", 1), ("Minuten", 1 / 60), ("ps", 1e12)),
    ],
)
def test_units_of_time(tmp_path: Path, unit: str, per_second: float) -> None:
    channel = timed(tmp_path, "Time", N * per_second, {"units": unit})["g/U"]
    np.testing.assert_allclose(channel.time(), N, rtol=1e-12)


def test_a_place_that_is_no_time_keeps_its_unit(tmp_path: Path) -> None:
    channel = timed(tmp_path, "Time", 10 * N, {"unit": "Hz"})["g/U"]
    assert channel.x_unit == "Hz"
    assert channel.time().tolist() == (10 * N).tolist()


def test_the_generator_counts_minutes_and_the_plc_ms(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        for group in ("Generator", "S7", "sub/Generator"):
            f[f"{group}/Time"] = N
            f[f"{group}/P"] = N

    written = Written(tmp_path, fill)
    np.testing.assert_allclose(written["Generator/P"].time(), 60 * N)
    np.testing.assert_allclose(written["S7/P"].time(), N / 1000)
    np.testing.assert_allclose(written["sub/Generator/P"].time(), 60 * N)


@pytest.mark.parametrize(
    ("times", "attributes", "reason"),
    [
        (N, {}, "g/Time does not state its unit"),
        (N[:4], {"unit": "s"}, "g/U has 5 values but g/Time 4"),
        ([0, 1, np.nan, 3, 4], {"unit": "s"}, "not all of its values are numbers"),
        ([0, 1, np.inf, 3, 4], {"unit": "s"}, "not all of its values are numbers"),
        ([0, 1, -9, 3, 4], {"unit": "s", "_FillValue": -9}, "not all of its values are numbers"),
        (np.zeros(5), {"unit": "s"}, "all of its values are the same"),
        (N.astype(complex), {"unit": "s"}, "it has no plain numbers"),
    ],
)
def test_times_that_are_none_leave_samples_counted(
    tmp_path: Path, times: Any, attributes: dict[str, Any], reason: str
) -> None:
    written = timed(tmp_path, "Time", times, attributes)
    assert facts(written["g/U"]) == COUNTED
    assert reason in written.reason
    assert "g/U is stored by sample number" in written.reason or "stored by sample" in reason


def test_times_that_step_back_are_told(tmp_path: Path) -> None:
    written = timed(tmp_path, "Time", [0, 1, 0.5, 2, 1.5], {"unit": "s"})
    assert written["g/U"].time().tolist() == [0, 1, 0.5, 2, 1.5]
    assert "the times of g/Time step back 2 times" in written.reason


@pytest.mark.parametrize(
    ("first", "unit", "step"),
    [
        (LABVIEW, "s", 0.25),
        (LABVIEW - 2_082_844_800, "s", 0.25),
        ((LABVIEW - 2_082_844_800) * 1000, "ms", 250),
    ],
)
def test_times_that_count_from_a_date_begin_where_the_shot_does(
    tmp_path: Path, first: float, unit: str, step: float
) -> None:
    def fill(f: h5py.File) -> None:
        f["g/U"] = N
        f["g/time"] = first + step * N
        f["g/time"].attrs["unit"] = unit

    written = Written(tmp_path, fill)
    np.testing.assert_allclose(written["g/U"].time(), 0.25 * N, atol=1e-6)
    assert written.source.attributes["date"] == "2026-11-22T15:00:00"
    assert "g/time: its first time" in written.reason

    def dated(f: h5py.File) -> None:
        fill(f)
        f.attrs["date"] = "2026-11-22 14:59:58"

    later = Written(tmp_path / "dated", dated)
    np.testing.assert_allclose(later["g/U"].time(), 2.0 + 0.25 * N, atol=1e-6)


@pytest.mark.parametrize(("first", "unit"), [(1.79e12, "s"), (46348.5, "d")])
def test_what_counts_from_elsewhere_is_no_date(tmp_path: Path, first: float, unit: str) -> None:
    """Milliseconds under the name of seconds; the days of a spreadsheet."""
    written = timed(tmp_path, "Time", first + N, {"unit": unit})
    step = 86400.0 if unit == "d" else 1.0
    np.testing.assert_allclose(written["g/U"].time(), step * N, atol=1e-3)
    assert "which is not a known date" in written.reason
    assert "date" not in written.source.attributes


def test_times_of_no_value_cost_no_other_channel(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f.create_dataset("g/Time", (0,), "f8").attrs["unit"] = "s"
        f.create_dataset("g/U", (0,), "f8")

    assert "good/U" in Written(tmp_path, fill).paths


def test_large_times_that_are_no_date_count_from_their_first(tmp_path: Path) -> None:
    written = timed(tmp_path, "Time", 2e8 + N, {"unit": "s"})
    assert written["g/U"].time().tolist() == N.tolist()
    assert "g/Time begins at 200000000 s, which is not a known date" in written.reason


def test_times_that_were_never_written_are_none(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["g/U"] = N
        f["h/U"] = N
        f.create_dataset("g/Time", (5,), "f8").attrs["unit"] = "s"
        part = f.create_dataset("h/Time", (5,), "f8", chunks=(2,))
        part.attrs["unit"] = "s"
        part[:2] = [0.0, 1.0]

    written = Written(tmp_path, fill)
    assert facts(written["g/U"]) == COUNTED
    assert facts(written["h/U"]) == COUNTED
    assert "g/Time has no times (its values were never written)" in written.reason
    assert "h/Time has no times (3 of its values were never written)" in written.reason


def test_times_may_be_packed_themselves(tmp_path: Path) -> None:
    attributes = {"unit": "ms", "scale_factor": 0.5, "add_offset": 100.0}
    channel = timed(tmp_path, "Time", np.arange(5, dtype="i2"), attributes)["g/U"]
    np.testing.assert_allclose(channel.time(), (0.5 * N + 100) / 1000)


@pytest.mark.parametrize("options", [{}, {"chunks": (300,), "compression": "gzip"}])
def test_a_long_clock_is_read_along_with_its_channels(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, options: dict[str, Any]
) -> None:
    monkeypatch.setattr(h5_clock, "LONGEST_HELD", 100)
    times = np.cumsum(np.random.default_rng(1).uniform(1, 2, 5000))

    def fill(f: h5py.File) -> None:
        f.create_dataset("g/Time", data=times, **options).attrs["unit"] = "s"
        f.create_dataset("g/a", data=times + 1, chunks=(64,))
        f.create_dataset("g/b", data=times + 2, chunks=(777,), compression="gzip")
        hole = f.create_dataset("g/c", (5000,), "f8", chunks=(100,))
        hole[200:300], hole[4000:4100] = times[200:300], times[4000:4100]

    written = Written(tmp_path, fill)
    for name in "ab":
        np.testing.assert_array_equal(written[f"g/{name}"].time(), times)
    np.testing.assert_array_equal(
        written["g/c"].time(), np.concatenate([times[200:300], times[4000:4100]])
    )


def test_groups_may_share_one_dataset_of_times_by_links(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["a/Time"] = N**2
        f["a/Time"].attrs["unit"] = "s"
        for group in "bc":
            f[f"{group}/U"] = N
        f["b/time"] = f["a/Time"]
        f["c/Time"] = h5py.SoftLink("/a/Time")

    written = Written(tmp_path, fill)
    assert written.paths == ["a/Time", "b/U", "c/U"]
    for group in "bc":
        assert written[f"{group}/U"].time().tolist() == (N**2).tolist()


# Dimension scales


def scaled(f: h5py.File, name: str, places: Any, **attributes: Any) -> h5py.Dataset:
    f["v/U"] = np.arange(float(len(places)))
    scale = f.create_dataset(name, data=places)
    scale.make_scale(name)
    f["v/U"].dims[0].attach_scale(scale)
    scale.attrs.update(attributes)
    return scale


@pytest.mark.parametrize(
    ("unit", "x_unit", "factor"), [("ms", "s", 1e-3), ("Hz", "Hz", 1), ("m", "m", 1)]
)
def test_a_dimension_scale_says_what_samples_lie_along(
    tmp_path: Path, unit: str, x_unit: str, factor: float
) -> None:
    written = Written(tmp_path, lambda f: scaled(f, "axes/x", 10 * N**2, units=unit))
    channel = written["v/U"]
    assert channel.x_unit == x_unit
    np.testing.assert_allclose(channel.time(), 10 * N**2 * factor)
    np.testing.assert_allclose(written["axes/x"].time(), 10 * N**2 * factor)


def test_a_dimension_scale_counts_before_the_rate_of_the_group(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        scaled(f, "x", N**2, units="s")
        f["v"].attrs["sampling"] = 10.0

    assert Written(tmp_path, fill)["v/U"].time().tolist() == (N**2).tolist()


def test_a_scale_of_another_length_is_told(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["v/U"] = N
        f["x"] = np.arange(4.0)
        f["x"].make_scale("x")
        f["x"].attrs["units"] = "s"
        f["v/U"].dims[0].attach_scale(f["x"])

    written = Written(tmp_path, fill)
    assert facts(written["v/U"]) == COUNTED
    assert (
        "v/U has 5 values along its scale x of 4: it is stored by sample number" in written.reason
    )


def test_a_scale_without_a_unit_says_nothing(tmp_path: Path) -> None:
    written = Written(tmp_path, lambda f: scaled(f, "x", N))
    assert facts(written["v/U"]) == COUNTED
    assert "x does not state its unit: v/U is stored by sample number" in written.reason


def test_a_dimension_without_a_variable_is_no_channel(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["v/U"] = N
        scale = f.create_dataset("x", (5,), "f4")
        scale.make_scale("This is a netCDF dimension but not a netCDF variable.         5")
        f["v/U"].dims[0].attach_scale(scale)

    written = Written(tmp_path, fill)
    assert written.paths == ["v/U"]
    assert written.reason == ""


def test_a_scale_tells_the_samples_of_a_table(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f["U"] = np.arange(20.0).reshape(4, 5)
        f["t"] = N
        f["t"].make_scale("t")
        f["t"].attrs["units"] = "s"
        f["U"].dims[1].attach_scale(f["t"])

    written = Written(tmp_path, fill)
    assert written["U.3"].raw().tolist() == [15, 16, 17, 18, 19]
    assert written["U.3"].x_unit == "s"


def test_a_damaged_list_of_scales_is_said(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        good(f)
        f["good/U"].attrs["DIMENSION_LIST"] = "nonsense"

    written = Written(tmp_path, fill)
    assert facts(written["good/U"]) == COUNTED
    assert "the dimension scales of good/U cannot be read" in written.reason


# Moments


@pytest.mark.parametrize(
    ("units", "times", "date"),
    [
        ("seconds since 2026-11-22 14:00:00 +00:00", N, "2026-11-22T15:00:00"),
        ("seconds since 2026-11-22T14:00:00Z", N + 2.5, "2026-11-22T15:00:02.500"),
        ("seconds since 2026-11-22 14:00:00", N, "2026-11-22T15:00:00"),  # CF: UTC
        ("milliseconds since 2026-11-22 15:00:00 +01:00", 1000 * N, "2026-11-22T15:00:00"),
        ("hours since 2026-11-22", 14 + N / 3600, "2026-11-22T15:00:00"),
        ("seconds since 1970-01-01 00:00:00", 1795356000 + N, "2026-11-22T15:00:00"),
        (
            "nanoseconds since 1970-01-01",
            1795356000_123456789 + np.arange(5) * 10**9,
            "2026-11-22T15:00:00.123456",
        ),
    ],
)
def test_times_since_a_moment_give_the_shot_its_date_and_begin_there(
    tmp_path: Path, units: str, times: Any, date: str
) -> None:
    written = Written(tmp_path, lambda f: scaled(f, "time", times, units=units))
    assert written.source.attributes == {"date": date}
    np.testing.assert_allclose(written["v/U"].time(), N, atol=1e-6, rtol=0)
    assert written["time"].unit == units.partition(" since")[0]
    assert f"the shot's date {date} is that of the first sample" in written.reason


def test_nanoseconds_since_1970_keep_every_digit(tmp_path: Path) -> None:
    times = 1795356000_000000000 + np.array([0, 1, 2, 3, 7])
    units = "nanoseconds since 1970-01-01"
    written = Written(tmp_path, lambda f: scaled(f, "time", times, units=units))
    np.testing.assert_allclose(written["v/U"].time(), [0, 1e-9, 2e-9, 3e-9, 7e-9], rtol=1e-12)


def test_times_since_a_moment_are_put_on_the_clock_of_the_stated_date(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f.attrs["date"] = "2026-11-22T15:00:00+01:00"
        scaled(f, "time", N + 0.25, units="seconds since 2026-11-22T14:00:00Z")

    written = Written(tmp_path, fill)
    assert written.source.attributes == {"date": "2026-11-22T15:00:00"}
    np.testing.assert_allclose(written["v/U"].time(), N + 0.25)


def test_a_date_and_a_reference_without_zones_are_of_the_same_clock(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f.attrs["date"] = "2026-11-22 15:00:00"
        scaled(f, "time", N - 0.5, units="seconds since 2026-11-22 15:00:00")

    np.testing.assert_allclose(Written(tmp_path, fill)["v/U"].time(), N - 0.5)


def test_of_two_clocks_the_first_gives_the_date_and_the_other_keeps_its_delay(
    tmp_path: Path,
) -> None:
    def fill(f: h5py.File) -> None:
        for name, start in (("a", 30.5), ("b", 30.0)):
            f[f"{name}/U"] = N
            f[f"{name}/time"] = N + start
            f[f"{name}/time"].attrs["units"] = "s since 2026-11-22T14:00:00Z"

    written = Written(tmp_path, fill)
    assert written.source.attributes == {"date": "2026-11-22T15:00:30"}
    np.testing.assert_allclose(written["a/U"].time(), N + 0.5)
    np.testing.assert_allclose(written["b/U"].time(), N)


def test_times_of_another_day_are_counted_from_their_first(tmp_path: Path) -> None:
    def fill(f: h5py.File) -> None:
        f.attrs["date"] = "2026-11-22 15:00:00"
        scaled(f, "time", N + 7, units="seconds since 2024-01-01T00:00:00Z")

    written = Written(tmp_path, fill)
    np.testing.assert_allclose(written["v/U"].time(), N)
    assert "its times are counted from its first sample" in written.reason


@pytest.mark.parametrize("since", ["the trigger", "2026-13-45 00:00:00"])
def test_a_reference_that_is_no_date_is_zero(tmp_path: Path, since: str) -> None:
    written = Written(tmp_path, lambda f: scaled(f, "time", N + 3, units=f"seconds since {since}"))
    assert written.source.attributes == {}
    np.testing.assert_allclose(written["v/U"].time(), N + 3)
    assert "which is not a date: 0 is assumed" in written.reason


@pytest.mark.parametrize("first", [1e300, -1e12, 1e12])
def test_a_moment_that_cannot_be_is_no_date(tmp_path: Path, first: float) -> None:
    units = "seconds since 2026-11-22T14:00:00Z"
    written = Written(tmp_path, lambda f: scaled(f, "time", first + 1e290 * N, units=units))
    assert written.source.attributes == {}


# The date of the shot


def dated(tmp_path: Path, **attributes: Any) -> Written:
    def fill(f: h5py.File) -> None:
        good(f)
        f.attrs.update(attributes)

    return Written(tmp_path, fill)


@pytest.mark.parametrize(
    ("date", "stored"),
    [
        ("2026-11-22 15:00:00", "2026-11-22T15:00:00"),
        ("22.11.2026 15:00:00", "2026-11-22T15:00:00"),
        ("2026-11-22T15:00:00+01:00", "2026-11-22T15:00:00"),
        ("2026-11-22T14:00:00Z", "2026-11-22T15:00:00"),
        ("2026-07-22T14:00:00.250Z", "2026-07-22T16:00:00.250"),
        (np.bytes_("2026-11-22 15:00:00"), "2026-11-22T15:00:00"),
        (["2026-11-22 15:00:00"], "2026-11-22T15:00:00"),
        (np.array([[b"2026-11-22 15:00:00"]]), "2026-11-22T15:00:00"),
        (1795356000.0, "2026-11-22T15:00:00"),
        (1795356000.5, "2026-11-22T15:00:00.500"),
        (1795356000250, "2026-11-22T15:00:00.250"),
        (1795356000123456789, "2026-11-22T15:00:00.123456"),
        ("1795356000", "2026-11-22T15:00:00"),
        (3878200800.0, "2026-11-22T15:00:00"),  # LabVIEW: since 1904
        ([1795356000.0], "2026-11-22T15:00:00"),
    ],
)
def test_the_date_is_read_as_people_and_programs_write_it(
    tmp_path: Path, date: Any, stored: str
) -> None:
    written = dated(tmp_path, Date=date)
    assert written.source.attributes == {"date": stored}
    assert ("is read as" in written.reason) == (not isinstance(stated(date), str | bytes))


def stated(date: Any) -> Any:
    value = np.asarray(date).reshape(-1)[0].item()
    return float(value) if str(value).isdigit() else value


@pytest.mark.parametrize(
    "date", ["yesterday", "31.02.2026 10:00:00", np.nan, 12345.0, True, ["a", "b"], -1.0, 1e300]
)
def test_a_date_that_cannot_be_read_does_not_lose_the_file(tmp_path: Path, date: Any) -> None:
    written = dated(tmp_path, date=date, gas="Ar")
    assert written.paths == ["good/U"]
    assert written.source.attributes == {"gas": "Ar"}
    assert "cannot be read: the shot gets none from this file" in written.reason


@pytest.mark.parametrize("date", [h5py.Empty("S5"), "", np.zeros(0)])
def test_no_date_is_no_trouble(tmp_path: Path, date: Any) -> None:
    written = dated(tmp_path, date=date)
    assert written.source.attributes == {}
    assert written.reason == ""


def test_date_and_time_may_stand_apart(tmp_path: Path) -> None:
    written = dated(tmp_path, date="22.11.2026", time="15:00:00")
    assert written.source.attributes == {"date": "2026-11-22T15:00:00"}


def test_the_other_attributes_of_the_shot_are_text_and_truth(tmp_path: Path) -> None:
    written = dated(
        tmp_path,
        Gas=np.bytes_("Ar"),
        operator=["kovacs"],
        program=["a", "b"],
        comment=np.bytes_(b"gez\xfcndet"),
        useful="ja",
    )
    assert written.source.attributes == {
        "comment": "gezündet",
        "gas": "Ar",
        "operator": "kovacs",
        "program": "a, b",
        "useful": True,
    }
