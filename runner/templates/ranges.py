"""Parse ranges of shots, for reports over many shots."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from ishtar.catalogue import Catalogue
from ishtar.query.shot_numbers import NUMBER, select
from runner.errors import ParameterError
from runner.receipts import Subject
from runner.templates.template import Templates


def range_of(text: str, known: Sequence[int], template: str) -> Subject:
    """Return the range given by ``text`` as written, so that it includes later shots.

    Parameters
    ----------
    text : str
        ``1200..1250``, both ends included.
    known : sequence of int
        The existing shots, ascending; the range must contain at least one.
    template : str
        The template to run, for the message.

    Raises
    ------
    BadShotSelection, NoSuchShot
        The text is not a selection of shots, or none of them exists.
    ParameterError
        The text selects shots but is not a range.
    """
    numbers = select(text, known)
    match = re.fullmatch(NUMBER + r"\.\." + NUMBER, text.strip())
    if match is None:
        raise ParameterError(
            f"{template} is made for a range of shots, which {text!r} is not: write "
            f"{numbers[0]}..{known[-1]}"
        )
    return Subject.range(int(match[1]), int(match[2]))


def requested_ranges(
    templates: Templates, names: Collection[str] | None, shots: str | None, catalogue: Catalogue
) -> list[Subject]:
    """Return the requested ranges, given by a template for ranges and a range.

    Without a range, existing reports are kept up to date; if there are none yet, raise an error.

    Parameters
    ----------
    names : collection of str, optional
        The requested templates.
    shots : str, optional
        The requested shots, as text.
    """
    for name in names or ():
        if templates[name].scope != "range":
            continue
        if shots is not None:
            return [range_of(shots, catalogue.shots(), name)]
        if not catalogue.reports(scope="range", template=name, current=True):
            raise ParameterError(
                f"{name} is made for a range of shots, on request: add --shots with a range, "
                "--shots 1200..1250"
            )
    return []


def contains_any(subject: Subject, shots: Collection[int]) -> bool:
    """Return whether a range contains any of some shots."""
    first, last = (int(n) for n in subject.key.split(".."))
    return any(first <= n <= last for n in shots)


def related_subjects(shots: Collection[int], catalogue: Catalogue) -> list[Subject]:
    """Return the subjects of all reports on some shots: the shots, their days and ranges."""
    days = [d for d in catalogue.days() if set(shots) & set(catalogue.shots(d))]
    keys = {row.subject for row in catalogue.reports(scope="range")}
    ranges = [Subject("range", key) for key in sorted(keys)]
    return [
        *map(Subject.shot, shots),
        *map(Subject.day, days),
        *(subject for subject in ranges if contains_any(subject, shots)),
    ]
