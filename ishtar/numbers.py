"""Shot numbers as people write them: ``1234``, ``1200..1250``, ``latest``, and lists of these."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ishtar.errors import IshtarError, NoSuchShot


class BadShotSelection(IshtarError, ValueError):
    """A text that names no shots."""


def select(text: str, known: Sequence[int]) -> list[int]:
    """Return the shots that ``text`` names, ascending, each once.

    Parameters
    ----------
    text : str
        ``1234``, ``1200..1250`` (both ends included), ``latest``, or several with commas.
    known : sequence of int
        The shots that exist, ascending. A single number must be one of them.
    """
    chosen: set[int] = set()
    existing = set(known)
    for part in text.split(","):
        part = part.strip()
        if part == "latest":
            if not known:
                raise NoSuchShot(
                    "there is no shot yet: ingest one, or make a demo with `ishtar demo`"
                )
            chosen.add(known[-1])
        elif match := re.fullmatch(r"(\d+)\.\.(\d+)", part):
            first, last = int(match[1]), int(match[2])
            if last < first:
                raise BadShotSelection(f"{part!r} holds no shot: write {last}..{first}")
            chosen.update(n for n in known if first <= n <= last)
        elif re.fullmatch(r"\d+", part):
            if int(part) not in existing:
                around = sorted(known, key=lambda n: abs(n - int(part)))[:3]
                near = f"; nearest are {', '.join(map(str, sorted(around)))}" if around else ""
                raise NoSuchShot(f"there is no shot {int(part)}{near}: `ishtar shots` lists all")
            chosen.add(int(part))
        else:
            raise BadShotSelection(f"{part!r} names no shots: write 1234, 1200..1250 or latest")
    return sorted(chosen)
