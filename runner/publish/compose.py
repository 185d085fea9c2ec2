"""The pages of shots, days and reports, from facts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from runner.publish.addresses import (
    report_stem,
    subject_folder,
    subject_page,
)
from runner.publish.changes import changes
from runner.publish.describe import (
    attributes,
    commands,
    provenance,
    report_state,
    shot_facts,
    subject_text,
)
from runner.publish.facts import Facts
from runner.publish.format import day_text
from runner.publish.pages import DayPage, ReportPage, ShotPage
from runner.publish.parts import Link
from runner.publish.records import ReportRecord
from runner.publish.tables import shot_table
from runner.publish.trends import trend
from runner.receipts import NOTEBOOK, Subject


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
        subject=Link(href=subject_page(subject), text=subject_text(subject)),
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
        links.append(Link(href=href, text=subject_text(other)))
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


def _shot_link(number: int | None) -> Link | None:
    if number is None:
        return None
    return Link(href=subject_page(Subject.shot(number)), text=f"Shot {number}")


def _day_link(day: str | None) -> Link | None:
    return Link(href=subject_page(Subject.day(day)), text=day) if day else None
