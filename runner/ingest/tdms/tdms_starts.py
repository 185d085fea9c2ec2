"""The times of a TDMS channel by its properties: start, step, pieces.

``wf_increment``, ``wf_start_offset`` and ``wf_start_time`` of the channel, in ``wf_xunit_string``;
else ``SampleTime`` and ``Tstart``, or ``sampling`` in Hz, of the channel or its group. Numbers may
be text. A waveform whose segments restart or change their rate is a channel of several pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from runner.ingest.parsing.stated_moments import moment_of_number
from runner.ingest.parsing.stated_steps import (
    NAMES,
    Step,
    Warn,
    shown,
    split_absolute_start,
    stated_step,
)
from runner.ingest.tdms.tdms_objects import cleaned, plain
from runner.ingest.tdms.tdms_spans import Span
from runner.ingest.tdms.tdms_types import PER_SECOND, TimeStamp, is_set, ticks_of

Moment = Callable[[str], int | None]
"""Reads a date and time in text as 2^-64 s since 1904 UTC."""

STAMP_ERROR_S = 2e-6  # some programs keep time stamps to the µs


@dataclass(frozen=True, kw_only=True)
class Stated(Step):
    """The properties of a waveform; ``moment`` is its absolute start."""

    moment: int | None = None

    @property
    def start(self) -> tuple[int | None, float, float | None]:
        """The property that states its start."""
        return self.moment, self.offset, self.t_start

    def seconds_after(self, other: Stated) -> float | None:
        """Return how much later it begins; None if unknown."""
        if (self.moment is None) != (other.moment is None):
            return None
        if self.moment is None or other.moment is None:
            return self.relative - other.relative
        return (self.moment - other.moment) / PER_SECOND + self.offset - other.offset


@dataclass(frozen=True, kw_only=True)
class Run:
    """A piece of a channel, from value ``first`` on; ``follows``: at the end of the one before."""

    first: int
    stated: Stated
    follows: bool = False


def runs_of(spans: Iterable[Span], read_moment: Moment, warn: Warn) -> list[Run]:
    """Return the pieces of a channel by its properties; none if these state no times."""
    runs: list[Run] = []
    last: Stated | None = None  # what was stated last: what is stated again begins nothing
    for span in spans:
        if runs and not any(n in NAMES for n in span.changed):
            continue
        said = stated(span.channel, span.group, read_moment, warn)
        if last is None:
            if said is None:
                return []
            runs.append(Run(first=span.first, stated=said))
        else:
            if said is None or (said.base, said.x_unit) != (last.base, last.x_unit):
                warn(f"its times are stated differently from value {span.first} on")
                return []
            if (run := _next(runs[-1], last, said, span.first, warn)) is not None:
                runs.append(run)
            if said.start != last.start and said.seconds_after(runs[0].stated) is None:
                warn(f"its wf_start_time is missing at value {span.first}")
                return []
        last = said
    return runs


def _next(run: Run, last: Stated, said: Stated, first: int, warn: Warn) -> Run | None:
    """Return the piece that begins at value ``first``; None if the previous one continues."""
    if said.start == last.start:
        return None if said.dt == run.stated.dt else Run(first=first, stated=said, follows=True)
    after = said.seconds_after(run.stated)
    if after is None or said.dt != run.stated.dt or said.x_unit != "s":
        return Run(first=first, stated=said)
    if run.follows:  # its own start is not known beforehand
        return Run(first=first, stated=said)
    error = abs(after - (first - run.first) * said.dt)
    if error <= said.dt / 2:
        return None
    if error <= STAMP_ERROR_S:
        warn(
            "its segments begin within 2 µs of where an even rate puts them, which is taken for "
            "the resolution of their time stamps"
        )
        return None
    return Run(first=first, stated=said)


def stated(
    own: Mapping[str, Any], group: Mapping[str, Any], read_moment: Moment, warn: Warn
) -> Stated | None:
    """Return the times stated by the properties of a channel, or else of its group."""
    moment = _moment(own.get("wf_start_time"), read_moment, warn)
    step = stated_step(_plain(own), _plain(group), warn)
    if step is None:
        return None
    if step.x_unit == "s":
        step, date = split_absolute_start(step, is_dated=moment is not None, warn=warn)
        moment = ticks_of(date) if date is not None else moment
    return Stated(**{**vars(step), "x_unit": cleaned(step.x_unit)}, moment=moment)


def _plain(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: plain(properties[name]) for name in NAMES if name in properties}


def _moment(value: Any, read_moment: Moment, warn: Warn) -> int | None:
    ticks: int | None = None
    if isinstance(value, TimeStamp):
        ticks = value.ticks
    elif isinstance(value, str) and value.strip():
        ticks = read_moment(value)
    elif isinstance(value, int | float) and (number := moment_of_number(float(value))):
        warn(f"its wf_start_time {shown(value)} is read as {number[1]}")
        ticks = ticks_of(number[0])
    elif value is None or value == "":
        return None
    if ticks is not None and is_set(ticks):
        return ticks
    if isinstance(value, TimeStamp) and str(value)[:4] in ("1903", "1904"):  # "not set"
        return None
    warn(f"its wf_start_time {shown(plain(value))} is not a date: it is ignored")
    return None
