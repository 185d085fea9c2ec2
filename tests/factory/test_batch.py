"""Running what is due: in which order, what waits for what, and what a dead worker does to it."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import Executor, Future
from pathlib import Path
from typing import Any

import psutil
import pytest

from ishtar.workspace import Workspace
from runner.errors import ReportsNotMade
from runner.jobs import Done, Event, Job, Selection
from runner.kernel.warm.processes import LINUX
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import submit
from runner.staleness.plan import Planned
from runner.templates.template import read_templates

pytestmark = pytest.mark.whole

READS = """
import ishtar
from ishtar.report import glue
table = ishtar.open().range(shot, shot).table(["{name}.{name}"])
glue({own!r}, 2 * float(table.iloc[0, 0]))"""
FIRST = "from ishtar.report import glue\nglue('first', 3 * shot)"


@pytest.fixture
def three(factory):
    """Templates `first`, `second` on its scraps, `third` on those of it, and `alone`."""
    factory.template("first", FIRST)
    factory.template("second", READS.format(name="first", own="second"), sidecar="after=['first']")
    factory.template(
        "third", READS.format(name="second", own="third"), sidecar="after=['second']\norder=1"
    )
    factory.template("alone", "x = 1")
    return factory


def told(coordinator: Coordinator, **asked: Any) -> list[tuple[str, str, int]]:
    """Run what is due in this process; return what the listener was told, in order."""
    events: list[Event] = []
    run_batch(coordinator, Selection(**asked), workers=0, listener=events.append)
    return [(e.kind, e.job.template, e.job.subject.number) for e in events]


def test_a_chain_of_templates_is_made_in_one_run_on_what_each_has_just_given(three, coordinator):
    made = run_batch(coordinator, workers=0)
    assert [d.receipt.template for d in made if d.receipt.template != "alone"] == [
        "first",
        "second",
        "third",
    ]
    values = {s.name: s.value for s in coordinator.catalogue.scraps(["00001"])}
    assert values == {"first": 3, "second": 6, "third": 12}
    assert coordinator.plan() == []


def test_a_shot_is_finished_before_the_next_is_begun(three, coordinator):
    three.shot(2)
    coordinator.sync_shots()
    done = [(number, name) for kind, name, number in told(coordinator) if kind == "done"]
    assert [number for number, _ in done] == [1, 1, 1, 1, 2, 2, 2, 2]


@pytest.mark.parametrize(("alone_s", "begins"), [(2.0, "first"), (9.0, "alone")])
def test_what_has_most_before_it_begins_first(three, coordinator, monkeypatch, alone_s, begins):
    took = {"first": 1.0, "second": 5.0, "third": 1.0, "alone": alone_s}
    monkeypatch.setattr(coordinator.catalogue, "durations", lambda: took)
    done = [name for kind, name, _ in told(coordinator) if kind == "done"]
    assert done[0] == begins
    assert sorted(done) == ["alone", "first", "second", "third"]


def test_what_reads_unchanged_scraps_is_not_made_again(three, coordinator):
    run_batch(coordinator, workers=0)
    three.template("second", READS.format(name="first", own="second").replace("2 *", "1 + 1 *"))
    three.template("first", FIRST + "\nsame = 1")
    made = {name for kind, name, _ in told(coordinator) if kind == "done"}
    assert made == {"first", "second", "third"}
    three.template("first", FIRST + "\nother = 1")
    assert {name for kind, name, _ in told(coordinator) if kind == "done"} == {"first"}


def test_with_force_each_report_is_made_once_and_in_order(three, coordinator):
    run_batch(coordinator, workers=0)
    done = [name for kind, name, _ in told(coordinator, force=True) if kind == "done"]
    assert sorted(done) == ["alone", "first", "second", "third"]
    assert [name for name in done if name != "alone"] == ["first", "second", "third"]


def test_only_the_templates_that_are_asked_for_are_made(three, coordinator):
    run_batch(coordinator, workers=0)
    three.template("first", FIRST.replace("3", "5"))
    done = [name for kind, name, _ in told(coordinator, names=["first"]) if kind == "done"]
    assert done == ["first"]
    assert {p.template for p in coordinator.plan()} == {"second"}


def test_reports_of_days_come_after_those_of_their_shots(three, coordinator):
    three.shot(2)
    coordinator.sync_shots()
    three.template(
        "daily",
        "import ishtar\ntable = ishtar.open().day(day).table(['third.third'])",
        parameters="day: str = '2026-11-22'",
        sidecar="scope = 'day'\nafter = ['third']",
    )
    phases = read_templates(three.workspace.templates).phases()
    assert phases == [{"first", "second", "third", "alone"}, {"daily"}]
    made = run_batch(coordinator, workers=0)
    assert [d.receipt.template for d in made].index("daily") == len(made) - 1 == 8


@pytest.mark.parametrize("force", [False, True])
def test_a_shot_that_reads_what_its_day_gave_is_made_after_it_and_once(three, coordinator, force):
    three.template(
        "daily", "x = 1", parameters="day: str = ''", sidecar="scope='day'\nafter=['first']"
    )
    three.template("late", "x = 1", sidecar="after = ['daily', 'first']")
    made = [d.receipt.template for d in run_batch(coordinator, Selection(force=force), workers=0)]
    assert made.index("first") < made.index("daily") < made.index("late")
    assert sorted(made) == ["alone", "daily", "first", "late", "second", "third"]


def test_a_report_without_its_notebook_is_executed_anew_when_words_change(three, coordinator):
    made = {d.receipt.template: d for d in run_batch(coordinator, workers=0)}
    (three.workspace.reports / made["alone"].folder / "report.ipynb").unlink()
    path = three.workspace.templates / "alone.ipynb"
    path.write_text(path.read_text().replace("Some words", "Other words"))
    assert [name for kind, name, _ in told(coordinator) if kind == "done"] == ["alone"]
    assert (three.workspace.reports / made["alone"].folder / "report.ipynb").is_file()


ALL = """
import ishtar
from ishtar.report import glue
given = ishtar.open().scraps(shot)
glue("said", ", ".join(f"{s.name} {s.value}" for s in given))"""


def test_a_report_of_all_scraps_is_stale_when_one_arrives_and_not_by_its_own(factory, coordinator):
    first = factory.template("first", "raise ValueError('not yet')")
    factory.template("all", ALL, sidecar="after = ['first']")

    def said() -> list[str]:
        return [s.value for s in coordinator.catalogue.scraps(["00001"]) if s.name == "said"]

    run_batch(coordinator, workers=0)
    assert said() == [""]
    assert coordinator.plan() == []
    first.unlink()
    factory.template("first", FIRST)
    run_batch(coordinator, Selection(names=["first"]), workers=0)
    (planned,) = coordinator.plan()
    assert planned.template == "all"
    assert planned.reasons == ("stale: the list of scraps of first of shot 1 arrived",)
    run_batch(coordinator, workers=0)
    assert said() == ["first 3"]
    assert coordinator.plan() == []
    factory.template("first", FIRST + "\nglue('second', 4)")
    run_batch(coordinator, workers=0)
    assert said() == ["first 3, second 4"]
    assert coordinator.plan() == []


def test_what_a_template_waits_for_and_what_waits_for_it_is_known_along_the_chain(three):
    templates = read_templates(three.workspace.templates)
    assert templates.upstream("third") == {"first", "second"}
    assert templates.downstream("first") == {"second", "third"}
    assert templates.upstream("alone") == templates.downstream("alone") == set()


class Deadly:
    """Hands out work that ends its worker, instead of the first report ``bad``, ``times`` times."""

    def __init__(self, times: int) -> None:
        self.times = times

    def __call__(
        self, coordinator: Coordinator, pool: Executor, planned: Planned, job: Job
    ) -> Future[Done]:
        """Hand a job to a pool."""
        if planned.template == "bad" and self.times:
            self.times -= 1
            return pool.submit(os._exit, 1)  # type: ignore[arg-type]
        return submit(coordinator, pool, planned, job)


def cold(root: Path) -> Workspace:
    text = "[run]\nworkers = 2\nkernels = 'cold'\nsandbox = 'off'\n"
    (root / "ishtar.toml").write_text(text)
    return Workspace.at(root)


@pytest.mark.parametrize(("times", "state"), [(1, "skipped"), (3, "failed")])
def test_a_run_outlives_workers_that_die(factory, monkeypatch, times, state):
    factory.declare("nothing")
    for name in ("good", "bad", "other"):
        factory.template(name, "x = 1", sidecar="needs = ['nothing']")
    monkeypatch.setattr("runner.scheduling.scheduler.submit", Deadly(times))
    with Coordinator(cold(factory.workspace.root)) as coordinator:
        coordinator.sync_shots()
        made = run_batch(coordinator, workers=2)
    states = {d.receipt.template: d.receipt.state for d in made}
    assert states == {"good": "skipped", "bad": state, "other": "skipped"}


def test_an_error_that_no_report_can_tell_of_ends_the_run_and_is_told(
    factory, coordinator, monkeypatch: pytest.MonkeyPatch
):
    factory.template("first", "x = 1")

    def full(*_: object) -> Callable[..., None]:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runner.scheduling.dispatch.execute", full)
    with pytest.raises(OSError, match="No space left"):
        run_batch(coordinator, workers=0)


INTERRUPTED = """
import os, signal, sys, threading, time
from runner.cli import main
def interrupt():
    while not any(name.startswith(".tmp-") for name in os.listdir("reports")):
        time.sleep(0.05)
    time.sleep(0.5)
    os.kill(os.getpid(), signal.SIGINT)
signal.signal(signal.SIGINT, signal.default_int_handler)  # who runs in the background ignores it
os.makedirs("reports", exist_ok=True)
threading.Thread(target=interrupt, daemon=True).start()
main(["run", "--workers", "1"])
"""


def test_a_run_that_is_interrupted_leaves_no_half_report(factory):
    factory.template("slow", "import time; time.sleep(600)")
    root = cold(factory.workspace.root).root
    environment = {k: v for k, v in os.environ.items() if k != "ISHTAR_WORKSPACE"}
    ended = subprocess.run(
        [sys.executable, "-c", INTERRUPTED], cwd=root, env=environment, check=False, timeout=300
    )
    assert ended.returncode != 0
    assert list(factory.workspace.reports.iterdir()) == []


DAEMON = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        open({path!r}, "w").write(str(os.getpid()))
        time.sleep(600)
    os._exit(0)
while not os.path.exists({path!r}) or not open({path!r}).read(): time.sleep(0.01)"""


@pytest.mark.skipif(not LINUX, reason="orphans are adopted on Linux only")
def test_a_daemon_that_an_ordinary_kernel_left_ends_with_the_report(factory):
    path = factory.workspace.root / "pid"
    factory.template("daemon", DAEMON.format(path=str(path)))
    with Coordinator(cold(factory.workspace.root)) as coordinator:
        coordinator.sync_shots()
        (made,) = run_batch(coordinator, workers=1)
    assert made.receipt.state == "ok"
    assert not psutil.pid_exists(int(path.read_text()))


class Stumbling:
    """Hands out work that fails, for no fault of the report's, in the place of ``bad``."""

    def __init__(self, error: Exception) -> None:
        self.error = error

    def __call__(self, coordinator, pool, planned, job):
        if planned.template != "bad":
            return submit(coordinator, pool, planned, job)
        future: Future[Done] = Future()
        future.set_exception(self.error)
        return future


def test_a_report_that_cannot_be_made_ends_no_run(factory, monkeypatch):
    """Five of six reports were lost with one, and a traceback was all that was said."""
    factory.declare("nothing")
    for name in ("good", "bad", "other"):
        factory.template(name, "x = 1", sidecar="needs = ['nothing']")
    monkeypatch.setattr("runner.scheduling.scheduler.submit", Stumbling(RuntimeError("stumbled")))
    with Coordinator(cold(factory.workspace.root)) as coordinator:
        coordinator.sync_shots()
        with pytest.raises(ReportsNotMade, match=r"a report could not .*: RuntimeError: stum"):
            run_batch(coordinator, workers=2)
        made = {r.template for r in coordinator.catalogue.reports()}
        assert made == {"good", "other"}
        assert [p.template for p in coordinator.plan()] == ["bad"]


def test_what_concerns_all_ends_the_run_at_once(factory, monkeypatch):
    factory.template("bad", "x = 1")
    full = Stumbling(OSError(errno.ENOSPC, "No space left on device"))
    monkeypatch.setattr("runner.scheduling.scheduler.submit", full)
    with Coordinator(cold(factory.workspace.root)) as coordinator:
        coordinator.sync_shots()
        with pytest.raises(OSError, match="No space left"):
            run_batch(coordinator, workers=1)
