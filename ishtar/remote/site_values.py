"""Parse numbers as the data of a site writes them."""

from __future__ import annotations

import math
from typing import Any

MAX_SHOTS = 10_000_000
NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def number_of(value: Any) -> Any:
    """Return a value; NaN and infinities, which JSON writes as texts, as floats."""
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


def shots_of(text: str) -> list[int]:
    """Return the shot numbers of a text such as ``1-12,15``; ValueError if it is none."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        numbers = range(int(first), int(last or first) + 1)
        if len(found) + len(numbers) > MAX_SHOTS:
            raise ValueError(f"more than {MAX_SHOTS} shots are not read")
        found += numbers
    return found
