"""LabVIEW measurement files: what a header says of channels, columns, units and segments."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from runner.ingest import IngestSettings
from runner.ingest.lvm.lvm_converter import group_of
from tests.ingest_fakes import ingest_into
from tests.lvm_fakes import NO_X, ROWS, Lvm, Part, at, put, stored, times, values


def refused(folder: Path, lvm: Lvm | str, reason: str) -> None:
    outcome = put(folder, lvm if isinstance(lvm, str) else lvm.text())
    assert outcome.status == "quarantined", outcome
    assert reason in outcome.reason
    assert "\n" not in outcome.reason
    assert len(outcome.reason) < 400


# Columns and header entries


MULTI = "X_Value\ta\tX_Value\tb\tX_Value\tc\tComment"
MULTI_ROWS = [
    "0.0\t1.0\t0.0\t10.0\t0.0\t100.0",
    "0.1\t2.0\t0.2\t20.0\t0.1\t200.0",
    "0.2\t3.0\t\t\t0.1\t300.0",
]


def every_second(*entries: str) -> str:
    return "\t\t".join(entries)


def side_by_side(*entries: str) -> str:
    return "\t".join(entries)


@pytest.mark.parametrize("way", [every_second, side_by_side])
def test_header_entries_are_found_where_each_channel_has_its_x(tmp_path: Path, way) -> None:
    entries = {
        "Samples": way("3", "2", "3"),
        "Date": way(*["2026/11/22"] * 3),
        "Time": way("10:00:01.0", "10:00:01.5", "10:00:02.0"),
        "Y_Unit_Label": way("V", "A", "Pa"),
        "X_Dimension": way(*["Time"] * 3),
        "X0": way(*["0.0E+0"] * 3),
        "Delta_X": way("0.1", "0.2", "0.1"),
    }
    part = Part(rows=MULTI_ROWS, columns=MULTI, channels=3, entries=dict(entries))
    source = stored(tmp_path, Lvm(segments=[part], settings={"X_Columns": "Multi"}))
    assert source.attributes["date"] == "2026-11-22T10:00:00"  # the file's, for they differ
    assert [c.unit for c in source.channels.values()] == ["V", "A", "Pa"]
    assert (values(source, "a"), times(source, "a")) == ([1.0, 2.0, 3.0], [1.0, 1.1, 1.2])
    assert (values(source, "b"), times(source, "b")) == ([10.0, 20.0], [1.5, 1.7])
    # the third x is not what the header promises
    assert (values(source, "c"), times(source, "c")) == ([100.0, 200.0, 300.0], [2.0, 2.1, 2.1])


@pytest.mark.parametrize("way", [every_second, side_by_side])
def test_an_entry_may_be_missing_where_others_say_the_way(tmp_path: Path, way) -> None:
    entries: dict[str, str | None] = {
        "Samples": way("3", "2", "3"),
        "Date": None,
        "Time": None,
        "Y_Unit_Label": way("", "A", ""),
        "X_Dimension": None,
        "X0": None,
        "Delta_X": None,
    }
    part = Part(rows=MULTI_ROWS, columns=MULTI, channels=3, entries=entries)
    source = stored(tmp_path, Lvm(segments=[part], settings={"X_Columns": "Multi"}))
    assert [c.unit for c in source.channels.values()] == ["", "A", ""]
    assert times(source, "b") == [0.0, 0.2]


@pytest.mark.parametrize(
    ("samples", "reason"),
    [
        (
            "3\t\t3\t",
            "cannot be determined",
        ),  # the first and the second, or the first and the third
        ("3\t\t\t3\t\t\t\t3", "entries for other columns than its 3 channels"),
    ],
)
def test_entries_that_fit_no_channel_or_two_are_refused(
    tmp_path: Path, samples: str, reason: str
) -> None:
    gone = dict.fromkeys(["Date", "Time", "Y_Unit_Label", "X_Dimension", "X0", "Delta_X"])
    part = Part(rows=MULTI_ROWS, columns=MULTI, channels=3, entries={**gone, "Samples": samples})
    refused(tmp_path, Lvm(segments=[part], settings={"X_Columns": "Multi"}), reason)


@pytest.mark.parametrize(
    ("columns", "channels", "reason"),
    [
        ("X_Value\ta\tComment", 2, "states 2 channels, but its columns are"),
        ("X_Value\ta\tb\tc\tComment", 2, "states 2 channels, but its columns are"),
        ("a\tb\tComment", 2, "states 2 channels, but its columns are"),
        ("a\tb\tComment", None, "do not begin with X_Value"),
        ("X_Value\ta\tX_Value\tb\tComment", None, "channels, but its columns are"),
        ("X_Value\ta\tb", "two", "Channels of segment 1 is 'two'"),
        ("X_Value\ta\tb", 999_999_999, "it has 999999999 channels; at most"),
    ],
)
def test_columns_that_contradict_the_header_are_refused(
    tmp_path: Path, columns: str, channels: int | None, reason: str
) -> None:
    refused(tmp_path, Lvm(segments=[Part(rows=ROWS, columns=columns, channels=channels)]), reason)


@pytest.mark.parametrize(
    "columns",
    ["X_Value\ta\tb\tComment", "X_Value\ta\tb\tComment\t", "X_Value\ta\tb\t\t", "t\ta\tb"],
)
def test_comments_and_empty_names_at_the_end_are_no_channels(tmp_path: Path, columns: str) -> None:
    source = stored(tmp_path, Lvm(segments=[Part(rows=ROWS, columns=columns)]))
    assert list(source.channels) == ["x/a", "x/b"]
    assert values(source, "b") == [-2.0, -3.0, -4.0]


def test_a_thousand_channels_of_one_name_are_told_apart(tmp_path: Path) -> None:
    n = 300
    part = Part(
        rows=["0.0" + "\t1.0" * n],
        columns="X_Value" + "\tUntitled" * n,
        channels=n,
        entries=dict.fromkeys(["Samples", "Date", "Time", "Y_Unit_Label", "X_Dimension", "X0"]),
    )
    channels = stored(tmp_path, Lvm(segments=[part])).channels
    assert f"x/Untitled {n}" in channels
    assert len(channels) == n


def test_too_many_columns_are_refused(tmp_path: Path) -> None:
    part = Part(rows=["0.0"], columns="X_Value" + "\ta" * 20_000, channels=20_000)
    refused(tmp_path, Lvm(segments=[part]), "it has 20000 channels; at most 10000")


def test_a_row_of_more_cells_than_columns_is_refused(tmp_path: Path) -> None:
    rows = [ROWS[0], "0.5\t1.5\t-3.0\t7.0", ROWS[2]]
    refused(
        tmp_path,
        Lvm(segments=[Part(rows=rows, columns="X_Value\ta\tb")]),
        "row 2 of segment 1 has 4 cells below 3 names of columns",
    )


def test_channels_may_change_their_order_from_segment_to_segment(tmp_path: Path) -> None:
    turned = Part(
        rows=["0.0\t-5.0\t2.0"],
        columns="X_Value\tb\ta\tComment",
        entries={**at("10:00:01.5"), "Y_Unit_Label": "A\tV"},
    )
    source = stored(tmp_path, Lvm(segments=[Part(rows=ROWS), turned]))
    assert values(source, "a") == [1.25, 1.5, 1.75, 2.0]
    assert values(source, "b") == [-2.0, -3.0, -4.0, -5.0]
    assert source.channels["x/a"].dt == 0.5


# Samples


def test_rows_beyond_the_promised_samples_are_stored_and_told(tmp_path: Path) -> None:
    part = Part(rows=ROWS, entries={"Samples": "1\t1"})
    source = stored(tmp_path, Lvm(segments=[part]), notes="segment 1 states fewer Samples")
    assert values(source, "a") == [1.25, 1.5, 1.75]
    assert times(source, "b") == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("samples", ["3\t1", None])
def test_a_short_channel_ends_where_its_cells_do(tmp_path: Path, samples: str | None) -> None:
    rows = ["0.0\t1.25\t-2.0", "0.5\t1.5\t", "1.0\t1.75\t"]
    source = stored(tmp_path, Lvm(segments=[Part(rows=rows, entries={"Samples": samples})]))
    assert values(source, "b") == [-2.0]
    assert values(source, "a") == [1.25, 1.5, 1.75]


def test_empty_cells_in_between_are_told(tmp_path: Path) -> None:
    rows = ["0.0\t1.25\t-2.0", "0.5\t\t-3.0", "1.0\tNaN\t-4.0", "1.5\t2.0\t-5.0"]
    source = stored(tmp_path, Lvm(segments=[Part(rows=rows)]), notes="1 cells of x/a are empty")
    np.testing.assert_array_equal(values(source, "a"), [1.25, np.nan, np.nan, 2.0])


def test_segments_of_different_lengths_go_on(tmp_path: Path) -> None:
    more = Part(rows=["0.0\t2.0\t-5.0"], entries=at("10:00:01.5"))
    source = stored(tmp_path, Lvm(segments=[Part(rows=ROWS), more]))
    assert values(source, "a") == [1.25, 1.5, 1.75, 2.0]
    assert times(source, "a") == [0.0, 0.5, 1.0, 1.5]


# Units


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        ("mV", [2.0, 0.0045, 0.0012]),  # 4.5 / 1000, not 4.5 · 0.001
        ("kV", [2.0, 4500.0, 1200.0]),
        ("Volts", [2.0, 4.5, 1.2]),
    ],
)
def test_a_segment_in_another_unit_is_converted_exactly(
    tmp_path: Path, later: str, expected: list[float]
) -> None:
    more = Part(
        rows=["0.0\t4.5\t0.0", "0.5\t1.2\t0.0"],
        entries={**at("10:00:00.5"), "Y_Unit_Label": f"{later}\tA"},
    )
    source = stored(tmp_path, Lvm(segments=[Part(rows=["0.0\t2.0\t0.0"]), more]))
    assert source.channels["x/a"].unit == "V"
    assert values(source, "a") == expected


@pytest.mark.parametrize("later", ["A", "", "degC", "9**9**9", "no unit at all"])
def test_a_unit_that_cannot_be_converted_is_refused(tmp_path: Path, later: str) -> None:
    more = Part(rows=ROWS, entries={**at("10:00:01.5"), "Y_Unit_Label": f"{later}\tA"})
    refused(tmp_path, Lvm(segments=[Part(rows=ROWS), more]), f"segment 2 has a in {later!r}, the")


def test_a_later_header_without_units_goes_on_with_the_first(tmp_path: Path) -> None:
    more = Part(rows=ROWS, entries={**at("10:00:01.5"), "Y_Unit_Label": None})
    source = stored(tmp_path, Lvm(segments=[Part(rows=ROWS), more]))
    assert source.channels["x/b"].unit == "A"


def test_another_dimension_of_the_values_is_refused(tmp_path: Path) -> None:
    parts = [
        Part(rows=ROWS, entries={"Y_Unit_Label": None, "Y_Dimension": f"{name}\tCurrent"})
        for name in ("Electric_Potential", "Temperature")
    ]
    refused(tmp_path, Lvm(segments=parts), "segment 2 has a in 'Temperature', the first in")


def test_units_may_be_written_in_latin_1(tmp_path: Path) -> None:
    part = Part(rows=ROWS, entries={"Y_Unit_Label": "µA\t°C"})
    source = stored(tmp_path, Lvm(segments=[part]))
    assert [c.unit for c in source.channels.values()] == ["µA", "°C"]


# How it is written


def test_separators_and_decimals_are_those_that_the_header_states(tmp_path: Path) -> None:
    text = Lvm(segments=[Part(rows=ROWS)]).text()
    commas = text.replace("\t", ",").replace("Separator,Tab", "Separator,Comma")
    points = text.replace("\t", ";").replace("Separator;Tab", "Separator;Semicolon")
    for i, other in enumerate((commas, points, points.replace(".", ","))):
        (folder := tmp_path / str(i)).mkdir()
        source = stored(folder, other)
        assert values(source, "a") == [1.25, 1.5, 1.75]
        assert source.attributes["date"] == "2026-11-22T10:00:00"


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        ({"Separator": "Comma", "Decimal_Separator": ","}, "both use commas"),
        ({"Separator": "Blank"}, "its Separator is 'Blank'"),
        ({"Decimal_Separator": "'"}, 'its Decimal_Separator is "\'"'),
        ({"X_Columns": "Two"}, "its X_Columns is 'Two'"),
        ({"Multi_Headings": "Perhaps"}, "its Multi_Headings is 'Perhaps'"),
    ],
)
def test_a_setting_that_is_not_known_is_refused(
    tmp_path: Path, settings: dict[str, str | None], reason: str
) -> None:
    text = Lvm(segments=[Part(rows=ROWS)], settings=settings).text()
    refused(tmp_path, text.replace("\t", ",") if "Comma" in text else text, reason)


@pytest.mark.parametrize(
    ("extra", "reason"),
    [
        ("Date\t2026/11/23", "its header states Date twice"),
        ("X_Columns\tNo", "its header states X_Columns twice"),
    ],
)
def test_a_header_that_contradicts_itself_is_refused(
    tmp_path: Path, extra: str, reason: str
) -> None:
    text = Lvm(segments=[Part(rows=ROWS)]).text()
    refused(tmp_path, text.replace("***End", f"{extra}\n***End", 1), reason)


@pytest.mark.parametrize("place", ["Writer_Version\t2", "Y_Unit_Label\tV", "X_Value\ta"])
def test_a_header_with_a_nul_is_refused(tmp_path: Path, place: str) -> None:
    text = Lvm(segments=[Part(rows=ROWS)]).text()
    refused(tmp_path, text.replace(place, f"{place}\0"), "its header is damaged: it has a NUL")


def test_a_segment_that_contradicts_itself_is_refused(tmp_path: Path) -> None:
    text = Lvm(segments=[Part(rows=ROWS)]).text().replace("X0\t", "Delta_X\t1.0\t1.0\t\nX0\t")
    refused(tmp_path, text, "the header of segment 1 states Delta_X twice")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_end_as_they_like(tmp_path: Path, end: str) -> None:
    more = Part(rows=["0.0\t2.0\t-5.0\tlate"], entries=at("10:00:01.5"))
    source = stored(tmp_path, Lvm(segments=[Part(rows=ROWS), more]), end=end)
    assert values(source, "a") == [1.25, 1.5, 1.75, 2.0]
    assert source.properties["comments"] == [[3, "late"]]


def test_a_mark_of_the_byte_order_is_passed_over(tmp_path: Path) -> None:
    text = Lvm(segments=[Part(rows=ROWS, entries={"Y_Unit_Label": "µV\tA"})]).text()
    source = stored(tmp_path, b"\xef\xbb\xbf" + text.encode())
    assert source.channels["x/a"].unit == "µV"


def test_special_blocks_stand_anywhere_in_a_header(tmp_path: Path) -> None:
    block = "***Start_Special***\ngains\t1\t2\n***End_Special***"
    text = Lvm(segments=[Part(rows=ROWS)], more=block).text()
    source = stored(tmp_path, text.replace("X0\t", f"{block}\nX0\t"))
    assert source.properties["special"] == "gains\t1\t2\ngains\t1\t2"
    assert source.channels["x/a"].dt == 0.5


def test_one_heading_may_stand_for_all_rows(tmp_path: Path) -> None:
    part = Part(rows=ROWS, entries={"Samples": "1\t1"})
    source = stored(tmp_path, Lvm(segments=[part], settings={"Multi_Headings": "No"}))
    assert values(source, "a") == [1.25, 1.5, 1.75]


def test_an_x_that_is_no_number_begins_no_header(tmp_path: Path) -> None:
    rows = [ROWS[0], "NaN\t1.5\t-3.0", ROWS[2]]
    refused(tmp_path, Lvm(segments=[Part(rows=rows)]), "row 2 of segment 1 has no x for a")


@pytest.mark.parametrize("cell", ["1_5", "1.2.3", "1,5", "0x1p3", "1.5 V", "1.5\0", "1.5\x1e"])
def test_a_cell_that_is_no_number_is_named(tmp_path: Path, cell: str) -> None:
    rows = [ROWS[0], f"0.5\t{cell}\t-3.0", ROWS[2]]
    refused(
        tmp_path,
        Lvm(segments=[Part(rows=rows)]),
        f"a row without numbers, row 2 of segment 1: {cell!r} is not a number",
    )


@pytest.mark.parametrize(
    ("stem", "shot", "group"),
    [
        ("00007_box", 7, "box"),
        ("00007_box", 12, "box"),  # given with --shot 12
        ("00007", 7, "LVM"),
        ("#12345", 12345, "LVM"),
        ("tomas_powerbox_15_52_30_1", 1, "tomas_powerbox"),
        ("tomas_powerbox_15_53_02_14", 14, "tomas_powerbox"),
        ("tomas_powerbox_15_12_02_14", 14, "tomas_powerbox"),  # 12:02:14 is none
        ("tomas_powerbox_15_12_02_2", 2, "tomas_powerbox"),
        ("powerbox", 3, "powerbox"),
        ("powerbox_0042", 42, "powerbox"),
        ("2026-11-22_10-30-00", 3, "LVM"),
        ("2026-11-22_10-30-00_scope", 3, "scope"),
        ("22.11.2026 scope", 3, "scope"),
        ("22.11.2026 shot 1301 scope", 1301, "shot scope"),
        ("shot1302_scope", 1302, "shot_scope"),
        ("00114_probe_3_PM2", 114, "probe_3_PM2"),
        ("00114_ch_1_may", 114, "ch_1_may"),
        ("00114_adc_1_aug_2", 114, "adc_1_aug_2"),
        ("00114_sensor_12-34-56_123", 114, "sensor_123"),
        ("box 2026-11-22 15.30 shot 1302", 1302, "box shot"),
        ("box 2026-11-22 15-30 shot 1302", 1302, "box shot"),
        ("box 2026-11-22 15 Uhr 30 shot 1302", 1302, "box shot"),
        ("Shot1302", 1302, "Shot"),
        ("box_2026-11-22_1030_#1306", 1306, "box"),
        ("box 22 Nov 2026 #1308", 1308, "box"),
        ("00007_20261122_103000_scope", 7, "scope"),
        ("scope_20261122", 3, "scope"),
        ("00007_probe_2", 7, "probe_2"),
        ("probe_7_00007", 7, "probe_7"),
        ("probe_7_00008", 8, "probe_7"),
        ("shot", 3, "shot"),
        ("box_2026_0042", 20260042, "box"),
        ("box_2027_0042", 20270042, "box"),
    ],
)
def test_channels_are_called_by_what_does_not_change_from_shot_to_shot(
    stem: str, shot: int, group: str
) -> None:
    yearly = IngestSettings(shot_pattern=r"_(?P<year>\d{4})_(?P<shot>\d+)" if shot > 99999 else "")
    assert group_of(stem, shot, yearly) == group


def test_a_name_without_a_number_can_be_taken(tmp_path: Path) -> None:
    text = Lvm(segments=[Part(rows=ROWS)]).text()
    outcome = put(tmp_path, text, name="tomas_powerbox_15_52_30_1.LVM")
    assert outcome.status == "stored", outcome.reason


def test_no_x_column_is_no_loss(tmp_path: Path) -> None:
    source = stored(tmp_path, Lvm(segments=[Part(rows=NO_X)], settings={"X_Columns": "No"}))
    assert values(source, "a") == [1.25, 1.5, 1.75]
    assert (source.channels["x/a"].dt, times(source, "b")) == (0.5, [0.0, 0.5, 1.0])


def test_a_value_where_no_x_column_is_promised_is_refused(tmp_path: Path) -> None:
    rows = [*NO_X[:2], "1.75\t-4.0"]  # a tab is lost: the current would be taken for the voltage
    file = Lvm(segments=[Part(rows=rows)], settings={"X_Columns": "No"})
    found = put(tmp_path, file.text())
    assert found.status == "quarantined"
    assert "row 3 of segment 1 has a value in its first column" in found.reason


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda text: text.encode("utf-16"), "it is UTF-16 text: save it as UTF-8"),
        (lambda text: text.encode("utf-16-le"), "it is UTF-16 text: save it as UTF-8"),
        (lambda text: b"\n" + text.encode(), "does not begin with 'LabVIEW Measurement'"),
        (lambda text: b" " + text.encode(), "does not begin with 'LabVIEW Measurement'"),
        (lambda text: text.replace("LabVIEW", "labview").encode(), "does not begin with"),
        (lambda text: text.partition("\n")[2].encode(), "does not begin with"),
    ],
)
def test_one_that_was_changed_is_told_and_never_taken_for_another_format(
    tmp_path: Path, damage, reason: str
) -> None:
    path = tmp_path / "00007_m.lvm"
    path.write_bytes(damage(Lvm(segments=[Part(rows=ROWS)]).text()))
    outcome = ingest_into(tmp_path / "workspace", path)
    assert outcome.status == "quarantined"
    assert reason in outcome.reason


@pytest.mark.parametrize(("rows", "settings"), [(ROWS, {}), (NO_X, {"X_Columns": "No"})])
@pytest.mark.parametrize("which", [0, 1, 2])
def test_rows_are_never_taken_for_a_header(tmp_path: Path, rows, settings, which: int) -> None:
    """Where the end of a header is damaged, all up to the next one would be lost with it."""
    text = Lvm(segments=[Part(rows=rows)] * 2, settings=settings).text()
    pieces = text.split("***End_of_Header***")
    assert len(pieces) == 4
    damaged = "".join(
        piece + ("" if k == 3 else "*End_of_Header***" if k == which else "***End_of_Header***")
        for k, piece in enumerate(pieces)
    )
    path = tmp_path / "00007_m.lvm"
    path.write_text(damaged)
    outcome = ingest_into(tmp_path / "workspace", path)
    assert outcome.status in ("quarantined", "waiting"), outcome
