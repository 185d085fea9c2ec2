"""Workers that are stopped, or far beyond their limit, do not keep their place for ever."""

from __future__ import annotations

import json
import platform
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict, replace

import psutil
import pytest

from runner.jobs import Job
from runner.monitoring.progress import Progress, folder
from runner.receipts import Subject
from runner.scheduling import stuck_workers
from runner.scheduling.priority_queue import Priority
from runner.scheduling.retries import Running
from runner.scheduling.stuck_workers import StuckWorkers
from runner.staleness.plan import Planned

pytestmark = pytest.mark.whole

SHOT = Subject.shot(1)


@pytest.fixture
def worker() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


@pytest.fixture
def running(factory, worker, monkeypatch) -> Running:
    """Give a job of which a worker says that it is at it."""

    monkeypatch.setattr(stuck_workers, "CHECK_EVERY_S", 0.0)
    progress = Progress(
        subject=SHOT.key,
        template="t",
        host=platform.node(),
        process=worker.pid,
        since=time.time(),
        cell_since=time.time(),
    )
    path = folder(factory.workspace) / "00001~t.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(asdict(progress)))
    return Running(
        planned=Planned(subject=SHOT, template="t", reasons=()),
        job=Job(root=str(factory.workspace.root), subject=SHOT, template="t", timeout_s=100.0),
        priority=Priority.LIVE,
        since=time.time(),
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    process.send_signal(signal.SIGSTOP)
    while psutil.Process(process.pid).status() != psutil.STATUS_STOPPED:
        pass


def test_a_worker_that_is_stopped_for_too_long_is_killed(factory, worker, running, monkeypatch):
    monkeypatch.setattr(stuck_workers, "STOPPED_S", 0.0)
    looks = StuckWorkers(factory.workspace)
    assert looks.kill([running]) == []
    stop(worker)
    assert looks.kill([running]) == [worker.pid]
    assert worker.wait() == -signal.SIGKILL


def test_one_that_goes_on_in_time_is_left_alone(factory, worker, running):
    looks = StuckWorkers(factory.workspace)
    stop(worker)
    assert looks.kill([running]) == []
    worker.send_signal(signal.SIGCONT)
    assert looks.kill([running]) == []
    assert worker.poll() is None


def test_a_worker_that_is_far_beyond_its_limit_is_killed(factory, worker, running):
    late = replace(running, since=time.time() - 3 * 100 - stuck_workers.GRACE_S - 1)
    assert StuckWorkers(factory.workspace).kill([late]) == [worker.pid]


def test_processes_of_others_are_left_alone(factory, worker, running, monkeypatch):
    late = replace(running, since=0.0)
    monkeypatch.setattr(stuck_workers.psutil.Process, "children", lambda *_, **__: [])
    assert StuckWorkers(factory.workspace).kill([late]) == []
    assert worker.poll() is None
