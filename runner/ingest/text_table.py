"""Columns of numbers in text, exactly the doubles that the text means, some MB at a time."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

BLOCK_BYTES = 4 << 20


def line_blocks(
    path: Path, start: int = 0, stop: int | None = None, *, open_end: bool = False
) -> Iterator[bytes]:
    """Yield whole lines between two bytes of a file.

    Parameters
    ----------
    open_end : bool
        The file is still being written: leave out a last line without an end.
    """
    with path.open("rb") as f:
        f.seek(start)
        tail = b""
        while data := f.read(BLOCK_BYTES if stop is None else min(BLOCK_BYTES, stop - f.tell())):
            head, newline, tail = (tail + data).rpartition(b"\n")
            if newline:
                yield head + newline
        if tail.strip() and not open_end:
            yield tail


def float_columns(
    lines: bytes, columns: Sequence[int], *, separator: str, decimal: str
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

    Returns
    -------
    (len(columns), n) float64

    Raises
    ------
    ValueError
        A cell is no number.
    """
    if decimal != ".":
        lines = lines.replace(decimal.encode(), b".")
    if not lines.strip():
        return np.empty((len(columns), 0))
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
        rows = [line.split(separator) for line in text_lines(lines)]
        return np.array([[_number(row, c) for row in rows] for c in columns], dtype=np.float64)


def text_lines(lines: bytes) -> list[str]:
    """Return the lines that are not empty."""
    # not splitlines(): it parts at an ellipsis of Windows, too
    return [line for line in lines.decode("latin-1").split("\n") if line.strip()]


def _number(row: list[str], column: int) -> float:
    cell = row[column].strip() if column < len(row) else ""
    return float(cell) if cell else float("nan")
