"""What is damaged, foreign or gone among the logs of days is named, and the rest is matched."""

from __future__ import annotations

import datetime as dt
import json
import logging
import os
import shutil
from pathlib import Path

import pytest

from ishtar.store import SourceFile, problems
from runner.ingest import (
    IngestStopped,
    day_problems,
    index_days,
    match_day,
    match_days,
    rematch_shots,
    shot_times,
)
from runner.ingest.days import placement
from tests.generator_fakes import DAY, HEADER, NAME, Place, idle, powers, pulse

pytestmark = pytest.mark.whole

ROWS = pulse("09:10:00.3")
OTHER = "GENERATOR_2026-11-22 b.txt"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def wrong(place: Place) -> dict[str, list[str]]:
    """Return what `ishtar verify` says of the days, by file."""
    found: dict[str, list[str]] = {}
    for path, problem in day_problems(place.layout, place.settings):
        found.setdefault(path.relative_to(place.layout.days).as_posix(), []).append(problem)
    return found


DAMAGED_NOTES = [
    b"",
    b'{"shot": 3, "da',
    b"\xff\xfe\x00",
    b"[]",
    b'"2026"',
    b'{"shot": 3}',
    b'{"shot": 3, "date": 7, "seen": 1}',
    b'{"shot": 3, "date": "yesterday", "seen": 1}',
    b'{"shot": 3, "date": "2026-11-22T09:10:00+01:00", "seen": 1}',
]


@pytest.mark.parametrize("content", DAMAGED_NOTES, ids=range(len(DAMAGED_NOTES)))
def test_a_damaged_note_stops_nobody_and_its_shot_is_read(place, content, caplog):
    place.csv(3, "2026-11-22T09:10:00")
    place.csv(4, "2026-11-22T09:20:00")
    index_days(place.layout)
    note = place.layout.days / str(DAY) / "shots" / "00003.json"
    note.write_bytes(content)
    outcome = place.log([*ROWS, *pulse("09:20:00")])
    assert outcome.shots == [3, 4]
    assert f"{note} is not a note of a shot's time" in caplog.text
    index_days(place.layout)
    assert json.loads(note.read_text())["date"] == "2026-11-22T09:10:00"
    assert wrong(place) == {}


def test_a_damaged_note_is_named_until_it_is_made_anew(place):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    note = place.layout.days / str(DAY) / "shots" / "00003.json"
    note.write_text("{")
    (told,) = wrong(place)["2026-11-22/shots/00003.json"]
    assert told.startswith("it is not a note of a shot's time (JSONDecodeError")
    assert told.endswith("`ishtar rebuild` replaces it")
    index_days(place.layout)
    assert wrong(place) == {}


def test_notes_of_earlier_versions_are_hints_and_are_replaced(place):
    place.csv(3, "2026-11-22T09:10:00")
    folder = place.layout.days / str(DAY) / "shots"
    shutil.rmtree(folder)
    folder.mkdir()
    facts = {"shot": 3, "date": "2026-11-22T09:11:00", "source": "x", "converter": "tdms 1"}
    (folder / "00003 00003_Data.tdms.json").write_text(json.dumps(facts))
    (folder / "00003 00003_Date.csv.json").write_text("{")
    assert shot_times(place.layout, DAY) == {3: dt.datetime(2026, 11, 22, 9, 10)}
    assert place.log(ROWS).shots == [3]
    assert place.notes() == {str(DAY): ["00003.json"]}


def test_files_that_are_no_notes_are_left_alone(place):
    place.csv(3, "2026-11-22T09:10:00")
    folder = place.layout.days / str(DAY) / "shots"
    for name in ("desktop.ini", "shot 3.json", "00004.json.bak", "x.json"):
        (folder / name).write_text("{")
    (folder / "00009.json").mkdir()
    assert place.log(ROWS).shots == [3]
    index_days(place.layout)
    assert len(list(folder.iterdir())) == 6


STATES = [b"", b"{", b"[]", b"7", b"\xff", b'{"matched": []}', b'{"size": "x"}']


@pytest.mark.parametrize("content", STATES, ids=range(len(STATES)))
def test_a_damaged_state_of_a_log_is_made_anew(place, content, caplog):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    state = place.kept.with_name(f"{NAME}.json")
    good = json.loads(state.read_text())
    state.write_bytes(content)
    assert wrong(place) == {
        f"{DAY}/{NAME}": ["the record of its last match is missing: `ishtar rebuild` corrects it"]
    }
    assert match_days(place.layout, place.settings).problems == []
    assert f"{state} is not the record of a match" in caplog.text
    assert json.loads(state.read_text()) == good
    assert wrong(place) == {}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (b"", "has no line that names Time"),
        (b"\0" * 4096, "has no line that names Time"),
        (f"{HEADER}\n09:10:37.7\tbroken\t1\n".encode(), "'broken' is not a number"),
    ],
)
def test_a_damaged_log_is_named_and_the_others_of_the_day_are_matched(
    place, damage, reason, caplog
):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    place.log(pulse("09:10:02", power=900.0), OTHER)
    place.kept.write_bytes(damage)
    outcome = place.shot(3, "09:10:00.500")
    assert outcome.status == "stored"
    assert f"the log {place.kept} is not matched: " in outcome.reason
    assert reason in outcome.reason
    assert f"the log {place.kept} is not matched: " in caplog.text
    assert place.stored(3).properties["trigger"].endswith("09:10:00.000")
    assert place.stored(3, name=OTHER).properties["trigger"].endswith("09:10:00.500")
    told = wrong(place)[f"{DAY}/{NAME}"]
    assert told[0] == (
        "it was changed or replaced after it was matched: ingest the original log again"
    )
    assert reason in told[1]
    # the log comes once more: the damaged copy is set aside, and all is as it should be
    outcome = place.log(ROWS)
    assert (outcome.status, outcome.shots) == ("stored", [3])
    assert place.stored(3).properties["trigger"].endswith("09:10:00.500")
    if damage:  # an empty one is the beginning of any log
        assert (place.layout.quarantine / NAME).read_bytes() == damage
    assert wrong(place) == {}


def test_a_log_that_cannot_be_read_at_all_is_named(place, monkeypatch):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)

    def fail(path):
        raise OSError(5, "Input/output error", str(path))

    monkeypatch.setattr("runner.ingest.generatorlog.generatorlog_converter.DayLog.of", fail)
    found = place.csv(3, "2026-11-22T09:10:00.5")
    assert found.notes == found.problems
    (note,) = found.notes
    assert f"{NAME} cannot be read: OSError(5, 'Input/output error')" in note


def test_another_log_in_the_place_of_a_kept_one_moves_no_pulse(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    replaced = [*idle("09:00:00", 5), *pulse("09:10:00.3", power=100.0)]
    place.kept.write_text("\n".join([HEADER, *replaced]) + "\n")
    outcome = place.shot(3, "09:10:00.500")
    assert outcome.status == "stored"
    why = f"{NAME} is not the log that {NAME}.h5 of shot 3 was made from"
    assert why in outcome.reason
    assert place.forward(3) == powers(ROWS)
    assert place.times(3)[0] == 0.3
    assert any(why in text for text in wrong(place)[f"{DAY}/{NAME}"])
    # a log that continues neither the one nor the other is none of its later states
    assert place.log(pulse("09:11:00")).status == "quarantined"


def test_a_log_that_arrives_while_its_stored_pulses_are_of_another_one_is_kept_and_named(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    place.kept.unlink()
    other = [*idle("09:00:00", 5), *pulse("09:10:00.3", power=100.0)]
    outcome = place.log(other)
    assert outcome.status == "pending"
    assert "is not the log that" in outcome.reason
    assert place.forward(3) == powers(ROWS)
    place.stored(3).path.unlink()
    assert match_days(place.layout, place.settings).shots == [3]
    assert place.forward(3) == powers(other[5:])


def test_a_log_that_is_gone_leaves_its_pulses_where_they_are(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    place.kept.unlink()
    assert place.csv(3, "2026-11-22T09:10:00.5").notes == []
    assert place.times(3)[0] == 0.3
    assert wrong(place) == {
        f"{DAY}/{NAME}.json": [
            "its log is missing: put the log back, so that its pulses follow clocks"
        ]
    }


def test_a_damaged_file_of_pulses_goes_to_quarantine_and_is_made_again(place):
    place.csv(3, "2026-11-22T09:10:00")
    place.csv(4, "2026-11-22T09:20:00")
    place.log(ROWS[:8])
    place.log([*ROWS, *pulse("09:20:00", power=900.0)])
    whole = place.stored(3, 2).path.read_bytes()
    place.stored(3, 2).path.write_bytes(whole[:700])
    assert any("is damaged" in text for text in wrong(place)[f"{DAY}/{NAME}"])
    found = match_day(place.layout, place.settings, DAY)
    assert found.shots == [3]
    assert f"{NAME} 2.h5 of shot 3 is damaged and goes to quarantine" in found.notes
    assert (place.layout.quarantine / f"{NAME} 2.h5").read_bytes() == whole[:700]
    reason = (place.layout.quarantine / f"{NAME} 2.h5.reason.json").read_text()
    said = json.loads(reason)["reason"]
    assert said.startswith("damaged: ")
    assert "Error" not in said  # what is wrong, not what Python calls it
    assert "DamagedFile(" not in said
    assert (place.forward(3), place.forward(3, 2)) == (powers(ROWS[:8]), powers(ROWS[8:]))
    assert not list(problems(place.stored(3, 2).path))


@pytest.mark.parametrize("missing", ["day", "pulses", "trigger", "clock_offset_s"])
def test_a_file_of_pulses_that_does_not_say_what_it_holds_is_made_again(place, missing):
    from ishtar.store import SourceWriter

    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    source = place.stored(3)
    with SourceWriter(source.path, source.origin) as writer:
        writer.properties.update({k: v for k, v in source.properties.items() if k != missing})
    assert match_day(place.layout, place.settings, DAY).shots == [3]
    assert place.forward(3) == powers(ROWS)
    assert [p.name for p in place.layout.quarantine.iterdir()] != []


def test_files_of_other_sources_with_such_a_name_are_left_alone(place):
    place.csv(3, "2026-11-22T09:10:00")
    for name, converter in ((f"{NAME} 2", "generatorlog 1"), (NAME, "tdms 1")):
        path = place.source(3, None, "x", converter=converter)
        source = SourceFile(path)
        from dataclasses import replace

        from ishtar.store import SourceWriter

        target = path.with_name(f"{name}.h5")
        with SourceWriter(target, replace(source.origin, source=name)) as writer:
            writer.properties["day"] = str(DAY)
        path.unlink()
    assert place.log(ROWS).shots == [3]
    assert place.files(3) == [f"{NAME} 2.h5", f"{NAME} 3.h5", f"{NAME}.h5"]
    assert place.forward(3, 3) == powers(ROWS)
    assert match_day(place.layout, place.settings, DAY).shots == []


def test_a_shot_with_a_damaged_file_keeps_the_clock_that_it_had(place, caplog):
    place.dated(3, "2026-11-22T09:10:01")
    place.csv(3, "2026-11-22T09:10:00")
    place.csv(4, "2026-11-22T09:20:00")
    place.log(ROWS)
    csv = place.layout.shots / "00003" / "00003_Date.csv.h5"
    whole = csv.read_bytes()
    csv.write_bytes(whole[:500])
    os.utime(csv.parent)
    found = rematch_shots(place.layout, place.settings, {3: []})
    assert (found.shots, place.times(3)[0]) == ([], 0.3)
    assert str(csv) in caplog.text
    outcome = place.log([*ROWS, *pulse("09:20:00")])
    assert (outcome.shots, place.times(3)[0]) == ([3, 4], 0.3)
    index_days(place.layout)
    assert shot_times(place.layout, DAY)[3] == dt.datetime(2026, 11, 22, 9, 10)
    # nothing is known of it but what the other file says
    (place.layout.days / str(DAY) / "shots" / "00003.json").unlink()
    index_days(place.layout)
    assert shot_times(place.layout, DAY)[3] == dt.datetime(2026, 11, 22, 9, 10, 1)
    csv.write_bytes(whole)
    os.utime(csv.parent)
    assert shot_times(place.layout, DAY)[3] == dt.datetime(2026, 11, 22, 9, 10)


def test_folders_that_are_no_days_are_named_and_passed_over(place):
    place.csv(3, "2026-11-22T09:10:00")
    for name in ("lost+found", "20261122", "2026-11-31", "22.11.2026"):
        folder = place.layout.days / name
        folder.mkdir(parents=True)
        (folder / NAME).write_text("\n".join([HEADER, *ROWS]) + "\n")
        (folder / "shots").mkdir()
        (folder / "shots" / "00003.json").write_text("{")
    (place.layout.days / "2026-11-21").write_text("a file")
    assert place.log(ROWS).shots == [3]
    index_days(place.layout)
    assert match_days(place.layout, place.settings).problems == []
    assert sorted(wrong(place)) == [
        "2026-11-21",
        "2026-11-31",
        "20261122",
        "22.11.2026",
        "lost+found",
    ]
    assert wrong(place)["20261122"] == [
        "its name is not a day: rename it like 2026-11-22, to match its logs"
    ]


def test_a_foreign_file_beside_the_logs_is_named_and_stops_nobody(place):
    place.log(ROWS)
    (place.kept.parent / "Thumbs.db").write_bytes(b"\0\1\2")
    (place.kept.parent / ".hidden").write_bytes(b"\0\1\2")
    found = place.csv(3, "2026-11-22T09:10:00")
    assert found.shots == [3]
    assert [p for p in found.problems if "Thumbs.db is not matched" in p] == found.problems
    assert "the record of its last match is missing" in wrong(place)[f"{DAY}/Thumbs.db"][0]


def test_a_log_in_the_folder_of_another_day_is_named(place):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    folder = place.layout.days / "2026-11-24"
    folder.mkdir()
    shutil.move(place.kept, folder / NAME)
    assert (
        "it belongs to 2026-11-22: ingest it again, then remove it here"
        in wrong(place)[f"2026-11-24/{NAME}"]
    )


def test_what_a_match_would_do_is_told(place):
    place.dated(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    assert wrong(place) == {}
    before = place.notes(), place.state()
    place.source(3, "2026-11-22T09:10:00.5", "Date.csv", converter="datecsv 1")
    again = "`ishtar rebuild` corrects it"
    (told,) = wrong(place)[f"{DAY}/{NAME}"]
    assert told.startswith(f"{NAME}.h5 of shot 3 follows the shot's clock: placed by")
    assert told.endswith(again)
    place.stored(3).path.unlink()
    assert wrong(place) == {f"{DAY}/{NAME}": [f"shot 3 is missing 1 of its pulses: {again}"]}
    assert (place.notes(), place.state()) == before
    assert not place.files(3)


@pytest.mark.parametrize("name", ["log.json", ".log.txt", "shots"])
def test_names_that_the_folder_of_a_day_needs_for_itself_are_refused(place, name):
    path = place.root / name
    path.write_text("Log of 22.11.2026\n" + "\n".join([HEADER, *ROWS]) + "\n")
    outcome = place.ingest(path)
    assert outcome.status == "quarantined"
    assert outcome.reason == f"a log cannot be kept under the name {name}: rename it"


def test_a_file_in_the_place_of_a_day_s_folder_does_not_stop_a_shot(place, caplog):
    place.log(pulse("09:10:00"), OTHER)
    shutil.rmtree(place.kept.parent)
    place.kept.parent.write_text("no folder")
    outcome = place.shot(3, "09:10:00")
    assert outcome.status == "stored"
    problem = f"{place.kept.parent} is not a folder, so no log finds the shots of that day"
    assert problem in outcome.reason
    assert "the time of shot 3 cannot be noted" in caplog.text
    index_days(place.layout)
    assert wrong(place) == {str(DAY): ["it is not a folder of a day: move it away"]}


def test_trouble_with_the_disk_is_one_line_that_says_what_to_do(place, monkeypatch):
    place.csv(3, "2026-11-22T09:10:00")
    place.log(ROWS)
    place.source(3, "2026-11-22T09:10:00.5", "New.csv", converter="datecsv 1", arrived="2099-01-01")
    replace = os.replace

    def full(source, target):
        if str(target).endswith(".txt.h5"):
            raise OSError(28, "No space left on device", str(target))
        return replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr(os, "replace", full)
        with pytest.raises(
            IngestStopped, match=r"No space left.*free some space, then start again"
        ):
            rematch_shots(place.layout, place.settings, {3: []})
    assert place.times(3)[0] == 0.3
    assert rematch_shots(place.layout, place.settings, {3: []}).shots == [3]
    assert place.times(3)[0] == -0.2


def test_the_index_is_made_once_and_a_shot_without_a_date_has_no_note(place, caplog):
    place.source(3, "2026-11-22T09:10:00")
    place.source(4, None)
    place.source(5, "2026-11-22")
    place.source(6, "2026-11-22T09:10:00+01:00")
    (place.layout.shots / "notes").mkdir()
    (place.layout.shots / "x.txt").write_text("")
    with caplog.at_level(logging.WARNING):
        assert place.log(ROWS).shots == [3]
    assert place.notes() == {str(DAY): ["00003.json"]}
    assert "00006_Data.tdms of shot 6 states '2026-11-22T09:10:00+01:00'" in caplog.text
    assert "shot 5" not in caplog.text
    place.source(7, "2026-11-22T09:30:00")  # as nobody does: it is not looked for again
    place.log([*ROWS, *pulse("09:30:00")])
    assert place.notes() == {str(DAY): ["00003.json"]}


def test_nothing_is_followed_where_there_has_never_been_a_log(place):
    place.source(3, "2026-11-22T09:10:00")
    assert rematch_shots(place.layout, place.settings, {3: []}).shots == []
    assert place.notes() == {}


def test_a_file_that_a_log_of_a_neighbouring_day_has_just_written_is_not_taken_for_its_own(
    place, monkeypatch
):
    """Between the look for a free number and the write another coordinator was faster."""
    place.csv(3, "2026-11-22T09:10:00")
    write, taken = placement._write, []

    def overtaken(path, *args, **kw):
        if not taken:
            taken.append(path)
            path.write_bytes(b"another's")
        write(path, *args, **kw)

    monkeypatch.setattr(placement, "_write", overtaken)
    place.log(ROWS)
    assert taken[0].read_bytes() == b"another's"
    assert place.forward(3, 2) == powers(ROWS)
