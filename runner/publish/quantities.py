"""Results as text: ``5.860 419(15) MHz``, ``47 kW``, ``< 0.1 mW``.

A unit that takes SI prefixes gets the prefix that suits the value; sigma has the same prefix. A
value that cannot be below zero and lies within its sigma of zero is shown as an upper limit. A
quantity also keeps value, sigma and unit exactly as they were glued.
`numbers.js` of the theme follows the same rules.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import lru_cache

from runner.render.format import (
    MISSING,
    NO_BREAK,
    common_power,
    exponent,
    is_whole_float,
    number,
    plain_number,
    range_ends,
    scientific,
    sigma_decimals,
    superscript,
    unit_text,
)

LONGEST_INTEGER_BITS = 1000  # float64 ends at 2**1024
MAX_DIGITS = 5  # before the point, of the largest value of a column
LIMIT_SIGMAS = 1.2816  # 90 % of a normal distribution lie below the mean plus this many sigmas
PREFIXES = {-15: "f", -12: "p", -9: "n", -6: "µ", -3: "m", 0: "", 3: "k", 6: "M", 9: "G", 12: "T"}
_ALL = tuple(PREFIXES)
_DOWN = tuple(p for p in PREFIXES if p <= 0)
# Prefixes in common use with a unit: not kiloseconds, nor millinewton metres per coulomb.
PREFIXED = {
    **dict.fromkeys(("W", "Hz", "V", "A", "T", "Pa", "J", "Ω", "eV", "F", "H", "N", "C"), _ALL),
    **dict.fromkeys(("s", "K", "bar", "Torr"), _DOWN),
    "m": tuple(p for p in PREFIXES if p <= 3),
}
NEVER_NEGATIVE = frozenset({"m⁻³", "cm⁻³"})  # densities; `is_signed` knows powers


@dataclass(frozen=True, kw_only=True)
class Quantity:
    """A value ready to print: the number with its sigma (or a text), and the unit.

    ``value``, ``sigma`` and ``given`` (the unit) are as glued, for programs that read pages;
    ``value`` is None for anything but a number. ``is_limit``: ``number`` is an upper limit.
    """

    number: str
    unit: str = ""
    is_text: bool = False
    is_limit: bool = False
    value: float | None = None
    sigma: float | None = None
    given: str = ""

    def __str__(self) -> str:
        if not self.unit or self.number == MISSING:
            return self.number
        return self.number + ("" if self.unit in {"°", "%"} else NO_BREAK) + self.unit


@dataclass(frozen=True, kw_only=True)
class Scale:
    """The power of ten and the unit of a column or an axis.

    Attributes
    ----------
    power
        Values are divided by this power of ten.
    unit
        As printed: ``MHz``, ``10¹⁷ m⁻³``.
    """

    power: int = 0
    unit: str = ""


def quantity(
    value: object, sigma: float | None = None, unit: str = "", *, signed: bool | None = None
) -> Quantity:
    """Return a value as text, rounded to two significant digits of its sigma.

    Parameters
    ----------
    signed
        Whether it can be below zero; None: derived from its unit (`is_signed`).
    """
    if isinstance(value, float) and value:  # 0.0 and -0.0 are equal, but may read differently
        return _remembered(value, sigma, unit, signed)
    return _quantity(value, sigma, unit, signed)


def _quantity(value: object, sigma: float | None, unit: str, signed: bool | None) -> Quantity:
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
    known = replace(Quantity(number=""), value=value, sigma=sigma, given=unit)
    if is_limit(value, sigma, unit, signed):
        limit = upper_limit(value, sigma or 0.0)
        power, shown = prefixed(limit, unit, is_limit=True)
        scaled_limit = limit / 10.0**power
        digits = number(scaled_limit) if scaled_limit < 1e5 else scientific(scaled_limit, 4)
        text = f"<{NO_BREAK}{digits}"
        return replace(known, number=text, unit=shown, is_limit=True)
    has_sigma = sigma is not None and math.isfinite(sigma) and sigma > 0
    size = max(abs(value), sigma or 0.0) if has_sigma else abs(value)
    power, shown = prefixed(_rounded(size, sigma if has_sigma else None), unit)
    if power == 0:
        return replace(known, number=number(value, sigma), unit=shown)
    is_whole = isinstance(value, int) or is_whole_float(value)
    if is_whole and not has_sigma and 0 < power < 10:  # a whole number keeps all its digits
        return replace(known, number=plain_number(value / 10**power, power, strip=True), unit=shown)
    scaled = sigma / 10.0**power if has_sigma and sigma is not None else None
    return replace(known, number=number(value / 10.0**power, scaled), unit=shown)


# the same results are on many pages, and again when the next shot is published
_remembered = lru_cache(maxsize=1 << 14, typed=True)(_quantity)


def is_signed(unit: str) -> bool:
    """Return whether a quantity in this unit may be below zero, judged by the unit alone.

    Powers and densities are assumed not to be. A voltage, a field, a level in dB or a plain number
    may have either sign.
    """
    shown = unit_text(unit)
    base, _ = _split(shown)
    return base != "W" and shown not in NEVER_NEGATIVE


def is_limit(value: float, sigma: float | None, unit: str, signed: bool | None = None) -> bool:
    """Return whether a value that cannot be below zero lies within its sigma of zero."""
    if sigma is None or not math.isfinite(sigma) or sigma <= 0 or abs(value) > sigma:
        return False
    return not (is_signed(unit) if signed is None else signed)


def upper_limit(value: float, sigma: float) -> float:
    """Return the upper limit at 90 % confidence, rounded up to one digit."""
    limit = max(float(value), 0.0) + LIMIT_SIGMAS * sigma
    power = exponent(limit)
    return float(f"{math.ceil(limit / 10.0**power - 1e-9)}e{power}")


def prefixed(size: float, unit: str, *, is_limit: bool = False) -> tuple[int, str]:
    """Return the power of ten and the prefixed unit that suit a value of this size.

    Values from 0.1 to 1000 keep the given unit. A limit may start at 0.1 of the larger unit.
    """
    shown = unit_text(unit)
    base, own = _split(shown)
    if base is None or not size or not math.isfinite(size) or 0.1 <= size < 1000:
        return 0, shown
    first = exponent(size) + own
    wanted = 3 * ((first + 1 if is_limit and first < 0 else first) // 3)
    allowed = PREFIXED[base]
    best = min(max(wanted, allowed[0]), allowed[-1])
    return best - own, PREFIXES[best] + base


def scale_of(values: Iterable[float], unit: str) -> Scale:
    """Return the scale of a column of values: a prefix, else a power of ten, if any.

    The prefix is that of the typical value, unless the largest would have more than five digits.
    """
    shown = unit_text(unit)
    found = sorted(exponent(v) for v in values if v and math.isfinite(v))
    if not found:
        return Scale(unit=shown)
    if _split(shown)[0] is not None:
        middle = found[-1] if len(found) < 3 else found[len(found) // 2]
        power, shown = prefixed(10.0**middle, unit)
        if found[-1] - power >= MAX_DIGITS:
            power, shown = prefixed(10.0 ** found[-1], unit)
        return Scale(power=power, unit=shown)
    power = common_power(10.0**p for p in found)
    if not power:
        return Scale(unit=shown)
    return Scale(power=power, unit=f"10{superscript(power)}" + (NO_BREAK + shown if shown else ""))


def cell(
    value: object, sigma: float | None, unit: str, scale: Scale, *, signed: bool | None = None
) -> Quantity:
    """Return a value of a column whose head shows the unit.

    A value that would round to zero on this scale, and an upper limit, get their own unit.
    """
    alone = quantity(value, sigma, unit, signed=signed)
    if alone.value is None or alone.is_limit:
        return alone if alone.is_limit or alone.is_text else replace(alone, unit="")
    size = max(abs(alone.value), 0.0) / 10.0**scale.power
    if scale.power and size and not 1e-3 <= size < 1e5:
        return alone
    if not scale.power:
        return replace(alone, number=number(alone.value, sigma), unit="")
    scaled = sigma / 10.0**scale.power if sigma is not None else None
    return replace(alone, number=number(alone.value / 10.0**scale.power, scaled), unit="")


def range_text(low: float, high: float, unit: str = "") -> str:
    """Return the ends of a range in one unit: ``45 … 48 kW``, ``0.96 … 1.44 × 10¹⁷ m⁻³``."""
    scale = scale_of([low, high], unit)
    ends = range_ends(low / 10.0**scale.power, high / 10.0**scale.power)
    times = f" ×{NO_BREAK}" if scale.unit.startswith("10") else NO_BREAK
    if not scale.unit:
        return " … ".join(dict.fromkeys(ends))
    text = " … ".join(dict.fromkeys(ends))
    if scale.unit in {"°", "%"}:
        times = ""
    elif scale.unit.startswith("10") and ends[0] != ends[1]:
        text = f"({text})"
    return text + times + scale.unit


def _split(shown: str) -> tuple[str | None, int]:
    """Return the unit without prefix, and the power of the prefix; None if it takes none."""
    if shown in PREFIXED:
        return shown, 0
    for power, prefix in PREFIXES.items():
        if prefix and shown.startswith(prefix) and power in PREFIXED.get(shown[1:], ()):
            return shown[1:], power
    return None, 0


def _rounded(size: float, sigma: float | None) -> float:
    """Return a size rounded as printed, so that 999.96 W are 1 kW and not 1000 W."""
    if sigma is None:
        return float(f"{size:.3e}")
    return round(size, sigma_decimals(sigma))
