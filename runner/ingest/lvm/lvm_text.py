"""The structure of a LabVIEW measurement file: headers, segments and the positions of their rows.

Format: National Instruments, *Specification for the LabVIEW Measurement File (.lvm)*. A header of
the file, then segments: a header of their own (only the first where ``Multi_Headings`` is No), a
line of column names, rows. Numbers have a comma or a point.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runner.ingest.ingest_errors import NotWhole, Rejected
from runner.ingest.lvm.lvm_lines import (
    END_OF_HEADER,
    MAX_COLUMNS,
    HeaderLines,
    begins_header,
    begins_row,
    comment_column,
    refuse_nul,
    repeated,
    settings_line,
    text_of,
)
from runner.ingest.parsing.text_table import (
    LONGEST_LINE,
    BadCell,
    ends_lines_with_cr,
    float_columns,
    line_blocks,
    next_line,
    open_lines,
    too_long,
)

MAGIC = b"LabVIEW Measurement"
_SEPARATORS = {
    "Tab": "\t",
    "\t": "\t",
    "": "\t",
    "Comma": ",",
    ",": ",",
    "Semicolon": ";",
    ";": ";",
}
_ROW = re.compile(r"X_Value\b|[\t;, ]*[-+]?(?:\d+[.,]?\d*|[.,]\d+)(?:[eE][-+]?\d+)?\s*(?:[\t;,]|$)")
_COUNT = re.compile(r"\d{1,15}(?:[.,]0*)?", re.ASCII)


@dataclass(kw_only=True)
class Segment:
    """A header and its rows.

    Attributes
    ----------
    number : int
        From 1.
    header : dict of str to list of str
        Tag → the cells after it.
    columns : list of str
        Names of the columns.
    start, stop : int
        Bytes of the file that hold its rows.
    n_rows : int
        How many they are.
    has_comments : bool
        Whether a row may have one.
    """

    number: int
    header: dict[str, list[str]]
    columns: list[str]
    start: int
    stop: int = 0
    n_rows: int = 0
    has_comments: bool = False

    def entry(self, tag: str, place: int) -> str:
        """Return a cell of the header, '' if missing; ``place`` 0 follows the tag."""
        entries = self.header.get(tag, [])
        return entries[place].strip(" \t") if place < len(entries) else ""

    def samples(self, place: int) -> int | None:
        """Return the number of samples that the header states, if any.

        Raises
        ------
        Rejected
            It is no number.
        """
        text = self.entry("Samples", place)
        if not text:
            return None
        if not _COUNT.fullmatch(text):
            raise Rejected(
                f"Samples of segment {self.number} is {text[:40]!r}, which is not a number"
            )
        return int(re.split("[.,]", text)[0])


@dataclass(kw_only=True)
class LvmFile:
    """A scanned file: its header and its segments; rows are read on demand.

    Attributes
    ----------
    cut : str
        Why it is incomplete, if it is salvaged.
    """

    path: Path
    salvage: bool = False
    header: dict[str, str] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    cr: bool = False
    cut: str = ""
    last_line: bytes = b""
    line_before: bytes = b""

    @property
    def separator(self) -> str:
        """The separator of the columns."""
        return _SEPARATORS[self.header.get("Separator", "Tab")]

    @property
    def decimal(self) -> str:
        """Comma or point; files of version 1 do not state it and have points."""
        return self.header.get("Decimal_Separator") or "."

    @property
    def x_columns(self) -> str:
        """``One`` for all channels, ``Multi``: one before each, ``No``: an empty one."""
        return self.header.get("X_Columns") or "One"

    @property
    def many_headings(self) -> bool:
        """Whether each segment has a header of its own, so that its samples are counted."""
        return self.header.get("Multi_Headings", "Yes") != "No"

    def number(self, text: str) -> float:
        """Return a number of a header."""
        try:
            if "_" not in text and text.isascii() and text.isprintable():
                return float(text.replace(self.decimal, "."))
        except ValueError:
            pass
        raise Rejected(f"{text[:40]!r} in a header is not a number")

    def rows(
        self, segment: Segment, columns: list[int]
    ) -> Iterator[tuple[bytes, NDArray[np.float64]]]:
        """Yield lines and the values of some columns (len(columns), n); empty cells are NaN."""
        n = 0
        for lines in self.lines(segment):
            try:
                values = float_columns(
                    lines, columns, separator=self.separator, decimal=self.decimal
                )
            except BadCell as error:
                raise Rejected(
                    f"{self.path.name} has a row without numbers, row {n + error.row + 1} of "
                    f"segment {segment.number}: {error}"
                ) from error
            yield lines, values
            n += values.shape[1]

    def lines(self, segment: Segment) -> Iterator[bytes]:
        """Yield the lines of a segment, some MB at a time."""
        return line_blocks(self.path, segment.start, segment.stop, cr=self.cr)

    def first_rows(self, segment: Segment, n: int) -> list[list[str]]:
        """Return the cells of the first rows of a segment."""
        rows: list[list[str]] = []
        with open_lines(self.path, cr=self.cr) as f:
            f.seek(segment.start)
            while len(rows) < min(n, segment.n_rows) and f.tell() < segment.stop:
                if (line := f.readline()).strip():
                    rows.append(line.decode("latin-1").rstrip("\r\n").split(self.separator))
        return rows


def _check_beginning(head: bytes) -> None:
    if head.removeprefix(b"\xef\xbb\xbf").startswith(MAGIC):
        return
    if b"\0" in head[:4]:
        raise Rejected("it is UTF-16 text: save it as UTF-8, as LabVIEW does")
    raise Rejected(
        f"it does not begin with {MAGIC.decode()!r}, as LabVIEW writes it: its beginning is "
        "missing or was changed"
    )


def scan_lvm(path: Path, *, salvage: bool = False) -> LvmFile:
    """Find the headers and segments of a file, and refuse one that ends too early.

    Parameters
    ----------
    salvage : bool
        Accept a truncated file up to its last complete row.

    Raises
    ------
    NotWhole
        It ends inside a header or a row, or before the number of samples in its header.
    Rejected
        It cannot be read.
    """
    with path.open("rb") as f:
        head = f.read(65536)
    _check_beginning(head)
    found = LvmFile(path=path, salvage=salvage, cr=ends_lines_with_cr(head))
    with open_lines(path, cr=found.cr) as f:
        lines = HeaderLines(f, path.name, found.special)
        _read_file_header(lines, found)
        _check_settings(found)
        while _read_segment(lines, found):
            pass
    _refuse_truncated(found)
    return found


def _read_file_header(lines: HeaderLines, found: LvmFile) -> None:
    for line in lines:
        if line.startswith(END_OF_HEADER):
            return
        _refuse_row(line, "the header of the file")
        # before "Separator" is read the separator is not known
        tag, value = settings_line(line)
        if tag in found.header and repeated(tag, found.header[tag], value):
            raise Rejected(f"its header states {tag} twice, {found.header[tag]!r} and {value!r}")
        found.header[tag] = value
    raise NotWhole(f"{found.path.name} ends inside its header")


def _refuse_row(line: str, where: str) -> None:
    """Refuse a row, or column names, inside a header: they would be lost."""
    if _ROW.match(line):
        raise Rejected(
            f"a line of {where} is {line.strip()[:40]!r}, like a row: the end of that header is "
            "damaged"
        )


def _check_settings(found: LvmFile) -> None:
    """Refuse settings that cannot be read correctly."""
    header = found.header
    allowed = {
        "Separator": tuple(_SEPARATORS),
        "Decimal_Separator": (".", ",", ""),
        "X_Columns": ("One", "Multi", "No", ""),
        "Multi_Headings": ("Yes", "No", ""),
    }
    for tag, values in allowed.items():
        if header.get(tag, "") not in values:
            raise Rejected(f"its {tag} is {header[tag][:40]!r}, which is unknown")
    if found.separator == found.decimal:
        raise Rejected("its columns and its decimals both use commas: save it with tabs")


def _read_segment(lines: HeaderLines, found: LvmFile) -> bool:
    """Read the next header and skip its rows; return whether there may be another."""
    f, name, number = lines.file, found.path.name, len(found.segments) + 1
    header: dict[str, list[str]] = {}
    for line in lines:
        if line.startswith(END_OF_HEADER):
            break
        _refuse_row(line, f"the header of segment {number}")
        tag, *entries = line.split(found.separator)
        if len(entries) > 2 * MAX_COLUMNS:
            raise Rejected(f"{tag[:40]!r} has {len(entries)} entries, more than can be stored")
        if tag in header and repeated(tag, header[tag], entries):
            raise Rejected(f"the header of segment {number} states {tag} twice")
        if tag:
            header[tag] = entries
    else:
        if header:
            _end_early(found, f"{name} ends inside the header of segment {number}")
        return False
    names = next_line(f, name)
    if not names.endswith(b"\n"):
        _end_early(found, f"{name} ends before the first row of segment {number}")
        return False
    refuse_nul(text_of(names))
    columns = text_of(names).rstrip("\r\n").split(found.separator)
    segment = Segment(number=number, header=header, columns=columns, start=f.tell())
    if found.segments:
        _share_repeated(segment, found.segments[-1])
    _skip_rows(lines, segment, found)
    found.segments.append(segment)
    f.seek(segment.stop)
    return True


def _share_repeated(segment: Segment, before: Segment) -> None:
    """Share equal entries of two headers: some files have a header for each row."""
    for tag, entries in segment.header.items():
        if before.header.get(tag) == entries:
            segment.header[tag] = before.header[tag]
    if segment.columns == before.columns:
        segment.columns = before.columns


def _skip_rows(lines: HeaderLines, segment: Segment, found: LvmFile) -> None:
    """Count the rows of a segment, with closer checks for unusual lines only."""
    position = segment.start
    separator, decimal = found.separator.encode(), found.decimal
    most = comment_column(segment.columns)
    may_hold_anything = most is not None
    most = len(segment.columns) if most is None else most
    plain = separator if found.x_columns == "No" else b"0123456789-" + separator
    readline = lines.file.readline
    while line := readline(LONGEST_LINE + 1):
        if line[:1] not in plain:
            if begins_header(line):
                break
            # an incomplete last row is checked after everything is read
            whole = line.endswith(b"\n") and not line.isspace()
            if whole and not begins_row(line, separator, decimal):
                raise Rejected(
                    f"row {segment.n_rows + 1} of segment {segment.number} begins with "
                    f"{text_of(line[:40]).strip()!r}, which is neither a number nor a header"
                )
        if len(line) > LONGEST_LINE:
            raise Rejected(too_long(found.path.name))
        position += len(line)
        if line.isspace():
            continue
        segment.n_rows += 1
        found.line_before, found.last_line = found.last_line, line
        if line.count(separator) >= most:
            if may_hold_anything:
                segment.has_comments = True
            else:
                _refuse_long(line.split(separator), segment)
    segment.stop = position


def _refuse_long(cells: list[bytes], segment: Segment) -> None:
    if any(cell.strip() for cell in cells[len(segment.columns) :]):
        raise Rejected(
            f"row {segment.n_rows} of segment {segment.number} has {len(cells)} cells below "
            f"{len(segment.columns)} names of columns"
        )


def _end_early(found: LvmFile, reason: str) -> None:
    """Refuse an incomplete file, or record why it is salvaged."""
    if not any(s.n_rows for s in found.segments):
        raise NotWhole(f"{reason}; it has no complete row")
    if not found.salvage:
        raise NotWhole(f"{reason}; `ishtar ingest --salvage FILE` stores its complete rows")
    found.cut = found.cut or reason


def _refuse_truncated(found: LvmFile) -> None:
    name = found.path.name
    if not found.segments:
        raise NotWhole(f"{name} ends before its first segment")
    if not _is_whole_row(found):
        last = found.segments[-1]
        last.n_rows -= 1
        last.stop -= len(found.last_line)
        _end_early(found, f"{name} is truncated: it ends inside a row")
    for segment in found.segments:
        places = range(len(segment.header.get("Samples", [])))
        promised = max((segment.samples(i) or 0 for i in places), default=0)
        if found.many_headings and segment.n_rows < promised:
            _end_early(
                found,
                f"{name} is truncated: segment {segment.number} has {segment.n_rows} rows of "
                f"{promised}",
            )
    if found.cut:
        found.segments = [s for s in found.segments if s.n_rows]


def _is_whole_row(found: LvmFile) -> bool:
    """Return whether the last row is terminated, or has as many digits as the row before."""
    last = found.last_line
    if not last or last.endswith((b"\n", b"\r")) or not found.segments[-1].n_rows:
        return True
    separator, decimal = found.separator.encode(), found.decimal.encode()
    cells = last.split(separator)
    before = found.line_before.rstrip(b"\r\n").split(separator)
    # complete decimals; an exponent or a whole number may be cut
    digits = cells[-1].partition(decimal)[2]
    like_before = len(digits) == len(before[-1].partition(decimal)[2]) and digits.isdigit()
    return len(cells) == len(before) and like_before
