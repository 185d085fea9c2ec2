"""Workers: they come warm, they fail alone, and they end with the coordinator."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import psutil
import pytest

from runner.pool import open_pool
from tests.factory.warm_fakes import alive

COORDINATOR = """
import os, sys, time
from runner.pool import open_pool
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


def test_workers_end_when_the_coordinator_is_killed(tmp_path):
    script = tmp_path / "coordinator.py"
    script.write_text(COORDINATOR)
    with subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        workers = [int(pid) for pid in process.stdout.readline().split()]
        assert all(psutil.pid_exists(pid) for pid in workers)
        process.kill()
    deadline = time.monotonic() + 20
    while any(alive(pid) for pid in workers):
        assert time.monotonic() < deadline, "workers are still there"
        time.sleep(0.05)


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
        assert process.wait(20) == 143
    assert not any(alive(pid) for pid in workers)
