"""Units, by pint; imported only when two different units really have to be compared.

Loading pint takes a quarter of a second, which every kernel of every report would pay only to
hear that a volt is a volt: the units of `PLAIN` are known to be good (a test asks pint).
"""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Iterator
from functools import lru_cache
from typing import Any

from ishtar.errors import UnitError

# What the drivers of acquisition cards write into their files; pint knows no capitals, and takes
# "amps" for atto-miles-per-second.
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
    """Return the one unit registry (pint's)."""
    import pint

    return pint.UnitRegistry()


LONGEST = 500  # characters
LARGEST_POWER = 100


def _is_costly(text: str) -> bool:
    """Say whether pint, which computes what it reads, could be held up by a text: 9**9**9."""
    if "**" not in text and "^" not in text:
        return len(text) > LONGEST
    spelt = re.sub(r"(?<=[\w)])\s+(?=[^\W\d]|\()", " * ", text.strip()).replace("^", "**")
    try:
        tree = ast.parse(spelt.replace("·", "*"), mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True
    powers = [n for n in ast.walk(tree) if isinstance(n, ast.BinOp) and isinstance(n.op, ast.Pow)]
    return len(text) > LONGEST or not all(map(_is_power_of_units, powers))


def _is_power_of_units(power: ast.BinOp) -> bool:
    exponent = list(ast.walk(power.right))
    small = all(
        isinstance(n.value, int | float) and abs(n.value) < LARGEST_POWER
        for n in exponent
        if isinstance(n, ast.Constant)
    )
    tower = any(isinstance(n, ast.Pow) for n in exponent)
    return small and not tower and all(number == 1 for number in _numbers(power.left))


def _numbers(node: ast.AST) -> Iterator[Any]:
    """Yield the numbers of an expression that are no exponents."""
    if isinstance(node, ast.Constant):
        yield node.value
    elif isinstance(node, ast.BinOp) and isinstance(node.op, ast.Pow):
        yield from _numbers(node.left)
    else:
        for child in ast.iter_child_nodes(node):
            yield from _numbers(child)


@lru_cache(maxsize=512)
def parse_unit(text: str) -> Any:
    """Return pint's unit for ``text``; an empty text is dimensionless."""
    try:
        if _is_costly(text):
            raise ValueError("a power that no unit has")
        return registry().Unit(WORDS.get(text.casefold(), text))
    except Exception as error:  # pint raises what its tokenizer raises for hostile text
        raise UnitError(
            f"unknown unit {text!r}: write it as pint does, e.g. 'V', '1/m^3'"
        ) from error


def check_unit(text: str) -> None:
    """Raise `UnitError` for a unit that is not known."""
    if not isinstance(text, str):
        raise UnitError(f"unknown unit {text!r}: write it as text, e.g. 'V', '1/m^3'")
    if text not in PLAIN:
        parse_unit(text)


@lru_cache(maxsize=512)
def factor(source: str, target: str) -> float:
    """Return what a number in ``source`` is multiplied with to be in ``target``.

    Units that are more than a factor apart (degC and K, dBm and mW) are refused.
    """
    if source == target:
        check_unit(source)
        return 1.0
    a, b = parse_unit(source), parse_unit(target)
    if a == b:  # the same unit in other words, one with an offset too
        return 1.0
    if a.dimensionality != b.dimensionality:
        raise UnitError(f"{source!r} does not fit {target!r}: check the units that are declared")
    refused = UnitError(f"{source!r} cannot be scaled to {target!r}: use an absolute unit")
    try:
        one, two = (float(registry().Quantity(x, a).to(b).magnitude) for x in (1.0, 2.0))
    except Exception as error:  # what pint raises for offsets differs between its versions
        raise refused from error
    if not math.isclose(two, 2 * one, rel_tol=1e-12):
        raise refused
    return one


def parse_quantity(text: str | float | int, unit: str) -> float:
    """Return a quantity such as ``"5 mm"`` as a number in ``unit``; bare numbers are refused.

    Parameters
    ----------
    text : str or number
        A quantity; a number counts only where ``unit`` is 1.
    unit : str
        Unit of the result.
    """
    if not isinstance(text, str):
        raise UnitError(f'{text!r} has no unit: write it as text, e.g. "{text} {unit}"')
    number, _, name = text.strip().partition(" ")
    try:
        value = float(number)
    except ValueError as error:
        raise UnitError(f"{text!r} is no quantity: write a number, a space, a unit") from error
    if not math.isfinite(value):
        raise UnitError(f"{text!r} is no quantity: write a finite number")
    return value * factor(name.strip(), unit)
