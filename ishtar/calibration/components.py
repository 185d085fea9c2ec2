"""What the parameters of a component mean, kind by kind, and what is wrong with those declared.

What is absent is no problem before somebody asks for it: a probe may be declared before anybody
has measured its tip. What is there has to make sense.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from ishtar.calibration.declared import ComponentDeclaration
from ishtar.errors import UnitError, did_you_mean
from ishtar.units import parse_quantity

SIGNAL, COUNT, WORDS = "a signal", "a number", "words"  # the other entries are units
SIGMA = "_sigma"  # ends the parameter that states the one-sigma of another
# Units that fit one another without asking pint, which takes long to load.
FIT = (("m", "cm", "mm"), ("Hz", "kHz", "MHz"), ("W", "mW", "kW"), ("K",), ("ohm",))

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
    "antenna": {**_LINE, "wave": WORDS, "length": "m", "fed_by": WORDS},
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
"""The parameters that the kinds with physics of their own read, each with what it has to be."""


def parameter_problems(row: ComponentDeclaration, signals: Collection[str]) -> Iterator[str]:
    """Yield what is wrong with the parameters of one component, each with file and line.

    Parameters
    ----------
    row : ComponentDeclaration
        Of any kind; of those without physics of their own only the sigmas are looked at.
    signals : collection of str
        Those declared; empty where that is not known.
    """
    known = PARAMETERS.get(row.kind, {})
    meant = [] if known else get_close_matches(row.kind.casefold(), PARAMETERS, n=1, cutoff=0.7)
    if meant:  # its physics, and its share of the field, would be missing in silence
        yield f"{row.where}: {row.name} is of kind {row.kind!r}, did you mean {meant[0]!r}?"
    for name, value in row.parameters.items():
        place = f"{row.where}: {row.name}.{name}"
        base = name.removesuffix(SIGMA)
        if base != name and base not in row.parameters:
            yield f"{place} = {value!r} is the sigma of no parameter: give {base} as well"
        elif base in known:
            yield from (f"{place} {problem}" for problem in _wrong(name, value, known, signals))
        elif hint := did_you_mean(base, [k for k in known if k not in row.parameters]):
            yield f"{place} is read by nobody{hint}"


def _wrong(
    name: str, value: Any, known: Mapping[str, str], signals: Collection[str]
) -> Iterator[str]:
    what = known[name.removesuffix(SIGMA)]
    if what in (SIGNAL, WORDS):
        if not isinstance(value, str):
            yield f"= {value!r} must be a text"
        elif what == SIGNAL and signals and value not in signals:
            yield f"= {value!r} is no signal of signals.toml{did_you_mean(value, signals)}"
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
            yield f"= {part!r} is no sigma: give 0 or more"


def _number(written: Any, unit: str) -> float:
    """Return the number of a quantity whose unit fits; its sign is that in any such unit."""
    if isinstance(written, str):
        own = written.strip().partition(" ")[2].strip()
        if any(own in units and unit in units for units in FIT):
            return parse_quantity(written.strip().partition(" ")[0] + f" {unit}", unit)
    return parse_quantity(written, unit)
