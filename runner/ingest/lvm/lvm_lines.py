"""The header lines of a LabVIEW measurement file."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

from runner.ingest.ingest_errors import Rejected
from runner.ingest.parsing.text_table import next_line

END_OF_HEADER = "***End_of_Header***"
COMMENT = "Comment"
MAX_COLUMNS = 10_000
MAX_LINES = 10_000  # of one header
LONGEST_SPECIAL = 64_000  # characters
_SPECIAL = ("***Start_Special***", "***End_Special***")
_HEADER_LINE = re.compile(
    rb"(?!(?:nan|inf|infinity)\b)[a-z*][\w* /().-]*(?:[\t,;\r\n]|\Z)", re.IGNORECASE
)
_SETTING = re.compile(r"([^\t,;]*)[\t,;]?(.*)", re.DOTALL)
_STATED_ONCE = {
    *("Separator", "Decimal_Separator", "Multi_Headings", "X_Columns", "Time_Pref", "Date", "Time"),
    *("Channels", "Samples", "Y_Unit_Label", "Y_Dimension", "X_Unit_Label", "X_Dimension"),
    *("X0", "Delta_X"),
}


class HeaderLines:
    """Yields header lines as text, and collects LabVIEW's special blocks separately."""

    def __init__(self, file: io.BufferedReader, name: str, special: list[str]) -> None:
        self.file, self._name, self._special = file, name, special
        self._n_special = 0

    def __iter__(self) -> Iterator[str]:
        inside, n = False, 0
        while raw := next_line(self.file, self._name):
            line = text_of(raw).rstrip("\r\n")
            n += 1
            refuse_nul(line)
            if line.startswith(_SPECIAL):
                inside = line.startswith(_SPECIAL[0])
            elif inside:
                self._keep(line)
            elif n > MAX_LINES:
                raise Rejected(f"a header of {self._name} has more than {MAX_LINES} lines")
            else:
                yield line

    def _keep(self, line: str) -> None:
        self._n_special += len(line) + 1
        if self._n_special <= LONGEST_SPECIAL:
            self._special.append(line)


def refuse_nul(line: str) -> None:
    """Refuse a header line with a NUL, which is damaged."""
    if "\0" in line:
        raise Rejected(
            f"its header is damaged: it has a NUL after {line.partition(chr(0))[0][:40]!r}"
        )


def begins_header(line: bytes) -> bool:
    """Return whether a line below rows begins another header."""
    return _HEADER_LINE.match(line) is not None


def begins_row(line: bytes, separator: bytes, decimal: str) -> bool:
    """Return whether a line begins like a row, with a number or an empty x."""
    cell = line.split(separator, 1)[0].replace(decimal.encode(), b".").strip()
    try:
        float(cell or b"0")
    except ValueError:
        return False
    return True


def comment_column(columns: list[str]) -> int | None:
    """Return the column of the comments, if the last named column is one."""
    named = [i for i, name in enumerate(columns) if name.strip()]
    return named[-1] if named and columns[named[-1]].strip() == COMMENT else None


def settings_line(line: str) -> tuple[str, str]:
    """Return tag and value of a line of the file's header, with any separator."""
    match = _SETTING.match(line)
    assert match is not None
    tag, value = match[1].strip(), match[2]
    if tag in ("Separator", "Decimal_Separator"):
        # the value may be a separator itself
        parted = line[len(match[1]) :][:1]
        return tag, value if value in (",", ";", "\t") else value.strip().rstrip(parted)
    parted = line[len(match[1]) :][:1]
    return tag, (value.rstrip(parted) if parted else value).strip("\t ")


def repeated(tag: str, one: Any, other: Any) -> bool:
    """Return whether a tag that must be unique has two values."""
    return tag in _STATED_ONCE and one != other


def text_of(line: bytes) -> str:
    """Return a line as text: UTF-8, else Windows-1252 or Latin-1."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return line.decode(encoding)
        except UnicodeDecodeError:
            continue
    return line.decode("latin-1")
