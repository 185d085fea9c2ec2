"""A testbed: its shots by number, day and range, and their results as a table."""

from __future__ import annotations

import dataclasses
import math
import sqlite3

import numpy as np
import pytest

import ishtar
from ishtar.attributes.edits import edit
from ishtar.catalogue import Catalogue, ReportRow
from ishtar.errors import NoSuchShot, NotFoundError, UnitError, WorkspaceError
from ishtar.lineage.record import recording
from ishtar.opening import open_testbed
from ishtar.query.query_tree import QueryError
from ishtar.shots.testbed import Testbed, stored_shots
from ishtar.store import Channel, SourceFile
from tests.library_fakes import FIRST, LAMED, MOVED
from tests.test_catalogue import REPORT

SHOTS = [FIRST, MOVED, LAMED]


def glued(shot: int, template: str = "langmuir", **scraps: object) -> tuple[ReportRow, list]:
    folder = f"{shot:05d}/{template}/x"
    row = dataclasses.replace(REPORT, folder=folder, subject=f"{shot:05d}", template=template)
    return row, [(name, *value) for name, value in scraps.items()]  # type: ignore[misc]


@pytest.fixture
def tb(workspace) -> Testbed:
    found = Testbed(workspace)
    with Catalogue(workspace.catalogue, write=True) as catalogue:
        for number in SHOTS:
            catalogue.put_shot(number, found[number].attributes.plain(), [])
        for row, scraps in (
            glued(FIRST, Te=(4.0, 0.2, "eV"), pos=(2.0, 0.5, "cm"), mode=("H", None, "")),
            glued(MOVED, Te=(5.0, None, "eV"), pos=(0.03, 0.01, "m"), failed=(None, None, "eV")),
            glued(MOVED, "overview", Te=(9.0, 0.1, "eV"), n=(3, None, "")),
        ):
            catalogue.put_report(row, [], scraps)
    return found


# Shots


def test_shots_are_found_by_number(tb):
    assert repr(tb[FIRST]).startswith(f"<Shot {FIRST}: ")
    assert tb[np.int64(FIRST)].number == FIRST
    assert [n in tb for n in (FIRST, np.int64(MOVED), 5, "1249", 1249.0, -1)] == [
        True,
        True,
        False,
        False,
        False,
        False,
    ]
    assert stored_shots(tb.workspace) == tb.numbers() == SHOTS
    assert [s.number for s in tb.shots()] == SHOTS
    assert (len(tb.shots()), repr(tb.shots())) == (3, f"<Shots: 3, {FIRST} … {LAMED}>")


@pytest.mark.parametrize("number", [5, 1252, -1, 10**7])
def test_a_shot_that_does_not_exist_names_the_nearest(tb, number):
    with pytest.raises(NoSuchShot) as error:
        tb[number]
    assert str(error.value) == (
        f"there is no shot {number}; nearest are 1249, 1250, 1251: `ishtar shots` lists all"
    )
    assert isinstance(error.value, KeyError)


@pytest.mark.parametrize("number", ["1249", 1249.0, None])
def test_what_is_no_whole_number_is_no_shot(tb, number):
    with pytest.raises(TypeError):
        tb[number]


def test_folders_that_are_no_shots_are_passed_over(workspace):
    for name in ("²", "7", "007", "notes", ".tmp-1", "12345"):
        (workspace.shots / name).mkdir()
    for name in ("7", "007"):
        (workspace.shots / name / "a.h5").touch()
    assert stored_shots(workspace) == SHOTS


def test_days_and_ranges_hold_their_shots(tb):
    assert tb.days() == ["2026-11-22"]
    assert tb.day("2026-11-22").numbers == SHOTS
    assert tb.range(MOVED, 2000).numbers == [MOVED, LAMED]
    assert tb.range(1, 2).numbers == []
    assert repr(tb.range(1, 2)) == "<Shots: none>"
    with pytest.raises(NoSuchShot, match=r"no shots on '2026-11-2'; did you mean '2026-11-22'"):
        tb.day("2026-11-2")
    with pytest.raises(NoSuchShot, match=r"testbed\.days\(\) lists the days with shots"):
        tb.day("x")


def test_a_list_of_shots_is_recorded_as_read(tb):
    with recording() as recorder:
        tb.shots()
        tb.range(FIRST, MOVED)
        tb.day("2026-11-22")
    assert [(i.name, i.subject, i.version) for i in recorder.inputs] == [
        ("shots", "", "3 shots"),
        ("shots", "01249..01250", "2 shots"),
        ("shots", "2026-11-22", "3 shots"),
    ]


# Tables


def test_a_table_holds_scraps_sigmas_and_attributes_of_each_shot(tb):
    table = tb.shots().table(["langmuir.Te", "langmuir.Te.sigma", "mode", "n", "gas", "date"])
    assert table.index.tolist() == SHOTS
    assert table.index.name == "shot"
    np.testing.assert_array_equal(table["langmuir.Te"], [4.0, 5.0, math.nan])
    np.testing.assert_array_equal(table["langmuir.Te.sigma"], [0.2, math.nan, math.nan])
    assert table["mode"].tolist()[0] == "H"
    assert table["mode"].isna().tolist() == [False, True, True]
    np.testing.assert_array_equal(table["n"], [math.nan, 3, math.nan])
    assert table["gas"].tolist() == ["Ar"] * 3
    assert table["date"].tolist()[0] == "2026-11-22T10:49:00"
    assert table.attrs["units"] == {
        "langmuir.Te": "eV",
        "langmuir.Te.sigma": "eV",
        "mode": "",
        "n": "",
    }


def test_a_column_has_one_unit(tb, workspace):
    table = tb.shots().table(["pos", "pos.sigma"])
    np.testing.assert_allclose(table["pos"], [2.0, 3.0, math.nan])
    np.testing.assert_allclose(table["pos.sigma"], [0.5, 1.0, math.nan])
    assert table.attrs["units"] == {"pos": "cm", "pos.sigma": "cm"}
    with Catalogue(workspace.catalogue, write=True) as catalogue:
        catalogue.put_report(*_with(glued(LAMED, pos=(1.0, None, "V"))))
    with pytest.raises(UnitError, match="'V' does not fit 'cm'"):
        tb.shots().table(["pos"])


def _with(pair: tuple[ReportRow, list]) -> tuple[ReportRow, list, list]:
    return pair[0], [], pair[1]


def test_a_name_that_nobody_glues_is_a_column_of_numbers_that_are_none(tb):
    table = tb.shots().table(["nothing", "other.Te", "failed"])
    assert table.isna().all(axis=None)
    assert table["nothing"].dtype == float
    assert tb.range(1, 2).table(["Te", "gas"]).shape == (0, 2)


def test_a_name_that_two_templates_glue_must_say_which(tb):
    with recording() as recorder, pytest.raises(NotFoundError) as error:
        tb.shots().table(["Te"])
    assert str(error.value) == (
        "'Te' is glued by several templates: ask for langmuir.Te or overview.Te"
    )
    assert not [i for i in recorder.inputs if i.kind == "scraps"]


def test_a_table_opens_no_shot_file(tb, monkeypatch):
    def refuse(*args: object) -> None:
        raise AssertionError("a shot file was opened")

    monkeypatch.setattr(SourceFile, "__init__", refuse)
    monkeypatch.setattr(Channel, "raw", refuse)
    assert len(tb.shots().table(["langmuir.Te", "gas"])) == 3


def test_a_table_records_the_cells_that_were_read(tb):
    with recording() as recorder:
        tb.range(FIRST, MOVED).table(["langmuir.Te", "gas"])
    cells = [(i.kind, i.name, i.subject) for i in recorder.inputs if i.kind != "shots"]
    assert cells == [
        ("scraps", "langmuir.Te", "01249"),
        ("scraps", "langmuir.Te", "01250"),
        ("attribute", "gas", "01249"),
        ("attribute", "gas", "01250"),
    ]


def test_the_scraps_of_a_shot_are_those_of_its_current_reports(tb):
    assert [(s.template, s.name, s.value, s.unit) for s in tb.scraps(MOVED)] == [
        ("langmuir", "Te", 5.0, "eV"),
        ("langmuir", "failed", None, "eV"),
        ("langmuir", "pos", 0.03, "m"),
        ("overview", "Te", 9.0, "eV"),
        ("overview", "n", 3, ""),
    ]
    assert tb.scraps(LAMED) == []


def test_a_table_tells_the_columns_that_no_shot_has(tb):
    table = tb.shots().table(["langmuir.Te", "langmuir.Te.sigma", "gas", "Tee", "gaz"])
    assert table.attrs["unknown"] == ["Tee", "gaz"]


# Queries


def test_a_query_finds_shots_by_attributes_scraps_and_number(tb):
    assert tb.shots("langmuir.Te > 4.5").numbers == [MOVED]
    assert tb.shots("gas == 'Ar' and langmuir.Te <= 4").numbers == [FIRST]
    assert tb.shots(f"shot >= {MOVED}").numbers == [MOVED, LAMED]
    assert tb.shots("missing(langmuir.Te)").numbers == [LAMED]
    assert tb.shots("gas == 'Xe'").numbers == []


def test_a_query_with_a_typo_points_at_it(tb):
    with pytest.raises(QueryError, match=r"»gaz« == 'Ar'.*did you mean 'gas'"):
        tb.shots("gaz == 'Ar'")


def test_a_query_records_the_shots_that_it_found(tb):
    with recording() as recorder:
        tb.shots("langmuir.Te > 4.5")
    (item,) = recorder.inputs
    assert (item.kind, item.subject, item.version) == (
        "shots",
        "where langmuir.Te > 4.5",
        "1 shots",
    )


def test_a_query_follows_the_current_report(tb, workspace):
    with Catalogue(workspace.catalogue, write=True) as catalogue:
        row, scraps = glued(FIRST, Te=(9.0, 0.2, "eV"))
        newer = dataclasses.replace(row, folder=f"{row.folder}2", started="2027-01-01T00:00:00Z")
        catalogue.put_report(newer, [], scraps)
        assert tb.shots("langmuir.Te > 4.5").numbers == [FIRST, MOVED]
        catalogue.put_shot(FIRST, {"gas": "He"}, [])
    assert tb.shots("gas == 'He'").numbers == [FIRST]


def test_a_catalogue_of_the_first_version_learns_to_answer_queries(tb, workspace):
    db = sqlite3.connect(workspace.catalogue)
    db.executescript(
        "DROP TABLE names; DROP TABLE known; DELETE FROM migrations WHERE name LIKE '002%'"
    )
    db.close()
    Catalogue(workspace.catalogue, write=True).close()
    assert tb.shots("langmuir.Te > 4.5 and gas == 'Ar'").numbers == [MOVED]


def test_map_gives_an_error_for_each_shot_that_fails(tb):
    def work(shot):
        if shot.number == MOVED:
            raise ValueError("no probe")
        return 2 * shot.number

    done = tb.shots().map(work)
    assert dict(done) == done.values == {FIRST: 2 * FIRST, LAMED: 2 * LAMED}
    assert done[FIRST] == 2 * FIRST
    with pytest.raises(ValueError, match="no probe"):
        done[MOVED]
    assert repr(done) == f"<2 shots done, 1 failed>\n  {MOVED}: ValueError: no probe"


def test_a_corrected_attribute_is_the_one_that_holds(tb, workspace):
    edit(workspace.shot_folder(FIRST), {"gas": "He"}, who="Ada", why="wrong bottle")
    assert tb[FIRST].attributes["gas"] == "He"
    (done,) = tb[FIRST].edits
    assert (done.who, done.changes["gas"].before) == ("Ada", "Ar")


# Opening


def test_it_opens_by_path_or_from_where_one_is(workspace, monkeypatch):
    monkeypatch.delenv("ISHTAR_WORKSPACE", raising=False)
    assert ishtar.open(workspace.root).workspace == workspace
    monkeypatch.chdir(workspace.calibrations)
    assert open_testbed().workspace == workspace
    assert repr(ishtar.open()) == f"<Testbed {workspace.root}>"
    with pytest.raises(WorkspaceError, match="ishtar init"):
        ishtar.open(workspace.calibrations)


def test_without_a_catalogue_shots_can_be_read_and_lists_say_what_to_do(workspace):
    tb = Testbed(workspace)
    assert tb[FIRST]["Probe_U"].shape
    with pytest.raises(WorkspaceError, match="`ishtar rebuild` recreates it"):
        tb.shots()
