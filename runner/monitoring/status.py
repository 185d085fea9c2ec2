"""What the service, or a run, does now: told by who holds the workspace, read by anybody.

The holder of the coordinator's lock writes ``data/status.json`` once a second, and a last time when
it ends; its workers tell how far they are (`runner.monitoring.progress`). Reading takes files only,
so that it works from every machine that sees the workspace.
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
from runner.monitoring.progress import AtWork, clear_progress, read_progress, write_passing
from runner.templates.template import read_templates

logger = logging.getLogger(__name__)

FORMAT = 1
EVERY_S = 1.0  # between two writes
SILENT_S = 30.0  # without a write, until its holder is said to be silent
UNMOVED_S = 120.0  # without a look, until a service is said to do nothing
TOLD_AFTER, FILE_TOLD_AFTER_S, MOST_TOLD = 3, 30.0, 10  # tries; on the home page
REUSED_S = 60.0  # by which the start of a process may seem to move when its clock is set

State = Literal["idle", "working", "silent", "dead"]


@dataclass(frozen=True, kw_only=True)
class LastFile:
    """The raw file that was dealt with last, and what became of it; ``when`` in Unix time, s."""

    name: str
    status: str
    shots: tuple[int, ...] = ()
    when: float


@dataclass(frozen=True, kw_only=True)
class Holder:
    """What the holder of a workspace tells of itself; times are Unix times by its own clock, s.

    Attributes
    ----------
    doing : the command, ``watch`` or ``run``.
    born : when the process began, which tells it from a later one of the same number.
    since : when it took the workspace.
    written : when it told this.
    ended : when it gave the workspace back.
    running : reports that were handed out: ``subject, template, priority, since``; ``run`` hands
        out everything at once and leaves this to its workers.
    waiting : how many reports wait, by priority.
    shots_to_plan : shots of which it is not known yet which reports they lack.
    finished : reports by state, since it began.
    last_look : when the service last looked for files and reports, and did what was to be done.
    troubles : what could not be done yet: ``what, error, since, tries, next_try``.
    files : raw files that could not be stored yet: ``name, reason, since``.
    change : what people changed last beside the service, and what became stale by it.
    day_reports : when which templates of days are due next: ``at`` (local time), ``templates``.
    metrics : where metrics can be had; empty if nowhere.
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
    """A report that is being made: what it is, for whom, and how far it is (None: not told)."""

    subject: str
    template: str
    priority: str
    since: float
    at_work: AtWork | None = None


@dataclass(frozen=True, kw_only=True)
class Status:
    """What goes on in a workspace.

    Attributes
    ----------
    state : ``idle``: nobody holds it; ``working``; ``silent``: its holder has not been heard of for
        a while; ``dead``: its holder was killed.
    other : who holds it without telling anything (a short command), as its lock says.
    holder : who holds it, or held it last.
    templates : those that cannot be used, and why.
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
    def unmoved_s(self) -> float | None:
        """For how long a living service has done nothing, s; None where it does something."""
        if self.state != "working" or self.other or self.holder is None:
            return None
        last = self.holder.last_look
        quiet = self.now - last if last is not None else 0.0
        return quiet if quiet > UNMOVED_S else None


class Board:
    """Tells, once a second, what the holder of a workspace does.

    A thread writes, so that the status stays alive while a large file is ingested; what it writes
    is replaced as a whole and never changed, so that the two need no lock.

    Parameters
    ----------
    doing : str
        The command.
    look : callable
        Asked before each write for what to tell beside what `tell` was given.
    every_s : float, s
        Between two writes.
    """

    def __init__(
        self,
        workspace: Workspace,
        doing: str,
        *,
        look: Callable[[], Mapping[str, Any]] = dict,
        every_s: float = EVERY_S,
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
        self._look = look
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True, name="status")
        self._failed = False

    def tell_now(self, **changes: Any) -> None:
        """Change what is told, and write it at once."""
        self.tell(**changes)
        self._write()

    def tell(self, **changes: Any) -> None:
        """Change what is told; the fields are those of `Holder`. It is written within a second."""
        self.holder = replace(self.holder, **changes)

    def __enter__(self) -> Board:
        clear_progress(self._workspace)
        self._write()
        self._thread.start()
        return self

    def __exit__(self, *exc: object) -> None:
        self._stop.set()
        self._thread.join()
        self.tell(**self._look())
        self._look = dict
        self.tell(ended=time.time(), running=(), waiting={}, shots_to_plan=0)
        self._write()

    def _beat(self) -> None:
        while not self._stop.wait(self._every_s):
            self._write()

    def _write(self) -> None:
        try:
            self.tell(**self._look(), written=time.time())
            text = json.dumps(asdict(self.holder), indent=1)
            self._path.parent.mkdir(parents=True, exist_ok=True)
            write_passing(self._path, text + "\n")
        except (OSError, TypeError, ValueError) as error:  # a full disk: the work matters more
            if not self._failed:
                logger.warning("the status cannot be written: %s", error)
            self._failed = True
        else:
            self._failed = False


def worth_telling(troubles: Iterable[Trouble], files: Iterable[WaitingFile]) -> list[str]:
    """Return what the home page is to say of troubles: those that did not pass at once."""
    told = [f"{t.what}: {t.error}" for t in troubles if t.tries >= TOLD_AFTER]
    told += [
        f"{f.name} waits: {f.reason}" for f in files if time.time() - f.since >= FILE_TOLD_AFTER_S
    ]
    return told[:MOST_TOLD]


def worth_telling_of(holder: Holder) -> list[str]:
    """Return the same, of what a holder has told."""
    troubles = [Trouble(**t) for t in holder.troubles]
    return worth_telling(troubles, [WaitingFile(**f) for f in holder.files])


def service_works(workspace: Workspace) -> bool:
    """Tell whether a service works on a workspace now, and takes requests."""
    holder = _read_holder(status_file(workspace))
    if holder is None or holder.ended or holder.doing != "watch":
        return False
    return _life(holder, time.time()) == "working"


def lasting_troubles(workspace: Workspace) -> list[str]:
    """Return the same, of the service that works on a workspace now; nothing where none does."""
    holder = _read_holder(status_file(workspace))
    return worth_telling_of(holder) if holder and service_works(workspace) else []


# --- reading ----------------------------------------------------------------------------------


def read_status(workspace: Workspace) -> Status:
    """Return what goes on in a workspace, from its files."""
    now = time.time()
    holder = _read_holder(status_file(workspace))
    state: State = "idle" if holder is None or holder.ended else _life(holder, now)
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
    """Return where the holder of a workspace tells what it does."""
    return workspace.root / "data" / "status.json"


def _read_holder(path: Path) -> Holder | None:
    """Return what was told last; None where nothing was, or nothing that can be read."""
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


def _life(holder: Holder, now: float) -> State:
    quiet = now - holder.written > SILENT_S
    if holder.host == platform.node() and not _lives(holder, quiet):
        return "dead"
    return "silent" if quiet else "working"


def _lives(holder: Holder, quiet: bool) -> bool:
    try:
        process = psutil.Process(holder.process)
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        return not quiet or abs(process.create_time() - holder.born) < REUSED_S
    except psutil.NoSuchProcess:
        return False


def _other_holder(workspace: Workspace, told: Holder | None) -> str:
    """Return who holds the lock without a status, by the text in it; empty if nobody does."""
    try:
        # The text, not the lock: to try the lock, even shared, could turn away who wants it now.
        text = (workspace.root / "data" / "coordinator.lock").read_text(encoding="utf-8").strip()
    except OSError:
        return ""
    found = re.fullmatch(r"process (\d+) on (.+)", text)
    if found is None:
        return ""
    process, host = int(found[1]), found[2]
    if told is not None and (told.process, told.host) == (process, host) and not told.ended:
        return ""  # it is dead
    return "" if host == platform.node() and not psutil.pid_exists(process) else text


def _running(workspace: Workspace, holder: Holder | None) -> list[Report]:
    """Put together what the holder has handed out and what workers tell."""
    told = {(a.subject, a.template, a.kind): a for a in read_progress(workspace)}
    reports = []
    if holder is not None and holder.doing == "run":  # it hands out all at once
        reports += [_of_person(a) for a in told.values() if not a.kind and _is_there(a)]
    for r in holder.running if holder else ():
        at_work = told.pop((r["subject"], r["template"], ""), None)
        if at_work is not None and at_work.since < float(r["since"]) - REUSED_S:
            at_work = None  # of a worker that was killed before
        reports.append(Report(at_work=at_work, **r))
    # What people make for themselves, for which nobody holds the workspace.
    reports += [_of_person(a) for a in told.values() if a.kind and _is_there(a)]
    return reports


def _of_person(a: AtWork) -> Report:
    return Report(
        subject=a.subject, template=a.template, priority="person", since=a.since, at_work=a
    )


def _is_there(a: AtWork) -> bool:
    """Tell whether a worker lives; of one on another machine it is believed."""
    return a.host != platform.node() or psutil.pid_exists(a.process)


def _last_shot(workspace: Workspace) -> int | None:
    try:
        names = os.listdir(workspace.shots)
    except FileNotFoundError:
        return None
    return max((int(name) for name in names if name.isdigit()), default=None)
