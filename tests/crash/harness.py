"""A service under fire: shots arrive, processes are killed, and in the end all must be there."""

from __future__ import annotations

import contextlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import psutil
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook

from ishtar.catalogue import Catalogue
from ishtar.errors import WorkspaceError
from ishtar.workspace import Workspace
from runner.simulate import Campaign, simulate
from runner.workspaces.new_workspace import make_workspace
from tests.crash.reader import Reader

TARGETS = ("service", "worker", "kernel", "kernel server", "fork server")
SETTINGS = """\
[ingest]
settle_s = 0.2
truncated_wait_s = 5.0
generator_clock_offset_s = -37.4
[watch]
poll_s = 0.1
[run]
workers = 2
"""
PROBE = """\
import numpy as np
import matplotlib.pyplot as plt
import ishtar
from ishtar.report import glue
current = ishtar.open()[shot]["Lang_I"].load().values
glue("mean", float(np.mean(current)), unit="A")
plt.plot(current[::1000])
plt.show()"""
TWICE = """\
import ishtar
from ishtar.report import glue
(mean,) = [s.value for s in ishtar.open().scraps(shot) if s.name == "mean"]
glue("twice", 2 * mean, unit="A")"""
TEMPLATES = ("probe", "twice")


@dataclass
class Stream:
    """Raw files that arrive shot by shot, some copied slowly, as over a network."""

    folder: Path
    incoming: Path
    shots: int
    random: random.Random
    delivered: int = 0

    @classmethod
    def make(cls, folder: Path, incoming: Path, shots: int, seed: int) -> Stream:
        """Simulate the shots."""
        simulate(Campaign(first=1, shots=shots, size_mb=1.0), folder)
        return cls(folder=folder, incoming=incoming, shots=shots, random=random.Random(seed))

    def deliver(self) -> None:
        """Let the next shot arrive: its data and its date, in any order; the last brings a log."""
        if self.delivered == self.shots:
            return
        self.delivered += 1
        files = sorted(self.folder.glob(f"{self.delivered:05d}_*"))
        self.random.shuffle(files)
        if self.delivered == self.shots:
            files += sorted(self.folder.glob("GENERATOR*"))
        for source in files:
            self._copy(source)

    def _copy(self, source: Path) -> None:
        content = source.read_bytes()
        cut = self.random.randrange(len(content)) if self.random.random() < 0.5 else len(content)
        with (self.incoming / source.name).open("wb") as file:
            file.write(content[:cut])
            if cut < len(content):
                file.flush()
                time.sleep(0.1)
                file.write(content[cut:])


@dataclass
class Service:
    """`ishtar watch` in a process of its own, and whoever works for it."""

    workspace: Workspace
    temporary: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0
    seen: dict[int, psutil.Process] = field(default_factory=dict)

    @property
    def log(self) -> Path:
        """What it said."""
        return self.workspace.root.parent / "watch.log"

    def start(self) -> None:
        """Start it, or start it again."""
        self.starts += 1
        kept = {k: v for k, v in os.environ.items() if k != "ISHTAR_WORKSPACE"}
        with self.log.open("ab") as out:
            self.process = subprocess.Popen(
                [sys.executable, "-c", "from runner.cli import main; main(['watch'])"],
                cwd=self.workspace.root,
                env={**kept, "TMPDIR": str(self.temporary)},
                stdout=out,
                stderr=out,
            )

    def stop(self) -> int:
        """Ask it to end; return its exit code."""
        assert self.process is not None
        self.look()
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(300)

    @property
    def lives(self) -> bool:
        """Whether it runs."""
        return self.process is not None and self.process.poll() is None

    def look(self) -> dict[str, list[psutil.Process]]:
        """Return the processes that can be killed, by what they are."""
        found: dict[str, list[psutil.Process]] = {name: [] for name in TARGETS}
        if not self.lives:
            return found
        assert self.process is not None
        service = psutil.Process(self.process.pid)
        found["service"].append(service)
        with contextlib.suppress(psutil.Error):
            for child in service.children():
                kind = _kind(child)
                if kind:
                    found[kind].append(child)
                    below = {"kernel server": "kernel", "fork server": "worker"}[kind]
                    found[below] += child.children()
            self.seen |= {p.pid: p for p in [service, *service.children(recursive=True)]}
        return found

    def strays(self, within_s: float = 60.0) -> list[psutil.Process]:
        """Return the processes that were seen below the service, live, and are not below it now."""
        deadline = time.monotonic() + within_s
        while True:
            assert self.process is not None
            below = psutil.Process(self.process.pid).children(recursive=True)
            known = {self.process.pid, *(p.pid for p in below)}
            found = [p for p in self.seen.values() if p.is_running() and p.pid not in known]
            if not found or time.monotonic() > deadline:
                return found
            time.sleep(0.1)

    def survivors(self, within_s: float = 120.0) -> list[psutil.Process]:
        """Return the processes that were ever seen and live, after some time to end."""
        _, alive = psutil.wait_procs([p for p in self.seen.values() if p.is_running()], within_s)
        return [p for p in alive if p.is_running()]

    def end(self) -> None:
        """Kill it, if it lives, with all that it has left."""
        if self.lives:
            assert self.process is not None
            self.process.kill()
            self.process.wait()
        for process in self.survivors(2.0):
            process.kill()


def _kind(process: psutil.Process) -> str:
    command = " ".join(process.cmdline())
    if "runner.kernel.warm.server" in command:
        return "kernel server"
    return "fork server" if "multiprocessing.forkserver" in command else ""


@dataclass
class Crash:
    """The whole scene: a workspace, its stream of shots, its service and a reader of its site."""

    workspace: Workspace
    stream: Stream
    service: Service
    reader: Reader
    random: random.Random
    kills: dict[str, int] = field(default_factory=lambda: dict.fromkeys(TARGETS, 0))

    def kill(self, wanted: str | None = None, patience_s: float = 15.0) -> str:
        """Kill one process, of a kind chosen at random; start the service again if it was that.

        A kind that does not run within ``patience_s`` gives way to the service itself.
        """
        wanted = wanted or self.random.choice(TARGETS)
        deadline = time.monotonic() + patience_s
        while not (victims := self.service.look()[wanted]):
            if time.monotonic() > deadline:
                wanted = "service"
                victims = self.service.look()[wanted]
                break
            time.sleep(0.01)
        victim = self.random.choice(victims)
        with contextlib.suppress(psutil.NoSuchProcess):  # it has just ended by itself
            victim.kill()
        self.kills[wanted] += 1
        if wanted == "service":
            assert self.service.process is not None
            self.service.process.wait()
            self.service.start()
        elif not self.service.lives:
            raise AssertionError(f"the service did not survive the death of a {wanted}")
        return wanted

    def lacks(self) -> list[str]:
        """Return the reports that are not there yet, and the files that nobody has taken."""
        found = [p.name for p in self.workspace.incoming.iterdir()]
        try:
            with Catalogue(self.workspace.catalogue) as catalogue:
                rows = catalogue.reports(current=True, rerun=False)
        except WorkspaceError:
            rows = []
        made = {(int(row.subject), row.template) for row in rows if row.state == "ok"}
        shots = range(1, self.stream.delivered + 1)
        found += [f"{n} {t}" for n in shots for t in TEMPLATES if (n, t) not in made]
        return found

    def wait(self, true: Callable[[], bool], what: Callable[[], str], seconds: float) -> None:
        """Wait for something that the service does by itself."""
        deadline = time.monotonic() + seconds
        while not true():
            if not self.service.lives or time.monotonic() > deadline:
                raise AssertionError(f"{what()}\n{self.service.log.read_text()[-4000:]}")
            self.service.look()
            time.sleep(0.05)

    def settle(self, seconds: float = 60.0) -> None:
        """Wait until everything that has arrived has its reports, and they are published."""
        self.wait(lambda: not self.lacks(), lambda: f"missing: {self.lacks()}", seconds)


@contextlib.contextmanager
def scene(folder: Path, *, shots: int, seed: int) -> Iterator[Crash]:
    """Give a service at work in a new workspace; nothing of it runs on after the block."""
    root, temporary = folder / "ws", folder / "t"
    (root / "templates_nb").mkdir(parents=True)
    temporary.mkdir()
    workspace = make_workspace(root, facility="Crash")
    (root / "ishtar.toml").write_text(SETTINGS)
    write_template(workspace, "probe", PROBE)
    write_template(workspace, "twice", TWICE, sidecar="after = ['probe']\n")
    crash = Crash(
        workspace=workspace,
        stream=Stream.make(folder / "raw", workspace.incoming, shots, seed),
        service=Service(workspace=workspace, temporary=temporary),
        reader=Reader(site=workspace.site, seed=seed),
        random=random.Random(seed),
    )
    crash.service.start()
    crash.reader.start()
    try:
        yield crash
    finally:
        crash.reader.stop()
        crash.service.end()
        shutil.rmtree(folder / "raw")


def write_template(workspace: Workspace, name: str, code: str, sidecar: str = "") -> None:
    """Write a template of one cell."""
    cells = [
        new_markdown_cell(f"# {name.capitalize()}"),
        new_code_cell("shot: int = 1", metadata={"tags": ["parameters"]}),
        new_code_cell(code),
    ]
    path = workspace.templates / f"{name}.ipynb"
    nbformat.write(new_notebook(cells=cells), path)
    path.with_suffix(".toml").write_text(sidecar)
