"""What the pages say, looked up once for each publication and put into the pages' own records."""

from __future__ import annotations

import bisect
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from runner.publish.addresses import report_stem
from runner.publish.describe import parameter_text, report_state
from runner.publish.format import quantity, range_text
from runner.publish.fragment import Fragment, read_fragment
from runner.publish.notebook import THUMBNAIL
from runner.publish.parameters import SUBJECT_PARAMETERS
from runner.publish.parts import Image, Mark, ReportCard, RerunLink, Value
from runner.publish.records import ReportRecord, ShotRecord, SiteSource, TemplateRecord
from runner.receipts import NOTEBOOK, Scope, Scrap, Subject

VALUES_EACH = 4  # results of a report that a summary shows where its template names none
VALUES_OF_CARD = 6
USUAL_SHOTS = 20
USUAL_LEAST = 5


@dataclass
class Facts:
    """A site source, asked once for each thing."""

    source: SiteSource
    renderer: str
    _shots: dict[int, ShotRecord] = field(default_factory=dict)
    _reports: dict[Subject, list[ReportRecord]] = field(default_factory=dict)
    _reruns: dict[Subject, Sequence[ReportRecord]] = field(default_factory=dict)
    _fragments: dict[Any, Fragment | None] = field(default_factory=dict)

    @cached_property
    def numbers(self) -> Sequence[int]:
        """All shots, ascending."""
        return list(self.source.shots())

    @cached_property
    def days(self) -> Sequence[str]:
        """All days with shots, ascending."""
        return list(self.source.days())

    @cached_property
    def templates(self) -> Mapping[str, TemplateRecord]:
        """The templates by name, in their order."""
        return {t.name: t for t in self.source.templates()}

    def shot(self, number: int) -> ShotRecord:
        """Return a shot."""
        if number not in self._shots:
            self._shots[number] = self.source.shot(number)
        return self._shots[number]

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
        """Return the rendered body of a report; None where it has no notebook."""
        if report.folder not in self._fragments:
            self._fragments[report.folder] = read_fragment(report.folder, self.renderer)
        return self._fragments[report.folder]

    def forget(self, subject: Subject) -> None:
        """Drop what only the pages of this subject needed, so that a full build stays small."""
        for report in (*self._reports.get(subject, ()), *self._reruns.get(subject, ())):
            self._fragments.pop(report.folder, None)

    def neighbours(self, number: int) -> tuple[int | None, int | None]:
        """Return the shots before and after."""
        return _around(self.numbers, number)

    def neighbour_days(self, day: str) -> tuple[str | None, str | None]:
        """Return the days before and after."""
        return _around(self.days, day)

    def title(self, report: ReportRecord) -> str:
        """Return the title of a report."""
        known = self.templates.get(report.receipt.template)
        return (known.title if known else "") or report.receipt.title or report.receipt.template

    # what pages show of a report -------------------------------------------------------------

    def mark(self, report: ReportRecord) -> Mark:
        """Return the state of a report, with its page."""
        reasons = self.reasons(report)
        return Mark(
            template=report.receipt.template,
            title=self.title(report),
            state=report_state(report),
            href=report_stem(report.receipt) + ".html",
            reason=reasons[0] if reasons else "",
        )

    def reasons(self, report: ReportRecord) -> Sequence[str]:
        """Return why a report is not ok, one line each."""
        own = [report.receipt.reason] if report.receipt.reason else []
        return [*own, *report.stale]

    def missing(self, scope: Scope, present: Sequence[ReportRecord]) -> list[Mark]:
        """Return marks for the templates of a scope that have no report yet."""
        made = {r.receipt.template for r in present}
        return [
            Mark(template=t.name, title=t.title or t.name, state="missing")
            for t in self.templates.values()
            if t.scope == scope and t.name not in made
        ]

    def card(self, report: ReportRecord) -> ReportCard:
        """Return a report as the page of its shot shows it."""
        values = self.values(report)
        fragment = self.fragment(report)
        stem = report_stem(report.receipt)
        thumbnail = None
        if fragment is not None and fragment.thumbnail is not None:
            width, height = fragment.thumbnail
            thumbnail = Image(
                href=f"{stem}/{THUMBNAIL}",
                width=width,
                height=height,
                alt="",  # the card's title says what it is
            )
        by_name = {v.name: v for v in values}
        shown = [by_name[name] for name in self._key_names(report) if name in by_name]
        return ReportCard(
            mark=self.mark(report),
            thumbnail=thumbnail,
            reasons=self.reasons(report),
            values=shown[:VALUES_OF_CARD],
            more_values=len(values) - len(shown[:VALUES_OF_CARD]),
            notebook=f"{stem}.ipynb" if (report.folder / NOTEBOOK).is_file() else "",
            duration_s=report.receipt.duration_s,
        )

    def cards(self, subject: Subject) -> list[ReportCard]:
        """Return all reports of a subject, those not made yet at the end."""
        reports = self.reports(subject)
        missing = [ReportCard(mark=m) for m in self.missing(subject.scope, reports)]
        return [*(self.card(r) for r in reports), *missing]

    def marks(self, subject: Subject) -> list[Mark]:
        """Return the states of all reports of a subject."""
        reports = self.reports(subject)
        return [*(self.mark(r) for r in reports), *self.missing(subject.scope, reports)]

    def rerun_link(self, report: ReportRecord) -> RerunLink:
        """Return a re-run as lists show it."""
        receipt = report.receipt
        return RerunLink(
            mark=self.mark(report),
            digest=receipt.digest[:10],
            parameters={
                k: parameter_text(v)
                for k, v in receipt.parameters.items()
                if k not in SUBJECT_PARAMETERS
            },
            started=receipt.started,
        )

    def values(self, report: ReportRecord) -> list[Value]:
        """Return all results of a report."""
        stem = report_stem(report.receipt)
        return [
            Value(
                name=s.name,
                quantity=quantity(s.value, s.sigma, s.unit),
                template=report.receipt.template,
                href=f"{stem}.html",
            )
            for s in report.receipt.scraps
        ]

    def _key_names(self, report: ReportRecord) -> list[str]:
        known = self.templates.get(report.receipt.template)
        if known and known.key:
            return list(known.key)
        numbers = [s for s in report.receipt.scraps if is_number(s)]
        # what was measured says more than what was counted
        numbers.sort(key=lambda s: s.sigma is None)
        return [s.name for s in numbers][:VALUES_EACH]

    def key_scraps(self, subject: Subject) -> dict[tuple[str, str], Scrap]:
        """Return the results that summaries of a shot show, by (template, name)."""
        found: dict[tuple[str, str], Scrap] = {}
        for report in self.reports(subject):
            by_name = {s.name: s for s in report.receipt.scraps}
            for name in self._key_names(report):
                if name in by_name:
                    found[report.receipt.template, name] = by_name[name]
        return found

    def key_values(self, number: int, *, usual: bool = False) -> list[Value]:
        """Return the key results of a shot, with the range of the last shots if asked for."""
        subject = Subject.shot(number)
        hrefs = {
            r.receipt.template: f"{report_stem(r.receipt)}.html" for r in self.reports(subject)
        }
        values = []
        for (template, name), scrap in self.key_scraps(subject).items():
            text = self._usual(number, template, scrap) if usual else ""
            values.append(
                Value(
                    name=name,
                    quantity=quantity(scrap.value, scrap.sigma, scrap.unit),
                    template=template,
                    href=hrefs[template],
                    usual=text,
                )
            )
        return values

    def _usual(self, number: int, template: str, scrap: Scrap) -> str:
        """Return the range of a result in the shots before: the middle four fifths."""
        i = bisect.bisect_left(self.numbers, number)
        before = self.numbers[max(0, i - USUAL_SHOTS) : i]
        found = []
        for n in before:
            for report in self.reports(Subject.shot(n)):
                if report.receipt.template == template:
                    found += [
                        float(s.value or 0)
                        for s in report.receipt.scraps
                        if s.name == scrap.name and s.unit == scrap.unit and is_number(s)
                    ]
        if len(found) < USUAL_LEAST:
            return ""
        found.sort()
        cut = len(found) // 10
        low, high = found[cut], found[len(found) - 1 - cut]
        return range_text(low, high)


def _around(items: Sequence[Any], item: Any) -> tuple[Any, Any]:
    i = bisect.bisect_left(items, item)
    after = i + 1 if i < len(items) and items[i] == item else i
    return (items[i - 1] if i > 0 else None, items[after] if after < len(items) else None)


def is_number(scrap: Scrap) -> bool:
    """Whether a result is a finite number."""
    value = scrap.value
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
