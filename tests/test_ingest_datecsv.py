"""The PLC's CSV: every cell of its date is read, or the file is refused with that cell."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from runner.ingest import IngestSettings, Layout, Outcome, shot_times
from tests.ingest_fakes import ingest_into, source_of

SETTINGS = IngestSettings(timezone="Europe/Berlin")


def ingest(folder: Path, content: str | bytes) -> Outcome:
    folder.mkdir(exist_ok=True)
    path = folder / "00007_Date.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return ingest_into(folder / "workspace", path)


def attributes(outcome: Outcome) -> dict[str, Any]:
    return source_of(outcome).attributes


@pytest.mark.parametrize(
    ("text", "date"),
    [
        ("Date;2026-11-22 03:00:00 PM\n", "2026-11-22T15:00:00"),
        ("Date;2026-11-22 12:30 AM\n", "2026-11-22T00:30:00"),
        ("Date;22.11.2026 15.30.12\n", "2026-11-22T15:30:12"),
        ("Date;2026-11-22\nTime;3:30 PM\n", "2026-11-22T15:30:00"),
        ("Date;22.11.2026\nTime;15h30\n", "2026-11-22T15:30:00"),
        ("Date;20261122\nTime;153012\n", "2026-11-22T15:30:12"),
        ("Date;2026-11-22\nTrigger;15:30:12,5\n", "2026-11-22T15:30:12.500"),
        ("Time;2026-11-22 15:30\n", "2026-11-22T15:30:00"),
        ("Datum/Uhrzeit;22.11.2026 15:30\n", "2026-11-22T15:30:00"),
        ("Date;Time\n2026-11-22;15.30.12\n", "2026-11-22T15:30:12"),
        ("Date\n2026-11-22 15:30\n", "2026-11-22T15:30:00"),
        ("Foo;Date\nx;2026-11-22 15:30\n", "2026-11-22T15:30:00"),
        ("Date;2026-11-22;15:30:12\nGas;Ar\n", "2026-11-22T15:30:12"),
        ("Date,2026-11-22 09:04:06,733\nGas,Ar\n", "2026-11-22T09:04:06.733"),
        # a day that a program held as a moment, and its time apart
        ("Date;2026-11-22 00:00:00\nTime;15:30:12\n", "2026-11-22T15:30:12"),
        ("Date;2026-11-22 15:30\nTime;15:30:12.25\n", "2026-11-22T15:30:12.250"),
        ("Date;2026-11-22 15:30\nTrigger;external\n", "2026-11-22T15:30:00"),
        ("Date;2026-11-22 08:04:06Z\n", "2026-11-22T09:04:06"),
        ("Date;2026-11-22\nTime;08:04:06Z\n", "2026-11-22T09:04:06"),
        ("Date;2026-07-22 10:00\nTimezone;UTC\n", "2026-07-22T12:00:00"),
        ("Date;2026-07-22 10:00\nZeitzone;Europe/London\n", "2026-07-22T11:00:00"),
        ("Date;2026-07-22 10:00\nTimezone;local\n", "2026-07-22T10:00:00"),
        ("Date;2026-11-22 00:00:00\n", "2026-11-22T00:00:00"),
    ],
)
def test_the_date_is_what_the_cells_say(tmp_path: Path, text: str, date: str) -> None:
    outcome = ingest(tmp_path, text)
    assert attributes(outcome)["date"] == date
    assert outcome.reason == ""


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (
            "Date;2026-11-22\nTime;quarter past\n",
            "Time is 'quarter past', which is not a readable time of day",
        ),
        (
            "Date;2026-11-22\nTrigger;15:99\n",
            "Trigger is '15:99', which is not a readable time of day",
        ),
        (
            "Date;2026-11-22 00:00\nTime;late\n",
            "Time is 'late', which is not a readable time of day",
        ),
        ("Date;2026-11-22 25:00\n", "no readable date: Date '2026-11-22 25:00'"),
        ("Date;2026-11-22 15:30 or so\n", "Date '2026-11-22 15:30 or so'"),
        ("Date;2026-11-22 10:00:0\x1e\n", "no readable date"),
        ("Date;2026-11-22 10:00\x1e\n", "no readable date"),
        ("Date;05/06/2026 10:00\n", "Date '05/06/2026 10:00'"),
        ("Date;1904-01-01 00:00:00\n", "no readable date"),
        ("Date;2026-11-22 10:00:00\nTime;15:00:00\n", "contradict each other"),
        ("Date;2026-11-22\nDatum;2026-11-23\nTime;10:00\n", "contradict each other"),
        ("Date;2026-11-22 10:00\ndate;2026-11-22 11:00\n", "it states date twice"),
        ("Gas;Ar\nGas;He\nDate;2026-11-22 10:00\n", "it states gas twice, 'Ar' and 'He'"),
        ("Date;2026-11-22 10:00\nTimezone;Mars\n", "Timezone is 'Mars', not a time zone"),
        ("Date,Gas,Comment\n2026-11-22 09:04:06,733,He,x\n", "a line of 4 cells below 3 names"),
        ('Comment;"it never ends\nDate;2026-11-22 10:00\n', "a quote in it is not closed"),
        ('Comment;"He" x\nGas;"Ar\nDate;2026-11-22 10:00\n', "a quote in it is not closed"),
        ("Date;2026-11-22 10:00\nComment;" + "x" * 200_000 + "\n", "field limit"),
        ("Date;2026-11-22 10:00\n" + "a;1\n" * 2000, "has 2001 entries"),
        ("Date;2026-11-22 10:00\n" + "x" * 5000 + "\0\n", "has a NUL at character 5022"),
        ("Date;2026-11-22 10:00\nShot;²\n", "it states shot ²"),
        ("Date;2026-11-22 10:00\n" + " " * (1 << 20), "too large for the CSV of one shot"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_cell(
    tmp_path: Path, text: str, reason: str
) -> None:
    outcome = ingest(tmp_path, text)
    assert outcome.status == "quarantined"
    assert reason in outcome.reason
    assert "\n" not in outcome.reason
    assert len(outcome.reason) < 300


def test_a_day_without_a_time_is_no_midnight(tmp_path: Path) -> None:
    outcome = ingest(tmp_path, "Date;2026-11-22\nGas;Ar\n")
    assert attributes(outcome) == {"gas": "Ar"}
    assert "states the day 2026-11-22 but no time of day" in outcome.reason
    assert source_of(outcome).properties["Date"] == "2026-11-22"
    assert shot_times(Layout.of(tmp_path / "workspace"), dt.date(2026, 11, 22)) == {}


def test_several_times_are_told(tmp_path: Path) -> None:
    outcome = ingest(tmp_path, "Date;2026-11-22 10:00\nStart;2026-11-22 10:00:05\n")
    assert attributes(outcome)["date"] == "2026-11-22T10:00:00"
    assert "it states several times, Date '2026-11-22 10:00', Start" in outcome.reason


def test_a_last_line_without_an_end_is_told(tmp_path: Path) -> None:
    outcome = ingest(tmp_path, "Date;2026-11-22 10:00\nGas;A")
    assert attributes(outcome)["gas"] == "A"
    assert "has no line end: check that Gas 'A' is complete" in outcome.reason


def test_comments_are_joined_and_odd_truths_left_out(tmp_path: Path) -> None:
    text = "Date;2026-11-22 10:00\nComment;a\nRemark;b\nUseful;maybe\nnotes;mine\nx;1\nx;2\n"
    outcome = ingest(tmp_path, text)
    found = attributes(outcome)
    assert found["comment"] == "a; b"
    assert "useful" not in found
    assert "useful is 'maybe'" in outcome.reason
    properties = source_of(outcome).properties
    assert properties["notes (of the file)"] == "mine"
    assert properties["x"] == ["1", "2"]
    again = ingest(tmp_path / "again", "Date;2026-11-22 10:00\nx;1\nx;1\n")
    assert source_of(again).properties["x"] == ["1", "1"]


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be", "latin-1", "utf-8"])
def test_an_encoding_is_told_by_the_text(tmp_path: Path, encoding: str) -> None:
    text = "Date;2026-11-22 10:00\nOperator;Müller é\n"
    assert attributes(ingest(tmp_path, text.encode(encoding)))["operator"] == "Müller é"


def test_half_a_letter_is_refused(tmp_path: Path) -> None:
    outcome = ingest(tmp_path, "Date;2026-11-22 10:00\nGas;Ar\n".encode("utf-16")[:-1])
    assert outcome.status == "quarantined"
    assert "is not complete text" in outcome.reason


def test_lines_may_end_with_a_carriage_return_alone(tmp_path: Path) -> None:
    assert attributes(ingest(tmp_path, b"Date;2026-11-22 10:00\rGas;Ar\r")) == {
        "date": "2026-11-22T10:00:00",
        "gas": "Ar",
    }


SAMPLES = "".join(f"{k / 10};{k % 3}\n" for k in range(50))


@pytest.mark.parametrize(
    "text",
    [
        "Model;TDS3000\nDate;2026-11-22\nTime;15:30:00\nUnits;V\n\nt;CH1\n" + SAMPLES,
        "Date\t2026-11-22 15:30:00\nSample rate\t10\n" + SAMPLES.replace(";", "\t"),
        "Date,2026-11-22 15:30:00\nTIME,CH1\n0,1\n",
        "Date;2026-11-22 15:30\n" + "".join(f"15:30:{k:02d};{k}\n" for k in range(9)),
        "Date;2026-11-22 15:30\n" + "".join(f"22.11.2026 15:30:{k:02d};{k}\n" for k in range(9)),
        "Date;2026-11-22 15:30\n-1.5E-3;2\n",
    ],
)
def test_a_measurement_that_states_a_date_is_no_csv_of_a_shot(tmp_path: Path, text: str) -> None:
    outcome = ingest(tmp_path, text)
    assert outcome.status == "quarantined"
    assert "of its lines are numbers" in outcome.reason
    assert "no converter reads it: docs/ingest.md" in outcome.reason


@pytest.mark.parametrize(
    "line",
    [
        *("----;----", "-;", "...;", "15:30:02;valve open", "1;valve open", ";5", "Power 1;500"),
        "Program;LabVIEW Measurement 2.1",
    ],
)
def test_a_line_that_only_looks_like_a_number_is_none(tmp_path: Path, line: str) -> None:
    outcome = ingest(tmp_path, f"Date;2026-11-22 15:30\n{line}\nGas;Ar\n")
    found = attributes(outcome)
    assert (found["date"], found["gas"]) == ("2026-11-22T15:30:00", "Ar")


def test_columns_may_be_called_by_numbers(tmp_path: Path) -> None:
    outcome = ingest(tmp_path, "Date;Gas;1;2\n2026-11-22 15:30;Ar;5;6\n")
    assert attributes(outcome) == {"date": "2026-11-22T15:30:00", "gas": "Ar"}
    assert source_of(outcome).properties["2"] == "6"


@pytest.mark.parametrize("line", ["1.5 V;", "'1.5';1", "\u22121.5;1", "CH1;0.5", "NaN;1", ";0.1;5"])
def test_a_table_of_lines_that_begin_alike_is_refused(tmp_path: Path, line: str) -> None:
    outcome = ingest(tmp_path, "Date;2026-11-22 15:30\n" + f"{line}\n" * 25)
    assert outcome.status == "quarantined"
    assert "25 of its lines" in outcome.reason


def test_many_names_that_are_not_known_are_told_and_kept(tmp_path: Path) -> None:
    lines = "".join(f"{k / 10} V;{k}\n" for k in range(60))
    outcome = ingest(tmp_path, "Date;2026-11-22 15:30\n" + lines)
    assert "60 of its 61 entries have unknown names" in outcome.reason
    assert source_of(outcome).properties["5.9 V"] == "59"
