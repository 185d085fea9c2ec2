"""Dates of shots: a moment, or only a day if the time of day is unknown."""

from __future__ import annotations

from datetime import date, datetime


def moment_of(text: str) -> date:
    """Return an ISO date with time as a datetime, and one without as a date, not as midnight.

    Raises
    ------
    ValueError
        The text is not an ISO date.
    """
    try:
        return date.fromisoformat(text)
    except ValueError:
        return datetime.fromisoformat(text)


def time_of_day(text: str) -> tuple[int, int]:
    """Return hour and minute of ``HH:MM``.

    Raises
    ------
    ValueError
        The text is not such a time.
    """
    moment = datetime.strptime(text, "%H:%M")
    return moment.hour, moment.minute
