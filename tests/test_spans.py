"""Spans of shots: half-open, never two at once."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ishtar.calibration.spans import Span, overlapping, valid_at

SHOTS = range(0, 40)


@dataclass(frozen=True)
class Item:
    span: Span
    name: str = ""


spans = st.builds(
    lambda first, length: Span(first, None if length is None else first + length),
    st.integers(0, 30),
    st.none() | st.integers(1, 8),
)


def test_a_span_holds_its_first_shot_and_not_the_one_that_ends_it():
    span = Span(1180, 1250)
    assert [n in span for n in (1179, 1180, 1249, 1250)] == [False, True, True, False]
    assert 10**6 in Span(1180)
    assert (str(span), str(Span(1180))) == ("1180…1249", "1180…")


@pytest.mark.parametrize("until", [1180, 1179, 0])
def test_a_span_that_holds_no_shot_is_none(until):
    with pytest.raises(ValueError, match="contains no shot: until must be larger"):
        Span(1180, until)


@given(spans, spans)
def test_spans_overlap_when_some_shot_lies_in_both(a, b):
    assert a.overlaps(b) == b.overlaps(a) == any(n in a and n in b for n in SHOTS)


@given(st.lists(spans, max_size=8))
def test_every_item_that_begins_inside_another_is_told(found):
    items = [Item(span, str(k)) for k, span in enumerate(found)]
    told = list(overlapping(items))
    ordered = sorted(items, key=lambda item: item.span.first)
    crowded = {
        later.name
        for k, later in enumerate(ordered)
        if any(later.span.overlaps(earlier.span) for earlier in ordered[:k])
    }
    assert [later.name for _, later in told] == [i.name for i in ordered if i.name in crowded]
    assert all(earlier.span.overlaps(later.span) for earlier, later in told)


@given(st.lists(spans, max_size=8), st.sampled_from(SHOTS))
def test_without_overlap_at_most_one_item_is_valid(found, shot):
    items = [Item(span) for span in found]
    if not list(overlapping(items)):
        valid = [item for item in items if shot in item.span]
        assert valid == ([] if valid_at(items, shot) is None else [valid_at(items, shot)])
