"""The times of TDMS channels, the first available of

1. in group ``S7``: its channel ``Time``, in ms, where it has the same length;
2. what its properties say of its start and step: see :mod:`runner.ingest.tdms.tdms_starts`;
3. a channel of times (``Time``, ``time [ms]``, ``Zeit``) of the same length in its group, in its
   unit, or of time stamps;
4. none: samples are counted, and no seconds are made of that.

Which one it was stands in the channel's property ``time_base``.

The zero of the shot's clock is where ``Tstart`` puts it in a group whose channels have a
``wf_start_time``, too; else the earliest ``wf_start_time`` of the file; else its first time stamp.
What states no absolute start counts from that zero.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import ScaleError
from runner.ingest.ingest_errors import one_line
from runner.ingest.parsing.stated_moments import FARTHEST, LONG_S, moment_of_number
from runner.ingest.parsing.stated_numbers import time_unit
from runner.ingest.tdms.tdms_objects import Channel, Objects
from runner.ingest.tdms.tdms_scale import scale_of
from runner.ingest.tdms.tdms_spans import Span, Spans
from runner.ingest.tdms.tdms_starts import STAMP_ERROR_S, Moment, Run, runs_of
from runner.ingest.tdms.tdms_time import COUNTED, Clock, Clocks, Piece, TimeBase
from runner.ingest.tdms.tdms_types import PER_SECOND, moment_of, ticks_of

CLOCK_UNITS = {"S7": "ms"}  # groups whose Time channel is their clock, whatever else they state
_CLOCK_NAME = re.compile(
    r"(?:time|zeit|uhrzeit|time ?stamps?|zeitstempel)\s*(?:[\[(/]\s*(?P<unit>[^\])]+?)\s*[\])]?)?",
    re.IGNORECASE,
)
Note = Callable[[str, str], None]
"""Called with a channel and a note about it."""


class TimeBases:
    """The time base of each channel of a file, on one clock.

    Parameters
    ----------
    channels : list of Channel
        Those that are stored.
    read_moment : callable
        See `runner.ingest.tdms.tdms_starts.Moment`.
    note : callable
        Hears what a reader should know.
    """

    def __init__(
        self,
        channels: list[Channel],
        objects: Objects,
        spans: Spans,
        clocks: Clocks,
        read_moment: Moment,
        note: Note,
    ) -> None:
        self._objects, self._spans, self._clocks, self._note = objects, spans, clocks, note
        self._by_group: dict[str, list[Channel]] = {}
        for c in objects.channels.values():
            if _CLOCK_NAME.fullmatch(c.name.strip()):
                self._by_group.setdefault(c.group, []).append(c)
        self._problems: dict[str, dict[str, None]] = {c.path: {} for c in channels}
        self._runs: dict[str, list[Run]] = {}
        self._clock: dict[str, Clock] = {}
        self._checked: dict[str, Clock | str] = {}
        for c in channels:
            self._plan(c, read_moment)
        self._zeros = self._zeros_of_groups()
        self.zero = self._zero(channels)
        for path, clock in self._clock.items():
            self._clock[path] = self._near(clock)

    @property
    def date(self) -> dt.datetime | None:
        """The zero of the clock, in UTC, if the file states it."""
        return moment_of(self.zero) if self.zero is not None else None

    def _plan(self, channel: Channel, read_moment: Moment) -> None:
        problems = self._problems[channel.path]
        if channel.group in CLOCK_UNITS and self._take_clock(channel, problems):
            return
        runs = runs_of(self._spans.of(channel), read_moment, lambda text: problems.setdefault(text))
        if runs:
            self._runs[channel.path] = runs
        elif channel.group not in CLOCK_UNITS:
            self._take_clock(channel, problems)

    def _take_clock(self, channel: Channel, problems: dict[str, None]) -> bool:
        """Find the channel of the group with the times of this one, or record why there is none."""
        found = sorted(self._by_group.get(channel.group, ()), key=lambda c: c.name != "Time")
        reasons = []
        for time in found:
            clock = self._check(time)
            if isinstance(clock, Clock) and time.n == channel.n:
                self._clock[channel.path] = clock
                return True
            reasons.append(
                clock
                if isinstance(clock, str)
                else f"{channel.stored} has {channel.n} values but {time.stored} {time.n}"
            )
        if reasons:
            problems[reasons[0]] = None
        return False

    def _check(self, time: Channel) -> Clock | str:
        if time.path not in self._checked:
            self._checked[time.path] = self._clock_of(time)
        return self._checked[time.path]

    def _clock_of(self, time: Channel) -> Clock | str:
        """Return a channel of times, or the reason why it is not one."""
        if time.scalers or time.kind not in ("number", "timestamp"):
            return f"{time.stored} has neither numbers nor time stamps ({time.kind})"
        spans = list(self._spans.of(time))
        if any(n == "unit_string" or n.startswith("NI_") for s in spans for n in s.changed):
            return f"{time.stored} changes its unit or scale between segments"
        clock = Clock(channel=time, unit=None)
        if time.kind == "number":
            named = _CLOCK_NAME.fullmatch(time.name.strip())
            text = str(spans[0].channel.get("unit_string", "")).strip()
            text = text or (named and named["unit"]) or CLOCK_UNITS.get(time.group, "")
            unit = time_unit(text)
            if unit is None:
                return f"{time.stored} has the unit {one_line(text)!r}, not a time"
            try:
                scaling = scale_of(time.stored, *_levels(spans[0]))
            except ScaleError as error:
                return str(error)
            if None not in scaling.raws:
                return f"{time.stored} has a scale of DAQmx values, but is not DAQmx"
            clock = Clock(channel=time, unit=unit, scaling=scaling)
        return self._doubts(time) or self._from_a_date(clock)

    def _from_a_date(self, clock: Clock) -> Clock:
        """Convert a clock that counts from 1904 or 1970 to one that begins at a moment."""
        facts = self._clocks.facts(clock.channel)
        if clock.unit is None or facts.first is None:
            return clock
        first = clock.unit.seconds(clock.scaling.apply({None: np.array([facts.first])}))[0]
        if abs(first) < LONG_S:
            return clock
        # minutes, hours and days count from somewhere else
        coarse = clock.unit.multiply > 1.0
        moment = None if coarse else moment_of_number(float(first), in_seconds=True)
        words = moment[1] if moment else "a count of its own: its times are counted from there"
        self._note(clock.channel.stored, f"it begins at {first:.15g} s, taken for {words}")
        return replace(clock, first_s=float(first), moment=ticks_of(moment[0]) if moment else None)

    def _doubts(self, time: Channel) -> str:
        facts = self._clocks.facts(time)
        if facts.n_bad:
            what = "numbers" if time.kind == "number" else "time stamps of a measurement"
            return f"{facts.n_bad} of the {time.n} values of {time.stored} are no {what}"
        if time.n > 1 and not facts.steps_back and facts.first == facts.last:
            return f"{time.stored} stands still"
        return ""

    def _near(self, clock: Clock) -> Clock:
        """Remove the date of a clock that begins on another day than the shot."""
        if clock.moment is None or self.zero is None:
            return clock
        apart = abs(clock.moment - self.zero) / PER_SECOND
        if apart <= FARTHEST.total_seconds():
            return clock
        self._note(
            clock.channel.stored,
            f"it begins at {moment_of(clock.moment)}, but the shot at {moment_of(self.zero)}: its "
            "times are counted from its first one",
        )
        return replace(clock, moment=None)

    def _zeros_of_groups(self) -> dict[str, int]:
        """Return where Tstart puts the zero, in 2^-64 s, of groups that have absolute starts."""
        starts: dict[str, int] = {}
        t_starts: dict[str, float] = {}
        for c in self._objects.channels.values():
            for run in self._runs.get(c.path, ())[:1]:
                s = run.stated
                if s.x_unit == "s" and s.moment is not None and s.t_start is not None:
                    starts[c.group] = min(s.moment, starts.get(c.group, s.moment))
                    t_starts.setdefault(c.group, s.t_start)
        zeros = {g: m - round(t_starts[g] * PER_SECOND) for g, m in starts.items()}
        for group, zero in zeros.items():
            apart = (zero - min(zeros.values())) / PER_SECOND
            if apart > STAMP_ERROR_S:
                self._note(
                    group,
                    f"its Tstart and wf_start_time put the zero of the clock {apart:g} s later "
                    "than those of another group: Tstart counts",
                )
        return zeros

    def _zero(self, channels: list[Channel]) -> int | None:
        if self._zeros:
            return min(self._zeros.values())
        moments = [
            run.stated.moment
            for c in channels
            for run in self._runs.get(c.path, ())
            if run.stated.moment is not None and run.stated.x_unit == "s"
        ]
        if moments:
            return min(moments)
        stamped = {k.channel.path: k.channel for k in self._clock.values() if k.unit is None}
        firsts = [self._clocks.facts(c).ticks for c in stamped.values()]
        firsts += [k.moment for k in self._clock.values()]
        return min((f for f in firsts if f is not None), default=None)

    def of(self, channel: Channel) -> TimeBase:
        """Return the time base of a channel, and add its notes."""
        problems = self._problems[channel.path]
        base = self._of(channel, problems)
        for text in problems:
            counted = ": stored by sample number" if base is COUNTED else ""
            self._note(channel.stored, text + counted)
        return base

    def _of(self, channel: Channel, problems: dict[str, None]) -> TimeBase:
        if clock := self._clock.get(channel.path):
            n = self._clocks.facts(clock.channel).steps_back
            return TimeBase(name=clock.channel.stored, time=channel, steps_back=n)
        runs = self._runs.get(channel.path)
        if not runs:
            return COUNTED
        pieces: list[Piece] = []
        for run in runs:
            start = self._start(channel, run, problems)
            if run.follows:
                start = pieces[-1].end(run.first)
            pieces.append(Piece(first=run.first, start=start, step=run.stated.dt))
        if any(abs(p.start) + p.step == abs(p.start) for p in pieces):
            problems[f"its start {pieces[0].start:g} s leaves no digits for its step"] = None
            return COUNTED
        first = runs[0].stated
        if len(pieces) == 1:
            t0, dt = pieces[0].start, pieces[0].step
            return TimeBase(name=first.base, t0=t0, dt=dt, x_unit=first.x_unit)
        problems[_told(pieces, runs)] = None
        return TimeBase(name=first.base, x_unit=first.x_unit, pieces=tuple(pieces))

    def _start(self, channel: Channel, run: Run, problems: dict[str, None]) -> float:
        s = run.stated
        if s.x_unit != "s":
            return s.offset
        if s.moment is None:
            if self._spread and s.t_start is None:
                problems[
                    "it has no wf_start_time, while others begin at different ones: taken to "
                    "count from the zero of the clock"
                ] = None
            return s.relative
        assert self.zero is not None
        zero = self._zeros.get(channel.group, self.zero) if s.t_start is not None else self.zero
        # LabVIEW counts up the last bits of a start from channel to channel: 1e-16 s
        return round((s.moment - zero) / PER_SECOND, 12) + s.offset

    @cached_property
    def _spread(self) -> bool:
        """Whether channels have absolute starts, and not all the same."""
        runs = [r[0].stated for r in self._runs.values()]
        found = [s.moment for s in runs if s.moment is not None and s.x_unit == "s"]
        return bool(found) and (max(found) - min(found)) / PER_SECOND > STAMP_ERROR_S

    def times(self, channel: Channel) -> Iterator[NDArray[np.float64]]:
        """Yield the times of a channel from another one, in constant memory."""
        return self._clocks.seconds(self._clock[channel.path], self.zero or 0)


def _levels(span: Span) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    return span.channel, span.group, span.file


def _told(pieces: list[Piece], runs: list[Run]) -> str:
    """Return a note about a channel in pieces, by its first joint."""
    before, after = pieces[0], pieces[1]
    gap = after.start - before.end(after.first)
    unit = runs[0].stated.x_unit
    if unit != "s":
        what = f"it restarts along {unit} at value {after.first}"
    elif runs[1].follows:
        what = (
            f"its step changes from {before.step:g} to {after.step:g} s at value {after.first}, "
            "which is taken to follow without a pause"
        )
    elif gap < 0:
        what = f"it begins {-gap:g} s before its previous end, at value {after.first}"
    else:
        what = f"it has a pause of {gap:g} s before value {after.first}"
    return f"{what} ({len(pieces)} pieces in all): each value is stored with its place"
