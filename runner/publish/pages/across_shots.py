"""The pages across shots: the table of all, the comparison, the search, and the trace viewer.

The browser fills them from the data of the site; the published page has their frame and, for a
browser without scripts, the newest shots and links to the rest.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import ClassVar

from runner.publish.addresses import subject_page
from runner.publish.describe import subject_text
from runner.publish.page_models import Page
from runner.publish.shot_tables import shot_table
from runner.publish.view import View
from runner.publish.view_models import Link, ShotTable
from runner.publish.writer import Writer
from runner.receipts import Subject

TABLE = "table.html"
COMPARE = "compare.html"
SEARCH = "search.html"
NEWEST = 20  # shots in the plain table, whose summaries other pages need too
LINKED = 6
COMPARED = 6  # side by side; more do not fit on a screen
_ARCHIVE = (
    "data.js",
    "dom.js",
    "numbers.js",
    "archive.js",
)  # scripts that read the data of all shots


@dataclass(frozen=True, kw_only=True)
class TablePage(Page):
    """``table.html``: all shots with their results as columns, and a plot of any of them.

    Attributes
    ----------
    table
        The newest shots, for a browser without scripts; None if there are no shots.
    n_shots
        Number of all shots.
    most_compared
        How many shots ``compare.html`` can compare.
    """

    template: ClassVar[str] = "pages/table.html"
    styles: ClassVar[Sequence[str]] = ("across.css",)
    scripts: ClassVar[Sequence[str]] = (
        *_ARCHIVE,
        "query.js",
        "filter.js",
        "columns.js",
        "cells.js",
        "rows.js",
        "colours.js",
        "axis.js",
        "scatter.js",
        "plot.js",
        "table.js",
    )
    table: ShotTable | None
    n_shots: int
    most_compared: int = COMPARED


@dataclass(frozen=True, kw_only=True)
class ComparePage(Page):
    """``compare.html``: up to ``most`` shots side by side, given in the fragment of the address."""

    template: ClassVar[str] = "pages/compare.html"
    styles: ClassVar[Sequence[str]] = ("across.css",)
    scripts: ClassVar[Sequence[str]] = (
        *_ARCHIVE,
        "differences.js",
        "compare.js",
    )
    newest: Sequence[Link]
    most: int = COMPARED


@dataclass(frozen=True, kw_only=True)
class SearchPage(Page):
    """``search.html``: a search for anything with a name, a number or a comment."""

    template: ClassVar[str] = "pages/search.html"
    styles: ClassVar[Sequence[str]] = ("across.css",)
    scripts: ClassVar[Sequence[str]] = (
        *_ARCHIVE,
        "query.js",
        "filter.js",
        "ranking.js",
        "search.js",
    )
    newest: Sequence[Link]


def across_pages(view: View) -> list[Page]:
    """Return the table of all shots, the comparison and the search."""
    numbers = list(reversed(view.numbers[-NEWEST:]))
    newest = [
        Link(href=subject_page(Subject.shot(n)), text=subject_text(Subject.shot(n)).lower())
        for n in numbers[:LINKED]
    ]
    return [
        TablePage(
            path=TABLE,
            title="All shots",
            description=f"All {len(view.numbers)} shots with their results as a table to filter, "
            "sort, plot and download.",
            table=shot_table(view, numbers) if numbers else None,
            n_shots=len(view.numbers),
        ),
        ComparePage(
            path=COMPARE,
            title="Compare shots",
            description=f"Up to {COMPARED} shots side by side: configuration, results, figures.",
            newest=newest,
        ),
        SearchPage(
            path=SEARCH,
            title="Search",
            description="Find shots, results, attributes, signals, devices, templates and days.",
            newest=newest,
        ),
    ]


def write_across(view: View, writer: Writer) -> None:
    """Write the pages across shots, after the data that they read."""
    for page in across_pages(view):
        writer.page(page, rank=3)


TRACES = "traces.html"


@dataclass(frozen=True, kw_only=True)
class TracesPage(Page):
    """``traces.html``: its fragment says what to draw, ``#shots=7,8&signals=Lang_I&t=0.5,0.7``.

    Attributes
    ----------
    missing
        Third-party scripts that are not installed; the page says how to get them.
    """

    template: ClassVar[str] = "pages/traces.html"
    styles: ClassVar[Sequence[str]] = ("uplot.css", "traces.css")
    scripts: ClassVar[Sequence[str]] = (
        "data.js",
        "dom.js",
        "numbers.js",
        "uplot.js",
        "blocks.js",
        "packs.js",
        "curves.js",
        "times.js",
        "picker.js",
        "traceplot.js",
        "readings.js",
        "traces.js",
        "tracepick.js",
        "tracekeys.js",
    )
    missing: Sequence[str] = ()


def traces_page(assets: Collection[str]) -> TracesPage:
    """Return the trace viewer.

    Parameters
    ----------
    assets
        Names of the theme's assets.
    """
    needed = [name for name in (*TracesPage.styles, *TracesPage.scripts) if name not in assets]
    return TracesPage(
        path=TRACES,
        title="Traces",
        description="Any signal of any shot, from the whole shot down to single samples.",
        missing=needed,
    )
