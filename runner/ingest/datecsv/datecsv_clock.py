"""The trigger time of a shot from the cells of its CSV: consistent and readable, or refused."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, field

from runner.ingest.context import Context
from runner.ingest.ingest_errors import Rejected
from runner.ingest.parsing.dates import iso, parse_date, parse_moment

_LOCAL = ("local", "lokal", "ortszeit", "local time")


@dataclass(kw_only=True)
class _Stated:
    """The cells of date and time as (name, text, …), by how they can be read."""

    moments: list[tuple[str, str, dt.datetime]] = field(default_factory=list)
    days: list[tuple[str, str, dt.date]] = field(default_factory=list)
    times: list[tuple[str, str]] = field(default_factory=list)
    unreadable: list[tuple[str, str]] = field(default_factory=list)


def date_of(
    file: str,
    dates: list[tuple[str, list[str]]],
    times: list[tuple[str, list[str]]],
    zones: list[tuple[str, list[str]]],
    separator: str,
    context: Context,
) -> str | None:
    """Return the trigger as ISO text, local time; None, and a note, if only the day is stated.

    Parameters
    ----------
    file : str
        Name of the file.
    dates, times, zones : list of (name, cells)
        Its entries for a date (with or without a time), a time of day, a time zone.
    separator : str
        Between cells: it may also have split off a fraction after a comma.

    Raises
    ------
    Rejected
        The date is missing or unreadable, or cells contradict each other.
    """
    for entries in (dates, times, zones):
        _refuse_disagreement(entries, separator)
    stated = _classified(dates, times, separator)
    if stated.moments:
        moment = _from_moments(stated, context)
    elif stated.days:
        found = _from_days(file, stated, context)
        if found is None:
            return None
        moment = found
    else:
        quoted = _quoted([*stated.unreadable, *stated.times])
        raise Rejected(
            f"{file} has no readable date{': ' if quoted else ''}{quoted}; "
            "write it as 2026-11-22 15:30:12"
        )
    if moment.tzinfo is None and zones:
        moment = _in_stated_zone(moment, zones[0][0], " ".join(zones[0][1]).strip())
    return iso(moment) if moment.tzinfo is None else context.local(moment)


def _refuse_disagreement(entries: list[tuple[str, list[str]]], separator: str) -> None:
    seen: dict[str, str] = {}
    for name, cells in entries:
        text = separator.join(cells)
        if seen.setdefault(name.casefold(), text) != text:
            raise Rejected(
                f"it states {name} twice, {seen[name.casefold()]!r} and {text!r}: leave one"
            )


def _classified(
    dates: list[tuple[str, list[str]]], times: list[tuple[str, list[str]]], separator: str
) -> _Stated:
    stated = _Stated()
    for entries, others in ((dates, stated.unreadable), (times, stated.times)):
        for name, cells in entries:
            texts = list(dict.fromkeys(s.join(cells).strip(s + " ") for s in (separator, " ")))
            moment = next((m for t in texts if (m := parse_moment(t)) is not None), None)
            day = next((d for t in texts if (d := parse_date(t)) is not None), None)
            if moment is not None:
                stated.moments.append((name, texts[0], moment))
            elif day is not None:
                stated.days.append((name, texts[0], day))
            else:
                others.append((name, texts[0]))
    return stated


def _from_moments(stated: _Stated, context: Context) -> dt.datetime:
    name, text, moment = stated.moments[0]
    for other, other_text, day in stated.days:
        if day != moment.date():
            raise _contradiction(name, text, other, other_text)
    if any(m != moment for _, _, m in stated.moments):
        quoted = _quoted([(n, t) for n, t, _ in stated.moments])
        context.note(f"it states several times, {quoted}: the first is used")
    if not stated.times:
        return moment
    other, other_text = stated.times[0]
    joined = _joined(moment.date(), other_text)
    no_time = moment.time() == dt.time()  # some programs write a day with 0:00
    if joined is None:
        if no_time:
            raise _unreadable(other, other_text)
        context.note(f"{other} is {other_text!r}, which is not a time of day: {name} is used")
        return moment
    if joined.tzinfo is None:
        joined = joined.replace(tzinfo=moment.tzinfo)
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=joined.tzinfo)
    whole_minute = moment.second == moment.microsecond == 0 and moment.minute == joined.minute
    if no_time or (whole_minute and moment.hour == joined.hour):
        return joined
    if joined.replace(microsecond=0) != moment.replace(microsecond=0):
        raise _contradiction(name, text, other, other_text)
    return moment


def _from_days(file: str, stated: _Stated, context: Context) -> dt.datetime | None:
    name, text, day = stated.days[0]
    for other, other_text, another in stated.days:
        if another != day:
            raise _contradiction(name, text, other, other_text)
    # a separate trigger entry may state only its time
    times = [
        *stated.times,
        *(e for e in stated.unreadable if _joined(day, e[1]) or _has_digits(e[1])),
    ]
    if not times:
        context.note(
            f"{file} states the day {day} but no time of day, so the shot gets no date from it: "
            f"add the time, or set it by ishtar edit {context.shot} date={day}T…"
        )
        return None
    other, other_text = times[0]
    moment = _joined(day, other_text)
    if moment is None:
        raise _unreadable(other, other_text)
    if any(_joined(day, t) not in (moment, None) for _, t in times):
        context.note(f"it states several times, {_quoted(times)}: the first is used")
    return moment


def _joined(day: dt.date, text: str) -> dt.datetime | None:
    return parse_moment(f"{day.isoformat()} {text}")


def _in_stated_zone(moment: dt.datetime, name: str, zone: str) -> dt.datetime:
    if zone.casefold() in _LOCAL:
        return moment
    found = parse_moment(f"{iso(moment)} {zone}")
    if found is not None and found.tzinfo is not None:
        return found
    from zoneinfo import ZoneInfo

    try:
        return moment.replace(tzinfo=ZoneInfo(zone))
    except (ValueError, KeyError, OSError) as error:
        raise Rejected(
            f"{name} is {_short(zone)!r}, not a time zone: write UTC, +01:00 or Europe/Berlin"
        ) from error


def _unreadable(name: str, text: str) -> Rejected:
    return Rejected(
        f"{name} is {_short(text)!r}, which is not a readable time of day: write 15:30:12"
    )


def _contradiction(name: str, text: str, other: str, other_text: str) -> Rejected:
    return Rejected(
        f"{name} {_short(text)!r} and {other} {_short(other_text)!r} contradict each other: "
        "correct one of them"
    )


def _quoted(entries: list[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {_short(text)!r}" for name, text in entries[:4])


def _short(text: str) -> str:
    return text if len(text) <= 64 else text[:63] + "…"


def _has_digits(text: str) -> bool:
    return any(c.isdigit() for c in text)
