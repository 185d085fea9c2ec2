"""Read TOML files and collect their problems, each with file and line."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ishtar.calibration.spans import Span
from ishtar.errors import IshtarError, did_you_mean
from ishtar.plain_files import read_plain
from ishtar.units import check_unit

Known = Mapping[str, type]
TYPE_NAMES = {str: "a text", int: "a whole number", list: "a list", dict: "a table"}
MAX_SHOT = 10**9  # no shot number is larger


@dataclass(frozen=True)
class Text:
    """One file: its name below the folder, its data, and its source for line numbers."""

    path: Path
    name: str
    data: dict[str, Any]
    source: str = field(repr=False)

    def at(self, header: str, position: int = 0, of: int = 1) -> str:
        """Return ``file:line`` of a header such as ``[[wiring]]``, given its position among ``of``.

        Return only the file if its tables do not have one such header each.
        """
        # tomllib keeps no line numbers.
        pattern = r"^[ \t]*" + r"[ \t]*".join(map(re.escape, header)) + r"[ \t]*(#.*)?$"
        found = list(re.finditer(pattern, self.source, re.MULTILINE))
        if len(found) != of:
            return self.name
        return f"{self.name}:{self.source.count(chr(10), 0, found[position].start()) + 1}"


class Reader:
    """Reads the files of a folder and collects their problems."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.problems: list[str] = []
        self.unreadable: list[Path] = []
        self._read: set[Path] = set()

    def files(self, pattern: str) -> Iterator[Text]:
        """Yield the matching files that can be read; add a problem for each of the others."""
        for path in sorted(self.root.glob(pattern)):
            name = path.relative_to(self.root).as_posix()
            if path.name.startswith("."):  # what editors leave behind
                continue
            self._read.add(path)
            try:
                source = read_plain(path).decode("utf-8")
                yield Text(path, name, tomllib.loads(source), source)
                continue
            except OSError as error:
                problem = f"cannot be read: {error.strerror}"
            except RecursionError:
                problem = "its tables are nested too deeply"
            except ValueError as error:  # not TOML, not UTF-8, numbers of thousands of digits
                problem = " ".join(str(error).split())
            self.problems.append(f"{name}: {problem}")
            self.unreadable.append(path)

    def unread(self) -> None:
        """Add a problem for every TOML file of the folder that was not read."""
        for path in sorted(self.root.rglob("*.toml")):
            name = path.relative_to(self.root)
            if path not in self._read and not any(part.startswith(".") for part in name.parts):
                self.problems.append(
                    f"{name.as_posix()}: is ignored: only signals.toml, wiring/*.toml, "
                    "devices/*.toml and machine/*.toml are read; move or remove it"
                )

    def tables(self, text: Text, key: str) -> Iterator[tuple[str, Any]]:
        """Yield (where, entry) for each table ``[[key]]``; any other key is a problem."""
        for other in text.data.keys() - {key}:
            hint = did_you_mean(other, [key]) or f"; this file takes [[{key}]]"
            self.problems.append(f"{text.at(f'[{other}]')}: unknown key {other!r}{hint}")
        entries = text.data.get(key, [])
        if not isinstance(entries, list):
            self.problems.append(f"{text.name}: {key} must be a list of tables, [[{key}]]")
            return
        for k, entry in enumerate(entries):
            yield f"{text.at(f'[[{key}]]', k, len(entries))} {key} {k + 1}", entry

    def take(
        self, entry: Any, where: str, known: Known, needs: Sequence[str] = ()
    ) -> dict[str, Any] | None:
        """Return the entry's values; if it is invalid, add its problems and return None.

        The keys in ``needs`` are required and must not be empty, except for units.
        """
        if not isinstance(entry, Mapping):
            self.problems.append(f"{where}: must be a table")
            return None
        before = len(self.problems)
        for name, value in entry.items():
            if name not in known:
                self.problems.append(f"{where}: unknown key {name!r}{did_you_mean(name, known)}")
            elif not isinstance(value, known[name]) or isinstance(value, bool):
                self.problems.append(f"{where}: {name!r} must be {TYPE_NAMES[known[name]]}")
            elif name in needs and value in ("", []) and name not in ("unit", "input"):
                self.problems.append(f"{where}: {name!r} is empty")
        self.problems.extend(f"{where}: needs {n!r}" for n in needs if n not in entry)
        return dict(entry) if len(self.problems) == before else None

    def span(self, values: Mapping[str, Any], where: str) -> Span | None:
        """Return the span of shots of an entry."""
        if "from" not in values:
            self.problems.append(f"{where}: needs 'from', its first shot")
            return None
        first, until = values["from"], values.get("until")
        if not 0 <= first <= MAX_SHOT or not 0 <= (until or 0) <= MAX_SHOT:
            self.problems.append(f"{where}: 'from' and 'until' must be in 0 … {MAX_SHOT}")
            return None
        try:
            return Span(first, until)
        except ValueError as error:
            self.problems.append(f"{where}: {error}")
        return None

    def unit(self, text: str, where: str) -> bool:
        """Return whether a unit is known; add a problem if not."""
        try:
            check_unit(text)
        except IshtarError as error:
            self.problems.append(f"{where}: {error}")
            return False
        return True
