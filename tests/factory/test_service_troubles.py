"""The service while things go wrong around it: what it loses, and what it makes again."""

from __future__ import annotations

import json
import os
import re
import shutil
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path

import pytest

from ishtar.catalogue import Catalogue, CatalogueError
from ishtar.workspace import Workspace
from runner.cli import main
from runner.cli.status_text import document, lines
from runner.errors import Busy
from runner.monitoring.status import StatusWriter, read_status
from runner.scheduling.coordinator import Coordinator
from runner.scheduling.lock import coordinator_lock, lock_file
from runner.service.day_times import DayTimes
from runner.service.processed_files import ProcessedFiles
from runner.service.watch import watch
from runner.service.watcher import Watcher
from runner.simulate import Campaign, simulate
from runner.workspaces.doctor import examine
from tests.factory.service_fakes import Service

pytestmark = pytest.mark.whole

MEAN = """\
import ishtar
from ishtar.report import glue
glue("mean", float(ishtar.open()[shot]["Lang_I"].mean().value), unit="A")"""
SETTINGS = "[ingest]\nsettle_s = 0.2\n[watch]\npoll_s = 0.05\nchanges_every_s = 0.1\n"


@pytest.fixture
def served(factory) -> Workspace:
    """Give a workspace with shot 1, not noted yet, and one template that reads its probe."""
    factory.template("mean", MEAN)
    (factory.workspace.root / "ishtar.toml").write_text(SETTINGS + "[run]\nworkers = 1\n")
    return Workspace.at(factory.workspace.root)


def page(workspace: Workspace, shot: int = 1, name: str = "mean") -> Path:
    return workspace.site / "shots" / f"{shot:05d}" / f"{name}.html"


def made(workspace: Workspace, template: str = "mean") -> int:
    return len(list(workspace.reports.glob(f"00001/{template}/*/receipt.json")))


def lose(workspace: Workspace) -> None:
    for suffix in ("", "-wal", "-shm"):
        workspace.catalogue.with_name(workspace.catalogue.name + suffix).unlink(missing_ok=True)


def empty(workspace: Workspace) -> None:
    lose(workspace)
    Catalogue(workspace.catalogue, write=True).close()


def garble(workspace: Workspace) -> None:
    lose(workspace)
    workspace.catalogue.write_bytes(b"no database at all" * 100)


HOW = {"lost": lose, "empty": empty, "garbled": garble}


# --- a lost catalogue --------------------------------------------------------------------------


@pytest.mark.parametrize("how", HOW)
def test_a_start_with_a_lost_catalogue_keeps_every_report_and_page(served, how):
    watch(served, once=True)
    before = page(served).read_bytes()
    HOW[how](served)
    watch(served, once=True)
    assert page(served).read_bytes() == before
    assert made(served) == 1
    with Coordinator(served) as coordinator:
        assert [r.template for r in coordinator.catalogue.reports(current=True)] == ["mean"]


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("command", ["plan", "publish", "shots"])
def test_a_command_beside_a_lost_catalogue_makes_it_anew(served, monkeypatch, capsys, how, command):
    watch(served, once=True)
    before = page(served).read_bytes()
    HOW[how](served)
    monkeypatch.chdir(served.root)
    with pytest.raises(SystemExit) as ended:
        main([command])
    assert ended.value.code == 0
    if command == "plan":
        assert "nothing to do: every report exists" in capsys.readouterr().out
    with closing(Catalogue(served.catalogue)) as catalogue:
        assert (catalogue.shots(), len(catalogue.reports())) == ([1], 1)
    assert page(served).read_bytes() == before


def test_a_command_beside_a_service_says_that_the_catalogue_is_lost(served, monkeypatch):
    watch(served, once=True)
    lose(served)
    monkeypatch.setattr("runner.scheduling.rebuild.held_here", lambda _: False)
    monkeypatch.setattr("runner.scheduling.rebuild.LOCK_TRY_EVERY_S", 0.0)
    with (
        coordinator_lock(served),
        pytest.raises(CatalogueError, match=r"is missing: process \d+ on .* try again"),
    ):
        Coordinator(served)


def test_a_new_workspace_has_lost_nothing(served, caplog):
    shutil.rmtree(served.shots)
    with Coordinator(served) as coordinator:
        assert coordinator.catalogue.shots() == []
    assert "anew" not in caplog.text


@pytest.mark.parametrize("how", HOW)
def test_a_catalogue_that_vanishes_under_the_service_is_told_and_made_again(factory, served, how):
    with Service(served) as service:
        service.wait_for(page(served).exists)
        HOW[how](served)
        service.wait_for(lambda: "the catalogue is rebuilt" in service.said)
        factory.shot(2)
        service.wait_for(page(served, 2).exists)
    assert "rebuilding it from the files" in service.said
    assert page(served).exists()
    with closing(Catalogue(served.catalogue)) as catalogue:
        assert catalogue.shots() == [1, 2]
        assert len(catalogue.reports(current=True)) == 2


def test_a_report_that_a_killed_service_had_made_is_noted_and_published(served):
    watch(served, once=True)
    (folder,) = (f.parent for f in served.reports.glob("00001/mean/*/receipt.json"))
    with Coordinator(served) as coordinator:
        coordinator.catalogue.remove_report(folder.relative_to(served.reports).as_posix())
        from runner.publish import publish_workspace

        publish_workspace(coordinator)
    assert not page(served).exists()
    watch(served, once=True)
    assert page(served).exists()
    assert made(served) == 1


def test_a_catalogue_is_not_made_anew_for_reports_that_are_damaged(served, caplog):
    watch(served, once=True)
    (receipt,) = served.reports.glob("00001/mean/*/receipt.json")
    (receipt.parent / "report.ipynb").write_text("{}")
    empty(served)
    caplog.clear()
    with Coordinator(served) as coordinator:
        assert coordinator.catalogue.reports() == []
    assert "anew" not in caplog.text


def test_a_catalogue_that_is_locked_when_the_service_starts_is_waited_for(served, monkeypatch):
    monkeypatch.setattr("runner.service.watch.PATIENCE_S", 0.05)
    watch(served, once=True)
    with closing(sqlite3.connect(served.catalogue)) as db:
        db.execute("PRAGMA journal_mode=DELETE")  # then a lock keeps readers out, too
    with locked(served):
        service = Service(served)
        service.__enter__()
        service.wait_for(lambda: "the service waits for it" in service.said)
    service.wait_for(lambda: "caught up" in service.said)
    service.__exit__()


# --- the lock ----------------------------------------------------------------------------------


def test_a_lock_that_vanishes_is_taken_again_and_still_keeps_others_out(served):
    with coordinator_lock(served) as lock:
        assert not lock.check()
        lock_file(served).unlink()
        assert lock.check()
        with pytest.raises(Busy, match=f"process {os.getpid()}"):
            coordinator_lock(served).__enter__()
    with coordinator_lock(served):
        pass


def test_who_lost_the_workspace_to_another_ends_and_writes_nothing(served):
    first = coordinator_lock(served)
    with first as lock:
        lock_file(served).unlink()
        with coordinator_lock(served):
            with Coordinator(served) as coordinator:
                stop = threading.Event()
                watcher = Watcher(coordinator, stop, lock=lock)
                watcher.poll()
                watcher.scheduler.close()
            assert stop.is_set()
            assert "took the lock, which somebody had removed" in str(watcher.lost)


# --- a locked catalogue ------------------------------------------------------------------------


@contextmanager
def locked(workspace: Workspace) -> Iterator[None]:
    with closing(sqlite3.connect(workspace.catalogue, isolation_level=None)) as db:
        db.execute("BEGIN EXCLUSIVE")
        yield
        db.execute("ROLLBACK")


def test_what_meets_a_locked_catalogue_is_done_when_it_is_free_and_told_meanwhile(
    factory, served, monkeypatch
):
    monkeypatch.setattr("runner.service.watch.PATIENCE_S", 0.05)
    with Service(served) as service:
        service.wait_for(page(served).exists)
        with locked(served):
            factory.shot(2)
            service.wait_for(lambda: "database is locked" in service.said)
            service.wait_for(lambda: document(read_status(served))["troubles"])
            (trouble, *_) = document(read_status(served))["troubles"]
            assert "another process is writing it: try again" in trouble["error"]
            told = "\n".join(lines(read_status(served)))
            assert re.search(r"trouble +\S.*database is locked.*tried \d+ times", told)
        service.wait_for(page(served, 2).exists)
        service.wait_for(lambda: not document(read_status(served))["troubles"])


def test_a_trouble_that_lasts_is_on_the_home_page_and_in_doctor_until_it_is_over(
    served, monkeypatch
):
    seen = Watcher._take_request
    broken = threading.Event()
    broken.set()

    def take(self, path):
        if broken.is_set():
            raise PermissionError(13, "Permission denied", str(path))
        seen(self, path)

    monkeypatch.setattr(Watcher, "_take_request", take)
    monkeypatch.setattr("runner.attempts.FIRST_S", 0.01)
    home = served.site / "index.html"
    monkeypatch.chdir(served.root)
    with Service(served) as service:
        service.wait_for(page(served).exists)
        request = served.root / "data" / "backfill" / "1.json"
        request.parent.mkdir(exist_ok=True)
        request.write_text('{"shots": null}')
        service.wait_for(lambda: "take the request 1.json" in home.read_text())
        assert "Permission denied" in home.read_text()
        (check,) = (c for c in examine() if c.name == "service")
        assert not check.good
        assert "take the request 1.json: [Errno 13] Permission denied" in check.found
        broken.clear()
        service.wait_for(lambda: "take the request" not in home.read_text())
        assert not request.exists()


def test_an_incoming_folder_that_goes_away_is_told_until_it_is_back(served, tmp_path, monkeypatch):
    simulate(Campaign(first=2, shots=1, size_mb=1.0), tmp_path / "raw")
    away, told = served.incoming.with_name("away"), f"look into {served.incoming}"
    monkeypatch.chdir(served.root)

    def is_reported() -> bool:
        return any(told in line for line in lines(read_status(served)))

    with Service(served) as service:
        service.wait_for(page(served).exists)
        served.incoming.rename(away)
        service.wait_for(is_reported)
        (check,) = (c for c in examine() if c.name == "incoming")
        assert not check.good
        assert "does not exist, so no files arrive" in check.found
        shutil.copy(tmp_path / "raw" / "00002_Data.tdms", away)
        away.rename(served.incoming)
        service.wait_for((served.shots / "00002").is_dir)
        service.wait_for(lambda: not is_reported())


def test_a_service_that_does_nothing_is_told(served, monkeypatch):
    monkeypatch.chdir(served.root)
    with StatusWriter(served, "watch") as status_writer:
        status_writer.update_now(last_look=status_writer.holder.since - 1000)
        assert "IT DOES NOTHING" in "\n".join(lines(read_status(served)))
        assert document(read_status(served))["does_nothing_for_s"] >= 1000
        (check,) = (c for c in examine() if c.name == "service")
        assert "is alive but has done nothing for 10" in check.found
        status_writer.update_now(last_look=status_writer.holder.since)
        assert document(read_status(served))["does_nothing_for_s"] is None


# --- what people change ------------------------------------------------------------------------


def mean_of(workspace: Workspace) -> list[float]:
    with closing(Catalogue(workspace.catalogue)) as catalogue:
        return [s.value for s in catalogue.scraps(["00001"]) if s.name == "mean"]


def test_a_calibration_that_changes_under_the_service_is_said_and_its_reports_are_remade(
    factory, served
):
    with Service(served) as service:
        service.wait_for(page(served).exists)
        service.wait_for(lambda: "caught up" in service.said)
        (before,) = mean_of(served)
        factory.calibrate("langmuir_1", "A", -0.02)
        service.wait_for(lambda: mean_of(served) != [before])
        assert [before, *mean_of(served)] == pytest.approx([-2.4975, -0.0999])
        service.wait_for(lambda: document(read_status(served))["change"])
    change = re.search(r"calibrations/devices/langmuir_1.toml changed: (.*)", service.said)
    assert change
    assert change[1].startswith("1 report is stale (stale: calibration langmuir_1")
    assert "the service makes them after everything else" in change[1]


def test_without_the_setting_what_became_stale_is_said_and_left_alone(factory, served):
    toml = served.root / "ishtar.toml"
    toml.write_text(toml.read_text().replace("[watch]", "[watch]\nremake_changed = false"))
    with Service(Workspace.at(served.root)) as service:
        service.wait_for(page(served).exists)
        service.wait_for(lambda: "caught up" in service.said)
        factory.calibrate("langmuir_1", "A", -0.02)
        service.wait_for(lambda: "1 report is stale" in service.said)
        service.wait_for(lambda: "content changed" in page(served).read_text())
        service.wait_for(lambda: "ago: calibrations/" in "\n".join(lines(read_status(served))))
    assert made(served) == 1


def test_a_template_that_is_added_or_mended_is_made_for_the_shots_that_are_there(factory, served):
    bad = factory.template("bad", "x = 1", sidecar="scope = 5")
    with Service(served) as service:
        service.wait_for(page(served).exists)
        factory.template("new", "x = 1")
        service.wait_for(page(served, name="new").exists)
        bad.with_suffix(".toml").write_text("order = 5")
        service.wait_for(page(served, name="bad").exists)


def test_what_another_process_edits_is_seen(factory, served, monkeypatch):
    factory.template(
        "gas",
        "import ishtar\nfrom ishtar.report import glue\n"
        "glue('gas', ishtar.open()[shot].attributes['gas'])",
    )
    monkeypatch.chdir(served.root)
    with Service(served) as service:
        service.wait_for(page(served, name="gas").exists)
        with pytest.raises(SystemExit) as ended:
            main(["edit", "1", "gas=He"])
        assert ended.value.code == 0
        service.wait_for(lambda: made(served, "gas") == 2)


def test_pages_of_what_a_command_changed_are_written_by_the_service(served, monkeypatch):
    monkeypatch.chdir(served.root)
    shot_page = served.site / "shots" / "00001" / "index.html"
    with Service(served) as service:
        service.wait_for(page(served).exists)
        monkeypatch.setattr(
            "runner.publish.publish_workspace",  # as commands have it
            lambda *_, **__: pytest.fail("two write the site"),
        )
        for command in (["edit", "1", "comment=a fine shot", "--new"], ["rerun", "1", "mean"]):
            with pytest.raises(SystemExit) as ended:
                main(command)
            assert ended.value.code == 0
        service.wait_for(lambda: "a fine shot" in shot_page.read_text())
        service.wait_for(lambda: any(shot_page.parent.glob("reruns/mean-*.html")))


def test_what_failed_is_tried_at_once_when_people_mend_it(factory, served, monkeypatch):
    monkeypatch.setattr("runner.attempts.FIRST_S", 10_000.0)
    path = served.calibrations / "devices" / "langmuir_1.toml"
    with Service(served) as service:
        service.wait_for(page(served).exists)
        service.wait_for(lambda: "caught up" in service.said)
        good = path.read_text()
        path.write_text("[[calibration")
        service.wait_for(lambda: "check for external changes: " in service.said)
        path.write_text(good)
        service.wait_for(lambda: "langmuir_1.toml changed: no report is stale" in service.said)
        service.wait_for(lambda: not document(read_status(served))["troubles"])
    assert made(served) == 1


@pytest.mark.parametrize("content", ["[]", "{", "", "[" * 100_000])
def test_damaged_notes_of_files_that_were_seen_are_none(tmp_path, content):
    path = tmp_path / "watched.json"
    path.write_text(content)
    assert path not in ProcessedFiles(path)


DAY = 'day: str = "2026-11-22"'


def test_a_schedule_that_changes_holds_from_then_on(factory, served):
    factory.template("day", "x = 1", parameters=DAY, sidecar="scope = 'day'\nschedule = '23:00'")
    with Coordinator(served) as coordinator:
        times = DayTimes(coordinator, datetime(2026, 11, 22, 12, 0))
        assert times.newly_due(datetime(2026, 11, 22, 12, 30)) == set()
        factory.template(
            "day", "x = 1", parameters=DAY, sidecar="scope = 'day'\nschedule = '12:45'"
        )
        factory.template("new", "x = 1", parameters=DAY, sidecar="scope='day'\nschedule='12:50'")
        assert times.newly_due(datetime(2026, 11, 22, 12, 44)) == set()
        assert times.newly_due(datetime(2026, 11, 22, 12, 46)) == {"day"}
        assert times.newly_due(datetime(2026, 11, 22, 12, 55)) == {"new"}
        assert times.newly_due(datetime(2026, 11, 22, 23, 30)) == set()
        assert times.due == {"12:45": ["day"], "12:50": ["new"]}


def test_at_a_start_the_days_whose_time_is_over_are_due_and_no_others(factory, served):
    factory.template("noon", "x = 1", parameters=DAY, sidecar="scope = 'day'\nschedule = '12:00'")
    factory.template("night", "x = 1", parameters=DAY, sidecar="scope = 'day'\nschedule = '23:00'")
    with Coordinator(served) as coordinator:
        times = DayTimes(coordinator, datetime(2026, 11, 22, 15, 0))
        assert times.due_today(datetime(2026, 11, 22, 15, 0)) == {"noon"}
        assert times.due_today(datetime(2026, 11, 22, 23, 0)) == {"noon", "night"}
        assert times.due_today(datetime(2026, 11, 22, 0, 0)) == set()


def test_a_time_that_comes_while_the_machine_sleeps_over_midnight_is_not_missed(factory, served):
    factory.template("day", "x = 1", parameters=DAY, sidecar="scope = 'day'\nschedule = '23:00'")
    with Coordinator(served) as coordinator:
        times = DayTimes(coordinator, datetime(2026, 11, 22, 22, 0))
        assert times.newly_due(datetime(2026, 11, 23, 0, 10)) == {"day"}
        assert times.newly_due(datetime(2026, 11, 23, 0, 20)) == set()


def test_days_are_made_at_a_time_that_was_set_under_a_running_watcher(factory, served, monkeypatch):
    factory.template("day", "x = 1", parameters=DAY, sidecar="scope = 'day'\nschedule = '23:00'")
    with Coordinator(served) as coordinator:
        watcher = Watcher(coordinator, threading.Event())
        asked: list[set[str]] = []
        monkeypatch.setattr(watcher, "make_days", asked.append)
        monkeypatch.setattr(watcher._days, "newly_due", lambda now: {"day"} if not asked else set())
        watcher.poll()
        watcher.poll()
        watcher.scheduler.close()
    assert asked == [{"day"}]


def test_a_request_that_is_none_is_removed_and_the_others_are_taken(served, monkeypatch):
    folder = served.root / "data" / "backfill"
    folder.mkdir(parents=True)
    (folder / "1.json").write_text("{")
    (folder / "2.json").write_text(json.dumps({"shots": [1]}))
    watch(served, once=True)
    assert list(folder.iterdir()) == []
    assert page(served).exists()


def test_files_that_wait_are_told_with_the_reason(served, monkeypatch):
    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("runner.service.watcher.ingest_file", full)
    with Service(served) as service:
        (served.incoming / "00007_Data.tdms").write_bytes(b"x" * 100)
        service.wait_for(lambda: document(read_status(served))["files_waiting"])
        (waiting,) = document(read_status(served))["files_waiting"]
        assert (waiting["name"], "No space left" in waiting["reason"]) == ("00007_Data.tdms", True)
        assert "00007_Data.tdms: " in "\n".join(lines(read_status(served)))


def test_once_says_what_could_not_be_done(served, monkeypatch):
    monkeypatch.setattr("runner.attempts.FIRST_S", 0.0)

    def never(*_, **__):
        raise ValueError("a page that cannot be rendered")

    monkeypatch.setattr("runner.service.publication.publish_workspace", never)
    with pytest.raises(Exception, match="could not do everything: publish the site: Value"):
        watch(served, once=True)
