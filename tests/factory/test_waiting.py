"""Jobs that wait: the urgent first, each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.plan import Planned
from runner.receipts import Subject
from runner.waiting import Priority, Waiting


def planned(shot: int, template: str = "overview") -> Planned:
    return Planned(subject=Subject.shot(shot), template=template, reasons=("missing",))


def drained(waiting: Waiting) -> list[tuple[int, Priority]]:
    found = []
    while (taken := waiting.take()) is not None:
        found.append((taken[0].subject.number, taken[1]))
    return found


def test_a_live_shot_passes_what_waits_already():
    waiting = Waiting()
    for shot in (1, 2, 3):
        waiting.put(planned(shot), Priority.BACKFILL)
    waiting.put(planned(9), Priority.LIVE)
    waiting.put(planned(7), Priority.PERSON)
    assert waiting.counts() == {"live": 1, "person": 1, "backfill": 3}
    assert [shot for shot, _ in drained(waiting)] == [9, 7, 1, 2, 3]
    assert len(waiting) == 0


def test_a_report_waits_once_and_moves_up_only():
    waiting = Waiting()
    waiting.put(planned(1), Priority.PERSON)
    waiting.put(planned(1), Priority.BACKFILL)
    assert (Subject.shot(1), "overview") in waiting
    waiting.put(planned(2), Priority.PERSON)
    waiting.put(planned(2), Priority.LIVE)
    assert drained(waiting) == [(2, Priority.LIVE), (1, Priority.PERSON)]


def test_what_is_withdrawn_is_not_handed_out():
    waiting = Waiting()
    waiting.put(planned(1), Priority.LIVE)
    waiting.put(planned(2), Priority.LIVE)
    waiting.drop(Subject.shot(1), "overview")
    assert drained(waiting) == [(2, Priority.LIVE)]
    assert waiting.take() is None


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(Priority))))
def test_every_report_is_taken_once_at_the_highest_priority_that_was_asked(asked):
    waiting = Waiting()
    for shot, priority in asked:
        waiting.put(planned(shot), priority)
    found = drained(waiting)
    assert found == sorted(found, key=lambda item: item[1])
    assert dict(found) == {s: min(p for shot, p in asked if shot == s) for s, _ in asked}
    assert len(found) == len(dict(found))
