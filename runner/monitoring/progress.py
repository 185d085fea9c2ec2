"""Which cell a report is at, as its worker tells: a small file for each report that is being made.

``data/running/00012~langmuir.json``, written when a phase or a cell begins and removed when the
report is done. It goes through the file system, as everything between workers and whoever watches
them does, so that a worker on another machine is seen like one of this. A killed worker leaves its
file; who reads them takes only those of reports that are known to run.
"""

from __future__ import annotations

import contextlib
import json
import logging
import os
import platform
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from ishtar.store.atomic import temporary_path
from ishtar.workspace import Workspace
from runner.monitoring import logs

if TYPE_CHECKING:
    from runner.jobs import Job

logger = logging.getLogger(__name__)

SPARE_BYTES = 100  # in a file, for longer names and numbers
Kind = Literal["", "rerun", "trial"]


@dataclass(frozen=True, kw_only=True)
class AtWork:
    """How far a worker is with a report.

    Attributes
    ----------
    kind : what a person asked for beside the official report: ``rerun``, ``trial``; or empty.
    since : when the worker began, Unix time in s, by its own clock.
    phase : phase of the run, named as in the receipt; ``cells`` while the notebook runs.
    cell, cells : which code cell runs, from 1, of how many; 0 before the first.
    cell_since : when the phase or the cell began.
    """

    subject: str
    template: str
    kind: Kind = ""
    host: str
    process: int
    since: float
    phase: str = ""
    cell: int = 0
    cells: int = 0
    cell_since: float


class Telling:
    """Writes how far one report is; what cannot be written is no reason to end a report."""

    def __init__(self, path: Path, at_work: AtWork) -> None:
        self._path = path
        self._at_work = at_work
        self._can = True
        self._room = 0  # length of the file

    def phase(self, name: str) -> None:
        """Tell that a phase begins."""
        self._write(replace(self._at_work, phase=name, cell_since=time.time()))

    def cell(self, number: int, of: int) -> None:
        """Tell that a code cell begins, the first being 1."""
        self._write(
            replace(self._at_work, phase="cells", cell=number, cells=of, cell_since=time.time())
        )

    def _write(self, at_work: AtWork) -> None:
        self._at_work = at_work
        if not self._can:
            return
        try:
            self._put(json.dumps(asdict(at_work)).encode())
        except OSError as error:
            self._can = False
            logger.warning("nobody can see how far this report is: %s", error)

    def _put(self, text: bytes) -> None:
        # Over the old text, once there is one: to rename a file over another makes ext4 write it to
        # the disk, several times in a report of a few milliseconds. Who reads half of each sees no
        # report, for that moment.
        with contextlib.suppress(FileNotFoundError):
            if len(text) <= self._room:
                with self._path.open("r+b", buffering=0) as file:
                    file.write(text.ljust(self._room))
                return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._room = len(text) + SPARE_BYTES
        write_passing(self._path, text.ljust(self._room).decode())


def kind_of(job: Job) -> Kind:
    """Return what a job is beside the official report."""
    return "rerun" if job.rerun else "trial" if job.reports else ""


@contextmanager
def following(workspace: Workspace, job: Job) -> Iterator[Telling]:
    """Let others see how far a job is during the block; what is logged in it names the job."""
    kind, now = kind_of(job), time.time()
    at_work = AtWork(
        subject=job.subject.key,
        template=job.template,
        kind=kind,
        host=platform.node(),
        process=os.getpid(),
        since=now,
        cell_since=now,
    )
    name = "~".join(part for part in (job.subject.key, job.template, kind) if part)
    path = folder(workspace) / f"{name}.json"
    with logs.bound(**logs.about(job.subject, job.template)):
        try:
            yield Telling(path, at_work)
        finally:
            with contextlib.suppress(OSError):  # never there, or a share that is away
                path.unlink()


def folder(workspace: Workspace) -> Path:
    """Return where workers tell how far they are."""
    return workspace.root / "data" / "running"


def read_progress(workspace: Workspace) -> list[AtWork]:
    """Return what workers tell, the first to begin first; those of killed workers, too."""
    found = []
    for path in folder(workspace).glob("[!.]*.json"):
        try:
            found.append(AtWork(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            continue  # done meanwhile, or written by another version
    return sorted(found, key=lambda a: (a.since, a.subject, a.template))


def clear_progress(workspace: Workspace) -> None:
    """Remove what killed workers left; for the holder of the coordinator's lock, before it begins.

    What people make for themselves needs no lock and may be at work.
    """
    for path in folder(workspace).glob("*.json"):  # with those that were being written
        if path.stem.count("~") == 1:
            path.unlink(missing_ok=True)


def write_passing(path: Path, text: str) -> None:
    """Write a file that appears whole, but may be lost with the power: it says what is now."""
    temporary = temporary_path(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
