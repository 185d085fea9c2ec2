"""Jobs that wait: the urgent first, each once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from runner.receipts import Subject
from runner.scheduling.priority_queue import Priority, PriorityQueue
from runner.staleness.plan import Planned


def planned(shot: int, template: str = "overview") -> Planned:
    return Planned(subject=Subject.shot(shot), template=template, reasons=("missing",))


def drained(waiting: PriorityQueue) -> list[tuple[int, Priority]]:
    found = []
    while (taken := waiting.take()) is not None:
        found.append((taken[0].subject.number, taken[1]))
    return found


def test_a_live_shot_passes_what_waits_already():
    waiting = PriorityQueue()
    for shot in (1, 2, 3):
        waiting.put(planned(shot), Priority.BACKFILL)
    waiting.put(planned(9), Priority.LIVE)
    waiting.put(planned(7), Priority.PERSON)
    assert waiting.counts() == {"live": 1, "person": 1, "backfill": 3}
    assert [shot for shot, _ in drained(waiting)] == [9, 7, 1, 2, 3]
    assert len(waiting) == 0


def test_a_report_waits_once_and_moves_up_only():
    waiting = PriorityQueue()
    waiting.put(planned(1), Priority.PERSON)
    waiting.put(planned(1), Priority.BACKFILL)
    assert (Subject.shot(1), "overview") in waiting
    waiting.put(planned(2), Priority.PERSON)
    waiting.put(planned(2), Priority.LIVE)
    assert drained(waiting) == [(2, Priority.LIVE), (1, Priority.PERSON)]


def test_what_is_withdrawn_is_not_handed_out():
    waiting = PriorityQueue()
    waiting.put(planned(1), Priority.LIVE)
    waiting.put(planned(2), Priority.LIVE)
    waiting.remove(Subject.shot(1), "overview")
    assert drained(waiting) == [(2, Priority.LIVE)]
    assert waiting.take() is None


@given(st.lists(st.tuples(st.integers(1, 5), st.sampled_from(Priority))))
def test_every_report_is_taken_once_at_the_highest_priority_that_was_asked(asked):
    waiting = PriorityQueue()
    for shot, priority in asked:
        waiting.put(planned(shot), priority)
    found = drained(waiting)
    assert found == sorted(found, key=lambda item: item[1])
    assert dict(found) == {s: min(p for shot, p in asked if shot == s) for s, _ in asked}
    assert len(found) == len(dict(found))


def line(waiting: PriorityQueue) -> list[tuple[int, str]]:
    found = []
    while (taken := waiting.take()) is not None:
        found.append((taken[0].subject.number, taken[0].template))
    return found


def test_reports_go_shot_by_shot_and_by_rank_within_a_shot():
    waiting = PriorityQueue()
    for shot, template, rank in ((1, "a", 0.0), (2, "a", 0.0), (1, "b", -5.0), (2, "b", -0.5)):
        waiting.put(planned(shot, template), Priority.LIVE, rank=rank)
    waiting.put(planned(1, "c"), Priority.LIVE)
    assert list(waiting) == [
        (Subject.shot(s), t) for s, t in [(1, "a"), (2, "a"), (1, "b"), (2, "b"), (1, "c")]
    ]
    assert line(waiting) == [(1, "b"), (1, "a"), (1, "c"), (2, "b"), (2, "a")]


def test_a_subject_keeps_its_turn_until_it_leaves():
    waiting = PriorityQueue()
    for shot in (1, 2):
        waiting.put(planned(shot), Priority.LIVE)
    assert waiting.take()[0].subject == Subject.shot(1)
    waiting.put(planned(1, "next"), Priority.LIVE)
    assert waiting.take()[0].template == "next"
    waiting.release_turn(Subject.shot(1))
    waiting.put(planned(1, "later"), Priority.LIVE)
    assert line(waiting) == [(2, "overview"), (1, "later")]


def test_a_subject_of_which_something_waits_cannot_leave():
    waiting = PriorityQueue()
    waiting.put(planned(1), Priority.LIVE)
    waiting.put(planned(2), Priority.LIVE)
    waiting.release_turn(Subject.shot(1))
    waiting.put(planned(1, "b"), Priority.LIVE)
    assert line(waiting) == [(1, "overview"), (1, "b"), (2, "overview")]


def test_what_is_put_again_or_dropped_twice_counts_once():
    """Else the subject could never leave, or would while something of it waits."""
    waiting = PriorityQueue()
    for priority in (Priority.BACKFILL, Priority.BACKFILL, Priority.LIVE):
        waiting.put(planned(1), priority)
    waiting.remove(Subject.shot(9), "overview")
    assert waiting.take() == (planned(1), Priority.LIVE)
    waiting.remove(Subject.shot(1), "overview")
    waiting.release_turn(Subject.shot(1))
    waiting.put(planned(2), Priority.LIVE)
    waiting.put(planned(1), Priority.LIVE)
    assert line(waiting) == [(2, "overview"), (1, "overview")]
