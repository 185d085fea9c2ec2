"""The precedence of the dates that the sources of a shot state.

One rule, for the shot's date and for everything that is matched to it by clock:

1. a date with a time of day before one without, and either before a text that is not a date;
2. the PLC's date file, since it is written at the trigger; of several, the one that arrived last,
   since a later one corrects an earlier one;
3. any other source: one with a fraction of a second before one with whole seconds; of several, the
   last by name.

A person's correction overrides all of them (`ishtar.attributes.edits`).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime

from ishtar.store import SourceFile

DATE_CONVERTER = "datecsv"  # of the PLC's date file
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class StatedDate:
    """The date of a shot by one clock.

    Attributes
    ----------
    by : str
        Name of the raw file, or of the person who corrected it.
    text : str
        The text as stated.
    day : date or None
        The local day of the facility; None if the text is not a local date.
    moment : datetime or None
        The local time of the facility; None if no time of day is stated.
    """

    by: str
    text: str
    day: date | None = None
    moment: datetime | None = None

    @classmethod
    def of(cls, by: str, text: object) -> StatedDate:
        """Return the date in a text; one with a time zone does not count as local."""
        text = str(text)
        try:
            return cls(by=by, text=text, day=date.fromisoformat(text))
        except ValueError:
            pass  # it may have a time of day
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return cls(by=by, text=text)
        if moment.tzinfo is not None:
            return cls(by=by, text=text)
        return cls(by=by, text=text, day=moment.date(), moment=moment)

    @property
    def resolution_s(self) -> float:
        """Resolution of the clock as far as its date shows it, s."""
        if self.moment is None or not self.moment.microsecond:
            return 1.0
        return 1e-3 if self.moment.microsecond % 1000 == 0 else 1e-6


def by_precedence(sources: Iterable[SourceFile]) -> list[SourceFile]:
    """Return sources in ascending precedence: each overrides those before it, date files last."""

    def weight(source: SourceFile) -> tuple[bool, datetime, str]:
        is_date = _is_date_file(source)
        return is_date, _arrival(source) if is_date else _LONG_AGO, source.origin.source

    return sorted(sources, key=weight)


def stated_dates(sources: Iterable[SourceFile]) -> list[StatedDate]:
    """Return the dates that sources state, the one that counts first, unusable ones last.

    Parameters
    ----------
    sources : iterable of SourceFile
        The stored sources of one shot.

    Returns
    -------
    list of StatedDate
        In descending precedence.
    """
    found = [
        (_is_date_file(source), StatedDate.of(source.origin.source, text))
        for source in reversed(by_precedence(sources))
        if (text := source.attributes.get("date"))
    ]

    def rank(item: tuple[bool, StatedDate]) -> tuple[bool, bool, bool, bool]:
        is_date_file, stated = item
        coarse = not is_date_file and stated.resolution_s == 1.0
        # sorting is stable: within a rank the order of `by_precedence` remains
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
