"""What a report can change: its own folder, and nothing else where the system sees to it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from ishtar.lineage.record import recording
from ishtar.shots.testbed import Testbed
from runner.execution.working_folder import FolderTampered, WorkingFolder
from runner.kernel import sandbox
from runner.kernel.sandbox import VARIABLE, what_holds
from runner.kernel.warm import owner
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.dispatch import job_of
from runner.settings.file import RunSettings

pytestmark = pytest.mark.whole

HELD = bool(sandbox.abi())  # the tests hold on systems without Landlock, too
TRY = """
import os, shutil, signal, subprocess, sys, tempfile
root = os.environ["ISHTAR_WORKSPACE"]
def attempt(f):
    try:
        f()
    except OSError as error:
        return type(error).__name__
    return "done"
def program(*words):
    return subprocess.run(words, stderr=subprocess.DEVNULL).returncode != 0 and 1 / 0
"""
GLUE = "from ishtar.report import glue\nglue('found', {expression})"
OUTSIDE = {
    "a file of the workspace": "attempt(lambda: open(f'{root}/ishtar.toml', 'a'))",
    "a new file": "attempt(lambda: open(f'{root}/data/new', 'w'))",
    "another report": "attempt(lambda: os.mkdir(f'{root}/reports/00001'))",
    "a raw file": "attempt(lambda: os.remove(f'{root}/data/shots/00001/00001_Data.tdms.h5'))",
    "by renaming": "attempt(lambda: os.rename(f'{root}/templates_nb', f'{root}/gone'))",
    "by a link": "attempt(lambda: (os.symlink(root, 'way'), open('way/data/new', 'w')))",
    "by truncating": "attempt(lambda: os.truncate(f'{root}/ishtar.toml', 0))",
    "its own record": "attempt(lambda: os.remove(os.environ['ISHTAR_LINEAGE']))",
    "the environment": (
        "attempt(lambda: open(os.path.dirname(os.__file__) + '/site-packages/new.py', 'w'))"
    ),
}
WITHIN = {
    "a file": "attempt(lambda: open('a', 'w').write('x'))",
    "a folder, and away again": "attempt(lambda: (os.mkdir('b'), os.rename('b', 'c')))",
    "a temporary file": "attempt(lambda: tempfile.NamedTemporaryFile().write(b'x'))",
    "nothing": "attempt(lambda: open(os.devnull, 'w').write('x'))",
    "a file of a program": "attempt(lambda: subprocess.run(['touch', 'd'], check=True))",
    "reading": "attempt(lambda: open(f'{root}/ishtar.toml').read())",
    "semaphores": "attempt(lambda: __import__('multiprocessing').Lock())",
    "its own process": "attempt(lambda: os.kill(os.getpid(), 0))",
}


@pytest.fixture
def tried(factory):
    """Give a function that runs expressions in a report and returns what they found."""

    def run(expressions, **job):
        glued = [GLUE.format(expression=e).replace("found", n) for n, e in expressions.items()]
        factory.template("tries", TRY, *glued)
        factory.shot(1)
        receipt = factory.run("tries", **job).receipt
        return receipt, {s.name: s.value for s in receipt.scraps}

    return run


@pytest.mark.parametrize("kernels", ["warm", "cold"])
def test_a_report_writes_in_its_folder_and_nowhere_else(factory, tried, kernels):
    settings = factory.workspace.root / "ishtar.toml"
    before = settings.read_text()
    outside = OUTSIDE if HELD else {}
    receipt, found = tried(outside | WITHIN, kernels=kernels)
    assert receipt.state == "ok", receipt.reason
    assert found == dict.fromkeys(outside, "PermissionError") | dict.fromkeys(WITHIN, "done")
    assert receipt.sandbox == what_holds("auto")
    assert settings.read_text() == before
    assert list(factory.workspace.shot_folder(1).glob("*.h5"))


@pytest.mark.long
def test_a_report_cannot_end_the_service_or_install_packages(factory, tried, tmp_path):
    """What it starts itself, it can end."""
    package = tmp_path / "package"
    package.mkdir()
    (package / "pyproject.toml").write_text("[project]\nname = 'ishtar-x'\nversion = '1'\n")
    installs = (
        f"attempt(lambda: subprocess.run([sys.executable, '-m', 'pip', 'install', '--no-index', "
        f"'--no-deps', '--no-build-isolation', '--target', {str(tmp_path / 'there')!r}, "
        f"{str(package)!r}], check=True, capture_output=True))"
    )
    child = "attempt(lambda: subprocess.Popen(['sleep', '100']).kill())"
    parent = "attempt(lambda: os.kill(os.getppid(), 0))"
    held = {"parent": parent} if sandbox.abi() >= 6 else {}
    receipt, found = tried({**held, "child": child})
    assert (receipt.state, found["child"]) == ("ok", "done")
    assert found.get("parent", "PermissionError") == "PermissionError"
    if HELD:
        receipt, _ = tried({"x": installs})
        assert receipt.state == "failed"  # pip says no more than that it failed
        assert not (tmp_path / "there").exists()


@pytest.mark.skipif(not owner.available(), reason="there are no kernel servers")
def test_a_report_gets_no_kernel_from_the_server_which_would_be_held_by_nothing(factory, tried):
    """A kernel is held if its order says so, and the order is whose who connects."""
    ask = (
        "import json, socket\n"
        "def ask():\n"
        "    s = socket.socket(socket.AF_UNIX)\n"
        f"    s.connect({owner.shared_address()!r})\n"
        "    s.sendall(json.dumps({'cwd': root, 'env': {}}).encode() + b'\\n')\n"
        "    return s.recv(100).decode()\n"
    )
    program = f"{TRY}\n{ask}\nprint(ask())"
    ways = {
        "itself": "attempt_text(ask)",
        "by_a_program": (
            "attempt_text(lambda: subprocess.run([sys.executable, 'p.py'], "
            "capture_output=True, check=True, text=True).stdout)"
        ),
    }
    text = (
        "def attempt_text(f):\n"
        "    try:\n"
        "        return f().strip()\n"
        "    except (OSError, subprocess.SubprocessError):\n"
        "        return ''\n"
    )
    cells = [f"{TRY}\n{ask}\n{text}\nopen('p.py', 'w').write({program!r})"]
    cells += [GLUE.format(expression=e).replace("found", n) for n, e in ways.items()]
    factory.template("asks", *cells)
    receipt = factory.run("asks").receipt
    assert receipt.state == "ok", receipt.reason
    assert {s.name: s.value for s in receipt.scraps} == {"itself": "", "by_a_program": ""}
    again = factory.run("asks").receipt
    assert again.state == "ok", again.reason  # the server serves its owner as before


@pytest.mark.parametrize("kernels", ["warm", "cold"])
def test_a_report_that_writes_to_what_is_closed_gets_an_error(factory, kernels):
    cell = (
        "import os\nr, w = os.pipe()\nos.close(r)\n"
        "try:\n    os.write(w, b'x')\nexcept BrokenPipeError:\n    seen = True\nassert seen"
    )
    factory.template("x", cell)
    receipt = factory.run("x", kernels=kernels).receipt
    assert receipt.state == "ok", receipt.reason


@pytest.mark.parametrize("kernels", ["warm", "cold"])
def test_a_report_imports_a_file_that_it_has_written(factory, kernels):
    factory.template(
        "x", "open('helper.py', 'w').write('x = 4')\nimport helper\nassert helper.x == 4"
    )
    receipt = factory.run("x", kernels=kernels).receipt
    assert receipt.state == "ok", receipt.reason


def test_a_report_still_reads_through_the_library_while_nobody_writes_the_catalogue(factory):
    factory.template("reads", "import ishtar\ntb = ishtar.open()\nprint(tb.shots('shot == 1'))")
    factory.shot(1)
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
    assert not factory.workspace.catalogue.with_name("catalogue.sqlite-wal").exists()
    receipt = factory.run("reads").receipt
    assert (receipt.state, receipt.reason) == ("ok", "")
    with recording() as recorder:
        Testbed(factory.workspace).shots("shot == 1")
    assert {i for i in recorder.inputs if i.kind == "shots"} <= set(receipt.inputs)


def test_it_can_be_switched_off_and_the_receipt_says_so(tried, factory):
    receipt, found = tried({"new": OUTSIDE["a new file"]}, sandbox="off")
    assert found == {"new": "done"}
    assert receipt.sandbox == "none: switched off"


def test_the_setting_goes_with_the_job_and_nothing_else_is_one(factory):
    factory.template("quiet", "1")
    factory.shot(1)
    with Coordinator(factory.unbounded().workspace) as coordinator:
        coordinator.sync_shots()
        (planned,) = coordinator.plan()
        assert job_of(coordinator, planned, coordinator.templates()["quiet"]).sandbox == "off"
    with pytest.raises(ValueError, match="must be one of auto, off"):
        RunSettings(sandbox="on")


def test_an_environment_that_changed_during_a_run_is_in_its_receipt(factory, monkeypatch):
    factory.template("quiet", "1")
    factory.shot(1)
    assert "changed" not in factory.run("quiet").receipt.environment
    stamps = iter([(1,), (2,)])
    monkeypatch.setattr(sandbox, "installed", lambda: next(stamps))
    changed = factory.run("quiet").receipt.environment["changed"]
    assert changed == "packages were installed or removed while it ran"


def test_a_package_that_is_installed_changes_the_environment(tmp_path, monkeypatch):
    monkeypatch.setattr(sandbox.sysconfig, "get_path", lambda name: str(tmp_path))
    before = sandbox.installed()
    os.utime(tmp_path, ns=(1, 1))
    assert sandbox.installed() != before


def test_a_kernel_that_cannot_be_held_runs_nothing(tmp_path):
    """Never open instead: the rules are refused here, because a path lies below a file."""
    code = (
        "import sys\nfrom pathlib import Path\nfrom runner.kernel import sandbox\n"
        "sandbox._CREATE_RULESET = 10**6\n"
        f"sandbox.enter({{{VARIABLE!r}: {str(tmp_path)!r}}}, Path({str(tmp_path / 't')!r}))\n"
        "print('open')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode != 0
    assert "Landlock" in done.stderr
    assert "open" not in done.stdout


# What is planted where nothing holds a report


PLANTED = {
    "its notebook": "os.symlink(f'{root}/victim', '../report.ipynb')",
    "its figures": "os.symlink(f'{root}/victims', '../figures')",
    "its page": "os.symlink(f'{root}/victim', '../report.html')",
    "its receipt": "os.symlink(f'{root}/victim', '../receipt.json')",
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_link_leads_nowhere(factory, what):
    victims = factory.workspace.root / "victims"
    victims.mkdir()
    (factory.workspace.root / "victim").write_text("whole")
    draw = "import matplotlib.pyplot as plt\nplt.plot([1, 2]);"
    factory.template("plants", TRY, PLANTED[what], draw)
    factory.shot(1)
    done = factory.run("plants", sandbox="off")
    assert done.receipt.state == "ok", done.receipt.reason
    folder = factory.workspace.reports / done.folder
    assert [p for p in folder.rglob("*") if p.is_symlink()] == []
    assert (folder / "report.ipynb").is_file()
    assert list((folder / "figures").iterdir())
    assert list(victims.iterdir()) == []
    assert (factory.workspace.root / "victim").read_text() == "whole"


def test_a_report_that_puts_another_folder_in_the_place_of_its_own_has_failed(factory):
    factory.template(
        "swaps",
        TRY,
        "here = os.path.dirname(os.getcwd())\nos.rename(here, f'{root}/aside')\n"
        "os.makedirs(f'{root}/victims')\nos.symlink(f'{root}/victims', here)",
    )
    factory.shot(1)
    done = factory.run("swaps", sandbox="off")
    assert done.receipt.state == "failed"
    assert ": a report must leave its folder alone" in done.receipt.reason
    assert list((factory.workspace.root / "victims").iterdir()) == []
    assert [p.name for p in factory.workspace.reports.iterdir() if p.is_symlink()] == []


def test_a_report_that_removes_its_record_has_failed(factory):
    factory.template("forgets", TRY, "os.remove(os.environ['ISHTAR_LINEAGE'])")
    factory.shot(1)
    receipt = factory.run("forgets", sandbox="off").receipt
    assert (receipt.state, receipt.reason) == (
        "failed",
        "the report removed the record of what it read",
    )


def test_a_working_folder_settles_what_is_its_own(tmp_path):
    folder = WorkingFolder(tmp_path, "x-")
    (folder.path / "link").symlink_to("/etc")
    (folder.path / "more").mkdir()
    (folder.work / "a").write_text("mine")
    assert folder.clean_up() == ""
    assert sorted(p.name for p in folder.path.iterdir()) == ["inputs.jsonl", "work"]
    assert (folder.work / "a").read_text() == "mine"
    folder.path.rename(tmp_path / "away")
    (tmp_path / folder.path.name).symlink_to(tmp_path / "away")
    with pytest.raises(FolderTampered):
        folder.clean_up()
    folder.remove()
    assert (tmp_path / "away" / "work" / "a").read_text() == "mine"
