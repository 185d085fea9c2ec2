"""Changing the texts of ``calibrations/`` as a careful person would: a line here, an entry there.

The text is edited, never written anew from its data, so that comments and layout stay. What comes
out is parsed and must be what was meant, to the last value; the whole folder must have no problem
with it; only then is the file replaced, in one step.
"""

from __future__ import annotations

import difflib
import json
import re
import shutil
import tempfile
import tomllib
from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from ishtar.calibration.declared import Declarations
from ishtar.calibration.gaps import ranges
from ishtar.calibration.load import read_declarations
from ishtar.calibration.spans import Span
from ishtar.errors import IshtarError
from ishtar.plain_files import read_plain
from ishtar.store.atomic import atomic_path

Entry = dict[str, Any]
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
ANY_HEADER = re.compile(r"[ \t]*\[")


class CalibrationEditError(IshtarError, ValueError):
    """A change of the calibrations that is refused; nothing was written."""


class RewritesHistory(CalibrationEditError):
    """A change that stored ``shots`` would be read otherwise with; nothing was written."""

    def __init__(self, message: str, *, shots: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.shots = tuple(shots)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A change of one file that was found to be sound; `write` makes it.

    ``shots`` are the stored shots that it changes, ``notes`` what a person should know.
    """

    folder: Path
    name: str
    before: str
    after: str
    declared: Declarations = field(repr=False)
    notes: tuple[str, ...] = ()
    shots: tuple[int, ...] = ()

    @property
    def diff(self) -> str:
        """The change line by line, as git shows it."""
        name = f"{self.folder.name}/{self.name}"
        before, after = (text.splitlines() for text in (self.before, self.after))
        lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")
        return "\n".join(lines)

    def told(self, notes: Sequence[str]) -> Edit:
        """Return the same change with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def write(self) -> Path:
        """Replace the file; one that somebody else changed meanwhile is left alone."""
        path = (self.folder / self.name).resolve()  # a link stays a link
        if (read_plain(path) if path.exists() else b"") != self.before.encode():
            raise CalibrationEditError(f"{self.name} was changed meanwhile: look at it, try again")
        with atomic_path(path) as temporary:
            temporary.write_bytes(self.after.encode())
            if path.exists():
                shutil.copymode(path, temporary)
        return path


class Text:
    """A file with a list of tables ``[[key]]``, edited step by step beside its data."""

    def __init__(self, folder: Path, name: str, key: str) -> None:
        self.folder, self.name, self.key = folder, name, key
        path = folder / name
        self.before = read_plain(path).decode() if path.exists() else ""
        self._lines = self.before.split("\n")
        self._eol = "\r" if "\r\n" in self.before else ""
        self._data = tomllib.loads(self.before)
        self._alive = list(range(len(self.entries)))  # what number each entry had at first
        self._appended: list[Entry] = []

    @property
    def entries(self) -> list[Entry]:
        """The entries as they were read."""
        found: list[Entry] = self._data.get(self.key, [])
        return found

    def close(self, k: int, until: int, **more: str) -> None:
        """Let the ``k``-th entry end before shot ``until``; ``more`` are texts to add to it."""
        start, stop = self._own_lines(k)
        lines = [f"until = {until}", *(f"{key} = {toml(value)}" for key, value in more.items())]
        at = start + 1
        for i in range(start + 1, stop):
            if re.match(r"[ \t]*until[ \t]*=", self._lines[i]):
                self._lines[i] = re.sub(
                    r"(=[ \t]*)[0-9_]+", rf"\g<1>{until}", self._lines[i], count=1
                )
                lines, at = lines[1:], i + 1
                break
            if re.match(r"[ \t]*from[ \t]*=", self._lines[i]):
                at = i + 1
        self._lines[at:at] = [line + self._eol for line in lines]
        self.entries[k] |= {"until": until, **more}

    def withdraw(self, k: int, why: str) -> None:
        """Make a comment of the ``k``-th entry: it stays to be read and holds for no shot."""
        starts = self._headers()
        start = starts[self._alive.index(k)]
        stop = min([i for i in starts if i > start], default=len(self._lines))
        while not self._lines[stop - 1].strip() or self._lines[stop - 1].lstrip().startswith("#"):
            stop -= 1  # what stands before the next entry belongs to it
        self._lines[start:stop] = [
            f"# Withdrawn: {why}{self._eol}",
            *(f"# {line}".rstrip(" ") for line in self._lines[start:stop]),
        ]
        self._alive.remove(k)

    def append(self, entry: Entry, comment: str = "") -> None:
        """Add an entry at the end."""
        while self._lines and not self._lines[-1].strip():
            self._lines.pop()
        lines = ["", *([f"# {comment}"] if comment else []), f"[[{self.key}]]"]
        lines += [f"{name} = {toml(v)}" for name, v in entry.items() if name != "ports"]
        for port, body in entry.get("ports", {}).items():
            lines += ["", f"[{self.key}.ports.{_key(port)}]"]
            lines += [f"{name} = {toml(v)}" for name, v in body.items()]
        if not self._lines:
            lines = lines[1:]
        self._lines += [line + self._eol for line in "\n".join(lines).split("\n")]
        self._lines.append("")
        self._appended.append(entry)

    def edit(self, notes: Sequence[str] = (), shots: Sequence[int] = ()) -> Edit:
        """Return the change, checked: by what its text says, and with all other files."""
        after = "\n".join(self._lines)
        meant = deepcopy(self._data)
        meant[self.key] = [self.entries[k] for k in self._alive] + self._appended
        try:
            sound = _canonical(tomllib.loads(after)) == _canonical(meant)
        except ValueError:
            sound = False
        if not sound:
            raise self._by_hand()
        with tempfile.TemporaryDirectory(prefix="ishtar-calib-") as scratch:
            copy = Path(scratch) / self.folder.name
            # Hidden files are what editors leave behind; some are links to nowhere.
            shutil.copytree(self.folder, copy, ignore=shutil.ignore_patterns(".*"))
            (copy / self.name).parent.mkdir(parents=True, exist_ok=True)
            (copy / self.name).write_bytes(after.encode())
            declared, problems = read_declarations(copy)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise CalibrationEditError(f"this would make {problems[0]}{more}: nothing was written")
        return Edit(
            folder=self.folder,
            name=self.name,
            before=self.before,
            after=after,
            declared=declared,
            notes=tuple(notes),
            shots=tuple(shots),
        )

    def _headers(self) -> list[int]:
        """Return the lines of the entries' headers."""
        pattern = re.compile(rf"[ \t]*\[\[[ \t]*{self.key}[ \t]*\]\][ \t]*(#.*)?\r?$")
        found = [i for i, line in enumerate(self._lines) if pattern.match(line)]
        if len(found) != len(self._alive) + len(self._appended):
            raise self._by_hand()
        return found

    def _own_lines(self, k: int) -> tuple[int, int]:
        """Return the header's line of an entry and the line at which its own keys have ended."""
        start = self._headers()[self._alive.index(k)]
        stop = start + 1
        while stop < len(self._lines) and not ANY_HEADER.match(self._lines[stop]):
            stop += 1
        return start, stop

    def _by_hand(self) -> CalibrationEditError:
        return CalibrationEditError(
            f"{self.name} is written in a way that cannot be edited safely: give each entry a "
            f"[[{self.key}]] of its own, or change it by hand"
        )


def sound_declarations(folder: Path) -> Declarations:
    """Return what the folder declares; a folder with problems is not edited."""
    declared, problems = read_declarations(folder)
    if problems:
        raise CalibrationEditError(
            f"{folder.name}/{problems[0]}: mend this first, `ishtar calib check` lists all"
        )
    return declared


def one_line(text: str, what: str) -> str:
    """Return a text that somebody gave, if it is one line that says something."""
    text = text.strip()
    if not text or not text.isprintable():
        raise CalibrationEditError(f"{what} {text!r} says nothing: give one line of text")
    return text


def history_note(first: int, shots: Sequence[int], reason: str, what: str) -> str:
    """Return the comment that a change of history needs, nothing where no shot is changed.

    Raises
    ------
    RewritesHistory
        Stored shots would be read otherwise, and no reason is given.
    """
    if not shots:
        return ""
    if not reason.strip():
        raise RewritesHistory(
            f"{what} from shot {first} would change what stored shots {ranges(shots)} say: choose "
            'a later shot, or tell why with --rewrite-history "…"',
            shots=shots,
        )
    reason = one_line(reason, "the reason")
    return f"Rewrites history (stored shots {ranges(shots)}): {reason}"


def first_read(span: Span, stored: Sequence[int]) -> list[str]:
    """Return the note on stored shots of a change that rewrites no history."""
    shots = [n for n in stored if n in span]
    return [f"it holds for stored shots {ranges(shots)}, none of whose numbers change"] * bool(
        shots
    )


def toml(value: Any) -> str:
    """Return a value as TOML writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, Mapping):
        return f"{{ {', '.join(f'{_key(k)} = {toml(v)}' for k, v in value.items())} }}"
    if isinstance(value, list | tuple):
        steps = [toml(v) for v in value]
        if len(steps) > 1 and all(isinstance(v, Mapping) for v in value):
            return "[\n" + "".join(f"    {step},\n" for step in steps) + "]"
        return f"[{', '.join(steps)}]"
    return value.isoformat() if hasattr(value, "isoformat") else repr(value)


def _canonical(data: Any) -> str:
    """Return data so that the same is the same; a NaN is not the same as itself."""
    return json.dumps(data, sort_keys=True, default=str)


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else toml(name)
