"""LabVIEW text, date CSV and HDF5 archive into the store: the file is the truth."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from ishtar.store import SourceFile
from runner.ingest import IngestSettings, Outcome
from runner.ingest.datecsv.datecsv_converter import DateCsv
from runner.ingest.parsing import text_table
from runner.simulate import write_archive, write_lvm
from tests.ingest_fakes import ingest_into, source_of

SETTINGS = IngestSettings(timezone="Europe/Berlin")
START = dt.datetime(2026, 11, 22, 9, 4, 6, 733000)


def ingest(path: Path, **options: Any) -> Outcome:
    return ingest_into(path.parent / "workspace", path, **options)


def stored(path: Path) -> SourceFile:
    return source_of(ingest(path))


# LabVIEW measurement files


def lvm(
    rows: list[str],
    *,
    columns: str = "X_Value\ta\tb\tComment",
    x_columns: str = "One",
    headings: str = "Yes",
    samples: str = "3\t3",
    x0: str = "0.0\t0.0",
    delta: str = "0.5\t0.5",
    times: str = "09:00:00.25\t09:00:00.25",
    decimal: str = ".",
    more: str = "",
) -> str:
    """Return the text of a file with one segment; rows are without line ends."""
    segment = lvm_segment(rows, columns, samples, x0, delta, times)
    text = (
        "LabVIEW Measurement\t\nWriter_Version\t2\nReader_Version\t2\nSeparator\tTab\n"
        f"Decimal_Separator\t.\nMulti_Headings\t{headings}\nX_Columns\t{x_columns}\n"
        "Time_Pref\tAbsolute\nOperator\tkovacs\nDate\t2026/11/22\nTime\t09:00:00.0\n"
        f"***End_of_Header***\t\n{more}\t\n{segment}"
    )
    return text.replace(".", decimal)


def lvm_segment(
    rows: list[str], columns: str, samples: str, x0: str, delta: str, times: str
) -> str:
    n = samples.count("\t") + 1
    return (
        f"Channels\t{n}\t\t\nSamples\t{samples}\t\nDate" + "\t2026/11/22" * n + "\t\n"
        f"Time\t{times}\t\nY_Unit_Label\tVolts\tA\t\nX_Dimension\tTime\tTime\t\n"
        f"X0\t{x0}\t\nDelta_X\t{delta}\t\n***End_of_Header***\t\t\t\n{columns}\n"
        + "".join(row + "\n" for row in rows)
    )


ROWS = ["0.0\t1.25\t-2.0", "0.5\t1.5\t-3.0", "1.0\t1.75\t-4.0"]


def write(path: Path, text: str) -> Path:
    path.write_bytes(text.replace("\n", "\r\n").encode("cp1252"))
    return path


@pytest.mark.parametrize("comma", [True, False])
def test_the_columns_of_an_lvm_file_are_its_channels(tmp_path: Path, comma: bool) -> None:
    rng = np.random.default_rng(1)
    values = {"powerbox": rng.normal(size=2000), "triggerbox": rng.normal(size=2000)}
    path = tmp_path / "00007_box.lvm"
    write_lvm(
        path, values, dt_s=1e-3, start=START, x0_s=-0.5, operator="lindner", decimal_comma=comma
    )
    source = stored(path)
    assert source.attributes == {"date": "2026-11-22T09:04:06.733", "operator": "lindner"}
    assert list(source.channels) == ["box/powerbox", "box/triggerbox"]
    for name, expected in values.items():
        channel = source.channels[f"box/{name}"]
        printed = [float(f"{v:.6f}") for v in expected]
        assert channel.raw().tolist() == printed  # exactly what the text says
        assert (channel.t0, channel.dt, channel.unit) == (-0.5, 1e-3, "Volts")
        assert channel.properties["start"] == "2026-11-22T09:04:06.733"


def test_decimal_comma_in_headers_and_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "00007_x.lvm", lvm(ROWS, decimal=","))
    source = stored(path)
    assert source.attributes["date"] == "2026-11-22T09:00:00.250"
    a, b = source.channels["x/a"], source.channels["x/b"]
    assert a.raw().tolist() == [1.25, 1.5, 1.75]
    assert b.raw().tolist() == [-2.0, -3.0, -4.0]
    assert (a.dt, b.unit) == (0.5, "A")


def test_without_x_columns_the_header_says_the_times(tmp_path: Path) -> None:
    rows = [row.partition("\t")[2] for row in ROWS]
    text = lvm(["\t" + row for row in rows], x_columns="No", x0="2.0\t3.0")
    channels = stored(write(tmp_path / "00007_x.lvm", text)).channels
    assert channels["x/a"].raw().tolist() == [1.25, 1.5, 1.75]
    assert channels["x/a"].time().tolist() == [2.0, 2.5, 3.0]
    assert channels["x/b"].time().tolist() == [3.0, 3.5, 4.0]


def test_each_channel_may_have_its_own_x_and_its_own_start(tmp_path: Path) -> None:
    text = lvm(
        ["0.0\t1.0\t0.0\t10.0", "0.5\t2.0\t0.25\t20.0", "1.0\t3.0\t0.5\t30.0"],
        columns="X_Value\ta\tX_Value\tb\tComment",
        x_columns="Multi",
        delta="0.5\t0.25",
        times="09:00:00.25\t09:00:01.25",
    )
    channels = stored(write(tmp_path / "00007_x.lvm", text)).channels
    assert channels["x/b"].raw().tolist() == [10.0, 20.0, 30.0]
    assert (channels["x/a"].t0, channels["x/b"].t0) == (0.0, 1.0)
    assert (channels["x/a"].dt, channels["x/b"].dt) == (0.5, 0.25)


def test_x_that_is_not_what_the_header_promises_counts(tmp_path: Path) -> None:
    rows = ["0.0\t1.0\t2.0", "0.329\t3.0\t4.0\tLOST", "1.208\t5.0\t6.0\tOK"]
    text = lvm(rows, headings="No", samples="1\t1")
    source = stored(write(tmp_path / "00007_x.lvm", text))
    channel = source.channels["x/a"]
    assert channel.irregular
    assert channel.time().tolist() == [0.0, 0.329, 1.208]
    assert channel.raw().tolist() == [1.0, 3.0, 5.0]
    assert source.properties["comments"] == [[1, "LOST"], [2, "OK"]]


def two_segments(second_start: str) -> str:
    first = lvm(ROWS)
    more = lvm_segment(
        [row.replace("1.", "7.") for row in ROWS[:2]],
        "X_Value\ta\tb\tComment",
        "2\t2",
        "0.0\t0.0",
        "0.5\t0.5",
        f"{second_start}\t{second_start}",
    )
    return first + "\t\n" + more


def test_segments_that_follow_each_other_make_one_regular_channel(tmp_path: Path) -> None:
    path = write(tmp_path / "00007_x.lvm", two_segments("09:00:01.75"))
    channel = stored(path).channels["x/a"]
    assert (channel.t0, channel.dt, channel.n) == (0.0, 0.5, 5)
    assert channel.raw().tolist() == [1.25, 1.5, 1.75, 7.25, 7.5]


def test_segments_with_a_pause_between_them_keep_their_times(tmp_path: Path) -> None:
    path = write(tmp_path / "00007_x.lvm", two_segments("09:00:10.25"))
    channel = stored(path).channels["x/a"]
    assert channel.time().tolist() == [0.0, 0.5, 1.0, 10.0, 10.5]


def test_empty_cells_end_a_short_channel_and_special_blocks_are_kept(tmp_path: Path) -> None:
    special = "***Start_Special***\ngains\t1\t2\n***End_Special***\n"
    rows = ["0.0\t1.25\t-2.0", "0.5\t1.5\t", "1.0\t1.75\t"]
    text = lvm(rows, samples="3\t1", more=special)
    source = stored(write(tmp_path / "00007_x.lvm", text))
    assert source.channels["x/b"].raw().tolist() == [-2.0]
    assert source.channels["x/a"].n == 3
    assert source.properties["special"] == "gains\t1\t2"


def test_columns_of_the_same_name_are_told_apart(tmp_path: Path) -> None:
    text = lvm(ROWS, columns="X_Value\tUntitled\tUntitled\tComment")
    channels = stored(write(tmp_path / "00007_x.lvm", text)).channels
    assert list(channels) == ["x/Untitled", "x/Untitled 2"]


def test_text_is_read_some_mb_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(text_table, "BLOCK_BYTES", 300)
    values = np.round(np.random.default_rng(2).normal(size=500), 6)
    path = tmp_path / "00007_x.lvm"
    write_lvm(path, {"a": values}, dt_s=1e-3, start=START)
    assert stored(path).channels["x/a"].raw().tolist() == values.tolist()


def test_every_cut_of_a_text_file_is_noticed(tmp_path: Path) -> None:
    whole = lvm(ROWS).replace("\n", "\r\n").encode()
    path = tmp_path / "00007_x.lvm"
    for size in [*range(20, len(whole) - 120, 29), *range(len(whole) - 120, len(whole) - 2)]:
        path.write_bytes(whole[:size])
        outcome = ingest(path, incoming=True, unchanged_for_s=1.0)
        assert outcome.status == "waiting", (size, outcome)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (lvm(["0.0\tno number\t1.0"] * 3), "a row without numbers"),
        (lvm(ROWS, delta="half\tone"), "'half' in a header is not a number"),
        (
            two_segments("09:00:02").replace("X_Value\ta\tb", "X_Value\tc\tb", 1),
            "different channels",
        ),
    ],
)
def test_text_that_cannot_be_used_says_why(tmp_path: Path, text: str, reason: str) -> None:
    outcome = ingest(write(tmp_path / "00007_x.lvm", text))
    assert outcome.status == "quarantined"
    assert reason in outcome.reason


# The PLC's CSV


@pytest.mark.parametrize(
    ("text", "attributes"),
    [
        (
            "Shot;7\r\nDate;2026-11-22 09:04:06.733\r\nGas;Ar\r\nProgram;power scan\r\n"
            "Operator;kovacs\r\nUseful;yes\r\nComment;350 W helicon, 0 W ICRF\r\n",
            {
                "date": "2026-11-22T09:04:06.733",
                "gas": "Ar",
                "program": "power scan",
                "operator": "kovacs",
                "useful": True,
                "comment": "350 W helicon, 0 W ICRF",
            },
        ),
        (
            "Datum;22.11.2026\nUhrzeit;09:04:06,5\nBediener;Müller\nBrauchbar;nein\n",
            {"date": "2026-11-22T09:04:06.500", "operator": "Müller", "useful": False},
        ),
        (
            'Date,Gas,Comment\n2026-11-22T09:04:06,He,"a, b"\n',
            {"date": "2026-11-22T09:04:06", "gas": "He", "comment": "a, b"},
        ),
        (
            "shot\tdate\tgas\n6\t2026-11-22 09:00\tAr\n7\t2026-11-22 09:07\tHe\n",
            {"date": "2026-11-22T09:07:00", "gas": "He"},
        ),
        ("Date;2026-11-22T08:04:06Z\n", {"date": "2026-11-22T09:04:06"}),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
def test_the_csv_gives_the_shot_its_attributes(
    tmp_path: Path, text: str, attributes: dict[str, Any], encoding: str
) -> None:
    path = tmp_path / "00007_Date.csv"
    path.write_bytes(text.encode(encoding))
    source = stored(path)
    assert source.attributes == attributes
    assert source.channels == {}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("Shot;8\nDate;2026-11-22 09:00:00\n", "states shot 8, but arrived for shot 7"),
        ("Date;31.02.2026\nTime;2026-11-22 or so\n", "no readable date"),
        ("shot\tdate\tgas\n6\t2026-11-22\tAr\n5\t2026-11-22\tHe\n", "0 lines for shot 7"),
    ],
)
def test_a_csv_that_contradicts_itself_says_why(tmp_path: Path, text: str, reason: str) -> None:
    path = tmp_path / "00007_Date.csv"
    path.write_text(text)
    outcome = ingest(path)
    assert outcome.status == "quarantined"
    assert reason in outcome.reason


def test_a_table_without_a_date_is_no_date_csv() -> None:
    assert not DateCsv().matches(Path("x.csv"), b"a;b\n1;2\n")
    assert not DateCsv().matches(Path("x.csv"), b"Date;2026-11-22\n\0\0")


# Archive


def test_an_archive_file_keeps_groups_sampling_and_the_generator_s_minutes(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    fast, time_s = rng.normal(size=3000), np.sort(rng.uniform(0, 5, 40))
    path = tmp_path / "00007_Data.h5"
    write_archive(
        path,
        {"PXI M6251": {"Lang_I": fast, "Lang_U": (1000 * fast).astype(np.int16)}},
        sampling_hz={"PXI M6251": 20_000.0},
        generator=(time_s, 100 * fast[:40], fast[:40]),
    )
    with h5py.File(path, "r+") as f:
        f["PXI M6251"].attrs["Tstart"] = -0.5
        f.attrs["gas"] = "Ar"
        f["S7/Time"] = np.arange(4) * 50.0
        f["S7/Ngas_P"] = np.arange(4)
        f["S7/Ngas_P"].attrs["unit"] = "V"
        f["note/text"] = "ignition at 0.3 s"
        f["odd/picture"] = np.zeros((3, 4))
        f["odd/row"] = np.arange(5.0).reshape(1, 5)
    outcome = ingest(path)
    source = source_of(outcome)
    channels = source.channels
    assert source.attributes == {"gas": "Ar"}
    np.testing.assert_array_equal(channels["PXI M6251/Lang_I"].raw(), fast)
    assert channels["PXI M6251/Lang_U"].dtype == np.int16
    assert (channels["PXI M6251/Lang_I"].t0, channels["PXI M6251/Lang_I"].dt) == (-0.5, 5e-5)
    np.testing.assert_allclose(channels["Generator/Fpower"].time(), time_s, rtol=1e-12)
    np.testing.assert_allclose(channels["S7/Ngas_P"].time(), [0.0, 0.05, 0.1, 0.15])
    assert channels["S7/Ngas_P"].unit == "V"
    assert channels["odd/row"].raw().tolist() == [0, 1, 2, 3, 4]
    assert channels["odd/row"].properties["time_base"] == "samples"
    assert source.properties["texts"] == {"note/text": "ignition at 0.3 s"}
    assert "odd/picture has the shape (3, 4) and is not stored" in outcome.reason


def test_a_cut_archive_waits_and_a_damaged_one_goes_to_quarantine(tmp_path: Path) -> None:
    path = tmp_path / "00007_Data.h5"
    write_archive(path, {"g": {"a": np.arange(9000.0)}}, sampling_hz={"g": 1.0})
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    assert ingest(path, incoming=True, unchanged_for_s=1.0).status == "waiting"
    path.write_bytes(whole[:8] + bytes(reversed(whole[8:])))
    outcome = ingest(path)
    assert outcome.status == "quarantined"
    assert "no HDF5 file that can be read" in outcome.reason


def test_a_stored_file_is_not_taken_for_an_archive(tmp_path: Path) -> None:
    path = tmp_path / "00007_Data.h5"
    write_archive(path, {"g": {"a": np.arange(9.0)}}, sampling_hz={"g": 1.0})
    stored = ingest(path).stored[0]
    outcome = ingest(stored, shot=8)
    assert outcome.status == "quarantined"
    assert "ingest its source" in outcome.reason
    assert stored.exists()
