"""Dates as people and programs write them: ISO and German, with or without a fraction."""

from __future__ import annotations

import datetime as dt
import re

_DATE = re.compile(
    r"(?:(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})"
    r"|(?P<d2>\d{1,2})\.(?P<m2>\d{1,2})\.(?P<y2>\d{4}|\d{2}))"
)
_TIME = re.compile(
    r"(?P<h>\d{1,2}):(?P<min>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d+))?)?"
    r"\s*(?P<zone>Z|[+-]\d{2}:?\d{2})?"
)


def iso(moment: dt.datetime) -> str:
    """Return ISO text with as many digits as the moment has: seconds, ms or µs."""
    if moment.microsecond % 1000:
        return moment.isoformat(timespec="microseconds")
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def parse_date(text: str) -> dt.date | None:
    """Return the first date in a text (2026-11-22, 2026/11/22, 22.11.2026), if there is one."""
    match = _DATE.search(text)
    if match is None:
        return None
    g = match.groupdict()
    year, month, day = (int(g[k] or g[k + "2"]) for k in ("y", "m", "d"))
    try:
        return dt.date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def parse_time(text: str) -> dt.timedelta | None:
    """Return the first time of day in a text (9:04, 09:04:06,733) as time since midnight."""
    match = _TIME.search(text)
    if match is None:
        return None
    seconds = 3600 * int(match["h"]) + 60 * int(match["min"]) + int(match["s"] or 0)
    micros = round(float("0." + (match["f"] or "0")) * 1e6)
    return dt.timedelta(seconds=seconds, microseconds=micros)


def parse_moment(text: str) -> dt.datetime | None:
    """Return a date with its time of day; with a zone only if the text gives one."""
    date = parse_date(text)
    if date is None:
        return None
    rest = _DATE.sub(" ", text, count=1)
    after = parse_time(rest)
    moment = dt.datetime.combine(date, dt.time()) + (after or dt.timedelta())
    zone = (_TIME.search(rest) or {"zone": None})["zone"] if after is not None else None
    if zone == "Z":
        return moment.replace(tzinfo=dt.UTC)
    if zone:
        minutes = 60 * int(zone[1:3]) + int(zone[-2:])
        offset = dt.timedelta(minutes=-minutes if zone[0] == "-" else minutes)
        return moment.replace(tzinfo=dt.timezone(offset))
    return moment
