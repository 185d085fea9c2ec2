"""Select shots from a text: numbers, ranges, the latest, or a query."""

from __future__ import annotations

import re

from ishtar.catalogue import Catalogue
from ishtar.query.shot_numbers import NUMBER, select

PART = r"[^\s;=<>!~]*"
NUMBERS = re.compile(rf"\s*(latest|{NUMBER}|{PART}\.\.{PART})\s*")  # a range, well written or not


def choose_shots(catalogue: Catalogue, text: str) -> list[int]:
    """Return the shots selected by a text, ascending.

    ``7``, ``3..9``, ``latest`` and lists of them are numbers, anything else is a query. Numbers
    must exist; a query may match nothing.
    """
    if all(NUMBERS.fullmatch(part) for part in text.split(",")):
        return select(text, catalogue.shots())
    return catalogue.find(text)
