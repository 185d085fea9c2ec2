"""The landing pages: home, the newest shot, all days, undated shots, and "not found"."""

from __future__ import annotations

from collections.abc import Iterator

from runner.publish.addresses import DAYS, HOME, LATEST, NOT_FOUND, UNDATED, subject_page
from runner.publish.describe import attributes, number_spans, sentences, subject_link, subject_text
from runner.publish.history import key_values
from runner.publish.page_models import (
    DaysPage,
    HomePage,
    LatestPage,
    LatestShot,
    NotFoundPage,
    UndatedPage,
)
from runner.publish.pages.calendar_pages import heat, periods_of, years
from runner.publish.shot_tables import shot_table
from runner.publish.view import View, failure, failures_between, group_alike
from runner.publish.view_models import Failure, Image, Link, ShotTable
from runner.receipts import Subject
from runner.render.format import time_text

RECENT_SHOTS = 50
MAX_FAILURES = 12
MAX_TROUBLES = 12
HOME_ROWS = 12
UNDATED_ROWS = 100
HOME_VALUES = 9
WALL_VALUES = 5


def home_page(view: View) -> HomePage:
    """Return ``index.html``."""
    newest = view.days[-1] if view.days else ""
    rows = list(reversed(view.source.shots_of(newest)))[:HOME_ROWS] if newest else []
    failures = group_alike(_failures(view))
    troubles = list(view.source.troubles())
    latest = _latest(view, HOME_VALUES)
    tagline = view.source.facility.tagline
    return HomePage(
        path=HOME,
        title=view.source.facility.name,
        description=sentences(
            tagline[:1].upper() + tagline[1:],
            f"{len(view.numbers)} shots on {len(view.days)} days" if view.days else "",
            f"The newest is {latest_text(latest)}" if latest else "",
        ),
        latest=latest,
        day=subject_link(Subject.day(newest)) if newest else None,
        table=shot_table(view, rows) if rows else None,
        day_reports=[
            card for card in view.cards(Subject.day(newest)) if card.mark.state != "missing"
        ]
        if newest
        else [],
        failures=failures[:MAX_FAILURES],
        more_failures=sum(1 + len(f.alike) for f in failures[MAX_FAILURES:]),
        troubles=troubles[:MAX_TROUBLES],
        more_troubles=len(troubles[MAX_TROUBLES:]),
        periods=periods_of(newest) if newest else [],
        heat=heat(view.counts, newest) if newest else None,
        ranges=_ranges(view)[-10:],
        n_shots=len(view.numbers),
        n_days=len(view.days),
        n_undated=len(view.undated),
        undated=_newest_undated(view),
        known_shots=number_spans(view.numbers),
    )


def latest_page(view: View) -> LatestPage:
    """Return ``latest.html``."""
    latest = _latest(view, WALL_VALUES)
    title = f"Shot {latest.shot}" if latest else "No shots yet"
    description = latest_text(latest) if latest else ""
    return LatestPage(path=LATEST, title=title, description=sentences(description), latest=latest)


def latest_text(latest: LatestShot) -> str:
    """Return the newest shot and its date as text."""
    return f"shot {latest.shot}" + (f" of {time_text(latest.date)}" if latest.date else "")


def days_page(view: View) -> DaysPage:
    """Return ``days/index.html``."""
    return DaysPage(
        path=DAYS,
        title="All days",
        description=f"A calendar of all {len(view.numbers)} shots, day by day, and reports across "
        "shots.",
        heat=heat(view.counts, view.days[-1]) if view.days else None,
        years=years(view.counts),
        ranges=_ranges(view),
        n_shots=len(view.numbers),
        n_days=len(view.days),
        n_undated=len(view.undated),
    )


def undated_page(view: View) -> UndatedPage:
    """Return ``days/undated.html``."""
    newest = list(reversed(view.undated))
    return UndatedPage(
        path=UNDATED,
        title="Shots without a date",
        description=f"{len(newest)} shots whose date no source states.",
        table=shot_table(view, newest[:UNDATED_ROWS]),
        others=[
            Link(href=subject_page(Subject.shot(n)), text=str(n)) for n in newest[UNDATED_ROWS:]
        ],
    )


def _newest_undated(view: View) -> ShotTable | None:
    """Return the last shots without a date, if the newest shot is one of them."""
    if not view.undated or view.undated[-1] != view.numbers[-1]:
        return None
    return shot_table(view, list(reversed(view.undated))[:HOME_ROWS])


def not_found_page() -> NotFoundPage:
    """Return ``404.html``."""
    return NotFoundPage(path=NOT_FOUND, title="No such page")


def _latest(view: View, most: int) -> LatestShot | None:
    if not view.numbers:
        return None
    number = view.numbers[-1]
    subject = Subject.shot(number)
    record = view.shot(number)
    picture, picture_href = None, ""
    for report in view.reports(subject):
        fragment = view.fragment(report)
        if fragment and fragment.figures:
            figure = fragment.figures[0]
            picture = Image(
                href=f"{report.stem}/{figure.file}",
                width=figure.width,
                height=figure.height,
                alt=f"{view.title(report)} of shot {number}: {fragment.alts[0]}",
            )
            picture_href = report.page
            break
    shown = view.results.chosen(view.key_scraps(subject), most)
    values = {(v.template, v.name): v for v in key_values(view, number)}
    return LatestShot(
        shot=number,
        href=subject_page(subject),
        date=record.date,
        attributes=attributes(record),
        problems=list(record.problems),
        values=[values[key] for key in shown],
        marks=view.marks(subject),
        picture=picture,
        picture_href=picture_href,
    )


def _failures(view: View) -> Iterator[Failure]:
    """Yield the failed reports of the last days and shots, newest first."""
    days = set(view.days[-2:])
    # newest first, at most one for each template: this limit covers both days
    most = len(days) * max(1, len(view.templates))
    for summary in view.source.failures(most, scope="day"):
        if summary.subject.key in days:
            yield failure(view, summary)
    for summary in failures_between(view, view.numbers[-RECENT_SHOTS:]):
        yield failure(view, summary)


def _ranges(view: View) -> list[Link]:
    return [
        Link(
            href=report.page,
            text=f"{view.title(report)}, {subject_text(subject).lower()}",
        )
        for subject in view.source.ranges()
        for report in (*view.reports(subject), *view.reruns(subject))
    ]
