"""The informal part of queries: words without case and accents, yes and no, units, states.

`site/theme/assets/filter.js` does the same for the pages.
"""

from __future__ import annotations

import json
import math
import re
import unicodedata
from decimal import Decimal
from functools import lru_cache

from ishtar.errors import UnitError
from ishtar.units import factor

TEXTS = ("comment", "gas", "program", "operator")  # every shot has them, possibly empty
BASE = {name: name for name in ("shot", "date", "day", *TEXTS)} | {"time": "date"}
YES_NO = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}
STATES = ("ok", "failed", "skipped", "timeout", "stale", "missing")
SPOKEN_STATES = {"timed out": "timeout", "out of date": "stale"} | dict.fromkeys(
    ("not made", "not made yet", "none"), "missing"
)
ONE_WORD = re.compile(r"[^\W\d_]+")


@lru_cache(maxsize=4096)
def folded(text: str) -> str:
    """Return a text in lower case without accents."""
    if text.isascii():
        return text.lower()
    bare = unicodedata.normalize("NFKD", text)
    return "".join(c for c in bare if not unicodedata.category(c).startswith("M")).lower()


def search_text(number: float | None, text: str | None) -> str | None:
    """Return a value as a text to search in, None if there is none."""
    if text is not None:
        return folded(text)
    if number is None:
        return None
    if not math.isfinite(number) or not 1e-6 <= abs(number) < 1e21:
        return "0" if number == 0 else re.sub(r"e([+-])0", r"e\1", repr(number))
    return f"{Decimal(repr(number)):f}".removesuffix(".0")


def has_words(texts: str, words: str) -> bool:
    """Return whether all words (a JSON list) occur in a text."""
    folded_texts = folded(texts)
    return all(folded(word) in folded_texts for word in json.loads(words))


def in_unit(value: float, given: str, own: str) -> float | None:
    """Return a number in the unit ``own``, None unless both units differ only in an SI prefix."""
    try:
        scale = factor(given, own) if own else 0.0
    except UnitError:
        return None
    power = round(math.log10(scale)) if scale > 0 else 0
    if scale == 1.0:
        return value
    words = ONE_WORD.fullmatch(given) and ONE_WORD.fullmatch(own) and given[-1] == own[-1]
    if not words or power % 3 or not math.isclose(scale, 10.0**power, rel_tol=1e-9):
        return None
    return float(Decimal(repr(value)).scaleb(power))  # exact, unlike a product


def is_one_letter_off(word: str, name: str) -> bool:
    """Return whether two words differ by at most one letter (changed, missing or added) or case."""
    a, b = folded(word), folded(name)
    if min(len(a), len(b)) < 4 or abs(len(a) - len(b)) > 1:
        return False
    i = next((i for i, (x, y) in enumerate(zip(a, b, strict=False)) if x != y), min(len(a), len(b)))
    return a[i + 1 :] == b[i + 1 :] or a[i:] == b[i + 1 :] or a[i + 1 :] == b[i:]


def state_of(words: str) -> str | None:
    """Return the state of a report that a text means, None if it means none."""
    state = SPOKEN_STATES.get(folded(words), folded(words))
    return state if state in STATES else None
