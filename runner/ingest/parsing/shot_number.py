"""Read the shot number from a file's name.

A facility can state its naming rule, ``[ingest] shot_pattern``. Without one, exactly one number in
the name must be a possible shot number: dates, times of day and numbers with a unit or letters
attached are not. With two left the name is refused.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from runner.ingest.ingest_errors import Rejected
from runner.ingest.parsing.file_names import Candidate, candidates
from runner.ingest.settings import IngestSettings

_ADVICE = (
    "set [ingest] shot_pattern in ishtar.toml to the rule of your names, or ingest it with --shot N"
)
_LAST_YEAR = 2199


def shot_in(path: PurePath | str, settings: IngestSettings) -> int:
    """Return the shot number in a file's name.

    Parameters
    ----------
    path : path
        Relative to the folder where the file arrived: a pattern with ``/`` matches folders, too.
    settings : IngestSettings
        ``shot_pattern``, ``shots_per_year``, ``max_shot``.

    Raises
    ------
    Rejected
        There is none, there are several candidates, or it is out of range.
    """
    path = PurePath(path)
    if settings.shot_pattern:
        return _by_pattern(path, settings)
    return checked_shot(_by_default(path.name), settings)


def checked_shot(shot: int, settings: IngestSettings) -> int:
    """Return the shot number if it is in range, else raise `Rejected`."""
    highest = settings.max_shot
    if settings.counts_by_year:
        highest = max(highest, (_LAST_YEAR + 1) * settings.shots_per_year - 1)
    if not 1 <= shot <= highest:
        raise Rejected(
            f"{shot} is not a shot number, which go from 1 to {highest}: ingest it with --shot N"
        )
    return shot


def is_shot(number: int, shot: int, settings: IngestSettings) -> bool:
    """Return whether a number stated in a file means a shot: in full, or within its year."""
    within = settings.counts_by_year and number == shot % settings.shots_per_year
    return number == shot or within


def numbers_of(shot: int, settings: IngestSettings) -> tuple[int, ...]:
    """Return the numbers that identify a shot in a name: its own, and those of shot and year."""
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
        what = "does not match" if not found else "matches in several ways"
        raise Rejected(
            f"[ingest] shot_pattern {settings.shot_pattern!r} {what} the name {text}: "
            "correct the pattern or the name, or ingest it with --shot N"
        )
    ((year_, shot),) = found
    if not settings.counts_by_year:
        return checked_shot(shot, settings)
    if not 1 <= shot < settings.shots_per_year:
        raise Rejected(
            f"{shot} is not a shot number within a year, which go from 1 to "
            f"{settings.shots_per_year - 1} ([ingest] shots_per_year): ingest it with --shot N"
        )
    return year_ * settings.shots_per_year + shot


def _whole_number(match: re.Match[str], group: str) -> bool:
    """Return whether a group matched a complete run of digits, and only digits."""
    text, (start, stop) = match.string, match.span(group)
    # the digits of an adjacent year, 260042, are not part of the number
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
    labelled = [c for c in found.numbers if c.labelled]
    for group in (labelled, [c for c in found.numbers if not c.before_unit], found.numbers):
        if group:
            return _only(name, group, found.numbers)
    if found.moments:
        raise Rejected(
            f"the name {name} contains a date or a time of day, but no shot number: {_ADVICE}"
        )
    raise Rejected(f"the name {name} contains no separate shot number: {_ADVICE}")


def _only(name: str, group: list[Candidate], everything: list[Candidate]) -> int:
    """Return the only possible number, or refuse the name."""
    if len({c.value for c in group}) == 1 and not any(c.adjacent for c in group):
        return group[0].value
    first = everything[0]
    others = [c for c in group if c is not first]
    if (
        first in group
        and first.leading
        and not first.adjacent
        and not any(c.labelled for c in others)
        and all(len(c.digits) < len(first.digits) for c in others)
    ):
        return first.value  # NNNNN_Data_2: a long number first, only shorter ones after it
    numbers = list(dict.fromkeys(c.digits for c in everything))
    if len(numbers) == 1:
        numbers.append("a time of day")
    raise Rejected(f"a number in the name {name} may be {' or '.join(numbers)}: {_ADVICE}")
