"""Parameters of a template: what the typed cell says, and what is refused."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.errors import ParameterError, TemplateError
from runner.templates.fork import fill_in
from runner.templates.parameters import injected_cell, parse_assignments, parse_parameters, resolve

CELL = """\
shot: int = 7  # number of the shot
t_start: float = 0.0  # [s] start of the window, 0 .. 10
gas: Literal["Ar", "He"] = "Ar"  # working gas
smooth: int | None = None  # [samples] 1..99
title: str = "α = 1"  # may hold # signs
channels: list[str] = ["a", "b"]
verbose: bool = False"""


def by_name(cell: str = CELL):
    return {p.name: p for p in parse_parameters(cell)}


def test_a_line_gives_type_default_unit_meaning_and_range():
    p = by_name()["t_start"]
    assert (p.annotation, p.default, p.unit) == ("float", 0.0, "s")
    assert (p.meaning, p.low, p.high) == ("start of the window", 0.0, 10.0)


def test_literal_and_optional_parameters_are_kept():
    found = by_name()
    assert found["gas"].choices == ("Ar", "He")
    assert found["smooth"].problem(None) is None
    assert found["smooth"].low == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("shot", "abc"),
        ("shot", 1.5),
        ("shot", True),
        ("t_start", -0.1),
        ("t_start", 10.5),
        ("t_start", float("nan")),
        ("gas", "Xe"),
        ("smooth", 0),
        ("title", 3),
        ("verbose", 1),
        ("channels", "a"),
    ],
)
def test_a_value_of_the_wrong_type_or_outside_its_range_is_refused(name, value):
    with pytest.raises(ParameterError, match=name):
        resolve(parse_parameters(CELL), {name: value}, "template x")


def test_both_ends_of_a_range_belong_to_it():
    assert resolve(parse_parameters(CELL), {"t_start": 10}, "x")["t_start"] == 10.0
    assert resolve(parse_parameters(CELL), {"t_start": 0.0}, "x")["t_start"] == 0.0


def test_a_misspelt_name_gets_the_nearest_right_one():
    with pytest.raises(ParameterError, match=r"no parameter 't_strat'; did you mean 't_start'"):
        resolve(parse_parameters(CELL), {"t_strat": 1.0}, "template langmuir")


def test_all_problems_are_told_at_once():
    with pytest.raises(ParameterError) as caught:
        resolve(parse_parameters(CELL), {"t_start": 99.0, "gaz": "Ar", "shot": "7"}, "x")
    assert all(word in str(caught.value) for word in ("t_start", "gaz", "shot"))


def test_assignments_of_the_command_line_take_the_declared_types():
    texts = ["t_start=0.5", "gas=He", "smooth=None", "title=5", "verbose=true", "shot=12"]
    values = parse_assignments(parse_parameters(CELL), texts, "x")
    assert values == {
        "t_start": 0.5, "gas": "He", "smooth": None, "title": "5", "verbose": True, "shot": 12
    }  # fmt: skip


@pytest.mark.parametrize("text", ["t_start", "t_start=abc", "shot=1.5", "t_start=__import__('os')"])
def test_an_assignment_that_does_not_fit_is_refused(text):
    with pytest.raises(ParameterError):
        parse_assignments(parse_parameters(CELL), [text], "x")


@pytest.mark.parametrize(
    "cell",
    [
        "shot: int = ",
        "import os\nshot = os.getpid()",
        "for k in range(3): pass",
        "x: Widget = 1",
        "t: float = 20.0  # [s] window, 0 .. 10",
    ],
)
def test_a_cell_that_does_not_just_set_plain_values_is_refused(cell):
    with pytest.raises(TemplateError):
        parse_parameters(cell)


values = st.dictionaries(
    st.sampled_from(["a", "b", "c"]),
    st.none() | st.booleans() | st.integers() | st.text() | st.lists(st.integers(), max_size=3),
)


@given(values)
def test_the_injected_cell_sets_exactly_the_values(given_values):
    scope: dict[str, object] = {}
    exec(injected_cell(given_values), scope)
    assert {k: scope[k] for k in given_values} == given_values


@given(st.floats(0, 10), st.text())
def test_filling_in_keeps_types_comments_and_the_other_defaults(t_start, title):
    filled = by_name(fill_in(CELL, {"t_start": t_start, "title": title}))
    before = by_name()
    assert filled["t_start"].default == t_start
    assert filled["title"].default == title
    assert filled["t_start"].meaning == before["t_start"].meaning
    assert filled["channels"] == before["channels"]


WINDOW = """\
t_start: float | None = None  # [s] start of the window; None: of the record, < t_end, -10 .. 100
t_end: float | None = None  # [s] end of the window
n: int = 3  # smallest, < m
m: int = 5"""


def test_one_parameter_may_have_to_be_below_another():
    p = by_name(WINDOW)["t_start"]
    assert (p.meaning, p.below) == ("start of the window; None: of the record", "t_end")
    assert (p.low, p.high) == (-10.0, 100.0)
    for values in ({}, {"t_start": 3.0}, {"t_end": 2.0}, {"t_start": 2, "t_end": 2.5}, {"n": 4}):
        resolve(parse_parameters(WINDOW), values, "x")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"t_start": 3.0, "t_end": 2.0}, "t_start = 3.0 must be below t_end = 2.0"),
        ({"t_start": 2.0, "t_end": 2.0}, "t_start = 2.0 must be below t_end = 2.0"),
        ({"n": 5}, "n = 5 must be below m = 5"),
        ({"m": 2}, "n = 3 must be below m = 2"),
    ],
)
def test_two_in_the_wrong_order_are_refused_before_anything_starts(given, told):
    with pytest.raises(ParameterError, match=told):
        resolve(parse_parameters(WINDOW), given, "template x")


RANGE = """\
first: int = 1  # of the range, <= last
last: int = 1  # of the range, counted in
shot_a: int = 1  # one, != shot_b, 1 .. 99
shot_b: int = 2  # the other
line: str = "H"  # one line, != other
other: str | None = None  # the other line"""


def test_one_parameter_may_have_to_be_at_most_another_or_different_from_it():
    declared = by_name(RANGE)
    assert (declared["first"].relation, declared["shot_a"].relation) == ("<=", "!=")
    assert declared["shot_a"].meaning == "one"
    for values in ({}, {"last": 3}, {"shot_a": 3}, {"other": "IC"}):
        resolve(parse_parameters(RANGE), values, "x")


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"first": 2}, "first = 2 must be at most last = 1"),
        ({"shot_a": 2}, "shot_a = 2 must be different from shot_b = 2"),
        ({"other": "H"}, "line = 'H' must be different from other = 'H'"),
    ],
)
def test_two_that_do_not_stand_to_each_other_as_they_must_are_refused(given, told):
    with pytest.raises(ParameterError, match=told):
        resolve(parse_parameters(RANGE), given, "template x")


@pytest.mark.parametrize(
    ("cell", "told"),
    [
        ("a: int = 1  # x, < b", "a must be below 'b', which is not a parameter"),
        ("a: int = 2  # x, < b\nb: int = 1", "a = 2 must be below b = 1"),
    ],
)
def test_an_order_that_cannot_hold_is_told_with_the_template(cell, told):
    with pytest.raises(TemplateError, match=told):
        parse_parameters(cell)
