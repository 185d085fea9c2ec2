"""The RF generator's log of a whole day: rows of time and power, split into pulses.

A pulse is a run of rows with forward power above the threshold; dips and holes shorter than the gap
belong to it. Rows are counted from the first one below the header, and a log only grows at its end,
so a row number always names the same row.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import UnitError
from ishtar.units import factor
from runner.ingest.context import Context
from runner.ingest.generatorlog.generator_clock import BadTime, Clock, StepsBack
from runner.ingest.ingest_errors import Rejected
from runner.ingest.parsing.dates import find_date, parse_moment
from runner.ingest.parsing.text_table import (
    BadCell,
    ends_lines_with_cr,
    float_columns,
    line_blocks,
    text_lines,
)

FORWARD = "ForwardPower"
MAX_COLUMNS = 1000
_HEAD_BYTES = 65536
_LONGEST_NAME = 200  # characters of a column's name and unit
_BOM = "\xef\xbb\xbf"  # as latin-1 reads it
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_UNIT = re.compile(r"^(?P<name>.*?)\s*(?:[\[(](?P<unit>[^\])]*)[\])])?$")


class GeneratorLog:
    """``GENERATOR_2026-11-22.txt``; matched to shots by :mod:`runner.ingest.days.day_logs`."""

    name = "generatorlog"
    version = "2"
    scope = "day"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether a line of the head names the columns of such a log."""
        return _header(_head_lines(head)) is not None

    def convert(self, path: Path, context: Context) -> None:
        """Refuse: a day log belongs to many shots."""
        raise Rejected("a day log is matched by clock: ingest it without --shot")

    def read(self, path: Path) -> DayLog:
        """Read the header of a log."""
        return DayLog.of(path)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the log, such as ``ForwardPower[W]``."""

    name: str
    unit: str


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """Consecutive rows with power on.

    Attributes
    ----------
    first_row : int
        Number of its first row in the log.
    time : (n,) datetime64[us]
        On the generator's clock.
    values : dict of str to (n,) float64
        By column name.
    """

    first_row: int
    time: NDArray[np.datetime64]
    values: dict[str, NDArray[np.float64]]

    @property
    def rows(self) -> tuple[int, int]:
        """First row and the one after the last."""
        return self.first_row, self.first_row + len(self.time)

    def part(self, first_row: int, stop_row: int) -> Pulse:
        """Return a part of the pulse."""
        i, j = first_row - self.first_row, stop_row - self.first_row
        return Pulse(
            first_row=first_row,
            time=self.time[i:j],
            values={name: v[i:j] for name, v in self.values.items()},
        )

    @property
    def start(self) -> dt.datetime:
        """Time of the first row on the generator's clock."""
        answer: dt.datetime = self.time[0].astype("datetime64[us]").item()
        return answer

    @property
    def end(self) -> dt.datetime:
        """Time of the last row on the generator's clock."""
        answer: dt.datetime = self.time[-1].astype("datetime64[us]").item()
        return answer


@dataclass(frozen=True, kw_only=True)
class DayLog:
    """The header of a log: its day and columns; :meth:`pulses` reads the rows."""

    path: Path
    day: dt.date
    columns: tuple[Column, ...]
    separator: str
    header_bytes: int
    decimal: str  # a comma where possible; a point is accepted, too
    cr: bool = False  # lines end with CR alone
    watt: float = 1.0  # one watt in the unit of the forward power

    @classmethod
    def of(cls, path: Path) -> DayLog:
        """Read the header; the day is in the file's name or in the lines above the columns.

        Raises
        ------
        Rejected
            There is no header, or no day.
        """
        with path.open("rb") as f:
            head = f.read(_HEAD_BYTES)
        if head.startswith(_UTF_16):
            raise Rejected(f"{path.name} is UTF-16 text: save it as UTF-8, as the generator does")
        lines = _head_lines(head)
        found = _header(lines)
        if found is None or found[0] + 1 == len(lines):
            raise Rejected(f"{path.name} has no line that names Time and {FORWARD}[W]")
        number, separator = found
        first = lines[number + 1].split(separator)[0]
        columns = _columns(lines[number].split(separator))
        return cls(
            path=path,
            day=_day(path.name, lines[:number], first),
            columns=columns,
            separator=separator,
            header_bytes=_bytes_of(head, number + 1),
            decimal="." if separator == "," else ",",
            cr=ends_lines_with_cr(head),
            watt=_watt(next(c.unit for c in columns if c.name == FORWARD)),
        )

    @cached_property
    def steps_back(self) -> StepsBack:
        """Where the generator's clock was set back."""
        clock = Clock(self.day)
        for first_row, lines in self._line_blocks():
            self._times(clock, lines, first_row)
        return clock.steps_back

    @property
    def notes(self) -> list[str]:
        """Messages about the log for its readers."""
        return [f"{self.path.name}: {note}" for note in self.steps_back.notes()]

    def pulses(self, *, threshold_w: float, gap_s: float) -> Iterator[Pulse]:
        """Yield the pulses of the log in order, with one pulse in memory.

        Rows at times that the log has twice, because its clock was set back, are excluded.

        Parameters
        ----------
        threshold_w : float
            Power is on above this, W.
        gap_s : float
            Rows with power on that are further apart belong to two pulses, s.
        """
        cut = partial(
            _cut, threshold=threshold_w * self.watt, gap_s=gap_s, steps_back=self.steps_back
        )
        unfinished: Pulse | None = None
        for block in self._blocks():
            if unfinished is not None:
                block = _concatenated(unfinished, block)
            pulses = cut(block)
            unfinished = None
            if pulses and (block.end - pulses[-1].end).total_seconds() <= gap_s:
                unfinished = block.part(pulses.pop().first_row, block.rows[1])  # may continue
            yield from pulses
        if unfinished is not None:
            yield from cut(unfinished)

    def _blocks(self) -> Iterator[Pulse]:
        """Yield all rows in blocks."""
        clock = Clock(self.day)
        names = [c.name for c in self.columns[1:]]
        signs: set[str] = set()
        for first_row, lines in self._line_blocks():
            time = self._times(clock, lines, first_row)
            try:
                values = float_columns(
                    lines,
                    range(1, len(self.columns)),
                    separator=self.separator,
                    decimal=self.decimal,
                    signs=signs,
                )
            except BadCell as error:
                raise self._bad_row(first_row + error.row, str(error)) from error
            empty = [n for n, v in zip(names, values, strict=True) if np.isnan(v).all()]
            if first_row == 0 and len(time) and empty:
                raise Rejected(
                    f"the column {empty[0]} of {self.path.name} has no values: correct the header "
                    "to match the rows"
                )
            yield Pulse(
                first_row=first_row, time=time, values=dict(zip(names, values, strict=True))
            )

    def _line_blocks(self) -> Iterator[tuple[int, bytes]]:
        first_row = 0
        # omit an unterminated last line: the generator is still writing it
        for lines in line_blocks(self.path, self.header_bytes, open_end=True, cr=self.cr):
            yield first_row, lines
            first_row += len(text_lines(lines))

    def _times(self, clock: Clock, lines: bytes, first_row: int) -> NDArray[np.datetime64]:
        texts = []
        for i, line in enumerate(text_lines(lines)):
            if line.count(self.separator) >= len(self.columns):
                cells = line.split(self.separator)
                if any(cell.strip() for cell in cells[len(self.columns) :]):
                    raise self._bad_row(
                        first_row + i, f"it has {len(cells)} cells for {len(self.columns)} columns"
                    )
            texts.append(line.split(self.separator, 1)[0])
        try:
            return clock.times(texts)
        except BadTime as error:
            raise self._bad_row(first_row + error.row, str(error)) from error

    def _bad_row(self, row: int, why: str) -> Rejected:
        return Rejected(f"{self.path.name} cannot be read at row {row + 1} below its header: {why}")


def _head_lines(head: bytes) -> list[str]:
    if head.startswith(_UTF_16):
        return head.decode("utf-16", errors="replace").split("\n")
    return head.decode("latin-1").split("\r" if ends_lines_with_cr(head) else "\n")


def _day(name: str, above: list[str], first_time: str) -> dt.date:
    """Return the day of a log from its name, the lines above its columns or its first row."""
    moment = parse_moment(first_time)
    days = [find_date(name), *map(find_date, above), moment.date() if moment else None]
    day = next((d for d in days if d is not None), None)
    if day is None:
        raise Rejected(
            f"{name} does not state its day: put it into the name, as in GENERATOR_2026-11-22.txt"
        )
    if moment is not None and abs(moment.date() - day) > dt.timedelta(days=1):
        raise Rejected(
            f"{name} is from {day}, but its first row is at {first_time.strip()}: correct its name"
        )
    return day


def _columns(cells: list[str]) -> tuple[Column, ...]:
    """Return the columns; a header may end with separators."""
    while not cells[-1].strip():
        cells = cells[:-1]
    if len(cells) > MAX_COLUMNS:
        raise Rejected(f"it has {len(cells)} columns, but a generator log has only a few")
    columns = tuple(_column(cell) for cell in cells)
    names = [c.name for c in columns]
    for i, name in enumerate(names):
        if not name or "\0" in name + columns[i].unit:
            raise Rejected(f"its column {i + 1} has no name")
        if name in names[:i]:
            raise Rejected(f"it has two columns {name}: rename one")
    return columns


def _watt(unit: str) -> float:
    """Return one watt in the unit of the forward power; W is the default."""
    try:
        return factor("W", unit) if unit else 1.0
    except UnitError as error:
        raise Rejected(
            f"its {FORWARD} is in {unit!r}, which is not a multiple of W: {error}"
        ) from error


def _bytes_of(head: bytes, n_lines: int) -> int:
    end = b"\r" if ends_lines_with_cr(head) else b"\n"
    return sum(len(line) + 1 for line in head.split(end)[:n_lines])


def _header(lines: list[str]) -> tuple[int, str] | None:
    """Return the number of the line that names the columns, and their separator."""
    for number, line in enumerate(lines[:40]):
        for separator in ("\t", ";", ","):
            names = [_column(cell).name for cell in line.removeprefix(_BOM).split(separator)]
            if names[0] == "Time" and FORWARD in names:
                return number, separator
    return None


def _column(cell: str) -> Column:
    match = _UNIT.match(cell[:_LONGEST_NAME].strip().removeprefix(_BOM))
    assert match is not None
    return Column(name=match["name"], unit=match["unit"] or "")


def _concatenated(a: Pulse, b: Pulse) -> Pulse:
    return Pulse(
        first_row=a.first_row,
        time=np.concatenate([a.time, b.time]),
        values={n: np.concatenate([a.values[n], b.values[n]]) for n in a.values},
    )


def _cut(rows: Pulse, *, threshold: float, gap_s: float, steps_back: StepsBack) -> list[Pulse]:
    """Return the pulses in some rows, each from its first to its last row with power on."""
    is_repeated = steps_back.is_repeated(rows.time)
    on = np.flatnonzero((rows.values[FORWARD] > threshold) & ~is_repeated)
    if not len(on):
        return []
    gap = np.timedelta64(round(gap_s * 1e6), "us")
    separate = (np.diff(rows.time[on]) > gap) | (np.diff(np.cumsum(is_repeated)[on]) > 0)
    cuts = np.flatnonzero(separate) + 1
    return [
        rows.part(rows.first_row + int(group[0]), rows.first_row + int(group[-1]) + 1)
        for group in np.split(on, cuts)
    ]
