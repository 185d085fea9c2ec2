"""The content of the pages: looked up once per publication, returned as view models."""

from __future__ import annotations

import bisect
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date as Date
from functools import cached_property
from pathlib import Path
from typing import Any

from runner.publish.addresses import official_stem, subject_page
from runner.publish.describe import parameter_text, subject_link, subject_text
from runner.publish.key_results import Key, KeyResults
from runner.publish.records import (
    ReportRecord,
    ReportSummary,
    ShotRecord,
    SiteSource,
    TemplateRecord,
)
from runner.publish.retention import without_old_figures
from runner.publish.summaries import ShotSummary, read_summary, summarise
from runner.publish.view_models import Failure, Image, Link, Mark, ReportCard, RerunLink
from runner.receipts import NOTEBOOK, Scope, Scrap, Subject
from runner.render.fragment import Fragment, read_fragment
from runner.render.notebook import THUMBNAIL
from runner.render.parameter_table import SUBJECT_PARAMETERS
from runner.settings.publishing import PublishSettings

Neighbours = tuple[Subject | None, Subject | None]
VALUES_OF_CARD = 6
BATCH_SHOTS = 200  # shots looked up together in a full build
MAX_SHOTS = 300  # records kept in memory
MAX_SUMMARIES = 2000
NO_RAW_DATA = PublishSettings(raw="off")


@dataclass(frozen=True, kw_only=True)
class DaySummary:
    """A day: its shots, how many reports failed, and the median and unit of each key result."""

    shots: Sequence[int]
    n_failed: int
    medians: Mapping[Key, tuple[float, str]]


@dataclass
class View:
    """A site source that is queried once for each item.

    ``out`` is the existing site: the summary of a shot whose page does not change is read from
    there. ``changing`` are the shots whose pages change; None means all. ``settings`` say which
    results come first, which figures are removed, and whether there are raw data.
    """

    source: SiteSource
    renderer: str
    out: Path | None = None
    changing: frozenset[int] | None = None
    settings: PublishSettings = NO_RAW_DATA
    day_summaries: dict[str, DaySummary] = field(default_factory=dict)
    _shots: dict[int, ShotRecord] = field(default_factory=dict)
    _shot_summaries: dict[int, ShotSummary] = field(default_factory=dict)
    _summaries: dict[Subject, Sequence[ReportSummary]] = field(default_factory=dict)
    _reports: dict[Subject, list[ReportRecord]] = field(default_factory=dict)
    _reruns: dict[Subject, Sequence[ReportRecord]] = field(default_factory=dict)
    _fragments: dict[Any, Fragment | None] = field(default_factory=dict)

    @cached_property
    def numbers(self) -> Sequence[int]:
        """All shots, ascending."""
        return list(self.source.shots())

    @cached_property
    def known(self) -> frozenset[int]:
        """All shots, as a set."""
        return frozenset(self.numbers)

    @cached_property
    def counts(self) -> Mapping[str, int]:
        """The number of shots of each day with shots, days ascending."""
        return self.source.counts()

    @cached_property
    def undated(self) -> Sequence[int]:
        """The shots without a date, ascending."""
        has_any = len(self.numbers) > sum(self.counts.values())
        return list(self.source.undated()) if has_any else []

    @cached_property
    def days(self) -> Sequence[str]:
        """All days with shots, ascending."""
        return list(self.counts)

    @cached_property
    def templates(self) -> Mapping[str, TemplateRecord]:
        """The templates by name, in display order."""
        return {t.name: t for t in self.source.templates()}

    @cached_property
    def results(self) -> KeyResults:
        """Which results are shown, in which order, under which names."""
        return KeyResults(self.templates, self.settings.results)

    @cached_property
    def signal_names(self) -> frozenset[str]:
        """The signals that have a page."""
        return frozenset(s.name for s in self.source.signals())

    @cached_property
    def device_names(self) -> frozenset[str]:
        """The devices that have a page."""
        return frozenset(d.name for d in self.source.devices())

    @cached_property
    def references(self) -> str:
        """The text of the BibTeX file."""
        return self.source.bibliography()

    def shot(self, number: int) -> ShotRecord:
        """Return a shot."""
        if number not in self._shots:
            if len(self._shots) >= MAX_SHOTS:
                self._shots.clear()
            self._shots[number] = self.source.shot(number)
            self._shot_summaries[number] = summarise(self._shots[number])
        return self._shots[number]

    def date(self, subject: Subject) -> Date | None:
        """Return the date of a shot or day; None if it is unknown, or for a range."""
        match subject.scope:
            case "shot":
                return self.shot(subject.number).date
            case "day":
                return Date.fromisoformat(subject.key)
            case _:
                return None

    def shot_summary(self, number: int) -> ShotSummary:
        """Return the summary of a shot; of an unchanged page, as it was published."""
        if number not in self._shot_summaries:
            is_unchanged = self.changing is not None and number not in self.changing
            summary = (
                read_summary(self.out, number) if is_unchanged and self.out is not None else None
            )
            self._shot_summaries[number] = summary or summarise(self.shot(number))
        return self._shot_summaries[number]

    def add_shot_summaries(self, lines: Mapping[int, ShotSummary]) -> None:
        """Add the summaries of shots whose pages another process has written."""
        self._shot_summaries.update(lines)

    def summaries(self, subject: Subject) -> Sequence[ReportSummary]:
        """Return the summaries of a subject's official reports, in display order."""
        if subject not in self._summaries:
            wanted = [subject]
            if self.changing is None and subject.scope == "shot":
                # a full build goes through the shots in order: the next ones are needed soon
                i = bisect.bisect_left(self.numbers, subject.number)
                wanted += [Subject.shot(n) for n in self.numbers[i + 1 : i + BATCH_SHOTS]]
            self.load_summaries(wanted)
        return self._summaries[subject]

    def load_summaries(self, subjects: Iterable[Subject]) -> None:
        """Look up the summaries of many subjects at once."""
        missing = [s for s in dict.fromkeys(subjects) if s not in self._summaries]
        if not missing:
            return
        if len(self._summaries) > MAX_SUMMARIES:
            self._summaries.clear()
        order = {name: i for i, name in enumerate(self.templates)}
        for subject, found in self.source.summaries(missing).items():
            self._summaries[subject] = sorted(
                found, key=lambda r: (order.get(r.template, len(order)), r.template)
            )

    def reports(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the official reports of a subject, in the order of their templates."""
        if subject not in self._reports:
            order = {name: i for i, name in enumerate(self.templates)}
            self._reports[subject] = sorted(
                self.source.reports(subject),
                key=lambda r: (
                    order.get(r.receipt.template, len(order)),
                    r.receipt.template,
                ),
            )
        return self._reports[subject]

    def reruns(self, subject: Subject) -> Sequence[ReportRecord]:
        """Return the re-runs of a subject, oldest first."""
        if subject not in self._reruns:
            self._reruns[subject] = list(self.source.reruns(subject))
        return self._reruns[subject]

    def fragment(self, report: ReportRecord) -> Fragment | None:
        """Return the rendered body of a report; None if it has no notebook."""
        if report.folder not in self._fragments:
            date = self.date(report.receipt.about)
            fragment = read_fragment(report.folder, self.renderer)
            self._fragments[report.folder] = fragment and without_old_figures(
                fragment, date, self.settings.keep_figures_days
            )
        return self._fragments[report.folder]

    def forget(self, subject: Subject) -> None:
        """Forget what only this subject's pages need, to limit the memory of a full build."""
        if self.changing is not None:  # few, and the site's data files need them too
            return
        reports = (*self._reports.pop(subject, ()), *self._reruns.pop(subject, ()))
        for report in reports:
            self._fragments.pop(report.folder, None)

    def neighbours(self, subject: Subject) -> Neighbours:
        """Return the shots, or the days, before and after; a range has no neighbours."""
        match subject.scope:
            case "shot":
                return _neighbours(self.numbers, subject.number, Subject.shot)
            case "day":
                return _neighbours(self.days, subject.key, Subject.day)
            case _:
                return None, None

    def title(self, report: ReportRecord) -> str:
        """Return the title of a report."""
        known = self.templates.get(report.receipt.template)
        return (known.title if known else "") or report.receipt.title or report.receipt.template

    # view models of a report -------------------------------------------------------------

    def mark(self, report: ReportRecord) -> Mark:
        """Return the state of a report with a link to its page."""
        return Mark(
            template=report.receipt.template,
            title=self.title(report),
            state=report.shown_state,
            href=report.page,
            reason=next(iter(report.reasons), ""),
        )

    def missing(self, scope: Scope, made: Iterable[str]) -> list[Mark]:
        """Return marks for the templates of a scope whose report is missing."""
        present = set(made)
        return [
            Mark(template=t.name, title=t.title or t.name, state="missing")
            for t in self.templates.values()
            if t.scope == scope and t.name not in present
        ]

    def summary_mark(self, summary: ReportSummary) -> Mark:
        """Return the state of a report, from its summary."""
        known = self.templates.get(summary.template)
        return Mark(
            template=summary.template,
            title=(known.title if known else "") or summary.template,
            state=summary.shown_state,
            href=official_stem(summary.subject, summary.template) + ".html",
            reason=next(iter(summary.reasons), ""),
        )

    def card(self, report: ReportRecord) -> ReportCard:
        """Return the card of a report for the page of its shot."""
        values = self.results.values(report)
        fragment = self.fragment(report)
        thumbnail = None
        if fragment is not None and fragment.thumbnail is not None:
            width, height = fragment.thumbnail
            thumbnail = Image(
                href=f"{report.stem}/{THUMBNAIL}",
                width=width,
                height=height,
                alt="",  # the card's title describes it
            )
        by_name = {v.name: v for v in values}
        shown = [
            by_name[name]
            for name in self.results.names(report.receipt.template, report.receipt.scraps)
            if name in by_name
        ]
        return ReportCard(
            mark=self.mark(report),
            thumbnail=thumbnail,
            reasons=report.reasons,
            values=shown[:VALUES_OF_CARD],
            more_values=len(values) - len(shown[:VALUES_OF_CARD]),
            notebook=f"{report.stem}.ipynb" if (report.folder / NOTEBOOK).is_file() else "",
            duration_s=report.receipt.duration_s,
        )

    def cards(self, subject: Subject) -> list[ReportCard]:
        """Return the cards of all reports of a subject, missing ones last."""
        reports = self.reports(subject)
        made = [r.receipt.template for r in reports]
        missing = [ReportCard(mark=m) for m in self.missing(subject.scope, made)]
        return [*(self.card(r) for r in reports), *missing]

    def marks(self, subject: Subject) -> list[Mark]:
        """Return the states of all reports of a subject."""
        found = self.summaries(subject)
        missing = self.missing(subject.scope, [r.template for r in found])
        return [*(self.summary_mark(r) for r in found), *missing]

    def report_link(self, subject: Subject, template: str) -> Link:
        """Return the link to a report of a subject, or to the subject if it has none."""
        if all(r.template != template for r in self.summaries(subject)):
            return subject_link(subject)
        return Link(href=f"{official_stem(subject, template)}.html", text=subject_text(subject))

    def official_link(self, subject: Subject, template: str) -> Link:
        """Return the link from a re-run to the official report, or to its subject without one."""
        for report in self.reports(subject):
            if report.receipt.template == template:
                return Link(href=report.page, text="The official report")
        return Link(href=subject_page(subject), text=f"There is no official report of {subject}")

    def rerun_links(self, subject: Subject, template: str | None = None) -> list[RerunLink]:
        """Return the re-runs of a subject, or of one of its reports, oldest first."""
        return [
            RerunLink(
                mark=self.mark(report),
                digest=report.receipt.digest[:10],
                parameters={
                    k: parameter_text(v)
                    for k, v in report.receipt.parameters.items()
                    if k not in SUBJECT_PARAMETERS
                },
                started=report.receipt.started,
            )
            for report in self.reruns(subject)
            if template in (None, report.receipt.template)
        ]

    def key_scraps(self, subject: Subject) -> dict[tuple[str, str], Scrap]:
        """Return the key results of a subject by (template, name)."""
        found: dict[tuple[str, str], Scrap] = {}
        for report in self.summaries(subject):
            by_name = {s.name: s for s in report.scraps}
            for name in self.results.names(report.template, report.scraps):
                if name in by_name:
                    found[report.template, name] = by_name[name]
        return found


def _neighbours(
    items: Sequence[Any], item: Any, subject_of: Callable[[Any], Subject]
) -> Neighbours:
    i = bisect.bisect_left(items, item)
    after = i + 1 if i < len(items) and items[i] == item else i
    return (
        subject_of(items[i - 1]) if i > 0 else None,
        subject_of(items[after]) if after < len(items) else None,
    )


def failure(view: View, summary: ReportSummary) -> Failure:
    """Return the entry of a failed report in lists."""
    return Failure(
        mark=view.summary_mark(summary),
        subject=subject_link(summary.subject),
        started=summary.started,
    )


def group_alike(failures: Iterable[Failure]) -> list[Failure]:
    """Group failures with the same template and reason; keep their order."""
    groups: dict[tuple[str, str, str], list[Failure]] = {}
    for one in failures:
        key = (one.mark.template, one.mark.state, one.mark.reason)
        groups.setdefault(key, []).append(one)
    return [
        replace(
            first,
            alike=[
                Link(href=o.mark.href, text=o.subject.text.removeprefix("Shot ")) for o in others
            ],
        )
        for first, *others in groups.values()
    ]


def failures_between(view: View, numbers: Sequence[int]) -> list[ReportSummary]:
    """Return the failed reports of some ascending shots, newest first."""
    if not numbers:
        return []
    mine = set(numbers)
    found = view.source.failures_between(numbers[0], numbers[-1])
    return [f for f in found if f.subject.number in mine]
