"""Units of time as files write them, and the moments that they count from."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

from runner.ingest.dates import parse_moment
from runner.ingest.h5_attributes import Attributes, number_of, one_text

_SYMBOLS: dict[str, int | Fraction] = {
    "s": 1,
    "ms": 1000,
    "us": 10**6,
    "µs": 10**6,
    "μs": 10**6,
    "ns": 10**9,
}
_WORDS: dict[str, int | Fraction] = {
    **dict.fromkeys(["sec", "secs", "second", "seconds"], 1),
    **dict.fromkeys(["msec", "msecs", "millisecond", "milliseconds"], 1000),
    **dict.fromkeys(["usec", "usecs", "microsecond", "microseconds"], 10**6),
    **dict.fromkeys(["nsec", "nsecs", "nanosecond", "nanoseconds"], 10**9),
    **dict.fromkeys(["min", "mins", "minute", "minutes"], Fraction(1, 60)),
    **dict.fromkeys(["h", "hr", "hrs", "hour", "hours"], Fraction(1, 3600)),
    **dict.fromkeys(["d", "day", "days"], Fraction(1, 86400)),
}
_FREQUENCIES = {"": 1, "hz": 1, "s/s": 1, "1/s": 1, "khz": 10**3, "mhz": 10**6, "ghz": 10**9}
_SINCE = re.compile(r"(\S+)\s+since\s+(.+)", re.IGNORECASE | re.DOTALL)
_RATE = re.compile(r"\s*([-+]?[\d.,]+(?:e[-+]?\d+)?)\s*([a-z/\d]*)\s*", re.IGNORECASE)
_CALENDARS = {"", "standard", "gregorian", "proleptic_gregorian"}


@dataclass(frozen=True, kw_only=True)
class PlaceUnit:
    """What places along an axis are counted in.

    ``per_second`` is how many there are in a second, None where it is no time; ``since`` what the
    times are counted from, as text.
    """

    text: str
    per_second: Fraction | None = None
    since: str = ""

    @property
    def x_unit(self) -> str:
        """The unit as the store keeps it."""
        return "s" if self.per_second is not None else self.text


def place_unit(text: str) -> PlaceUnit:
    """Read a unit: ``ms``, ``seconds``, ``hours since 2026-11-22 15:00``, ``Hz``."""
    text = text.strip().strip("[]()").strip()
    since = ""
    if match := _SINCE.fullmatch(text):
        text, since = match[1], match[2].strip()
    per_second = _SYMBOLS.get(text, _WORDS.get(text.casefold()))
    if per_second is None:
        return PlaceUnit(text=text)
    return PlaceUnit(text=text, per_second=Fraction(per_second), since=since)


def rate_hz(value: Any) -> float | None:
    """Return a sampling rate as a number or text has it: 1e5, ``"100 kHz"``; None if it is none."""
    rate = number_of(value)
    if rate is None and (match := _RATE.fullmatch(one_text(value))):
        number, factor = number_of(match[1]), _FREQUENCIES.get(match[2].casefold())
        rate = number * factor if number is not None and factor is not None else None
    return rate if rate is not None and rate > 0 else None


def reference(since: str, attributes: Attributes) -> dt.datetime | None:
    """Return the moment that times are counted from, with a zone if the text gives one."""
    if one_text(attributes.get("calendar")).casefold() not in _CALENDARS:
        return None
    moment = parse_moment(since)
    # CF: a date alone is its midnight
    return moment if moment is not None else parse_moment(f"{since} 00:00:00")
