"""The progress of reports: one small file, written by its worker, for each report in progress.

``data/running/00012~langmuir.json`` is written when a phase or a cell begins and removed when the
report is done. Files make workers on other machines visible like those on this one. A killed worker
leaves its file behind, so readers ignore files of reports that are not known to be running.
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
class Progress:
    """The progress of a worker with a report.

    Attributes
    ----------
    kind : ``rerun`` or ``trial`` if a user asked for it; empty for the official report.
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


class ProgressWriter:
    """Write the progress of one report; a write error does not end the report."""

    def __init__(self, path: Path, progress: Progress) -> None:
        self._path = path
        self._progress = progress
        self._writable = True
        self._size = 0  # length of the file

    def phase(self, name: str) -> None:
        """Record that a phase begins."""
        self._write(replace(self._progress, phase=name, cell_since=time.time()))

    def cell(self, number: int, of: int) -> None:
        """Record that a code cell begins, counted from 1."""
        self._write(
            replace(self._progress, phase="cells", cell=number, cells=of, cell_since=time.time())
        )

    def close(self) -> None:
        """Remove the file: the report is no longer in progress."""
        with contextlib.suppress(OSError):  # never written, or on an unmounted share
            self._path.unlink()

    def _write(self, progress: Progress) -> None:
        self._progress = progress
        if not self._writable:
            return
        try:
            self._put(json.dumps(asdict(progress)).encode())
        except OSError as error:
            self._writable = False
            logger.warning("cannot write the progress of this report: %s", error)

    def _put(self, text: bytes) -> None:
        # Overwrite an existing file in place: renaming one file over another makes ext4 flush it
        # to the disk, several times in a report of a few milliseconds. A reader that gets half of
        # each text sees no report for that moment.
        with contextlib.suppress(FileNotFoundError):
            if len(text) <= self._size:
                with self._path.open("r+b", buffering=0) as file:
                    file.write(text.ljust(self._size))
                return
        self._path.parent.mkdir(parents=True, exist_ok=True)
        self._size = len(text) + SPARE_BYTES
        write_transient(self._path, text.ljust(self._size).decode())


def kind_of(job: Job) -> Kind:
    """Return the kind of a job; empty for the official report."""
    return "rerun" if job.rerun else "trial" if job.reports else ""


@contextmanager
def track_progress(workspace: Workspace, job: Job) -> Iterator[ProgressWriter]:
    """Publish the progress of a job during the block and add the job to its log lines."""
    kind, now = kind_of(job), time.time()
    progress = Progress(
        subject=job.subject.key,
        template=job.template,
        kind=kind,
        host=platform.node(),
        process=os.getpid(),
        since=now,
        cell_since=now,
    )
    name = "~".join(part for part in (job.subject.key, job.template, kind) if part)
    writer = ProgressWriter(folder(workspace) / f"{name}.json", progress)
    with logs.bound(**logs.about(job.subject, job.template)):
        try:
            yield writer
        finally:
            writer.close()


def folder(workspace: Workspace) -> Path:
    """Return the folder of the progress files."""
    return workspace.root / "data" / "running"


def read_progress(workspace: Workspace) -> list[Progress]:
    """Return the progress of all workers, killed ones included, by time of start."""
    found = []
    for path in folder(workspace).glob("[!.]*.json"):
        try:
            found.append(Progress(**json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError, TypeError):
            continue  # done in the meantime, or written by another version
    return sorted(found, key=lambda a: (a.since, a.subject, a.template))


def clear_progress(workspace: Workspace) -> None:
    """Remove the files of killed workers; only for the holder of the coordinator's lock.

    Keep those of reruns and previews, which need no lock and may still be running.
    """
    for path in folder(workspace).glob("*.json"):  # includes temporary files
        if path.stem.count("~") == 1:
            path.unlink(missing_ok=True)


def write_transient(path: Path, text: str) -> None:
    """Write a file atomically but without fsync: transient state may be lost in a power cut."""
    temporary = temporary_path(path)
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
