"""When a shot was: a moment, or a day alone where nobody knows the time of day."""

from __future__ import annotations

from datetime import date, datetime


def moment_of(text: str) -> date:
    """Return an ISO date as a datetime; a day alone as a date, as midnight would be invented.

    Raises
    ------
    ValueError
        It is neither.
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
        It is no such time.
    """
    moment = datetime.strptime(text, "%H:%M")
    return moment.hour, moment.minute
