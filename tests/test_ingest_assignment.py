"""Which pulse belongs to which shot, by clocks and rows alone."""

from __future__ import annotations

import datetime as dt
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runner.ingest.days.assignment import assign, inside_rows, outside_rows
from runner.ingest.raw_files.source_hash import sha256_of_prefixes
from tests.generator_fakes import some_pulse


def at(text: str) -> dt.datetime:
    return dt.datetime.fromisoformat(f"2026-11-22T{text}")


def to_whom(start: str, times: dict[int, str], *, offset_s: float = 0.0) -> list[int]:
    """Return the shots that a pulse of 2 s fits, with a tolerance of 10 s."""
    triggers = {shot: at(text) for shot, text in times.items()}
    found = assign([some_pulse(start)], triggers, offset_s=offset_s, tolerance_s=10.0)
    assert len(found.given) + len(found.unmatched) + len(found.ambiguous) == 1
    if found.ambiguous:
        return found.ambiguous[0][1]
    return list(found.given)


@pytest.mark.parametrize(
    ("start", "fits"),
    [
        ("09:09:47.999", False),  # its end lies 10.001 s before the trigger
        ("09:09:48.000", True),
        ("09:10:00.000", True),
        ("09:10:10.000", True),
        ("09:10:10.001", False),
    ],
)
def test_some_of_a_pulse_must_lie_within_the_tolerance_of_the_trigger(start, fits):
    assert to_whom(start, {3: "09:10:00"}) == ([3] if fits else [])


def test_a_pulse_that_begins_before_the_tolerance_and_ends_after_it_fits():
    found = assign([some_pulse("09:00:00", 1200.0)], {3: at("09:10:00")}, offset_s=0, tolerance_s=0)
    assert list(found.given) == [3]


@pytest.mark.parametrize(
    ("offset_s", "shot"), [(0.0, 3), (60.0, 4), (-60.0, 2), (49.0, 4), (-50.0, 2), (30.0, None)]
)
def test_shot_time_is_generator_time_plus_the_offset(offset_s, shot):
    times = {2: "09:09:00", 3: "09:10:00", 4: "09:11:00"}
    assert to_whom("09:10:00", times, offset_s=offset_s) == ([shot] if shot else [])


def test_a_pulse_that_fits_several_belongs_to_nobody_and_names_them_in_order():
    times = {7: at("09:10:12"), 3: at("09:10:00"), 5: at("09:30:00")}
    found = assign([some_pulse("09:10:05")], times, offset_s=0.0, tolerance_s=10.0)
    assert (found.given, found.unmatched) == ({}, [])
    assert [shots for _, shots in found.ambiguous] == [[3, 7]]


def test_each_pulse_goes_its_own_way():
    log = [
        some_pulse(t, first_row=10 * k)
        for k, t in enumerate(("09:00:00", "09:10:05", "09:10:30", "09:20:00", "09:20:05"))
    ]
    times = {3: at("09:10:00"), 4: at("09:10:12"), 5: at("09:20:00")}
    found = assign(log, times, offset_s=0.0, tolerance_s=10.0)
    assert {s: [p.first_row for p in pulses] for s, pulses in found.given.items()} == {5: [30, 40]}
    assert [p.first_row for p in found.unmatched] == [0, 20]
    assert [p.first_row for p, _ in found.ambiguous] == [10]


rows_taken = st.lists(
    st.tuples(st.integers(0, 40), st.integers(1, 12)).map(lambda r: (r[0], r[0] + r[1])), max_size=5
)


@given(first=st.integers(0, 30), n=st.integers(1, 15), excluded=rows_taken)
def test_what_is_taken_and_what_is_left_are_the_pulse_once_each(first, n, excluded):
    pulse = some_pulse("09:00:00", first_row=first, n=n)
    every = {row for i, j in excluded for row in range(i, j)}
    whole = set(range(first, first + n))

    left = list(outside_rows([pulse], excluded))
    assert [r for p in left for r in range(*p.rows)] == sorted(whole - every)
    for part in left:
        assert part.values["ForwardPower"].tolist() == list(range(*part.rows))
        assert (part.time == pulse.part(*part.rows).time).all()

    inside = list(inside_rows([pulse], excluded))
    assert {r for p in inside for r in range(*p.rows)} == whole & every
    assert all(p.rows[0] < p.rows[1] for p in (*left, *inside))
    parts = [(max(first, i), min(first + n, j)) for i, j in sorted(excluded)]
    assert [p.rows for p in inside] == [(i, j) for i, j in parts if i < j]


def test_the_parts_of_several_pulses_come_in_the_order_of_the_log():
    log = [some_pulse("09:00:00", first_row=0), some_pulse("09:01:00", first_row=10)]
    assert [p.rows for p in inside_rows(log, [(11, 40), (1, 2)])] == [(1, 2), (11, 13)]
    assert [p.rows for p in outside_rows(log, [(11, 40), (1, 2)])] == [(0, 1), (2, 3), (10, 11)]


def test_the_beginnings_of_a_file_are_hashed_in_one_go(tmp_path):
    path = tmp_path / "log"
    content = bytes(range(256)) * 20_000  # more than a block
    path.write_bytes(content)
    sizes = [len(content), 0, 7, 4 << 20, 7, (4 << 20) + 1]
    expected = {size: sha256(content[:size]).hexdigest() for size in sizes}
    assert sha256_of_prefixes(path, [*sizes, len(content) + 1]) == expected
