"""Parse numbers and units of time as people and programs write them: the whole text, or nothing."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Any

import numpy as np

SECONDS = {"s": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "ns": 1e9, "min": 1 / 60, "h": 1 / 3600}
"""Units per second, by symbol."""

_SIGNS = {  # (multiply, divide): one of them is 1, so that 0.1 ms is the double closest to 1e-4 s
    "s": (1.0, 1.0),
    "ms": (1.0, 1e3),
    "us": (1.0, 1e6),
    "ns": (1.0, 1e9),
    "ps": (1.0, 1e12),
    "min": (60.0, 1.0),
    "h": (3600.0, 1.0),
    "d": (86400.0, 1.0),
}
_WORDS = {
    "ms": ("msec", "msecs", "millisecond", "milliseconds", "millisekunde", "millisekunden"),
    "us": ("usec", "usecs", "microsecond", "microseconds", "mikrosekunde", "mikrosekunden"),
    "ns": ("nsec", "nsecs", "nanosecond", "nanoseconds", "nanosekunde", "nanosekunden"),
    "s": ("sec", "secs", "second", "seconds", "sek", "sekunde", "sekunden"),
    "min": ("min", "mins", "minute", "minutes", "minuten"),
    "h": ("hr", "hrs", "hour", "hours", "std", "stunde", "stunden"),
    "d": ("day", "days", "tag", "tage"),
}
_SIGN_OF_WORD = {word: sign for sign, words in _WORDS.items() for word in words}
_MICRO = str.maketrans({"µ": "u", "μ": "u"})  # micro sign and Greek mu

_NUMBER = re.compile(r"([+-]?(?:\d+(?:[.,]\d*)?|[.,]\d+)(?:[eE][+-]?\d+)?)\s*(\D.*)?", re.DOTALL)
_RATE_UNIT = re.compile(
    r"(?P<prefix>[kKMGgm]?)(?P<unit>[Hh][Zz]|[Ss](?:a|amples)?/s(?:ec)?|[Ss][Pp][Ss])"
)
_PREFIXES = {"": 1.0, "K": 1e3, "M": 1e6, "G": 1e9}
_THOUSANDS = re.compile(r"[+-]?[1-9]\d{0,2},\d{3}")  # 1,000: one, or a thousand?


@dataclass(frozen=True, kw_only=True)
class TimeUnit:
    """A unit of time: a value × ``multiply`` / ``divide`` is in s."""

    multiply: float
    divide: float

    def seconds(self, value: Any) -> Any:
        """Return a number or an array in s."""
        return value * self.multiply / self.divide


def time_unit(text: str) -> TimeUnit | None:
    """Return the unit of time that a text names (``ms``, ``µs``, ``Sekunden``), else None.

    Symbols are case-sensitive: ``S`` is not a second, ``Ms`` not a millisecond. Brackets and a
    trailing dot are ignored: ``[ms]``, ``sec.``.
    """
    text = text.strip().strip("[]()").strip().rstrip(".").translate(_MICRO)
    sign = text if text in _SIGNS else _SIGN_OF_WORD.get(text.casefold())
    if sign is None:
        return None
    multiply, divide = _SIGNS[sign]
    return TimeUnit(multiply=multiply, divide=divide)


def stated_number(value: Any) -> float | None:
    """Return the finite number of a property, given as a number or as text; else None.

    The whole text must be a number, with a decimal point or comma: ``1E-5``, ``1,0E-5``. ``1,000``
    gives None, since it may be one or a thousand.
    """
    number, unit = _split_unit(value)
    return number if unit == "" else None


def stated_seconds(value: Any) -> float | None:
    """Return a time in s; text may name its unit: ``10 us``."""
    number, text = _split_unit(value)
    unit = time_unit(text or "s")
    return None if number is None or unit is None else unit.seconds(number)


def stated_rate(value: Any) -> float | None:
    """Return a positive rate in Hz; text may name its unit: ``100 kHz``, ``1E5``, ``2 MS/s``."""
    number, text = _split_unit(value)
    factor = _rate_factor(text)
    return None if number is None or factor is None or number <= 0 else number * factor


def _rate_factor(text: str) -> float | None:
    """Return a unit in Hz; None for others, and for the ambiguous ``mhz``."""
    found = _RATE_UNIT.fullmatch(text)
    if found is None:
        return 1.0 if text in ("", "1/s") else None
    prefix, unit = found["prefix"], found["unit"]
    if prefix == "m":
        return 1e-3 if unit == "Hz" else None
    return _PREFIXES[prefix.upper()]


def _split_unit(value: Any) -> tuple[float | None, str]:
    if isinstance(value, bool):
        return None, ""
    if isinstance(value, int | float | np.number):
        try:
            number = float(value)
        except OverflowError:
            return None, ""
        return (number if math.isfinite(number) else None), ""
    found = _NUMBER.fullmatch(value.strip()) if isinstance(value, str) else None
    if found is None or _THOUSANDS.fullmatch(found[1]):
        return None, ""
    number = float(found[1].replace(",", "."))
    return (number if math.isfinite(number) else None), (found[2] or "").strip()
