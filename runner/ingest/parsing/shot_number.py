"""Which shot a file belongs to, by its name.

A facility that names its files by a rule says the rule, ``[ingest] shot_pattern``. Without one a
number must be the only one in the name that can be a shot: dates, times of day, and numbers with a
unit or letters at them are not, and where two are left the name is refused.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from runner.ingest.ingest_errors import Rejected
from runner.ingest.parsing.file_names import Candidate, candidates
from runner.ingest.settings import IngestSettings

_ADVICE = (
    "say how names are built ([ingest] shot_pattern in ishtar.toml), or ingest it with --shot N"
)
_LAST_YEAR = 2199


def shot_in(path: PurePath | str, settings: IngestSettings) -> int:
    """Return the shot number that a file's name gives.

    Parameters
    ----------
    path : path
        The file, below the folder where it arrived: a pattern with ``/`` sees the folders, too.
    settings : IngestSettings
        ``shot_pattern``, ``shots_per_year``, ``max_shot``.

    Raises
    ------
    Rejected
        There is none, there are several that could be it, or it cannot be right.
    """
    path = PurePath(path)
    if settings.shot_pattern:
        return _by_pattern(path, settings)
    return checked_shot(_by_default(path.name), settings)


def checked_shot(shot: int, settings: IngestSettings) -> int:
    """Return the shot number if it can be one, else raise `Rejected`."""
    highest = settings.max_shot
    if settings.counts_by_year:
        highest = max(highest, (_LAST_YEAR + 1) * settings.shots_per_year - 1)
    if not 1 <= shot <= highest:
        raise Rejected(
            f"{shot} is no shot number, they go from 1 to {highest}: ingest it with --shot N"
        )
    return shot


def is_shot(number: int, shot: int, settings: IngestSettings) -> bool:
    """Say whether a number that a file states names a shot: in full, or within its year."""
    within = settings.counts_by_year and number == shot % settings.shots_per_year
    return number == shot or within


def numbers_of(shot: int, settings: IngestSettings) -> tuple[int, ...]:
    """Return the numbers that stand for a shot in a name: its own, or those of shot and year."""
    if settings.counts_by_year and shot >= settings.shots_per_year:
        return (shot, *divmod(shot, settings.shots_per_year)[::-1])
    return (shot,)


def _by_pattern(path: PurePath, settings: IngestSettings) -> int:
    pattern = re.compile(settings.shot_pattern, re.IGNORECASE)
    text = path.as_posix() if "/" in settings.shot_pattern else path.name
    found: set[tuple[int, int]] = set()
    for match in pattern.finditer(text):
        year = match["year"] if "year" in pattern.groupindex else None
        if match["shot"] is None or not _whole_number(match, "shot"):
            continue
        if settings.counts_by_year and (year is None or not _whole_number(match, "year")):
            continue
        found.add((_year(year), int(match["shot"])))
    if len(found) != 1:
        what = "does not match" if not found else "matches at several places"
        raise Rejected(
            f"[ingest] shot_pattern {settings.shot_pattern!r} {what} in the name {text}: "
            "correct the pattern or the name, or ingest it with --shot N"
        )
    ((year_, shot),) = found
    if not settings.counts_by_year:
        return checked_shot(shot, settings)
    if not 1 <= shot < settings.shots_per_year:
        raise Rejected(
            f"{shot} is no number of a shot in its year, they go from 1 to "
            f"{settings.shots_per_year - 1} ([ingest] shots_per_year): ingest it with --shot N"
        )
    return year_ * settings.shots_per_year + shot


def _whole_number(match: re.Match[str], group: str) -> bool:
    """Say whether a group took all the digits that stand together there, and only digits."""
    text, (start, stop) = match.string, match.span(group)
    # digits of the year beside it, 26 0042, are no part of the number
    year = match.span("year") if "year" in match.re.groupindex else (-1, -1)
    before = text[max(start - 1, 0) : start] if year[1] != start else ""
    behind = text[stop : stop + 1] if year[0] != stop else ""
    around = before + behind
    part = text[start:stop]
    return part.isascii() and part.isdigit() and (group == "year" or not _has_digit(around))


def _has_digit(text: str) -> bool:
    return any(c.isdigit() for c in text)


def _year(text: str | None) -> int:
    year = int(text or 0)
    return year + 2000 if text is not None and len(text) == 2 else year


def _by_default(name: str) -> int:
    found = candidates(name)
    told = [c for c in found.numbers if c.told]
    for group in (told, [c for c in found.numbers if not c.before_unit], found.numbers):
        if group:
            return _only(name, group, found.numbers)
    if found.moments:
        raise Rejected(
            f"the name {name} holds a date or a time of day, but no shot number: {_ADVICE}"
        )
    raise Rejected(f"the name {name} holds no shot number that stands by itself: {_ADVICE}")


def _only(name: str, group: list[Candidate], everything: list[Candidate]) -> int:
    """Return the one number that a name gives, or refuse."""
    if len({c.value for c in group}) == 1 and not any(c.runs_on for c in group):
        return group[0].value
    first = everything[0]
    others = [c for c in group if c is not first]
    if (
        first in group
        and first.leads
        and not first.runs_on
        and not any(c.told for c in others)
        and all(len(c.digits) < len(first.digits) for c in others)
    ):
        return first.value  # NNNNN_Data_2: the long number in front, a short one behind it
    numbers = list(dict.fromkeys(c.digits for c in everything))
    if len(numbers) == 1:
        numbers.append("that may be a time of day")
    raise Rejected(f"the shot number in the name {name} may be {' or '.join(numbers)}: {_ADVICE}")
