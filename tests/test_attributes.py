"""Edits of shot attributes: typed, recorded, and never lost."""

from __future__ import annotations

import json
import logging
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from ishtar.attributes.edits import (
    FILE,
    Change,
    current,
    edit,
    edit_many,
    read_edits,
    stated_in,
)
from ishtar.attributes.validation import AttributeEditError, from_text
from ishtar.store import Origin, SourceWriter

WHEN = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def make_shot(root: Path, shot: int, **by_converter: dict[str, Any]) -> Path:
    """Write a shot's folder with a source file for each converter."""
    folder = root / f"{shot:05d}"
    for converter, attributes in by_converter.items():
        origin = Origin(
            shot=shot,
            source=f"{shot:05d}_{converter}",
            size=1,
            sha256="0" * 64,
            converter=f"{converter} 1",
            writer="LabVIEW",
            arrived="2026-11-22T10:00:00+01:00",
        )
        folder.mkdir(parents=True, exist_ok=True)
        with SourceWriter(folder / f"{shot:05d}_{converter}.h5", origin) as w:
            w.attributes.update(attributes)
    return folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A shot of two sources that disagree on the date."""
    return make_shot(
        tmp_path,
        7,
        datecsv={"date": "2026-11-22T10:00:00"},
        tdms={"date": "2026-11-22T10:00:09", "gas": "Ar", "comment": None, "pressure_setpoint": 2},
    )


def now(folder: Path) -> dict[str, Any]:
    """Return what holds now."""
    return current(stated_in(folder), read_edits(folder))


def test_an_edit_says_who_when_why_before_and_after(folder: Path) -> None:
    """The record is one line, and what the sources said stays beneath it."""
    done = edit(
        folder, {"gas": "He", "useful": True}, who=" Ada ", why="read off the bottle", when=WHEN
    )
    assert done is not None
    assert (done.who, done.why) == ("Ada", "read off the bottle")
    assert datetime.fromisoformat(done.when) == WHEN
    assert done.changes == {
        "gas": Change(before="Ar", after="He"),
        "useful": Change(before=None, after=True),
    }
    assert read_edits(folder).edits == (done,)
    assert stated_in(folder)["gas"] == "Ar"
    assert now(folder)["gas"] == "He"
    assert now(folder)["date"] == "2026-11-22T10:00:00"
    assert "gas: 'Ar' → 'He'" in str(done)
    (line,) = (folder / FILE).read_text("utf-8").splitlines()
    assert json.loads(line)["changes"]["gas"] == {"before": "Ar", "after": "He"}


def test_edits_add_up_and_none_takes_a_value_away(folder: Path) -> None:
    """Before is what held when the edit was made."""
    edit(folder, {"comment": "läuft\nnicht"}, who="a")
    second = edit(folder, {"comment": None, "gas": "He"}, who="b")
    assert second is not None
    assert second.changes["comment"] == Change(before="läuft\nnicht", after=None)
    assert "comment" not in now(folder)
    assert [e.who for e in read_edits(folder)] == ["a", "b"]
    assert len((folder / FILE).read_text("utf-8").splitlines()) == 2


def test_what_holds_already_is_not_recorded(folder: Path) -> None:
    """Saying it again changes nothing."""
    assert edit(folder, {"gas": "Ar"}, who="a") is None
    assert not (folder / FILE).exists()
    assert edit(folder, {"gas": "He", "pressure_setpoint": 2}, who="a") is not None
    assert edit(folder, {"gas": "He"}, who="a") is None
    assert len(read_edits(folder)) == 1


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"gaz": "He"}, "did you mean 'gas'"),
        ({"mood": "good"}, "new=True adds"),
        ({"useful": "yes"}, "True or False"),
        ({"useful": 1}, "True or False"),
        ({"date": "yesterday"}, "a local date and time"),
        ({"date": "2026-11-22"}, "a local date and time"),
        ({"gas": 3}, "give text"),
        ({"gas": "Ar\nHe"}, "one line of text"),
        ({"comment": "\ud800"}, "give text"),
        ({"pressure_setpoint": float("nan")}, "a finite number"),
        ({"pressure_setpoint": [1]}, "a finite number"),
        ({" ": 1}, "not a valid attribute name"),
        ({"shot": 8}, "no attribute 'shot'"),
        ({}, "nothing to change"),
    ],
)
def test_what_does_not_fit_is_refused(folder: Path, changes: dict[str, Any], says: str) -> None:
    """Nothing is written, and the error says what to write instead."""
    with pytest.raises(AttributeEditError, match=says):
        edit(folder, {**changes}, who="a")
    assert not (folder / FILE).exists()


def test_an_editor_and_a_shot_there_must_be(folder: Path) -> None:
    """Nobody edits, and nothing is edited, in silence."""
    with pytest.raises(AttributeEditError, match="who="):
        edit(folder, {"gas": "He"}, who=" ")
    with pytest.raises(AttributeEditError, match="ingest its files"):
        edit(folder.parent / "00008", {"gas": "He"}, who="a")
    with pytest.raises(AttributeEditError, match="number of a shot cannot be edited"):
        edit(folder, {"shot": 8}, who="a", new=True)


def test_new_names_are_let_in_when_asked_for(folder: Path) -> None:
    """Afterwards the shot has them, so they are no longer new."""
    edit(folder, {"arcs": 3}, who="a", new=True)
    edit(folder, {"arcs": 4, "pressure_setpoint": 2.5}, who="a")
    assert now(folder)["arcs"] == 4
    assert now(folder)["pressure_setpoint"] == 2.5


def test_a_date_is_kept_as_iso_text(folder: Path) -> None:
    """As text or as a datetime."""
    edit(folder, {"date": datetime(2026, 11, 22, 11, 30)}, who="a")
    assert now(folder)["date"] == "2026-11-22T11:30:00"
    edit(folder, {"date": "2026-11-22 12:30"}, who="a")
    assert now(folder)["date"] == "2026-11-22T12:30:00"


@pytest.mark.parametrize(
    "tail", [b'{"when": "2026', b"\xff\xfe", b"[]", b'{"changes": {"gas": 1}}']
)
def test_a_torn_line_is_told_and_the_next_edit_is_whole(
    folder: Path, tail: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    """What a crash left behind costs that edit alone."""
    edit(folder, {"gas": "He"}, who="a")
    with (folder / FILE).open("ab") as f:
        f.write(tail)
    with caplog.at_level(logging.WARNING):
        history = read_edits(folder)
    assert len(history) == 1
    assert len(history.problems) == 1
    assert "line 2 is incomplete" in history.problems[0] in caplog.text
    edit(folder, {"gas": "Ne"}, who="b")
    history = read_edits(folder)
    assert [e.changes["gas"].after for e in history] == ["He", "Ne"]
    assert history.edits[1].changes["gas"].before == "He"
    assert "line 2 is not an edit" in history.problems[0]


def test_writers_at_once_lose_nothing(folder: Path) -> None:
    """Every edit is there, and each one's before is the after of the one in front of it."""

    def write(k: int) -> None:
        edit(folder, {"comment": f"{k} " + "x" * 3000}, who=f"w{k}")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(48)))
    history = read_edits(folder)
    assert not history.problems
    assert sorted(e.who for e in history) == sorted(f"w{k}" for k in range(48))
    changes = [e.changes["comment"] for e in history]
    assert [c.before for c in changes] == [None, *(c.after for c in changes[:-1])]


def test_many_shots_are_checked_before_one_is_changed(tmp_path: Path) -> None:
    """A mistake changes nothing; else each shot that differed has its own record."""
    folders = [make_shot(tmp_path, n, tdms={"gas": "Ar" if n else "He"}) for n in range(3)]
    with pytest.raises(AttributeEditError, match="did you mean 'program'"):
        edit_many(folders, {"gas": "He", "programm": "x"}, who="a")
    with pytest.raises(AttributeEditError, match="nothing was changed"):
        edit_many([*folders, tmp_path / "00009"], {"gas": "He"}, who="a")
    assert [len(read_edits(f)) for f in folders] == [0, 0, 0]
    done = edit_many(folders, {"gas": "He"}, who="a", why="bottle", when=WHEN)
    assert [d is not None for d in done.values()] == [False, True, True]
    assert [now(f)["gas"] for f in folders] == ["He"] * 3


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("useful", "No", False),
        ("useful", "true", True),
        ("gas", "2", "2"),
        ("arcs", "2", 2.0),
        ("arcs", "nan", "nan"),
        ("arcs", "many", "many"),
        ("gas", "", None),
    ],
)
def test_typed_text_becomes_a_value(name: str, text: str, value: Any) -> None:
    """As the command line needs it."""
    assert from_text(name, text) == value


def test_yes_or_no_is_nothing_else() -> None:
    """A word that is neither is refused."""
    with pytest.raises(AttributeEditError, match="yes or no"):
        from_text("useful", "perhaps")
