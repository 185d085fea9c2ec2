"""Workers: they come warm, they fail alone, and they end with the coordinator."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from runner.kernel.warm import owner
from runner.kernel.warm.owner import WarmServer
from runner.scheduling.batch import run_batch
from runner.scheduling.pool import open_pool
from tests.factory.warm_fakes import alive, kernels_from, printed, soon

pytestmark = pytest.mark.whole

COORDINATOR = """
import os, sys, time
from runner.scheduling.pool import open_pool
from runner.kernel.warm import owner
from runner.kernel.warm.owner import WarmServer
if __name__ == "__main__":
    with open_pool(2) as pool:
        print(*{pool.submit(os.getpid).result() for _ in range(4)}, flush=True)
        time.sleep(600)
"""


@pytest.mark.parametrize("workers", [0, 1])
def test_a_job_runs_and_its_error_comes_back(workers):
    with open_pool(workers) as pool:
        assert pool.submit(divmod, 7, 2).result() == (3, 1)
        with pytest.raises(ZeroDivisionError):
            pool.submit(divmod, 7, 0).result()
        assert (pool.submit(os.getpid).result() == os.getpid()) == (workers == 0)


@pytest.mark.long
def test_workers_end_when_the_coordinator_is_killed(tmp_path):
    script = tmp_path / "coordinator.py"
    script.write_text(COORDINATOR)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert all(psutil.pid_exists(pid) for pid in workers)
        process.kill()
    assert soon(lambda: not any(alive(pid) for pid in workers)), "workers are still there"


def test_workers_end_at_once_when_the_command_is_terminated(tmp_path):
    script = tmp_path / "coordinator.py"
    body = COORDINATOR.replace("time.sleep(600)", "pool.submit(time.sleep, 600).result()")
    script.write_text(
        "import signal\nsignal.signal(signal.SIGTERM, lambda *_: exec('raise SystemExit(143)'))\n"
        + body
    )
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = [int(pid) for pid in process.stdout.readline().split()]
        process.terminate()
        assert process.wait(120) == 143
    assert not any(alive(pid) for pid in workers)


def server_of_kernels() -> str | None:
    """Return the address at which a worker takes its kernels."""
    return owner.shared_address()


@pytest.mark.skipif(not owner.available(), reason="kernels are not forked here")
def test_workers_take_their_kernels_from_the_server_that_was_named_and_else_from_the_pools_own():
    with WarmServer() as named:
        with kernels_from(named.address), open_pool(1) as pool:
            assert pool.submit(server_of_kernels).result() == named.address
        with kernels_from(None), open_pool(1) as pool:
            own = pool.submit(server_of_kernels).result()
            assert own not in (None, named.address)
            assert Path(own).exists()
        assert not Path(own).exists()
        with kernels_from(named.address), open_pool(1, kernels="cold") as pool:
            assert pool.submit(server_of_kernels).result() is None


@pytest.mark.skipif(not owner.available(), reason="kernels are not forked here")
def test_a_report_is_made_with_a_kernel_of_the_pools_own_server(factory, coordinator):
    factory.template("where", "import os\nprint(os.getppid())")
    with kernels_from(None):
        (done,) = run_batch(coordinator, workers=1)
    assert done.receipt.state == "ok"
    server = int(printed(factory.notebook(done)))
    assert soon(lambda: not alive(server))  # it ended with the pool
