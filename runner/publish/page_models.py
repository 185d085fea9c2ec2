"""The data of each page: one frozen dataclass for each kind of page.

A page template gets its page as ``page``, what all pages share as ``site``, and the function
``url(path)``, which turns a path in the site (``shots/01234/index.html``) into an address relative
to the page. All text in these records is plain and untrusted; templates escape it. The one
exception is `ReportPage.body`, which `runner.render.notebook` has sanitised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from typing import ClassVar

from markupsafe import Markup

from runner.publish.records import ComponentRecord, SourceRecord, WiringRow
from runner.publish.view_models import (
    Change,
    Citation,
    Failure,
    Heat,
    Image,
    Link,
    Mark,
    Provenance,
    ReportCard,
    RerunLink,
    ShotTable,
    Trend,
    Value,
    Year,
)


@dataclass(frozen=True, kw_only=True)
class Page:
    """What every page has: its path in the site, and its title.

    ``styles`` and ``scripts`` name the assets that only this kind of page loads, in order.
    ``description`` is a sentence or two for search engines and link previews.
    """

    template: ClassVar[str]
    styles: ClassVar[Sequence[str]] = ()
    scripts: ClassVar[Sequence[str]] = ()
    path: str
    title: str
    description: str = ""


@dataclass(frozen=True, kw_only=True)
class HomePage(Page):
    """``index.html``.

    Attributes
    ----------
    latest
        The newest shot; None if the site is empty.
    day
        The newest day.
    table
        Its shots, newest first.
    periods
        The week and the month of the newest day.
    heat
        The last year as a calendar; None if the site is empty.
    more_failures, more_troubles
        How many more there are than this page lists.
    known_shots
        All shot numbers as ``1-12,15``, for the field that goes to a shot.
    """

    template: ClassVar[str] = "pages/home.html"
    latest: LatestShot | None
    day: Link | None
    table: ShotTable | None
    day_reports: Sequence[ReportCard]
    failures: Sequence[Failure]
    more_failures: int
    troubles: Sequence[str]
    more_troubles: int
    periods: Sequence[Link]
    heat: Heat | None
    ranges: Sequence[Link]
    n_shots: int
    n_days: int
    n_undated: int
    undated: ShotTable | None
    known_shots: str


@dataclass(frozen=True, kw_only=True)
class LatestShot:
    """The newest shot in brief. ``picture`` is the first figure of its first report."""

    shot: int
    href: str
    date: Date | None
    attributes: Sequence[tuple[str, str]]
    problems: Sequence[str]
    values: Sequence[Value]
    marks: Sequence[Mark]
    picture: Image | None
    picture_href: str


@dataclass(frozen=True, kw_only=True)
class LatestPage(Page):
    """``latest.html``, for a screen on the wall; it reloads every ``refresh_s`` seconds."""

    template: ClassVar[str] = "pages/latest.html"
    latest: LatestShot | None
    refresh_s: int = 15


@dataclass(frozen=True, kw_only=True)
class DaysPage(Page):
    """``days/index.html``: all days and ranges.

    Attributes
    ----------
    heat
        The last year as a calendar; None if the site is empty.
    years
        All years with their months, newest first.
    n_undated
        Number of shots without a date; they have their own page.
    """

    template: ClassVar[str] = "pages/days.html"
    heat: Heat | None
    years: Sequence[Year]
    ranges: Sequence[Link]
    n_shots: int
    n_days: int
    n_undated: int


@dataclass(frozen=True, kw_only=True)
class UndatedPage(Page):
    """``days/undated.html``: the shots whose sources state no date.

    Attributes
    ----------
    table
        The newest of them.
    others
        The shots that are not in the table, newest first.
    """

    template: ClassVar[str] = "pages/undated.html"
    table: ShotTable
    others: Sequence[Link]


@dataclass(frozen=True, kw_only=True)
class DayPage(Page):
    """``days/2026-11-22.html``. ``periods`` are its week and month."""

    template: ClassVar[str] = "pages/day.html"
    day: str
    periods: Sequence[Link]
    table: ShotTable
    trends: Sequence[Trend]
    reports: Sequence[ReportCard]
    reruns: Sequence[RerunLink]
    previous: Link | None
    next: Link | None


@dataclass(frozen=True, kw_only=True)
class ShotPage(Page):
    """``shots/01234/index.html``.

    Attributes
    ----------
    problems
        Problems of its data, one sentence each.
    values
        Its key results.
    changes
        Differences from ``previous``, by heading; None for the first shot.
    links
        Pages of the signals and devices in ``wiring`` and of the templates of ``reports``, by name:
        ``signal Lang_I``, ``device langmuir_1``, ``template langmuir``.
    traces, compare
        Addresses of the trace viewer, and of the comparison with the shot before.
    downloads
        Files of this shot for other programs.
    raw
        Addresses, relative to the page, of the raw files that are published, by ``file`` of
        ``sources``. They are ready for use: names of files may have ``#`` and ``%``.
    notes
        Notes on its raw files: (name of the file, sentence).
    data
        Path of the same data as JSON.
    citation
        How the shot is cited.
    """

    template: ClassVar[str] = "pages/shot.html"
    shot: int
    date: Date | None
    day: Link | None
    attributes: Sequence[tuple[str, str]]
    problems: Sequence[str]
    values: Sequence[Value]
    reports: Sequence[ReportCard]
    reruns: Sequence[RerunLink]
    wiring: Sequence[WiringRow]
    components: Sequence[ComponentRecord]
    changes: Mapping[str, Sequence[Change]] | None
    links: Mapping[str, str]
    traces: str
    compare: str
    downloads: Sequence[Link]
    notes: Sequence[tuple[str, str]]
    sources: Sequence[SourceRecord]
    raw: Mapping[str, str]
    previous: Link | None
    next: Link | None
    data: str
    citation: Citation


@dataclass(frozen=True, kw_only=True)
class ReportPage(Page):
    """A report of a shot, a day or a range, or a re-run of one.

    Attributes
    ----------
    official
        The official report, if this is a re-run.
    previous, next
        The same report of the neighbours, or their pages if they have none.
    subject, facts
        What it is about, as a link; for a shot, its date, gas and program.
    about
        Page of its template; empty if the template was removed.
    body
        The report as sanitised markup; None if there is no notebook.
    contents
        (level, id, text) of its headings.
    failed_cell
        Id of the cell that failed; empty if none did.
    commands
        (what it does, command line).
    rerun_subject, rerun_parameters
        For the form of a service: the subject, and the parameters as JSON.
    """

    template: ClassVar[str] = "pages/report.html"
    scripts: ClassVar[Sequence[str]] = ("figures.js", "dom.js", "rerun.js")
    mark: Mark
    reasons: Sequence[str]
    values: Sequence[Value]
    rerun: bool
    official: Link | None
    reruns: Sequence[RerunLink]
    previous: Link | None
    next: Link | None
    subject: Link
    facts: Sequence[str]
    about: str
    body: Markup | None
    contents: Sequence[tuple[int, str, str]]
    failed_cell: str
    notebook: str
    jupyterhub: str
    commands: Sequence[tuple[str, str]]
    provenance: Provenance
    rerun_subject: str
    rerun_parameters: str


@dataclass(frozen=True, kw_only=True)
class NotFoundPage(Page):
    """``404.html``, which a web server shows for addresses that do not exist."""

    template: ClassVar[str] = "pages/404.html"
