"""Records of the reports in progress: if the coordinator dies, one of them may have killed it.

``data/handed_out/00012~langmuir.json`` is written before a job goes to a worker and removed when
the job returns. Records found at the start were in progress when the last coordinator was killed.
These reports are made alone from then on, so that another death identifies the culprit.
"""

from __future__ import annotations

import json
import logging
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from ishtar.workspace import Workspace
from runner.jobs import Job
from runner.monitoring.progress import write_transient

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Record:
    """The record of a report that was handed out.

    Attributes
    ----------
    running : whether a worker has it now.
    deaths : how many coordinators died while it was the only report in progress.
    rounds : how often it was deferred because of that.
    """

    subject: str
    template: str
    running: bool = True
    deaths: int = 0
    rounds: int = 0


class HandedOut:
    """Keep the records of a workspace; only for the coordinator that holds it."""

    def __init__(self, workspace: Workspace) -> None:
        self._folder = workspace.root / "data" / "handed_out"
        self._own: set[Path] = set()
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
                "the last coordinator was killed while these reports were in progress: %s; "
                "making each of them alone now",
                ", ".join(f"{r.subject} {r.template}" for r in ran),
            )

    def suspect(self, job: Job) -> Record | None:
        """Return the record of a report that may have killed a coordinator, else None."""
        return self._suspects.get((job.subject.key, job.template))

    def begin(self, job: Job) -> None:
        """Record that a job goes to a worker."""
        known = self.suspect(job) or Record(subject=job.subject.key, template=job.template)
        self._own.add(self._write(replace(known, running=True)))

    def returned(self, job: Job) -> None:
        """Record that a job is back and the coordinator alive; a suspect remains one."""
        if known := self.suspect(job):
            self._write(known)
        else:
            self.finished(job)

    def finished(self, job: Job) -> None:
        """Record that a report is made; it is no longer a suspect."""
        known = self._suspects.pop((job.subject.key, job.template), None)
        path = self._path(known or Record(subject=job.subject.key, template=job.template))
        path.unlink(missing_ok=True)
        self._own.discard(path)

    def postpone(self, job: Job) -> Record:
        """Record that a report is deferred: it has killed the most coordinators allowed."""
        known = self._suspects[job.subject.key, job.template]
        known = replace(known, deaths=0, rounds=known.rounds + 1)
        self._suspects[job.subject.key, job.template] = known
        self._write(known)
        return known

    def close(self) -> None:
        """Record that no job of this coordinator is running: it ends regularly."""
        for path in self._own:
            path.unlink(missing_ok=True)
        for known in self._suspects.values():
            if self._path(known) in self._own:
                self._write(known)
        self._own.clear()

    def _read(self) -> list[Record]:
        found = []
        for path in sorted(self._folder.glob("[!.]*.json")):
            try:
                record = Record(**json.loads(path.read_text(encoding="utf-8")))
            except FileNotFoundError:
                continue
            except (OSError, ValueError, TypeError) as error:
                logger.warning("%s cannot be read (%s): removed it", path, error)
                path.unlink(missing_ok=True)
                continue
            found.append(record)
        return found

    def _path(self, record: Record) -> Path:
        return self._folder / f"{record.subject}~{record.template}.json"

    def _write(self, record: Record) -> Path:
        path = self._path(record)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_transient(path, json.dumps(asdict(record)) + "\n")
        return path
