"""Attributes of a shot that people correct: who, when, before and after, never written over.

What the sources of a shot state stays as it arrived. Each edit is one line of JSON at the end of
``attributes.jsonl`` in the shot's folder; what holds now is the sources' word with all edits
applied in order (`current`). A line is appended by a single write under a lock, so that two people
at once lose nothing; one that a crash left torn is told of and passed over.
"""

from __future__ import annotations

import fcntl
import json
import logging
import math
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from ishtar.attributes.stated_dates import by_weight, stated_dates
from ishtar.errors import IshtarError, did_you_mean
from ishtar.store import SourceFile, fsync_dir

logger = logging.getLogger(__name__)

FILE = "attributes.jsonl"
LONGEST = 10_000  # characters of a text


class AttributeEditError(IshtarError, ValueError):
    """An edit that is refused; ``name`` is the attribute, where it is about one."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


@dataclass(frozen=True, kw_only=True)
class Change:
    """One attribute before and after; None where it has no value."""

    before: Any
    after: Any


@dataclass(frozen=True, kw_only=True)
class Edit:
    """What one person changed at once."""

    when: str
    who: str
    why: str
    changes: Mapping[str, Change]

    def __str__(self) -> str:
        what = ", ".join(f"{n}: {c.before!r} → {c.after!r}" for n, c in self.changes.items())
        return f"{self.when} {self.who}: {what}" + (f" ({self.why})" if self.why else "")


@dataclass(frozen=True, kw_only=True)
class History:
    """The edits of a shot, the oldest first, and what is wrong with their file."""

    edits: tuple[Edit, ...] = ()
    problems: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[Edit]:
        return iter(self.edits)

    def __len__(self) -> int:
        return len(self.edits)


# --- what a value may be -------------------------------------------------------------------------


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def _date(value: Any) -> str:
    try:
        if isinstance(value, str) and len(value) > 10:  # a day alone is no moment
            value = datetime.fromisoformat(value)
    except ValueError:
        pass
    # dates of shots are local times of the facility: one with a zone would not compare with others
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.isoformat()
    raise ValueError("a date with its time, local and without a zone: '2026-11-22T10:30:00'")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > LONGEST or not _is_unicode(value):
        raise ValueError(f"text of at most {LONGEST} characters")
    return value


def _line(value: Any) -> str:
    if isinstance(value, str) and value.splitlines() not in ([], [value]):
        raise ValueError("one line of text")  # it stands in lists and headings
    return _text(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("a text, a finite number, True or False")


def _is_unicode(value: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in value)


KNOWN: dict[str, Callable[[Any], Any]] = {
    "comment": _text,
    "date": _date,
    "gas": _line,
    "operator": _line,
    "program": _line,
    "useful": _bool,
}
TRUTHS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def from_text(name: str, text: str) -> Any:
    """Return what is typed for an attribute as its value: ``useful``, ``no`` → False.

    An empty text takes the value away. An attribute that is not `KNOWN` is a number where it reads
    as one.

    Parameters
    ----------
    name : str
        Name of the attribute.
    text : str
        What was typed.
    """
    if text == "":
        return None
    if KNOWN.get(name) is _bool:
        if text.casefold() not in TRUTHS:
            raise AttributeEditError(f"{name} is yes or no, not {text!r}: correct it", name=name)
        return TRUTHS[text.casefold()]
    if name in KNOWN:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def check(
    changes: Mapping[str, Any], *, new: bool = False, have: Iterable[str] = ()
) -> dict[str, Any]:
    """Return changes with their values as they are stored.

    Parameters
    ----------
    changes : mapping
        Name → value; None takes the value away.
    new : bool
        Let names in that nobody has heard of.
    have : iterable of str
        Names that the shot has already, which are not new.

    Raises
    ------
    AttributeEditError
        A name is unknown, or a value is not of its kind.
    """
    known = {*KNOWN, *have}
    found: dict[str, Any] = {}
    for name, value in changes.items():
        if not isinstance(name, str) or not name.strip() or not _is_unicode(name):
            raise AttributeEditError(f"{name!r} is no name of an attribute: write text")
        if name not in known and not new:
            hint = did_you_mean(name, known) or f"; known are {', '.join(sorted(known))}"
            raise AttributeEditError(
                f"no attribute {name!r}{hint}; new=True adds a new one", name=name
            )
        if name == "shot":
            raise AttributeEditError("a shot keeps its number: ingest its files with another one")
        try:
            found[name] = None if value is None else KNOWN.get(name, _scalar)(value)
        except ValueError as error:
            raise AttributeEditError(
                f"{name} = {value!r} is refused: write {error}", name=name
            ) from None
    if not found:
        raise AttributeEditError("nothing is changed: give a name and a value")
    return found


# --- reading -------------------------------------------------------------------------------------


def stated(sources: Iterable[SourceFile]) -> dict[str, Any]:
    """Return what the sources of a shot state, the PLC's date file above the others.

    Which of their dates counts is the rule of `ishtar.attributes.stated_dates`.
    """
    ordered = by_weight(sources)
    found = {k: v for s in ordered for k, v in s.attributes.items() if v is not None}
    if dates := stated_dates(ordered):
        found["date"] = dates[0].text
    return found


def stated_in(folder: Path) -> dict[str, Any]:
    """Return what the sources in a shot's folder state."""
    return stated(SourceFile(p) for p in sorted(folder.glob("*.h5")) if p.name[0] != ".")


def read_edits(folder: Path) -> History:
    """Read the edits of a shot.

    A line that cannot be read (torn by a crash) is passed over, logged, and told in ``problems``.
    """
    path = Path(folder) / FILE
    try:
        content = path.read_bytes()
    except FileNotFoundError:
        return History()
    edits, problems = [], []
    for number, line in enumerate(content.split(b"\n"), 1):
        if not line.strip():
            continue
        try:
            edits.append(_edit(json.loads(line)))
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
            torn = number == content.count(b"\n") + 1
            kind = "torn off" if torn else "no edit"
            problems.append(f"{path}, line {number} is {kind} and is ignored: make that edit again")
    for problem in problems:
        logger.warning("%s", problem)
    return History(edits=tuple(edits), problems=tuple(problems))


def _edit(data: Mapping[str, Any]) -> Edit:
    changes = {n: Change(before=c["before"], after=c["after"]) for n, c in data["changes"].items()}
    return Edit(when=data["when"], who=data["who"], why=data["why"], changes=changes)


def current(source_attributes: Mapping[str, Any], edits: Iterable[Edit]) -> dict[str, Any]:
    """Return the attributes as they are now: what the sources state, then each edit in order.

    Parameters
    ----------
    source_attributes : mapping
        What the sources state.
    edits : iterable of Edit
        Corrections, oldest first.
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
        Name → new value; None takes the value away.
    who, why : str
        Who changes it, and for what reason.
    when : datetime, optional
        Now, where it is not given.
    new : bool
        Let names in that the shot has not and that nobody has heard of.
    source_attributes : mapping, optional
        What the sources state, where that is known already; else they are read.

    Returns
    -------
    Edit or None
        What was recorded; None where everything is as wished already.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise AttributeEditError(f"there is no shot at {folder}: ingest its files first")
    if not who.strip() or not (_is_unicode(who) and _is_unicode(why)):
        raise AttributeEditError("an edit needs to say who makes it: give who=")
    before = stated_in(folder) if source_attributes is None else dict(source_attributes)
    moment = (when or datetime.now()).astimezone().isoformat(timespec="seconds")
    with _locked(folder):
        now = current(before, read_edits(folder))
        wished = check(changes, new=new, have=now)
        different = {
            name: Change(before=now.get(name), after=value)
            for name, value in wished.items()
            if not _same(now.get(name), value)
        }
        if not different:
            return None
        done = Edit(when=moment, who=who.strip(), why=why.strip(), changes=different)
        _append(folder / FILE, done)
        # A line more in a file leaves the folder's time as it was, and that is what tells the
        # catalogue that there is something new in it.
        os.utime(folder)
    fsync_dir(folder)
    return done


def edit_many(
    folders: Iterable[Path],
    changes: Mapping[str, Any],
    *,
    who: str,
    why: str = "",
    when: datetime | None = None,
    new: bool = False,
) -> dict[Path, Edit | None]:
    """Record the same changes for many shots; all are checked before the first is written.

    Parameters
    ----------
    folders : iterable of Path
        Folders of the shots.
    changes : mapping
        New values by name; None removes one.
    who : str
        Who corrects.
    why : str, optional
        The reason.
    when : datetime, optional
        Now by default.
    new : bool, optional
        Allow names that the shots do not have yet.
    """
    chosen = [Path(folder) for folder in folders]
    sources: dict[Path, dict[str, Any]] = {}
    for folder in chosen:
        if not folder.is_dir():
            raise AttributeEditError(f"there is no shot at {folder}: nothing was changed")
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
    """Keep other editors of the shot out, so that ``before`` is what it says."""
    fd = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
        except OSError as error:  # a share without locks: one write still appends whole
            logger.debug("%s cannot be locked: %s", folder, error)
        yield
    finally:
        os.close(fd)


def _append(path: Path, done: Edit) -> None:
    """Append one line by one write, on a new line even where the last was torn."""
    data = {
        "when": done.when,
        "who": done.who,
        "why": done.why,
        "changes": {n: {"before": c.before, "after": c.after} for n, c in done.changes.items()},
    }
    line = json.dumps(data, ensure_ascii=False, default=str).encode() + b"\n"
    fd = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o666)
    try:
        size = os.fstat(fd).st_size
        if size and os.pread(fd, 1, size - 1) != b"\n":
            line = b"\n" + line
        if os.write(fd, line) != len(line):
            raise AttributeEditError(f"{path} could not be written whole: make room on the disk")
        os.fsync(fd)
    finally:
        os.close(fd)
