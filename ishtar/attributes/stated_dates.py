"""Which of several sources says when a shot was.

One rule, for the shot's date and for whatever is matched to it by clock:

1. a date with a time of day before one without, and any of them before a text that is no date;
2. the PLC's date file, for it is written at the trigger; of several, the one that arrived last,
   which is how a wrong one is corrected;
3. any other source: one that states a fraction of a second before one that states whole seconds;
   of several, the last by name.

A person's correction goes over all of them (`ishtar.attributes.edits`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ishtar.store import SourceFile

DATE_CONVERTER = "datecsv"  # the PLC's own record of a shot wins over what other files say
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class StatedDate:
    """When a shot was, by one clock.

    Attributes
    ----------
    by : str
        Name of the raw file, or who corrected it.
    text : str
        As it was stated.
    day : date or None
        By the local time of the facility; None where the text is no such date.
    moment : datetime or None
        Local time of the facility; None where no time of day is stated.
    """

    by: str
    text: str
    day: date | None = None
    moment: datetime | None = None

    @classmethod
    def of(cls, by: str, text: object) -> StatedDate:
        """Return what a text says; one with a zone is no local time."""
        text = str(text)
        try:
            return cls(by=by, text=text, day=date.fromisoformat(text))
        except ValueError:
            pass  # it has a time of day
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return cls(by=by, text=text)
        if moment.tzinfo is not None:
            return cls(by=by, text=text)
        return cls(by=by, text=text, day=moment.date(), moment=moment)

    @property
    def resolution_s(self) -> float:
        """The step in which the clock counts, as far as its date shows it, s."""
        if self.moment is None or not self.moment.microsecond:
            return 1.0
        return 1e-3 if self.moment.microsecond % 1000 == 0 else 1e-6


def by_weight(sources: Iterable[SourceFile]) -> list[SourceFile]:
    """Return sources so that each one's word goes over those before it: date files are last."""

    def weight(source: SourceFile) -> tuple[bool, datetime, str]:
        is_date = _is_date_file(source)
        return is_date, _arrival(source) if is_date else _LONG_AGO, source.origin.source

    return sorted(sources, key=weight)


def stated_dates(sources: Iterable[SourceFile]) -> list[StatedDate]:
    """Return the dates that sources state, the one that counts first, unusable ones last."""
    found = [
        (_is_date_file(source), StatedDate.of(source.origin.source, text))
        for source in reversed(by_weight(sources))
        if (text := source.attributes.get("date"))
    ]

    def rank(item: tuple[bool, StatedDate]) -> tuple[bool, bool, bool, bool]:
        is_date_file, stated = item
        coarse = not is_date_file and stated.resolution_s == 1.0
        # within a rank the order is that of `by_weight`, for sorting keeps it
        return stated.day is None, stated.moment is None, not is_date_file, coarse

    return [stated for _, stated in sorted(found, key=rank)]


def _is_date_file(source: SourceFile) -> bool:
    return source.origin.converter.startswith(DATE_CONVERTER)


def _arrival(source: SourceFile) -> datetime:
    try:
        arrived = datetime.fromisoformat(source.origin.arrived)
    except ValueError:
        return _LONG_AGO
    return arrived if arrived.tzinfo else arrived.replace(tzinfo=UTC)
