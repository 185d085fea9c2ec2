"""Edits of a shot's attributes: an append-only log of who changed what, when and why.

The values that the sources of a shot state never change. Each edit is one line of JSON at the end
of ``attributes.jsonl`` in the shot's folder; the current values are those of the sources with all
edits applied in order (`current`). A line is appended by a single write under a lock, so that
simultaneous edits lose nothing; a line that a crash left incomplete is reported and skipped.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ishtar.attributes.stated_dates import by_precedence, stated_dates
from ishtar.attributes.validation import AttributeEditError, check, is_unicode
from ishtar.store import SourceFile, fsync_dir

logger = logging.getLogger(__name__)

FILE = "attributes.jsonl"


@dataclass(frozen=True, kw_only=True)
class Change:
    """One attribute before and after; None means no value."""

    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class Edit:
    """The changes that one person made at one time."""

    when: str
    who: str
    why: str
    changes: Mapping[str, Change]

    def __str__(self) -> str:
        what = ", ".join(f"{n}: {c.before!r} → {c.after!r}" for n, c in self.changes.items())
        return f"{self.when} {self.who}: {what}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True, kw_only=True)
class History:
    """The edits of a shot, oldest first, and the problems of their file."""

    edits: tuple[Edit, ...] = ()
    problems: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits)

    def __len__(self) -> int:
        return len(self.edits)


# --- reading -------------------------------------------------------------------------------------


def stated(sources: Iterable[SourceFile]) -> dict[str, Any]:
    """Return the attributes that the sources of a shot state; the PLC's date file has precedence.

    Parameters
    ----------
    sources : iterable of SourceFile
        The stored sources of one shot. `ishtar.attributes.stated_dates` says which date counts.
    """
    ordered = by_precedence(sources)
    found = {k: v for s in ordered for k, v in s.attributes.items() if v is not None}
    if dates := stated_dates(ordered):
        found["date"] = dates[0].text
    return found


def stated_in(folder: Path) -> dict[str, Any]:
    """Return the attributes that the sources in a shot's folder state."""
    return stated(SourceFile(p) for p in sorted(folder.glob("*.h5")) if p.name[0] != ".")


def read_edits(folder: Path) -> History:
    """Read the edits of a shot.

    Parameters
    ----------
    folder : Path
        The shot's folder; without a file of edits the history is empty.

    Returns
    -------
    History
        Lines that cannot be read (a crash can leave one incomplete) are logged, skipped and listed
        in ``problems``.
    """
    path = Path(folder) / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return History()
    return parse_edits(content, path)


def edits_text(folder: Path) -> str:
    """Return the edits of a shot as they are written, empty if there are none."""
    try:
        return (Path(folder) / FILE).read_bytes().decode(errors="replace")
    except FileNotFoundError:
        return ""


def edits_version(folder: Path) -> str:
    """Return a text that changes with every edit of a shot.

    Parameters
    ----------
    folder : Path
        The shot's folder.

    Returns
    -------
    str
        16 hexadecimal digits.
    """
    return hashlib.sha256(edits_text(folder).encode()).hexdigest()[:16]


def parse_edits(content: bytes, path: Path) -> History:
    """Return the edits that a file holds: see `read_edits`.

    Parameters
    ----------
    content : bytes
        What is written in the file.
    path : Path
        Its name in messages.

    Returns
    -------
    History
        As of `read_edits`.
    """
    edits, problems = [], []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            edits.append(_edit(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            torn = number == content.count(b"\n") + 1
            kind = "incomplete" if torn else "not an edit"
            problems.append(f"{path}, line {number} is {kind} and is ignored: make that edit again")
    for problem in problems:
        logger.warning("%s", problem)
    return History(edits=tuple(edits), problems=tuple(problems))


def _edit(data: Mapping[str, Any]) -> Edit:
    changes = {n: Change(before=c["before"], after=c["after"]) for n, c in data["changes"].items()}
    return Edit(when=data["when"], who=data["who"], why=data["why"], changes=changes)


def current(source_attributes: Mapping[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """Return the current attributes: those of the sources with each edit applied in order.

    Parameters
    ----------
    source_attributes : mapping
        The attributes that the sources state.
    edits : iterable of Edit
        The edits, oldest first.
    """
    found = dict(source_attributes)
    for edit in edits:
        found |= {name: change.after for name, change in edit.changes.items()}
    return {name: value for name, value in found.items() if value is not None}


# --- writing -------------------------------------------------------------------------------------


def edit(
    folder: Path,
    changes: Mapping[str, Any],
    *,
    who: str,
    why: str = "",
    when: datetime | None = None,
    new: bool = False,
    source_attributes: Mapping[str, Any] | None = None,
) -> Edit | None:
    """Record changes of a shot's attributes.

    Parameters
    ----------
    folder : Path
        The shot's folder.
    changes : mapping
        Name → new value; None removes the value.
    who, why : str
        Who makes the change, and the reason.
    when : datetime, optional
        The time of the edit; the default is now.
    new : bool
        Allow unknown names that the shot does not have yet.
    source_attributes : mapping, optional
        The attributes that the sources state, to save reading them again.

    Returns
    -------
    Edit or None
        The recorded edit; None if all attributes already have the new values.

    Raises
    ------
    AttributeEditError
        The edit is refused; nothing was written.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise AttributeEditError(f"no shot at {folder}: ingest its files first")
    if not who.strip() or not (is_unicode(who) and is_unicode(why)):
        raise AttributeEditError("an edit needs the name of its author: give who=")
    before = stated_in(folder) if source_attributes is None else dict(source_attributes)
    moment = (when or datetime.now()).astimezone().isoformat(timespec="seconds")
    with _locked(folder):
        now = current(before, read_edits(folder))
        requested = check(changes, new=new, have=now)
        different = {
            name: Change(before=now.get(name), after=value)
            for name, value in requested.items()
            if not _same(now.get(name), value)
        }
        if not different:
            return None
        edit_made = Edit(when=moment, who=who.strip(), why=why.strip(), changes=different)
        _append(folder / FILE, edit_made)
        # The catalogue sees changes by the folder's time, which an appended line does not change.
        os.utime(folder)
    fsync_dir(folder)
    return edit_made


def edit_many(
    folders: Iterable[Path],
    changes: Mapping[str, Any],
    *,
    who: str,
    why: str = "",
    when: datetime | None = None,
    new: bool = False,
) -> dict[Path, Edit | None]:
    """Record the same changes for many shots; check all before writing the first.

    Parameters
    ----------
    folders : iterable of Path
        The folders of the shots.
    changes : mapping
        Name → new value; None removes the value.
    who, why : str
        Who makes the changes, and the reason.
    when : datetime, optional
        The time of the edits; the default is now.
    new : bool
        Allow unknown names that the shots do not have yet.

    Returns
    -------
    dict
        Folder → what `edit` returns.

    Raises
    ------
    AttributeEditError
        An edit is refused; nothing was written.
    """
    chosen = [Path(folder) for folder in folders]
    sources: dict[Path, dict[str, Any]] = {}
    for folder in chosen:
        if not folder.is_dir():
            raise AttributeEditError(
                f"no shot at {folder}, so nothing was changed: ingest its files first"
            )
        sources[folder] = stated_in(folder)
        check(changes, new=new, have=current(sources[folder], read_edits(folder)))
    moment = when or datetime.now()
    return {
        folder: edit(
            folder, changes, who=who, why=why, when=moment, new=new, source_attributes=known
        )
        for folder, known in sources.items()
    }


def _same(a: Any, b: Any) -> bool:
    return a == b and isinstance(a, bool) == isinstance(b, bool)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Lock the shot against other editors, so that ``before`` stays correct."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:  # a share without locks; a single write still appends atomically
            logger.debug("%s cannot be locked: %s", folder, error)
        yield
    finally:
        os.close(fd)


def _append(path: Path, new: Edit) -> None:
    """Append one line by one write, after a line break if the last line is incomplete."""
    data = {
        "when": new.when,
        "who": new.who,
        "why": new.why,
        "changes": {n: {"before": c.before, "after": c.after} for n, c in new.changes.items()},
    }
    line = json.dumps(data, ensure_ascii=False, default=str).encode() + b"\n"
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(fd, line) != len(line):
            raise AttributeEditError(f"{path} was written only in part: free space on the disk")
        os.fsync(fd)
    finally:
        os.close(fd)
