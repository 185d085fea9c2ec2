"""What goes on in a workspace is told by its files, and can be read by anybody at any time."""

from __future__ import annotations

import contextlib
import json
import os
import platform
import subprocess
import sys
import time
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from runner.cli import main
from runner.cli.live import LiveLines
from runner.cli.run_progress import RunProgress, seconds, table
from runner.cli.status_text import document, lines
from runner.ingest.ingest_outcome import Outcome
from runner.jobs import Event, Job
from runner.monitoring.progress import folder, read_progress, track_progress
from runner.monitoring.status import Holder, LastFile, StatusWriter, read_status, status_file
from runner.receipts import Receipt, Subject
from runner.scheduling.batch import run_batch
from runner.scheduling.coordinator import Coordinator
from runner.service.observe import RunObserver, ServiceObserver
from tests.factory.warm_fakes import soon

pytestmark = pytest.mark.whole


def job(workspace, number: int = 1, template: str = "langmuir", **kw) -> Job:
    return Job(root=str(workspace.root), subject=Subject.shot(number), template=template, **kw)


def text(workspace) -> str:
    return "\n".join(lines(read_status(workspace)))


def tell(workspace, **changes) -> Holder:
    """Write a status as another process would have left it."""
    with StatusWriter(workspace, "watch") as status_writer:
        pass
    holder = replace(status_writer.holder, ended=None, **changes)
    status_file(workspace).write_text(json.dumps(asdict(holder)))
    return holder


def dead_process() -> int:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    process.wait()
    return process.pid


# --- who holds the workspace -------------------------------------------------------------------


def test_where_nothing_ever_ran_the_status_says_so_and_how_to_begin(factory):
    status = read_status(factory.workspace)
    assert (status.state, status.last_shot, status.quarantine) == ("idle", 1, ())
    assert status.disk_free > 0
    assert "nothing is running: `ishtar watch`" in text(factory.workspace)


def test_a_board_tells_who_holds_the_workspace_and_when_it_has_ended(factory):
    with StatusWriter(factory.workspace, "watch", every_s=0.01) as status_writer:
        status_writer.update(waiting={"live": 2})
        assert soon(lambda: document(read_status(factory.workspace))["waiting"]["live"] == 2)
        told = document(read_status(factory.workspace))
        assert told["state"] == "working"
        assert told["holder"]["process"] == os.getpid()
        assert told["holder"]["host"] == platform.node()
    status = read_status(factory.workspace)
    assert status.state == "idle"
    assert document(status)["waiting"]["live"] == 0
    assert f"watch, process {os.getpid()} on {platform.node()}, ended" in text(factory.workspace)


def test_a_holder_that_was_killed_is_told_as_dead(factory):
    tell(factory.workspace, process=dead_process())
    assert read_status(factory.workspace).state == "dead"
    assert "was killed" in text(factory.workspace)


def test_a_later_process_of_the_same_number_is_not_taken_for_the_holder(factory):
    tell(factory.workspace, born=time.time() - 9000, written=time.time() - 600)
    assert read_status(factory.workspace).state == "dead"


def test_a_holder_on_another_machine_is_believed_until_it_is_silent(factory):
    tell(factory.workspace, host="elsewhere", process=1, written=time.time())
    assert read_status(factory.workspace).state == "working"
    tell(factory.workspace, host="elsewhere", process=1, written=time.time() - 100)
    assert read_status(factory.workspace).state == "silent"
    assert "has been silent for 1 min 40 s" in text(factory.workspace)


def test_a_command_that_holds_the_workspace_and_tells_nothing_is_known_by_its_lock(factory):
    lock = factory.workspace.root / "data" / "coordinator.lock"
    lock.parent.mkdir(exist_ok=True)
    lock.write_text(f"process {os.getpid()} on {platform.node()}")
    status = read_status(factory.workspace)
    assert (status.state, status.other) == ("working", lock.read_text())
    lock.write_text(f"process {dead_process()} on {platform.node()}")
    assert read_status(factory.workspace).state == "idle"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"format": 99}', '{"format": 1}'])
def test_a_status_that_cannot_be_read_counts_as_none(factory, damage):
    status_file(factory.workspace).parent.mkdir(exist_ok=True)
    status_file(factory.workspace).write_text(damage)
    assert read_status(factory.workspace).holder is None


def test_what_cannot_be_written_is_said_once_and_stops_nothing(factory, caplog):
    data = factory.workspace.root / "data" / "status.json"
    data.mkdir(parents=True)  # a folder in its place
    with StatusWriter(factory.workspace, "watch", every_s=0.01):
        assert soon(lambda: "cannot write the status" in caplog.text)
        time.sleep(0.1)  # time to say it again
    assert caplog.text.count("cannot write the status") == 1
    assert [p.name for p in data.parent.glob(".tmp*")] == []


def test_the_last_file_outlives_the_service_that_took_it(factory):
    last = LastFile(name="00007_Data.tdms", status="stored", shots=(7,), when=time.time())
    with StatusWriter(factory.workspace, "watch") as status_writer:
        status_writer.update(last_file=last)
    with StatusWriter(factory.workspace, "run"):
        assert document(read_status(factory.workspace))["last_file"]["shots"] == [7]


# --- which cell --------------------------------------------------------------------------------


def test_a_worker_tells_phase_and_cell_until_its_report_is_done(factory):
    with track_progress(factory.workspace, job(factory.workspace)) as writer:
        writer.phase("prepare")
        assert read_progress(factory.workspace)[0].phase == "prepare"
        writer.cell(3, 9)
        found = read_progress(factory.workspace)[0]
        assert (found.subject, found.template) == ("00001", "langmuir")
        assert (found.phase, found.cell, found.cells) == ("cells", 3, 9)
    assert list(folder(factory.workspace).iterdir()) == []


def test_a_real_notebook_tells_each_of_its_code_cells_that_takes_a_moment(factory, monkeypatch):
    told = []
    monkeypatch.setattr(
        "runner.monitoring.progress.ProgressWriter.cell", lambda self, *at: told.append(at)
    )
    factory.template("short", "a = 1", "import time\ntime.sleep(0.5)", "time.sleep(0.5)")
    done = factory.run("short", kernels="cold")
    # parameters, and three of its own; the others may be slow on a busy machine
    assert {(3, 4), (4, 4)} <= set(told) <= {(k, 4) for k in (1, 2, 3, 4)}
    phases = dict(done.receipt.phases)
    assert phases.pop("cells") <= phases["execute"]
    assert list(phases) == ["prepare", "execute", "scraps", "render", "record"]
    # what is between them is little, but a busy machine may take a moment there
    assert done.receipt.duration_s / 2 < sum(phases.values()) < done.receipt.duration_s + 0.01


def test_progress_that_cannot_be_written_is_said_once_and_the_report_goes_on(factory, caplog):
    folder(factory.workspace).parent.mkdir(exist_ok=True)
    folder(factory.workspace).write_text("a file in its place")
    with track_progress(factory.workspace, job(factory.workspace)) as writer:
        writer.cell(1, 2)
        writer.cell(2, 2)
    assert caplog.text.count("cannot write the progress") == 1


def test_the_status_puts_together_what_was_handed_out_and_what_workers_tell(factory):
    running = [
        {"subject": f"0000{n}", "template": "langmuir", "priority": "live", "since": time.time()}
        for n in (1, 2)
    ]
    with (
        StatusWriter(factory.workspace, "watch") as status_writer,
        track_progress(factory.workspace, job(factory.workspace)) as writer,
    ):
        status_writer.update(running=tuple(running), finished={"ok": 3})
        status_writer._write()
        writer.cell(2, 5)
        one, two = document(read_status(factory.workspace))["running"]
        assert (one["cell"], one["cells"], one["priority"]) == (2, 5, "live")
        assert (two["subject"], two["cell"]) == ("00002", None)
        assert "shot 1 langmuir: live, cell 2 of 5 for" in text(factory.workspace)


def test_what_a_person_makes_is_shown_though_nobody_holds_the_workspace(factory):
    with track_progress(factory.workspace, job(factory.workspace, rerun=True)) as writer:
        writer.cell(1, 2)
        assert document(read_status(factory.workspace))["running"][0]["kind"] == "rerun"
        with StatusWriter(factory.workspace, "watch"):  # begins, and clears what is not its own
            assert len(read_progress(factory.workspace)) == 1


def test_what_a_killed_worker_left_is_shown_to_nobody(factory):
    with track_progress(factory.workspace, job(factory.workspace)) as writer:
        writer.cell(1, 2)
        path = next(folder(factory.workspace).iterdir())
        path.write_text(json.dumps({**json.loads(path.read_text()), "process": dead_process()}))
        with StatusWriter(factory.workspace, "run", every_s=60):
            assert read_progress(factory.workspace) == []  # cleared by the next holder
        writer.cell(2, 2)
        path.write_text(json.dumps({**json.loads(path.read_text()), "process": dead_process()}))
        tell_run = replace(tell(factory.workspace), doing="run")
        status_file(factory.workspace).write_text(json.dumps(asdict(tell_run)))
        assert read_status(factory.workspace).running == ()


# --- service and run ---------------------------------------------------------------------------


def test_the_service_tells_files_reports_and_when_days_are_due(factory):
    with ServiceObserver(factory.workspace) as observer:
        source = Path("00001_Data.tdms")
        observer.ingested(Outcome(status="stored", source=source, shots=[1], seconds=0.2))
        scheduler = {"running": [], "waiting": {"live": 0, "backfill": 4}, "shots_to_plan": 9}
        observer.poll_done(
            {**scheduler, "finished": {"ok": 2}}, {"21:00": ["day"], "03:30": ["night"]}
        )
        observer.status_writer._write()
        told = document(read_status(factory.workspace))
        words = text(factory.workspace)
    assert told["last_file"] == told["last_file"] | {"name": source.name, "shots": [1]}
    assert (told["waiting"]["backfill"], told["shots_to_plan"]) == (4, 9)
    assert {d["at"][11:]: d["templates"] for d in told["day_reports"]} == {
        "21:00": ["day"],
        "03:30": ["night"],
    }
    assert all(d["at"] > time.strftime("%Y-%m-%dT%H:%M") for d in told["day_reports"])
    assert "4 backfill; 9 shots to plan" in words
    assert "2 ok" in words


def test_a_run_tells_of_itself_and_counts(factory):
    factory.template("quick", "a = 1")
    with Coordinator(factory.workspace) as coordinator:
        coordinator.sync_shots()
        seen = []

        def listen(event: Event) -> None:
            run_progress(event)
            seen.append((event.kind, table(run_progress._observer)[-1]))

        with RunProgress(factory.workspace) as run_progress:
            done = run_batch(coordinator, workers=0, listener=listen)
    assert [d.receipt.state for d in done] == ["ok"]
    assert seen == [
        ("planned", "  0 of 1 reports done, 1 waiting"),
        ("done", "  1 of 1 reports done, 0 waiting (1 ok so far)"),
    ]
    told = document(read_status(factory.workspace))
    assert (told["holder"]["doing"], told["finished"]) == ("run", {"ok": 1})


def test_a_table_shows_what_runs_which_cell_and_how_much_remains(factory):
    observer = RunObserver(factory.workspace, holds=False)
    jobs = [job(factory.workspace, number) for number in (1, 2, 3)]
    for one in jobs:
        observer(Event(kind="planned", job=one, total=3))
    with track_progress(factory.workspace, jobs[0]) as writer:
        writer.cell(2, 7)
        row, whole = table(observer)
    assert row.startswith("  shot 1 langmuir  cell 2 of 7  0.")
    assert whole == "  0 of 3 reports done, 2 waiting"
    assert not status_file(factory.workspace).exists()  # it does not hold the workspace


def test_a_trial_is_counted_apart_from_the_official_report(factory):
    observer = RunObserver(factory.workspace, holds=False)
    trial = job(factory.workspace, reports=str(factory.workspace.root / "trials"))
    observer(Event(kind="planned", job=trial, total=1))
    with track_progress(factory.workspace, job(factory.workspace)) as writer:
        writer.cell(1, 2)
        assert observer.in_progress() == []
    with track_progress(factory.workspace, trial) as writer:
        writer.cell(1, 2)
        assert [a.kind for a in observer.in_progress()] == ["trial"]


# --- the terminal ------------------------------------------------------------------------------


class Screen:
    """A terminal that keeps its lines: knows newline, return, up and clear."""

    def __init__(self) -> None:
        self.rows, self.row = [""], 0

    def write(self, text: str) -> int:
        at = 0
        while at < len(text):
            if text.startswith("\x1b[J", at):
                del self.rows[self.row :]
                self.rows.append("")
                at += 3
            elif text.startswith("\x1b[", at):
                end = text.index("A", at)
                self.row -= int(text[at + 2 : end])
                at = end + 1
            else:
                if text[at] == "\n":
                    self.row += 1
                    self.rows += [""] * (self.row + 1 - len(self.rows))
                elif text[at] != "\r":
                    self.rows[self.row] += text[at]
                at += 1
        return len(text)

    def flush(self) -> None:
        """Nothing is kept back."""


def test_live_lines_stay_below_what_is_printed_and_go_when_the_block_ends(monkeypatch):
    screen, shown = Screen(), ["one", "two"]
    monkeypatch.setattr(sys, "stderr", screen)
    with contextlib.suppress(KeyboardInterrupt), LiveLines(lambda: shown, every_s=60) as live:
        live._show()
        print("a log line", file=sys.stderr)
        print("another", end="", file=sys.stderr)
        live._show()
        assert screen.rows == ["a log line", "one", "two", ""]
        print(" line", file=sys.stderr)
        shown[:] = [f"row {k}" for k in range(100)]
        live._show()
        assert len(screen.rows) < 100
        assert screen.rows[-2] == "row 99"
        raise KeyboardInterrupt
    assert sys.stderr is screen
    assert screen.rows == ["a log line", "another line", ""]


@pytest.mark.parametrize(
    ("s", "words"),
    [
        (0.04, "0.0 s"),
        (59.9, "59.9 s"),
        (119.8, "1 min 59 s"),
        (61, "1 min 1 s"),
        (7500, "2 h 5 min"),
        (2e5, "2 d 7 h"),
    ],
)
def test_durations_are_told_for_people(s, words):
    assert seconds(s) == words


# --- the command -------------------------------------------------------------------------------


def test_the_command_prints_one_json_document(factory, monkeypatch, capsys):
    monkeypatch.setenv("ISHTAR_WORKSPACE", str(factory.workspace.root))
    with pytest.raises(SystemExit) as end:
        main(["status", "--json"])
    assert end.value.code == 0
    told = json.loads(capsys.readouterr().out)
    assert told["state"] == "idle"
    assert told["waiting"] == {"live": 0, "person": 0, "backfill": 0}


def test_receipts_name_their_phases(factory):
    assert "``record``" in (Receipt.__doc__ or "")
