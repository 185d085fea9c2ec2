"""Numbers, units, sizes and times as text.

Powers are written with superscript characters, so that the same plain text works in a table, in the
title of a page and in a plot.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from datetime import date as Date
from datetime import datetime
from functools import lru_cache

from ishtar.attributes.moments import moment_of

MISSING = "–"
NO_BREAK = "\N{NO-BREAK SPACE}"
THIN = "\N{NARROW NO-BREAK SPACE}"
MINUS = "\N{MINUS SIGN}"
_SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
_UNIT_NAMES = {
    "dimensionless": "",
    "1": "",
    "percent": "%",
    "degC": "°C",
    "delta_degC": "°C",
    "deg": "°",
    "degree": "°",
    "ohm": "Ω",
    "Ohm": "Ω",
    "us": "µs",
    "um": "µm",
    "uA": "µA",
    "uV": "µV",
    "volt": "V",
    "ampere": "A",
    "watt": "W",
    "kilowatt": "kW",
    "second": "s",
    "millisecond": "ms",
    "meter": "m",
    "metre": "m",
    "pascal": "Pa",
    "tesla": "T",
    "hertz": "Hz",
    "electron_volt": "eV",
}
_FACTOR = re.compile(r"([A-Za-z_%°µΩ]+|1)(?:\s*(?:\^|\*\*)\s*([-+]?\d+(?:\.\d+)?))?$")


@lru_cache(maxsize=16384, typed=True)  # many lists show the same results
def number(value: float, sigma: float | None = None) -> str:
    """Return ``4.10(20)``, ``1.20(10) × 10¹⁷``, ``3.142`` or ``12 345``.

    The digits in brackets are sigma with two significant digits, in units of the last digits of
    the value. Without sigma, a float has four significant digits and an integer all of them.
    """
    if not math.isfinite(value):
        return MISSING if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    if sigma is not None and math.isfinite(sigma) and sigma > 0:
        return _with_sigma(value, sigma)
    if isinstance(value, int) or is_whole_float(value):
        digits = str(abs(int(value)))
        if len(digits) > 9:
            return scientific(value, 4)
        return (MINUS if value < 0 else "") + grouped(digits)
    if not 1e-3 <= abs(value) < 1e5:
        return scientific(value, 4)
    return plain_number(value, max(0, 3 - exponent(value)), strip=True)


def _with_sigma(value: float, sigma: float) -> str:
    power = exponent(max(abs(value), sigma))
    if -3 <= power < 5:
        power = 0
    value, sigma = value / 10.0**power, sigma / 10.0**power
    decimals = sigma_decimals(sigma)
    if decimals > 14 - exponent(max(abs(value), sigma)):  # beyond the precision of float64
        text = plain_number(value, 12, strip=True)
    elif decimals > 0:
        digits = f"{sigma:.{decimals}f}".replace(".", "").lstrip("0")
        text = f"{plain_number(value, decimals)}({digits})"
    else:
        step = 10.0**-decimals
        rounded = plain_number(round(value / step) * step, 0)
        text = f"{rounded}({round(sigma / step) * step:.0f})"
    return f"{text} ×{NO_BREAK}10{superscript(power)}" if power else text


def sigma_decimals(sigma: float) -> int:
    """Return the decimals with which a sigma has two significant digits; negative: tens, …"""
    decimals = 1 - exponent(sigma)
    # 0.0996 rounds to 0.10: two significant digits need one decimal less
    return decimals - 1 if round(sigma, decimals) >= 10.0 ** (2 - decimals) else decimals


def is_whole_float(value: float) -> bool:
    """Return whether to show a float as an integer: JSON does not distinguish them."""
    return abs(value) < 1e9 and value == int(value)


def scientific(value: float, digits: int) -> str:
    """Return ``1.235 × 10¹⁷``."""
    if value == 0:
        return "0"
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa.replace('-', MINUS)} ×{NO_BREAK}10{superscript(int(power))}"


def range_ends(low: float, high: float) -> tuple[str, str]:
    """Return both ends with the decimals that give the larger one three digits.

    If different ends would look the same, they get more decimals.
    """
    decimals = min(max(2 - exponent(max(abs(low), abs(high))), 0), 12)
    while (
        low < high and decimals < 12 and plain_number(low, decimals) == plain_number(high, decimals)
    ):
        decimals += 1
    ends = plain_number(low, decimals), plain_number(high, decimals)
    while "." in ends[0] and ends[0].endswith(("0", ".")) and ends[1].endswith(("0", ".")):
        ends = ends[0][:-1], ends[1][:-1]
    return ("0" if low == 0 else ends[0]), ("0" if high == 0 else ends[1])


def common_power(values: Iterable[float]) -> int:
    """Return the power of ten to take out of a column of values; 0 if they need none."""
    powers = sorted(exponent(v) for v in values if v and math.isfinite(v))
    if not powers:
        return 0
    power = powers[-1] if len(powers) < 3 else powers[len(powers) // 2]
    return 0 if -3 <= power < 5 else power


def plain_number(value: float, decimals: int, *, strip: bool = False) -> str:
    """Return a number with ``decimals`` decimals, its digits in groups of three."""
    text = f"{value:.{decimals}f}"
    if strip and "." in text:
        text = text.rstrip("0").rstrip(".")
    if float(text) == 0:
        text = text.lstrip("-")
    sign = MINUS if text.startswith("-") else ""
    whole, point, places = text.lstrip("-").partition(".")
    return sign + grouped(whole) + point + grouped(places, from_left=True)


def grouped(digits: str, *, from_left: bool = False) -> str:
    """Return more than four digits in groups of three: ``860 419``."""
    if len(digits) < 5:
        return digits
    first = 3 if from_left else len(digits) % 3 or 3
    groups = [digits[:first], *(digits[i : i + 3] for i in range(first, len(digits), 3))]
    return THIN.join(groups)


def exponent(value: float) -> int:
    """Return the power of ten of the first digit of a number; 0 for zero."""
    return math.floor(math.log10(abs(value))) if value else 0


def superscript(power: int | str) -> str:
    """Return an integer in superscript characters."""
    return str(power).translate(_SUPERSCRIPTS)


@lru_cache(maxsize=1024)
def unit_text(unit: str) -> str:
    """Return a unit as printed: ``1/m^3`` → ``m⁻³``, ``A/V``, ``W/m²``, ``degC`` → ``°C``.

    Text that is not a product of powers is returned unchanged.
    """
    unit = unit.strip()
    if not unit:
        return ""
    powers: list[tuple[str, str]] = []
    for i, part in enumerate(unit.replace("**", "^").split("/")):
        for factor in re.split(r"[*·\s]+", part.strip()):
            match = _FACTOR.fullmatch(factor)
            if match is None:
                return unit
            name, power = match[1], match[2] or "1"
            if "." in power:
                return unit
            if name != "1":
                shown = _UNIT_NAMES.get(name, name)
                powers.append((shown, str(int(power) * (-1 if i else 1))))
    powers = [(name, power) for name, power in powers if name]
    over = [p for p in powers if not p[1].startswith("-")]
    under = [p for p in powers if p[1].startswith("-")]
    if len(under) == 1 and over:
        name, power = under[0]
        return "/".join([_product(over), _product([(name, power[1:])])])
    return _product(over + under)


def _product(powers: list[tuple[str, str]]) -> str:
    return NO_BREAK.join(n if p == "1" else n + superscript(p) for n, p in powers)


def size_text(n_bytes: float) -> str:
    """Return a size in bytes with a decimal prefix: ``5.1 MB``."""
    if n_bytes < 1000:
        return f"{int(n_bytes)}{NO_BREAK}B"
    for prefix in ("kB", "MB", "GB", "TB"):
        n_bytes /= 1000
        if n_bytes < 999.5 or prefix == "TB":
            break
    digits = f"{n_bytes:.1f}" if n_bytes < 99.95 else f"{n_bytes:.0f}"
    return f"{digits}{NO_BREAK}{prefix}"


def seconds_text(seconds: float) -> str:
    """Return a duration: ``0.42 s``, ``12 s``, ``2 min 05 s``, ``1 h 03 min``."""
    if not math.isfinite(seconds):
        return MISSING
    if seconds < 9.95:
        return f"{seconds:.2g}{NO_BREAK}s" if seconds >= 0.01 else f"<{THIN}0.01{NO_BREAK}s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole}{NO_BREAK}s"
    if whole < 3600:
        return f"{whole // 60}{NO_BREAK}min {whole % 60:02d}{NO_BREAK}s"
    return f"{whole // 3600}{NO_BREAK}h {whole % 3600 // 60:02d}{NO_BREAK}min"


def parse_time(text: str) -> Date | None:
    """Return a datetime for an ISO time, a date for a day alone, None for other text."""
    try:
        return moment_of(text)
    except ValueError:
        return None


def time_text(when: Date | str | None, *, date: bool = True) -> str:
    """Return ``2026-11-22 10:01:02`` or ``10:01:02``; other text unchanged.

    A day alone has no time of day.
    """
    if isinstance(when, str):
        parsed = parse_time(when)
        if parsed is None:
            return when or MISSING
        when = parsed
    if when is None:
        return MISSING
    if not isinstance(when, datetime):
        return when.isoformat() if date else MISSING
    return when.strftime("%Y-%m-%d %H:%M:%S" if date else "%H:%M:%S")


def day_text(day: str) -> str:
    """Return ``Sunday 22 November 2026`` for ``2026-11-22``; other text unchanged."""
    try:
        when = datetime.strptime(day, "%Y-%m-%d")
    except ValueError:
        return day
    # not strftime, which depends on the locale
    return f"{WEEKDAYS[when.weekday()]} {when.day} {MONTHS[when.month - 1]} {when.year}"


WEEKDAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
