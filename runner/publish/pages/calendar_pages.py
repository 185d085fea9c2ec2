"""The pages of weeks and months, and days with shots as calendars: a month, a year, all years."""

from __future__ import annotations

import bisect
import calendar
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar, Literal

from runner.publish.addresses import month_page, subject_page, week_page
from runner.publish.describe import subject_link
from runner.publish.history import trend
from runner.publish.key_results import Key
from runner.publish.page_models import Page
from runner.publish.quantities import Scale, cell, scale_of
from runner.publish.shot_tables import MAX_COLUMNS
from runner.publish.subject_data import day_summary
from runner.publish.view import DaySummary, View, failure, failures_between, group_alike
from runner.publish.view_models import Column, DayCell, Failure, Heat, Link, Month, Trend, Year
from runner.receipts import Scrap, Subject
from runner.render.format import MONTHS, day_text
from runner.templates.results import ResultRecord

Kind = Literal["week", "month"]
MAX_FAILURES = 60


@dataclass(frozen=True, kw_only=True)
class DayRow:
    """A day of a week or month: its shots, failed reports, medians of the results."""

    day: Link
    name: str
    shots: Sequence[Link]
    n_shots: int
    n_failed: int
    values: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class PeriodPage(Page):
    """``weeks/2026-W47.html``, ``months/2026-11.html``.

    Attributes
    ----------
    kind
        ``week`` or ``month``.
    calendar
        The month as a calendar; None for a week.
    lines, columns
        Its days with shots, and the results whose medians they show.
    trends
        The medians of the results over the days.
    failures, n_listed, n_failed
        Failed reports, newest first; the number listed here, and the number in all.
    others
        The weeks of a month; the months of a week.
    """

    template: ClassVar[str] = "pages/period.html"
    kind: Kind
    n_shots: int
    calendar: Month | None
    columns: Sequence[Column]
    rows: Sequence[DayRow]
    trends: Sequence[Trend]
    failures: Sequence[Failure]
    n_listed: int
    n_failed: int
    others: Sequence[Link]
    previous: Link | None
    next: Link | None


def week_of(day: str) -> str:
    """Return the ISO week of a day: ``2026-W47``."""
    year, week, _ = date.fromisoformat(day).isocalendar()
    return f"{year:04d}-W{week:02d}"


def month_of(day: str) -> str:
    """Return the month of a day: ``2026-11``."""
    return day[:7]


def keys_of(kind: Kind, days: Iterable[str]) -> list[str]:
    """Return the weeks or months of some days, ascending, each once."""
    of = week_of if kind == "week" else month_of
    return sorted({of(day) for day in days})


def period_name(key: str) -> str:
    """Return a week or month in words: ``Week 47 of 2026``, ``November 2026``."""
    if "W" in key:
        return f"Week {int(key[6:])} of {key[:4]}"
    return f"{MONTHS[int(key[5:]) - 1]} {key[:4]}"


def period_link(key: str) -> Link:
    """Return the link to the page of a week or month."""
    return Link(href=(week_page if "W" in key else month_page)(key), text=period_name(key))


def periods_of(day: str) -> list[Link]:
    """Return the links to the week and the month of a day."""
    return [period_link(week_of(day)), period_link(month_of(day))]


def period_page(view: View, key: str, all_keys: Sequence[str]) -> PeriodPage:
    """Return the page of a week or month.

    Parameters
    ----------
    all_keys
        All weeks, or all months, with shots, ascending.
    """
    kind: Kind = "week" if "W" in key else "month"
    found = {day: day_summary(view, day) for day in _days(view, key)}
    days = list(found)
    numbers = sorted(n for of_day in found.values() for n in of_day.shots)
    failed = failures_between(view, numbers)
    grouped = group_alike(failure(view, f) for f in failed)
    histories = [_Medians.of(view, key, found) for key in _columns(view, found)]
    i = bisect.bisect_left(all_keys, key)
    drawn = [c.trend(days) for c in histories]
    return PeriodPage(
        path=period_link(key).href,
        title=period_name(key),
        description=f"{len(numbers)} shots on {len(days)} days: {period_name(key)}, with the "
        "medians of their results.",
        kind=kind,
        n_shots=len(numbers),
        calendar=month_calendar(int(key[:4]), int(key[5:]), view.counts)
        if kind == "month"
        else None,
        columns=[c.column for c in histories],
        rows=[
            DayRow(
                day=subject_link(Subject.day(day)),
                name=day_text(day),
                shots=[
                    Link(href=subject_page(Subject.shot(n)), text=str(n)) for n in found[day].shots
                ]
                if kind == "week"
                else [],
                n_shots=len(found[day].shots),
                n_failed=found[day].n_failed,
                values=[c.text(day) for c in histories],
            )
            for day in days
        ],
        trends=[t for t in drawn if t is not None],
        failures=grouped[:MAX_FAILURES],
        n_listed=sum(1 + len(f.alike) for f in grouped[:MAX_FAILURES]),
        n_failed=len(failed),
        others=[period_link(k) for k in keys_of("month" if kind == "week" else "week", days)],
        previous=period_link(all_keys[i - 1]) if i > 0 else None,
        next=period_link(all_keys[i + 1]) if i + 1 < len(all_keys) else None,
    )


def _days(view: View, key: str) -> list[str]:
    """Return the days with shots of a week or month."""
    if "W" in key:
        monday = date.fromisocalendar(int(key[:4]), int(key[6:]), 1)
        span = [(monday + timedelta(days=k)).isoformat() for k in range(7)]
    else:
        span = [f"{key}-{k:02d}" for k in range(1, 32)]
    return [day for day in span if day in view.counts]


def _columns(view: View, found: Mapping[str, DaySummary]) -> list[Key]:
    """Return the results to show; if the days differ, those of the newest first."""
    order = {name: i for i, name in enumerate(view.templates)}
    keys = dict.fromkeys(key for of_day in reversed(list(found.values())) for key in of_day.medians)
    key_names = {t.name: list(t.key) for t in view.templates.values()}

    def place(key: Key) -> tuple[int, int]:
        names = key_names.get(key[0], [])
        rank = names.index(key[1]) if key[1] in names else len(names)
        return order.get(key[0], len(order)), rank

    return view.results.chosen(sorted(keys, key=place), MAX_COLUMNS)


@dataclass(frozen=True, kw_only=True)
class _Medians:
    """A result over the days of a period: the median of each day, in the newest day's unit."""

    template: str
    name: str
    known: ResultRecord
    unit: str
    scale: Scale
    medians: Mapping[str, float]

    @classmethod
    def of(cls, view: View, key: Key, found: Mapping[str, DaySummary]) -> _Medians:
        of_days = {day: d.medians[key] for day, d in found.items() if key in d.medians}
        unit = of_days[max(of_days)][1]
        medians = {day: value for day, (value, of_day) in of_days.items() if of_day == unit}
        return cls(
            template=key[0],
            name=key[1],
            known=view.results.record(*key),
            unit=unit,
            scale=scale_of([abs(v) for v in medians.values()], unit),
            medians=medians,
        )

    @property
    def column(self) -> Column:
        return Column(
            name=self.name,
            label=self.known.label,
            symbol=self.known.symbol,
            unit=self.scale.unit,
            template=self.template,
        )

    def text(self, day: str) -> str:
        value = self.medians.get(day)
        return "" if value is None else str(cell(value, None, self.unit, self.scale))

    def trend(self, days: Sequence[str]) -> Trend | None:
        scraps = {
            day: Scrap(name=self.name, value=value, unit=self.unit)
            for day, value in self.medians.items()
        }
        return trend(self.name, [(day, scraps.get(day)) for day in days], self.known)


# shots per day for each level; fixed, so that a busy day does not change the levels of others
LEVELS = (1, 5, 20, 50)


def month_calendar(year: int, month: int, counts: Mapping[str, int]) -> Month:
    """Return a month as a calendar."""
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
        The day in the last week of the calendar.
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
        # the name of a month is above its first Monday
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
