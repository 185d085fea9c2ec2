"""From facts to pages: one function for each kind of page."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from runner.publish.addresses import (
    DAYS,
    HOME,
    LATEST,
    NOT_FOUND,
    report_stem,
    subject_folder,
    subject_page,
)
from runner.publish.calendars import months
from runner.publish.changes import changes
from runner.publish.describe import (
    attributes,
    commands,
    provenance,
    report_state,
    shot_facts,
)
from runner.publish.facts import Facts
from runner.publish.format import day_text
from runner.publish.pages import (
    DayPage,
    DaysPage,
    Failure,
    HomePage,
    Image,
    LatestPage,
    LatestShot,
    Link,
    NotFoundPage,
    ReportPage,
    ShotPage,
)
from runner.publish.records import ReportRecord
from runner.publish.tables import shot_table
from runner.publish.trends import trend
from runner.receipts import NOTEBOOK, Subject

RECENT_SHOTS = 50
MAX_FAILURES = 12
MAX_TROUBLES = 12
HOME_ROWS = 12
HOME_MONTHS = 3


def home_page(facts: Facts) -> HomePage:
    """Return ``index.html``."""
    counts = _counts(facts)
    newest = facts.days[-1] if facts.days else ""
    rows = list(reversed(facts.source.shots_of(newest)))[:HOME_ROWS] if newest else []
    return HomePage(
        path=HOME,
        title=facts.source.facility.name,
        latest=_latest(facts),
        day=Link(href=subject_page(Subject.day(newest)), text=newest) if newest else None,
        table=shot_table(facts, rows) if rows else None,
        day_reports=[
            card for card in facts.cards(Subject.day(newest)) if card.mark.state != "missing"
        ]
        if newest
        else [],
        failures=list(_failures(facts))[:MAX_FAILURES],
        troubles=list(facts.source.troubles())[:MAX_TROUBLES],
        months=months(counts)[:HOME_MONTHS],
        ranges=_ranges(facts)[-10:],
        n_shots=len(facts.numbers),
        n_days=len(facts.days),
        known_shots=_spans(facts.numbers),
    )


def latest_page(facts: Facts) -> LatestPage:
    """Return ``latest.html``."""
    latest = _latest(facts)
    title = f"Shot {latest.shot}" if latest else "No shots yet"
    return LatestPage(path=LATEST, title=title, latest=latest)


def days_page(facts: Facts) -> DaysPage:
    """Return ``days/index.html``."""
    return DaysPage(
        path=DAYS,
        title="All days",
        months=months(_counts(facts)),
        ranges=_ranges(facts),
        n_shots=len(facts.numbers),
        n_days=len(facts.days),
    )


def not_found_page() -> NotFoundPage:
    """Return ``404.html``."""
    return NotFoundPage(path=NOT_FOUND, title="No such page")


def day_page(facts: Facts, day: str) -> DayPage:
    """Return the page of a day."""
    subject = Subject.day(day)
    numbers = list(facts.source.shots_of(day))
    table = shot_table(facts, numbers)
    scraps = [(n, facts.key_scraps(Subject.shot(n))) for n in numbers]
    drawn = [
        trend(c.name, [(n, of_shot.get((c.template, c.name))) for n, of_shot in scraps])
        for c in table.columns
    ]
    before, after = facts.neighbour_days(day)
    return DayPage(
        path=subject_page(subject),
        title=day_text(day),
        day=day,
        table=table,
        trends=[t for t in drawn if t is not None],
        reports=facts.cards(subject),
        reruns=[facts.rerun_link(r) for r in facts.reruns(subject)],
        previous=_day_link(before),
        next=_day_link(after),
    )


def shot_page(facts: Facts, number: int) -> ShotPage:
    """Return the page of a shot."""
    subject = Subject.shot(number)
    record = facts.shot(number)
    before, after = facts.neighbours(number)
    day = f"{record.date:%Y-%m-%d}" if record.date else ""
    return ShotPage(
        path=subject_page(subject),
        title=f"Shot {number}",
        shot=number,
        date=record.date,
        day=_day_link(day) if day in set(facts.days) else None,
        attributes=attributes(record),
        problems=list(record.marks),
        values=facts.key_values(number),
        reports=facts.cards(subject),
        reruns=[facts.rerun_link(r) for r in facts.reruns(subject)],
        wiring=record.wiring,
        components=record.components,
        changes=changes(facts.shot(before), record) if before is not None else None,
        sources=record.sources,
        previous=_shot_link(before),
        next=_shot_link(after),
        data=f"{subject_folder(subject)}/shot.json",
    )


def report_page(facts: Facts, report: ReportRecord) -> ReportPage:
    """Return the page of a report or of a re-run."""
    receipt = report.receipt
    subject = receipt.of
    stem = report_stem(receipt)
    fragment = facts.fragment(report)
    mark = facts.mark(report)
    official = None
    if receipt.rerun:
        same = [r for r in facts.reports(subject) if r.receipt.template == receipt.template]
        official = Link(
            href=facts.mark(same[0]).href if same else subject_page(subject),
            text="The official report" if same else f"There is no official report of {subject}",
        )
    reruns = [
        facts.rerun_link(r)
        for r in facts.reruns(subject)
        if r.receipt.template == receipt.template and r.folder != report.folder
    ]
    previous, following = _same_report(facts, report)
    has_notebook = (report.folder / NOTEBOOK).is_file()
    return ReportPage(
        path=f"{stem}.html",
        title=f"{mark.title}, {subject}",
        mark=mark,
        subject=Link(href=subject_page(subject), text=_subject_text(subject)),
        facts=shot_facts(facts.shot(subject.number)) if subject.scope == "shot" else [],
        reasons=facts.reasons(report),
        rerun=receipt.rerun,
        official=official,
        reruns=reruns if not receipt.rerun else [],
        previous=previous,
        next=following,
        values=facts.values(report),
        body=Markup(fragment.body_at(stem.rpartition("/")[2] + "/")) if fragment else None,
        contents=[(h.level, h.id, h.text) for h in fragment.contents] if fragment else [],
        failed_cell=fragment.failed_cell if fragment else "",
        notebook=f"{stem}.ipynb" if has_notebook else "",
        jupyterhub=_jupyterhub(facts, report) if has_notebook else "",
        commands=commands(report),
        provenance=provenance(report),
    )


def shot_json(facts: Facts, number: int) -> bytes:
    """Return the facts of a shot as JSON: attributes, sources, wiring, results of its reports."""
    subject = Subject.shot(number)
    record = facts.shot(number)
    data = {
        "shot": number,
        "date": record.date.isoformat() if record.date else None,
        "attributes": {k: _plain(v) for k, v in record.attributes.items()},
        "problems": list(record.marks),
        "reports": [_report_json(facts, r) for r in facts.reports(subject)],
        "reruns": [_report_json(facts, r) for r in facts.reruns(subject)],
        "sources": [vars(s) for s in record.sources],
        "wiring": [vars(w) for w in record.wiring],
        "components": [vars(c) | {"parameters": dict(c.parameters)} for c in record.components],
    }
    return (json.dumps(data, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode()


def _report_json(facts: Facts, report: ReportRecord) -> dict[str, Any]:
    receipt = report.receipt
    stem = report_stem(receipt)
    return {
        "template": receipt.template,
        "state": report_state(report),
        "reasons": list(facts.reasons(report)),
        "digest": receipt.digest,
        "parameters": {k: _plain(v) for k, v in receipt.parameters.items()},
        "html": f"{stem}.html",
        "notebook": f"{stem}.ipynb" if (report.folder / NOTEBOOK).is_file() else None,
        "scraps": [vars(s) for s in receipt.scraps],
    }


def _plain(value: object) -> object:
    return value if isinstance(value, bool | int | float | str) or value is None else str(value)


def _latest(facts: Facts) -> LatestShot | None:
    if not facts.numbers:
        return None
    number = facts.numbers[-1]
    subject = Subject.shot(number)
    record = facts.shot(number)
    picture, picture_href = None, ""
    for report in facts.reports(subject):
        fragment = facts.fragment(report)
        if fragment and fragment.figures:
            figure, stem = fragment.figures[0], report_stem(report.receipt)
            picture = Image(
                href=f"{stem}/{figure.file}",
                width=figure.width,
                height=figure.height,
                alt=f"{facts.title(report)} of shot {number}: {fragment.alts[0]}",
            )
            picture_href = f"{stem}.html"
            break
    return LatestShot(
        shot=number,
        href=subject_page(subject),
        date=record.date,
        attributes=attributes(record),
        problems=list(record.marks),
        values=facts.key_values(number, usual=True),
        marks=facts.marks(subject),
        picture=picture,
        picture_href=picture_href,
    )


def _failures(facts: Facts) -> Iterator[Failure]:
    """Yield what failed in the last shots and days, the newest first."""
    subjects = [Subject.day(d) for d in facts.days[-2:]]
    subjects += [Subject.shot(n) for n in reversed(facts.numbers[-RECENT_SHOTS:])]
    for subject in subjects:
        for report in facts.reports(subject):
            if report.receipt.state in {"failed", "timeout"}:
                yield Failure(
                    mark=facts.mark(report),
                    subject=Link(href=subject_page(subject), text=_subject_text(subject)),
                    started=report.receipt.started,
                )


def _same_report(facts: Facts, report: ReportRecord) -> tuple[Link | None, Link | None]:
    """Return the same report of the neighbours, or the neighbours where they have none."""
    subject = report.receipt.of
    if report.receipt.rerun or subject.scope == "range":
        return None, None
    around: Sequence[Subject | None]
    if subject.scope == "shot":
        around = [
            Subject.shot(n) if n is not None else None for n in facts.neighbours(subject.number)
        ]
    else:
        around = [Subject.day(d) if d else None for d in facts.neighbour_days(subject.key)]
    links: list[Link | None] = []
    for other in around:
        if other is None:
            links.append(None)
            continue
        same = [r for r in facts.reports(other) if r.receipt.template == report.receipt.template]
        href = facts.mark(same[0]).href if same else subject_page(other)
        links.append(Link(href=href, text=_subject_text(other)))
    return links[0], links[1]


def _jupyterhub(facts: Facts, report: ReportRecord) -> str:
    """Fill the address of the facility's JupyterHub: {subject}, {template}, {notebook}."""
    address = facts.source.facility.jupyterhub
    receipt = report.receipt
    for name, value in (
        ("subject", receipt.subject),
        ("template", receipt.template),
        ("notebook", f"reports/{receipt.subject}/{receipt.template}/{receipt.digest}/{NOTEBOOK}"),
    ):
        address = address.replace("{" + name + "}", quote(value))
    return address


def _subject_text(subject: Subject) -> str:
    match subject.scope:
        case "shot":
            return f"Shot {subject.number}"
        case "range":
            first, _, last = subject.key.partition("..")
            return f"Shots {int(first)} to {int(last)}"
        case _:
            return subject.key


def _shot_link(number: int | None) -> Link | None:
    if number is None:
        return None
    return Link(href=subject_page(Subject.shot(number)), text=f"Shot {number}")


def _day_link(day: str | None) -> Link | None:
    return Link(href=subject_page(Subject.day(day)), text=day) if day else None


def _ranges(facts: Facts) -> list[Link]:
    return [
        Link(
            href=f"{report_stem(report.receipt)}.html",
            text=f"{facts.title(report)}, {_subject_text(subject).lower()}",
        )
        for subject in facts.source.ranges()
        for report in (*facts.reports(subject), *facts.reruns(subject))
    ]


def _counts(facts: Facts) -> Mapping[str, int]:
    return {day: len(facts.source.shots_of(day)) for day in facts.days}


def _spans(numbers: Sequence[int]) -> str:
    """Return ``1-12,15`` for ascending numbers."""
    spans: list[list[int]] = []
    for n in numbers:
        if spans and n == spans[-1][1] + 1:
            spans[-1][1] = n
        else:
            spans.append([n, n])
    return ",".join(f"{a}-{b}" if b > a else f"{a}" for a, b in spans)
