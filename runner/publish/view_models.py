"""The parts of pages: links, values, marks, cards, tables, trends, provenance.

Each documents the data of one part of a page template; `runner.publish.page_models` assembles them
into pages.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date as Date
from typing import Any

from runner.publish.quantities import Quantity
from runner.publish.records import ReportState
from runner.render.theme import Theme
from runner.settings.facility import Facility

STATE_WORDS: Mapping[ReportState, str] = {
    "ok": "ok",
    "failed": "failed",
    "skipped": "skipped",
    "timeout": "timed out",
    "stale": "out of date",
    "missing": "not made yet",
}


@dataclass(frozen=True, kw_only=True)
class Link:
    """A place in the site (or, with a scheme, elsewhere) and its name."""

    href: str
    text: str


@dataclass(frozen=True, kw_only=True)
class Site:
    """What all pages share.

    Attributes
    ----------
    styles, scripts
        Paths of the assets that every page loads, in order.
    own_styles, own_scripts
        Those that a workspace adds; every page loads them after its own.
    assets
        Path of every asset by name; `Page.styles` and `Page.scripts` refer to these names.
    icon
        Path of the mark.
    logo
        Path of the facility's logo; if empty, pages show the mark instead.
    csp
        The Content-Security-Policy.
    """

    facility: Facility
    styles: Sequence[str]
    scripts: Sequence[str]
    own_styles: Sequence[str] = ()
    own_scripts: Sequence[str] = ()
    assets: Mapping[str, str] = field(default_factory=dict)
    icon: str
    logo: str = ""
    csp: str

    @classmethod
    def of(cls, theme: Theme, facility: Facility, csp: str) -> Site:
        """Return what all pages share: the facility, and the paths of the theme's assets."""
        paths = {name: f"assets/{published}" for name, published in theme.asset_names.items()}
        own = [paths[name] for name in theme.own_assets]
        return cls(
            facility=facility,
            styles=[paths["ishtar.css"]],
            scripts=[paths["ishtar.js"]],
            own_styles=[path for path in own if path.endswith(".css")],
            own_scripts=[path for path in own if path.endswith(".js")],
            assets=paths,
            icon=paths["mark.svg"],
            csp=csp,
        )


@dataclass(frozen=True, kw_only=True)
class Citation:
    """How something is cited: a sentence for readers, and a JSON-LD record for catalogues."""

    text: str
    record: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class Image:
    """An image file with its size on the page in CSS pixels."""

    href: str
    width: int
    height: int
    alt: str = ""


@dataclass(frozen=True, kw_only=True)
class Spark:
    """The history of a result as a sparkline; ``x`` and ``y`` are the point of the shot itself.

    They are None if the shot has no such result. A gap breaks the line; ``text`` describes it.
    """

    path: str
    x: float | None
    y: float | None
    text: str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Flag:
    """A warning about a result: in a word or two, and as a sentence."""

    word: str
    text: str


@dataclass(frozen=True, kw_only=True)
class ResultName:
    """The name of a result in code, with its label and symbol if it has them."""

    name: str
    label: str = ""
    symbol: str = ""

    @property
    def short(self) -> str:
        """The shortest name, as plain text: symbol, else label, else name."""
        return self.symbol.replace("{", "").replace("}", "") or self.label or self.name

    @property
    def letters(self) -> tuple[str, str]:
        """The symbol (else label, else name) and its subscript: ``T`` and ``e``."""
        base, _, index = self.symbol.partition("_")
        if not base:
            return self.symbol or self.label or self.name, ""
        return base, index.removeprefix("{").removesuffix("}")

    @property
    def about(self) -> str:
        """The text of its tooltip: ``electron temperature (langmuir.Te)``."""
        template = getattr(self, "template", "")
        full = f"{template}.{self.name}" if template else self.name
        return f"{self.label} ({full})" if self.label else full


@dataclass(frozen=True, kw_only=True)
class Value(ResultName):
    """A result (scrap) of a report, ready to print.

    ``usual`` is its range in the last shots as text, if known; ``spark`` their history; ``flags``
    warn if it is outside its limits or drifts.
    """

    quantity: Quantity
    template: str = ""
    href: str = ""
    usual: str = ""
    spark: Spark | None = None
    flags: Sequence[Flag] = ()


@dataclass(frozen=True, kw_only=True)
class Mark:
    """The state of one report in a table or a list; ``href`` is empty if it has no page."""

    template: str
    title: str
    state: ReportState
    href: str = ""
    reason: str = ""

    @property
    def word(self) -> str:
        """The state in words."""
        return STATE_WORDS[self.state]


@dataclass(frozen=True, kw_only=True)
class ReportCard:
    """The card of a report on the page of its shot or day.

    ``reasons`` explain why it is not ok, one line each; ``more_values`` counts the results that are
    not listed.
    """

    mark: Mark
    thumbnail: Image | None = None
    reasons: Sequence[str] = ()
    values: Sequence[Value] = ()
    more_values: int = 0
    notebook: str = ""
    duration_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class RerunLink:
    """A re-run of a report: its parameters and its page."""

    mark: Mark
    digest: str
    parameters: Mapping[str, str]
    started: str


@dataclass(frozen=True, kw_only=True)
class ShotRow:
    """A shot in a table, with its key results and the states of all its reports."""

    shot: int
    href: str
    date: Date | None
    gas: str
    program: str
    comment: str
    problems: int
    marks: Sequence[Mark]
    values: Sequence[Value | None] = ()

    @property
    def n_ok(self) -> int:
        """The number of its reports that are ok."""
        return sum(mark.state == "ok" for mark in self.marks)

    @property
    def exceptions(self) -> Sequence[tuple[Mark, bool]]:
        """The first reports that are not ok, most urgent first, each with whether it is named.

        Skipped reports, and all of more than two, are shown as a symbol without a name.
        """
        found = self._exceptions
        named = [mark for mark in found if mark.state != "skipped"]
        return [(mark, mark in named and len(named) <= NAMED) for mark in found[:SIGNS]]

    @property
    def _exceptions(self) -> list[Mark]:
        order = list(EXCEPTIONS)
        found = [mark for mark in self.marks if mark.state in EXCEPTIONS]
        return sorted(found, key=lambda mark: order.index(mark.state))

    @property
    def n_more(self) -> int:
        """The number of further reports that are not ok."""
        return max(0, len(self._exceptions) - SIGNS)

    @property
    def missing(self) -> Sequence[str]:
        """The titles of reports that are not made yet; they have no page to link to."""
        return [mark.title for mark in self.marks if mark.state == "missing"]


EXCEPTIONS: Sequence[ReportState] = ("failed", "timeout", "stale", "skipped")
NAMED, SIGNS = 2, 8  # reports that are not ok in the row of a shot: with their names, in all


@dataclass(frozen=True, kw_only=True)
class Column(ResultName):
    """A result as the column of a table of shots; ``unit`` is the unit of all its values."""

    unit: str
    template: str


@dataclass(frozen=True, kw_only=True)
class ShotTable:
    """Shots as rows; their key results and the states of their reports as columns."""

    columns: Sequence[Column]
    rows: Sequence[ShotRow]


@dataclass(frozen=True, kw_only=True)
class Trend(ResultName):
    """A result over shots or days as a small plot.

    Attributes
    ----------
    path
        SVG path of the line, in a box of ``width`` × ``height``.
    points
        (x, y, shot or day, value as text) of each point.
    low, high
        Ends of the vertical axis as text; ``unit`` is the unit of both.
    """

    unit: str
    path: str
    points: Sequence[tuple[float, float, int | str, str]]
    low: str
    high: str
    first: int | str
    last: int | str
    width: int
    height: int


@dataclass(frozen=True, kw_only=True)
class Failure:
    """A report that failed or timed out, with the reason.

    ``alike`` links to other reports of its template that failed for the same reason.
    """

    mark: Mark
    subject: Link
    started: str
    alike: Sequence[Link] = ()


@dataclass(frozen=True, kw_only=True)
class DayCell:
    """A day of the calendar; ``level`` 0 … 4 increases with the number of shots."""

    day: str
    number: int
    n_shots: int
    level: int
    href: str = ""


@dataclass(frozen=True, kw_only=True)
class Month:
    """A month of the calendar: weeks of seven cells, None outside the month."""

    name: str
    href: str = ""
    n_shots: int
    weeks: Sequence[Sequence[DayCell | None]]


@dataclass(frozen=True, kw_only=True)
class Heat:
    """The last weeks as columns and the days of the week as rows, None after the last day.

    ``months`` are (name, number of weeks).
    """

    months: Sequence[tuple[str, int]]
    rows: Sequence[Sequence[DayCell | None]]
    n_shots: int
    first: str
    last: str


@dataclass(frozen=True, kw_only=True)
class Year:
    """A year with the months as (name, number of shots, page or empty)."""

    year: int
    n_shots: int
    months: Sequence[tuple[str, int, str]]


@dataclass(frozen=True, kw_only=True)
class Change:
    """A difference between a shot and the one before."""

    what: str
    name: str
    before: str
    after: str

    @property
    def group(self) -> str:
        """The heading of its group."""
        groups = {"setting": "Settings", "component": "Hardware", "calibration": "Calibration"}
        return groups.get(self.what, "Wiring")


@dataclass(frozen=True, kw_only=True)
class InputRow:
    """An input that a run read."""

    kind: str
    name: str
    subject: str
    version: str
    digest: str


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """The inputs, time and environment that a report was made with."""

    template: str
    template_digest: str
    digest: str
    started: str
    duration_s: float
    phases: Mapping[str, float]
    parameters: Mapping[str, str]
    inputs: Sequence[InputRow]
    environment: Mapping[str, str]


# pages ---------------------------------------------------------------------------------------
