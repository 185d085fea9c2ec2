"""Which reports are put in line, and which wait until another one is done."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from runner.jobs import Selection
from runner.receipts import Subject
from runner.scheduling.priority_queue import Priority
from runner.scheduling.ready_queue import ReadyQueue, SchedulerOptions
from runner.settings.file import Settings
from runner.staleness.plan import Planned

ONE, TWO = Subject.shot(1), Subject.shot(2)
TOOK = {"quick": 1.0, "slow": 5.0, "first": 1.0, "second": 6.0}


def template(name: str, scope: str) -> SimpleNamespace:
    return SimpleNamespace(name=name, scope=scope, timeout_s=0, memory_mb=0)


class Templates(dict):
    """``second`` and ``third`` read what ``first`` glues; ``summary`` is of a day."""

    def __init__(self) -> None:
        names = ("quick", "slow", "first", "second", "third", "summary")
        scopes = {"summary": "day"}
        super().__init__({n: template(n, scopes.get(n, "shot")) for n in names})

    def upstream(self, name: str) -> set[str]:
        return {"second": {"first"}, "third": {"first", "second"}}.get(name, set())

    def downstream(self, name: str) -> set[str]:
        return {"first": {"second", "third", "summary"}, "second": {"third"}}.get(name, set())


class Coordinator:
    def __init__(self) -> None:
        self.catalogue = SimpleNamespace(durations=lambda: TOOK, shots=lambda day: [1, 2])
        self.workspace = SimpleNamespace(root="here")
        self.settings = Settings()
        self.asked: list[Selection] = []
        self.plan: list[Planned] = []

    def templates(self) -> Templates:
        return Templates()

    def due(self, selection: Selection) -> list[Planned]:
        self.asked.append(selection)
        return self.plan


@pytest.fixture
def events() -> list:
    return []


@pytest.fixture
def ready_queue(events) -> ReadyQueue:
    return ReadyQueue(Coordinator(), SchedulerOptions(), events.append)


def planned(subject: Subject, template: str) -> Planned:
    return Planned(subject=subject, template=template, reasons=("missing",))


def line(ready_queue: ReadyQueue) -> list[tuple[str, str]]:
    found = []
    while (taken := ready_queue.queue.take()) is not None:
        found.append((taken[0].subject.key, taken[0].template))
    return found


def test_the_longest_way_of_a_shot_goes_first(ready_queue):
    ready_queue.add([planned(ONE, name) for name in ("quick", "slow", "first")], Priority.LIVE, ())
    # first and what waits for it take 7 s
    assert [name for _, name in line(ready_queue)] == ["first", "slow", "quick"]


def test_only_what_waits_for_no_other_is_put_in_line(ready_queue):
    names = ("first", "second", "third")
    ready_queue.add([planned(s, n) for s in (ONE, TWO) for n in names], Priority.LIVE, ())
    assert line(ready_queue) == [("00001", "first"), ("00002", "first")]


@pytest.mark.parametrize("where", ["at work", "waiting", "planned"])
def test_a_report_waits_for_one_that_is_anywhere_on_its_way(ready_queue, where):
    plan, in_progress = [planned(ONE, "second")], set()
    if where == "at work":
        in_progress = {(ONE, "first")}
    elif where == "waiting":
        ready_queue.queue.put(planned(ONE, "first"), Priority.LIVE)
    else:
        plan.append(planned(ONE, "first"))
    ready_queue.add(plan, Priority.LIVE, in_progress)
    assert (ONE, "second") not in ready_queue.queue
    ready_queue.add([planned(TWO, "second")], Priority.LIVE, {(ONE, "first")})
    assert (TWO, "second") in ready_queue.queue


def test_what_is_at_work_or_refused_is_not_put_in_line(ready_queue, events):
    ready_queue.refused.add((ONE, "slow"))
    in_progress = {(ONE, "quick")}
    ready_queue.add(
        [planned(ONE, n) for n in ("quick", "slow", "first")], Priority.LIVE, in_progress
    )
    assert list(ready_queue.queue) == [(ONE, "first")]
    known = [
        ready_queue.contains((ONE, n), in_progress) for n in ("quick", "slow", "first", "third")
    ]
    assert known == [True, True, True, False]
    assert [event.job.template for event in events] == ["first"]


def test_the_listener_hears_of_each_once_and_how_many_there_are(ready_queue, events):
    for _ in range(2):
        ready_queue.add([planned(ONE, "quick"), planned(ONE, "slow")], Priority.LIVE, ())
    assert [(e.kind, e.job.template, e.total) for e in events] == [
        ("planned", "quick", 1),
        ("planned", "slow", 2),
    ]
    ready_queue.notify_done(events[0].job, None)
    ready_queue.notify_done(events[1].job, None)
    assert [(e.kind, e.index, e.total) for e in events[2:]] == [("done", 1, 2), ("done", 2, 2)]


def test_without_a_listener_nobody_is_told():
    ready_queue = ReadyQueue(Coordinator(), SchedulerOptions())
    ready_queue.add([planned(ONE, "quick")], Priority.LIVE, ())
    ready_queue.notify_done(SimpleNamespace(subject=ONE, template="quick"), None)
    assert len(ready_queue.queue) == 1


def test_what_reads_a_report_that_is_done_is_planned_of_the_same_subject_and_scope(ready_queue):
    coordinator = ready_queue._coordinator
    coordinator.plan = [planned(ONE, "second"), planned(TWO, "second")]
    ready_queue.add_downstream(SimpleNamespace(subject=ONE, template="first"), Priority.LIVE, ())
    assert coordinator.asked == [Selection(shots=[1], names={"second", "third"}, ranges=[])]
    assert line(ready_queue) == [("00001", "second")]


@pytest.mark.parametrize(
    ("subject", "asked"),
    [
        (Subject.day("2026-11-22"), {"shots": [1, 2], "ranges": []}),
        (Subject.range(1, 3), {"shots": None, "ranges": [Subject.range(1, 3)]}),
    ],
)
def test_what_follows_of_a_day_or_a_range_is_planned_of_it(
    ready_queue, monkeypatch, subject, asked
):
    scope = subject.scope
    monkeypatch.setattr(Templates, "__getitem__", lambda self, name: template(name, scope))
    ready_queue.add_downstream(
        SimpleNamespace(subject=subject, template="second"), Priority.LIVE, ()
    )
    (found,) = ready_queue._coordinator.asked
    assert found == Selection(names={"third"}, **asked)


@pytest.mark.parametrize(
    ("names", "asked"), [({"third"}, [{"third"}]), ({"quick"}, []), (set(), [])]
)
def test_only_templates_that_count_follow(ready_queue, names, asked):
    ready_queue.names = names
    ready_queue.add_downstream(SimpleNamespace(subject=ONE, template="first"), Priority.LIVE, ())
    assert [a.names for a in ready_queue._coordinator.asked] == asked


def test_a_subject_gives_up_its_turn_when_nothing_of_it_is_at_work(ready_queue):
    done = SimpleNamespace(subject=ONE, template="quick")
    both = {(ONE, "slow"), (TWO, "slow")}
    for in_progress, first in (
        (both, "00001"),
        ({(ONE, "slow")}, "00001"),
        ({(TWO, "slow")}, "00002"),
    ):
        ready_queue.add([planned(ONE, "quick"), planned(TWO, "quick")], Priority.LIVE, ())
        assert ready_queue.queue.take()[0].subject == ONE
        ready_queue.add_downstream(done, Priority.LIVE, in_progress)
        ready_queue.add([planned(ONE, "first")], Priority.LIVE, ())
        assert line(ready_queue)[0][0] == first
        for subject in (ONE, TWO):
            ready_queue.queue.release_turn(subject)
