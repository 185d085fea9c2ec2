"""Units by pint, which is imported only to compare different units.

Importing pint takes a quarter of a second, which every kernel would pay just to confirm that a volt
is a volt: the units in `PLAIN` are known to be valid (a test checks them with pint).
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ishtar.errors import UnitError

# Units in the files of acquisition cards' drivers; pint does not accept capitals, and reads "amps"
# as atto-miles-per-second.
WORDS = {
    "volts": "V",
    "amps": "A",
    "ohms": "ohm",
    "watts": "W",
    "pascals": "Pa",
    "kelvins": "K",
    "seconds": "s",
}
PLAIN = frozenset(
    ["", "count", "V", "mV", "A", "mA", "W", "mW", "kW", "Pa", "mbar", "T", "mT", "K", "eV", "ohm"]
) | frozenset(
    ["Hz", "kHz", "MHz", "s", "ms", "m", "cm", "mm", "J", "T/A", "1/m^3", "1/cm^3", "m^-3"]
)


@lru_cache(maxsize=1)
def registry() -> Any:
    """Return the shared unit registry of pint."""
    import pint

    return pint.UnitRegistry()


MAX_LENGTH = 500  # characters
MAX_POWER = 100


def _is_expensive(text: str) -> bool:
    """Return whether pint, which evaluates its input, could hang on a text: 9**9**9."""
    if "**" not in text and "^" not in text:
        return len(text) > MAX_LENGTH
    spelt = re.sub(r"(?<=[\w)])\s+(?=[^\W\d]|\()", " * ", text.strip()).replace("^", "**")
    try:
        tree = ast.parse(spelt.replace("·", "*"), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    powers = [n for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow)]
    return len(text) > MAX_LENGTH or not all(map(_is_power_of_units, powers))


def _is_power_of_units(power: ast.BinOp) -> bool:
    exponent = list(ast.walk(power.right))
    small = all(
        isinstance(n.value, int | float) and abs(n.value) < MAX_POWER
        for n in exponent
        if isinstance(n, ast.Constant)
    )
    tower = any(isinstance(n, ast.Pow) for n in exponent)
    return small and not tower and all(number == 1 for number in _numbers(power.left))


def _numbers(node: ast.AST) -> Iterator[Any]:
    """Yield the numbers in an expression that are not exponents."""
    if isinstance(node, ast.Constant):
        yield node.value
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield from _numbers(node.left)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _numbers(child)


@lru_cache(maxsize=512)
def parse_unit(text: str) -> Any:
    """Return pint's unit for a text; an empty text is dimensionless.

    Raises
    ------
    UnitError
        The unit is unknown.
    """
    try:
        if _is_expensive(text):
            raise ValueError("implausible power or length")
        return registry().Unit(WORDS.get(text.casefold(), text))
    except Exception as error:  # for hostile text pint raises whatever its tokenizer raises
        raise UnitError(
            f"unknown unit {text!r}: write it as pint does, e.g. 'V', '1/m^3'"
        ) from error


def check_unit(text: str) -> None:
    """Raise `UnitError` if a unit is unknown."""
    if not isinstance(text, str):
        raise UnitError(f"unknown unit {text!r}: write it as text, e.g. 'V', '1/m^3'")
    if text not in PLAIN:
        parse_unit(text)


@lru_cache(maxsize=512)
def factor(source: str, target: str) -> float:
    """Return the factor that converts a number from one unit to another.

    Parameters
    ----------
    source, target : str
        The units.

    Raises
    ------
    UnitError
        A unit is unknown, they have different dimensions, or their conversion is not a factor
        (degC and K, dBm and mW).
    """
    if source == target:
        check_unit(source)
        return 1.0
    a, b = parse_unit(source), parse_unit(target)
    if a == b:  # the same unit with another spelling, also one with an offset
        return 1.0
    if a.dimensionality != b.dimensionality:
        raise UnitError(f"{source!r} does not fit {target!r}: check the units that are declared")
    refused = UnitError(f"{source!r} cannot be scaled to {target!r}: use an absolute unit")
    try:
        one, two = (float(registry().Quantity(x, a).to(b).magnitude) for x in (1.0, 2.0))
    except Exception as error:  # for offsets, pint's exception depends on its version
        raise refused from error
    if not math.isclose(two, 2 * one, rel_tol=1e-12):
        raise refused
    return one


def parse_quantity(text: str | float | int, unit: str) -> float:
    """Return a quantity such as ``"5 mm"`` as a number in ``unit``.

    Parameters
    ----------
    text : str
        A number, a space and a unit.
    unit : str
        The unit of the result.

    Raises
    ------
    UnitError
        The text is not a quantity (a bare number is none), or its unit does not match.
    """
    if not isinstance(text, str):
        raise UnitError(f'{text!r} has no unit: write it as text, e.g. "{text} {unit}"')
    number, _, name = text.strip().partition(" ")
    try:
        value = float(number)
    except ValueError as error:
        raise UnitError(f"{text!r} is not a quantity: write a number, a space, a unit") from error
    if not math.isfinite(value):
        raise UnitError(f"{text!r} is not a quantity: write a finite number")
    return value * factor(name.strip(), unit)
