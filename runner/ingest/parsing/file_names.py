"""Find the numbers in a file's name that can be its shot number.

``22.11.2026 shot 1301.tdms``, ``4.5kW_1302.tdms``, ``2026-11-22_10-30-00.tdms``: names also contain
dates, times of day, values with a unit and channel numbers.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial

_ENDING = re.compile(r"(?:\.[A-Za-z][A-Za-z0-9_]{0,9})+$")
_SEPARATORS = ".:-_"  # dots first: in 1301_22.11.2026 the dots separate the date
_CLOCK = re.compile(
    r"(?<![0-9A-Za-z])[0-9]{1,2}h(?:[0-9]{2}(?:m(?:[0-9]{2}s?)?)?)?(?![0-9A-Za-z])", re.I
)
_HALF_DAY = re.compile(
    r"(?<![0-9A-Za-z])[0-9]{1,2}(?:[:.\-_][0-9]{2}){0,2}[ _]?"
    r"(?:[ap]m|[ap]\.m\.|uhr(?:[ _]?[0-9]{2})?)(?![0-9A-Za-z])",
    re.I,
)
_MONTH = (
    r"(?:jan(?:uary|uar)?|feb(?:ruary|ruar)?|mar(?:ch)?|m(?:ä|ae)r(?:z)?|apr(?:il)?|may|mai|june?"
    r"|juni|july?|juli|aug(?:ust)?|sept?(?:ember)?|o[ck]t(?:ober)?|nov(?:ember)?|de[cz](?:ember)?)"
)
_DAY, _YEAR = r"[0-9]{1,2}(?:st|nd|rd|th|\.)?", r"(?:19|20)[0-9]{2}"
_BY_MONTH = re.compile(  # 22. November 2026, 22-Nov-26, Nov 22 2026, 2026-Nov-22, Nov 2026
    # without a year, 1_dec is a channel
    rf"(?<![0-9A-Za-z])(?:{_DAY}[-_. ]*{_MONTH}[-_., ]*(?:{_YEAR}|[0-9]{{2}})|{_DAY}[-. ]*{_MONTH}"
    rf"|{_YEAR}[-_. ]*{_MONTH}[-_. ]*{_DAY}"
    rf"|{_MONTH}[-_. ]*{_DAY}[-_., ]*{_YEAR}|{_MONTH}[-_. ]*{_YEAR})(?![0-9A-Za-z])",
    re.I,
)
# what may follow a time: the fraction of a second, the zone
_REST = (
    r"(?:[.,][0-9]+)?(?:[+-](?:0[0-9]|1[0-4]):?(?:00|15|30|45)(?![0-9])|\+(?:0[0-9]|1[0-4])(?![0-9])"
    r"|[ _]?(?:UTC|GMT)(?:[+-][0-9]{1,2}(?::?[0-9]{2})?)?(?![0-9A-Za-z]))?"
)
_BEFORE = (  # a date
    r"(?<![0-9])(?P<before>(?P<a>[0-9]{1,4})(?P<s>[-._])(?P<b>[0-9]{1,2})(?P=s)(?P<c>[0-9]{1,4})"
)
# digits that either continue what is before them or are a separate number
_DATE_THEN_TIME = re.compile(  # 2026-11-22_1030, 22.11.26 103000
    _BEFORE + r"[-_ T.])(?P<digits>[0-9]{6}|[0-9]{4})(?![0-9])"
)
_DATE_THEN_CLOCK = re.compile(  # 2026-11-22 15.30
    _BEFORE + r"[_ T])(?:[01]?[0-9]|2[0-3])[-.:][0-5][0-9](?![0-9]|[-.:][0-9])"
)
_TIME_THEN_FRACTION = re.compile(  # 10-30-00_123, 20261122_103000_123
    r"(?<![0-9])(?P<before>(?:(?P<a>[0-9]{2})(?P<s>[-:.])(?P<b>[0-9]{2})(?P=s)(?P<c>[0-9]{2})"
    r"|(?:19|20)[0-9]{6}[T_\-. ]?[0-9]{6})[-_])(?P<digits>[0-9]{3}|[0-9]{6})(?![0-9])"
)
_COMPACT = re.compile(
    r"(?<!\d)(?P<date>(?:19|20)\d{6})(?:(?P<between>[T_\-. ]?)(?P<time>\d{6}|\d{4}))?(?!\d)Z?",
    re.ASCII,
)
_LABEL = re.compile(
    r"(?<![A-Za-z])(?:shot|pulse|puls|schuss|discharge)s?[\W_]*"
    r"(?:(?:number|nummer|num|nr|no)[\W_]*)?$"
    r"|\#[\W_]*$",
    re.I,
)
_UNITS = [
    *("W", "kW", "MW", "mW", "V", "kV", "mV", "A", "kA", "mA", "uA", "µA", "T", "mT", "G"),
    *("Hz", "kHz", "MHz", "GHz", "Pa", "hPa", "mbar", "bar", "sccm", "dB", "dBm", "Ohm"),
    *("ns", "us", "µs", "ms", "s", "sec", "min", "h", "m", "mm", "cm", "km", "kg", "g", "l"),
    *("eV", "K", "C", "deg"),
]
_UNIT_BEHIND = re.compile(
    rf"[ _]?(?:{'|'.join(sorted(_UNITS, key=len, reverse=True))})(?![A-Za-z])|%"
)
_NUMBER = re.compile(r"(?<![0-9])[0-9]{1,15}(?![0-9A-Za-z])(?![.,][0-9])")
_ALONE = re.compile(r"(?<![0-9A-Za-z.,])[0-9]{1,15}(?![0-9A-Za-z])(?![.,][0-9])")
_THIS_HALF = 50  # years of two digits are below this
_TIME_THEN_DIGITS = (3, 6)  # milliseconds, microseconds


@dataclass(frozen=True, kw_only=True)
class Candidate:
    """A number in a name that may be the shot number.

    Attributes
    ----------
    digits : str
        As written.
    leads : bool
        The name begins with it.
    labelled : bool
        A label precedes it: ``shot 1301``, ``#12345``.
    before_unit : bool
        A unit follows after a space: ``500 W``.
    adjacent : bool
        It is next to another number, ``2026_0042``: either may be the shot number.
    """

    digits: str
    leading: bool = False
    labelled: bool = False
    before_unit: bool = False
    adjacent: bool = False

    @property
    def value(self) -> int:
        """The number."""
        return int(self.digits)


@dataclass(frozen=True, kw_only=True)
class Found:
    """The candidates of a name, and whether it contains dates or times."""

    numbers: list[Candidate]
    moments: bool


def candidates(name: str) -> Found:
    """Return the numbers of a name that can be its shot number, in their order."""
    stem = _ENDING.sub("", name) or name
    rest, moments = _without_moments(stem)
    numbers = list(_numbers(rest))
    return Found(numbers=numbers, moments=moments)


def without_shot(stem: str, *numbers: int) -> str:
    """Return a name without what changes from shot to shot: dates, times, the shot number.

    Of several numbers equal to one of ``numbers``, only the longest or else the last is removed:
    ``probe_7_00007`` of shot 7 becomes ``probe_7``.
    """
    text, _ = _without_moments(stem, numbers)
    for number in numbers:
        found = [
            m
            for m in _NUMBER.finditer(text)
            if int(m[0]) == number
            and (_ALONE.match(text, m.start()) or _LABEL.search(text[: m.start()]))
        ]
        if found:
            longest = max(found, key=lambda m: (len(m[0]), m.start()))
            text = text[: longest.start()] + _REMOVED + text[longest.end() :]
    text = re.sub(rf"[-_. ]*#?{_REMOVED}[-_. {_REMOVED}]*", _between, text.replace(_AMBIGUOUS, ""))
    return text.strip("-_. ")


def _between(match: re.Match[str]) -> str:
    """Return the separator that replaces a removed part of a name."""
    return match[0][:1] if match[0][0] in "-_. " else "_"


_DATE_REMOVED = "\2"
_REMOVED = "\0"  # replaces a date or a time, so that its neighbours do not join
_AMBIGUOUS = "\1"  # precedes digits that may be a time or a separate number


def _without_moments(stem: str, numbers: tuple[int, ...] = ()) -> tuple[str, bool]:
    text = _BY_MONTH.sub(partial(_removed, _DATE_REMOVED), stem)
    text = re.sub(
        rf"(?<={_DATE_REMOVED})([-_ T.,]+)([0-9]{{6}}|[0-9]{{4}})(?![0-9])", _time_after_date, text
    )
    text = _HALF_DAY.sub(partial(_removed, _REMOVED), text.replace(_DATE_REMOVED, _REMOVED))
    text = _CLOCK.sub(lambda m: _REMOVED * len(m[0]), text)
    text = _DATE_THEN_TIME.sub(_after_date, text)
    if numbers:  # digits after a time may be the shot number only while that is unknown
        text = _DATE_THEN_CLOCK.sub(_without_clock, text)
    else:
        text = _TIME_THEN_FRACTION.sub(_fraction, text)
    text = _COMPACT.sub(_compact, text)
    for separator in _SEPARATORS:
        run = re.compile(rf"[0-9]+(?:{re.escape(separator)}[0-9]+)+")
        text = run.sub(partial(_moments_in, separator, numbers), text)
    text = re.sub(rf"(?<={_REMOVED}){_REST}", lambda m: _REMOVED * bool(m[0]), text, flags=re.I)
    if numbers:  # the shot number is known: ambiguous digits are a time
        text = re.sub(
            rf"{_AMBIGUOUS}([0-9]+)", lambda m: m[1] if int(m[1]) in numbers else _REMOVED, text
        )
    return text, _REMOVED in text


def _removed(mark: str, match: re.Match[str]) -> str:
    """Return the replacement of a date or time; a labelled number is kept."""
    if _LABEL.search(match.string[: match.start()]):
        return match[0]
    return mark * len(match[0])


def _time_after_date(match: re.Match[str]) -> str:
    return match[1] + (_mark(match[2]) if _reads_as_time(match[2]) else match[2])


def _after_date(match: re.Match[str]) -> str:
    """Mark 1030 in 2026-11-22_1030."""
    if not (_reads_as_time(match["digits"]) and _reads_as_date(match)):
        return match[0]
    return match["before"] + _mark(match["digits"])


def _without_clock(match: re.Match[str]) -> str:
    return match["before"] + _REMOVED if _reads_as_date(match) else match[0]


def _fraction(match: re.Match[str]) -> str:
    """Mark 123 in 10-30-00_123."""
    if match["a"]:
        is_time = _is_time(*(int(match[k]) for k in "abc"))
        if not is_time or (match["s"] == "." and _reads_as_date(match)):
            return match[0]
    return match["before"] + _mark(match["digits"])


def _reads_as_time(digits: str) -> bool:
    return _is_time(*(int(digits[i : i + 2]) for i in range(0, len(digits), 2)))


def _reads_as_date(match: re.Match[str]) -> bool:
    """Return whether three numbers are a date, not a time of day; with dots they are a date."""
    a, b, c = (match[k] for k in "abc")
    if len(a) == 4 or len(c) == 4:
        year, day = (a, c) if len(a) == 4 else (c, a)
        return len(day) <= 2 and (
            _is_date(int(year), int(b), int(day)) or _is_date(int(year), int(day), int(b))
        )
    if max(len(a), len(c)) > 2 or not len(a) == len(b) == len(c) == 2:
        return False
    if match["s"] != "." and _is_time(int(a), int(b), int(c)):
        return False
    return any(_is_date(2000 + int(y), int(b), int(d)) for y, d in ((c, a), (a, c)))


def _compact(match: re.Match[str]) -> str:
    """Return the replacement of 20261122, 20261122T103000, 20261122_1030."""
    if not _is_date(int(match["date"][:4]), int(match["date"][4:6]), int(match["date"][6:])):
        return match[0]
    time = match["time"]
    if time is None:
        return _REMOVED * len(match[0])
    clock = [int(time[i : i + 2]) for i in range(0, len(time), 2)]
    if not _is_time(*clock):
        return _REMOVED * len(match["date"]) + (match["between"] or _REMOVED) + time
    if len(time) == 4 and match["between"] != "T":  # 10:30, or shot 1030
        return _REMOVED * len(match["date"]) + match["between"] + _mark(time)
    return _REMOVED * len(match[0])


def _mark(digits: str) -> str:
    """Mark digits that may also be a time."""
    return _AMBIGUOUS + digits


def _moments_in(separator: str, numbers: tuple[int, ...], match: re.Match[str]) -> str:
    """Return a run of numbers without its only date or time; unchanged if it has several.

    One of ``numbers``, the shot's, may precede or follow the date or time.
    """
    parts = match[0].split(separator)
    if len(parts) > 3 and int(parts[-1]) in numbers:
        return separator.join([_without_moment(parts[:-1], separator), parts[-1]])
    if len(parts) > 3 and int(parts[0]) in numbers:
        return separator.join([parts[0], _without_moment(parts[1:], separator)])
    return _without_moment(parts, separator)


def _without_moment(parts: list[str], separator: str) -> str:
    places = [i for i in range(len(parts) - 2) if _is_moment(parts[i : i + 3])]
    # a date and the time after it, 2026-11-22-10-30-00
    whole = [i for i in places if i + 3 in places and len(parts[i]) == 4]
    if whole:
        places = [whole[0], whole[0] + 3]
    if not places or (len(places) > 1 and not whole):
        return separator.join(parts)
    left = list(parts)
    for i in places:
        left[i : i + 3] = [_REMOVED] * 3
    behind = places[-1] + 3
    is_time = len(parts[places[-1]]) < 3
    if is_time and len(parts) > behind:
        if separator == ".":
            left[behind] = _REMOVED  # 10.30.00.123: its fraction
        elif len(parts[behind]) in _TIME_THEN_DIGITS:
            left[behind] = _mark(parts[behind])
    elif (
        len(parts) > behind
        and len(parts[behind]) == 4
        and _is_time(int(parts[behind][:2]), int(parts[behind][2:]))
    ):
        left[behind] = _mark(parts[behind])  # 2026-11-22-1030
    return separator.join(left)


def _is_moment(parts: list[str]) -> bool:
    """Return whether three numbers are a date or a time of day, in any usual order."""
    a, b, c = map(int, parts)
    lengths = tuple(map(len, parts))
    if lengths[0] == 4 and max(lengths[1:]) <= 2:
        return _is_date(a, b, c)
    if lengths[2] == 4 and max(lengths[:2]) <= 2:
        return _is_date(c, b, a) or _is_date(c, a, b)
    if max(lengths) > 2 or lengths[1] != 2 or lengths[2] != 2:
        return False
    days = [(2000 + y, b, d) for y, d in ((c, a), (a, c)) if y < _THIS_HALF]
    return _is_time(a, b, c) or any(_is_date(*day) for day in days)


def _is_date(year: int, month: int, day: int) -> bool:
    try:
        return 1970 <= dt.date(year, month, day).year < 2200
    except ValueError:
        return False


def _is_time(hours: int, minutes: int, seconds: int = 0) -> bool:
    return hours < 24 and minutes < 60 and seconds < 61


def _numbers(text: str) -> Iterator[Candidate]:
    """Yield the separate whole numbers, without values that have a unit attached."""
    found: list[tuple[re.Match[str], Candidate]] = []
    for match in re.finditer(r"[0-9]+(?:[.,][0-9]+)*", text):
        before, behind = text[: match.start()].removesuffix(_AMBIGUOUS), text[match.end() :]
        labelled = _LABEL.search(before) is not None
        if not match[0].isdigit() or (behind and (behind[0].isalnum() or behind[0] in "%°")):
            continue
        if before[-1:].isalpha() and not labelled:
            continue
        unit = _UNIT_BEHIND.match(behind) is not None
        found.append(
            (
                match,
                Candidate(digits=match[0], leading=not before, labelled=labelled, before_unit=unit),
            )
        )
    places = {m.start() for m, c in found if not c.before_unit}
    ends = {m.end() for m, c in found if not c.before_unit}
    for match, candidate in found:
        perhaps = text[: match.start()].endswith(_AMBIGUOUS)
        near = match.end() + 1 in places or match.start() - 1 in ends
        yield replace(candidate, adjacent=perhaps or near)
