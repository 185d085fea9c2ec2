"""The clock of the RF generator: turns times of day into moments, across midnight and steps back.

A step back by half a day or more is midnight. A smaller one means that the clock was set back (end
of summer time, a time server): the log then has an interval twice, and its rows are ambiguous.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from runner.ingest.parsing.dates import parse_moment, parse_time

_PLAIN = re.compile(r"\s*(\d{1,2}):(\d\d):(\d\d)(?:[.,](\d{1,6}))?(?: ?([AaPp])[Mm])?\s*", re.ASCII)
_DAY = 86_400_000_000  # µs
MAX_STEPS = 100  # more steps back mean an unsorted log, not a corrected clock
_JITTER = 1_000_000  # µs; a smaller correction cannot move a pulse to another shot
_EPOCH = dt.datetime(1970, 1, 1)


class BadTime(ValueError):
    """A row whose time cannot be read; ``row`` counts from 0 within the given rows."""

    def __init__(self, row: int, why: str) -> None:
        super().__init__(why)
        self.row = row


@dataclass(kw_only=True)
class StepsBack:
    """Where the clock was set back.

    Attributes
    ----------
    large : list of (row, from, to)
        The row counts from 0 in the log; times in µs since 1970.
    n_small : int
        Number of steps too small to move a pulse to another shot.
    """

    large: list[tuple[int, int, int]] = field(default_factory=list)
    n_small: int = 0

    def add(self, row: int, before: int, after: int) -> None:
        """Record one step back.

        Raises
        ------
        BadTime
            There are more than `MAX_STEPS`: the log is unsorted.
        """
        if before - after <= _JITTER:
            self.n_small += 1
        elif len(self.large) < MAX_STEPS:
            self.large.append((row, before, after))
        else:
            raise BadTime(
                row, f"its clock steps back for the {MAX_STEPS + 1}th time; sort it by time"
            )

    def is_repeated(self, time: NDArray[np.datetime64]) -> NDArray[np.bool_]:
        """Return which rows have a time that the log has twice."""
        moments = time.astype("datetime64[us]").astype(np.int64)
        found = np.zeros(len(moments), dtype=bool)
        for _, before, after in self.large:
            found |= (moments >= after) & (moments <= before)
        return found

    def notes(self) -> list[str]:
        """Return messages about the steps, the first few with their rows."""
        notes = [
            f"its clock steps back at row {row + 1}, from {_clock(before)} to {_clock(after)}: "
            "no shot gets the pulses between these times"
            for row, before, after in self.large[:3]
        ]
        if len(self.large) > 3:
            notes.append(f"its clock steps back {len(self.large)} times")
        if self.n_small:
            notes.append(
                f"its clock steps back by less than {_JITTER / 1e6:g} s at {self.n_small} rows"
            )
        return notes


class Clock:
    """Turns the times of consecutive rows into moments."""

    def __init__(self, day: dt.date) -> None:
        self.steps_back = StepsBack()
        self._midnight = _microseconds(dt.datetime.combine(day, dt.time()))
        self._last: int | None = None
        self._row = 0

    def times(self, texts: list[str]) -> NDArray[np.datetime64]:
        """Return the moments of the next rows.

        Raises
        ------
        BadTime
            A time cannot be read.
        """
        moments = np.empty(len(texts), dtype=np.int64)
        for i, text in enumerate(texts):
            now = self._moment(i, text)
            if self._last is not None and now < self._last:
                self._step_back(i, now)
            moments[i] = self._last = now
        self._row += len(texts)
        return moments.astype("datetime64[us]")

    def _step_back(self, row: int, now: int) -> None:
        assert self._last is not None
        try:
            self.steps_back.add(self._row + row, self._last, now)
        except BadTime as error:
            raise BadTime(row, str(error)) from error

    def _moment(self, row: int, text: str) -> int:
        after = _since_midnight(text)
        if after is None:
            moment = parse_moment(text)
            if moment is None:
                raise BadTime(row, f"its time {text[:40]!r} cannot be read")
            if moment.tzinfo is not None:
                raise BadTime(row, f"its time {text[:40]!r} has a zone: a log is in local time")
            now = _microseconds(moment)
            self._midnight = now - now % _DAY
            return now
        if self._last is not None and self._last - self._midnight - after > _DAY // 2:
            self._midnight += _DAY
        return self._midnight + after


def _since_midnight(text: str) -> int | None:
    """Return a time of day in µs; the common format has a fast path."""
    if (match := _PLAIN.fullmatch(text)) is not None:
        hour, m, s, fraction, half = match.groups()
        h = int(hour)
        if h < 24 and m < "60" and s < "60" and (half is None or 0 < h < 13):
            if half is not None:
                h = h % 12 + 12 * (half in "Pp")
            micros = int((fraction or "0").ljust(6, "0"))
            return (3600 * h + 60 * int(m) + int(s)) * 1_000_000 + micros
    after = parse_time(text)
    return None if after is None else after // dt.timedelta(microseconds=1)


def _microseconds(moment: dt.datetime) -> int:
    return (moment - _EPOCH) // dt.timedelta(microseconds=1)


def _clock(microseconds: int) -> str:
    return f"{_EPOCH + dt.timedelta(microseconds=microseconds):%H:%M:%S}"
