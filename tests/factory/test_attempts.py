"""What cannot be done now is tried again, and nothing of it is forgotten."""

from __future__ import annotations

import contextlib
import errno
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from ishtar.catalogue import CatalogueError
from ishtar.workspace import Workspace
from runner import attempts
from runner.attempts import Attempts, affects_all
from runner.jobs import Done, Job
from runner.publish.writer import Writer
from runner.receipts import Receipt, Subject
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import submit
from runner.scheduling.handed_out import HandedOut
from runner.scheduling.priority_queue import Priority
from runner.scheduling.retries import MOST_DEATHS
from runner.scheduling.scheduler import Scheduler
from runner.service.publication import Publication
from runner.staleness.plan import Planned

pytestmark = pytest.mark.whole

FULL = OSError(errno.ENOSPC, "No space left on device")


class Failing:
    """Fails with the given errors, one after the other, and then does it."""

    def __init__(self, *errors: Exception, then=lambda *_, **__: None) -> None:
        self.errors = list(errors)
        self.then = then
        self.calls = 0

    def __call__(self, *args, **kw):
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)
        return self.then(*args, **kw)


@pytest.fixture
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(attempts, "FIRST_S", 0.0)


# --- attempts ----------------------------------------------------------------------------------


def test_what_fails_rests_longer_each_time_and_is_told_until_it_is_done(monkeypatch, caplog):
    now = [100.0]
    monkeypatch.setattr(attempts.time, "monotonic", lambda: now[0])
    some, work = Attempts(), Failing(FULL, FULL, FULL)
    assert not some.do("write", work)
    pauses = []
    while some.troubles:
        began = now[0]
        while not some.ready("write"):
            assert not some.do("write", work)
            now[0] += 0.5
        pauses.append(now[0] - began)
        some.do("write", work)
    assert (work.calls, pauses) == (4, [1.0, 2.0, 4.0])
    assert caplog.text.count("write: [Errno 28] No space left on device") == 1


def test_the_pause_has_an_end(monkeypatch):
    now = [0.0]
    monkeypatch.setattr(attempts.time, "monotonic", lambda: now[0])
    some = Attempts()
    for _ in range(2000):
        some.failed("x", ValueError("no"))
    assert not some.ready("x")
    now[0] = attempts.LONGEST_S
    assert some.ready("x")


def test_where_one_thing_can_be_done_again_what_failed_for_the_same_reason_is_tried_at_once():
    some = Attempts()
    for what in ("a", "b"):
        some.failed(what, FULL)
    some.failed("c", ValueError("another"))
    some.succeeded("a")
    assert some.ready("b")
    assert not some.ready("c")
    assert [t.what for t in some.troubles] == ["b", "c"]


@pytest.mark.parametrize(
    ("error", "all_of_them"),
    [
        (FULL, True),
        (CatalogueError("locked"), True),
        (PermissionError(errno.EACCES, "no"), False),
        (ValueError("odd"), False),
        (None, False),
    ],
)
def test_an_error_of_the_machine_is_told_from_one_of_a_single_thing(error, all_of_them):
    assert affects_all(error) is all_of_them


# --- planning, noting, publishing --------------------------------------------------------------


@pytest.fixture
def scheduler(factory, coordinator, no_pauses):
    """Give the scheduler of a service that makes reports in this process."""
    factory.template("good", "x = 1")
    with Scheduler(coordinator, workers=0) as scheduler:
        yield scheduler


def work(scheduler: Scheduler, most: int = 20) -> set[Subject]:
    done: set[Subject] = set()
    while scheduler.busy and most:
        scheduler.hand_out()
        done |= scheduler.collect()
        most -= 1
    return done


def states(coordinator: Coordinator) -> dict[str, str]:
    return {r.template: r.state for r in coordinator.catalogue.reports(current=True)}


@pytest.mark.parametrize("error", [CatalogueError("locked"), FULL, TypeError("odd")])
def test_a_plan_that_fails_is_made_again(factory, coordinator, scheduler, monkeypatch, error):
    factory.shot(2)
    coordinator.sync_shots()
    due = Failing(error, error, error, then=coordinator.due)
    monkeypatch.setattr(coordinator, "due", due)
    scheduler.request_shots([1, 2], Priority.LIVE)
    assert work(scheduler) == {Subject.shot(1), Subject.shot(2)}
    assert not due.errors


def test_a_shot_that_cannot_be_planned_holds_up_no_other(
    factory, coordinator, scheduler, monkeypatch
):
    factory.shot(2)
    factory.shot(3)
    coordinator.sync_shots()
    due = coordinator.due

    def sometimes(selection):
        if 2 in selection.shots:
            raise RecursionError("too deep")
        return due(selection)

    monkeypatch.setattr(coordinator, "due", sometimes)
    scheduler.request_shots([1, 2, 3], Priority.LIVE)
    assert work(scheduler) == {Subject.shot(1), Subject.shot(3)}
    assert list(scheduler.due.shots) == [2]


def test_a_report_that_is_made_is_noted_when_the_catalogue_can_be_written_again(
    coordinator, scheduler, monkeypatch
):
    note = Failing(CatalogueError("locked"), CatalogueError("locked"), then=coordinator.note_report)
    monkeypatch.setattr(coordinator, "note_report", note)
    scheduler.request_shots([1], Priority.LIVE)
    assert work(scheduler) == {Subject.shot(1)}
    assert (note.calls, states(coordinator)) == (3, {"good": "ok"})


@pytest.mark.parametrize("error", [FULL, TypeError("odd")])
def test_a_report_that_cannot_be_made_now_is_made_later(coordinator, scheduler, monkeypatch, error):
    from runner.scheduling import dispatch as module

    execute = Failing(error, error, then=module.execute)
    monkeypatch.setattr(module, "execute", execute)
    scheduler.request_shots([1], Priority.LIVE)
    assert work(scheduler) == {Subject.shot(1)}
    assert (execute.calls, states(coordinator)) == (3, {"good": "ok"})


def test_what_reads_a_report_comes_after_it_however_late_that_is(
    factory, coordinator, scheduler, monkeypatch
):
    from runner.scheduling import dispatch as module

    factory.template("reads", "x = 1", sidecar="after = ['good']")
    monkeypatch.setattr(module, "execute", Failing(FULL, then=module.execute))
    scheduler.request_shots([1], Priority.LIVE)
    work(scheduler)
    assert states(coordinator) == {"good": "ok", "reads": "ok"}


FULL_WHILE = """
import os
if os.path.exists({path!r}):
    raise OSError(28, "No space left on device")"""


def test_a_report_that_failed_for_want_of_disk_is_made_again(
    factory, coordinator, scheduler, tmp_path
):
    full = tmp_path / "full"
    full.touch()
    factory.template("good", FULL_WHILE.format(path=str(full)))
    scheduler.request_shots([1], Priority.LIVE)
    assert work(scheduler, 2) == set()
    full.unlink()
    work(scheduler)
    assert states(coordinator) == {"good": "ok"}
    assert len(list(coordinator.workspace.reports.glob("00001/good/*"))) == 1


@pytest.mark.long
def test_a_report_that_always_fills_the_disk_fails_in_the_end(factory, coordinator, scheduler):
    factory.template("good", "raise OSError(28, 'No space left on device')")
    scheduler.request_shots([1], Priority.LIVE)
    work(scheduler, 60)
    assert states(coordinator) == {"good": "failed"}


class Told:
    """An observer who hears nothing."""

    class status_writer:
        @staticmethod
        def update_now() -> None: ...

    from contextlib import nullcontext as publishing


def test_pages_that_could_not_be_written_are_written_later(coordinator, monkeypatch, no_pauses):
    publication = Publication(coordinator, Told(), Attempts())
    seen: list[list[Subject]] = []

    def publish(_, only, **__):
        seen.append(only)
        if len(seen) < 3:
            raise FULL
        return DONE

    monkeypatch.setattr("runner.service.publication.publish_workspace", publish)
    publication.request([Subject.shot(1), Subject.shot(2)])
    while publication.due:
        publication.work(busy=False, in_hurry=True)
    assert seen == [[Subject.shot(1), Subject.shot(2)]] * 3


def test_a_subject_that_cannot_be_published_holds_up_no_other(coordinator, monkeypatch, no_pauses):
    publication = Publication(coordinator, Told(), Attempts())
    done: set[Subject] = set()

    def publish(_, only, **__):
        if Subject.shot(2) in only:
            raise ValueError("a page that cannot be rendered")
        done.update(only)
        return DONE

    monkeypatch.setattr("runner.service.publication.publish_workspace", publish)
    publication.request(map(Subject.shot, (1, 2, 3)))
    publication.work(busy=False, in_hurry=True)
    assert done == {Subject.shot(1), Subject.shot(3)}
    assert publication.due


class Nothing:
    without_traces = outdated = damaged = ()


DONE = Nothing()


# --- coordinators that die ---------------------------------------------------------------------


class Killed(BaseException):
    """Ends everything, as SIGKILL would."""


def deadly(coordinator: Coordinator, pool: Executor, planned: Planned, job: Job) -> Future[Done]:
    """Hand a job to a pool; die as soon as it is the report ``bad``."""
    if planned.template == "bad":
        raise Killed
    return submit(coordinator, pool, planned, job)


def die(workspace: Workspace) -> dict[str, str]:
    """Let a service work on shot 1 until it dies, and leave all as a killed one does."""
    with pytest.MonkeyPatch.context() as patch, Coordinator(workspace) as coordinator:
        patch.setattr("runner.scheduling.scheduler.submit", deadly)
        coordinator.sync_shots()
        scheduler = Scheduler(coordinator, workers=0)
        scheduler.request_shots([1], Priority.LIVE)
        with contextlib.suppress(Killed):
            work(scheduler)
        return states(coordinator)


def test_a_report_that_kills_its_coordinator_is_given_up_and_the_others_are_made(factory):
    for name in ("good", "bad", "other"):
        factory.template(name, "x = 1")
    starts = 0
    while (found := die(factory.workspace)).get("bad") is None:
        starts += 1
        assert starts <= 2 * MOST_DEATHS
    assert found == {"good": "ok", "bad": "failed", "other": "ok"}
    assert starts == 2 * MOST_DEATHS
    (folder,) = factory.workspace.reports.glob("00001/bad/*")
    assert Receipt.read(folder).reason.startswith(f"the service was killed {starts} times while")
    assert list((factory.workspace.root / "data" / "handed_out").iterdir()) == []


def job(workspace: Workspace, template: str):
    from runner.jobs import Job

    return Job(root=str(workspace.root), subject=Subject.shot(1), template=template)


def test_who_was_made_beside_another_when_the_coordinator_died_is_only_suspected(factory):
    a, b = (job(factory.workspace, name) for name in "ab")
    first = HandedOut(factory.workspace)
    first.begin(a)
    first.begin(b)
    second = HandedOut(factory.workspace)
    assert [second.suspect(j).deaths for j in (a, b)] == [0, 0]
    second.begin(a)
    third = HandedOut(factory.workspace)
    assert [third.suspect(j).deaths for j in (a, b)] == [1, 0]
    third.returned(a)
    assert third.suspect(a)
    third.finished(a)
    third.close()
    assert HandedOut(factory.workspace).suspect(a) is None


def test_a_coordinator_that_ends_in_good_order_leaves_no_suspects(factory, monkeypatch):
    factory.template("good", "x = 1")

    def interrupted(coordinator, pool, planned, job) -> Future[Done]:
        assert HandedOut(coordinator.workspace).suspect(job)
        raise KeyboardInterrupt

    monkeypatch.setattr("runner.scheduling.scheduler.submit", interrupted)
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        with pytest.raises(KeyboardInterrupt):
            run_batch(coordinator, workers=0)
    assert HandedOut(factory.workspace).suspect(job(factory.workspace, "good")) is None


@pytest.mark.parametrize("content", ["", "{", "[]", '{"subject": 1}'])
def test_a_record_that_cannot_be_read_is_removed(factory, content):
    path: Path = factory.workspace.root / "data" / "handed_out" / "00001~a.json"
    path.parent.mkdir(parents=True)
    path.write_text(content)
    HandedOut(factory.workspace)
    assert not path.exists()


def test_a_page_for_which_there_is_no_room_leaves_no_half_file(tmp_path, monkeypatch):
    def half(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:2])
        raise FULL

    monkeypatch.setattr(Path, "write_bytes", half)
    writer = Writer.plain(tmp_path)
    with pytest.raises(OSError, match="No space left"):
        writer.bytes("a.html", b"<html></html>")
    assert list(tmp_path.iterdir()) == []
