"""A cluster: one result whatever is lost, and plain words where it cannot be used."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest
from distributed import LocalCluster

from ishtar.workspace import Workspace
from runner.errors import ClusterError, MissingExtra, SettingsError, WorkersLost
from runner.execution.execute import execute, place
from runner.jobs import Job
from runner.receipts import RECEIPT, Receipt, Subject
from runner.scheduling.batch import run_batch
from runner.scheduling.cluster import connection
from runner.scheduling.cluster.cluster_pool import open_cluster
from runner.scheduling.cluster.cluster_worker import WorkspaceLocation, check
from runner.scheduling.cluster.connection import Connection
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import make_failed_report
from runner.settings.file import PoolSettings, read_settings
from tests.factory.warm_fakes import alive, soon

pytestmark = pytest.mark.whole

COORDINATOR = """
import os, time
from runner.scheduling.cluster.cluster_pool import open_cluster
if __name__ == "__main__":
    with open_cluster(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, 600).result()
"""
GLUES = "from ishtar.report import glue; glue('a', 1)"


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Give the address of a scheduler with a worker."""
    with LocalCluster(
        n_workers=1,
        threads_per_worker=1,
        dashboard_address=None,
        memory_limit="1GB",
        scheduler_kwargs={"allowed_failures": 0, "dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        yield cluster.scheduler_address


def job(factory: Any, template: str, **kw: Any) -> Job:
    """Return the work order for a template on shot 1."""
    root = str(factory.workspace.root)
    return Job(root=root, subject=Subject.shot(1), template=template, **kw)


def left(factory: Any) -> list[str]:
    """Return the names in the folder of reports, temporary ones too."""
    return sorted(p.name for p in factory.workspace.reports.iterdir())


# --- one result -----------------------------------------------------------------------------------


@pytest.mark.long
def test_workers_may_see_the_workspace_elsewhere_and_say_what_a_report_may_take(
    factory, scheduler, tmp_path
):
    mount = tmp_path / "mount"
    mount.symlink_to(factory.workspace.root)
    factory.template("where", "import os; print(os.environ['ISHTAR_WORKSPACE'])", GLUES)
    factory.template("greedy", "held = b'x' * 900_000_000\nimport time; time.sleep(60)")
    settings = PoolSettings(kind="dask", scheduler=scheduler, root_on_workers=str(mount))
    with open_cluster(1, settings=settings, root=factory.workspace.root) as pool:
        done = pool.submit(execute, job(factory, "where")).result()
        assert pool.workers == 1
        greedy = pool.submit(execute, job(factory, "greedy")).result()
    assert (done.receipt.state, done.staged) == ("ok", "")
    printed = factory.notebook(done).cells[-2].outputs[0].text
    assert Path(printed.strip()) == mount
    assert "over 750 MB" in greedy.receipt.reason
    assert left(factory) == ["00001"]


def test_of_two_workers_that_make_the_same_report_one_gives_it(factory):
    factory.template("double", GLUES)
    order = job(factory, "double", staged=True, given_up="needs no kernel")
    first, second = execute(order), execute(order)
    assert first.folder == second.folder
    assert first.staged != second.staged
    assert len(left(factory)) == 2
    placed = place(factory.workspace.reports, second)
    receipt = factory.workspace.reports / placed.folder / RECEIPT
    assert Receipt.from_json(receipt.read_text()) == second.receipt
    with pytest.raises(FileNotFoundError):
        place(factory.workspace.reports, second)
    assert receipt.exists()
    with Coordinator(factory.workspace) as coordinator:
        assert coordinator.clear_leftovers() == 1
    assert left(factory) == ["00001"]


def test_a_job_that_ends_every_worker_becomes_a_failed_report_and_is_not_tried_again(
    factory, scheduler
):
    factory.template("deadly", GLUES)
    with (
        open_cluster(1, settings=PoolSettings(kind="dask", scheduler=scheduler)) as pool,
        pytest.raises(WorkersLost, match="1 workers ended while they ran it") as lost,
    ):
        pool.submit(os._exit, 3).result()
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        done = make_failed_report(job(factory, "deadly"), lost.value)
        coordinator.note_report(done)
        assert (done.receipt.state, done.receipt.reason) == ("failed", str(lost.value))
        assert coordinator.plan() == []
        assert [c.get("outputs") for c in factory.notebook(done).cells[1:]] == [[], [], []]


class Losing(Executor):
    """Does one job and loses the cluster."""

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Do the first job."""
        future: Future[Any] = Future()
        if args[0].template == "first":
            future.set_result(fn(replace(args[0], given_up="needs no kernel"), **kwargs))
        else:
            future.set_exception(ClusterError("the scheduler was lost: start it again"))
        return future


def test_what_was_done_is_noted_when_the_scheduler_is_lost(factory, coordinator):
    factory.template("before", GLUES)
    factory.template("first", GLUES)
    with pytest.raises(ClusterError, match="start it again"):
        run_batch(coordinator, pool=Losing())
    assert [r.template for r in coordinator.catalogue.reports()] == ["first"]
    assert [p.template for p in coordinator.plan()] == ["before"]


# --- lost and found -------------------------------------------------------------------------------


def start_scheduler(file: Path) -> subprocess.Popen[bytes]:
    """Start a scheduler without workers that writes its address into a file."""
    command = [sys.executable, "-m", "dask", "scheduler", "--no-dashboard", "--port", "0"]
    process = subprocess.Popen(
        [*command, "--host", "127.0.0.1", "--scheduler-file", file], stderr=subprocess.DEVNULL
    )
    assert soon(file.exists)
    return process


@pytest.mark.long
def test_a_scheduler_that_is_lost_is_told_and_found_again_where_its_file_says(
    tmp_path, monkeypatch
):
    monkeypatch.setattr(connection, "RETRY_S", 0.0)
    file = tmp_path / "scheduler.json"
    settings = PoolSettings(kind="dask", scheduler=file.name)
    (tmp_path / "data").mkdir()
    with open_cluster(1, settings=settings, root=tmp_path) as pool:
        with pytest.raises(
            ClusterError, match=r"dask scheduler --scheduler-file .*scheduler\.json"
        ):
            pool.submit(divmod, 7, 2).result(120)
        for _ in range(2):
            with start_scheduler(file) as process:
                future = pool.submit(divmod, 7, 2)
                assert soon(lambda f=future: f.running() or f.done())
                time.sleep(0.5)  # on its way, as there is no worker
                assert not future.done()
                process.kill()
                with pytest.raises(ClusterError, match="finished ones are noted"):
                    future.result(120)
            file.unlink()


def test_a_scheduler_that_does_not_answer_is_asked_again_after_a_while_only(monkeypatch):
    monkeypatch.setattr(connection, "CONNECT_S", 0.2)
    way = Connection("tcp://127.0.0.1:9")
    with pytest.raises(ClusterError, match=r"does not answer .*correct scheduler in"):
        way.client()
    monkeypatch.setattr(connection, "CONNECT_S", 60.0)
    with pytest.raises(ClusterError, match="does not answer"):
        way.client()
    assert way.workers() == 0
    way.close()


@pytest.mark.long
def test_nothing_is_left_of_a_cluster_of_our_own_when_the_run_is_ended():
    before = {p.pid for p in psutil.Process().children(recursive=True)}
    with suppress(KeyboardInterrupt), open_cluster(1) as pool:
        worker = pool.submit(os.getpid).result()
        future = pool.submit(time.sleep, 600)
        assert soon(future.running)
        raise KeyboardInterrupt
    assert isinstance(future.exception(120), ClusterError)
    assert soon(lambda: not alive(worker))
    after = {p.pid for p in psutil.Process().children(recursive=True) if helper(p) is False}
    assert after <= before


def helper(process: psutil.Process) -> bool:
    """Tell whether a process is that of Python's own, which stays until this one ends."""
    return "resource_tracker" in " ".join(process.cmdline())


@pytest.mark.long
def test_workers_end_when_the_coordinator_is_killed(tmp_path):
    script = tmp_path / "coordinator.py"
    script.write_text(COORDINATOR)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        worker = int(process.stdout.readline())
        assert alive(worker)
        process.send_signal(signal.SIGKILL)
    assert soon(lambda: not alive(worker))


# --- what cannot work -----------------------------------------------------------------------------


def test_a_worker_that_does_not_see_the_workspace_says_so_and_what_to_set(factory, scheduler):
    settings = PoolSettings(kind="dask", scheduler=scheduler, root_on_workers="/not/mounted")
    factory.template("first", GLUES)
    with (
        open_cluster(1, settings=settings, root=factory.workspace.root) as pool,
        pytest.raises(ClusterError, match=r"see the workspace at /not/mounted.*root_on_workers"),
    ):
        pool.submit(execute, job(factory, "first")).result()


def test_a_worker_that_sees_another_workspace_is_not_used(tmp_path):
    for name in ("here", "there"):
        (tmp_path / name / "data").mkdir(parents=True)
    WorkspaceLocation.of(tmp_path / "there")
    home = WorkspaceLocation.of(tmp_path / "here", str(tmp_path / "there"))
    with pytest.raises(ClusterError, match="sees another workspace"):
        check(home, "tcp://node1:1234", 1)
    check(WorkspaceLocation.of(tmp_path / "here"), "tcp://node1:1234", 1)
    assert WorkspaceLocation.of(tmp_path / "here").token == home.token


def test_a_worker_of_another_version_or_with_threads_is_not_used(tmp_path):
    (tmp_path / "data").mkdir()
    home = WorkspaceLocation.of(tmp_path)
    with pytest.raises(ClusterError, match=r"ishtar 0\.0\.0.*install the same on both"):
        check(replace(home, version="ishtar 0.0.0, Python 3.11.0"), "tcp://node1:1234", 1)
    with pytest.raises(ClusterError, match=r"takes 4 jobs at once.*--nthreads 1"):
        check(home, "tcp://node1:1234", 4)


def test_without_dask_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "distributed", None)
    with open_cluster(1) as pool, pytest.raises(MissingExtra, match=r"ishtar-testbed\[cluster\]"):
        pool.submit(divmod, 7, 2).result()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('kind = "slurm"', "must be one of local, inline, dask"),
        ('scheduler = "tcp://a:1"', "needs kind = 'dask'"),
        ('kind = "dask"\nworkers = 4', "need a scheduler"),
        ('kind = "dask"\nscheduler = "a"\nroot_on_workers = "x"', "must begin with /"),
        ('kind = "dask"\nscheduler = "a"\nworkers = -1', "must not be negative"),
    ],
)
def test_settings_that_make_no_sense_are_refused(tmp_path, text, words):
    (tmp_path / "ishtar.toml").write_text(f"[pool]\n{text}\n")
    with pytest.raises(SettingsError, match=words):
        read_settings(Workspace.at(tmp_path))


def test_on_other_machines_the_limit_on_memory_is_theirs_and_the_catalogue_has_no_shared_memory(
    factory,
):
    (factory.workspace.root / "ishtar.toml").write_text(
        '[pool]\nkind = "dask"\nscheduler = "tcp://a:1"\n'
    )
    with Coordinator(Workspace.at(factory.workspace.root)) as coordinator:
        assert coordinator.settings.memory_limit_mb == 0
        coordinator.sync_shots()
        names = {p.name for p in coordinator.workspace.catalogue.parent.glob("catalogue*")}
    assert names == {"catalogue.sqlite"}
