"""Pulses of the generator follow the clocks of shots, whatever came first."""

from __future__ import annotations

import itertools
import json
import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from ishtar.attributes.edits import edit
from ishtar.store import SourceFile, problems
from runner.ingest import IngestSettings, match_day, match_days, rematch_shots, shot_times
from runner.ingest.days.day_index import note_time
from tests.generator_fakes import DAY, NAME, SETTINGS, Place, idle, powers, pulse

pytestmark = pytest.mark.whole

ROWS = pulse("09:10:00.3")
LATER = "2099-01-01T00:00:00+00:00"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


# --- the placement -------------------------------------------------------------------------------


def test_pulses_follow_the_better_clock_that_comes_after(place, caplog):
    caplog.set_level(logging.INFO)
    place.log([*idle("09:08:00"), *ROWS])
    place.dated(3, "2026-11-22T09:10:00")
    assert place.times(3)[:2] == [0.3, 0.4]
    before = place.stored(3).channels["Generator/ForwardPower"].digest
    outcome = place.shot(3, "09:10:00.730")
    assert outcome.status == "stored"
    assert outcome.shots == [3]
    assert outcome.stored[1:] == [place.stored(3).path]
    assert (
        f"{NAME}.h5 of shot 3 follows the shot's clock: placed by the trigger "
        "2026-11-22T09:10:00.730, before by 2026-11-22T09:10:00.000" in outcome.reason
    )
    assert f"{NAME}.h5 of shot 3 follows the shot's clock" in caplog.text
    assert place.times(3)[:2] == [-0.43, -0.33]
    assert place.forward(3) == powers(ROWS)
    assert place.stored(3).channels["Generator/ForwardPower"].digest != before
    assert place.files(3) == [f"{NAME}.h5"]
    assert not list(problems(place.stored(3).path))


def test_both_files_of_a_log_that_has_grown_follow_the_clock(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS[:8])
    place.log(ROWS)
    place.csv(3, "2026-11-22T09:10:00.25")
    assert (place.times(3)[0], place.times(3, 2)[0]) == (0.05, 0.85)
    assert (place.forward(3), place.forward(3, 2)) == (powers(ROWS[:8]), powers(ROWS[8:]))


def test_a_clock_that_says_the_same_changes_no_file(place):
    place.dated(3, "2026-11-22T09:10:00.250")
    place.log(ROWS)
    before = os.stat(place.stored(3).path).st_ino
    assert place.csv(3, "2026-11-22T09:10:00.25").stored == []
    assert os.stat(place.stored(3).path).st_ino == before


def test_a_clock_of_microseconds_is_kept_to_the_microsecond(place):
    place.dated(3, "2026-11-22T09:10:00.000250")
    place.log(ROWS)
    assert place.stored(3).properties["trigger"] == "2026-11-22T09:10:00.000250"
    assert match_day(place.layout, place.settings, DAY).stored == []
    assert place.csv(3, "2026-11-22T09:10:00.000251").stored != []


@pytest.mark.parametrize("first", ["log", "tdms", "csv"])
def test_the_order_of_arrival_changes_nothing(tmp_path, first):
    found = []
    for order in itertools.permutations(["log", "tdms", "csv"]):
        if order[0] != first:
            continue
        place = Place(tmp_path / "".join(order))
        place.root.mkdir()
        for what in order:
            if what == "log":
                place.log(ROWS)
            elif what == "tdms":
                place.dated(3, "2026-11-22T09:10:00")
            else:
                place.csv(3, "2026-11-22T09:10:00.730")
        found.append((place.files(3), place.times(3), place.state()["matched"], place.notes()))
    assert found[0] == found[1]
    assert found[0][1][0] == -0.43


# --- the matching --------------------------------------------------------------------------------


def test_what_was_given_to_a_shot_leaves_it_for_the_one_that_it_fits_by_a_better_clock(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.dated(4, "2026-11-22T09:20:00")
    place.log([*ROWS, *pulse("09:40:00", power=900.0)])
    assert place.rows() == {3: [(0, 20)]}
    place.csv(3, "2026-11-22T09:40:00.1")
    assert place.rows() == {3: [(20, 40)]}
    found = place.csv(4, "2026-11-22T09:10:00.1")
    assert (found.shots, [p.parent.name for p in found.stored]) == ([4], ["00004"])
    assert place.rows() == {3: [(20, 40)], 4: [(0, 20)]}
    assert place.times(4)[0] == 0.2


def test_a_pulse_leaves_a_shot_though_no_other_one_gets_it(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    outcome = place.shot(3, "09:11:00.000")
    assert f"{NAME}.h5 leaves shot 3: its pulses do not match its clock" in outcome.reason
    assert (outcome.status, outcome.shots, place.files(3)) == ("stored", [3], [])
    assert place.state()["unmatched"] == ["2026-11-22T09:10:37.700000"]
    assert place.csv(4, "2026-11-22T09:10:00").shots == [4]


def test_a_pulse_that_fits_two_by_a_better_clock_leaves_both(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    found = place.csv(4, "2026-11-22T09:10:05")
    assert (found.shots, place.files(3), place.files(4)) == ([3], [], [])
    assert any("matches shots 3 and 4, so none gets it" in note for note in found.notes)
    found = place.dated(4, "2026-11-22T09:30:00", "New.csv", converter="datecsv 1", arrived=LATER)
    assert (found.shots, place.files(3), place.files(4)) == ([3], [f"{NAME}.h5"], [])


def test_only_the_pulses_that_do_not_fit_any_more_leave_a_shot(place):
    place.dated(3, "2026-11-22T09:10:05")
    first, second = pulse("09:10:00"), pulse("09:10:12", power=900.0)
    place.log([*first, *second])
    assert place.forward(3) == powers(first + second)
    outcome = place.shot(3, "09:10:18.000")
    assert f"{NAME}.h5 of shot 3 is replaced: some pulses left it" in outcome.reason
    assert place.forward(3) == powers(second)
    assert place.rows() == {3: [(20, 40)]}


def test_what_came_in_a_later_file_stays_there_when_the_first_goes(place):
    place.dated(3, "2026-11-22T09:10:05")
    first, second = pulse("09:10:00"), pulse("09:10:12", power=900.0)
    place.log(first)
    place.log([*first, *second])
    assert place.files(3) == [f"{NAME} 2.h5", f"{NAME}.h5"]
    place.csv(3, "2026-11-22T09:10:18")
    assert place.files(3) == [f"{NAME} 2.h5"]
    assert place.forward(3, 2) == powers(second)
    # and what comes back takes the first number that is free
    edit(place.layout.shots / "00003", {"date": "2026-11-22T09:10:05"}, who="Ada")
    rematch_shots(place.layout, place.settings, {3: []})
    assert (place.forward(3), place.forward(3, 2)) == (powers(first), powers(second))


def test_rows_that_two_files_hold_are_left_in_the_first(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    shutil.copy(place.stored(3).path, place.stored(3).path.with_name(f"{NAME} 2.h5"))
    found = match_day(place.layout, place.settings, DAY)
    assert (place.files(3), found.shots) == ([f"{NAME}.h5"], [3])
    assert [p.name for p in found.removed] == [f"{NAME} 2.h5"]


def test_a_log_that_arrives_last_finds_the_better_clock(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.csv(3, "2026-11-22T09:10:00.5")
    place.log(ROWS)
    assert place.times(3)[0] == -0.2


# --- days ----------------------------------------------------------------------------------------


def test_a_shot_of_another_day_by_a_better_clock_leaves_no_trace_in_the_former(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    assert place.notes() == {"2026-11-22": ["00003.json"]}
    place.csv(3, "2026-11-25T09:10:00")
    assert place.notes() == {"2026-11-25": ["00003.json"]}
    assert shot_times(place.layout, DAY) == {}
    assert place.rows() == {}


def test_a_shot_that_comes_to_the_day_by_a_better_clock_gets_its_pulses(place):
    place.log(ROWS)
    place.dated(3, "2026-11-20T09:10:00")
    assert place.rows() == {}
    assert place.csv(3, "2026-11-22T09:10:00").shots == [3]
    assert place.notes() == {"2026-11-22": ["00003.json"]}


@pytest.mark.parametrize(
    ("trigger", "start", "in_log"),
    [
        ("2026-11-23T00:00:01", "23:59:59.500", True),
        ("2026-11-21T23:59:59", "00:00:01.000", True),
        ("2026-11-24T00:00:01", "23:59:59.500", False),
    ],
)
def test_shots_of_the_neighbouring_days_get_pulses_around_midnight(place, trigger, start, in_log):
    place.settings = IngestSettings()
    rows = [f"{start[:8]}.{k}00\t500.0\t1.0" for k in range(5, 9)]
    place.log(rows)
    found = place.dated(3, trigger)
    assert found.shots == ([3] if in_log else [])
    assert place.rows() == ({3: [(0, 4)]} if in_log else {})


def test_logs_of_one_name_of_two_days_keep_apart_in_a_shot_at_midnight(place):
    place.settings = IngestSettings()
    place.dated(3, "2026-11-23T00:00:00")
    header = "Generator log of {}\nTime\tForwardPower[W]\n{}"
    path = place.root / "GENERATOR rf.txt"
    path.write_text(header.format("22.11.2026", "23:59:58.0\t500\n23:59:58.1\t501\n"))
    assert place.ingest(path).shots == [3]
    path.write_text(header.format("23.11.2026", "00:00:04.0\t700\n00:00:04.1\t701\n"))
    assert place.ingest(path).shots == [3]
    one, two = (place.stored(3, k, "GENERATOR rf.txt") for k in (1, 2))
    assert one.channels["Generator/ForwardPower"].raw().tolist() == [500.0, 501.0]
    assert two.channels["Generator 2/ForwardPower"].raw().tolist() == [700.0, 701.0]
    found = place.csv(3, "2026-11-23T00:00:00.5")
    assert [p.name for p in found.stored] == ["GENERATOR rf.txt.h5", "GENERATOR rf.txt 2.h5"]
    assert found.removed == []


# --- corrections, removals, settings -------------------------------------------------------------


def test_a_person_s_correction_is_followed_and_so_is_taking_it_back(place):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    folder = place.layout.shots / "00003"
    edit(folder, {"date": "2026-11-22T09:10:00.5"}, who="Ada")
    assert rematch_shots(place.layout, place.settings, {3: []}).shots == [3]
    assert place.times(3)[0] == -0.2
    edit(folder, {"date": "2026-12-24T18:00:00"}, who="Ada")
    assert rematch_shots(place.layout, place.settings, {3: []}).shots == [3]
    assert (place.files(3), place.notes()) == ([], {"2026-12-24": ["00003.json"]})
    edit(folder, {"date": None}, who="Ada")
    assert rematch_shots(place.layout, place.settings, {3: []}).shots == []
    assert place.notes() == {}
    edit(folder, {"date": "2026-11-22T09:10:00"}, who="Ada")
    assert rematch_shots(place.layout, place.settings, {3: []}).shots == [3]
    assert place.times(3)[0] == 0.3


def test_a_corrected_date_file_is_followed_under_its_new_name(place):
    place.shot(3, "09:10:00.000")
    place.log(ROWS)
    place.dated(
        3,
        "2026-11-22T09:10:01",
        "A_corrected.csv",
        converter="datecsv 1",
        arrived=LATER,
    )
    assert place.times(3)[0] == -0.7


def test_a_source_that_is_removed_is_no_clock_any_more(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.csv(3, "2026-11-25T09:10:00")
    place.log(ROWS)
    (place.layout.shots / "00003" / "00003_Date.csv.h5").unlink()
    former = DAY.replace(day=25)  # no file of the shot names it any more, but the catalogue does
    assert shot_times(place.layout, former) == {}
    assert rematch_shots(place.layout, place.settings, {3: [former]}).shots == [3]
    assert (place.times(3)[0], place.notes()) == (0.3, {"2026-11-22": ["00003.json"]})


def test_a_shot_that_is_removed_is_no_shot_of_the_day_any_more(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.dated(4, "2026-11-22T09:10:05")
    place.log(ROWS)
    assert place.rows() == {}
    shutil.rmtree(place.layout.shots / "00004")
    assert match_days(place.layout, place.settings).shots == [3]
    assert place.rows() == {3: [(0, 20)]}
    shutil.rmtree(place.layout.shots / "00003")
    assert match_days(place.layout, place.settings).shots == []
    assert place.state()["unmatched"] != []


def test_a_log_goes_on_with_the_settings_that_its_pulses_found_shots_with(place):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    place.settings = IngestSettings(generator_tolerance_s=1.0)  # the clock was set right in 2027
    found = place.csv(4, "2026-11-22T09:20:00")
    assert (found.shots, place.times(3)[0]) == ([], 0.3)
    outcome = place.log([*ROWS, *pulse("09:20:00")])
    assert place.rows() == {3: [(0, 20)], 4: [(20, 40)]}
    assert (
        f"{NAME} keeps generator_clock_offset_s = -37.4 (now 0), generator_tolerance_s = 10 "
        f"(now 1): run `ishtar ingest {place.kept}` if the new settings apply to this day, too"
        in outcome.reason
    )
    assert place.state()["settings"]["generator_clock_offset_s"] == -37.4
    assert match_days(place.layout, place.settings).shots == []


def test_the_kept_log_is_ingested_again_to_apply_other_settings(place):
    place.csv(3, "2026-11-22T09:10:00")
    place.csv(4, "2026-11-22T09:10:30")
    place.log(ROWS)
    place.settings = IngestSettings(generator_clock_offset_s=-AHEAD, generator_tolerance_s=10.0)
    outcome = place.ingest(place.kept)
    assert (outcome.status, outcome.shots, place.rows()) == ("stored", [3, 4], {4: [(0, 20)]})
    assert "keeps generator" not in outcome.reason
    assert place.kept.exists()
    place.settings = IngestSettings(generator_clock_offset_s=-AHEAD - 1, generator_tolerance_s=10.0)
    outcome = place.ingest(place.kept)
    assert (
        f"{NAME}.h5 of shot 4 follows the generator's clock: placed by the offset -8.4 s, before "
        "by -7.4 s" in outcome.reason
    )
    assert place.times(4)[0] == -0.7


AHEAD = 7.4  # by this the pulse of 09:10:00.3 was at 09:10:30.3


def test_a_log_whose_pulses_found_no_shot_takes_the_present_settings(place):
    place.settings = IngestSettings()
    place.csv(3, "2026-11-22T09:10:00")
    assert place.log(ROWS).status == "pending"
    place.settings = SETTINGS
    found = match_days(place.layout, place.settings)
    assert (found.shots, place.rows()) == ([3], {3: [(0, 20)]})


def test_a_day_can_be_matched_with_settings_of_one_s_own(place):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    other = IngestSettings(generator_clock_offset_s=-38.4, generator_tolerance_s=10.0)
    found = match_day(place.layout, other, DAY)
    assert (found.shots, place.times(3)[0]) == ([3], -0.7)
    assert match_day(place.layout, other, DAY).shots == []


# --- nothing is done twice -----------------------------------------------------------------------


def test_a_log_is_not_read_again_where_nothing_has_changed(place, monkeypatch):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    monkeypatch.setattr("runner.ingest.days.day_logs.match_log", fail)
    place.dated(3, "2026-11-22T09:10:01")  # not the clock that counts
    place.dated(5, "2026-11-27T09:10:00")  # another day
    path = place.source(3, None, "scope.h5")
    from runner.ingest.days.day_logs import rematch_shot

    assert rematch_shot(place.layout, place.settings, 3, path).shots == []
    assert match_days(place.layout, place.settings).notes == []


def fail(*args: object, **kw: object) -> None:
    raise AssertionError("it was read again")


@pytest.mark.parametrize("lost", ["file", "state", "touched"])
def test_a_log_is_matched_again_where_something_is_missing(place, lost):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    if lost == "file":
        place.stored(3).path.unlink()
    elif lost == "state":
        place.kept.with_name(f"{NAME}.json").unlink()
        place.stored(3).path.unlink()
    else:
        with place.kept.open("ab") as f:  # as a person might
            f.write("\r\n".join(pulse("09:10:08", 2)).encode() + b"\r\n")
    assert match_days(place.layout, place.settings).shots == [3]
    assert place.forward(3) == powers(ROWS)
    assert max(place.rows()[3]) == ((20, 22) if lost == "touched" else (0, 20))


def test_a_log_is_matched_again_where_one_of_its_files_is_missing(place):
    place.csv(8, "2026-11-22T09:10:00")
    place.csv(1, "2026-11-22T09:20:00")
    outcome = place.log([*ROWS, *pulse("09:20:00")])
    # in the order of their numbers, which is not that of a set
    assert (outcome.shots, [p.parent.name for p in outcome.stored]) == ([1, 8], ["00001", "00008"])
    place.stored(8).path.unlink()
    assert match_days(place.layout, place.settings).shots == [8]
    place.stored(8).path.unlink()
    place.stored(1).path.unlink()
    assert match_days(place.layout, place.settings).shots == [1, 8]


def test_the_pulses_of_a_shot_that_moved_are_found_in_its_own_folder(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    state = place.kept.with_name(f"{NAME}.json")
    # as it is where a match was interrupted before this was written
    state.write_text(json.dumps(json.loads(state.read_text()) | {"stored": []}))
    place.source(3, "2026-11-29T09:10:00", "Date.csv", converter="datecsv 1")
    assert rematch_shots(place.layout, place.settings, {3: []}).shots == [3]
    assert place.rows() == {}


def test_a_shot_that_moved_is_found_though_nothing_says_what_a_log_was_matched_with(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    state = place.kept.with_name(f"{NAME}.json")
    state.write_text(json.dumps({"matched": [], "unmatched": [], "ambiguous": []}))
    (place.layout.shots / "notes").mkdir()
    (place.layout.shots / "notes" / f"{NAME}.h5").write_text("of nobody")
    place.source(3, "2026-11-29T09:10:00", "Date.csv", converter="datecsv 1")
    assert match_day(place.layout, place.settings, DAY).shots == [3]
    assert place.rows() == {}


# --- interrupted ---------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


OPERATIONS = ("replace", "link", "unlink", "rename")


def killed_at(k: int, patch: pytest.MonkeyPatch, *, after: bool) -> Iterator[None]:
    """Let the k-th change of a name on disk be the last one."""
    count = itertools.count()

    def dying(name: str):
        real = getattr(os, name)

        def call(path, *args, **kw):
            if ".tmp-" in str(path) and name == "unlink":
                return real(path, *args, **kw)  # what a killed process leaves is ignored anyway
            n = next(count)
            if n > k or (n == k and not after):
                raise Killed
            done = real(path, *args, **kw)
            if n == k:
                raise Killed
            return done

        return call

    for name in OPERATIONS:
        patch.setattr(os, name, dying(name))


def swapped(place: Place) -> Iterator[tuple[int, Path]]:
    """Yield what arrives in a day whose two shots have each other's clock at first."""
    place.dated(3, "2026-11-22T09:10:00")
    place.dated(4, "2026-11-22T09:20:00")
    place.log(ROWS[:8])
    place.log([*ROWS, *pulse("09:20:00.3", power=900.0)])
    yield 3, place.source(3, "2026-11-22T09:20:00.5", "Date.csv", converter="datecsv 1")
    yield 4, place.source(4, "2026-11-22T09:10:00.5", "Date.csv", converter="datecsv 1")


def content(place: Place) -> dict[str, object]:
    found: dict[str, object] = {}
    for path in sorted(place.layout.shots.glob(f"*/{NAME}*.h5")):
        source = SourceFile(path)
        facts = [(c.path, c.digest) for c in source.channels.values()]
        found[f"{path.parent.name}/{path.name}"] = (source.properties, facts)
    return found | {"notes": place.notes(), "matched": place.state()["matched"]}


@pytest.mark.parametrize("after", [False, True])
def test_wherever_it_is_interrupted_the_next_look_ends_the_same(tmp_path, after):
    whole = Place(tmp_path / "whole")
    whole.root.mkdir()
    for shot, _ in swapped(whole):
        rematch_shots(whole.layout, SETTINGS, {shot: []})
    expected = content(whole)
    assert whole.rows() == {3: [(20, 40)], 4: [(0, 20)]}

    base = Place(tmp_path / "base")
    base.root.mkdir()
    for _ in swapped(base):
        pass  # both have arrived, and nobody was told
    for k in itertools.count():
        place = Place(tmp_path / f"killed{k}")
        shutil.copytree(base.root, place.root)
        with pytest.MonkeyPatch.context() as patch:
            killed_at(k, patch, after=after)
            try:
                rematch_shots(place.layout, SETTINGS, {3: [], 4: []})
                ended = True
            except Killed:
                ended = False
        rows = [row for held in place.rows().values() for r in held for row in range(*r)]
        assert len(rows) == len(set(rows)), f"two shots hold a row after operation {k}"
        if ended:
            break
        rematch_shots(place.layout, SETTINGS, {3: [], 4: []})
        assert content(place) == expected
        shutil.rmtree(place.root)
    assert k > 8
    assert content(place) == expected


def test_a_reader_has_the_old_file_or_the_new_one(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    path = place.stored(3).path
    with path.open("rb") as f:  # a reader that has it open
        before = f.read(100)
        place.csv(3, "2026-11-22T09:10:00.5")
        f.seek(0)
        assert f.read(100) == before
    assert place.times(3)[0] == -0.2


def test_the_note_of_a_shot_is_of_its_folder_as_it_is(place):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    note = place.layout.days / str(DAY) / "shots" / "00003.json"
    seen = json.loads(note.read_text())["seen"]
    assert seen == (place.layout.shots / "00003").stat().st_mtime_ns
    place.source(3, "2026-11-22T09:11:00", "Late.csv", converter="datecsv 1", arrived="2099-01-01")
    assert [t.minute for t in shot_times(place.layout, DAY).values()] == [11]
    assert note_time(place.layout, 3) == {DAY}
    assert json.loads(note.read_text())["date"] == "2026-11-22T09:11:00"
