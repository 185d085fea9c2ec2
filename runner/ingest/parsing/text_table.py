"""Read columns of numbers in text as the exact doubles, a few MB at a time."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from runner.ingest.ingest_errors import Rejected

BLOCK_BYTES = 4 << 20
LONGEST_LINE = 16 << 20  # bytes; a longer line is not part of a table
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1f\x85\xa0]")
_NOT_ASCII = re.compile(r"[^\x20-\x7e]")
_BLANK = " \t\r\n\v\f"  # ASCII white space only


class BadCell(ValueError):
    """A cell that is not a number.

    Attributes
    ----------
    row : int
        Its line, counted from 0 without empty ones.
    """

    def __init__(self, row: int, cell: str, why: str = "is not a number") -> None:
        shown = cell if len(cell) <= 40 else cell[:37] + "…"
        super().__init__(f"{shown!r} {why}")
        self.row = row


class _CarriageReturnFile(io.FileIO):
    """A file whose lines end with CR alone (classic Mac OS), read as LF."""

    def readinto(self, buffer: Any) -> int | None:
        n = super().readinto(buffer)
        if n:
            view = memoryview(buffer)[:n]
            view[:] = bytes(view).replace(b"\r", b"\n")
        return n


def open_lines(path: Path, *, cr: bool = False) -> io.BufferedReader:
    """Open a text to read lines as bytes; positions are those in the file."""
    return io.BufferedReader(_CarriageReturnFile(path) if cr else io.FileIO(path))


def ends_lines_with_cr(head: bytes) -> bool:
    """Return whether the lines of a text end with CR alone, by its beginning."""
    return b"\n" not in head and b"\r" in head.rstrip(b"\r")


def next_line(f: io.BufferedReader, name: str) -> bytes:
    """Return the next line with its end, empty at the end of the file.

    Raises
    ------
    Rejected
        The line is longer than `LONGEST_LINE`.
    """
    line = f.readline(LONGEST_LINE + 1)
    if len(line) > LONGEST_LINE:
        raise Rejected(too_long(name))
    return line


def line_blocks(
    path: Path, start: int = 0, stop: int | None = None, *, open_end: bool = False, cr: bool = False
) -> Iterator[bytes]:
    """Yield whole lines between two bytes of a file.

    Parameters
    ----------
    open_end : bool
        The file is still being written: omit an unterminated last line.
    cr : bool
        The lines end with CR alone.

    Raises
    ------
    Rejected
        A line is longer than `LONGEST_LINE`.
    """
    with open_lines(path, cr=cr) as f:
        f.seek(start)
        tail = b""
        while data := f.read(BLOCK_BYTES if stop is None else min(BLOCK_BYTES, stop - f.tell())):
            head, newline, tail = (tail + data).rpartition(b"\n")
            if newline:
                yield head + newline
            if len(tail) > LONGEST_LINE:
                raise Rejected(too_long(path.name))
        if tail.strip() and not open_end:
            yield tail


def float_columns(
    lines: bytes,
    columns: Sequence[int],
    *,
    separator: str,
    decimal: str,
    signs: set[str] | None = None,
) -> NDArray[np.float64]:
    """Return columns of numbers; empty and missing cells are NaN, empty lines are skipped.

    Parameters
    ----------
    lines : bytes
        Whole lines.
    columns : sequence of int
        Their indices.
    separator, decimal : str
        Between cells, and the decimal sign.
    signs : set of str, optional
        The decimal signs of earlier lines; updated. Only for columns of plain numbers.

    Returns
    -------
    (len(columns), n) float64

    Raises
    ------
    BadCell
        A cell is not a number.
    """
    if decimal != ".":
        _refuse_mixed_decimals(
            lines, columns, separator, decimal, set() if signs is None else signs
        )
        lines = lines.replace(decimal.encode(), b".")
    if not lines.strip():
        return np.empty((len(columns), 0))
    # numpy ends a line at any CR; and it skips all white space of Python, which may be a damaged
    # digit
    if lines.count(b"\r") == lines.count(b"\r\n") and not _CONTROL.search(lines):
        try:
            table: Any = np.loadtxt(
                io.BytesIO(lines),
                delimiter=separator,
                usecols=tuple(columns),
                ndmin=2,
                comments=None,
                encoding="latin-1",
            )
            return np.ascontiguousarray(table.T)
        except ValueError:  # empty cells, short lines, or not numbers: read each cell
            pass
    found = np.empty((len(columns), lines.count(b"\n") + 1))
    n = 0
    for line in text_lines(lines):
        cells = line.split(separator)
        for i, c in enumerate(columns):
            found[i, n] = _number(cells[c].strip(_BLANK) if c < len(cells) else "", n)
        n += 1
    return found[:, :n]


def _refuse_mixed_decimals(
    lines: bytes, columns: Sequence[int], separator: str, decimal: str, signs: set[str]
) -> None:
    """Refuse numbers with a comma mixed with those with a point: one of them is not decimal."""
    parted = re.escape(separator.encode())
    begins = b"(?:^|" + parted + b")" if 0 in columns else parted
    cell = begins + b"[^" + parted + rb"\n]*"
    # fast path: most blocks use one sign only
    here = {
        sign
        for sign in (".", decimal)
        if re.search(cell + re.escape(sign.encode()), lines, re.MULTILINE)
    }
    if len(signs | here) < 2:
        signs |= here
        return
    for row, line in enumerate(text_lines(lines)):
        cells = line.split(separator)
        for text in (cells[c] for c in columns if c < len(cells)):
            signs |= {sign for sign in (".", decimal) if sign in text}
            if len(signs) == 2:
                why = "is among numbers with another decimal sign"
                raise BadCell(row, text.strip(_BLANK), why)


def empty_cells(lines: bytes, columns: Sequence[int], *, separator: str) -> NDArray[np.bool_]:
    """Return which cells of some columns are empty or missing, (len(columns), n)."""
    rows = [line.split(separator) for line in text_lines(lines)]
    return np.array(
        [[c >= len(r) or not r[c].strip(_BLANK) for r in rows] for c in columns], dtype=bool
    )


def text_lines(lines: bytes) -> list[str]:
    """Return the lines that are not empty."""
    # not splitlines(): it also splits at 0x85, the ellipsis of Windows-1252
    return [line for line in lines.decode("latin-1").split("\n") if line.strip(_BLANK)]


def _number(cell: str, row: int) -> float:
    if not cell:
        return float("nan")
    try:
        if "_" not in cell and not _NOT_ASCII.search(cell):  # float() accepts both
            return float(cell)
    except ValueError:
        pass
    raise BadCell(row, cell)


def too_long(name: str) -> str:
    """Return the reason to refuse a file with an endless line."""
    return f"{name} has a line of more than {LONGEST_LINE >> 20} MB: it is not a table of numbers"
