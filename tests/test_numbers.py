"""Selections of shots, as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.errors import IshtarError, NoSuchShot
from ishtar.query.shot_numbers import BadShotSelection, select

KNOWN = [7, 8, 1200, 1234, 1250]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1234", [1234]),
        ("0007", [7]),
        (" 7 ", [7]),
        ("1200..1250", [1200, 1234, 1250]),
        ("7..7", [7]),
        ("0..9", [7, 8]),
        ("latest", [1250]),
        ("latest, 7,1200..1240 ,7", [7, 1200, 1234, 1250]),
    ],
)
def test_a_selection_names_existing_shots_in_order_and_once(text, expected):
    assert select(text, KNOWN) == expected


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("9", "there is no shot 9; nearest are 7, 8, 1200: `ishtar shots` lists all"),
        ("1300..1400", "there is no shot in 1300..1400; nearest are 1200, 1234, 1250"),
        ("7,9", "there is no shot 9"),
    ],
)
def test_shots_that_do_not_exist_are_told_with_the_nearest(text, told):
    with pytest.raises(NoSuchShot) as error:
        select(text, KNOWN)
    assert told in str(error.value)


def test_the_error_carries_number_and_neighbours():
    with pytest.raises(NoSuchShot) as error:
        select("9", KNOWN)
    assert (error.value.name, error.value.nearest) == ("9", ("7", "8", "1200"))


@pytest.mark.parametrize("text", ["latest", "7", "1..9"])
def test_without_any_shot_nothing_can_be_selected(text):
    with pytest.raises(NoSuchShot):
        select(text, [])


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ",", "7,,8", "x", "-7", "7.5", "7...9", "9..", "..9", "9..7", "7-9", "all"),
        *("1e3", "٣", "²", "9" * 5000, "7\n..9", "1 2"),
    ],
)
def test_nonsense_selects_nothing(text):
    with pytest.raises(BadShotSelection, match=r"write|contains no shot"):
        select(text, KNOWN)


@given(st.text("0123456789.,latesx -", max_size=12), st.sets(st.integers(0, 99)).map(sorted))
def test_a_selection_is_part_of_what_exists_or_an_error_of_ours(text, known):
    try:
        chosen = select(text, known)
    except IshtarError:
        return
    assert chosen
    assert set(chosen) <= set(known)
    assert chosen == sorted(set(chosen))
