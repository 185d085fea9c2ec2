"""The clock of a shot, and the differences of its other sources' clocks from it.

Recorders start with the trigger and need no clock. Records of a whole day (the generator's log) are
matched to a shot by its date alone. If two sources state different dates, the matched times are
right by only one of them. The difference is reported while both sources exist.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ishtar.attributes import Edit
from ishtar.attributes.stated_dates import StatedDate, stated_dates
from ishtar.errors import IshtarError
from ishtar.store import Channel, SourceFile

if TYPE_CHECKING:
    from ishtar.shots.shot import Shot

MATCHED = "matched by clock"  # `time_base` of channels that are placed by the shot's date


@dataclass(frozen=True, kw_only=True)
class ClockDifference:
    """A source whose date differs from the shot's clock.

    Attributes
    ----------
    date : StatedDate
        The date that the source states.
    clock : StatedDate or None
        The date that the shot uses; None if a user has removed it.
    matched : bool
        Whether the shot has channels that are matched by its clock.
    """

    date: StatedDate
    clock: StatedDate | None
    matched: bool

    @property
    def seconds(self) -> float | None:
        """Lead of the source over the clock, s; None if either states no time of day."""
        here = self.date.moment
        there = self.clock.moment if self.clock else None
        return None if here is None or there is None else (here - there).total_seconds()

    @property
    def is_rounding(self) -> bool:
        """Whether the resolution of the coarser clock explains the difference."""
        return self.seconds is not None and abs(self.seconds) < _coarser(self.date, self.clock)

    def __str__(self) -> str:
        if self.clock is None:
            return f"{self.date.by} says {self.date.text}, but the shot's date was removed"
        for stated in (self.date, self.clock):
            if stated.day is None:
                return (
                    f"{stated.by} states the date {stated.text!r}, which is not a local time: "
                    "`ishtar edit SHOT date=…` corrects it"
                )
        here, there = _both(self.date, self.clock)
        what = "times of the generator follow" if self.matched else "the shot goes by"
        return f"{self.date.by} says {here}, {self.clock.by} {there}: {what} {self.clock.by}"


def clock_of(sources: Iterable[SourceFile], edits: Iterable[Edit]) -> StatedDate | None:
    """Return the clock of a shot: the latest correction, otherwise the best source.

    None if no source states a date, or a user has removed it.
    """
    for edit in reversed(list(edits)):
        if "date" in edit.changes:
            text = edit.changes["date"].after
            return None if text is None else StatedDate.of(f"the correction by {edit.who}", text)
    return next(iter(stated_dates(sources)), None)


def clock_differences(shot: Shot) -> list[ClockDifference]:
    """Return the sources of a shot whose dates differ significantly from its clock.

    The threshold is one step of the rows that are matched to the shot by clock. Without such rows
    it is the resolution of the coarser clock. An unusable date is always reported.
    """
    clock = clock_of(shot.sources, shot.edits)
    step = row_step_s(shot.sources)
    matched = any(_matched(shot.sources))
    found = (
        ClockDifference(date=date, clock=clock, matched=matched)
        for date in stated_dates(shot.sources)
    )
    return [difference for difference in found if _is_significant(difference, step)]


def _is_significant(difference: ClockDifference, step_s: float | None) -> bool:
    date, clock, seconds = difference.date, difference.clock, difference.seconds
    if seconds is not None:
        return abs(seconds) > (step_s or _coarser(date, clock))
    # one of them states only a day, or nothing comparable
    return date.day is None or clock is None or date.day != clock.day


def row_step_s(sources: Sequence[SourceFile]) -> float | None:
    """Return the median step of rows that were matched by clock, s; None if there are none."""
    import numpy as np

    steps = []
    for channel in _matched(sources):
        try:
            forward = np.diff(channel.time())
        except IshtarError:  # damage is reported where the channel is read
            continue
        if len(forward := forward[forward > 0.0]):
            steps.append(float(np.median(forward)))
    return min(steps, default=None)


def _matched(sources: Sequence[SourceFile]) -> Iterable[Channel]:
    """Yield one channel of each source matched by clock; its other channels have the same times."""
    for source in sources:
        channels = (c for c in source.channels.values() if c.properties.get("time_base") == MATCHED)
        if (first := next(channels, None)) is not None:
            yield first


def _coarser(date: StatedDate, clock: StatedDate | None) -> float:
    return max(stated.resolution_s for stated in (date, clock) if stated is not None)


def _both(a: StatedDate, b: StatedDate) -> tuple[str, str]:
    """Return two dates as text, without the day if it is the same."""
    if a.moment is None or b.moment is None or a.day != b.day:
        return _text(a), _text(b)
    return _text(a).split(" ")[1], _text(b).split(" ")[1]


def _text(date: StatedDate) -> str:
    if date.moment is None:
        return str(date.day)
    digits = "milliseconds" if date.moment.microsecond % 1000 == 0 else "microseconds"
    return date.moment.isoformat(sep=" ", timespec=digits if date.moment.microsecond else "seconds")
