"""The short crash test: each kind of process is killed once, while shots arrive and one reads."""

from __future__ import annotations

import os
import random
import tempfile
import time
from concurrent.futures import Executor, Future
from pathlib import Path

import pytest

from ishtar.workspace import Workspace
from runner.execution.execute import MOST_KILLS, RERUN_PREFIX, execute
from runner.execution.outcome import was_killed
from runner.jobs import Done, Event, Job
from runner.kernel.warm.folders import private_folder, remove_abandoned
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import job_of, submit
from runner.scheduling.priority_queue import Priority
from runner.scheduling.retries import MOST_ROUNDS
from runner.scheduling.scheduler import Scheduler
from runner.staleness.plan import Planned
from tests.crash.checks import problems
from tests.crash.harness import TARGETS, scene
from tests.crash.reader import Reader, read_all

pytestmark = pytest.mark.whole


@pytest.fixture
def factory(factory):
    """Give the workspace with reports that may write and kill anywhere."""
    return factory.unbounded()


SEED = 20261122


@pytest.mark.long
def test_whatever_is_killed_every_shot_has_its_reports_and_readers_see_whole_pages(tmp_path):
    chance = random.Random(SEED)
    targets = [name for name in TARGETS if name != "service"]
    chance.shuffle(targets)
    with scene(tmp_path, shots=len(targets), seed=SEED) as crash:
        for target in targets:
            crash.stream.deliver()
            crash.kill(target, patience_s=600.0)
            time.sleep(chance.uniform(0.0, 0.3))
        crash.settle(600.0)  # by itself: the service has not been started again
        assert crash.service.starts == 1
        assert crash.service.strays() == []
        crash.kill("service")
        crash.wait(lambda: "caught up" in crash.service.log.read_text()[-400:], str, 600.0)
        crash.wait(lambda: crash.reader.pages > 50, lambda: "few pages were read", 600.0)
        assert crash.service.stop() == 0
        crash.reader.stop()
        assert list(problems(crash)) == []


def test_a_report_whose_kernel_is_killed_is_tried_thrice_and_then_has_failed(factory):
    tries = factory.workspace.root / "tries"
    mark = f"open({str(tries)!r}, 'a').write('.')"
    factory.template("doomed", f"import os\n{mark}\nos.kill(os.getpid(), 9)")
    doomed = factory.run("doomed", sandbox="off").receipt
    assert was_killed(doomed.state, doomed.reason)
    assert tries.read_text() == "..."
    assert [p.name for p in factory.workspace.reports.glob(".*")] == []


def made_by_a_scheduler(coordinator: Coordinator, **kinds: object) -> list[tuple[str, str, str]]:
    """Let a scheduler make what is due for shot 1; return what it made, and how it went."""
    events: list[Event] = []
    with Scheduler(coordinator, listener=events.append, **kinds) as scheduler:  # type: ignore[arg-type]
        scheduler.request_shots([1], Priority.LIVE)
        while scheduler.busy:
            scheduler.hand_out()
            scheduler.collect()
            time.sleep(0.02)
    receipts = [e.done.receipt for e in events if e.done]
    return [(r.template, r.state, r.reason) for r in receipts]


KILLED = """
import os
tries = open({path!r}, "a+")
tries.write(".")
tries.close()
if os.path.getsize({path!r}) <= {times}:
    os.kill(os.getpid(), 9)"""


def test_what_was_killed_again_and_again_is_made_when_nothing_else_is_to_be_done(
    factory, coordinator
):
    path = str(factory.workspace.root / "tries")
    factory.template("unlucky", KILLED.format(path=path, times=4))
    factory.template("reader", "x = 1", sidecar="after = ['unlucky']")
    factory.template("other", "x = 1")
    made = made_by_a_scheduler(coordinator, workers=0)
    assert made == [("other", "ok", ""), ("unlucky", "ok", ""), ("reader", "ok", "")]
    folder = factory.workspace.reports / "00001" / "unlucky"
    assert len(list(folder.iterdir())) == 1
    assert coordinator.plan() == []


def test_a_template_that_is_taken_away_while_its_report_is_left_for_later_can_come_back(
    factory, coordinator
):
    path = factory.workspace.root / "tries"
    template = factory.template("unlucky", KILLED.format(path=str(path), times=3))
    whole = template.read_text()
    with Scheduler(coordinator, workers=0) as scheduler:
        scheduler.request_shots([1], Priority.LIVE)
        scheduler.hand_out()
        scheduler.collect()  # it is left for later
        template.unlink()
        while scheduler.busy:
            scheduler.hand_out()
            scheduler.collect()
        template.write_text(whole)
        scheduler.request_shots([1], Priority.LIVE)
        while scheduler.busy:
            scheduler.hand_out()
            scheduler.collect()
    assert [r.state for r in coordinator.catalogue.reports()] == ["ok"]


@pytest.mark.long
def test_what_is_killed_for_ever_has_failed_in_the_end_and_is_left_alone(factory, coordinator):
    path = factory.workspace.root / "tries"
    factory.template("doomed", KILLED.format(path=str(path), times=100))
    ((name, state, reason),) = made_by_a_scheduler(coordinator, workers=0)
    assert (name, was_killed(state, reason)) == ("doomed", True)
    assert path.stat().st_size == MOST_ROUNDS * MOST_KILLS
    assert coordinator.plan() == []


def test_a_report_that_was_made_and_never_noted_is_noted_instead_of_made_again(
    factory, coordinator
):
    factory.declare("nothing")
    factory.template("gas", "gas = 'Ar'", sidecar="needs = ['nothing']")
    (planned,) = coordinator.plan()
    job = job_of(coordinator, planned, coordinator.templates()["gas"])
    done = execute(job)  # a coordinator that is killed here has not noted it
    assert coordinator.plan() == [planned]
    assert coordinator.due() == []
    (row,) = coordinator.catalogue.reports()
    assert (row.folder, row.current) == (done.folder, True)


def deadly(coordinator: Coordinator, pool: Executor, planned: Planned, job: Job) -> Future[Done]:
    """Hand out work that ends its worker in the place of the report ``bad``."""
    if planned.template == "bad":
        return pool.submit(os._exit, 1)  # type: ignore[arg-type]
    return submit(coordinator, pool, planned, job)


def test_a_report_that_ends_its_workers_fails_in_the_end_and_harms_no_other(factory, monkeypatch):
    factory.declare("nothing")
    for name in ("good", "bad", "other"):
        factory.template(name, "x = 1", sidecar="needs = ['nothing']")
    settings = factory.workspace.root / "ishtar.toml"
    settings.write_text("[run]\nworkers = 2\nkernels = 'cold'\n")
    monkeypatch.setattr("runner.scheduling.scheduler.submit", deadly)
    with Coordinator(Workspace.at(factory.workspace.root)) as coordinator:
        coordinator.sync_shots()
        made = made_by_a_scheduler(coordinator)
    states = {name: (state, reason) for name, state, reason in made}
    assert (states["good"][0], states["other"][0]) == ("skipped", "skipped")
    assert made[-1][:2] == ("bad", "failed")
    assert states["bad"][1].startswith("3 workers died while they ran it")


def test_what_a_person_makes_beside_the_service_is_not_taken_for_a_leftover(factory, coordinator):
    reports = factory.workspace.reports
    (reports / ".tmp-0123").mkdir(parents=True)
    (reports / f"{RERUN_PREFIX}0123").mkdir()
    assert coordinator.clear_leftovers() == 1
    assert [p.name for p in reports.iterdir()] == [f"{RERUN_PREFIX}0123"]


def test_a_folder_for_sockets_is_removed_when_its_owner_has_ended_and_not_before(
    tmp_path, monkeypatch
):
    base = Path(tempfile.mkdtemp())  # short enough for sockets
    monkeypatch.setattr(tempfile, "tempdir", str(base))
    first, second = private_folder(), private_folder()
    assert first.path.is_dir()
    os.close(first.lock)  # as the end of its owner does
    remove_abandoned(first.path.parent)
    assert not first.path.exists()
    assert second.path.is_dir()
    second.remove()
    base.rmdir()


def test_the_reader_finds_half_pages_and_broken_links(tmp_path):
    page = tmp_path / "index.html"
    page.write_text("<html><a href='there.html#x'>a</a><a href='https://example.org/'>b</a></html>")
    reader = Reader(site=tmp_path, seed=1)
    assert reader.read(page) == [tmp_path / "there.html"]
    assert reader.problems == [f"{page} leads to {tmp_path / 'there.html'}, which is not there"]
    (tmp_path / "there.html").write_text("<html><p>half")
    assert read_all(tmp_path) == [f"{tmp_path / 'there.html'} is not whole: no </html>"]
