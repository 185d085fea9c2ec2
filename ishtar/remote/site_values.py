"""Parse numbers as the data of a site writes them."""

from __future__ import annotations

import math
from typing import Any

NOT_FINITE = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}


def number_of(value: Any) -> Any:
    """Return a value; NaN and infinities, which JSON writes as texts, as floats."""
    return NOT_FINITE.get(value, value) if isinstance(value, str) else value


def shots_of(text: str) -> list[int]:
    """Return the shot numbers of a text such as ``1-12,15``."""
    found: list[int] = []
    for part in filter(None, text.split(",")):
        first, _, last = part.partition("-")
        found += range(int(first), int(last or first) + 1)
    return found
