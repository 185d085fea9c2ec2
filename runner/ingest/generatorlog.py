"""The RF generator's log of a whole day: rows of time and power, cut into pulses.

A pulse is a stretch of rows with forward power above the threshold; dips and holes shorter than
the gap belong to it. Rows are counted from the first one below the header, and a log only ever
grows at its end, so that row numbers name the same rows for ever.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from runner.ingest.context import Context
from runner.ingest.dates import parse_date, parse_moment, parse_time
from runner.ingest.errors import Rejected
from runner.ingest.text_table import float_columns, line_blocks, text_lines

FORWARD = "ForwardPower"
_BOM = "\xef\xbb\xbf"  # as latin-1 reads it
_DAY_IN_NAME = re.compile(r"(?<!\d)(20\d\d)(\d\d)(\d\d)(?!\d)")
_UNIT = re.compile(r"^(?P<name>.*?)\s*(?:[\[(](?P<unit>[^\])]*)[\])])?$")


class GeneratorLog:
    """``GENERATOR_2026-11-22.txt``; matched to shots by :mod:`runner.ingest.days`."""

    name = "generatorlog"
    version = "1"
    scope = "day"

    def matches(self, path: Path, head: bytes) -> bool:
        """Say whether a line of the head names the columns of such a log."""
        return _header(head.decode("latin-1").split("\n")) is not None

    def convert(self, path: Path, context: Context) -> None:
        """Refuse: the log of a day belongs to many shots."""
        raise Rejected("a log of a whole day is matched by clock, not converted for one shot")

    def read(self, path: Path) -> DayLog:
        """Read the header of a log."""
        return DayLog.of(path)


@dataclass(frozen=True, kw_only=True)
class Column:
    """A column of the log: ``ForwardPower[W]``."""

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
        By the generator's clock.
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
        """Return some of its rows."""
        i, j = first_row - self.first_row, stop_row - self.first_row
        return Pulse(
            first_row=first_row,
            time=self.time[i:j],
            values={name: v[i:j] for name, v in self.values.items()},
        )

    @property
    def start(self) -> dt.datetime:
        """Time of the first row, by the generator's clock."""
        return self.time[0].astype("datetime64[us]").item()

    @property
    def end(self) -> dt.datetime:
        """Time of the last row, by the generator's clock."""
        return self.time[-1].astype("datetime64[us]").item()


@dataclass(frozen=True, kw_only=True)
class DayLog:
    """A log, its day and its columns; reading the rows is :meth:`pulses`."""

    path: Path
    day: dt.date
    columns: tuple[Column, ...]
    separator: str
    header_bytes: int
    decimal: str  # a comma where it can be one; a point is one, too

    @classmethod
    def of(cls, path: Path) -> DayLog:
        """Read the header; the day is that of the name, or of the lines above the columns.

        Raises
        ------
        Rejected
            There is no header, or no day.
        """
        with path.open("rb") as f:
            head = f.read(16384)
        lines = head.decode("latin-1").split("\n")
        found = _header(lines)
        if found is None:
            raise Rejected(f"{path.name} has no line that names Time and {FORWARD}[W]")
        number, separator = found
        day = _day_in(path.name)
        above = (parse_date(line) for line in lines[:number])
        day = day or next((d for d in above if d is not None), None)
        first = lines[number + 1].split(separator) if len(lines) > number + 1 else [""]
        if day is None:
            moment = parse_moment(first[0])
            day = moment.date() if moment is not None else None
        if day is None:
            raise Rejected(
                f"{path.name} does not say its day: put it into the name, as in "
                "GENERATOR_2026-11-22.txt"
            )
        return cls(
            path=path,
            day=day,
            columns=tuple(_column(cell) for cell in lines[number].split(separator)),
            separator=separator,
            header_bytes=_bytes_of(head, number + 1),
            decimal="." if separator == "," else ",",
        )

    def pulses(self, *, threshold_w: float, gap_s: float) -> Iterator[Pulse]:
        """Yield the pulses of the log, in their order; one pulse is held in memory.

        Parameters
        ----------
        threshold_w : float
            Power is on above it.
        gap_s : float
            Rows with power on that are further apart belong to two pulses.
        """
        rest: Pulse | None = None
        for block in self._blocks():
            if rest is not None:
                block = _joined(rest, block)
            pulses = _cut(block, threshold_w, gap_s)
            rest = None
            if pulses and (block.end - pulses[-1].end).total_seconds() <= gap_s:
                rest = block.part(pulses.pop().first_row, block.rows[1])  # it may go on
            yield from pulses
        if rest is not None:
            yield from _cut(rest, threshold_w, gap_s)

    def _blocks(self) -> Iterator[Pulse]:
        """Yield all rows, a block at a time."""
        clock, first_row = _Clock(self.day), 0
        # a last line without an end is left out: the generator is still writing it
        for lines in line_blocks(self.path, self.header_bytes, open_end=True):
            try:
                times = [line.split(self.separator, 1)[0] for line in text_lines(lines)]
                time = clock.times(times)
                values = float_columns(
                    lines,
                    range(1, len(self.columns)),
                    separator=self.separator,
                    decimal=self.decimal,
                )
            except ValueError as error:
                raise Rejected(
                    f"{self.path.name} has a line after row {first_row} that is no row: {error}"
                ) from error
            names = [c.name for c in self.columns[1:]]
            yield Pulse(
                first_row=first_row, time=time, values=dict(zip(names, values, strict=True))
            )
            first_row += len(time)


class _Clock:
    """Turns times of day into moments; a step back by half a day or more is midnight."""

    def __init__(self, day: dt.date) -> None:
        self._midnight = np.datetime64(day, "us")
        self._last: np.datetime64 | None = None

    def times(self, texts: list[str]) -> NDArray[np.datetime64]:
        """Return the moments of the next rows."""
        try:
            after = np.array([_microseconds(t) for t in texts], dtype="timedelta64[us]")
        except ValueError:  # with a date, or without seconds
            return np.array([self._moment(text) for text in texts], dtype="datetime64[us]")
        moments = self._midnight + after
        before = moments[:1] if self._last is None else np.array([self._last])
        nights = np.cumsum(np.diff(moments, prepend=before) < -np.timedelta64(12, "h"))
        moments = moments + nights * np.timedelta64(1, "D")
        if len(nights):
            self._midnight += nights[-1] * np.timedelta64(1, "D")
            self._last = moments[-1]
        return moments

    def _moment(self, text: str) -> np.datetime64:
        moment = parse_moment(text)
        if moment is not None:
            return np.datetime64(moment.replace(tzinfo=None), "us")
        after = parse_time(text)
        if after is None:
            raise ValueError(f"{text!r} is no time")
        return self._midnight + np.timedelta64(after)


def _bytes_of(head: bytes, n_lines: int) -> int:
    return sum(len(line) + 1 for line in head.split(b"\n")[:n_lines])


def _microseconds(text: str) -> int:
    """Return HH:MM:SS.fff as µs since midnight."""
    hours, minutes, seconds = text.split(":")
    whole = 3600 * int(hours) + 60 * int(minutes)
    return whole * 1_000_000 + round(float(seconds.replace(",", ".")) * 1e6)


def _header(lines: list[str]) -> tuple[int, str] | None:
    """Return the number of the line that names the columns, and what parts them."""
    for number, line in enumerate(lines[:40]):
        for separator in ("\t", ";", ","):
            names = [_column(cell).name for cell in line.removeprefix(_BOM).split(separator)]
            if names[0] == "Time" and FORWARD in names:
                return number, separator
    return None


def _column(cell: str) -> Column:
    match = _UNIT.match(cell.strip().removeprefix(_BOM))
    assert match is not None
    return Column(name=match["name"], unit=match["unit"] or "")


def _day_in(name: str) -> dt.date | None:
    if match := _DAY_IN_NAME.search(name):
        try:
            return dt.date(*map(int, match.groups()))
        except ValueError:
            pass
    return parse_date(name)


def _joined(a: Pulse, b: Pulse) -> Pulse:
    return Pulse(
        first_row=a.first_row,
        time=np.concatenate([a.time, b.time]),
        values={n: np.concatenate([a.values[n], b.values[n]]) for n in a.values},
    )


def _cut(rows: Pulse, threshold_w: float, gap_s: float) -> list[Pulse]:
    """Return the pulses in some rows, each from its first row with power on to its last."""
    on = np.flatnonzero(rows.values[FORWARD] > threshold_w)
    if not len(on):
        return []
    gap = np.timedelta64(round(gap_s * 1e6), "us")
    cuts = np.flatnonzero(np.diff(rows.time[on]) > gap) + 1
    return [
        rows.part(rows.first_row + int(group[0]), rows.first_row + int(group[-1]) + 1)
        for group in np.split(on, cuts)
    ]
