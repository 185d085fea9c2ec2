"""The days with shots as calendars, month by month."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence

from runner.publish.addresses import subject_page
from runner.publish.format import MONTHS
from runner.publish.parts import DayCell, Month
from runner.receipts import Subject

# shots a day at which a day gets darker; fixed, so that a busy day leaves all others as they were
LEVELS = (1, 10, 30, 60)


def months(counts: Mapping[str, int]) -> Sequence[Month]:
    """Return the months that have shots, the newest first.

    Parameters
    ----------
    counts
        Number of shots of each day (``2026-11-22``).
    """
    keys = sorted({(int(day[:4]), int(day[5:7])) for day in counts}, reverse=True)
    return [_month(year, month, counts) for year, month in keys]


def _month(year: int, month: int, counts: Mapping[str, int]) -> Month:
    weeks: list[list[DayCell | None]] = []
    total = 0
    for week in calendar.Calendar(firstweekday=0).monthdayscalendar(year, month):
        cells: list[DayCell | None] = []
        for number in week:
            if not number:
                cells.append(None)
                continue
            day = f"{year:04d}-{month:02d}-{number:02d}"
            n = counts.get(day, 0)
            total += n
            cells.append(
                DayCell(
                    day=day,
                    number=number,
                    n_shots=n,
                    level=sum(n >= least for least in LEVELS),
                    href=subject_page(Subject.day(day)) if n else "",
                )
            )
        weeks.append(cells)
    return Month(name=f"{MONTHS[month - 1]} {year}", n_shots=total, weeks=weeks)
