"""When TDMS samples were taken: starts, pauses, rates, other axes, and what cannot be read."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from nptdms import ChannelObject, GroupObject, RootObject, TdmsWriter

from ishtar.store import SourceFile
from runner.ingest.parsing.stated_numbers import stated_number, stated_seconds, time_unit
from runner.ingest.tdms import tdms_sinks
from tests.tdms_fakes import ingested, notes

T0 = np.datetime64("2026-11-22T09:00:00", "us")
FIVE = np.arange(5.0)


def at(seconds: float) -> np.datetime64:
    return T0 + np.timedelta64(round(seconds * 1e6), "us")


def waveform(start: float | None = None, dt: Any = 0.1, **more: Any) -> dict[str, Any]:
    """Properties of a waveform that began `start` s after T0."""
    begun = {} if start is None else {"wf_start_time": at(start)}
    return {**begun, "wf_increment": dt, "wf_start_offset": 0.0, **more}


Part = tuple[str, np.ndarray, dict[str, Any]]


def stored(
    tmp_path: Path, *segments: list[Part], groups: dict[str, Any] | None = None, **root: Any
) -> SourceFile:
    """Write segments of (path, values, properties) and store the file."""
    path = tmp_path / "x.tdms"
    with TdmsWriter(path) as w:
        for k, parts in enumerate(segments):
            names = (p.partition("/") for p, _, _ in parts)
            channels = [
                ChannelObject(g, c, v, props)
                for (g, _, c), (_, v, props) in zip(names, parts, strict=True)
            ]
            head = [RootObject(root), *(GroupObject(g, p) for g, p in (groups or {}).items())]
            w.write_segment([*(head if k == 0 else []), *channels])
    return ingested(path, tmp_path)


# The zero of the clock


def test_two_cards_begin_as_far_apart_as_they_did(tmp_path: Path) -> None:
    late, early = ("late/b", FIVE, waveform(0.5)), ("early/a", FIVE, waveform(0.0))
    source = stored(tmp_path, [late, early])
    assert (source.channels["early/a"].t0, source.channels["late/b"].t0) == (0.0, 0.5)
    assert source.attributes == {"date": "2026-11-22T10:00:00"}
    assert not notes(source)


def test_an_offset_counts_from_the_start(tmp_path: Path) -> None:
    """A scope that was triggered at its start time has a start before it."""
    before = waveform(2.0) | {"wf_start_offset": -0.25}
    source = stored(tmp_path, [("a/a", FIVE, waveform(0.0)), ("b/b", FIVE, before)])
    assert source.channels["b/b"].t0 == 1.75


@pytest.mark.parametrize(
    "unset",
    [*(np.datetime64(t, "us") for t in ("1904-01-01", "1904-01-01T01", "1903-12-31T23")), ""],
)
def test_a_start_that_is_not_set_says_nothing(tmp_path: Path, unset: Any) -> None:
    a = waveform() | {"wf_start_time": unset}
    source = stored(tmp_path, [("g/a", FIVE, a), ("g/b", FIVE, waveform(3.0))])
    assert (source.channels["g/a"].t0, source.channels["g/b"].t0) == (0.0, 0.0)
    assert source.attributes["date"] == "2026-11-22T10:00:03"
    assert not notes(source)


def test_starts_count_for_the_sample_times_of_groups_too(tmp_path: Path) -> None:
    own = [{"wf_start_time": at(s)} for s in (1.0, 1.5)]
    source = stored(
        tmp_path,
        [("a/a", FIVE, own[0]), ("b/b", FIVE, own[1])],
        groups={"a": {"SampleTime": 0.1}, "b": {"sampling": 4.0}},
    )
    a, b = source.channels["a/a"], source.channels["b/b"]
    assert ((a.t0, a.dt), (b.t0, b.dt)) == ((0.0, 0.1), (0.5, 0.25))


def test_who_has_no_start_beside_different_ones_is_told(tmp_path: Path) -> None:
    parts = [("g/a", FIVE, waveform(1.0)), ("g/b", FIVE, waveform(2.0)), ("g/c", FIVE, waveform())]
    source = stored(tmp_path, parts)
    assert [source.channels[f"g/{c}"].t0 for c in "abc"] == [0.0, 1.0, 0.0]
    assert notes(source).startswith("g/c: it has no wf_start_time, while others")


def test_tstart_says_where_the_zero_is(tmp_path: Path) -> None:
    """The trigger came half a second after the card began."""
    source = stored(
        tmp_path,
        [("PXI/a", FIVE, waveform(1.0)), ("scope/b", FIVE, waveform(2.0))],
        groups={"PXI": {"Tstart": -0.5, "SampleTime": 0.1}},
    )
    assert (source.channels["PXI/a"].t0, source.channels["scope/b"].t0) == (-0.5, 0.5)
    assert source.attributes["date"] == "2026-11-22T10:00:01.500"


def test_tstart_counts_where_the_waveform_states_no_start(tmp_path: Path) -> None:
    source = stored(tmp_path, [("PXI/a", FIVE, waveform())], groups={"PXI": {"Tstart": "-0,5"}})
    assert (source.channels["PXI/a"].t0, source.channels["PXI/a"].dt) == (-0.5, 0.1)


def test_an_offset_of_the_waveform_counts_before_tstart(tmp_path: Path) -> None:
    before = waveform(1.0) | {"wf_start_offset": -0.25}
    source = stored(tmp_path, [("PXI/a", FIVE, before)], groups={"PXI": {"Tstart": -0.5}})
    assert source.channels["PXI/a"].t0 == -0.25
    assert source.attributes["date"] == "2026-11-22T10:00:01"
    assert "wf_start_offset is -0.25 s but Tstart -0.5 s is ignored" in notes(source)


def test_two_groups_that_contradict_each_other_are_told(tmp_path: Path) -> None:
    source = stored(
        tmp_path,
        [("a/a", FIVE, waveform(0.0)), ("b/b", FIVE, waveform(0.5)), ("c/c", FIVE, waveform(2.0))],
        groups={"a": {"Tstart": -1.0}, "b": {"Tstart": -1.0}},
    )
    assert [source.channels[c].t0 for c in ("a/a", "b/b", "c/c")] == [-1.0, -1.0, 1.0]
    assert "put the zero of the clock 0.5 s later" in notes(source)


def test_a_start_in_text_is_read_as_the_facility_s_time(tmp_path: Path) -> None:
    a = waveform() | {"wf_start_time": "22.11.2026 10:00:00.250"}  # 09:00:00.25 UTC
    source = stored(tmp_path, [("g/a", FIVE, a), ("g/b", FIVE, waveform(0.0))])
    assert (source.channels["g/a"].t0, source.channels["g/b"].t0) == (0.25, 0.0)


def test_a_start_that_is_no_date_is_told(tmp_path: Path) -> None:
    a = waveform() | {"wf_start_time": "soon"}
    source = stored(tmp_path, [("g/a", FIVE, a)])
    assert source.channels["g/a"].t0 == 0.0
    assert "wf_start_time 'soon' is not a date" in notes(source)
    assert "date" not in source.attributes


def test_a_stated_date_counts_before_the_start_of_a_waveform(tmp_path: Path) -> None:
    source = stored(tmp_path, [("g/a", FIVE, waveform(5.0))], DateTime="22.11.2026 10:00:04")
    assert source.attributes["date"] == "2026-11-22T10:00:04"


# Pauses, rates and starts that change between segments


def test_a_pause_between_segments_is_kept(tmp_path: Path) -> None:
    source = stored(
        tmp_path,
        [("g/a", FIVE, waveform(0.0)), ("g/b", FIVE, {"wf_increment": 1.0})],
        [("g/a", FIVE, waveform(10.0)), ("g/b", FIVE, {"wf_increment": 1.0})],
    )
    a = source.channels["g/a"]
    np.testing.assert_allclose(a.time(), [*0.1 * FIVE, *10 + 0.1 * FIVE], rtol=1e-12)
    assert "g/a: it has a pause of 9.5 s before value 5 (2 pieces" in notes(source)
    assert source.channels["g/b"].dt == 1.0


def test_a_waveform_that_goes_on_is_even(tmp_path: Path) -> None:
    """Each write states when it began, as far as its clock tells."""
    segments = [[("g/a", FIVE, waveform(0.5 * k + (k % 2) * 0.04))] for k in range(6)]
    source = stored(tmp_path, *segments)
    a = source.channels["g/a"]
    assert (a.t0, a.dt, a.n) == (0.0, 0.1, 30)
    assert not notes(source)


def test_a_clock_that_drifts_away_is_no_even_rate(tmp_path: Path) -> None:
    """Each step alone is below half a sample; their sum is not."""
    source = stored(tmp_path, *[[("g/a", FIVE, waveform(0.52 * k))] for k in range(8)])
    expected = np.concatenate([0.52 * k + 0.1 * FIVE for k in range(8)])
    assert np.abs(source.channels["g/a"].time() - expected).max() <= 0.05 + 1e-9


def test_segments_that_overlap_are_told(tmp_path: Path) -> None:
    source = stored(tmp_path, [("g/a", FIVE, waveform(1.0))], [("g/a", FIVE, waveform(1.2))])
    np.testing.assert_allclose(source.channels["g/a"].time()[5], 0.2)
    assert "begins 0.3 s before its previous end, at value 5" in notes(source)


@pytest.mark.parametrize("block", [1 << 22, 48])
def test_a_change_of_rate_is_kept(
    tmp_path: Path, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.ingest.tdms import tdms_blocks

    monkeypatch.setattr(tdms_blocks, "BLOCK_BYTES", block)  # blocks that end within pieces
    slow = waveform(0.0, 1.0)
    source = stored(
        tmp_path,
        [("g/a", np.arange(10.0), waveform(0.0))],
        [("g/a", np.arange(20.0), slow)],
        [("g/a", FIVE, waveform(60.0, 1.0))],
    )
    a = source.channels["g/a"]
    expected = [*0.1 * np.arange(10), *1.0 + np.arange(20), *60.0 + FIVE]
    np.testing.assert_allclose(a.time(), expected, rtol=1e-12)
    np.testing.assert_array_equal(a.raw(), [*range(10), *range(20), *range(5)])
    assert "its step changes from 0.1 to 1 s at value 10" in notes(source)


def test_what_a_group_says_changes_for_all_its_channels(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    with TdmsWriter(path) as w:
        for t_start, step in ((0.0, 0.1), (7.0, 0.2)):
            group = GroupObject("g", {"Tstart": t_start, "SampleTime": step})
            w.write_segment([group, *(ChannelObject("g", c, FIVE) for c in "ab")])
    for c in ingested(path, tmp_path).channels.values():
        np.testing.assert_allclose(c.time(), [*0.1 * FIVE, *7.0 + 0.2 * FIVE])
        assert c.properties["time_base"] == "SampleTime"


def test_a_channel_that_ended_before_keeps_what_its_group_said(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    with TdmsWriter(path) as w:
        g = GroupObject("g", {"SampleTime": 0.1})
        w.write_segment([g, ChannelObject("g", "a", FIVE), ChannelObject("g", "b", FIVE)])
        w.write_segment([GroupObject("g", {"SampleTime": 9.0}), ChannelObject("g", "b", FIVE)])
    source = ingested(path, tmp_path)
    assert source.channels["g/a"].dt == 0.1
    np.testing.assert_allclose(source.channels["g/b"].time()[5:7], [0.5, 9.5])


def test_what_is_stated_after_the_last_values_corrects_what_was(tmp_path: Path) -> None:
    path = tmp_path / "x.tdms"
    with TdmsWriter(path) as w:
        w.write_segment([ChannelObject("g", "a", FIVE, waveform(0.0, 1.0))])
        w.write_segment([GroupObject("g"), ChannelObject("g", "a", [], waveform(0.0, 0.25))])
    a = ingested(path, tmp_path).channels["g/a"]
    assert (a.dt, a.n) == (0.25, 5)


def test_what_is_stated_late_holds_for_all_values(tmp_path: Path) -> None:
    """LabVIEW programs often write the properties of a group when the recording is over."""
    path = tmp_path / "x.tdms"
    with TdmsWriter(path) as w:
        w.write_segment([ChannelObject("g", "a", FIVE)])
        w.write_segment([GroupObject("g", {"SampleTime": 0.5}), ChannelObject("g", "a", FIVE)])
    source = ingested(path, tmp_path)
    assert (source.channels["g/a"].dt, notes(source)) == (0.5, "")


def test_times_that_are_said_in_two_ways_are_no_times(tmp_path: Path) -> None:
    source = stored(
        tmp_path,
        [("g/a", FIVE, waveform(0.0))],
        [("g/a", FIVE, waveform(0.0) | {"wf_increment": 0.0})],
    )
    a = source.channels["g/a"]
    assert (a.x_unit, a.properties["time_base"]) == ("", "samples")
    assert "stated differently from value 5 on: stored by sample number" in notes(source)


def test_a_pause_of_many_segments_is_read_in_one_pass(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    starts = np.cumsum(rng.uniform(1.0, 2.0, 40)).round(6)
    lengths = rng.integers(1, 6, 40)
    segments = [
        [("g/a", np.arange(float(n)), waveform(s))] for s, n in zip(starts, lengths, strict=True)
    ]
    times = stored(tmp_path, *segments).channels["g/a"].time()
    parts = [s - starts[0] + 0.1 * np.arange(n) for s, n in zip(starts, lengths, strict=True)]
    np.testing.assert_allclose(times, np.concatenate(parts), rtol=0, atol=1e-9)


# Numbers in text, and numbers that are none


@pytest.mark.parametrize(
    ("group", "dt", "t0", "base"),
    [
        ({"SampleTime": "1E-5", "Tstart": "-0.5"}, 1e-5, -0.5, "SampleTime"),
        ({"SampleTime": "1,0E-5", "Tstart": "-0,5"}, 1e-5, -0.5, "SampleTime"),
        ({"SampleTime": " 10 us ", "Tstart": "-500 ms"}, 1e-5, -0.5, "SampleTime"),
        ({"SampleTime": "10 µs"}, 1e-5, 0.0, "SampleTime"),
        ({"sampling": "100000"}, 1e-5, 0.0, "sampling"),
        ({"sampling": "100 kHz"}, 1e-5, 0.0, "sampling"),
        ({"sampling": "100 kS/s"}, 1e-5, 0.0, "sampling"),
    ],
)
def test_numbers_in_text_are_read(
    tmp_path: Path, group: dict[str, Any], dt: float, t0: float, base: str
) -> None:
    source = stored(tmp_path, [("g/a", FIVE, {})], groups={"g": group})
    a = source.channels["g/a"]
    assert (a.dt, a.t0, a.x_unit) == (pytest.approx(dt, rel=1e-15), t0, "s")
    assert a.properties["time_base"] == base
    assert not notes(source)


def test_a_waveform_in_text_is_read(tmp_path: Path) -> None:
    text = {"wf_increment": "0,1", "wf_start_offset": "-2.5E-1"}
    a = stored(tmp_path, [("g/a", FIVE, text)]).channels["g/a"]
    assert (a.dt, a.t0) == (0.1, -0.25)


@pytest.mark.parametrize(
    "value", ["fast", "10 furlong", "1,000", "1.000,5", "", "1e-5 1e-5", "0x10", "nan", "1e999"]
)
@pytest.mark.parametrize("name", ["SampleTime", "sampling"])
def test_what_is_no_number_is_told_and_not_guessed(tmp_path: Path, name: str, value: str) -> None:
    source = stored(tmp_path, [("g/a", FIVE, {})], groups={"g": {name: value}})
    a = source.channels["g/a"]
    assert (a.x_unit, a.dt, a.t0) == ("", 1.0, 0.0)
    assert name in notes(source)
    assert "stored by sample number" in notes(source)


@pytest.mark.parametrize("value", [0.0, -1e-5, float("nan"), float("inf"), 1e300, 5e-324])
@pytest.mark.parametrize("name", ["wf_increment", "SampleTime", "sampling"])
def test_absurd_steps_are_told_and_not_used(tmp_path: Path, name: str, value: float) -> None:
    own, group = ({name: value}, {}) if name == "wf_increment" else ({}, {name: value})
    source = stored(tmp_path, [("g/a", FIVE, own)], groups={"g": group})
    a = source.channels["g/a"]
    assert (a.x_unit, a.dt, a.properties["time_base"]) == ("", 1.0, "samples")
    assert name in notes(source)


def test_a_step_that_is_no_use_leaves_the_next_one(tmp_path: Path) -> None:
    own, group = {"wf_increment": float("nan")}, {"SampleTime": 0.25}
    source = stored(tmp_path, [("g/a", FIVE, own)], groups={"g": group})
    assert source.channels["g/a"].dt == 0.25
    assert "wf_increment nan is not a valid step" in notes(source)


def test_a_start_without_digits_left_for_the_step_is_told(tmp_path: Path) -> None:
    own = {"wf_increment": 1e-9, "wf_start_offset": 1e12}
    source = stored(tmp_path, [("g/a", FIVE, own)])
    assert source.channels["g/a"].x_unit == ""
    assert "leaves no digits for its step" in notes(source)


def test_a_step_and_a_rate_that_disagree_are_told(tmp_path: Path) -> None:
    source = stored(
        tmp_path, [("g/a", FIVE, {})], groups={"g": {"SampleTime": 0.1, "sampling": 1e5}}
    )
    assert source.channels["g/a"].dt == 0.1
    assert "sampling 100000 Hz is ignored" in notes(source)


@pytest.mark.parametrize(
    ("text", "number"),
    [("1E-5", 1e-5), ("+1,5", 1.5), (".5", 0.5), ("0,125", 0.125), ("1,000", None), ("1_0", None)],
)
def test_texts_of_numbers_are_read_whole_or_not(text: str, number: float | None) -> None:
    assert stated_number(text) == number


@pytest.mark.parametrize(
    ("value", "seconds"),
    [("2 min", 120.0), ("1 MS", None), ("3", 3.0), (True, None), (10**400, None)],
)
def test_times_in_text_name_their_unit_or_mean_seconds(value: Any, seconds: float | None) -> None:
    assert stated_seconds(value) == seconds


# Axes


@pytest.mark.parametrize(
    ("unit", "dt"),
    [
        ("s", 0.1),
        ("", 0.1),
        ("sec", 0.1),
        ("Seconds", 0.1),
        ("ms", 1e-4),
        ("us", 1e-7),
        ("µs", 1e-7),
        ("μs", 1e-7),
        ("ns", 1e-10),
        ("min", 6.0),
        ("h", 360.0),
    ],
)
def test_increments_are_in_their_unit(tmp_path: Path, unit: str, dt: float) -> None:
    own = {"wf_increment": 0.1, "wf_start_offset": -0.5, "wf_xunit_string": unit}
    a = stored(tmp_path, [("g/a", FIVE, own)]).channels["g/a"]
    assert a.x_unit == "s"
    np.testing.assert_allclose([a.dt, a.t0], [dt, -5 * dt], rtol=1e-15)


@pytest.mark.parametrize("unit", ["Hz", "kHz", "m", "furlong", "S", "Ms"])
def test_what_lies_along_another_unit_has_no_seconds(tmp_path: Path, unit: str) -> None:
    own = waveform(-5.0, 50.0, wf_xunit_string=unit, wf_xname="Frequency")
    own["wf_start_offset"] = 100.0
    source = stored(tmp_path, [("g/spectrum", FIVE, own), ("g/a", FIVE, waveform(1.0))])
    a = source.channels["g/spectrum"]
    assert (a.x_unit, a.t0, a.dt) == (unit, 100.0, 50.0)
    assert source.channels["g/a"].t0 == 0.0  # the spectrum sets no clock
    assert source.attributes["date"] == "2026-11-22T10:00:01"


def test_spectra_that_follow_each_other_begin_anew(tmp_path: Path) -> None:
    own = [waveform(float(k), 50.0, wf_xunit_string="Hz") for k in range(2)]
    source = stored(tmp_path, *[[("g/a", FIVE, o)] for o in own])
    a = source.channels["g/a"]
    assert a.x_unit == "Hz"
    np.testing.assert_array_equal(a.time(), [*50 * FIVE, *50 * FIVE])
    assert "restarts along Hz at value 5" in notes(source)


def test_an_axis_without_a_unit_is_none(tmp_path: Path) -> None:
    source = stored(tmp_path, [("g/a", FIVE, waveform(0.0, 50.0, wf_xname="Frequency"))])
    assert source.channels["g/a"].x_unit == ""
    assert "its x axis 'Frequency' has no unit" in notes(source)


@pytest.mark.parametrize(
    ("text", "known"), [("Sekunden", True), ("MSEC", True), ("S", False), ("", False), ("H", False)]
)
def test_units_of_time_are_those_that_people_write(text: str, known: bool) -> None:
    assert (time_unit(text) is not None) == known


# Channels of times


@pytest.mark.parametrize(
    ("name", "unit", "per_second"),
    [
        ("time", "s", 1.0),
        ("TIME", "ms", 1e3),
        ("Zeit", "µs", 1e6),
        ("Time [ms]", "", 1e3),
        ("time (s)", "", 1.0),
        ("Zeit/min", "", 1 / 60),
    ],
)
def test_a_channel_of_times_is_an_axis(
    tmp_path: Path, name: str, unit: str, per_second: float
) -> None:
    times = np.array([0.0, 0.1, 0.2, 0.5, 0.9])
    properties = {"unit_string": unit} if unit else {}
    source = stored(tmp_path, [(f"g/{name}", times * per_second, properties), ("g/a", FIVE, {})])
    for c in source.channels.values():
        np.testing.assert_allclose(c.time(), times, rtol=1e-15)
        assert (c.x_unit, c.properties["time_base"]) == ("s", f"g/{name}")


@pytest.mark.parametrize("longest", [1 << 21, 3], ids=["short", "long"])
def test_time_stamps_are_an_axis(
    tmp_path: Path, longest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    from runner.ingest.tdms import tdms_time

    monkeypatch.setattr(tdms_time, "LONGEST_CLOCK", longest)
    stamps = np.array([at(0.1 * k) for k in range(5)])
    source = stored(tmp_path, [("g/Time", stamps, {}), ("g/a", FIVE, {})])
    np.testing.assert_allclose(source.channels["g/a"].time(), 0.1 * FIVE, atol=1e-9)
    assert source.attributes["date"] == "2026-11-22T10:00:00"


def test_time_stamps_count_from_the_zero_of_the_waveforms(tmp_path: Path) -> None:
    stamps = np.array([at(0.1 * k - 3600) for k in range(5)])
    parts = [("log/Time", stamps, {}), ("log/a", FIVE, {}), ("g/b", FIVE, waveform(0.0))]
    source = stored(tmp_path, parts)
    np.testing.assert_allclose(source.channels["log/a"].time(), -3600 + 0.1 * FIVE, atol=1e-9)
    assert source.channels["g/b"].t0 == 0.0


@pytest.mark.parametrize(
    ("times", "unit", "why"),
    [
        (np.array([0, 1, np.nan, 3, 4]), "s", "1 of the 5 values of g/time are no numbers"),
        (np.array([0, 1, np.inf, 3, 4]), "s", "1 of the 5 values of g/time are no numbers"),
        (np.arange(4.0), "s", "g/a has 5 values but g/time 4"),
        (np.arange(5.0), "", "g/time has the unit '', not a time"),
        (np.zeros(5), "s", "g/time stands still"),
        (
            np.array(["1904-01-01", *["2026-11-22"] * 4], "datetime64[us]"),
            "",
            "1 of the 5 values of g/time are no time stamps of a measurement",
        ),
    ],
)
def test_a_channel_of_times_that_cannot_be_one_is_told(
    tmp_path: Path, times: np.ndarray, unit: str, why: str
) -> None:
    properties = {"unit_string": unit} if unit else {}
    source = stored(tmp_path, [("g/time", times, properties), ("g/a", FIVE, {})])
    a = source.channels["g/a"]
    assert (a.x_unit, a.properties["time_base"]) == ("", "samples")
    assert f"{why}: stored by sample number" in notes(source)


def test_a_clock_that_steps_back_is_told(tmp_path: Path) -> None:
    times = np.array([0.0, 0.1, 0.05, 0.2, 0.3])
    source = stored(tmp_path, [("g/time", times, {"unit_string": "s"}), ("g/a", FIVE, {})])
    np.testing.assert_array_equal(source.channels["g/a"].time(), times)
    assert "g/time, g/a: its times (g/time) step back 1 times" in notes(source)


def test_texts_are_no_channel_of_times(tmp_path: Path) -> None:
    source = stored(tmp_path, [("g/Time", list("abcde"), {}), ("g/a", FIVE, {})])
    assert source.channels["g/a"].x_unit == ""
    assert "g/Time has neither numbers nor time stamps (text)" in notes(source)


def test_an_odd_date_is_told(tmp_path: Path) -> None:
    source = stored(tmp_path, [("g/a", FIVE, {})], DateTime="yesterday")
    assert "date" not in source.attributes
    assert "the file's DateTime 'yesterday' is not a known date" in notes(source)


def test_notes_of_many_channels_are_one(tmp_path: Path) -> None:
    source = stored(tmp_path, [(f"g/{k}", FIVE, {"wf_increment": -1.0}) for k in range(50)])
    told = source.properties["notes"]
    assert told == [
        "g/0, g/1, g/2 and 47 more: its wf_increment -1.0 is not a valid step: "
        "stored by sample number"
    ]


def test_stamps_further_than_a_number_of_ns_are_told(tmp_path: Path) -> None:
    stamps = np.array(["2026-11-22", "9999-01-01"], "datetime64[us]")
    source = stored(tmp_path, [("g/when", stamps, {})])
    raw = source.channels["g/when"].raw()
    assert raw.tolist() == [stamps[0].astype("datetime64[ns]").astype(int), tdms_sinks.NO_TIME]
    assert "1 of its time stamps are further than 292 years from 1970" in notes(source)


# Numbers that count from a date

NINE = 3_878_182_800.0  # T0, 09:00 UTC, in s since 1904
UNIX = NINE - 2_082_844_800


def test_the_numbers_above_are_those_of_the_start() -> None:
    assert np.datetime64("1904-01-01") + np.timedelta64(int(NINE), "s") == T0


@pytest.mark.parametrize("zero", [NINE, UNIX])
def test_a_channel_of_times_that_counts_from_a_date_begins_when_that_was(
    tmp_path: Path, zero: float
) -> None:
    times = ("g/Time", zero + 0.5 + 0.1 * FIVE, {"unit_string": "s"})
    source = stored(tmp_path, [times, ("g/U", FIVE, {}), ("h/a", FIVE, waveform(0.0))])
    np.testing.assert_allclose(source.channels["g/U"].time(), 0.5 + 0.1 * FIVE, atol=1e-6)
    assert source.attributes == {"date": "2026-11-22T10:00:00"}
    assert "g/Time: it begins at" in notes(source)


def test_it_gives_the_shot_its_date_where_nothing_else_does(tmp_path: Path) -> None:
    times = ("g/Time", NINE + 0.5 + 0.1 * FIVE, {"unit_string": "s"})
    alone = stored(tmp_path, [times, ("g/U", FIVE, {})])
    np.testing.assert_allclose(alone.channels["g/U"].time(), 0.1 * FIVE, atol=1e-6)
    assert alone.attributes == {"date": "2026-11-22T10:00:00.500"}


def test_days_of_a_spreadsheet_are_no_date(tmp_path: Path) -> None:
    source = stored(tmp_path, [("g/Time", 46348.5 + FIVE, {"unit_string": "d"}), ("g/U", FIVE, {})])
    np.testing.assert_allclose(source.channels["g/U"].time(), 86400 * FIVE, atol=1e-3)
    assert "date" not in source.attributes


def test_a_clock_of_another_day_counts_from_its_first_time(tmp_path: Path) -> None:
    """A clock that nobody has set: 2001."""
    times = ("g/Time", 1e9 + FIVE, {"unit_string": "s"})
    source = stored(tmp_path, [times, ("g/U", FIVE, {}), ("h/a", FIVE, waveform(0.0))])
    assert source.channels["g/U"].time().tolist() == FIVE.tolist()
    assert source.attributes == {"date": "2026-11-22T10:00:00"}
    assert "its times are counted from its first one" in notes(source)


def test_times_that_are_long_and_no_date_count_from_their_first(tmp_path: Path) -> None:
    times = ("g/Time", 2e8 + FIVE, {"unit_string": "s"})
    source = stored(tmp_path, [times, ("g/U", FIVE, {})])
    assert source.channels["g/U"].time().tolist() == FIVE.tolist()
    assert "taken for a count of its own: its times are counted from there" in notes(source)


@pytest.mark.parametrize(
    ("group", "own"),
    [
        ({}, {"wf_increment": 0.1, "wf_start_offset": NINE + 0.5}),
        ({"SampleTime": 0.1, "Tstart": NINE + 0.5}, {}),
        ({}, {"wf_increment": 0.1, "wf_start_time": NINE + 0.5}),
        ({}, {"wf_increment": 0.1, "wf_start_time": UNIX + 0.5}),
    ],
)
def test_a_start_that_counts_from_a_date_is_a_moment(tmp_path: Path, group: Any, own: Any) -> None:
    parts = [("g/U", FIVE, own), ("h/a", FIVE, waveform(0.0))]
    source = stored(tmp_path, parts, groups={"g": group})
    channel = source.channels["g/U"]
    assert (channel.x_unit, channel.t0, channel.dt) == ("s", 0.5, 0.1)
    assert "is read as" in notes(source)


def test_the_start_time_counts_before_a_start_that_says_the_date_again(tmp_path: Path) -> None:
    own = waveform(0.5) | {"wf_start_offset": NINE + 9}
    source = stored(tmp_path, [("g/U", FIVE, own), ("h/a", FIVE, waveform(0.0))])
    assert source.channels["g/U"].t0 == 0.5
    assert "is a date: its wf_start_time is used instead" in notes(source)


@pytest.mark.parametrize("unit", ["[ms]", "(ms)", "msec.", " ms "])
def test_a_unit_may_stand_in_brackets(tmp_path: Path, unit: str) -> None:
    own = {"wf_increment": 10.0, "wf_xunit_string": unit}
    assert stored(tmp_path, [("g/U", FIVE, own)]).channels["g/U"].dt == 0.01
