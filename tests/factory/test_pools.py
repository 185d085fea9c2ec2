"""Every kind of pool keeps the same contract: jobs run, fail, wait and end alike."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from concurrent.futures import Executor, as_completed
from pathlib import Path

import pytest
from distributed import LocalCluster

from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.pool import POOLS, jobs_at_once, open_pool
from runner.settings.file import POOL_KINDS, PoolSettings
from tests.factory.warm_fakes import alive, soon

pytestmark = pytest.mark.whole


@pytest.fixture
def factory(factory):
    """Give the workspace with reports that may write and kill anywhere."""
    return factory.unbounded()


KILLS_ITS_WORKER_ONCE = """
import os, signal
from pathlib import Path
tried = Path(os.environ["ISHTAR_WORKSPACE"]) / "tried"
if not tried.exists():
    tried.touch()
    os.kill(os.getppid(), signal.SIGKILL)
"""


side_by_side = pytest.mark.parametrize("kind", ["local", "dask"], indirect=True)


@pytest.fixture(scope="module")
def scheduler() -> Iterator[str]:
    """Give the address of a scheduler with two workers."""
    with LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        dashboard_address=None,
        scheduler_kwargs={"allowed_failures": 2, "dashboard_address": "127.0.0.1:0"},
    ) as cluster:
        yield cluster.scheduler_address


@pytest.fixture(params=POOL_KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Give each kind of pool."""
    return str(request.param)


@pytest.fixture
def pool_settings(kind: str, request: pytest.FixtureRequest) -> PoolSettings:
    """Give the settings of a kind; the cluster is that of the module."""
    if kind != "dask":
        return PoolSettings(kind=kind)
    return PoolSettings(kind=kind, scheduler=request.getfixturevalue("scheduler"), workers=2)


@pytest.fixture
def pool(pool_settings: PoolSettings) -> Iterator[Executor]:
    """Give a pool of two workers."""
    with open_pool(2, kernels="cold", settings=pool_settings) as found:
        yield found


def wait_for(path: str) -> int:
    """Work until a file is there."""
    while not Path(path).exists():
        time.sleep(0.01)
    return os.getpid()


def test_every_kind_that_can_be_set_is_there():
    assert tuple(sorted(POOLS)) == tuple(sorted(POOL_KINDS))


def test_a_job_runs_and_its_error_comes_back(pool, kind):
    assert pool.submit(divmod, 7, 2).result() == (3, 1)
    with pytest.raises(ZeroDivisionError):
        pool.submit(divmod, 7, 0).result()
    with pytest.raises(TimeoutError, match="of its own"):
        pool.submit(raise_, TimeoutError("of its own")).result()
    assert (pool.submit(os.getpid).result() == os.getpid()) == (kind == "inline")


def raise_(error: Exception) -> None:
    """Fail."""
    raise error


@side_by_side
def test_jobs_run_side_by_side_and_are_told_as_they_are_done(pool, tmp_path):
    assert jobs_at_once(pool, 2) == 2
    go = tmp_path / "go"
    slow, quick = pool.submit(wait_for, str(go)), pool.submit(divmod, 7, 2)
    done = as_completed([slow, quick])
    assert next(done) is quick
    go.touch()
    assert next(done) is slow


@side_by_side
def test_a_job_that_waits_can_be_cancelled_and_one_that_runs_is_finished(pool, tmp_path):
    go = tmp_path / "go"
    jobs = [pool.submit(wait_for, str(go)) for _ in range(8)]
    assert soon(jobs[0].running)
    assert jobs[-1].cancel()
    assert not jobs[0].cancel()
    go.touch()
    assert {alive(j.result()) for j in jobs[:-1]} == {True}


@side_by_side
def test_a_report_whose_worker_is_killed_is_made_all_the_same_and_once(
    factory, pool_settings, kind
):
    factory.template(
        "unlucky", KILLS_ITS_WORKER_ONCE, "from ishtar.report import glue; glue('a', 1)"
    )
    scheduler = f"scheduler = {pool_settings.scheduler!r}" if pool_settings.scheduler else ""
    with (factory.workspace.root / "ishtar.toml").open("a") as f:
        f.write(f'\n[pool]\nkind = "{kind}"\n{scheduler}\n')
    text = (factory.workspace.root / "ishtar.toml").read_text()
    text = text.replace("[run]", '[run]\nkernels = "cold"')
    (factory.workspace.root / "ishtar.toml").write_text(text)
    with Coordinator(type(factory.workspace).at(factory.workspace.root)) as coordinator:
        coordinator.sync_shots()
        (done,) = run_batch(coordinator, workers=1)
        assert (done.receipt.state, done.receipt.scraps[0].value) == ("ok", 1)
        assert coordinator.plan() == []
    folder = factory.workspace.reports / "00001" / "unlucky"
    assert [p.name for p in folder.iterdir()] == [done.receipt.digest]
