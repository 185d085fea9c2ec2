"""Backfill: asked of the service by a file, made last, goes on after a stop."""

from __future__ import annotations

import threading
from dataclasses import replace

import pytest

from ishtar.workspace import Workspace
from runner.cli import main
from runner.receipts import Subject
from runner.scheduling.lock import coordinator_lock, held_by
from runner.scheduling.pool import open_pool
from runner.scheduling.priority_queue import Priority
from runner.scheduling.scheduler import Scheduler
from runner.service.backfill import request_backfill, requests, take_request

pytestmark = pytest.mark.whole

GLUE = "from ishtar.report import glue\nglue('n', shot)"


@pytest.fixture
def scheduler(factory, coordinator, monkeypatch):
    """Give a scheduler with one worker in this process, over shots 1 … 6."""
    for number in range(2, 7):
        factory.shot(number)
    factory.template("one", GLUE)
    factory.template("two", GLUE, sidecar='after = ["one"]')
    coordinator.sync_shots()
    coordinator.settings = _with_workers(coordinator.settings, 1)
    monkeypatch.setattr("runner.scheduling.scheduler.open_workers", lambda *_: open_pool(0))
    made = Scheduler(coordinator)
    yield made
    made.close()


def _with_workers(settings, workers):
    return replace(settings, run=replace(settings.run, workers=workers))


def steps(scheduler):
    """Yield the subject and template of each job as it is handed out, one at a time."""
    while scheduler.busy:
        scheduler.hand_out()
        for running in scheduler.status()["running"]:
            yield running["subject"], running["template"]
        scheduler.collect()


def test_a_live_shot_passes_a_backfill_and_brings_all_its_reports(scheduler):
    scheduler.request_shots([1, 2, 3], Priority.BACKFILL)
    order = []
    for step in steps(scheduler):
        order.append(step)
        if len(order) == 1:
            scheduler.request_shots([6], Priority.LIVE)
    assert order[1:3] == [("00006", "one"), ("00006", "two")]
    assert len(order) == len(set(order)) == 8
    assert scheduler.status()["finished"] == {"ok": 8}


def test_a_backfill_that_was_stopped_goes_on_with_what_is_missing(scheduler):
    scheduler.request_shots([1, 2], Priority.BACKFILL)
    first = next(steps(scheduler))
    assert scheduler.finish() == {Subject.parse(first[0])}
    scheduler.request_shots([1, 2], Priority.BACKFILL)
    assert first not in list(steps(scheduler))


def take_requests(workspace: Workspace, shots: list[int]) -> set[int]:
    return {n for path in requests(workspace) for n in take_request(path, lambda: shots).shots}


def test_a_request_outlives_who_asks_and_is_taken_once(factory):
    request_backfill(factory.workspace, [1, 3])
    request_backfill(factory.workspace, [4])
    assert take_requests(factory.workspace, [1, 2, 3]) == {1, 3}
    assert take_requests(factory.workspace, [1, 2, 3]) == set()
    request_backfill(factory.workspace, None)
    (factory.workspace.root / "data" / "backfill" / "5.json").write_text("[")
    assert take_requests(factory.workspace, [1, 2]) == {1, 2}


def test_run_leaves_a_backfill_to_the_service_that_holds_the_workspace(
    factory, monkeypatch, capsys
):
    monkeypatch.chdir(factory.workspace.root)
    held, done = threading.Event(), threading.Event()

    def hold():
        with coordinator_lock(factory.workspace):
            held.set()
            done.wait(300)

    holder = threading.Thread(target=hold)
    holder.start()
    held.wait(300)
    try:
        with pytest.raises(SystemExit) as ended:
            main(["run", "--backfill", "--shots", "1"])
        assert ended.value.code == 0
        assert "the service makes them" in capsys.readouterr().out
        assert held_by(factory.workspace).startswith("process ")
        with pytest.raises(SystemExit) as ended:
            main(["run", "--backfill", "--force"])
        assert ended.value.code == 2
    finally:
        done.set()
        holder.join()
    assert take_requests(factory.workspace, [1, 2]) == {1}
    assert held_by(factory.workspace) == ""
