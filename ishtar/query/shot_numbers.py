"""Selections of shots by number: ``1234``, ``1200..1250``, ``latest``, and lists of these."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ishtar.errors import IshtarError, NoSuchShot

NUMBER = r"([0-9]{1,9})"


class BadShotSelection(IshtarError, ValueError):
    """A text is not a selection of shots."""


def select(text: str, known: Sequence[int]) -> list[int]:
    """Return the shots that a text selects, ascending, each once.

    Parameters
    ----------
    text : str
        ``1234``, ``1200..1250`` (both ends included), ``latest``, or several, separated by commas.
    known : sequence of int
        The shots that exist, ascending. A single number must be one of them, a range must contain
        at least one.

    Returns
    -------
    list of int
        Shot numbers.

    Raises
    ------
    NoSuchShot
        A part selects no existing shot.
    BadShotSelection
        The text is not a selection.
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
        elif match := re.fullmatch(NUMBER + r"\.\." + NUMBER, part):
            first, last = int(match[1]), int(match[2])
            if last < first:
                raise BadShotSelection(f"{part!r} contains no shot: write {last}..{first}")
            within = [n for n in known if first <= n <= last]
            if not within:
                raise no_such_shot(f"there is no shot in {first}..{last}", first, known)
            chosen.update(within)
        elif re.fullmatch(NUMBER, part):
            if int(part) not in existing:
                raise no_such_shot(f"there is no shot {int(part)}", int(part), known)
            chosen.add(int(part))
        else:
            raise BadShotSelection(f"{part!r} selects no shots: write 1234, 1200..1250 or latest")
    return sorted(chosen)


def no_such_shot(what: str, number: int, known: Sequence[int]) -> NoSuchShot:
    """Return the error for a missing shot, with the nearest existing numbers."""
    nearest = sorted(sorted(known, key=lambda n: abs(n - number))[:3])
    near = f"; nearest are {', '.join(map(str, nearest))}" if nearest else ""
    return NoSuchShot(
        f"{what}{near}: `ishtar shots` lists all", name=str(number), nearest=map(str, nearest)
    )
