"""The parameters of each kind of component, and checks of the declared values.

A missing parameter is no problem until it is read: a probe may be declared before its tip is
measured. The values that are given must be valid.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ishtar.calibration.declared import ComponentDeclaration
from ishtar.errors import UnitError, did_you_mean
from ishtar.units import parse_quantity

SIGNAL, COUNT, TEXT = "a signal", "a number", "words"  # the other entries are units
SIGMA = "_sigma"  # suffix of a parameter that states the one-sigma of another
# Checked here so that common units need no import of pint, which is slow.
SAME_DIMENSION = (("m", "cm", "mm"), ("Hz", "kHz", "MHz"), ("W", "mW", "kW"), ("K",), ("ohm",))

_LINE = {
    "forward": SIGNAL,
    "reflected": SIGNAL,
    "frequency": "Hz",
    "max_power": "W",
    "power_floor": "W",
    "power_correlation": COUNT,
    "line_impedance": "ohm",
}
PARAMETERS: Mapping[str, Mapping[str, str]] = {
    "antenna": {**_LINE, "wave": TEXT, "length": "m", "fed_by": TEXT},
    "coils": {
        "current": SIGNAL,
        "radius": "m",
        "positions": "m",
        "turns": COUNT,
        "width": "m",
        "depth": "m",
    },
    "gas": {"pressure": SIGNAL, "temperature": "K"},
    "generator": _LINE,
    "langmuir_probe": {"bias": SIGNAL, "current": SIGNAL, "tip_radius": "m", "tip_length": "m"},
    "manipulator": {"signal": SIGNAL, "position": "m", "travel": "m"},
}
"""The parameters that each kind with its own physics reads, with the type or unit of each."""


def parameter_problems(row: ComponentDeclaration, signals: Collection[str]) -> Iterator[str]:
    """Yield every problem of the parameters of one component, each with file and line.

    Parameters
    ----------
    row : ComponentDeclaration
        A component of any kind; for kinds without their own physics only sigmas are checked.
    signals : collection of str
        The declared signals; empty if they are not known.
    """
    known = PARAMETERS.get(row.kind, {})
    meant = [] if known else get_close_matches(row.kind.casefold(), PARAMETERS, n=1, cutoff=0.7)
    if meant:  # a misspelt kind would silently drop its physics and its share of the field
        yield f"{row.where}: {row.name} is of kind {row.kind!r}, did you mean {meant[0]!r}?"
    for name, value in row.parameters.items():
        place = f"{row.where}: {row.name}.{name}"
        base = name.removesuffix(SIGMA)
        if base != name and base not in row.parameters:
            yield f"{place} = {value!r} is a sigma without its parameter: add {base}"
        elif base in known:
            yield from (
                f"{place} {problem}" for problem in _value_problems(name, value, known, signals)
            )
        elif hint := did_you_mean(base, [k for k in known if k not in row.parameters]):
            yield f"{place} is never read{hint}"


def _value_problems(
    name: str, value: Any, known: Mapping[str, str], signals: Collection[str]
) -> Iterator[str]:
    what = known[name.removesuffix(SIGMA)]
    if what in (SIGNAL, TEXT):
        if not isinstance(value, str):
            yield f"= {value!r} must be a text"
        elif what == SIGNAL and signals and value not in signals:
            yield f"= {value!r} is not a signal in signals.toml{did_you_mean(value, signals)}"
        return
    if what == COUNT:
        if isinstance(value, bool) or not isinstance(value, int | float):
            yield f"= {value!r} must be a bare number"
        elif not math.isfinite(value):
            yield f"= {value!r} must be a finite number"
        return
    for part in value if isinstance(value, list) else [value]:
        try:
            number = _number(part, what)
        except UnitError as error:
            yield f"= {part!r}: {error}"
            continue
        if name.endswith(SIGMA) and number < 0.0:
            yield f"= {part!r} is negative: a sigma is 0 or more"


def _number(written: Any, unit: str) -> float:
    """Return the number of a quantity of the right dimension; only its sign is used."""
    if isinstance(written, str):
        own = written.strip().partition(" ")[2].strip()
        if any(own in units and unit in units for units in SAME_DIMENSION):
            return parse_quantity(written.strip().partition(" ")[0] + f" {unit}", unit)
    return parse_quantity(written, unit)
