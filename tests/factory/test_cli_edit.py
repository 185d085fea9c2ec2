"""Finding shots by a query and correcting their attributes, from the command line."""

from __future__ import annotations

import json

import pytest

from ishtar.attributes import edits as attributes
from ishtar.inputs.kinds import reason
from ishtar.lineage.record import recording
from ishtar.shots.testbed import Testbed
from runner.staleness.current_state import CurrentState

pytestmark = pytest.mark.whole


@pytest.fixture(autouse=True)
def second_shot(factory):
    """Give the workspace a second shot."""
    factory.shot(2)


def numbers(out):
    return [row["shot"] for row in json.loads(out)]


def test_an_edit_is_found_by_queries_and_leaves_the_sources_alone(call, factory):
    code, out, _ = call(
        "edit", 2, "gas=He", "useful=no", "--who", "Ada", "--why", "bottle", "--json"
    )
    assert code == 0
    assert json.loads(out) == [
        {"shot": 2, "attribute": "gas", "before": "Ar", "after": "He"},
        {"shot": 2, "attribute": "useful", "before": None, "after": False},
    ]
    assert numbers(call("shots", "gas == 'He' and not useful", "--json")[1]) == [2]
    (row, _) = json.loads(call("edit", 2, "--json")[1])
    assert (row["who"], row["why"], row["before"], row["after"]) == ("Ada", "bottle", "Ar", "He")
    assert Testbed(factory.workspace)[2].sources[0].attributes["gas"] == "Ar"


def test_every_edit_from_python_is_seen_by_the_next_look_at_the_folders(factory, coordinator):
    factory.shot(2)
    coordinator.sync_shots()
    folder = factory.workspace.shot_folder(2)
    for gas in ("He", "Kr"):  # the second adds to a file that is there
        attributes.edit(folder, {"gas": gas}, who="Ada")
        assert coordinator.sync_shots() == [2]
        assert Testbed(factory.workspace).shots(f"gas == '{gas}'").numbers == [2]
    assert coordinator.sync_shots() == []


def test_edits_outlive_the_catalogue(call, factory):
    call("edit", 2, "gas=He")
    factory.workspace.catalogue.unlink()
    assert call("rebuild")[0] == 0
    assert numbers(call("shots", "gas == 'He'", "--json")[1]) == [2]


def test_many_shots_are_edited_by_a_query_or_none(call):
    assert call("edit", "gas == 'Ar'", "program=scan", "--dry-run")[1].count("scan") == 2
    assert numbers(call("shots", "missing(date)", "--json")[1]) == []
    code, _, err = call("edit", "1..2", "gaz=He")
    assert (code, err.strip()) == (
        2,
        "ishtar edit: no attribute 'gaz'; did you mean 'gas'?; --new adds a new one",
    )
    assert "corrected" in call("edit", "1..2")[1]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["shots", "gaz == 'Ar'"], "»gaz«"),
        (["shots", "gas == 'Ar' & useful"], "write and"),
        (["shots", "-c", "gass"], "did you mean 'gas'"),
        (["edit", "1", "useful=maybe"], "yes or no"),
        (["edit", "1", "useful"], "write gas=He"),
        (["edit", "gas=He", "useful=no"], "SHOTS stands before gas=He"),
        (["edit", "9", "gas=He"], "nearest are 1, 2"),
    ],
)
def test_a_mistake_gets_one_line_that_points_at_it(call, arguments, words):
    code, out, err = call(*arguments)
    assert (code, out) == (2, "")
    assert len(err.strip().splitlines()) == 1
    assert words in err


def test_shots_takes_what_the_filter_of_the_site_takes(call):
    texts = ("gas = ar; comment = none", "shot != 1", "gas = Ar and shot > 1", "2", "latest")
    for text in texts:
        assert 2 in [row["shot"] for row in json.loads(call("shots", text, "--json")[1])], text


def test_shots_shows_the_columns_that_are_asked_for(call):
    rows = json.loads(call("shots", "shot == 2", "-c", "gas,day", "--json")[1])
    assert rows == [{"shot": 2, "gas": "Ar", "day": "2026-11-22"}]


def test_a_report_of_a_query_is_stale_when_other_shots_match(call, factory, coordinator):
    coordinator.sync_shots()
    tb = Testbed(factory.workspace)
    with recording() as recorder:
        tb.shots("gas == 'Ar'")
    (then,) = recorder.inputs
    assert CurrentState(tb, coordinator.catalogue).now(then) == then
    call("edit", 2, "gas=He")
    now = CurrentState(tb, coordinator.catalogue).now(then)
    assert reason(then, now) == "stale: shots where gas == 'Ar' (2 shots → 1 shots)"
