"""A fresh workspace is sound; each fault is named, with what to do about it."""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections import namedtuple
from collections.abc import Callable
from pathlib import Path

import pytest

from ishtar.workspace import Workspace
from runner.cli import main
from runner.workspaces import doctor
from runner.workspaces.new_workspace import make_workspace

pytestmark = pytest.mark.whole

ROOT = Path(__file__).parents[2]
REAL_KERNEL = doctor._kernel
Usage = namedtuple("Usage", "total used free")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no kernel: that takes seconds, and has tests of its own."""
    monkeypatch.setattr(doctor, "_kernel", lambda: "a notebook runs")
    monkeypatch.delenv("ISHTAR_WORKSPACE", raising=False)


@pytest.fixture
def fresh(tmp_path: Path, quick: None, monkeypatch: pytest.MonkeyPatch) -> Workspace:
    """An empty workspace, as `ishtar init --empty` makes it; it is the current folder."""
    made = make_workspace(tmp_path / "ws", facility="New", empty=True)
    monkeypatch.chdir(made.root)
    return made


@pytest.fixture
def call(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[object, str]]:
    """Give a function that asks the doctor: exit code and output."""

    def run(*arguments: str) -> tuple[object, str]:
        with pytest.raises(SystemExit) as ended:
            main(["doctor", *arguments])
        return ended.value.code, capsys.readouterr().out

    return run


def faults(out: str) -> dict[str, str]:
    """Return what is wrong, by the name of the check."""
    return {r["check"]: r["found"] for r in json.loads(out) if r["state"] == "wrong"}


# --- nothing is wrong


@pytest.mark.parametrize("empty", [True, False])
def test_a_fresh_workspace_is_ok_and_says_what_is_not_there_yet(
    tmp_path, quick, monkeypatch, call, empty
):
    monkeypatch.chdir(make_workspace(tmp_path / "ws", facility="New", empty=empty).root)
    code, out = call()
    assert code == 0
    assert "wrong" not in out.replace("nothing is wrong", "")
    assert out.splitlines()[-1] == "ok: nothing is wrong"
    found = {r["check"]: r["found"] for r in json.loads(call("--json")[1])}
    assert found["catalogue"] == "none yet: created with the first shot"
    assert found["site"] == "none yet: `ishtar publish` builds it"
    assert found["service"] == "not running: start `ishtar watch`"
    assert found["quarantine"] == "empty"


def test_the_root_of_the_repository_is_ok_without_a_shot(tmp_path, quick, monkeypatch, call):
    for name in ("calibrations", "templates_nb"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copyfile(ROOT / "ishtar.toml", tmp_path / "ishtar.toml")
    monkeypatch.chdir(tmp_path)  # which has no data, no reports, no site
    assert call()[0] == 0
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        *("calibrations", "ishtar.toml", "templates_nb")  # looking leaves nothing behind
    ]


def test_a_folder_without_any_template_or_signal_is_ok(fresh, call):
    shutil.rmtree(fresh.templates)
    fresh.templates.mkdir()
    (fresh.calibrations / "signals.toml").unlink()
    code, out = call("--json")
    assert (code, faults(out)) == (0, {})
    assert "`ishtar template new NAME` writes one" in out


def test_a_file_that_waits_is_no_fault(fresh, call):
    (fresh.incoming / "0042_power.lvm").write_text("x")
    (fresh.incoming / ".hidden").write_text("x")
    code, out = call()
    assert code == 0
    assert "1 file waiting: `ishtar watch` ingests them" in out


# --- something is wrong


def toml(text: str) -> Callable[[Workspace], object]:
    return lambda ws: (ws.root / "ishtar.toml").write_text(text, encoding="utf-8")


def garbage_catalogue(ws: Workspace) -> None:
    ws.catalogue.write_text("garbage, and no database at all")


def link_to_nowhere(ws: Workspace) -> None:
    shutil.rmtree(ws.root / "data")
    (ws.root / "data").symlink_to("/nowhere/at/all")


def a_file_in_place_of_reports(ws: Workspace) -> None:
    ws.reports.rmdir()
    ws.reports.write_text("")


def nowhere_to_write(ws: Workspace) -> None:
    ws.reports.rmdir()
    ws.reports.symlink_to("/proc/self")  # where not even root can make a file


def two_bad_templates(ws: Workspace) -> None:
    (ws.templates / "broken.ipynb").write_text("{}")
    (ws.templates / "channels.toml").write_text('needs = ["RF_Q"]\n')


def many_bad_texts(ws: Workspace) -> None:
    for k in range(5):
        (ws.calibrations / f"devices/d{k}.toml").write_text("colour = 1\n")


def in_quarantine(ws: Workspace) -> None:
    ws.quarantine.mkdir()
    (ws.quarantine / "x.tdms").write_text("x")
    (ws.quarantine / "x.tdms.reason.json").write_text('{"reason": "it ends early"}')


def broken_converter(ws: Workspace) -> None:
    (ws.root / "our.py").write_text("1 / 0\n")
    toml('[ingest]\nconverters = ["our:Scope"]\n')(ws)


def shots_without_catalogue(ws: Workspace) -> None:
    folder = ws.shot_folder(42)
    folder.mkdir(parents=True)
    (folder / "a.h5").write_text("")


@pytest.mark.parametrize(
    ("harm", "check", "words"),
    [
        (toml("[[["), "workspace", ["ishtar.toml", "line 1", "correct it"]),
        (lambda ws: (ws.root / "ishtar.toml").write_bytes(b"\xff"), "workspace", ["utf-8"]),
        (toml("[ingest]\nsetle_s = 1"), "settings", ["did you mean 'settle_s'"]),
        (toml("[ingest]\nsettle_s = 'x'"), "settings", ["has the wrong type"]),
        (toml("[ingest]\ntimezone = 'Mars/X'"), "settings", ["'Mars/X' is not a time zone"]),
        (toml("[watch]\nday_summary_at = '25:00'"), "settings", ["write it as 21:00"]),
        (toml("[facility]\nlogo = 'no.png'"), "settings", ["no.png is not in the workspace"]),
        (toml("[ingest]\nconverters = ['nope:X']"), "settings", ["'nope:X' cannot be loaded"]),
        (broken_converter, "settings", ["ZeroDivisionError", "our:Scope", "fix its module"]),
        (toml("[watch]\nfolders = ['/no/share']"), "folders", ["/no/share", "mount the share"]),
        (link_to_nowhere, "folders", ["data is a broken link"]),
        (a_file_in_place_of_reports, "folders", ["reports is not a folder"]),
        pytest.param(
            nowhere_to_write,
            "folders",
            ["reports is not writable", "owner or mode"],
            marks=pytest.mark.skipif(not Path("/proc/self").is_dir(), reason="there is no /proc"),
        ),
        (lambda ws: shutil.rmtree(ws.calibrations), "calibrations", ["does not exist", "restore"]),
        (many_bad_texts, "calibrations", ["d0.toml", "and 2 more", "`ishtar calib check`"]),
        (lambda ws: shutil.rmtree(ws.templates), "templates", ["does not exist", "template new"]),
        (two_bad_templates, "templates", ["broken cannot be used", "channels: needs 'RF_Q'"]),
        (in_quarantine, "quarantine", ["1 file in", "x.tdms: it ends early", "fix the cause"]),
        (garbage_catalogue, "catalogue", ["not a database", "`ishtar rebuild`"]),
        (shots_without_catalogue, "catalogue", ["1 shot", "`ishtar rebuild`"]),
    ],
)
def test_a_fault_is_named_alone_with_what_to_do(fresh, call, harm, check, words):
    harm(fresh)
    code, out = call("--json")
    assert code == 1
    found = faults(out)
    assert list(found) == ([check] if harm is not nowhere_to_write else [check, "disk"])
    assert [w for w in words if w not in found[check]] == []
    assert "\n" not in found[check]
    code, out = call()
    assert code == 1
    assert out.splitlines()[-1].endswith("wrong")


def test_a_folder_outside_of_any_workspace_is_told(tmp_path, quick, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    code, out = call("--json")
    assert code == 1
    assert "ishtar init" in faults(out)["workspace"]


def test_the_variable_that_names_the_workspace_is_told(fresh, tmp_path, monkeypatch, call):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ISHTAR_WORKSPACE", str(fresh.root))
    code, out = call()
    assert code == 0
    assert "from ISHTAR_WORKSPACE" in out


def test_a_disk_that_is_nearly_full_is_told(fresh, monkeypatch, call):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: Usage(10**12, 10**12 - 10**9, 10**9))
    code, out = call("--json")
    assert code == 1
    assert "1.0 GB free" in faults(out)["disk"]
    assert "free some space" in faults(out)["disk"]


def test_a_disk_without_room_for_more_files_is_told(fresh, monkeypatch, call):
    real = os.statvfs(fresh.root)
    full = os.statvfs_result((*tuple(real)[:5], 10**6, 12, 12, *tuple(real)[8:]))
    monkeypatch.setattr(os, "statvfs", lambda path: full)
    assert "space for 12 more files" in faults(call("--json")[1])["disk"]


def test_a_service_that_was_killed_is_told(fresh, monkeypatch, call):
    from runner.monitoring.status import StatusWriter, read_status

    with StatusWriter(fresh, "watch"):
        pass
    told = json.loads((fresh.root / "data/status.json").read_text())
    told |= {"ended": None, "process": 2**22 + 1}  # no process has this number
    (fresh.root / "data/status.json").write_text(json.dumps(told))
    assert read_status(fresh).state == "dead"
    assert "start `ishtar watch` again" in faults(call("--json")[1])["service"]


def test_one_look_that_fails_leaves_the_others(fresh, monkeypatch, call):
    def broken(*_: object) -> None:
        raise RuntimeError("who knows\nwhy")

    monkeypatch.setattr(doctor, "check_folder", broken)
    code, out = call("--json")
    assert code == 1
    assert faults(out) == {"calibrations": "cannot be checked (RuntimeError: who knows why)"}
    assert len(json.loads(out)) == 13


# --- the kernel


def test_a_notebook_is_run_to_see_that_kernels_start():
    assert REAL_KERNEL() == "a notebook runs"


def test_an_installation_without_a_kernel_is_told(fresh, monkeypatch, call):
    monkeypatch.setattr(doctor, "_kernel", REAL_KERNEL)
    monkeypatch.setattr(sys, "executable", "/nonexistent/python")
    code, out = call("--json")
    assert code == 1
    assert "cannot start a kernel" in faults(out)["kernel"]
    assert "install the package again" in faults(out)["kernel"]
