"""Templates that misbehave: a failed report with its reason, and nothing else comes to harm."""

from __future__ import annotations

import pytest

from runner.scheduling.dispatch import job_of
from tests.factory.warm_fakes import alive, soon

pytestmark = pytest.mark.whole

KINDS = ["warm", "cold"]
FILL = "held = []\nwhile True:\n    held.append(bytearray(b'x') * 20_000_000)"
FILL_BELOW = f"""
import os, time
if (child := os.fork()) == 0:
    os.setsid()
    {FILL.replace(chr(10), chr(10) + "    ")}
time.sleep(600)
"""
LEAVE_RUNNING = """
import subprocess, os
p = subprocess.Popen(["sleep", "600"], start_new_session=True)
print("left", p.pid, flush=True)
"""


def texts(notebook):
    """Return all that a notebook's cells have printed."""
    return "".join(o.get("text", "") for c in notebook.cells for o in c.get("outputs", []))


@pytest.mark.parametrize("kernels", KINDS)
@pytest.mark.parametrize(
    "code", [FILL, FILL_BELOW], ids=["kernel", "child in a session of its own"]
)
def test_a_report_that_fills_the_memory_is_ended_and_keeps_what_it_had(factory, code, kernels):
    factory.template("fills", "print('before')\n" + LEAVE_RUNNING, code, "print('after')")
    done = factory.run("fills", memory_mb=700.0, timeout_s=60.0, kernels=kernels)
    assert done.receipt.state == "failed"
    assert done.receipt.reason.startswith("MemoryLimit: the report took ")
    assert "over 700 MB" in done.receipt.reason
    said = texts(factory.notebook(done)).split()
    assert said[0] == "before"
    assert "after" not in said
    assert soon(lambda: not alive(int(said[2])))


def test_a_file_that_is_mapped_but_not_read_does_not_count(factory):
    code = "import numpy as np\nlarge = np.memmap('x', mode='w+', shape=(3_000_000_000,))"
    factory.template("maps", code, "large[0]")
    assert factory.run("maps", memory_mb=700.0).receipt.state == "ok"


@pytest.mark.parametrize("kernels", KINDS)
def test_a_report_that_sleeps_for_ever_ends_at_its_time_limit_with_all_that_it_started(
    factory, kernels
):
    factory.template("sleeps", LEAVE_RUNNING + "import time\ntime.sleep(600)")
    done, limit_s = factory.run_to_its_limit("sleeps", "left", kernels=kernels)
    assert (done.receipt.state, f"{limit_s:g} s" in done.receipt.reason) == ("timeout", True)
    assert soon(lambda: not alive(int(texts(factory.notebook(done)).split()[1])))


@pytest.mark.parametrize("kernels", KINDS)
def test_a_report_that_prints_without_end_is_ended_at_its_limit(factory, kernels):
    factory.template("floods", "line = 'x' * 1_000_000\nwhile True: print(line)")
    done = factory.run("floods", output_mb=2.0, memory_mb=1000.0, timeout_s=60.0, kernels=kernels)
    assert done.receipt.reason.startswith("OutputLimit: the report put out over 2 MB")
    folder = factory.workspace.reports / done.folder
    assert (folder / "report.ipynb").stat().st_size < 1_500_000


@pytest.mark.parametrize("kernels", KINDS)
def test_all_that_a_report_prints_at_once_is_kept_in_its_order(factory, kernels):
    code = """
import sys
for k in range(300):
    print(f"{k:05d}" + 19_994 * "x")
    if k % 100 == 0:
        print("error", k, file=sys.stderr)"""
    factory.template("much", code)
    notebook = factory.notebook(factory.run("much", kernels=kernels))
    outputs = [o for cell in notebook.cells for o in cell.get("outputs", [])]
    lines = "".join(o.text for o in outputs if o.name == "stdout").split()
    assert [line[:5] for line in lines] == [f"{k:05d}" for k in range(300)]
    assert {len(line) for line in lines} == {19_999}
    errors = "".join(o.text for o in outputs if o.name == "stderr")
    assert errors.split("\n") == ["error 0", "error 100", "error 200", ""]


@pytest.mark.parametrize("kernels", KINDS)
def test_how_a_kernel_died_is_told(factory, kernels):
    factory.template("exits", "import os; os._exit(3)")
    factory.template("crashes", "import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    exits = factory.run("exits", kernels=kernels).receipt
    assert (exits.state, "exit code 3" in exits.reason) == ("failed", True)
    assert "signal 11" in factory.run("crashes", kernels=kernels).receipt.reason


def test_a_report_that_forks_ends_with_its_child(factory):
    code = "import os, time\nif (pid := os.fork()) == 0:\n    time.sleep(600)\nprint(pid)"
    factory.template("forks", code)
    done = factory.run("forks")
    assert done.receipt.state == "ok"
    printed = texts(factory.notebook(done))  # newer Pythons warn of the fork on the lines behind
    assert soon(lambda: not alive(int(printed.split()[0])))


@pytest.mark.parametrize("folder", [".", ".."])
def test_a_report_that_removes_its_folder_has_failed(factory, folder):
    remove = f"import os, shutil\nshutil.rmtree(os.path.abspath({folder!r}), ignore_errors=True)"
    factory.template("removes", "print('before')", remove)
    done = factory.run("removes", sandbox="off")
    assert (done.receipt.state, "removed its working folder" in done.receipt.reason) == (
        "failed",
        True,
    )
    assert "before" in texts(factory.notebook(done))
    assert not list(factory.workspace.reports.glob(".tmp*"))


def test_a_bad_report_harms_no_other(factory):
    factory.template("fails", "1 / 0")
    factory.template("works", "print('fine')")
    assert factory.run("fails").receipt.reason.startswith("ZeroDivisionError")
    assert factory.run("works").receipt.state == "ok"


def test_the_limit_of_a_sidecar_goes_before_that_of_the_settings(factory, coordinator):
    factory.template("one", "1", sidecar="memory_mb = 1234")
    factory.template("two", "1")
    plan = {p.template: p for p in coordinator.plan()}
    templates = coordinator.templates()
    jobs = {name: job_of(coordinator, p, templates[name]) for name, p in plan.items()}
    assert jobs["one"].memory_mb == 1234
    assert jobs["two"].memory_mb == coordinator.settings.run.memory_limit_mb > 100
