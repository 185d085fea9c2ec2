"""The status of a workspace: what its service or run is doing.

The holder of the coordinator's lock writes ``data/status.json`` once a second, and once more when
it ends; workers write their progress (`runner.monitoring.progress`). Reading needs only files, so
it works from every machine that sees the workspace.
"""

from __future__ import annotations

import json
import logging
import os
import platform
import re
import shutil
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

import psutil

from ishtar.workspace import Workspace
from runner.attempts import Trouble
from runner.ingest.raw_files.intake import WaitingFile
from runner.ingest.raw_files.quarantine import QuarantinedFile, quarantined_files
from runner.monitoring.progress import Progress, clear_progress, read_progress, write_transient
from runner.templates.template import read_templates

logger = logging.getLogger(__name__)

FORMAT = 1
WRITE_EVERY_S = 1.0  # between two writes
SILENT_S = 30.0  # without a write, until the holder counts as silent
STALLED_S = 120.0  # without a poll, until a service counts as stalled
SHOWN_AFTER_TRIES, FILE_SHOWN_AFTER_S, MOST_SHOWN = 3, 30.0, 10  # tries; on the home page
REUSED_S = 60.0  # how far the start of a process may seem to move when the clock is set

State = Literal["idle", "working", "silent", "dead"]


@dataclass(frozen=True, kw_only=True)
class LastFile:
    """The raw file processed last, and its outcome; ``when`` is a Unix time, s."""

    name: str
    status: str
    shots: tuple[int, ...] = ()
    when: float


@dataclass(frozen=True, kw_only=True)
class Holder:
    """The state of the holder of a workspace; times are Unix times by its own clock, s.

    Attributes
    ----------
    doing : the command, ``watch`` or ``run``.
    born : when the process began, to distinguish it from a later one with the same number.
    since : when it took the workspace.
    written : when it wrote this.
    ended : when it released the workspace.
    running : reports handed out: ``subject, template, priority, since``; ``run`` hands out all at
        once and leaves this to its workers.
    waiting : number of waiting reports, by priority.
    shots_to_plan : number of shots whose reports are not planned yet.
    finished : number of reports by state, since it began.
    last_look : when the service last finished a poll.
    troubles : failed tasks: ``what, error, since, tries, next_try``.
    files : raw files that could not be stored yet: ``name, reason, since``.
    change : the last external change and the reports that it made stale.
    day_reports : when templates of days are due next: ``at`` (local time), ``templates``.
    metrics : address of the metrics; empty if they are off.
    """

    doing: str
    host: str
    process: int
    born: float
    since: float
    written: float
    ended: float | None = None
    running: tuple[Mapping[str, Any], ...] = ()
    waiting: Mapping[str, int] = field(default_factory=dict)
    shots_to_plan: int = 0
    finished: Mapping[str, int] = field(default_factory=dict)
    day_reports: tuple[Mapping[str, Any], ...] = ()
    last_file: LastFile | None = None
    last_look: float | None = None
    troubles: tuple[Mapping[str, Any], ...] = ()
    files: tuple[Mapping[str, Any], ...] = ()
    change: Mapping[str, Any] | None = None
    metrics: str = ""
    format: int = FORMAT


@dataclass(frozen=True, kw_only=True)
class Report:
    """A report in progress; ``progress`` is None if its worker has not written any."""

    subject: str
    template: str
    priority: str
    since: float
    progress: Progress | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """The status of a workspace.

    Attributes
    ----------
    state : ``idle``: it has no holder; ``working``; ``silent``: its holder has not written for a
        while; ``dead``: its holder was killed.
    other : a holder without a status (a short command), as named in the lock.
    holder : the current or last holder.
    templates : unusable templates, each with the reason.
    """

    state: State
    now: float
    other: str = ""
    holder: Holder | None = None
    running: tuple[Report, ...] = ()
    last_shot: int | None = None
    quarantine: tuple[QuarantinedFile, ...] = ()
    templates: Mapping[str, str] = field(default_factory=dict)
    disk_free: int = 0

    @property
    def stalled_s(self) -> float | None:
        """How long a living service has not polled, s; None if it is not stalled."""
        if self.state != "working" or self.other or self.holder is None:
            return None
        last = self.holder.last_look
        quiet = self.now - last if last is not None else 0.0
        return quiet if quiet > STALLED_S else None


class StatusWriter:
    """Write the state of the holder of a workspace once a second.

    A thread does the writing, so that the status stays current while a large file is ingested. The
    immutable state is replaced as a whole, so the threads need no lock.

    Parameters
    ----------
    doing : str
        The command.
    poll : callable
        Called before each write; returns further changes, as for `update`.
    every_s : float, s
        Between two writes.
    """

    def __init__(
        self,
        workspace: Workspace,
        doing: str,
        *,
        poll: Callable[[], Mapping[str, Any]] = dict,
        every_s: float = WRITE_EVERY_S,
    ) -> None:
        self._workspace = workspace
        self._path = status_file(workspace)
        before = _read_holder(self._path)
        now = time.time()
        self.holder = Holder(
            doing=doing,
            host=platform.node(),
            process=os.getpid(),
            born=psutil.Process().create_time(),
            since=now,
            written=now,
            last_file=before.last_file if before else None,
        )
        self._every_s = every_s
        self._poll = poll
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="status")
        self._failed = False

    def update_now(self, **changes: Any) -> None:
        """Change the state and write it at once."""
        self.update(**changes)
        self._write()

    def update(self, **changes: Any) -> None:
        """Change fields of the `Holder`; the writer writes them within a second."""
        self.holder = replace(self.holder, **changes)

    def __enter__(self) -> StatusWriter:
        clear_progress(self._workspace)
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self.update(**self._poll())
        self._poll = dict
        self.update(ended=time.time(), running=(), waiting={}, shots_to_plan=0)
        self._write()

    def _beat(self) -> None:
        while not self._stop.wait(self._every_s):
            self._write()

    def _write(self) -> None:
        try:
            self.update(**self._poll(), written=time.time())
            text = json.dumps(asdict(self.holder), indent=1)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_transient(self._path, text + "\n")
        except (OSError, TypeError, ValueError) as error:  # a full disk: the work matters more
            if not self._failed:
                logger.warning("cannot write the status: %s", error)
            self._failed = True
        else:
            self._failed = False


def lasting_troubles(troubles: Iterable[Trouble], files: Iterable[WaitingFile]) -> list[str]:
    """Return lines for the home page on troubles that lasted for more than a moment."""
    lines = [f"{t.what}: {t.error}" for t in troubles if t.tries >= SHOWN_AFTER_TRIES]
    lines += [
        f"{f.name} waits: {f.reason}" for f in files if time.time() - f.since >= FILE_SHOWN_AFTER_S
    ]
    return lines[:MOST_SHOWN]


def holder_troubles(holder: Holder) -> list[str]:
    """Return the lasting troubles in a holder's status."""
    troubles = [Trouble(**t) for t in holder.troubles]
    return lasting_troubles(troubles, [WaitingFile(**f) for f in holder.files])


def service_works(workspace: Workspace) -> bool:
    """Return whether a service works on a workspace now and takes requests."""
    holder = _read_holder(status_file(workspace))
    if holder is None or holder.ended or holder.doing != "watch":
        return False
    return _liveness(holder, time.time()) == "working"


def service_troubles(workspace: Workspace) -> list[str]:
    """Return the lasting troubles of the service on a workspace; empty if none is working."""
    holder = _read_holder(status_file(workspace))
    return holder_troubles(holder) if holder and service_works(workspace) else []


# --- reading ----------------------------------------------------------------------------------


def read_status(workspace: Workspace) -> Status:
    """Read the status of a workspace from its files."""
    now = time.time()
    holder = _read_holder(status_file(workspace))
    state: State = "idle" if holder is None or holder.ended else _liveness(holder, now)
    other = ""
    if state in ("idle", "dead"):
        other = _other_holder(workspace, holder)
        state = "working" if other else state
    return Status(
        state=state,
        now=now,
        other=other,
        holder=holder,
        running=tuple(_running(workspace, holder if state in ("working", "silent") else None)),
        last_shot=_last_shot(workspace),
        quarantine=tuple(quarantined_files(workspace.quarantine)),
        templates=read_templates(workspace.templates).problems,
        disk_free=shutil.disk_usage(workspace.root).free,
    )


def status_file(workspace: Workspace) -> Path:
    """Return the path of the status file."""
    return workspace.root / "data" / "status.json"


def _read_holder(path: Path) -> Holder | None:
    """Return the last written state; None if it is missing or unreadable."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        if data["format"] != FORMAT:
            return None
        if last := data["last_file"]:
            data["last_file"] = LastFile(**{**last, "shots": tuple(last["shots"])})
        for name in ("running", "day_reports", "troubles", "files"):
            data[name] = tuple(data.get(name, ()))
        return Holder(**data)
    except (OSError, ValueError, TypeError, KeyError):
        return None


def _liveness(holder: Holder, now: float) -> State:
    quiet = now - holder.written > SILENT_S
    if holder.host == platform.node() and not _is_alive(holder, quiet):
        return "dead"
    return "silent" if quiet else "working"


def _is_alive(holder: Holder, quiet: bool) -> bool:
    try:
        process = psutil.Process(holder.process)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return not quiet or abs(process.create_time() - holder.born) < REUSED_S
    except psutil.NoSuchProcess:
        return False


def _other_holder(workspace: Workspace, holder: Holder | None) -> str:
    """Return the holder named in the lock if it writes no status; empty if there is none."""
    try:
        # Read the text only: even trying a shared lock could turn another process away.
        text = (workspace.root / "data" / "coordinator.lock").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    found = re.fullmatch(r"process (\d+) on (.+)", text)
    if found is None:
        return ""
    process, host = int(found[1]), found[2]
    known = holder and (holder.process, holder.host) == (process, host) and not holder.ended
    if known:
        return ""  # it is dead
    return "" if host == platform.node() and not psutil.pid_exists(process) else text


def _running(workspace: Workspace, holder: Holder | None) -> list[Report]:
    """Combine the reports that the holder handed out with the progress of workers."""
    found = {(a.subject, a.template, a.kind): a for a in read_progress(workspace)}
    reports = []
    if holder is not None and holder.doing == "run":  # it hands out all at once
        reports += [_of_person(a) for a in found.values() if not a.kind and _worker_lives(a)]
    for r in holder.running if holder else ():
        progress = found.pop((r["subject"], r["template"], ""), None)
        if progress is not None and progress.since < float(r["since"]) - REUSED_S:
            progress = None  # left by a worker that was killed before
        reports.append(Report(progress=progress, **r))
    # Reruns and previews, which nobody holds the workspace for.
    reports += [_of_person(a) for a in found.values() if a.kind and _worker_lives(a)]
    return reports


def _of_person(a: Progress) -> Report:
    return Report(
        subject=a.subject, template=a.template, priority="person", since=a.since, progress=a
    )


def _worker_lives(a: Progress) -> bool:
    """Return whether a worker is alive; assume it for one on another machine."""
    return a.host != platform.node() or psutil.pid_exists(a.process)


def _last_shot(workspace: Workspace) -> int | None:
    try:
        names = os.listdir(workspace.shots)
    except FileNotFoundError:
        return None
    return max((int(name) for name in names if name.isdigit()), default=None)
