"""Columns of numbers in text, exactly the doubles that the text means, some MB at a time."""

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
LONGEST_LINE = 16 << 20  # bytes; what has none shorter is no table
_ODD = re.compile(rb"[\x00-\x08\x0e-\x1f\x85\xa0]")
_ODD_TEXT = re.compile(r"[^\x20-\x7e]")
_BLANK = " \t\r\n\v\f"  # what bytes take for blank, and no more


class BadCell(ValueError):
    """A cell that is no number.

    Attributes
    ----------
    row : int
        Its line among those that are not empty, from 0.
    """

    def __init__(self, row: int, cell: str, why: str = "is no number") -> None:
        shown = cell if len(cell) <= 40 else cell[:37] + "…"
        super().__init__(f"{shown!r} {why}")
        self.row = row


class _CarriageReturns(io.FileIO):
    """A file of the old Macintosh: its lines end with CR alone, which is read as LF."""

    def readinto(self, buffer: Any) -> int | None:
        n = super().readinto(buffer)
        if n:
            view = memoryview(buffer)[:n]
            view[:] = bytes(view).replace(b"\r", b"\n")
        return n


def open_lines(path: Path, *, cr: bool = False) -> io.BufferedReader:
    """Open a text for reading lines of bytes; places in it are those in the file."""
    return io.BufferedReader(_CarriageReturns(path) if cr else io.FileIO(path))


def ends_lines_with_cr(head: bytes) -> bool:
    """Say whether the lines of a text end with CR alone, by its beginning."""
    return b"\n" not in head and b"\r" in head.rstrip(b"\r")


def next_line(f: io.BufferedReader, name: str) -> bytes:
    """Return the next line with its end, empty at the end of the file.

    Raises
    ------
    Rejected
        It is longer than any line of a table.
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
        The file is still being written: leave out a last line without an end.
    cr : bool
        Its lines end with CR alone.

    Raises
    ------
    Rejected
        A line is longer than any of a table.
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
    """Return some columns of lines of text; empty and missing cells are NaN, empty lines nothing.

    Parameters
    ----------
    lines : bytes
        Whole lines.
    columns : sequence of int
        Which ones.
    separator, decimal : str
        What parts cells, and what parts whole from fraction.
    signs : set of str, optional
        The decimal signs that lines before had, if these columns hold numbers alone; kept up.

    Returns
    -------
    (len(columns), n) float64

    Raises
    ------
    BadCell
        A cell is no number.
    """
    if decimal != ".":
        _refuse_both_signs(lines, columns, separator, decimal, set() if signs is None else signs)
        lines = lines.replace(decimal.encode(), b".")
    if not lines.strip():
        return np.empty((len(columns), 0))
    # a CR inside a line would end it for numpy, and only there; and numpy takes for a blank
    # whatever Python does, which hides a damaged digit
    if lines.count(b"\r") == lines.count(b"\r\n") and not _ODD.search(lines):
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
        except ValueError:  # empty cells, short lines, or no numbers: look at each
            pass
    found = np.empty((len(columns), lines.count(b"\n") + 1))
    n = 0
    for line in text_lines(lines):
        cells = line.split(separator)
        for i, c in enumerate(columns):
            found[i, n] = _number(cells[c].strip(_BLANK) if c < len(cells) else "", n)
        n += 1
    return found[:, :n]


def _refuse_both_signs(
    lines: bytes, columns: Sequence[int], separator: str, decimal: str, signs: set[str]
) -> None:
    """Refuse numbers of which some have a comma and some a point: one of the two is no decimal."""
    parted = re.escape(separator.encode())
    begins = b"(?:^|" + parted + b")" if 0 in columns else parted
    cell = begins + b"[^" + parted + rb"\n]*"
    # most lines have one alone, which is quickly seen
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
                why = "stands among numbers with another sign for decimals"
                raise BadCell(row, text.strip(_BLANK), why)


def empty_cells(lines: bytes, columns: Sequence[int], *, separator: str) -> NDArray[np.bool_]:
    """Return which cells of some columns are empty or missing, (len(columns), n)."""
    rows = [line.split(separator) for line in text_lines(lines)]
    return np.array(
        [[c >= len(r) or not r[c].strip(_BLANK) for r in rows] for c in columns], dtype=bool
    )


def text_lines(lines: bytes) -> list[str]:
    """Return the lines that are not empty."""
    # not splitlines(): it parts at an ellipsis of Windows, too
    return [line for line in lines.decode("latin-1").split("\n") if line.strip(_BLANK)]


def _number(cell: str, row: int) -> float:
    if not cell:
        return float("nan")
    try:
        if "_" not in cell and not _ODD_TEXT.search(cell):  # which Python takes for numbers
            return float(cell)
    except ValueError:
        pass
    raise BadCell(row, cell)


def too_long(name: str) -> str:
    """Return the reason to refuse a file with an endless line."""
    return f"{name} has a line of more than {LONGEST_LINE >> 20} MB: it is no table of numbers"
