"""Which reports were being made when the coordinator died: one of them may have killed it.

``data/handed_out/00012~langmuir.json`` is written before a job is handed to a worker and removed
when it is back. What a start finds there was running when the last coordinator was killed. Such a
report is made alone from then on, so that the next death says which one it was.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ishtar.workspace import Workspace
from runner.jobs import Job
from runner.monitoring.progress import write_passing

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Record:
    """What is known of a report that was handed out.

    Attributes
    ----------
    running : whether a worker has it now.
    deaths : of coordinators, while it was the only report that was being made.
    rounds : how often it was left for later because of that.
    """

    subject: str
    template: str
    running: bool = True
    deaths: int = 0
    rounds: int = 0


class HandedOut:
    """The records of a workspace; for the one coordinator that holds it."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.root / "data" / "handed_out"
        self._mine: set[Path] = set()
        self._suspects: dict[tuple[str, str], Record] = {}
        found = list(self._read())
        ran = [r for r in found if r.running]
        for record in found:
            died_alone = record.running and len(ran) == 1
            known = replace(record, running=False, deaths=record.deaths + died_alone)
            self._suspects[known.subject, known.template] = known
            if record.running:
                self._write(known)
        if ran:
            logger.warning(
                "the last coordinator was killed while these were being made: %s; each is made "
                "alone now",
                ", ".join(f"{r.subject} {r.template}" for r in ran),
            )

    def suspect(self, job: Job) -> Record | None:
        """Return what is known of a report that may have killed a coordinator; else None."""
        return self._suspects.get((job.subject.key, job.template))

    def begin(self, job: Job) -> None:
        """Note that a worker is given a job."""
        known = self.suspect(job) or Record(subject=job.subject.key, template=job.template)
        self._mine.add(self._write(replace(known, running=True)))

    def back(self, job: Job) -> None:
        """Note that a job is back: the coordinator lives. Who was suspected still is."""
        if known := self.suspect(job):
            self._write(known)
        else:
            self.made(job)

    def made(self, job: Job) -> None:
        """Note that a report is made, and suspected of nothing."""
        known = self._suspects.pop((job.subject.key, job.template), None)
        path = self._path(known or Record(subject=job.subject.key, template=job.template))
        path.unlink(missing_ok=True)
        self._mine.discard(path)

    def leave(self, job: Job) -> Record:
        """Note that a report has killed as many coordinators as it may, and is left for later."""
        known = self._suspects[job.subject.key, job.template]
        known = replace(known, deaths=0, rounds=known.rounds + 1)
        self._suspects[job.subject.key, job.template] = known
        self._write(known)
        return known

    def close(self) -> None:
        """Note that no job of this coordinator runs any more: it ends in good order."""
        for path in self._mine:
            path.unlink(missing_ok=True)
        for known in self._suspects.values():
            if self._path(known) in self._mine:
                self._write(known)
        self._mine.clear()

    def _read(self) -> list[Record]:
        found = []
        for path in sorted(self._folder.glob("[!.]*.json")):
            try:
                record = Record(**json.loads(path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError) as error:
                logger.warning("%s cannot be read (%s) and is removed", path, error)
                path.unlink(missing_ok=True)
                continue
            found.append(record)
        return found

    def _path(self, record: Record) -> Path:
        return self._folder / f"{record.subject}~{record.template}.json"

    def _write(self, record: Record) -> Path:
        path = self._path(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_passing(path, json.dumps(asdict(record)) + "\n")
        return path
