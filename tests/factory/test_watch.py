"""The service: what arrives becomes published reports, whatever happens in between."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from ishtar.attributes.moments import time_of_day
from ishtar.workspace import Workspace
from runner.cli.status_text import lines
from runner.jobs import Selection
from runner.monitoring.status import read_status
from runner.scheduling.coordinator import Coordinator
from runner.service.day_times import schedule
from runner.service.processed_files import ProcessedFiles
from runner.service.watch import watch
from runner.settings.file import WatchSettings
from runner.simulate import Campaign, simulate
from runner.workspaces.new_workspace import make_workspace
from tests.factory.service_fakes import Service, ServiceProcess

pytestmark = pytest.mark.whole

READ = """\
import ishtar
from ishtar.report import glue
gas = ishtar.open()[shot].attributes["gas"]
glue("gas", gas)"""
WAIT = "import os, time\nwhile not os.path.exists({path!r}): time.sleep(0.05)"
COUNT = "import ishtar\nn = len(ishtar.open().day(day))"


@pytest.fixture(scope="module")
def raw(tmp_path_factory) -> Path:
    """Give the raw files of three small shots."""
    folder = tmp_path_factory.mktemp("raw")
    simulate(Campaign(first=1, shots=3, size_mb=1.0, clock_offset_s=37.4), folder)
    return folder


@pytest.fixture
def watched(factory) -> Workspace:
    """Give an empty workspace with one shot and one day template, and quick settings."""
    workspace = factory.workspace
    shutil.rmtree(workspace.shots)
    factory.template("gas", READ)
    factory.template("day", COUNT, parameters='day: str = "2026-11-22"', sidecar="scope = 'day'")
    (workspace.root / "ishtar.toml").write_text(
        "[ingest]\nsettle_s = 0.2\ntruncated_wait_s = 600\ngenerator_clock_offset_s = -37.4\n"
        "[watch]\npoll_s = 0.1\n[run]\nworkers = 2\n"
    )
    return Workspace.at(workspace.root)


def set_in(workspace: Workspace, old: str, new: str) -> None:
    """Change a setting."""
    settings = workspace.root / "ishtar.toml"
    text = settings.read_text()
    assert old in text
    settings.write_text(text.replace(old, new))


def page(workspace: Workspace, name: str) -> Path:
    """Return a page of the site."""
    return workspace.site / name


def test_files_that_arrive_become_published_reports_until_sigterm(watched, raw):
    with ServiceProcess(watched) as service:
        service.wait_for(lambda: "caught up" in service.said)
        shutil.copy(raw / "00001_Data.tdms", watched.incoming)
        (watched.incoming / "notes.xyz").write_text("hello")
        service.wait_for(page(watched, "shots/00001/gas.html").exists)
        service.wait_for(lambda: "00001" in page(watched, "index.html").read_text())
        service.wait_for((watched.quarantine / "notes.xyz.reason.json").exists)
        # Verified and stored: the incoming folder is empty again.
        service.wait_for(lambda: not any(watched.incoming.iterdir()))
        assert service.stop() == 0
        assert "stopping" in service.said
    assert not list(watched.reports.glob(".tmp*"))


BLOCKED = "import signal; signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})"
ELSEWHERE = """
import os, signal, threading, time
def end():
    while not os.path.exists("end"):
        time.sleep(0.02)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)
threading.Thread(target=end, daemon=True).start()
"""


@pytest.mark.parametrize("before", [BLOCKED, ELSEWHERE], ids=["blocked", "in another thread"])
def test_it_ends_at_sigterm_wherever_that_reaches_it(watched, before):
    """A signal that another thread gets does not wake the one that waits for it."""
    service = ServiceProcess(watched)
    service.before = before
    with service:
        service.wait_for(lambda: "caught up" in service.said)
        (watched.root / "end").touch()
        assert (service.ended() if before is ELSEWHERE else service.stop()) == 0
        assert "stopping" in service.said


def test_a_file_that_is_being_copied_waits_until_it_is_whole(watched, raw):
    whole = (raw / "00001_Data.tdms").read_bytes()
    target = watched.incoming / "00001_Data.tdms"
    with Service(watched) as service:
        with target.open("wb") as f:
            f.write(whole[: len(whole) // 3])
            f.flush()
            service.wait_for(lambda: "00001_Data.tdms waits" in service.said)
            assert not watched.shot_folder(1).exists()
            f.write(whole[len(whole) // 3 :])
        shutil.copy(raw / "00001_Date.csv", watched.incoming)
        service.wait_for(page(watched, "shots/00001/gas.html").exists)
        service.wait_for(lambda: not any(watched.incoming.iterdir()))


def test_what_is_no_shot_goes_to_quarantine_with_a_reason_and_stops_nobody(watched, raw):
    set_in(watched, "truncated_wait_s = 600", "truncated_wait_s = 0.5")
    with Service(Workspace.at(watched.root)) as service:
        (watched.incoming / "00002_Data.tdms").write_bytes(b"")
        (watched.incoming / "notes.xyz").write_text("hello")
        (watched.incoming / os.fsdecode(b"00004_Gr\xf6\xdfe.xyz")).write_text("not UTF-8")
        shutil.copy(raw / "00003_Data.tdms", watched.incoming)
        service.wait_for(page(watched, "shots/00003/gas.html").exists)
        held = watched.quarantine
        service.wait_for((held / "00002_Data.tdms.reason.json").exists)
        service.wait_for((held / "notes.xyz.reason.json").exists)
        service.wait_for((held / "00004_Größe.xyz").exists)
        service.wait_for(lambda: "00004_Größe.xyz" in page(watched, "index.html").read_text())
        service.wait_for(lambda: not any(watched.incoming.iterdir()))


POISON = """
import os, signal, threading, time

class Poison:
    name, version = "poison", "1"

    def matches(self, path, head):
        return head.startswith(b"POISON")

    def convert(self, path, context):
        how = path.read_text().split()[1]
        if how == "hangs":
            threading.Event().wait()
        if how == "crashes":
            os.kill(os.getpid(), signal.SIGSEGV)
        raise TypeError("odd")
"""


def test_good_shots_do_not_wait_for_bad_files_that_crash_or_hang(watched, raw, monkeypatch):
    monkeypatch.setattr("runner.ingest.raw_files.intake.STALLED_S", 0.5)
    monkeypatch.setattr("runner.ingest.raw_files.intake.GRACE_S", 0.5)
    (watched.root / "poison.py").write_text(POISON)
    set_in(watched, "[ingest]", "[ingest]\nconverters = ['poison:Poison']\ntimeout_s = 6000")
    workspace = Workspace.at(watched.root)
    for number, how in enumerate(["hangs", "hangs", "hangs", "crashes", "raises"], 1):
        (watched.incoming / f"0000{number}_{how}.odd").write_text(f"POISON {how}")
    with Service(workspace) as service:
        service.wait_for(lambda: (workspace.quarantine / "00004_crashes.odd").exists())
        for path in raw.glob("0000[123]_*"):
            shutil.copy(path, watched.incoming)
        for number in (1, 2, 3):
            service.wait_for(page(watched, f"shots/0000{number}/gas.html").exists)
        service.wait_for(
            lambda: "00005_raises.odd is in" in page(watched, "index.html").read_text()
        )
        told = page(watched, "index.html").read_text()
        assert "00004_crashes.odd is in quarantine: its conversion crashed (SIGSEGV)" in told
        status = "\n".join(lines(read_status(workspace)))
        assert "00004_crashes.odd: its conversion crashed (SIGSEGV)" in status
        assert "00005_raises.odd: converter poison cannot read it: TypeError" in status
    # those that hang were neither stored nor lost when the service ended
    assert sorted(p.name for p in watched.incoming.glob("*.odd")) == [
        f"0000{n}_hangs.odd" for n in (1, 2, 3)
    ]


def test_a_shot_that_cannot_be_noted_now_is_noted_later(watched, raw, monkeypatch):
    note, failures = Coordinator.note_shot, [OSError("busy"), TypeError("odd")]

    def sometimes(self, number):
        if failures and number == 2:
            raise failures.pop()
        return note(self, number)

    monkeypatch.setattr(Coordinator, "note_shot", sometimes)
    for path in raw.glob("0000[12]_Data*"):
        shutil.copy(path, watched.incoming)
    watch(watched, once=True)
    assert not failures
    assert page(watched, "shots/00001/gas.html").exists()
    assert page(watched, "shots/00002/gas.html").exists()


def test_a_slow_report_holds_up_no_other_and_is_published_when_the_service_stops(
    factory, watched, raw
):
    go = watched.root / "go"
    factory.template("slow", WAIT.format(path=str(go)), sidecar="order = 200")
    with Service(watched) as service:
        shutil.copy(raw / "00001_Data.tdms", watched.incoming)
        service.wait_for(page(watched, "shots/00001/gas.html").exists)
        assert not page(watched, "shots/00001/slow.html").exists()
        shutil.copy(raw / "00002_Data.tdms", watched.incoming)
        service.wait_for(page(watched, "shots/00002/gas.html").exists)
        assert not page(watched, "shots/00002/slow.html").exists()
        service.stop.set()
        service.wait_for(lambda: "stopping" in service.said)
        go.touch()
    assert page(watched, "shots/00001/slow.html").exists()


def test_what_a_killed_service_made_and_did_not_publish_is_published_when_it_starts(watched, raw):
    shutil.copy(raw / "00001_Data.tdms", watched.incoming)
    watch(watched, once=True)
    shutil.rmtree(watched.site / "shots")
    watch(watched, once=True)
    assert page(watched, "shots/00001/gas.html").exists()


def test_a_report_whose_receipt_is_found_damaged_is_made_again(watched, raw):
    for path in raw.glob("00001*"):
        shutil.copy(path, watched.incoming)
    watch(watched, once=True)
    (receipt,) = watched.reports.glob("00001/gas/*/receipt.json")
    whole = receipt.read_bytes()
    receipt.write_bytes(whole[:100])
    watch(watched, once=True)
    assert json.loads(receipt.read_bytes())["digest"] == json.loads(whole)["digest"]


def test_traces_are_made_while_a_file_waits(watched, raw):
    (watched.incoming / "00003_Data.tdms").write_bytes(b"")
    with Service(watched) as service:
        shutil.copy(raw / "00001_Data.tdms", watched.incoming)
        service.wait_for(lambda: any(watched.site.glob("shots/00001/traces/*")))
    assert (watched.incoming / "00003_Data.tdms").exists()


def test_after_a_downtime_everything_is_caught_up(watched, raw):
    for path in raw.glob("0000[12]*"):
        shutil.copy(path, watched.incoming)
    watch(watched, once=True)
    with Coordinator(watched) as coordinator:
        assert coordinator.catalogue.shots() == [1, 2]
        assert coordinator.plan(Selection(names=["gas"])) == []
    shutil.copy(next(raw.glob("GENERATOR*")), watched.incoming)
    watch(watched, once=True)
    stored = sorted(p.name for p in watched.shot_folder(2).glob("*.h5"))
    assert any(name.startswith("GENERATOR") for name in stored)
    watch(watched, once=True)
    assert sorted(p.name for p in watched.shot_folder(2).glob("*.h5")) == stored


def test_a_day_that_is_over_gets_its_summary_when_the_service_comes_back(watched, raw):
    shutil.copy(raw / "00001_Data.tdms", watched.incoming)
    (watched.incoming / "00001_Date.csv").write_text("Date;2026-01-05 09:00:00\nGas;Ar\n")
    watch(watched, once=True)
    watch(watched, once=True)
    assert page(watched, "days/2026-01-05/day.html").exists()


def test_files_on_a_watched_share_are_read_once_and_stay(watched, raw, tmp_path):
    share = tmp_path / "share"
    share.mkdir()
    shutil.copy(raw / "00002_Data.tdms", share)
    settings = watched.root / "ishtar.toml"
    settings.write_text(
        settings.read_text().replace("poll_s = 0.1", f"poll_s = 0.1\nfolders = ['{share}']")
    )
    workspace = Workspace.at(watched.root)
    watch(workspace, once=True)
    assert (share / "00002_Data.tdms").exists()
    assert workspace.shot_folder(2).exists()
    assert share / "00002_Data.tdms" in ProcessedFiles(workspace.root / "data" / "watched.json")


def test_a_file_seen_before_is_new_again_when_it_changes(tmp_path):
    path = tmp_path / "00001_Data.tdms"
    path.write_text("one")
    seen = ProcessedFiles(tmp_path / "watched.json")
    assert path not in seen
    seen.add(path)
    assert path in ProcessedFiles(tmp_path / "watched.json")
    path.write_text("other content")
    assert path not in seen


def test_a_day_template_runs_at_its_own_time_or_at_the_workspaces(factory, watched):
    day = 'day: str = "2026-11-22"'
    factory.template("night", COUNT, parameters=day, sidecar="scope = 'day'\nschedule = '23:30'")
    with Coordinator(watched) as coordinator:
        assert schedule(coordinator) == {"21:00": ["day"], "23:30": ["night"]}


def test_the_time_of_the_day_summary_is_checked():
    assert time_of_day("21:05") == (21, 5)
    for text in ("nine", "25:00", ""):
        with pytest.raises(ValueError, match=r"day_summary_at = .* write it as 21:00"):
            WatchSettings(day_summary_at=text)


def test_a_workspace_can_be_made_over_one_that_is_there(tmp_path):
    first = make_workspace(tmp_path / "w", facility="A")
    (first.calibrations / "signals.toml").write_text("")
    make_workspace(tmp_path / "w", facility="B")
    assert (first.calibrations / "signals.toml").read_text() == ""
    assert 'name = "A"' in (first.root / "ishtar.toml").read_text()
