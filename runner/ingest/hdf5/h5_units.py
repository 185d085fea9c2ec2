"""Units of time in files, and the moments that they count from."""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from fractions import Fraction

from runner.ingest.hdf5.h5_attributes import Attributes, one_text
from runner.ingest.parsing.dates import parse_moment
from runner.ingest.parsing.stated_numbers import time_unit

_SINCE = re.compile(r"(\S+)\s+since\s+(.+)", re.IGNORECASE | re.DOTALL)
_CALENDARS = {"", "standard", "gregorian", "proleptic_gregorian"}


@dataclass(frozen=True, kw_only=True)
class PlaceUnit:
    """The unit of places along an axis.

    ``per_second`` is how many there are in a second, None where it is no time; ``since`` what the
    times are counted from, as text.
    """

    text: str
    per_second: Fraction | None = None
    since: str = ""

    @property
    def x_unit(self) -> str:
        """The unit in the store."""
        return "s" if self.per_second is not None else self.text


def place_unit(text: str) -> PlaceUnit:
    """Read a unit: ``ms``, ``seconds``, ``hours since 2026-11-22 15:00``, ``Hz``."""
    text = text.strip().strip("[]()").strip()
    since = ""
    if match := _SINCE.fullmatch(text):
        text, since = match[1], match[2].strip()
    unit = time_unit(text)
    if unit is None:
        return PlaceUnit(text=text)
    per_second = Fraction(unit.divide) / Fraction(unit.multiply)
    return PlaceUnit(text=text, per_second=per_second, since=since)


def reference(since: str, attributes: Attributes) -> dt.datetime | None:
    """Return the reference moment of times, with a zone if the text states one."""
    if one_text(attributes.get("calendar")).casefold() not in _CALENDARS:
        return None
    moment = parse_moment(since)
    # CF: a date alone is its midnight
    return moment if moment is not None else parse_moment(f"{since} 00:00:00")
