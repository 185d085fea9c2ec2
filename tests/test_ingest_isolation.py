"""What is in a file harms no other: crashes, hangs and greed of its conversion are its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from runner.ingest import IngestSettings, IngestStopped, Layout, Outcome, ingest_file
from runner.ingest.ingest_processes import close_processes

pytestmark = pytest.mark.whole

CONVERTER = """
import os, signal, threading, time
import numpy as np

class Odd:
    name, version = "odd", "1"

    def matches(self, path, head):
        if head.startswith(b"BAD LOOK"):
            raise KeyError("in matches")
        return head.startswith(b"ODD")

    def convert(self, path, context):
        how = path.read_text().split()[1]
        channel = context.channel("g/a", dtype=np.int16, dt=1.0)
        channel.append(np.arange(10, dtype=np.int16))
        getattr(self, how)(path, context)

    def good(self, path, context): pass
    def segfault(self, path, context): os.kill(os.getpid(), signal.SIGSEGV)
    def exits(self, path, context): os._exit(3)
    def hangs(self, path, context): threading.Event().wait()
    def creeps(self, path, context):
        while True:
            context.progress(1)
            time.sleep(0.01)
    def greedy(self, path, context): np.ones(1 << 29)
    def raises(self, path, context): {}["key"]
    def system_exit(self, path, context): raise SystemExit(0)
    def interrupt(self, path, context): raise KeyboardInterrupt
    def recursion(self, path, context): self.recursion(path, context)
    def swells(self, path, context):
        channel = context.channel("g/b", dtype=np.float64, dt=1.0)
        noise = np.random.default_rng(1).random(1 << 22)
        for _ in range(64):
            channel.append(noise)
    def killed(self, path, context): os.kill(os.getpid(), signal.SIGKILL)
    def killed_once(self, path, context):
        mark = path.with_name("killed")
        if not mark.exists():
            mark.touch()
            os.kill(os.getpid(), signal.SIGKILL)
    def server_once(self, path, context):
        mark = path.with_name("killed")
        if not mark.exists():
            mark.touch()
            os.kill(os.getppid(), signal.SIGKILL)
    def prints(self, path, context):
        os.write(1, b"{" * 100_000)
        context.note("printed")
"""
SETTINGS = IngestSettings(converters=("odd:Odd",), memory_mb=1000)


class Place:
    def __init__(self, root: Path) -> None:
        self.layout = Layout.of(root)
        self.layout.incoming.mkdir(parents=True)
        (root / "odd.py").write_text(CONVERTER)

    def file(self, how: str, shot: int = 1) -> Path:
        path = self.layout.incoming / f"{shot:05d}_{how}.odd"
        path.write_text(f"ODD {how}")
        return path

    def ingest(self, path: Path, settings: IngestSettings = SETTINGS, **options: Any) -> Outcome:
        return ingest_file(path, layout=self.layout, settings=settings, incoming=True, **options)


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ("segfault", r"crashed \(SIGSEGV\)"),
        ("exits", r"crashed \(code 3\)"),
        ("hangs", r"made no progress for 0.5 s .* \[ingest\] timeout_s"),
        ("creeps", "made no progress"),
        ("greedy", r"more than 1000 MB of memory: raise \[ingest\] memory_mb"),
        ("raises", "converter odd cannot read it: KeyError"),
        ("system_exit", "SystemExit"),
        ("interrupt", "KeyboardInterrupt"),
        ("recursion", "RecursionError"),
        ("swells", "it cannot hold what it claims"),
        ("killed", "ended from outside .* check that there is enough memory for it"),
    ],
)
def test_a_file_that_breaks_its_conversion_goes_to_quarantine_with_the_reason(
    place: Place, how: str, why: str
) -> None:
    waits = how in ("hangs", "creeps")
    outcome = place.ingest(place.file(how), replace(SETTINGS, timeout_s=0.5 if waits else 60.0))
    assert outcome.status == "quarantined"
    assert re.search(why, outcome.reason), outcome.reason
    assert "\n" not in outcome.reason
    assert not list(place.layout.shots.rglob("*"))
    assert place.ingest(place.file("good", 2)).status == "stored"


def test_a_file_whose_process_was_killed_from_outside_is_tried_once_more(place: Place) -> None:
    assert place.ingest(place.file("killed_once")).status == "stored"


def test_when_the_server_of_conversions_is_killed_another_one_goes_on(place: Place) -> None:
    assert place.ingest(place.file("server_once")).status == "stored"


def test_a_converter_that_cannot_even_look_is_a_reason(place: Place) -> None:
    path = place.layout.incoming / "00001_x.odd"
    path.write_text("BAD LOOK")
    outcome = place.ingest(path)
    assert outcome.status == "quarantined"
    assert "cannot inspect it: KeyError" in outcome.reason


def test_what_a_converter_prints_goes_nowhere(
    place: Place, capfd: pytest.CaptureFixture[str]
) -> None:
    outcome = place.ingest(place.file("prints"))
    assert (outcome.status, outcome.reason) == ("stored", "printed")
    assert capfd.readouterr().out == ""


def test_a_conversion_that_is_cancelled_leaves_the_file_where_it_is(place: Place) -> None:
    path, cancelled = place.file("hangs"), threading.Event()
    cancelled.set()
    with pytest.raises(IngestStopped, match="cancelled"):
        place.ingest(path, cancelled=cancelled)
    assert path.exists()
    assert not list(place.layout.quarantine.glob("*"))


def test_nothing_of_a_conversion_outlives_its_owner(place: Place, tmp_path: Path) -> None:
    script = tmp_path / "owner.py"
    script.write_text(
        "import sys, threading, time, pathlib, os\n"
        "from runner.ingest import IngestSettings, Layout, ingest_file\n"
        "from runner.ingest import ingest_processes\n"
        "layout = Layout.of(pathlib.Path(sys.argv[1]))\n"
        "settings = IngestSettings(converters=('odd:Odd',))\n"
        "def seen(done, total): pass\n"
        "path = layout.incoming / '00001_hangs.odd'\n"
        "threading.Thread(target=ingest_file, args=(path,), kwargs=dict(layout=layout,\n"
        "    settings=settings), daemon=True).start()\n"
        "while not list(layout.shots.rglob('.tmp-*')): time.sleep(0.01)\n"
        "print(ingest_processes._server._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    place.file("hangs")
    done = subprocess.run(
        [sys.executable, str(script), str(tmp_path)], capture_output=True, text=True
    )
    server = int(done.stdout)
    for _ in range(2000):
        if not alive(server):
            break
        threading.Event().wait(0.01)
    assert not alive(server)


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return (
        Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z" if Path("/proc").is_dir() else True
    )


def test_the_server_is_started_again_after_it_was_closed(place: Place) -> None:
    assert place.ingest(place.file("good", 1)).status == "stored"
    close_processes()
    assert place.ingest(place.file("good", 2)).status == "stored"
