"""Where the samples of a LabVIEW measurement file lie: starts, pauses, rates, other axes."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from ishtar.store import SourceFile
from runner.ingest.lvm.lvm_converter import Lvm as Converter
from tests.lvm_fakes import NO_X, ROWS, Lvm, Part, at, convert, put, stored, times, values

SINCE_1904 = (dt.datetime(2026, 11, 22, 10) - dt.datetime(1904, 1, 1)).total_seconds()
SINCE_1970 = (dt.datetime(2026, 11, 22, 10) - dt.datetime(1970, 1, 1)).total_seconds()
NO = {"X_Columns": "No"}


def x_rows(xs: list[float], form: str = ".6f") -> list[str]:
    return [f"{x:{form}}\t{i}.5\t-{i}.5" for i, x in enumerate(xs)]


def entries(**tags: str | None) -> dict[str, str | None]:
    """Return header entries that are the same for both channels."""
    return {tag: None if text is None else f"{text}\t{text}" for tag, text in tags.items()}


def refused(folder: Path, lvm: Lvm, reason: str) -> None:
    outcome = put(folder, lvm.text())
    assert outcome.status == "quarantined", outcome
    assert reason in outcome.reason
    assert "\n" not in outcome.reason


# When it began


@pytest.mark.parametrize(
    ("time", "date"),
    [
        ("03:00:00.0 PM", "2026-11-22T15:00:00"),
        ("12:30:00.0 AM", "2026-11-22T00:30:00"),
        ("15.30.12", "2026-11-22T15:30:12"),
        ("15:30:12,4435127999997708487", "2026-11-22T15:30:12.443513"),
        ("24:00:00", "2026-11-23T00:00:00"),
    ],
)
def test_the_start_is_read_whole(tmp_path: Path, time: str, date: str) -> None:
    source = stored(tmp_path, Lvm(segments=[Part(rows=ROWS, entries=at(time))]))
    assert source.attributes["date"] == date
    assert source.channels["x/a"].properties["start"] == date
    assert times(source) == [0.0, 0.5, 1.0]


@pytest.mark.parametrize(
    ("date", "time"),
    [
        ("2026/11/22", "quarter past"),
        ("2026/11/22", "25:00:00"),
        ("05/06/2026", "10:00:00"),
        ("1904/01/01", "01:00:00"),
        ("2026/11/22", "10:00:00 EST"),
    ],
)
def test_a_start_that_cannot_be_read_is_told_and_is_no_midnight(
    tmp_path: Path, date: str, time: str
) -> None:
    part = Part(rows=ROWS, entries=entries(Date=date, Time=time))
    notes = f"its start '{date} {time}' cannot be read: the shot gets no date"
    source = stored(tmp_path, Lvm(segments=[part]), notes=notes)
    assert "date" not in source.attributes
    assert "start" not in source.channels["x/a"].properties
    assert times(source) == [0.0, 0.5, 1.0]


def test_a_day_alone_is_no_midnight(tmp_path: Path) -> None:
    lvm = Lvm(segments=[Part(rows=ROWS, entries=entries(Time=None))], settings={"Time": None})
    assert "date" not in stored(tmp_path, lvm, notes="its start '2026/11/22'").attributes


def test_without_any_start_there_is_nothing_to_tell(tmp_path: Path) -> None:
    part = Part(rows=ROWS, entries=entries(Date=None, Time=None))
    lvm = Lvm(segments=[part], settings={"Date": None, "Time": None})
    assert "date" not in stored(tmp_path, lvm).attributes


def test_segments_of_which_one_start_cannot_be_read_are_refused(tmp_path: Path) -> None:
    parts = [Part(rows=ROWS), Part(rows=ROWS, entries=at("late"))]
    refused(tmp_path, Lvm(segments=parts), "of which '2026/11/22 late' cannot be read")


def test_a_file_without_channel_times_has_its_own(tmp_path: Path) -> None:
    part = Part(rows=ROWS, entries=entries(Date=None, Time=None))
    lvm = Lvm(segments=[part], settings={"Time": "03:00:00 PM"})
    assert stored(tmp_path, lvm).attributes["date"] == "2026-11-22T15:00:00"


@pytest.mark.parametrize("preference", ["Absolute", "Relative"])
def test_channels_that_start_apart_are_apart(tmp_path: Path, preference: str) -> None:
    part = Part(rows=ROWS, entries={"Time": "10:00:00.0\t10:00:00.5"})
    source = stored(tmp_path, Lvm(segments=[part], settings={"Time_Pref": preference}))
    assert times(source, "a") == [0.0, 0.5, 1.0]
    assert times(source, "b") == [0.5, 1.0, 1.5]


# X in seconds since 1904


@pytest.mark.parametrize("epoch", [SINCE_1904, SINCE_1904 - 3600, SINCE_1970, SINCE_1970 - 3600])
@pytest.mark.parametrize("x0", [True, False])
def test_an_absolute_x_is_the_date_again(tmp_path: Path, epoch: float, x0: bool) -> None:
    """By the clock of here or by UTC, in X0 or in the column alone."""
    part = Part(
        rows=x_rows([epoch, epoch + 0.1, epoch + 0.2]),
        entries=entries(X0=f"{epoch if x0 else 0.0}", Delta_X="0.1"),
    )
    source = stored(tmp_path, Lvm(segments=[part]))
    channel = source.channels["x/a"]
    assert (channel.t0, channel.dt, channel.n) == (0.0, 0.1, 3)
    assert source.attributes["date"] == "2026-11-22T10:00:00"


def test_an_absolute_x0_before_the_start_is_before_it(tmp_path: Path) -> None:
    part = Part(rows=NO_X, entries=entries(X0=f"{SINCE_1904 - 0.5}", Delta_X="0.25"))
    source = stored(tmp_path, Lvm(segments=[part], settings=NO))
    assert times(source) == [-0.5, -0.25, 0.0]


def test_segments_of_absolute_x_keep_their_pause(tmp_path: Path) -> None:
    parts = [
        Part(
            rows=x_rows([SINCE_1904 + late, SINCE_1904 + late + 0.5]),
            entries=entries(X0=f"{SINCE_1904 + late}") | at(f"10:00:0{late:.0f}"),
        )
        for late in (0.0, 5.0)
    ]
    assert times(stored(tmp_path, Lvm(segments=parts))) == [0.0, 0.5, 5.0, 5.5]


def test_an_absolute_x_that_runs_on_below_one_date_counts(tmp_path: Path) -> None:
    parts = [
        Part(
            rows=x_rows([SINCE_1904 + late, SINCE_1904 + late + 0.5]),
            entries=entries(X0=f"{SINCE_1904 + late}"),
        )
        for late in (0.0, 4000.0)
    ]
    assert times(stored(tmp_path, Lvm(segments=parts))) == [0.0, 0.5, 4000.0, 4000.5]


def test_an_x_that_is_another_date_is_refused(tmp_path: Path) -> None:
    part = Part(rows=NO_X, entries=entries(X0=f"{SINCE_1904 + 86400}"))
    refused(tmp_path, Lvm(segments=[part], settings=NO), "neither a time from the start nor")


def test_an_absolute_x_without_a_date_begins_at_zero(tmp_path: Path) -> None:
    part = Part(
        rows=x_rows([SINCE_1904, SINCE_1904 + 0.5]), entries=entries(X0="0", Date=None, Time=None)
    )
    source = stored(tmp_path, Lvm(segments=[part], settings={"Date": None, "Time": None}))
    assert times(source) == [0.0, 0.5]


# Pauses, rates, steps


def test_without_x_a_pause_between_segments_counts(tmp_path: Path) -> None:
    parts = [Part(rows=NO_X), Part(rows=NO_X, entries=at("10:00:05.0"))]
    source = stored(tmp_path, Lvm(segments=parts, settings=NO))
    assert times(source) == [0.0, 0.5, 1.0, 5.0, 5.5, 6.0]
    assert values(source) == [1.25, 1.5, 1.75] * 2
    assert source.channels["x/a"].properties["time_base"] == "Delta_X"


def test_without_x_segments_that_go_on_are_regular(tmp_path: Path) -> None:
    parts = [Part(rows=NO_X), Part(rows=NO_X, entries=at("10:00:01.5"))]
    channel = stored(tmp_path, Lvm(segments=parts, settings=NO)).channels["x/a"]
    assert (channel.t0, channel.dt, channel.n) == (0.0, 0.5, 6)


def test_without_x_a_change_of_rate_counts(tmp_path: Path) -> None:
    parts = [Part(rows=NO_X), Part(rows=NO_X, entries=at("10:00:01.5") | entries(Delta_X="0.1"))]
    source = stored(tmp_path, Lvm(segments=parts, settings=NO))
    assert times(source) == [0.0, 0.5, 1.0, 1.5, 1.6, 1.7]


def test_an_x0_of_a_later_segment_counts(tmp_path: Path) -> None:
    parts = [Part(rows=NO_X), Part(rows=NO_X, entries=entries(X0="7.0"))]
    source = stored(tmp_path, Lvm(segments=parts, settings=NO))
    assert times(source) == [0.0, 0.5, 1.0, 7.0, 7.5, 8.0]


def test_segments_that_step_back_are_told(tmp_path: Path) -> None:
    parts = [Part(rows=ROWS), Part(rows=ROWS)]
    source = stored(tmp_path, Lvm(segments=parts), notes="the times of x/a step back 1 times")
    assert times(source) == [0.0, 0.5, 1.0] * 2


@pytest.mark.parametrize("delta", [None, "0", "0.0", "-0.5", "NaN", "Inf"])
def test_without_a_step_samples_are_only_counted(tmp_path: Path, delta: str | None) -> None:
    part = Part(rows=NO_X, entries=entries(Delta_X=delta))
    source = stored(
        tmp_path, Lvm(segments=[part], settings=NO), notes="x/a, x/b are stored by sample number"
    )
    channel = source.channels["x/a"]
    assert (channel.x_unit, channel.t0, channel.dt) == ("", 0.0, 1.0)
    assert channel.properties["time_base"] == "samples"


@pytest.mark.parametrize("delta", [None, "0", "NaN"])
def test_without_a_step_the_x_column_counts(tmp_path: Path, delta: str | None) -> None:
    source = stored(tmp_path, Lvm(segments=[Part(rows=ROWS, entries=entries(Delta_X=delta))]))
    assert source.channels["x/a"].irregular
    assert times(source) == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("delta", ["half", "1_0", "0.5 s", "1,000", "0.\x1e"])
def test_a_step_that_is_no_number_is_refused(tmp_path: Path, delta: str) -> None:
    lvm = Lvm(segments=[Part(rows=ROWS, entries=entries(Delta_X=delta))])
    refused(tmp_path, lvm, f"{delta!r} in a header is not a number")


def test_a_step_may_have_a_comma_where_numbers_have(tmp_path: Path) -> None:
    part = Part(rows=[row.replace(".", ",") for row in ROWS], entries=entries(Delta_X="5,0E-1"))
    lvm = Lvm(segments=[part], settings={"Decimal_Separator": ","})
    assert stored(tmp_path, lvm.text()).channels["x/a"].dt == 0.5


def test_a_point_among_decimal_commas_is_refused(tmp_path: Path) -> None:
    """1.000 may be one or a thousand."""
    rows = ["0,0\t1,5\t2,0", "0,5\t1.000\t2,0"]
    lvm = Lvm(segments=[Part(rows=rows)], settings={"Decimal_Separator": ","})
    refused(tmp_path, lvm, "'1.000' is among numbers with another decimal sign")


@pytest.mark.parametrize(
    ("xs", "form"),
    [
        ([0, 0.329, 1.208], "g"),  # few digits in the first row
        ([0, 1, 3], "g"),
        ([0.0, 1e-6, 3e-6], ".6e"),
        ([0.0, 0.5, 1.0, 1.5, 2.2], ".1f"),
    ],
)
def test_an_x_that_the_header_does_not_promise_is_kept(
    tmp_path: Path, xs: list[float], form: str
) -> None:
    step = {"g": "0.5", ".6e": "1E-6", ".1f": "0.5"}[form]
    part = Part(rows=x_rows(xs, form), entries=entries(Delta_X=step, Samples=str(len(xs))))
    source = stored(tmp_path, Lvm(segments=[part]))
    assert source.channels["x/a"].irregular
    np.testing.assert_allclose(source.channels["x/a"].time(), xs, rtol=1e-12)


@pytest.mark.parametrize(("step", "form"), [(0.5, "g"), (1 / 3, ".6f"), (1e-9, ".3e"), (2, "d")])
def test_an_x_that_is_promised_is_regular(tmp_path: Path, step: float, form: str) -> None:
    xs = [type(step)(step * i) for i in range(10)]
    part = Part(rows=x_rows(xs, form), entries=entries(Delta_X=repr(step), Samples="10"))
    channel = stored(tmp_path, Lvm(segments=[part])).channels["x/a"]
    assert channel.dt == step


# What is no time, or no second


@pytest.mark.parametrize(
    ("dimension", "label", "unit"),
    [
        ("Frequency", None, "Hz"),
        ("Frequency", "Hz", "Hz"),
        ("Frequency", "Hertz", "Hz"),
        ("Frequency", "kHz", "kHz"),
        ("Length", None, "m"),
        ("Length", "cm", "cm"),
        ("Electric_Potential", None, "V"),
        ("Time", "Hz", "Hz"),  # the dimension is what LabVIEW writes by default
        (None, "MHz", "MHz"),
    ],
)
@pytest.mark.parametrize("settings", [{}, NO])
def test_a_spectrum_lies_along_its_frequencies(
    tmp_path: Path, dimension: str | None, label: str | None, unit: str, settings: dict
) -> None:
    part = Part(
        rows=NO_X if settings else ROWS,
        # starts of channels have no place on an axis that is no time
        entries=entries(X_Dimension=dimension, X_Unit_Label=label) | {"Time": "10:00:00\t10:00:07"},
    )
    source = stored(tmp_path, Lvm(segments=[part], settings=dict(settings)))
    for channel in source.channels.values():
        assert (channel.x_unit, channel.t0, channel.dt) == (unit, 0.0, 0.5)
    assert source.attributes["date"] == "2026-11-22T10:00:00"


@pytest.mark.parametrize(
    ("label", "step"),
    [
        *[("s", 0.5), ("Seconds", 0.5), ("sec", 0.5), ("ms", 0.5e-3), ("µs", 0.5e-6)],
        *[("us", 0.5e-6), ("ns", 0.5e-9), ("min", 30.0), ("h", 1800.0), ("millisecond", 0.5e-3)],
    ],
)
@pytest.mark.parametrize("settings", [{}, NO])
def test_a_time_in_another_unit_becomes_seconds(
    tmp_path: Path, label: str, step: float, settings: dict
) -> None:
    part = Part(
        rows=NO_X if settings else ROWS, entries=entries(X_Unit_Label=label) | at("10:00:03")
    )
    source = stored(tmp_path, Lvm(segments=[part], settings=dict(settings)))
    channel = source.channels["x/a"]
    assert channel.x_unit == "s"
    assert channel.dt == pytest.approx(step, rel=1e-12)


def test_an_irregular_x_in_ms_is_kept_in_seconds(tmp_path: Path) -> None:
    part = Part(rows=x_rows([1.0, 2.0, 5.0]), entries=entries(X_Unit_Label="ms", Delta_X="1.0"))
    assert times(stored(tmp_path, Lvm(segments=[part]))) == [0.001, 0.002, 0.005]


@pytest.mark.parametrize(
    ("dimension", "label", "notes"),
    [
        ("Mood", None, "X_Dimension 'Mood' has no X_Unit_Label: x/a, x/b are stored by sample"),
        ("Frequency", "ms", "X_Dimension 'Frequency' and X_Unit_Label 'ms' contradict each other"),
        ("Time", "moons of Io", "X_Unit_Label 'moons of Io' is not a known unit"),
        ("Time", "9**9**9**9", "is not a known unit"),
        ("Time", "Samples", ""),
    ],
)
def test_an_axis_that_nobody_knows_is_counted_and_told(
    tmp_path: Path, dimension: str, label: str | None, notes: str
) -> None:
    part = Part(rows=ROWS, entries=entries(X_Dimension=dimension, X_Unit_Label=label))
    source = stored(tmp_path, Lvm(segments=[part]), notes=notes)
    channel = source.channels["x/b"]
    assert (channel.x_unit, channel.t0, channel.dt) == ("", 0.0, 1.0)
    assert values(source, "b") == [-2.0, -3.0, -4.0]


def test_several_spectra_are_kept_and_told(tmp_path: Path) -> None:
    spectrum = entries(X_Dimension="Frequency")
    parts = [Part(rows=ROWS, entries=spectrum), Part(rows=ROWS, entries=spectrum)]
    source = stored(tmp_path, Lvm(segments=parts), notes="the places, in Hz, of x/a step back")
    assert times(source) == [0.0, 0.5, 1.0] * 2


def test_segments_along_different_things_are_refused(tmp_path: Path) -> None:
    parts = [Part(rows=ROWS), Part(rows=ROWS, entries=entries(X_Dimension="Frequency"))]
    refused(tmp_path, Lvm(segments=parts), "a has different axes in its segments")


# Files that are not whole


def cut(folder: Path, data: bytes, salvage: bool) -> SourceFile | str:
    return convert(folder, data, Converter(), salvage=salvage)


@pytest.mark.whole  # some hundred files
def test_a_cut_file_is_salvaged_up_to_its_last_whole_row(tmp_path: Path) -> None:
    parts = [Part(rows=ROWS), Part(rows=ROWS, entries=at("10:00:05"))]
    whole = Lvm(segments=parts).text().encode()
    first = len(Lvm(segments=parts[:1]).text())
    first_row = whole.index(ROWS[0].encode())
    ends = [i + 1 for i, c in enumerate(whole) if c == 10]
    for size in range(first_row, len(whole)):
        data = whole[:size]
        found = cut(tmp_path, data, False)
        if first - 1 <= size <= first + 2 or size == len(whole) - 1:
            assert isinstance(found, SourceFile)  # whole segments cannot be told from a whole file
            continue
        *lines, last = data.decode().split("\n")
        n = sum(line in ROWS for line in lines)
        n += n > 0 and last in ROWS  # it has all its decimals
        assert isinstance(found, str), size
        if not n:
            assert "has no complete row" in found
            continue
        assert "`ishtar ingest --salvage FILE` stores its complete rows" in found
        salvaged = cut(tmp_path, data, True)
        assert isinstance(salvaged, SourceFile), (size, salvaged)
        assert salvaged.channels["x/a"].n == n
        assert times(salvaged) == [0.0, 0.5, 1.0, 5.0, 5.5, 6.0][:n]
        mark = salvaged.properties["salvaged"]
        assert mark["of"] == size
        assert mark["bytes"] in (*ends, size)
        assert mark["reason"]


def test_a_whole_file_is_not_marked_as_salvaged(tmp_path: Path) -> None:
    found = cut(tmp_path, Lvm(segments=[Part(rows=ROWS)]).text().encode(), True)
    assert isinstance(found, SourceFile)
    assert "salvaged" not in found.properties


def test_a_last_row_is_whole_if_it_has_all_its_decimals(tmp_path: Path) -> None:
    whole = Lvm(segments=[Part(rows=ROWS)]).text().encode()
    assert isinstance(cut(tmp_path, whole[:-1], False), SourceFile)
    assert isinstance(cut(tmp_path, whole[:-2], False), str)
    numbers = Lvm(segments=[Part(rows=["0.0\t1\t20", "0.5\t1\t200"])]).text().encode()
    assert isinstance(cut(tmp_path, numbers[:-1], False), str)  # 200 may have been 2000


def test_zeros_that_a_crash_left_are_no_row(tmp_path: Path) -> None:
    whole = Lvm(segments=[Part(rows=ROWS)]).text().encode()
    assert "ends inside a row" in cut(tmp_path, whole + bytes(5000), False)
    salvaged = cut(tmp_path, whole + bytes(5000), True)
    assert isinstance(salvaged, SourceFile)
    assert times(salvaged) == [0.0, 0.5, 1.0]
    assert salvaged.properties["salvaged"]["bytes"] == len(whole)


def test_places_beyond_all_numbers_are_refused(tmp_path: Path) -> None:
    parts = [Part(rows=NO_X), Part(rows=NO_X, entries=entries(Delta_X="1e308"))]
    refused(tmp_path, Lvm(segments=parts, settings=NO), "row 3 of segment 2 has no x for a")


def test_a_segment_that_lost_rows_inside_is_noticed(tmp_path: Path) -> None:
    parts = [Part(rows=ROWS[:2], entries={"Samples": "3\t3"}), Part(rows=ROWS)]
    found = cut(tmp_path, Lvm(segments=parts).text().encode(), False)
    assert "segment 1 has 2 rows of 3" in found


def test_an_x_column_that_stands_still_tells_no_times(tmp_path: Path) -> None:
    rows = ["0.0\t1.0\t2.0", "0.0\t2.0\t3.0", "0.0\t3.0\t4.0"]
    told = "its x column is constant: x/a"
    source = stored(tmp_path, Lvm(segments=[Part(rows=rows)] * 2), notes=told)
    channel = source.channels["x/a"]
    assert (channel.x_unit, channel.properties["time_base"]) == ("", "samples")


def both(k: int) -> dict[str, str | None]:
    return {"Date": "2026/11/22\t2026/11/22", "Time": f"10:00:0{k}.0\t10:00:0{k}.0"}


def test_one_sample_in_each_segment_has_the_time_of_its_segment(tmp_path: Path) -> None:
    segments = [Part(rows=["0.0\t1.0\t2.0"], entries=both(k)) for k in range(3)]
    source = stored(tmp_path, Lvm(segments=segments))
    assert source.channels["x/a"].time().tolist() == [0.0, 1.0, 2.0]


def test_an_x_column_that_moves_late_tells_times(tmp_path: Path) -> None:
    rows = ["0.0\t1.0\t2.0", "0.0\t2.0\t3.0", "0.1\t3.0\t4.0"]
    again = stored(tmp_path, Lvm(segments=[Part(rows=rows)]))
    assert again.channels["x/a"].time().tolist() == [0.0, 0.0, 0.1]
