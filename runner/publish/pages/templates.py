"""The pages of templates: description, parameters, trends of the results, failures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from runner.publish.addresses import TEMPLATES, template_page
from runner.publish.history import trend
from runner.publish.key_results import VALUES_EACH
from runner.publish.page_models import Page
from runner.publish.quantities import quantity
from runner.publish.records import TemplateRecord
from runner.publish.view import View, failure, group_alike
from runner.publish.view_models import Failure, Link, Trend
from runner.receipts import Scope, Scrap, Subject
from runner.render.format import unit_text
from runner.templates.parameters import RELATIONS, Parameter

TREND_SHOTS = 60
TREND_DAYS = 20
MAX_FAILURES = 20
FAILURES_GROUPED = 2000  # failures to group by reason
MAX_TRENDS = 8
SCOPES: dict[Scope, str] = {
    "shot": "every shot",
    "day": "every day with shots",
    "range": "a range of shots, when someone asks for it",
}


@dataclass(frozen=True, kw_only=True)
class ParameterRow:
    """A parameter of a template."""

    name: str
    type: str
    default: str
    unit: str
    range: str
    meaning: str


@dataclass(frozen=True, kw_only=True)
class TemplateRow:
    """A template in the list of all; ``failed`` counts failures among the last shots."""

    link: Link
    name: str
    scope: str
    description: str
    failed: int


@dataclass(frozen=True, kw_only=True)
class TemplatesPage(Page):
    """``templates/index.html``: all templates, in display order."""

    template: ClassVar[str] = "pages/templates.html"
    rows: Sequence[TemplateRow]
    n_shots: int


@dataclass(frozen=True, kw_only=True)
class TemplatePage(Page):
    """``templates/langmuir.html``.

    Attributes
    ----------
    name
        Its name in commands; ``title`` is its heading.
    scope
        Its scope in words.
    needs, after
        Signals without which it is skipped; templates whose results it reads.
    limits
        (scrap, limits as text).
    trends
        Its key results over the last shots (or days).
    recent
        Its newest reports.
    notebook
        Path of its notebook in the site; empty if there is none.
    commands
        (what it does, command line).
    """

    template: ClassVar[str] = "pages/template.html"
    name: str
    scope: str
    description: str
    needs: Sequence[Link]
    after: Sequence[Link]
    schedule: str
    parameters: Sequence[ParameterRow]
    limits: Sequence[tuple[str, str]]
    trends: Sequence[Trend]
    recent: Sequence[Link]
    failures: Sequence[Failure]
    more_failures: int
    notebook: str
    commands: Sequence[tuple[str, str]]


def templates_page(view: View) -> TemplatesPage:
    """Return ``templates/index.html``."""
    shots = _last(view, "shot")
    view.load_summaries(shots)
    failed: dict[str, int] = {}
    for subject in (*shots, *_last(view, "day")):
        for report in view.summaries(subject):
            if report.state in {"failed", "timeout"}:
                failed[report.template] = failed.get(report.template, 0) + 1
    return TemplatesPage(
        path=TEMPLATES,
        title="Templates",
        rows=[
            TemplateRow(
                link=Link(href=template_page(t.name), text=t.title or t.name),
                name=t.name,
                scope=SCOPES[t.scope],
                description=t.description,
                failed=failed.get(t.name, 0),
            )
            for t in view.templates.values()
        ],
        n_shots=len(shots),
    )


def template_page_of(view: View, template: TemplateRecord, signals: Sequence[Link]) -> TemplatePage:
    """Return the page of a template.

    Parameters
    ----------
    signals
        The signals with a page, to link those that it needs.
    """
    page = template_page(template.name)
    subjects = _last(view, template.scope)
    view.load_summaries(subjects)
    known = {link.text: link for link in signals}
    failed = view.source.failures(FAILURES_GROUPED, template=template.name)
    failures = group_alike(failure(view, f) for f in failed)
    return TemplatePage(
        path=page,
        title=template.title or template.name,
        name=template.name,
        scope=SCOPES[template.scope],
        description=template.description,
        needs=[known.get(name) or Link(href="", text=name) for name in template.needs],
        after=[
            Link(href=template_page(name) if name in view.templates else "", text=name)
            for name in template.after
        ],
        schedule=template.schedule,
        parameters=[_parameter(p) for p in template.parameters],
        limits=[(name, _limits(view, template, name)) for name in template.limits],
        trends=_trends(view, template, subjects),
        recent=_recent(view, template, subjects),
        failures=failures[:MAX_FAILURES],
        more_failures=sum(1 + len(f.alike) for f in failures[MAX_FAILURES:]),
        notebook=page.removesuffix(".html") + ".ipynb" if template.path else "",
        commands=[
            ("Make its reports again", f"ishtar run --templates {template.name} --force"),
            ("Try a change on shots that are there", f"ishtar template test {template.name}"),
        ],
    )


def _last(view: View, scope: Scope) -> list[Subject]:
    if scope == "shot":
        return [Subject.shot(n) for n in view.numbers[-TREND_SHOTS:]]
    if scope == "day":
        return [Subject.day(d) for d in view.days[-TREND_DAYS:]]
    return list(view.source.ranges())[-TREND_DAYS:]


def _parameter(p: Parameter) -> ParameterRow:
    ends = [f"{e:g}" if e is not None else "" for e in (p.low, p.high)]
    if p.choices:
        given = ", ".join(repr(c) for c in p.choices)
    else:
        below = f"{RELATIONS[p.relation]} {p.below}" if p.below else ""
        given = ", ".join(filter(None, (" … ".join(ends) if any(ends) else "", below)))
    return ParameterRow(
        name=p.name,
        type=p.annotation,
        default=repr(p.default),
        unit=unit_text(p.unit),
        range=given,
        meaning=p.meaning,
    )


def _limits(view: View, template: TemplateRecord, name: str) -> str:
    low, high = template.limits[name]
    unit = next(
        (
            s.unit
            for subject in reversed(_last(view, template.scope))
            for report in view.summaries(subject)
            if report.template == template.name
            for s in report.scraps
            if s.name == name
        ),
        "",
    )
    ends = [str(quantity(e, None, unit)) if e is not None else "…" for e in (low, high)]
    return " to ".join(ends)


def _scraps_of(view: View, subject: Subject, template: str) -> Sequence[Scrap]:
    reports = view.summaries(subject)
    return next((r.scraps for r in reports if r.template == template), ())


def _trends(view: View, template: TemplateRecord, subjects: Sequence[Subject]) -> list[Trend]:
    if template.scope == "range":
        return []
    scraps = {s: {x.name: x for x in _scraps_of(view, s, template.name)} for s in subjects}
    names = list(template.key)
    if not names:
        found = [view.results.names(template.name, list(of.values())) for of in scraps.values()]
        names = list(dict.fromkeys(n for of in reversed(found) for n in of))[:VALUES_EACH]
    drawn = (
        trend(
            name,
            [(_label(s), scraps[s].get(name)) for s in subjects],
            view.results.record(template.name, name),
        )
        for name in names[:MAX_TRENDS]
    )
    return [t for t in drawn if t is not None]


def _label(subject: Subject) -> int | str:
    return subject.number if subject.scope == "shot" else subject.key


def _recent(view: View, template: TemplateRecord, subjects: Sequence[Subject]) -> list[Link]:
    found = [
        Link(href=mark.href, text=str(subject).removeprefix("shot "))
        for subject in reversed(subjects)
        for report in view.summaries(subject)
        if report.template == template.name and (mark := view.summary_mark(report))
    ]
    return found[:12]
