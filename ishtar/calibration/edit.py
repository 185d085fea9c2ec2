"""Edit the TOML files of ``calibrations/`` in place, keeping comments and layout.

The text is edited, never regenerated from its data. The result is parsed and compared with the
intended data, and the whole folder is checked with it; only then is the file replaced, atomically.
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
from ishtar.store import atomic_path

Entry = dict[str, Any]
BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
ANY_HEADER = re.compile(r"[ \t]*\[")


class CalibrationEditError(IshtarError, ValueError):
    """An edit of the calibrations was refused; nothing was written."""


class RewritesHistory(CalibrationEditError):
    """An edit would change the stored shots in ``shots``; nothing was written."""

    def __init__(self, message: str, *, shots: Sequence[int] = ()) -> None:
        super().__init__(message)
        self.shots = tuple(shots)


@dataclass(frozen=True, kw_only=True)
class Edit:
    """A checked edit of one file; `write` applies it.

    ``shots`` are the stored shots that it changes, ``notes`` are remarks for the user.
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
        """The edit as a unified diff, as git shows it."""
        name = f"{self.folder.name}/{self.name}"
        before, after = (text.splitlines() for text in (self.before, self.after))
        lines = difflib.unified_diff(before, after, f"a/{name}", f"b/{name}", lineterm="")
        return "\n".join(lines)

    def with_notes(self, notes: Sequence[str]) -> Edit:
        """Return the same edit with more notes."""
        return replace(self, notes=(*self.notes, *notes))

    def write(self) -> Path:
        """Replace the file and return its path.

        Raises
        ------
        CalibrationEditError
            The file changed since it was read.
        """
        path = (self.folder / self.name).resolve()  # a link stays a link
        if (read_plain(path) if path.exists() else b"") != self.before.encode():
            raise CalibrationEditError(
                f"{self.name} was changed in the meantime: review it, then try again"
            )
        with atomic_path(path) as temporary:
            temporary.write_bytes(self.after.encode())
            if path.exists():
                shutil.copymode(path, temporary)
        return path


class Text:
    """A file with a list of tables ``[[key]]``; each edit changes its lines and its data."""

    def __init__(self, folder: Path, name: str, key: str) -> None:
        self.folder, self.name, self.key = folder, name, key
        path = folder / name
        self.before = read_plain(path).decode() if path.exists() else ""
        self._lines = self.before.split("\n")
        self._eol = "\r" if "\r\n" in self.before else ""
        self._data = tomllib.loads(self.before)
        self._remaining = list(range(len(self.entries)))  # original numbers of the entries left
        self._appended: list[Entry] = []

    @property
    def entries(self) -> list[Entry]:
        """The entries that were read, with the edits made since."""
        found: list[Entry] = self._data.get(self.key, [])
        return found

    def close(self, k: int, until: int, **more: str) -> None:
        """End the ``k``-th entry before shot ``until``; ``more`` are string values to add."""
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
        """Comment out the ``k``-th entry and say why."""
        starts = self._headers()
        start = starts[self._remaining.index(k)]
        stop = min([i for i in starts if i > start], default=len(self._lines))
        while not self._lines[stop - 1].strip() or self._lines[stop - 1].lstrip().startswith("#"):
            stop -= 1  # comments above the next entry belong to that one
        self._lines[start:stop] = [
            f"# Withdrawn: {why}{self._eol}",
            *(f"# {line}".rstrip(" ") for line in self._lines[start:stop]),
        ]
        self._remaining.remove(k)

    def append(self, entry: Entry, comment: str = "") -> None:
        """Append an entry, with a comment above it."""
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
        """Return the edit, after checking its text alone and with all other files."""
        after = "\n".join(self._lines)
        meant = deepcopy(self._data)
        meant[self.key] = [self.entries[k] for k in self._remaining] + self._appended
        try:
            as_meant = _canonical(tomllib.loads(after)) == _canonical(meant)
        except ValueError:
            as_meant = False
        if not as_meant:
            raise self._unsafe_layout()
        with tempfile.TemporaryDirectory(prefix="ishtar-calib-") as scratch:
            copy = Path(scratch) / self.folder.name
            # Editors leave hidden files behind; some are dangling links.
            shutil.copytree(self.folder, copy, ignore=shutil.ignore_patterns(".*"))
            (copy / self.name).parent.mkdir(parents=True, exist_ok=True)
            (copy / self.name).write_bytes(after.encode())
            declared, problems = read_declarations(copy)
        if problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            raise CalibrationEditError(
                f"nothing was written, since the edit would cause a problem: {problems[0]}{more}"
            )
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
        """Return the line numbers of the entries' headers."""
        pattern = re.compile(rf"[ \t]*\[\[[ \t]*{self.key}[ \t]*\]\][ \t]*(#.*)?\r?$")
        found = [i for i, line in enumerate(self._lines) if pattern.match(line)]
        if len(found) != len(self._remaining) + len(self._appended):
            raise self._unsafe_layout()
        return found

    def _own_lines(self, k: int) -> tuple[int, int]:
        """Return the lines (start, stop) of an entry's header and its own keys."""
        start = self._headers()[self._remaining.index(k)]
        stop = start + 1
        while stop < len(self._lines) and not ANY_HEADER.match(self._lines[stop]):
            stop += 1
        return start, stop

    def _unsafe_layout(self) -> CalibrationEditError:
        return CalibrationEditError(
            f"{self.name} has a layout that cannot be edited safely: give each entry its own "
            f"[[{self.key}]] header, or edit the file by hand"
        )


def valid_declarations(folder: Path) -> Declarations:
    """Return what a ``calibrations/`` folder declares.

    Raises
    ------
    CalibrationEditError
        The folder has problems; it must not be edited then.
    """
    declared, problems = read_declarations(folder)
    if problems:
        raise CalibrationEditError(
            f"{folder.name}/{problems[0]}: fix this first; `ishtar calib check` lists all problems"
        )
    return declared


def one_line(text: str, what: str) -> str:
    """Return the stripped text; raise `CalibrationEditError` if it is not one line."""
    text = text.strip()
    if not text or not text.isprintable():
        raise CalibrationEditError(f"{what} {text!r} is not one line of text: give one line")
    return text


def history_note(first: int, shots: Sequence[int], reason: str, what: str) -> str:
    """Return the comment for an edit that changes stored shots, ``""`` if it changes none.

    Parameters
    ----------
    first : int
        The first shot of the edit.
    shots : sequence of int
        The stored shots that it changes.
    reason : str
        Why they may change.
    what : str
        The new entry, for the message.

    Raises
    ------
    RewritesHistory
        The edit changes stored shots, and no reason is given.
    """
    if not shots:
        return ""
    if not reason.strip():
        raise RewritesHistory(
            f"{what} from shot {first} would change stored shots {ranges(shots)}: choose a later "
            'shot, or give the reason with --rewrite-history "…"',
            shots=shots,
        )
    reason = one_line(reason, "the reason")
    return f"Rewrites history (stored shots {ranges(shots)}): {reason}"


def unchanged_note(span: Span, stored: Sequence[int]) -> list[str]:
    """Return the note for an edit that covers stored shots but changes none of their numbers."""
    shots = [n for n in stored if n in span]
    return [f"it covers stored shots {ranges(shots)}; none of their numbers change"] * bool(shots)


def toml(value: Any) -> str:
    """Return a value in TOML syntax."""
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
    """Return data in a form that compares equal even with NaN in it."""
    return json.dumps(data, sort_keys=True, default=str)


def _key(name: str) -> str:
    return name if BARE_KEY.fullmatch(name) else toml(name)
