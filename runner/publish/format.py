"""Numbers, units, sizes and times as people read them.

Everything here returns plain text: powers are written with superscript characters, so the same text
serves in a table, in a page's title and in a drawing.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date as Date
from datetime import datetime
from functools import lru_cache

from ishtar.moments import moment_of

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
LONGEST_INTEGER_BITS = 1000  # float64 ends at 2**1024


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A value ready to be printed: the number with its sigma (or a text), and the unit."""

    number: str
    unit: str = ""
    is_text: bool = False

    def __str__(self) -> str:
        if not self.unit or self.number == MISSING:
            return self.number
        return self.number + ("" if self.unit in {"°", "%"} else NO_BREAK) + self.unit


def quantity(value: object, sigma: float | None = None, unit: str = "") -> Quantity:
    """Return a value as text, rounded to two significant digits of its sigma.

    Without a sigma a float gets four significant digits and an integer all of its own.
    """
    if isinstance(value, bool):
        return Quantity(number="yes" if value else "no")
    if value is None:
        return Quantity(number=MISSING)
    if not isinstance(value, int | float):
        return Quantity(number=str(value), unit=unit_text(unit), is_text=True)
    if isinstance(value, float) and math.isnan(value):
        return Quantity(number=MISSING)
    if isinstance(value, int) and value.bit_length() > LONGEST_INTEGER_BITS:
        return Quantity(number=f"an integer of {value.bit_length()} bits", is_text=True)
    return Quantity(number=number(value, sigma), unit=unit_text(unit))


@lru_cache(maxsize=16384, typed=True)  # the same results are in many lists
def number(value: float, sigma: float | None = None) -> str:
    """Return ``4.10 ± 0.20``, ``(1.20 ± 0.10) × 10¹⁷``, ``3.142`` or ``12345``."""
    if not math.isfinite(value):
        return MISSING if math.isnan(value) else ("∞" if value > 0 else f"{MINUS}∞")
    if sigma is not None and math.isfinite(sigma) and sigma > 0:
        return _with_sigma(value, sigma)
    if isinstance(value, int) or (value == int(value) and abs(value) < 1e5):
        digits = str(abs(int(value)))
        if len(digits) > 9:
            return _scientific(value, 4)
        if len(digits) > 4:
            digits = f"{int(digits):,}".replace(",", THIN)
        return (MINUS if value < 0 else "") + digits
    if not 1e-3 <= abs(value) < 1e5:
        return _scientific(value, 4)
    return _plain(value, max(0, 3 - _exponent(value)), strip=True)


def _with_sigma(value: float, sigma: float) -> str:
    largest = max(abs(value), sigma)
    power = _exponent(largest)
    if -3 <= power < 5:
        power = 0
    value, sigma = value / 10.0**power, sigma / 10.0**power
    decimals = 1 - _exponent(sigma)
    # 0.0996 rounds to 0.10: one digit fewer keeps two significant ones
    if round(sigma, decimals) >= 10.0 ** (2 - decimals):
        decimals -= 1
    decimals = min(max(decimals, 0), 12)
    pair = f"{_plain(value, decimals)} ±{NO_BREAK}{_plain(sigma, decimals)}"
    return f"({pair}) ×{NO_BREAK}10{superscript(power)}" if power else pair


def _scientific(value: float, digits: int) -> str:
    if value == 0:
        return "0"
    mantissa, power = f"{value:.{digits - 1}e}".split("e")
    if "." in mantissa:
        mantissa = mantissa.rstrip("0").rstrip(".")
    return f"{mantissa.replace('-', MINUS)} ×{NO_BREAK}10{superscript(int(power))}"


def range_text(low: float, high: float) -> str:
    """Return the ends of a range with one power and equal decimals: ``(0.96 … 1.44) × 10¹⁷``."""
    power = common_power([low, high])
    ends = " … ".join(dict.fromkeys(range_ends(low / 10.0**power, high / 10.0**power)))
    return f"({ends}) ×{NO_BREAK}10{superscript(power)}" if power else ends


def range_ends(low: float, high: float) -> tuple[str, str]:
    """Return both ends with the decimals that give the larger one three digits.

    Where these are the same and the ends are not, there are as many as tell them apart.
    """
    decimals = min(max(2 - _exponent(max(abs(low), abs(high))), 0), 12)
    while low < high and decimals < 12 and _plain(low, decimals) == _plain(high, decimals):
        decimals += 1
    ends = _plain(low, decimals), _plain(high, decimals)
    while "." in ends[0] and ends[0].endswith(("0", ".")) and ends[1].endswith(("0", ".")):
        ends = ends[0][:-1], ends[1][:-1]
    return ("0" if low == 0 else ends[0]), ("0" if high == 0 else ends[1])


def common_power(values: Iterable[float]) -> int:
    """Return the power of ten to take out of a column of values; 0 where they read well as is."""
    powers = sorted(_exponent(v) for v in values if v and math.isfinite(v))
    if not powers:
        return 0
    power = powers[-1] if len(powers) < 3 else powers[len(powers) // 2]
    return 0 if -3 <= power < 5 else power


def scaled_unit(power: int, unit: str) -> str:
    """Return the unit of a column whose power of ten was taken out: ``10¹⁷ m⁻³``."""
    shown = unit_text(unit)
    if not power:
        return shown
    return f"10{superscript(power)}" + (NO_BREAK + shown if shown else "")


def _plain(value: float, decimals: int, *, strip: bool = False) -> str:
    text = f"{value:.{decimals}f}"
    if strip and "." in text:
        text = text.rstrip("0").rstrip(".")
    if float(text) == 0:
        text = text.lstrip("-")
    return text.replace("-", MINUS)


def _exponent(value: float) -> int:
    return math.floor(math.log10(abs(value))) if value else 0


def superscript(power: int | str) -> str:
    """Return an integer in superscript characters."""
    return str(power).translate(_SUPERSCRIPTS)


@lru_cache(maxsize=1024)
def unit_text(unit: str) -> str:
    """Return a unit as it is printed: ``1/m^3`` → ``m⁻³``, ``A/V``, ``W/m²``, ``degC`` → ``°C``.

    What does not look like a product of powers is returned as it is.
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
    """Return an ISO time, or a day alone where no time of day is given; None for neither."""
    try:
        return moment_of(text)
    except ValueError:
        return None


def time_text(when: Date | str | None, *, date: bool = True) -> str:
    """Return ``2026-11-22 10:01:02`` or ``10:01:02``; text that is no time as it is.

    Of a day alone nobody knows the time of day: none is shown.
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
    """Return ``Sunday 22 November 2026`` for ``2026-11-22``; other text as it is."""
    try:
        when = datetime.strptime(day, "%Y-%m-%d")
    except ValueError:
        return day
    # names of our own: strftime would follow the locale of whoever publishes
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
