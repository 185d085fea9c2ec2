"""Acts of people, as files: what the web service accepts and the coordinator does.

::

    data/acts/waiting/ID.json   accepted, not done yet
    data/acts/done/ID.json      the act with its outcome: the record of who did what, and when

Both processes may be killed at any moment: an act is waiting until its outcome is written. What is
done must be safe to do again, `runner.service.take_acts`.
"""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ishtar.errors import IshtarError
from ishtar.store import write_atomic
from ishtar.workspace import Workspace

DONE, REFUSED, WAITING = "done", "refused", "waiting"
ID = re.compile(r"[0-9a-f]{32}")


class DamagedAct(IshtarError, ValueError):
    """The file of an act cannot be read."""


@dataclass(frozen=True, kw_only=True)
class Act:
    """What a person wants to be done.

    Attributes
    ----------
    id : str
        32 hexadecimal digits.
    kind : str
        ``attributes``, a correction; ``rerun``, a report with other parameters.
    who : str
        Name of the person.
    when : str
        When it was accepted, ISO 8601, UTC.
    wanted : mapping
        JSON values, by the kind.
    """

    id: str
    kind: str
    who: str
    when: str
    wanted: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an act: ``state`` is waiting, done or refused, ``detail`` says why.

    ``result`` has JSON values, by the kind of the act.
    """

    state: str
    detail: str = ""
    result: Mapping[str, Any] = field(default_factory=dict)


def new_act(kind: str, who: str, wanted: Mapping[str, Any], key: str = "") -> Act:
    """Return an act of now.

    Parameters
    ----------
    key
        What the person's program calls it: the same key is the same act, however often it is sent.
    """
    name = hashlib.sha256(f"{who}\0{key}".encode()).hexdigest()[:32] if key else uuid.uuid4().hex
    when = datetime.now(UTC).isoformat(timespec="microseconds")
    return Act(id=name, kind=kind, who=who, when=when, wanted=wanted)


def submit(workspace: Workspace, act: Act) -> tuple[Act, Outcome]:
    """Let an act wait for the coordinator; return it, or the one of its name that is there."""
    if there := find(workspace, act.id):
        return there
    path = _folder(workspace, WAITING) / f"{act.id}.json"
    try:
        write_atomic(path, json.dumps(asdict(act)), exclusive=True)
    except FileExistsError:  # sent twice at the same time
        return find(workspace, act.id) or (act, Outcome(state=WAITING))
    return act, Outcome(state=WAITING)


def find(workspace: Workspace, name: str) -> tuple[Act, Outcome] | None:
    """Return an act and its outcome; None if there is none of this name."""
    if not ID.fullmatch(name):
        return None
    # an act that is done has both files for a moment
    for state in (DONE, WAITING, DONE):
        path = _folder(workspace, state) / f"{name}.json"
        try:
            return read(path)
        except FileNotFoundError:
            continue
    return None


def waiting(workspace: Workspace) -> list[Path]:
    """Return the files of the waiting acts, the oldest first."""
    found = []
    for path in _folder(workspace, WAITING).glob("[!.]*.json"):
        with suppress(FileNotFoundError):  # removed by hand in the meantime
            found.append((path.stat().st_mtime_ns, path))
    return [path for _, path in sorted(found)]


def read(path: Path) -> tuple[Act, Outcome]:
    """Return the act of a file with its outcome."""
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        outcome = Outcome(**data.pop("outcome", {"state": WAITING}))
        act = Act(**data)
        if act.id != path.stem or not isinstance(act.wanted, dict):
            raise ValueError("it names another act")
    except (ValueError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedAct(f"{path} is no act ({error}): remove it") from error
    return act, outcome


def finish(workspace: Workspace, act: Act, outcome: Outcome) -> None:
    """Record the outcome of an act, which then waits no more."""
    path = _folder(workspace, DONE) / f"{act.id}.json"
    write_atomic(path, json.dumps({**asdict(act), "outcome": asdict(outcome)}))
    (_folder(workspace, WAITING) / path.name).unlink(missing_ok=True)


def _folder(workspace: Workspace, state: str) -> Path:
    return workspace.root / "data" / "acts" / state
