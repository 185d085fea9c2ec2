"""Ranges of shots as people write them, for reports over many shots."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ishtar.catalogue import Catalogue
from ishtar.query.shot_numbers import NUMBER, select
from runner.errors import ParameterError
from runner.receipts import Subject
from runner.templates.template import Templates


def range_of(text: str, known: Sequence[int], template: str) -> Subject:
    """Return the range that ``text`` names, as it is written: shots that come later belong to it.

    Parameters
    ----------
    text : str
        ``1200..1250``, both ends included.
    known : sequence of int
        The shots that exist, ascending; the range must hold one of them.
    template : str
        Whose report is asked for.

    Raises
    ------
    BadShotSelection, NoSuchShot
        No selection of shots at all, or of none that exists.
    ParameterError
        Shots, but no range.
    """
    numbers = select(text, known)
    match = re.fullmatch(NUMBER + r"\.\." + NUMBER, text.strip())
    if match is None:
        raise ParameterError(
            f"{template} is made for a range of shots, {text!r} is none: write "
            f"{numbers[0]}..{known[-1]}"
        )
    return Subject.range(int(match[1]), int(match[2]))


def asked_ranges(
    templates: Templates, names: Collection[str] | None, shots: str | None, catalogue: Catalogue
) -> list[Subject]:
    """Return the ranges that someone asks a report of, by naming a template and a range.

    Without a range there is nothing to add: reports that exist are kept up to date. Where there is
    none yet either, that is an error.

    Parameters
    ----------
    names : collection of str, optional
        The templates that are named.
    shots : str, optional
        The shots that are named, as text.
    """
    for name in names or ():
        if templates[name].scope != "range":
            continue
        if shots is not None:
            return [range_of(shots, catalogue.shots(), name)]
        if not catalogue.reports(scope="range", template=name, current=True):
            raise ParameterError(
                f"{name} is made for a range of shots when someone asks for it: add --shots with "
                "a range, --shots 1200..1250"
            )
    return []


def holds_any(subject: Subject, shots: Collection[int]) -> bool:
    """Tell whether a range holds one of some shots."""
    first, last = (int(n) for n in subject.key.split(".."))
    return any(first <= n <= last for n in shots)


def subjects_about(shots: Collection[int], catalogue: Catalogue) -> list[Subject]:
    """Return everything that reports on some shots are filed under: shots, their days, ranges."""
    days = [d for d in catalogue.days() if set(shots) & set(catalogue.shots(d))]
    keys = {row.subject for row in catalogue.reports(scope="range")}
    ranges = [Subject("range", key) for key in sorted(keys)]
    return [
        *map(Subject.shot, shots),
        *map(Subject.day, days),
        *(subject for subject in ranges if holds_any(subject, shots)),
    ]
