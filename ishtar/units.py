"""Units, by pint; imported only when two units really have to be compared."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from ishtar.errors import UnitError


@lru_cache(maxsize=1)
def registry() -> Any:
    """Return the one unit registry (pint's)."""
    import pint

    return pint.UnitRegistry()


@lru_cache(maxsize=512)
def parse_unit(text: str) -> Any:
    """Return pint's unit for ``text``; an empty text is dimensionless."""
    try:
        return registry().Unit(text)
    except Exception as error:  # pint raises what its tokenizer raises for hostile text
        raise UnitError(
            f"unknown unit {text!r}: write it as pint does, e.g. 'V', '1/m^3'"
        ) from error


@lru_cache(maxsize=512)
def factor(source: str, target: str) -> float:
    """Return what a number in ``source`` is multiplied with to be in ``target``.

    Units with an offset (degC) are refused; compare them in K.
    """
    if source == target:
        return 1.0
    a, b = parse_unit(source), parse_unit(target)
    if a.dimensionality != b.dimensionality:
        raise UnitError(f"{source!r} does not fit {target!r}: check the units that are declared")
    try:
        return float((1.0 * a).to(b).magnitude)
    except Exception as error:
        raise UnitError(
            f"{source!r} cannot be scaled to {target!r}: use an absolute unit"
        ) from error


def parse_quantity(text: str | float | int, unit: str) -> float:
    """Return a quantity such as ``"5 mm"`` as a number in ``unit``; bare numbers are refused."""
    if not isinstance(text, str):
        raise UnitError(f'{text!r} has no unit: write it as text, e.g. "{text} {unit}"')
    number, _, name = text.strip().partition(" ")
    try:
        value = float(number)
    except ValueError as error:
        raise UnitError(f"{text!r} is no quantity: write a number, a space, a unit") from error
    return value * factor(name.strip(), unit)
