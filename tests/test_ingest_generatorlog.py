"""The clock of a generator's log: all of a time is read, and no step back goes unsaid."""

from __future__ import annotations

import datetime as dt
from pathlib import Path

import numpy as np
import pytest

from runner.ingest import IngestSettings, Layout, Outcome, ingest_file
from runner.ingest.generatorlog.generatorlog_converter import DayLog, GeneratorLog
from runner.ingest.ingest_errors import Rejected
from runner.ingest.parsing import text_table

NAME = "GENERATOR_2026-11-22.txt"
HEADER = "Time\tForwardPower[W]\tReflectedPower[W]"


def log(folder: Path, rows: list[str], header: str = HEADER, name: str = NAME) -> Path:
    path = folder / name
    path.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return path


def powered(times: list[str], power: float = 500.0) -> list[str]:
    return [f"{t}\t{power}\t5.0" for t in times]


def pulses(path: Path, gap_s: float = 2.0) -> list[tuple[str, list[int]]]:
    """Return the first time and the rows of each pulse."""
    return [
        (str(p.time[0])[:19], list(p.rows))
        for p in DayLog.of(path).pulses(threshold_w=10.0, gap_s=gap_s)
    ]


class Place:
    def __init__(self, root: Path) -> None:
        self.root, self.layout = root, Layout.of(root / "workspace")

    def ingest(self, path: Path) -> Outcome:
        return ingest_file(path, layout=self.layout, settings=IngestSettings())

    def shot(self, number: int, date: str) -> Outcome:
        path = self.root / f"{number:05d}_Date.csv"
        path.write_text(f"Date;{date}\n")
        return self.ingest(path)


def test_a_pulse_of_the_evening_is_none_of_the_morning(tmp_path: Path) -> None:
    place = Place(tmp_path)
    place.shot(1, "2026-11-22 10:00:00 PM")
    place.shot(2, "2026-11-22 10:00:00 AM")
    outcome = place.ingest(log(tmp_path, powered(["10:00:02 PM", "10:00:03 PM"])))
    assert outcome.shots == [1]
    assert not (place.layout.shots / "00002" / f"{NAME}.h5").exists()


@pytest.mark.parametrize(
    "times",
    [
        ["10:30:00 PM", "10:30:01 PM"],
        ["10:30:00.000 pm", "10:30:01.000 pm"],
        ["10:30:00 p.m.", "10:30:01 p.m."],
        ["22.30.00", "22.30.01"],
        ["22h30m00", "22h30m01"],
        ["22:30:00,000", "22:30:01,000"],
        ["2026-11-22 10:30:00 PM", "2026-11-22 10:30:01 PM"],
        ["11/22/2026 10:30:00 PM", "11/22/2026 10:30:01 PM"],
    ],
)
def test_times_are_read_as_generators_write_them(tmp_path: Path, times: list[str]) -> None:
    assert pulses(log(tmp_path, powered(times))) == [("2026-11-22T22:30:00", [0, 2])]


@pytest.mark.parametrize(
    "times",
    [
        ["11:59:59 PM", "12:00:00 AM", "12:00:01 AM"],
        ["23:59:59", "00:00:00", "00:00:01"],
        ["23:59:59", "24:00:00", "00:00:01"],
        ["23h59m59", "00h00m00", "00h00m01"],
        ["2026-11-22 23:59:59", "00:00:00", "2026-11-23 00:00:01"],
    ],
)
def test_midnight_is_passed_whatever_the_clock(tmp_path: Path, times: list[str]) -> None:
    (pulse,) = DayLog.of(log(tmp_path, powered(times))).pulses(threshold_w=10.0, gap_s=2.0)
    start = dt.datetime(2026, 11, 22, 23, 59, 59)
    assert pulse.time.tolist() == [start + dt.timedelta(seconds=i) for i in range(3)]


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("25:00:00\t500.0\t5.0", "at row 3 below its header: its time '25:00:00' cannot be read"),
        ("late\t500.0\t5.0", "at row 3 below its header: its time 'late' cannot be read"),
        ("09:00:02 or so\t500.0\t5.0", "its time '09:00:02 or so' cannot be read"),
        ("\t500.0\t5.0", "its time '' cannot be read"),
        ("2026-11-22T09:00:02Z\t500.0\t5.0", "has a zone"),
        ("09:00:02\t5_0\t5.0", "at row 3 below its header: '5_0' is not a number"),
        ("09:00:02\t500.0\t5.0\t7", "at row 3 below its header: it has 4 cells for 3 columns"),
        ("09:00:02\r09:00:03\t500.0\t5.0", "cannot be read"),
        ("09:00:02\t50\x000\t5.0", "is not a number"),
        ("09:00:02\t500.\x1e\t5.0", "is not a number"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(tmp_path: Path, row: str, reason: str) -> None:
    rows = [*powered(["09:00:00", "09:00:01"]), row, *powered(["09:00:03"])]
    path = tmp_path / NAME
    path.write_bytes("\n".join([HEADER, *rows, ""]).encode())
    with pytest.raises(Rejected) as error:
        pulses(path)
    assert reason in str(error.value)


def test_a_decimal_comma_between_commas_is_refused(tmp_path: Path) -> None:
    path = log(tmp_path, ["09:00:00,500,0"], header="Time,ForwardPower[W]")
    with pytest.raises(Rejected, match="it has 3 cells for 2 columns"):
        pulses(path)


def test_numbers_with_a_comma_and_with_a_point_are_refused(tmp_path: Path) -> None:
    """1,500 may be one and a half, or a thousand and a half thousand."""
    path = log(tmp_path, [*powered(["09:00:00"]), "09:00:01\t1,500\t5.0"])
    told = "at row 2 below its header: '1,500' is among numbers with another decimal sign"
    with pytest.raises(Rejected, match=told):
        pulses(path)
    commas = [row.replace(".", ",") for row in powered(["09:00:00.5", "09:00:01.5"])]
    assert pulses(log(tmp_path, commas)) == [("2026-11-22T09:00:00", [0, 2])]
    times = [row.replace(",", ".", 1) for row in commas]  # a time is no number
    assert pulses(log(tmp_path, times)) == [("2026-11-22T09:00:00", [0, 2])]


def test_signs_are_told_apart_over_the_whole_log(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(text_table, "BLOCK_BYTES", 64)
    rows = [*powered([f"09:00:{k:02d}" for k in range(9)]), "09:00:30\t1,500\t5,0"]
    with pytest.raises(Rejected, match="at row 10 below its header: '1,500' is among numbers with"):
        pulses(log(tmp_path, rows))


def test_what_the_log_has_twice_is_given_to_no_shot(tmp_path: Path) -> None:
    """The end of summer time: 02:30 was twice, and nobody knows which pulse was when."""
    place = Place(tmp_path)
    place.shot(1, "2026-10-25 01:30:00")
    place.shot(2, "2026-10-25 02:30:00")
    place.shot(3, "2026-10-25 03:30:00")
    times = [
        *("01:30:00", "01:30:01", "02:30:00", "02:30:01", "02:59:59"),
        *("02:00:00", "02:30:00", "02:30:01", "03:30:00", "03:30:01"),
    ]
    path = log(tmp_path, powered(times), name="GENERATOR_2026-10-25.txt")
    assert pulses(path) == [("2026-10-25T01:30:00", [0, 2]), ("2026-10-25T03:30:00", [8, 10])]
    outcome = place.ingest(path)
    assert outcome.shots == [1, 3]
    assert "steps back at row 6, from 02:59:59 to 02:00:00" in outcome.reason


def test_a_pulse_does_not_go_on_over_a_step_back(tmp_path: Path) -> None:
    times = ["09:00:00", "09:00:01", "09:00:03", "09:00:01.5", "09:00:03.5", "09:00:04"]
    assert [rows for _, rows in pulses(log(tmp_path, powered(times)), gap_s=60.0)] == [
        [0, 2],
        [4, 6],
    ]


def test_a_clock_that_is_set_right_by_a_moment_loses_no_row(tmp_path: Path) -> None:
    path = log(tmp_path, powered(["09:00:00.0", "09:00:01.0", "09:00:00.9", "09:00:02.0"]))
    assert [rows for _, rows in pulses(path)] == [[0, 4]]
    assert DayLog.of(path).notes == [
        f"{NAME}: its clock steps back by less than 1 s at 1 rows",
    ]


def test_a_log_that_runs_forward_has_nothing_to_tell(tmp_path: Path) -> None:
    assert DayLog.of(log(tmp_path, powered(["23:59:59", "00:00:00"]))).notes == []


def test_a_log_out_of_order_is_refused(tmp_path: Path) -> None:
    times = [f"09:{m:02d}:00" for m in range(59, 0, -1)] * 3
    with pytest.raises(Rejected, match="sort it by time"):
        pulses(log(tmp_path, powered(times)))


def test_a_clock_of_twelve_hours_without_am_and_pm_gives_no_pulse_away(tmp_path: Path) -> None:
    times = ["10:00:00", "12:59:59", "01:00:00", "10:00:00"]
    path = log(tmp_path, powered(times))
    assert pulses(path) == []
    assert "steps back at row 3" in DayLog.of(path).notes[0]


@pytest.mark.parametrize(
    ("unit", "power", "found"),
    [("kW", 0.5, True), ("kW", 0.005, False), ("mW", 5000.0, False), ("", 500.0, True)],
)
def test_the_threshold_is_in_watts_whatever_the_column(
    tmp_path: Path, unit: str, power: float, found: bool
) -> None:
    header = f"Time\tForwardPower[{unit}]\tReflectedPower[{unit}]"
    path = log(tmp_path, powered(["09:00:00"], power), header=header)
    assert bool(pulses(path)) == found


@pytest.mark.parametrize(
    ("header", "name", "reason"),
    [
        ("Time\tForwardPower[dBm]", NAME, "its ForwardPower is in 'dBm', which is not a multiple"),
        ("Time\tForwardPower[bar]", NAME, "its ForwardPower is in 'bar'"),
        ("Time\tForwardPower[W]\tForwardPower[W]", NAME, "it has two columns ForwardPower"),
        ("Time\tForwardPower[W]\t\tX", NAME, "its column 3 has no name"),
        ("Time\tForwardPower[W]\tX\0", NAME, "its column 3 has no name"),
        ("Time\tForwardPower[W]" + "\tx" * 2000, NAME, "it has 2002 columns"),
        (HEADER, "GENERATOR_05-06-2026.txt", "does not state its day"),
        (HEADER, "GENERATOR_2026-11-21_2026-11-22.txt", "does not state its day"),
        ("Time\tForwardPower[W]" + "x" * 70_000, NAME, "has no line that names Time"),
    ],
)
def test_a_header_that_cannot_be_right_is_refused(
    tmp_path: Path, header: str, name: str, reason: str
) -> None:
    path = log(tmp_path, ["09:00:00\t500.0\t5.0"], header=header, name=name)
    with pytest.raises(Rejected) as error:
        DayLog.of(path)
    assert reason in str(error.value)
    assert len(str(error.value)) < 400


def test_a_day_that_the_rows_contradict_is_refused(tmp_path: Path) -> None:
    path = log(tmp_path, powered(["2026-11-25 09:00:00"]))
    with pytest.raises(Rejected, match="is from 2026-11-22, but its first row is at 2026-11-25"):
        DayLog.of(path)


def test_lines_may_end_with_a_carriage_return_alone(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes("\r".join([HEADER, *powered(["09:00:00", "09:00:01"]), ""]).encode())
    assert GeneratorLog().matches(path, path.read_bytes())
    assert pulses(path) == [("2026-11-22T09:00:00", [0, 2])]


def test_utf_16_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / NAME
    path.write_bytes("\n".join([HEADER, *powered(["09:00:00"]), ""]).encode("utf-16"))
    assert GeneratorLog().matches(path, path.read_bytes())
    with pytest.raises(Rejected, match="is UTF-16 text"):
        DayLog.of(path)


def test_a_log_of_one_endless_line_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runner.ingest.parsing.text_table.LONGEST_LINE", 1 << 20)
    monkeypatch.setattr("runner.ingest.parsing.text_table.BLOCK_BYTES", 1 << 18)
    path = tmp_path / NAME
    path.write_bytes(f"{HEADER}\n".encode() + b"\0" * (3 << 20))
    with pytest.raises(Rejected, match="has a line of more than 1 MB"):
        pulses(path)


def test_a_kept_log_that_cannot_be_read_any_more_keeps_no_shot_out(tmp_path: Path) -> None:
    place = Place(tmp_path)
    folder = place.layout.days / "2026-11-22"
    folder.mkdir(parents=True)
    log(folder, ["25:00:00\t500.0\t5.0"])
    outcome = place.shot(1, "2026-11-22 10:00:00")
    assert outcome.status == "stored"
    assert "is not matched" in outcome.reason


def test_the_times_of_all_rows_are_those_of_the_text(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    after = np.sort(rng.integers(0, 86_400_000, 500))
    midnight = dt.datetime(2026, 11, 22)
    moments = [midnight + dt.timedelta(milliseconds=int(ms)) for ms in after]
    for form in ("%H:%M:%S.%f", "%I:%M:%S.%f %p", "%H.%M.%S,%f", "%d.%m.%Y %H:%M:%S.%f"):
        path = log(tmp_path, powered([f"{m:{form}}" for m in moments]))
        found = DayLog.of(path).pulses(threshold_w=10.0, gap_s=1e6)
        assert [t for p in found for t in p.time.tolist()] == moments


def test_a_column_without_any_value_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "GENERATOR_2026-11-22.txt"
    path.write_text("Time\tForwardPower[W]\tPhase[deg]\tReflectedPower[W]\n10:00:00\t500\t5\n")
    with pytest.raises(Rejected, match=r"column ReflectedPower of .* has no values"):
        list(DayLog.of(path).pulses(threshold_w=10.0, gap_s=2.0))
