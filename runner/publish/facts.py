"""What the pages say, looked up once for each publication and put into the pages' own records."""

from __future__ import annotations

import bisect
import math
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from runner.publish.addresses import report_stem, subject_page
from runner.publish.format import number as number_text
from runner.publish.format import quantity, time_text, unit_text
from runner.publish.fragment import Fragment, read_fragment
from runner.publish.notebook import THUMBNAIL
from runner.publish.pages import (
    Column,
    Image,
    InputRow,
    Link,
    Mark,
    Provenance,
    ReportCard,
    ReportState,
    RerunLink,
    ShotRow,
    ShotTable,
    Value,
)
from runner.publish.records import ReportRecord, ShotRecord, SiteSource, TemplateRecord
from runner.receipts import NOTEBOOK, Scope, Scrap, Subject

VALUES_EACH = 4  # results of a report that a summary shows where its template names none
VALUES_OF_CARD = 6
MAX_COLUMNS = 10
MAX_REPORT_COLUMNS = 8
USUAL_SHOTS = 20
USUAL_LEAST = 5
_FIRST_ATTRIBUTES = ("gas", "program", "operator", "useful", "comment")
_SUBJECT_PARAMETERS = frozenset({"shot", "day", "first", "last"})


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
        keys = self._key_names(report)
        shown = sorted(values, key=lambda v: keys.index(v.name) if v.name in keys else len(keys))
        return ReportCard(
            mark=self.mark(report),
            thumbnail=thumbnail,
            reasons=self.reasons(report),
            values=shown[:VALUES_OF_CARD],
            more_values=max(0, len(values) - VALUES_OF_CARD),
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
                if k not in _SUBJECT_PARAMETERS
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
        return [s.name for s in report.receipt.scraps if _is_number(s)][:VALUES_EACH]

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
                        if s.name == scrap.name and s.unit == scrap.unit and _is_number(s)
                    ]
        if len(found) < USUAL_LEAST:
            return ""
        found.sort()
        cut = len(found) // 10
        low, high = found[cut], found[len(found) - 1 - cut]
        return f"{_short(low)} … {_short(high)}"

    # tables ----------------------------------------------------------------------------------

    def table(self, numbers: Sequence[int]) -> ShotTable:
        """Return shots as a table, in the order given."""
        scraps = {n: self.key_scraps(Subject.shot(n)) for n in numbers}
        order = {name: i for i, name in enumerate(self.templates)}
        keys = sorted(
            dict.fromkeys(k for of_shot in scraps.values() for k in of_shot),
            key=lambda k: order.get(k[0], len(order)),
        )[:MAX_COLUMNS]
        units = {
            key: {s[key].unit for s in scraps.values() if key in s and s[key].value is not None}
            for key in keys
        }
        columns = [
            Column(
                name=name,
                unit=unit_text(next(iter(units[template, name]), "")),
                template=template,
            )
            for template, name in keys
        ]
        marks = {n: self.marks(Subject.shot(n)) for n in numbers}
        shown = list(dict.fromkeys((m.template, m.title) for of in marks.values() for m in of))
        shown.sort(key=lambda k: order.get(k[0], len(order)))
        shown = shown[:MAX_REPORT_COLUMNS]
        rows = [
            self._row(
                n,
                [template for template, _ in shown],
                marks[n],
                [_cell(scraps[n].get(k), len(units[k]) == 1) for k in keys],
            )
            for n in numbers
        ]
        return ShotTable(
            reports=[Link(href="", text=title) for _, title in shown], columns=columns, rows=rows
        )

    def _row(
        self,
        number: int,
        templates: Sequence[str],
        marks: Sequence[Mark],
        values: Sequence[Value | None],
    ) -> ShotRow:
        record = self.shot(number)
        by_template = {m.template: m for m in marks}
        others: dict[str, int] = {}
        for mark in marks:
            if mark.template not in templates:
                others[mark.word] = others.get(mark.word, 0) + 1
        return ShotRow(
            shot=number,
            href=subject_page(Subject.shot(number)),
            date=record.date,
            gas=_text(record.attributes.get("gas")),
            program=_text(record.attributes.get("program")),
            comment=_text(record.attributes.get("comment")),
            problems=len(record.marks),
            marks=[
                by_template.get(t) or Mark(template=t, title=t, state="missing") for t in templates
            ],
            values=values,
            others=others,
        )


def _cell(scrap: Scrap | None, same_unit: bool) -> Value | None:
    if scrap is None:
        return None
    shown = quantity(scrap.value, scrap.sigma, "" if same_unit else scrap.unit)
    return Value(name=scrap.name, quantity=shown)


def _around(items: Sequence[Any], item: Any) -> tuple[Any, Any]:
    i = bisect.bisect_left(items, item)
    after = i + 1 if i < len(items) and items[i] == item else i
    return (items[i - 1] if i > 0 else None, items[after] if after < len(items) else None)


def _is_number(scrap: Scrap) -> bool:
    value = scrap.value
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _short(value: float) -> str:
    return number_text(float(f"{value:.3g}"))


def _text(value: object) -> str:
    return "" if value is None else str(value)


def report_state(report: ReportRecord) -> ReportState:
    """Return the state as the site shows it: a good report with stale inputs is out of date."""
    return "stale" if report.stale and report.receipt.state == "ok" else report.receipt.state


def attributes(record: ShotRecord) -> list[tuple[str, str]]:
    """Return the attributes of a shot as text, the usual ones first; its date is shown apart."""
    names = [n for n in _FIRST_ATTRIBUTES if n in record.attributes]
    names += sorted(set(record.attributes) - {"date", *names})
    shown = []
    for name in names:
        value = record.attributes[name]
        if value is not None and value != "":
            shown.append((name, str(quantity(value) if isinstance(value, bool) else value)))
    return shown


def parameter_text(value: object) -> str:
    """Return a parameter as Python and the command line write it."""
    return repr(value) if not isinstance(value, str) else value


def provenance(report: ReportRecord) -> Provenance:
    """Return where a report comes from."""
    receipt = report.receipt
    return Provenance(
        template=receipt.template,
        template_digest=receipt.template_digest,
        digest=receipt.digest,
        started=receipt.started,
        duration_s=receipt.duration_s,
        phases=dict(receipt.phases),
        parameters={k: parameter_text(v) for k, v in receipt.parameters.items()},
        inputs=[
            InputRow(
                kind=i.kind, name=i.name, subject=i.subject, version=i.version, digest=i.digest
            )
            for i in sorted(receipt.inputs)
        ],
        environment=dict(receipt.environment),
    )


def commands(report: ReportRecord) -> list[tuple[str, str]]:
    """Return the commands that fork and re-run a report, as (what it does, command line)."""
    receipt = report.receipt
    subject = str(receipt.of.number) if receipt.scope == "shot" else receipt.subject
    name = shlex.quote(receipt.template)
    free = [(k, v) for k, v in receipt.parameters.items() if k not in _SUBJECT_PARAMETERS]
    given = "name=value"
    if free:
        given = shlex.quote(f"{free[0][0]}={parameter_text(free[0][1])}")
    return [
        ("A notebook of your own", f"ishtar fork {subject} {name} -o mine.ipynb"),
        ("The same report, other parameters", f"ishtar rerun {subject} {name} -p {given}"),
    ]


def shot_facts(record: ShotRecord) -> list[str]:
    """Return when and what a shot was, for the line below a title."""
    found = [time_text(record.date)] if record.date else []
    return found + [
        _text(record.attributes[k]) for k in ("gas", "program") if record.attributes.get(k)
    ]
