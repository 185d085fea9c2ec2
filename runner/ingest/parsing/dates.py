"""Parse dates and times of day as people and programs write them: the whole text, or nothing.

An ambiguous text (``05/06/2026``), a contradictory one (a wrong weekday) and one with anything left
over give None: never a part of it, and never midnight for an unreadable time.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator

LONGEST = 64  # characters; no date with its time is longer
_NOT_SET = 1904  # LabVIEW's year for a time that was never set
_TOO_LATE = 2200

_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x9f]")

_MONTHS = {
    name: number
    for number, names in enumerate(
        [
            "jan january januar jän jänner",
            "feb february februar",
            "mar march mär märz mrz",
            "apr april",
            "may mai",
            "jun june juni",
            "jul july juli",
            "aug august",
            "sep sept september",
            "oct october okt oktober",
            "nov november",
            "dec december dez dezember",
        ],
        start=1,
    )
    for name in names.split()
}
_WEEKDAYS = {
    name: number
    for number, names in enumerate(
        [
            "mon monday mo montag",
            "tue tues tuesday di dienstag",
            "wed wednesday mi mittwoch",
            "thu thur thurs thursday do donnerstag",
            "fri friday fr freitag",
            "sat saturday sa samstag sonnabend",
            "sun sunday so sonntag",
        ]
    )
    for name in names.split()
}


def _alternatives(names: dict[str, int]) -> str:
    return "|".join(sorted(names, key=len, reverse=True))


_MONTH = rf"(?P<month>{_alternatives(_MONTHS)})"
_YEAR = r"(?P<y>\d{4}|\d{2})"
_ORDINAL = r"(?:st|nd|rd|th|\.)?"
_DATES = [
    r"(?P<y>\d{4})(?P<sep>[-/._])(?P<m>\d{1,2})(?P=sep)(?P<d>\d{1,2})",
    r"(?P<y>(?:19|20)\d\d)(?P<m>\d\d)(?P<d>\d\d)",
    rf"(?P<d>\d{{1,2}})\. ?(?P<m>\d{{1,2}})\. ?{_YEAR}",
    rf"(?P<d>\d{{1,2}}){_ORDINAL}[-/ ]?{_MONTH}\.?,?[-/ ]?{_YEAR}",
    rf"{_MONTH}\.?[-/ ]?(?P<d>\d{{1,2}}){_ORDINAL}(?:,? |,|[-/])(?P<y>\d{{4}})",
    rf"(?P<y>\d{{4}})[-/ ]?{_MONTH}[-/ ]?(?P<d>\d{{1,2}})",
]
_NO_ORDER = r"(?P<a>\d{1,2})(?P<sep>[-/_])(?P<b>\d{1,2})(?P=sep)(?P<c>\d{4}|\d{2})"
_DATE = [re.compile(p, re.ASCII) for p in [*_DATES, _NO_ORDER]]
_WEEKDAY = re.compile(rf"(?P<weekday>{_alternatives(_WEEKDAYS)})\b\.?,? ?")
_IN_TEXT = [
    re.compile(rf"(?<![\d.])(?:{p})(?=\d{{6}}(?!\d)|(?!\d))", re.ASCII | re.IGNORECASE)
    for p in [*_DATES, _NO_ORDER]
]

_HALF = r"(?: ?(?P<half>[ap])\.? ?m\b\.?)"
_TIMES = [
    rf"(?P<h>\d{{1,2}}):(?P<m>\d\d)(?::(?P<s>\d\d)(?:[.,](?P<f>\d+)|:(?P<ms>\d{{3}}))?)?"
    rf"(?:{_HALF}| uhr)?",
    rf"(?P<h>\d{{1,2}})\.(?P<m>\d\d)\.(?P<s>\d\d)(?:[.,](?P<f>\d+))?(?:{_HALF}| uhr)?",
    rf"(?P<h>\d{{1,2}})(?:\.(?P<m>\d\d))?(?:{_HALF}| uhr)",
    r"(?P<h>\d{1,2}) ?h ?(?P<m>\d\d) ?(?:m|min)?"
    r"(?: ?(?P<s>\d\d)(?:[.,](?P<f>\d+))? ?(?:s|sec)?)?",
]
_WITH_DATE_ONLY = [  # unambiguous only next to a date
    r"(?P<h>\d{1,2})\.(?P<m>\d\d)",
    r"(?P<h>\d\d)-(?P<m>\d\d)-(?P<s>\d\d)(?:[.,](?P<f>\d+))?",
    r"(?P<h>\d\d)(?P<m>\d\d)(?P<s>\d\d)(?:[.,](?P<f>\d+))?",
]
_COMPACT_DATE = re.compile(r"\d{8}", re.ASCII)
_COMPACT_MINUTE = re.compile(r"(?P<h>\d\d)(?P<m>\d\d)", re.ASCII)
_TIME = [re.compile(p, re.ASCII) for p in _TIMES]
_TIME_WITH_DATE = _TIME + [re.compile(p, re.ASCII) for p in _WITH_DATE_ONLY]

_ZONE = re.compile(
    r"(?P<time>.*\d(?: ?[ap]\.? ?m\.?)?) ?"
    r"(?P<zone>z|utc|gmt|cest|cet|mesz|mez|(?P<sign>[+-])(?P<zh>\d\d)(?::?(?P<zm>\d\d))?)",
    re.ASCII,
)
_CENTRAL_EUROPE = {"cet": "CET", "mez": "CET", "cest": "CEST", "mesz": "CEST"}
_WIDEST_ZONE = dt.timedelta(hours=14)
_BETWEEN = re.compile(
    r" (?:at|um|-) |,? |,|(?<=\d)[t_-](?=\d)|(?<=^\d{8})(?=\d{6}(?!\d))", re.ASCII
)
_CTIME = re.compile(r"(?P<date>[^:]*\D\d{1,2}) (?P<time>\d\d:\d\d:\d\d.*) (?P<y>\d{4})", re.ASCII)


def iso(moment: dt.datetime) -> str:
    """Return ISO text in the precision of the moment: seconds, ms or µs."""
    if moment.microsecond % 1000:
        return moment.isoformat(timespec="microseconds")
    return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")


def parse_date(text: str) -> dt.date | None:
    """Return the date if the whole text is one, else None.

    It reads 2026-11-22, 20261122, 22.11.2026, 22-Nov-2026, Nov 22, 2026 and similar forms, with or
    without a weekday in front, in English or German. With slashes or dashes and the year at the
    end, only one order of day and month may be possible.
    """
    return _date(_plain(text))


def find_date(text: str) -> dt.date | None:
    """Return the only date within a text; None if there is none, or several."""
    found: dict[bool, set[dt.date]] = {True: set(), False: set()}
    for pattern in _IN_TEXT:
        for match in pattern.finditer(text):
            if (date := parse_date(match[0])) is not None:
                found[re.search(r"\d{4}", match[0]) is not None].add(date)
    # a version number looks like a date with a short year
    dates = found[True] or found[False]
    return dates.pop() if len(dates) == 1 else None


def parse_time(text: str) -> dt.timedelta | None:
    """Return the time since midnight if the whole text is a time of day, else None.

    It reads 9:04, 09:04:06,733, 03:00:00 PM, 3 p.m., 15.30.12, 15h30 and similar forms, without a
    zone, whose offset depends on the date: see `parse_moment`. 24:00 is the end of the day, and a
    leap second the beginning of the next one.
    """
    return _time(_plain(text), _TIME)


def parse_moment(text: str) -> dt.datetime | None:
    """Return the moment if the whole text is a date with a time of day, else None.

    It has a zone if the text states one. A date alone is not a moment.
    """
    text = _plain(text)
    found: set[dt.datetime] = set()
    for date_text, time_text in _splits(text):
        if (date := _date(date_text)) is not None:
            compact = _COMPACT_DATE.fullmatch(date_text) is not None
            if (moment := _joined(date, time_text, compact)) is not None:
                found.add(moment)
    return found.pop() if len(found) == 1 else None


def _plain(text: str) -> str:
    """Return a text in lower case with single spaces: some programs write other blanks."""
    # a control character is a damaged digit, but Python counts some as blanks
    if len(text) > LONGEST or _CONTROL.search(text):
        return ""
    return " ".join(text.casefold().split())


def _splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield the ways to split a text into a date and a time."""
    for match in _BETWEEN.finditer(text):
        left, right = text[: match.start()], text[match.end() :]
        yield left, right
        yield right, left
    if (c := _CTIME.fullmatch(text)) is not None:  # Sun Nov 22 15:30:12 2026
        yield f"{c['date']} {c['y']}", c["time"]


def _joined(date: dt.date, text: str, compact: bool) -> dt.datetime | None:
    """Return a date joined with a time as text, which may end with a zone."""
    patterns = [*_TIME_WITH_DATE, _COMPACT_MINUTE] if compact else _TIME_WITH_DATE
    after = _time(text, patterns)
    zone = _ZONE.fullmatch(text) if after is None else None
    if zone is not None:
        after = _time(zone["time"], patterns)
    if after is None:
        return None
    try:
        moment = dt.datetime.combine(date, dt.time()) + after
    except OverflowError:
        return None
    return moment if zone is None else _in_zone(moment, zone)


def _date(text: str) -> dt.date | None:
    weekday = None
    if (match := _WEEKDAY.match(text)) is not None:
        weekday, text = _WEEKDAYS[match["weekday"]], text[match.end() :]
    for pattern in _DATE:
        if (match := pattern.fullmatch(text)) is not None:
            g = match.groupdict()
            date = _without_order(g["a"], g["b"], g["c"]) if "a" in g else _from_parts(g)
            wrong_day = date is None or weekday not in (None, date.weekday())
            return None if wrong_day else date
    return None


def _from_parts(g: dict[str, str]) -> dt.date | None:
    month = _MONTHS[g["month"]] if "month" in g else int(g["m"])
    return _valid(g["y"], month, g["d"])


def _without_order(a: str, b: str, c: str) -> dt.date | None:
    """Return the date of three numbers if only one order of them is valid."""
    readings = {_valid(c, int(b), a), _valid(c, int(a), b)}
    if len(c) == 2:
        readings.add(_valid(a, int(b), c))
    readings.discard(None)
    return readings.pop() if len(readings) == 1 else None


def _valid(year: str, month: int, day: str) -> dt.date | None:
    y = int(year)
    if len(year) <= 2:
        y += 2000 if y < 69 else 1900  # as in POSIX
    try:
        return dt.date(y, month, int(day)) if _NOT_SET < y < _TOO_LATE else None
    except ValueError:
        return None


def _time(text: str, patterns: list[re.Pattern[str]]) -> dt.timedelta | None:
    for pattern in patterns:
        if (match := pattern.fullmatch(text)) is not None:
            return _since_midnight(match.groupdict())
    return None


def _since_midnight(g: dict[str, str | None]) -> dt.timedelta | None:
    h, m, s = (int(g.get(k) or 0) for k in ("h", "m", "s"))
    fraction = float("0." + (g.get("ms") or g.get("f") or "0"))
    half = g.get("half")
    if half is not None:
        # 0:30 PM and 13:30 AM are invalid; 15:30 PM comes from %H with %p and is unambiguous
        if (half == "p" and h == 0) or (half == "a" and h > 12) or h > 23:
            return None
        h = h % 12 if half == "a" else h + 12 * (h < 12)
    leap = m == 59 and s == 60
    end_of_day = h == 24 and m == 0 and s == 0 and fraction == 0
    if m > 59 or (s > 59 and not leap) or (h > 23 and not end_of_day):
        return None
    if leap:
        s, fraction = 60, 0.0  # datetime has no leap second: the next second begins
    return dt.timedelta(hours=h, minutes=m, seconds=s, microseconds=round(fraction * 1e6))


def _in_zone(moment: dt.datetime, zone: re.Match[str]) -> dt.datetime | None:
    """Return a moment in the zone that its text states; None if that is ambiguous."""
    if zone["sign"]:
        offset = dt.timedelta(hours=int(zone["zh"]), minutes=int(zone["zm"] or 0))
        minutes = int(zone["zm"] or 0)
        if zone["sign"] == "-" and zone["time"].count(":") == 1:
            return None  # 10:30-11:00 is a span of half an hour
        if offset > _WIDEST_ZONE or minutes % 15 or minutes > 59:
            return None
        return moment.replace(tzinfo=dt.timezone(-offset if zone["sign"] == "-" else offset))
    if (name := _CENTRAL_EUROPE.get(zone["zone"])) is None:
        return moment.replace(tzinfo=dt.UTC)
    from zoneinfo import ZoneInfo

    for fold in (0, 1):  # the zone's name resolves the hour that occurs twice in autumn
        local = moment.replace(tzinfo=ZoneInfo("Europe/Berlin"), fold=fold)
        if local.tzname() == name:
            return moment.replace(tzinfo=dt.timezone(local.utcoffset() or dt.timedelta()))
    return None  # "CET" in summer: either the clock or the name is wrong
