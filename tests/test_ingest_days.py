"""The generator's log of a day: kept, cut into pulses, matched to shots by clock."""

from __future__ import annotations

import datetime as dt
import fcntl
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.attributes.edits import edit
from ishtar.store import SourceFile, problems
from runner.ingest import (
    IngestSettings,
    Layout,
    index_days,
    ingest_file,
    match_day,
    rematch_shots,
    shot_times,
)
from runner.ingest.days import day_logs
from runner.ingest.days.day_state import state_path
from runner.ingest.generatorlog.generatorlog_converter import DayLog, GeneratorLog
from runner.ingest.parsing import text_table
from runner.simulate import Campaign, simulate
from tests.generator_fakes import (
    AHEAD_S,
    DAY,
    HEADER,
    NAME,
    SETTINGS,
    Place,
    clock,
    idle,
    powers,
    pulse,
)

pytestmark = pytest.mark.whole


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def test_a_pulse_is_stored_for_its_shot_on_the_shot_s_clock(place: Place) -> None:
    place.shot(3, "09:10:00.000")
    place.shot(4, "09:17:00.000")
    rows = pulse("09:10:00.300")
    outcome = place.log([*idle("09:08:00"), *rows, *idle("09:12:00")])
    assert (outcome.status, outcome.shots) == ("stored", [3])
    (stored,) = outcome.stored
    assert stored == place.layout.shots / "00003" / f"{NAME}.h5"
    source = SourceFile(stored)
    forward = source.channels["Generator/ForwardPower"]
    assert forward.unit == "W"
    assert forward.raw().tolist() == powers(rows)
    np.testing.assert_allclose(forward.time(), 0.3 + 0.1 * np.arange(20), atol=1.1e-3)
    assert source.channels["Generator/ReflectedPower"].raw().tolist() == list(range(20))
    assert source.properties["pulses"][0]["rows"] == [3, 23]
    assert not list(problems(stored))
    kept = place.layout.days / "2026-11-22" / NAME
    assert kept.read_bytes() == (place.root / NAME).read_bytes()


def test_a_pulse_that_fits_no_shot_is_told_and_tried_again_when_a_shot_comes(place: Place) -> None:
    outcome = place.log(pulse("09:10:00.3"))
    assert (outcome.status, outcome.shots) == ("pending", [])
    assert "1 match no shot (09:10:37)" in outcome.reason
    assert place.state()["unmatched"] == ["2026-11-22T09:10:37.700000"]
    assert place.shot(2, "09:00:00").stored[1:] == []
    followed = place.shot(3, "09:10:00")
    assert followed.shots == [3]
    assert followed.stored[1].name == f"{NAME}.h5"
    assert "1 pulses belong to shots" in followed.reason
    assert place.state()["unmatched"] == []


def test_a_pulse_that_fits_two_shots_is_given_to_none(place: Place) -> None:
    place.shot(3, "09:10:00")
    place.shot(4, "09:10:12")
    outcome = place.log(pulse("09:10:05"))
    assert (outcome.status, outcome.stored) == ("pending", [])
    assert "the pulse at 09:10:42 matches shots 3 and 4, so none gets it" in outcome.reason
    assert place.state()["ambiguous"] == [{"start": "2026-11-22T09:10:42.400000", "shots": [3, 4]}]


def test_two_pulses_in_one_shot_are_both_stored(place: Place) -> None:
    place.shot(3, "09:10:00")
    first, second = pulse("09:10:00.3"), pulse("09:10:06", power=900.0)
    outcome = place.log([*first, *second])
    assert len(outcome.stored) == 1
    assert place.forward(3) == powers(first + second)
    assert len(SourceFile(outcome.stored[0]).properties["pulses"]) == 2


def test_the_same_log_again_is_known_and_so_is_an_earlier_state_of_it(place: Place) -> None:
    place.shot(3, "09:10:00")
    rows = [*pulse("09:10:00.3"), *idle("09:12:00")]
    place.log(rows)
    assert place.log(rows).status == "known"
    earlier = place.log(rows[:10])
    assert (earlier.status, earlier.stored) == ("known", [])
    assert place.forward(3) == powers(rows[:20])


def test_an_earlier_state_is_taken_away_for_the_kept_log_holds_it_all(place: Place) -> None:
    rows = [*pulse("09:10:00.3"), *idle("09:12:00")]
    place.log(rows)
    place.layout.incoming.mkdir(parents=True)
    path = place.layout.incoming / NAME
    path.write_bytes(place.kept.read_bytes()[:200])
    assert place.ingest(path, incoming=True).status == "known"
    assert not path.exists()


def test_another_log_is_refused_where_it_is_not_known_what_was_matched(place: Place) -> None:
    place.shot(3, "09:10:00")
    place.log(pulse("09:10:00.3"))
    state_path(place.kept).unlink()
    outcome = place.log(pulse("09:10:00.3", power=100.0))
    assert outcome.status == "quarantined"
    assert "does not continue it: rename" in outcome.reason


def test_what_was_said_when_a_log_came_is_not_said_again(place: Place) -> None:
    place.shot(3, "09:10:00")
    rows = pulse("09:10:00.3")
    told = place.log([*rows, *idle("09:12:00"), *idle("09:11:00")]).reason
    assert "its clock steps back at row" in told
    assert match_day(place.layout, place.settings, DAY).notes == []


def test_a_day_without_a_folder_is_no_trouble(place: Place) -> None:
    place.log(pulse("09:10:00.3"))
    place.shot(3, "09:10:00")
    another = dt.date(2026, 1, 1)
    assert rematch_shots(place.layout, place.settings, {3: [another]}).problems == []
    (place.layout.days / str(another)).write_text("a file")
    (problem,) = rematch_shots(place.layout, place.settings, {3: [another]}).problems
    assert "2026-01-01 is not a folder" in problem


def test_one_at_a_time_matches_the_logs_of_a_day(place: Place) -> None:
    place.shot(3, "09:10:00")
    place.log(pulse("09:10:00.3"))
    with (place.kept.parent / ".lock").open("r+") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        other = threading.Thread(
            target=place.log, args=([*pulse("09:10:00.3"), *idle("09:12:00")],)
        )
        other.start()
        other.join(0.3)
        assert other.is_alive()
        assert place.kept.read_text().count("\n") == 21
    other.join()
    assert place.kept.read_text().count("\n") == 24


def test_a_log_that_has_grown_adds_only_its_new_pulses(place: Place) -> None:
    place.shot(3, "09:10:00")
    place.shot(4, "09:17:00")
    first, second = pulse("09:10:00.3"), pulse("09:17:00.3", power=800.0)
    place.log(first)
    outcome = place.log([*first, *second])
    assert [p.parent.name for p in outcome.stored] == ["00004"]
    assert place.forward(3) == powers(first)
    assert place.forward(4) == powers(second)


def test_a_pulse_that_goes_on_in_a_grown_log_is_completed_beside_the_first_part(
    place: Place,
) -> None:
    place.shot(3, "09:10:00")
    rows = pulse("09:10:00.3")
    place.log(rows[:8])
    outcome = place.log(rows)
    assert outcome.stored == [place.layout.shots / "00003" / f"{NAME} 2.h5"]
    assert place.forward(3) == powers(rows[:8])
    assert place.forward(3, 2) == powers(rows[8:])


def test_a_row_that_is_still_being_written_is_left_out(place: Place) -> None:
    place.shot(3, "09:10:00")
    rows = pulse("09:10:00.3")
    place.log([*rows[:8], rows[8][:-3]], end="")
    place.log(rows)
    assert place.forward(3) + place.forward(3, 2) == powers(rows)


def test_another_log_under_a_known_name_goes_to_quarantine(place: Place) -> None:
    place.shot(3, "09:10:00")
    rows = pulse("09:10:00.3")
    place.log(rows)
    outcome = place.log(pulse("09:10:00.3", power=100.0))
    assert outcome.status == "quarantined"
    assert "does not continue it: rename" in outcome.reason
    assert place.forward(3) == powers(rows)


def test_what_is_stored_is_never_given_to_another_shot(place: Place) -> None:
    place.shot(3, "09:10:00")
    place.shot(4, "09:11:00")
    rows = pulse("09:10:00.3")
    place.log(rows)
    place.settings = IngestSettings(generator_clock_offset_s=22.6)  # a minute later: shot 4
    assert place.log([*rows, *idle("09:20:00")]).stored == []
    assert not (place.layout.shots / "00004" / f"{NAME}.h5").exists()


def test_midnight_belongs_to_the_night_before(place: Place) -> None:
    path = place.root / "00009_Date.csv"
    path.write_text("Date;2026-11-23 00:00:01\n")
    place.ingest(path)
    rows = [f"{t}\t100.0\t1.0" for t in ("23:59:59.900", "00:00:00.000", "00:00:00.100")]
    place.settings = IngestSettings()
    outcome = place.log(rows)
    assert outcome.shots == [9]
    np.testing.assert_allclose(
        SourceFile(outcome.stored[0]).channels["Generator/ForwardPower"].time(),
        [-1.1, -1.0, -0.9],
    )


def test_incoming_logs_are_taken_away_once_their_copy_is_kept(place: Place) -> None:
    place.layout.incoming.mkdir(parents=True)
    path = place.layout.incoming / NAME
    path.write_text("\n".join([HEADER, *pulse("09:10:00.3")]) + "\n")
    content = path.read_bytes()
    assert place.ingest(path, incoming=True).status == "pending"
    assert not path.exists()
    assert (place.layout.days / "2026-11-22" / NAME).read_bytes() == content


def test_a_log_whose_copy_is_not_what_came_stays_in_incoming(place: Place, monkeypatch) -> None:
    place.layout.incoming.mkdir(parents=True)
    path = place.layout.incoming / NAME
    path.write_text("\n".join([HEADER, *pulse("09:10:00.3")]) + "\n")
    content = path.read_bytes()
    matched = day_logs.index_once

    def damage(layout: Layout) -> None:
        matched(layout)
        place.kept.write_bytes(content.replace(b"500.0", b"600.0", 1))

    monkeypatch.setattr(day_logs, "index_once", damage)
    place.ingest(path, incoming=True)
    assert path.read_bytes() == content


def test_the_times_of_shots_are_found_again_in_the_stored_files(place: Place) -> None:
    place.shot(3, "09:10:00.25")
    place.log(pulse("09:10:00.3"))
    before = shot_times(place.layout, DAY)
    assert before == {3: dt.datetime(2026, 11, 22, 9, 10, 0, 250000)}
    for note in (place.layout.days / "2026-11-22" / "shots").iterdir():
        note.unlink()
    assert shot_times(place.layout, DAY) == {}
    index_days(place.layout)
    assert shot_times(place.layout, DAY) == before
    assert match_day(place.layout, place.settings, DAY).stored == []


def test_a_log_that_comes_first_into_an_old_workspace_finds_its_shots(place: Place) -> None:
    place.shot(3, "09:10:00")
    for path in sorted(place.layout.days.rglob("*"), reverse=True):
        path.rmdir() if path.is_dir() else path.unlink()
    assert place.log(pulse("09:10:00.3")).shots == [3]


@pytest.mark.parametrize(
    ("name", "above", "day"),
    [
        ("generator_20261122.log", "", DAY),
        ("22.11.2026 RF.txt", "", DAY),
        ("rf.txt", "Generator log of 22.11.2026\n", DAY),
        ("rf.txt", "", None),
    ],
)
def test_the_day_stands_in_the_name_or_above_the_columns(
    tmp_path: Path, name: str, above: str, day: dt.date | None
) -> None:
    place = Place(tmp_path, IngestSettings(generator_tolerance_s=60))
    place.shot(3, "09:10:00")
    path = tmp_path / name
    path.write_text(above + "\n".join([HEADER, *pulse("09:10:00.3")]) + "\n")
    outcome = place.ingest(path)
    if day is None:
        assert outcome.status == "quarantined"
        assert "does not state its day" in outcome.reason
    else:
        assert outcome.shots == [3]


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("Time\tForwardPower[W]\n09:00:00\t1,5\n09:00:01\t20,5\n", [20.5]),
        ("Time;ForwardPower[W]\n09:00:00,250;30\n09:00:01,250;20,5\n", [30.0, 20.5]),
        ("Time,ForwardPower [W]\n2026-11-22 09:00:00.5,30\n2026-11-22 09:00:01,20.5\n", [30, 20.5]),
        ("\ufeffTime\tForwardPower[W]\n9:00\t30\n\n9:01\t20.5\n", [30.0, 20.5]),
    ],
)
def test_logs_are_read_as_generators_write_them(
    tmp_path: Path, text: str, values: list[float]
) -> None:
    path = tmp_path / NAME
    path.write_text(text, encoding="utf-8")
    assert GeneratorLog().matches(path, path.read_bytes())
    pulses = DayLog.of(path).pulses(threshold_w=10.0, gap_s=100.0)
    assert [p.values["ForwardPower"].tolist() for p in pulses] == [values]


def test_a_log_with_a_line_that_is_no_row_is_not_kept(place: Place) -> None:
    outcome = place.log([*pulse("09:10:00.3"), "09:11:00.000\tbroken\t1.0"])
    assert outcome.status == "quarantined"
    assert "at row 21 below its header: 'broken' is not a number" in outcome.reason
    assert not (place.layout.days / "2026-11-22" / NAME).exists()


@given(
    powers=st.lists(st.sampled_from([0.0, 5.0, 50.0, 400.0]), min_size=1, max_size=60),
    steps=st.lists(st.sampled_from([0.1, 0.5, 3.0]), min_size=60, max_size=60),
    block=st.sampled_from([40, 100, 1 << 20]),
)
def test_pulses_are_the_same_however_much_is_read_at_a_time(
    tmp_path_factory: pytest.TempPathFactory,
    powers: list[float],
    steps: list[float],
    block: int,
) -> None:
    times = np.cumsum(steps[: len(powers)])
    path = tmp_path_factory.mktemp("log") / NAME
    rows = [
        f"{clock('09:00:00', t)}\t{p}\t0.0" for t, p in zip(times.tolist(), powers, strict=True)
    ]
    path.write_text("\n".join([HEADER, *rows]) + "\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(text_table, "BLOCK_BYTES", block)
        found = [p.rows for p in DayLog.of(path).pulses(threshold_w=10.0, gap_s=2.0)]
    # rows with power on, and what lies between two of them that are close
    expected: list[list[int]] = []
    for i in (i for i, p in enumerate(powers) if p > 10.0):
        if expected and times[i] - times[expected[-1][1] - 1] <= 2.0 + 1e-9:
            expected[-1][1] = i + 1
        else:
            expected.append([i, i + 1])
    assert [list(r) for r in found] == expected


def test_a_simulated_day_finds_every_pulse_its_shot(tmp_path: Path) -> None:
    campaign = Campaign(first=1, shots=2, size_mb=1.0)
    files = simulate(campaign, tmp_path / "arrived")
    place = Place(tmp_path, IngestSettings(generator_clock_offset_s=-campaign.clock_offset_s))
    outcomes = [place.ingest(path) for path in sorted(files)]
    assert {o.status for o in outcomes} == {"stored"}
    assert outcomes[-1].shots == [1, 2]
    for shot in (1, 2):
        time = (
            SourceFile(place.layout.shots / f"{shot:05d}" / f"{NAME}.h5")
            .channels["Generator/ForwardPower"]
            .time()
        )
        assert 0.0 <= time[0] < 2.0
        assert time[-1] < 6.0


@pytest.mark.parametrize(
    ("n", "said"),
    [
        (1, "1 match no shot (09:00:00)"),
        (4, "4 match no shot (09:00:00, 09:01:00, 09:02:00, 09:03:00)"),
        (5, "5 match no shot (09:00:00, 09:01:00, 09:02:00, …, 09:04:00)"),
    ],
)
def test_pulses_that_fit_no_shot_are_named_by_their_times(
    tmp_path: Path, n: int, said: str
) -> None:
    path = tmp_path / "GENERATOR_2026-11-22.txt"
    rows = "".join(f"09:0{i}:00\t500\t5\n" for i in range(n))
    path.write_text(f"Time\tForwardPower[W]\tReflectedPower[W]\n{rows}")
    layout = Layout.of(tmp_path / "workspace")
    outcome = ingest_file(path, layout=layout, settings=IngestSettings())
    assert outcome.status == "pending"
    assert said in outcome.reason


def test_the_offset_of_the_clocks_is_taken_to_the_microsecond(tmp_path):
    place = Place(tmp_path, replace(SETTINGS, generator_clock_offset_s=1e-6 - AHEAD_S))
    place.shot(3, "09:10:00")
    place.log(pulse("09:10:00.3"))
    times = place.stored(3).channels["Generator/ForwardPower"].time()
    assert times[0] == pytest.approx(0.300001, abs=1e-9)


def test_a_correction_of_something_else_leaves_the_clock_alone(place: Place) -> None:
    place.shot(3, "09:10:00")
    edit(place.layout.shots / "00003", {"gas": "He"}, who="Ada")
    assert rematch_shots(place.layout, place.settings, [3]).problems == []
    place.log(pulse("09:10:00.3"))
    assert place.times(3)[0] == 0.3
