"""The days with shots as calendars: a month, the weeks of a year, the months of all years."""

from __future__ import annotations

import calendar
from collections.abc import Mapping, Sequence
from datetime import date, timedelta

from runner.publish.addresses import month_page, subject_page
from runner.publish.view_models import DayCell, Heat, Month, Year
from runner.receipts import Subject
from runner.render.format import MONTHS

# shots a day at which a day gets darker; fixed, so that a busy day leaves all others as they were
LEVELS = (1, 5, 20, 50)


def month_of(year: int, month: int, counts: Mapping[str, int]) -> Month:
    """Return one month."""
    weeks: list[list[DayCell | None]] = []
    total = 0
    for week in calendar.Calendar(firstweekday=0).monthdayscalendar(year, month):
        cells: list[DayCell | None] = []
        for number in week:
            if not number:
                cells.append(None)
                continue
            day = date(year, month, number)
            n = counts.get(day.isoformat(), 0)
            total += n
            cells.append(_cell(day, n))
        weeks.append(cells)
    return Month(
        name=f"{MONTHS[month - 1]} {year}",
        href=month_page(f"{year:04d}-{month:02d}") if total else "",
        n_shots=total,
        weeks=weeks,
    )


def heat(counts: Mapping[str, int], newest: str, n_weeks: int = 53) -> Heat:
    """Return the last weeks up to a day as columns, Monday to Sunday.

    Parameters
    ----------
    counts
        Number of shots of each day.
    newest
        The day in whose week the calendar ends.
    """
    last = date.fromisoformat(newest)
    monday = last - timedelta(days=last.weekday() + 7 * (n_weeks - 1))
    columns: list[list[DayCell | None]] = []
    names: list[tuple[str, int]] = []
    total = 0
    for week in range(n_weeks):
        begin = monday + timedelta(days=7 * week)
        columns.append([])
        for weekday in range(7):
            day = begin + timedelta(days=weekday)
            n = counts.get(day.isoformat(), 0)
            total += n
            columns[-1].append(_cell(day, n) if day <= last else None)
        # a month is named where its first Monday is
        name = f"{MONTHS[begin.month - 1][:3]}" if begin.day <= 7 or not week else ""
        if name:
            names.append((f"{name} {begin.year}" if begin.month == 1 or not week else name, 1))
        else:
            names[-1] = (names[-1][0], names[-1][1] + 1)
    rows = [[column[weekday] for column in columns] for weekday in range(7)]
    return Heat(months=names, rows=rows, n_shots=total, first=monday.isoformat(), last=newest)


def years(counts: Mapping[str, int]) -> Sequence[Year]:
    """Return all years with shots, the newest first, each with the counts of its months."""
    found: dict[int, list[int]] = {}
    for day, n in counts.items():
        found.setdefault(int(day[:4]), [0] * 12)[int(day[5:7]) - 1] += n
    return [
        Year(
            year=year,
            n_shots=sum(of_months),
            months=[
                (MONTHS[i], n, month_page(f"{year:04d}-{i + 1:02d}") if n else "")
                for i, n in enumerate(of_months)
            ],
        )
        for year, of_months in sorted(found.items(), reverse=True)
    ]


def _cell(day: date, n: int) -> DayCell:
    return DayCell(
        day=day.isoformat(),
        number=day.day,
        n_shots=n,
        level=sum(n >= least for least in LEVELS),
        href=subject_page(Subject.day(day.isoformat())) if n else "",
    )
