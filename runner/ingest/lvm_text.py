"""The structure of a LabVIEW measurement file: headers, segments, and where their rows are.

Format: National Instruments, *Specification for the LabVIEW Measurement File (.lvm)*. A header of
the file, then segments: a header of their own (only the first where ``Multi_Headings`` is No), a
line of column names, rows. ``X_Columns`` One: the first column is x; No: it is empty; Multi: one
before each channel. Numbers have a comma or a point.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.ingest.dates import parse_date, parse_time
from runner.ingest.errors import NotWhole, Rejected
from runner.ingest.text_table import float_columns, line_blocks

MAGIC = b"LabVIEW Measurement"
END_OF_HEADER = "***End_of_Header***"
_SPECIAL = ("***Start_Special***", "***End_Special***")
_HEADER_LINE = re.compile(rb"[A-Za-z*]")
_SEPARATORS = {"Tab": "\t", "Comma": ","}


@dataclass(kw_only=True)
class Segment:
    """One stretch of rows with its header.

    Attributes
    ----------
    header : dict of str to list of str
        Tag → one entry for each channel, or for the segment.
    columns : list of str
        Names of the columns.
    start, stop : int
        Bytes of the file that hold its rows.
    n_rows : int
        How many they are.
    """

    header: dict[str, list[str]]
    columns: list[str]
    start: int
    stop: int = 0
    n_rows: int = 0

    def of_channel(self, tag: str, channel: int) -> str:
        """Return a channel's entry in the header, empty if there is none."""
        entries = self.header.get(tag, [])
        return entries[channel] if channel < len(entries) else ""


@dataclass(kw_only=True)
class LvmFile:
    """A scanned file: its header and its segments; rows are read on demand."""

    path: Path
    header: dict[str, str] = field(default_factory=dict)
    segments: list[Segment] = field(default_factory=list)
    special: list[str] = field(default_factory=list)
    last_line: bytes = b""
    line_before: bytes = b""

    @property
    def separator(self) -> str:
        """What parts the columns."""
        return _SEPARATORS.get(self.header.get("Separator", "Tab"), "\t")

    @property
    def decimal(self) -> str:
        """Comma or point; files of version 1 do not say it and have points."""
        return self.header.get("Decimal_Separator", ".")

    @property
    def many_headings(self) -> bool:
        """Whether each segment has a header of its own, so that its samples are counted."""
        return self.header.get("Multi_Headings", "Yes") == "Yes"

    def number(self, text: str) -> float:
        """Return a number of a header."""
        try:
            return float(text.replace(self.decimal, "."))
        except ValueError:
            raise Rejected(f"{text!r} in a header is no number") from None

    def start_of(self, segment: Segment, channel: int) -> dt.datetime | None:
        """Return the absolute local time at which a channel's segment begins, if it is said."""
        date = parse_date(segment.of_channel("Date", channel) or self.header.get("Date", ""))
        after = parse_time(segment.of_channel("Time", channel) or self.header.get("Time", ""))
        if date is None or after is None:
            return None
        return dt.datetime.combine(date, dt.time()) + after

    def rows(self, segment: Segment, columns: list[int]) -> Iterator[NDArray[np.float64]]:
        """Yield the values of some columns (len(columns), n); empty cells are NaN."""
        for lines in line_blocks(self.path, segment.start, segment.stop):
            try:
                yield float_columns(lines, columns, separator=self.separator, decimal=self.decimal)
            except ValueError as error:
                raise Rejected(f"{self.path.name} has a row that is no numbers: {error}") from error


def scan_lvm(path: Path) -> LvmFile:
    """Find the headers and segments of a file, and refuse one that ends too early.

    Raises
    ------
    NotWhole
        It ends inside a header or a row, or before the samples that its header promises.
    """
    found = LvmFile(path=path)
    with path.open("rb") as f:
        _read_file_header(f, found)
        _read_segments(f, found)
    _refuse_truncated(found)
    return found


def _lines(f: Any, found: LvmFile) -> Iterator[str]:
    """Yield header lines as text; what LabVIEW calls special blocks is put aside."""
    inside = False
    for raw in iter(f.readline, b""):
        line = _text(raw).rstrip("\r\n")
        if line.startswith(_SPECIAL):
            inside = line.startswith(_SPECIAL[0])
        elif inside:
            found.special.append(line)
        else:
            yield line


def _read_file_header(f: Any, found: LvmFile) -> None:
    for line in _lines(f, found):
        if line.startswith(END_OF_HEADER):
            return
        # before "Separator" is read the separator is not known; it is a tab but for one kind
        tag, _, value = (
            line.replace(",", "\t", 1).partition("\t")
            if "\t" not in line
            else (line.partition("\t"))
        )
        found.header[tag] = value.strip("\t")
    raise NotWhole(f"{found.path.name} ends inside its header")


def _read_segments(f: Any, found: LvmFile) -> None:
    while True:
        header: dict[str, list[str]] = {}
        for line in _lines(f, found):
            if line.startswith(END_OF_HEADER):
                break
            tag, *entries = line.split(found.separator)
            if tag:
                header[tag] = entries
        else:
            if header:
                raise NotWhole(f"{found.path.name} ends inside the header of a segment")
            return
        names = f.readline()
        if not names.endswith(b"\n"):
            raise NotWhole(f"{found.path.name} ends before its first row")
        columns = _text(names).rstrip("\r\n").split(found.separator)
        segment = Segment(header=header, columns=columns, start=f.tell())
        _count_rows(f, segment, found)
        found.segments.append(segment)
        f.seek(segment.stop)


def _count_rows(f: Any, segment: Segment, found: LvmFile) -> None:
    position = segment.start
    for line in iter(f.readline, b""):
        if _HEADER_LINE.match(line):
            break
        position += len(line)
        if line.strip():
            segment.n_rows += 1
            found.line_before, found.last_line = found.last_line, line
    segment.stop = position


def _refuse_truncated(found: LvmFile) -> None:
    name = found.path.name
    if not found.segments:
        raise NotWhole(f"{name} ends before its first segment")
    last = found.last_line
    if last and not last.endswith(b"\n"):
        cells, before = last.split(b"\t"), found.line_before.rstrip(b"\r\n").split(b"\t")
        if len(cells) != len(before) or len(cells[-1]) < len(before[-1]):
            raise NotWhole(f"{name} is truncated: it ends inside a row")
    for number, segment in enumerate(found.segments, 1):
        samples = [int(n) for n in segment.header.get("Samples", []) if n.strip().isdigit()]
        if found.many_headings and samples and segment.n_rows < max(samples):
            raise NotWhole(
                f"{name} is truncated: segment {number} has {segment.n_rows} rows of {max(samples)}"
            )


def _text(line: bytes) -> str:
    try:
        return line.decode("utf-8-sig")
    except UnicodeDecodeError:
        return line.decode("cp1252", errors="replace")
