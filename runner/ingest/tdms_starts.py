"""When the samples of a TDMS channel were taken, as its properties say: start, step, pieces.

``wf_increment``, ``wf_start_offset`` and ``wf_start_time`` of the channel, in ``wf_xunit_string``;
else ``SampleTime`` and ``Tstart``, or ``sampling`` in Hz, of the channel or its group. Numbers may
be text. A waveform whose segments begin anew, or change their rate, is a channel of several pieces.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner.ingest.stated_numbers import (
    stated_number,
    stated_quantity,
    stated_seconds,
    time_unit,
)
from runner.ingest.tdms_objects import cleaned, plain
from runner.ingest.tdms_spans import Span
from runner.ingest.tdms_types import PER_SECOND, TimeStamp, is_set, one_line

Complain = Callable[[str], None]
Moment = Callable[[str], int | None]
"""Reads a date and time in text as 2^-64 s since 1904 UTC."""

SHORTEST_S, LONGEST_S = 1e-15, 1e9  # steps that somebody can have meant
STAMP_ERROR_S = 2e-6  # some programs keep time stamps to the µs
LONGEST_UNIT = 100  # characters
NAMES = ("wf_", "SampleTime", "Tstart", "sampling")
RATES = {"Hz": 1.0, "kHz": 1e3, "MHz": 1e6, "GHz": 1e9, "1/s": 1.0} | {
    f"{prefix}{samples}/s": factor
    for prefix, factor in (("", 1.0), ("k", 1e3), ("M", 1e6), ("G", 1e9))
    for samples in ("S", "Sa")
}


@dataclass(frozen=True, kw_only=True)
class Stated:
    """What properties say of a waveform; ``moment`` is its absolute start."""

    base: str
    dt: float
    x_unit: str = "s"
    offset: float = 0.0
    t_start: float | None = None
    moment: int | None = None

    @property
    def start(self) -> tuple[int | None, float, float | None]:
        """What says where it begins."""
        return self.moment, self.offset, self.t_start

    def seconds_after(self, other: Stated) -> float | None:
        """Return how much later it begins; None if that is not said."""
        if (self.moment is None) != (other.moment is None):
            return None
        if self.moment is None or other.moment is None:
            return self.relative - other.relative
        return (self.moment - other.moment) / PER_SECOND + self.offset - other.offset

    @property
    def relative(self) -> float:
        """Its start where no absolute one is known."""
        return self.offset or self.t_start or 0.0


@dataclass(frozen=True, kw_only=True)
class Run:
    """A piece of a channel, from value ``first`` on; ``follows``: at the end of the one before."""

    first: int
    stated: Stated
    follows: bool = False


def runs_of(spans: Iterable[Span], read_moment: Moment, complain: Complain) -> list[Run]:
    """Return the pieces that the properties of a channel tell of; none if they tell no times."""
    runs: list[Run] = []
    last: Stated | None = None  # what was stated last: what is stated again begins nothing
    for span in spans:
        if runs and not any(n.startswith(NAMES) for n in span.changed):
            continue
        said = stated(span.channel, span.group, read_moment, complain)
        if last is None:
            if said is None:
                return []
            runs.append(Run(first=span.first, stated=said))
        else:
            if said is None or (said.base, said.x_unit) != (last.base, last.x_unit):
                complain(f"its times are said in another way from value {span.first} on")
                return []
            if (run := _next(runs[-1], last, said, span.first, complain)) is not None:
                runs.append(run)
            if said.start != last.start and said.seconds_after(runs[0].stated) is None:
                complain(f"its wf_start_time is known of some values only, not at {span.first}")
                return []
        last = said
    return runs


def _next(run: Run, last: Stated, said: Stated, first: int, complain: Complain) -> Run | None:
    """Return the piece that begins at value ``first``; None if the one before goes on."""
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
        complain(
            "its segments begin within 2 µs of where an even rate puts them, which is taken for "
            "the resolution of their time stamps"
        )
        return None
    return Run(first=first, stated=said)


def stated(
    own: Mapping[str, Any], group: Mapping[str, Any], read_moment: Moment, complain: Complain
) -> Stated | None:
    """Return what the properties of a channel, or else of its group, say of its times."""
    moment = _moment(own.get("wf_start_time"), read_moment, complain)
    t_start = _seconds("Tstart", own, group, complain)
    found = _waveform(own, complain) or _sampled(own, group, complain)
    if found is None:
        return None
    if found.x_unit != "s":
        return found if moment is None else replace(found, moment=moment)
    if found.offset and t_start is not None and abs(found.offset - t_start) > found.dt:
        complain(f"its wf_start_offset is {found.offset:g} s but Tstart {t_start:g} s, not used")
    return replace(found, moment=moment, t_start=None if found.offset else t_start)


def _waveform(own: Mapping[str, Any], complain: Complain) -> Stated | None:
    value = own.get("wf_increment")
    if value is None:
        return None
    text = str(own.get("wf_xunit_string", "")).strip()
    unit, axis = time_unit(text or "s"), str(own.get("wf_xname", "")).strip()
    if not text and axis.casefold() not in ("", "time", "zeit"):
        complain(f"it lies along {one_line(axis)!r}, in no unit (wf_xunit_string)")
        return None

    def along_x(value: Any) -> float | None:
        number = stated_number(value)
        if unit is None:
            return number
        return stated_seconds(value) if number is None else unit.seconds(number)

    low, high = (SHORTEST_S, LONGEST_S) if unit else (1e-100, 1e100)
    dt = along_x(value)
    if dt is None or not low <= dt <= high:
        complain(f"its wf_increment {_shown(value)} is no step")
        return None
    offset = own.get("wf_start_offset", 0.0)
    start = along_x(offset)
    if start is None:
        complain(f"its wf_start_offset {_shown(offset)} is no number: taken as 0")
    x_unit = "s" if unit else cleaned(text[:LONGEST_UNIT])
    return Stated(base="wf_increment", dt=dt, x_unit=x_unit, offset=start or 0.0)


def _sampled(own: Mapping[str, Any], group: Mapping[str, Any], complain: Complain) -> Stated | None:
    dt = _seconds("SampleTime", own, group, complain)
    if dt is not None and not SHORTEST_S <= dt <= LONGEST_S:
        complain(f"SampleTime {dt:g} is no step")
        dt = None
    value = own.get("sampling", group.get("sampling"))
    rate = stated_quantity(value, RATES)
    if rate is not None and not 1 / LONGEST_S <= rate <= 1 / SHORTEST_S:
        rate = None
    if rate is None and value is not None:
        complain(f"sampling {_shown(value)} is no rate in Hz")
    if dt is not None:
        if rate is not None and abs(dt * rate - 1.0) > 1e-3:
            complain(f"SampleTime says {dt:g} s but sampling {rate:g} Hz, which is not used")
        return Stated(base="SampleTime", dt=dt)
    return None if rate is None else Stated(base="sampling", dt=1.0 / rate)


def _seconds(
    name: str, own: Mapping[str, Any], group: Mapping[str, Any], complain: Complain
) -> float | None:
    value = own.get(name, group.get(name))
    seconds = stated_seconds(value)
    if value is not None and seconds is None:
        complain(f"{name} {_shown(value)} is no number of seconds")
    return seconds


def _moment(value: Any, read_moment: Moment, complain: Complain) -> int | None:
    ticks: int | None = None
    if isinstance(value, TimeStamp):
        ticks = value.ticks
    elif isinstance(value, str) and value.strip():
        ticks = read_moment(value)
    elif value is None or value == "":
        return None
    if ticks is not None and is_set(ticks):
        return ticks
    if isinstance(value, TimeStamp) and str(value)[:4] in ("1903", "1904"):  # "not set"
        return None
    complain(f"its wf_start_time {_shown(value)} is no date: it is not used")
    return None


def _shown(value: Any) -> str:
    return one_line(repr(plain(value)))
