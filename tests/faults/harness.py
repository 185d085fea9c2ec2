"""A service, a stream of shots, a supervisor that starts it again, and what can go wrong."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import os
import random
import signal
import sqlite3
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import psutil

from ishtar.catalogue import Catalogue, CatalogueError
from ishtar.errors import WorkspaceError
from ishtar.workspace import Workspace
from runner.scheduling.lock import lock_file
from runner.simulate import Campaign, simulate
from runner.simulate.campaign import SHOTS_A_DAY
from runner.workspaces.new_workspace import make_workspace
from tests.crash.harness import PROBE, TWICE, Service, write_template
from tests.faults.disk import full, small_disk

SETTINGS = """\
[ingest]
settle_s = 0.2
truncated_wait_s = 3.0
generator_clock_offset_s = -37.4
[watch]
poll_s = 0.2
changes_every_s = 2.0
folders = ["{share}"]
[run]
workers = 2
timeout_s = 120.0
sandbox = "off"  # where Linux keeps notebooks from other processes, none could kill the service
"""
KILLER = """\
import os, re, signal, time
from pathlib import Path
lock = Path(os.environ["ISHTAR_WORKSPACE"]) / "data" / "coordinator.lock"
while shot == {shot}:
    try:  # another fault is that the lock vanishes
        found = re.match(r"process (\\d+) on ", lock.read_text())
        os.kill(int(found[1]), signal.SIGKILL)
        time.sleep(60)
    except (FileNotFoundError, TypeError):
        time.sleep(0.1)"""
TEMPLATES = ("killer", "probe", "twice")
FIRST_DAY = dt.date(2026, 11, 22)
KILLING = 2  # the shot whose report kills the service
RESTART_S = 1.0  # as systemd's RestartSec

POISON_TEMPLATES: dict[str, Callable[[Path], object]] = {
    "folder.ipynb": lambda path: path.mkdir(exist_ok=True),
    "dangling.ipynb": lambda path: path.symlink_to("nowhere"),
    "deep.ipynb": lambda path: path.write_text("[" * 100_000),
    "null.ipynb": lambda path: path.write_text(
        '{"cells": [{"cell_type": "code", "metadata": null, "source": "x = 1"}]}'
    ),
    "loop.ipynb": lambda path: path.symlink_to(path.name),
}
POISON_FILES = {
    "00099_Data.tdms": b"TDSm" + bytes(range(256)) * 40,
    "notes.xyz": b"nothing of ours",
    "00098_Data.h5": b"\x89HDF\r\n\x1a\n" + b"\xff" * 500,
}


class Supervised(Service):
    """A service whose log lies on another disk."""

    @property
    def log(self) -> Path:
        """What it said."""
        return self.temporary.parent / "watch.log"


@dataclass
class Scene:
    """All that takes part."""

    workspace: Workspace
    raw: Path
    share: Path
    service: Service
    shots: int
    hold_s: float
    random: random.Random
    has_disk: bool
    delivered: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    done: threading.Event = field(default_factory=threading.Event)

    # --- the stream ------------------------------------------------------------------------------

    def deliver(self) -> None:
        """Let the next shot arrive on the share."""
        self.delivered += 1
        for source in sorted(self.raw.glob(f"{self.delivered:05d}_*")):
            (self.share / source.name).write_bytes(source.read_bytes())

    def supervise(self) -> None:
        """Start the service again whenever it has died, as systemd does."""
        while not self.done.wait(RESTART_S):
            if not self.service.lives:
                self.service.start()

    # --- faults ----------------------------------------------------------------------------------

    @property
    def kinds(self) -> dict[str, Callable[[], object]]:
        """What can go wrong, by name."""
        found: dict[str, Callable[[], object]] = {
            "service killed": lambda: self._signal("service", signal.SIGKILL),
            "worker killed": lambda: self._signal("worker", signal.SIGKILL),
            "kernel killed": lambda: self._signal("kernel", signal.SIGKILL),
            "worker stopped": lambda: self._stop("worker"),
            "service stopped": lambda: self._stop("service"),
            "catalogue locked": self._lock_catalogue,
            "catalogue deleted": self._delete_catalogue,
            "lock deleted": lambda: lock_file(self.workspace).unlink(missing_ok=True),
            "poison files": self._poison_files,
            "poison template": self._poison_template,
        }
        if self.has_disk:
            found["disk full"] = self._fill_disk
        return found

    def fault(self, kind: str) -> None:
        """Let something go wrong, and right again where that is not up to the service."""
        self.kinds[kind]()
        self.faults[kind] += 1

    def _victims(self, what: str) -> list[psutil.Process]:
        with contextlib.suppress(psutil.Error):
            return self.service.look()[what]
        return []

    def _signal(self, what: str, number: int) -> psutil.Process | None:
        victims = self._victims(what)
        if not victims:
            return None
        victim = self.random.choice(victims)
        with contextlib.suppress(psutil.Error):
            victim.send_signal(number)
        return victim

    def _stop(self, what: str) -> None:
        victim = self._signal(what, signal.SIGSTOP)
        time.sleep(self.hold_s / 2)
        if victim:
            with contextlib.suppress(psutil.Error):
                victim.send_signal(signal.SIGCONT)

    def _lock_catalogue(self) -> None:
        with contextlib.suppress(sqlite3.Error):  # the service writes it just now
            uri = f"{self.workspace.catalogue.as_uri()}?mode=rw"
            with closing(sqlite3.connect(uri, uri=True, timeout=10, isolation_level=None)) as db:
                db.execute("BEGIN EXCLUSIVE")
                time.sleep(self.hold_s)

    def _delete_catalogue(self) -> None:
        for suffix in ("", "-wal", "-shm"):
            path = self.workspace.catalogue
            path.with_name(path.name + suffix).unlink(missing_ok=True)

    def _fill_disk(self) -> None:
        with full(self.workspace.root.parent):
            time.sleep(self.hold_s)

    def _poison_files(self) -> None:
        for name, content in POISON_FILES.items():
            (self.share / name).write_bytes(content + os.urandom(8))

    def _poison_template(self) -> None:
        name = self.random.choice(sorted(POISON_TEMPLATES))
        path = self.workspace.templates / name
        try:
            POISON_TEMPLATES[name](path)
            time.sleep(self.hold_s / 2)
        finally:
            path.rmdir() if path.is_dir() else path.unlink(missing_ok=True)

    # --- what is to come of it -------------------------------------------------------------------

    def lacks(self) -> list[str]:
        """Return the reports and pages that are not there yet."""
        try:
            with Catalogue(self.workspace.catalogue) as catalogue:
                rows = catalogue.reports(current=True, rerun=False)
        except (WorkspaceError, CatalogueError) as error:
            return [str(error)]
        states = {(int(r.subject), r.template): r.state for r in rows}
        found = []
        for n in range(1, self.delivered + 1):
            for name in TEMPLATES:
                wanted = "failed" if (n, name) == (KILLING, "killer") else "ok"
                if (state := states.get((n, name), "missing")) != wanted:
                    found.append(f"shot {n} {name} is {state}")
                elif not (page := self.page(n, name)).is_file():
                    found.append(f"{page.relative_to(self.workspace.site)} is not there")
        if (troubles := self.troubles()) and not found:
            found.append(f"troubles: {troubles}")
        return found

    def page(self, shot: int, name: str) -> Path:
        """Return the page of a report."""
        return self.workspace.site / "shots" / f"{shot:05d}" / f"{name}.html"

    def troubles(self) -> list[str]:
        """Return what the service says that it cannot do yet."""
        with contextlib.suppress(OSError, ValueError, KeyError):
            text = (self.workspace.root / "data" / "status.json").read_text(encoding="utf-8")
            return [f"{t['what']}: {t['error']}" for t in json.loads(text)["troubles"]]
        return []

    def settle(self, seconds: float) -> list[str]:
        """Wait until nothing is lacking; return what still is."""
        deadline = time.monotonic() + seconds
        while (found := self.lacks()) and time.monotonic() < deadline:
            time.sleep(0.3)
        return found


@contextmanager
def scene(folder: Path, *, shots: int, hold_s: float, seed: int) -> Iterator[Scene]:
    """Give a service at work in a new workspace on a disk of its own."""
    with small_disk(folder / "disk") as has_disk:
        root, temporary, share = folder / "disk" / "ws", folder / "t", folder / "share"
        (root / "templates_nb").mkdir(parents=True)
        temporary.mkdir()
        share.mkdir()
        workspace = make_workspace(root, facility="Faults")
        (root / "ishtar.toml").write_text(SETTINGS.format(share=share))
        write_template(workspace, "probe", PROBE)
        write_template(workspace, "twice", TWICE, sidecar="after = ['probe']\n")
        write_template(workspace, "killer", KILLER.format(shot=KILLING))
        for day, first in enumerate(range(1, shots + 1, SHOTS_A_DAY)):
            date, n = FIRST_DAY + dt.timedelta(days=day), min(SHOTS_A_DAY, shots + 1 - first)
            simulate(Campaign(first=first, shots=n, size_mb=1.0, date=date), folder / "raw")
        found = Scene(
            workspace=Workspace.at(root),
            raw=folder / "raw",
            share=share,
            service=Supervised(workspace=workspace, temporary=temporary),
            shots=shots,
            hold_s=hold_s,
            random=random.Random(seed),
            has_disk=has_disk,
        )
        found.service.start()
        supervisor = threading.Thread(target=found.supervise, daemon=True, name="supervisor")
        supervisor.start()
        try:
            yield found
        finally:
            found.done.set()
            supervisor.join()
            found.service.end()
