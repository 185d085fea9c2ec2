"""Transforms as people read them: the equation, then its numbers, each with its sigma."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import Field, fields
from typing import Any

from ishtar.calibration.steps import is_said

LONGEST_LIST = 4  # numbers; of more, how many and from where to where


def equation(transform: Any, *, whole: bool = False) -> str:
    """Return ``y = gain · x (gain = -0.01 ± 5e-05)``; ``whole``: long lists with every number.

    A field ``sigma`` belongs to the number that its declaration names, else to the first;
    ``sigma_NAME`` to ``NAME``. What was not given is left out.
    """
    cls = type(transform)
    law = (cls.__doc__ or "").strip().splitlines()[0:1]
    if not law or law[0].startswith(f"{cls.__name__}("):  # what dataclass says where nobody does
        law = [getattr(cls, "kind", cls.__name__)]
    longest = LONGEST_LIST if not whole else math.inf
    values = {f: getattr(transform, f.name) for f in fields(transform)}
    owners = {f.name: _owner(f, [f.name for f in values]) for f in values}
    sigmas = {owners[f.name]: value for f, value in values.items() if value not in (0.0, ())}
    numbers = [
        f"{f.name} = {_number(value, longest)}"
        + (f" ± {_number(sigmas[f.name], longest)}" if f.name in sigmas else "")
        for f, value in values.items()
        if owners[f.name] is None and is_said(f, value) and value is not None
    ]
    told = law[0].replace("``", "")
    return f"{told} ({', '.join(numbers)})" if numbers else told


def _owner(f: Field[Any], names: Sequence[str]) -> str | None:
    """Return the number that a field is the sigma of, None where it is no sigma."""
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
