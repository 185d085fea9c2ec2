"""Transforms in readable form: the equation, then its numbers with their sigmas."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

from ishtar.calibration.steps import counts

LONGEST_LIST = 4  # numbers; a longer list is abbreviated to its ends and its length


def equation(transform: Any, *, complete: bool = False) -> str:
    """Return the equation of a transform with its numbers: ``y = gain · x (gain = -0.01 ± 5e-05)``.

    A field ``sigma`` belongs to the number that its declaration names, else to the first field;
    ``sigma_NAME`` belongs to ``NAME``. Numbers that were not given are left out.

    Parameters
    ----------
    transform : Step
        A dataclass; the first line of its docstring is the equation.
    complete : bool, optional
        Whether to write long lists out.
    """
    cls = type(transform)
    law_lines = (cls.__doc__ or "").strip().splitlines()[0:1]
    if not law_lines or law_lines[0].startswith(f"{cls.__name__}("):  # dataclass's own docstring
        law_lines = [getattr(cls, "kind", cls.__name__)]
    longest = LONGEST_LIST if not complete else math.inf
    values = {f: getattr(transform, f.name) for f in fields(transform)}
    owners = {f.name: _owner(f, [f.name for f in values]) for f in values}
    sigmas = {owners[f.name]: value for f, value in values.items() if value not in (0.0, ())}
    numbers = [
        f"{f.name} = {_number(value, longest)}"
        + (f" ± {_number(sigmas[f.name], longest)}" if f.name in sigmas else "")
        for f, value in values.items()
        if owners[f.name] is None and counts(f, value) and value is not None
    ]
    law_text = law_lines[0].replace("``", "")
    return f"{law_text} ({', '.join(numbers)})" if numbers else law_text


def _owner(f: Field[Any], names: Sequence[str]) -> str | None:
    """Return the name of the number that a field is the sigma of, None if it is not a sigma."""
    if f.name == "sigma":
        return str(f.metadata.get("of", names[0]))
    owner = f.metadata.get("of", f.name.removeprefix("sigma_"))
    return owner if owner != f.name and owner in names else None


def _number(value: Any, longest: float) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | tuple | list):
        return str(value)
    if isinstance(value, int | float):
        return f"{value:.10g}"
    if len(value) <= longest:
        return f"[{', '.join(_number(v, longest) for v in value)}]"
    return f"[{_number(value[0], longest)} … {_number(value[-1], longest)}, {len(value)} numbers]"
