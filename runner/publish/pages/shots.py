"""The pages of shots, days and reports, from facts."""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote

from markupsafe import Markup

from runner.publish.addresses import (
    device_page,
    official_stem,
    report_stem,
    signal_page,
    subject_folder,
    subject_page,
    template_page,
)
from runner.publish.changes import changes
from runner.publish.describe import (
    attributes,
    commands,
    provenance,
    sentences,
    shot_facts,
    subject_text,
)
from runner.publish.history import key_values, trend
from runner.publish.page_models import DayPage, ReportPage, ShotPage
from runner.publish.pages.across_shots import COMPARE, TRACES
from runner.publish.pages.bibliography import read_bibliography, with_citations
from runner.publish.pages.calendar_pages import stretches_of
from runner.publish.records import ReportRecord, ShotRecord
from runner.publish.tables import shot_table
from runner.publish.view import Facts, result_text
from runner.publish.view_models import Change, Link
from runner.receipts import NOTEBOOK, Subject
from runner.render.format import day_text
from runner.render.fragment import Fragment

TOLD_RESULTS = 5  # in the description of a page


def day_page(facts: Facts, day: str) -> DayPage:
    """Return the page of a day."""
    subject = Subject.day(day)
    numbers = list(facts.source.shots_of(day))
    table = shot_table(facts, numbers)
    facts.ask_for(Subject.shot(n) for n in numbers)
    scraps = [(n, facts.key_scraps(Subject.shot(n))) for n in numbers]
    drawn = [
        trend(
            c.name,
            [(n, of_shot.get((c.template, c.name))) for n, of_shot in scraps],
            facts.results.called(c.template, c.name),
        )
        for c in table.columns
    ]
    before, after = facts.neighbour_days(day)
    return DayPage(
        path=subject_page(subject),
        title=day_text(day),
        description=sentences(
            f"{len(numbers)} shot{'' if len(numbers) == 1 else 's'} on {day_text(day)}",
            f"shots {numbers[0]} to {numbers[-1]}" if len(numbers) > 1 else "",
        ),
        day=day,
        stretches=stretches_of(day),
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
        description=_shot_text(facts, record),
        shot=number,
        date=record.date,
        day=_day_link(day) if day in facts.counts else None,
        attributes=attributes(record),
        problems=list(record.marks),
        values=key_values(facts, number),
        reports=facts.cards(subject),
        reruns=[facts.rerun_link(r) for r in facts.reruns(subject)],
        wiring=record.wiring,
        components=record.components,
        changes=_grouped(changes(facts.shot(before), record)) if before is not None else None,
        links=_links(facts, record),
        traces=f"{TRACES}#shots={number}",
        compare=f"{COMPARE}#shots={before},{number}" if before is not None else "",
        downloads=_downloads(facts, subject),
        sources=record.sources,
        notes=[(source.name, note) for source in record.sources for note in source.notes],
        previous=_shot_link(before),
        next=_shot_link(after),
        data=f"{subject_folder(subject)}/shot.json",
    )


def _shot_text(facts: Facts, record: ShotRecord) -> str:
    """Return a shot in two sentences: when and what it was, and what came out."""
    scraps = facts.key_scraps(Subject.shot(record.shot))
    keys = facts.results.chosen(scraps, TOLD_RESULTS)
    return sentences(
        ", ".join([f"Shot {record.shot}", *shot_facts(record)]),
        "; ".join(result_text(facts, key[0], scraps[key]) for key in keys),
        str(record.attributes.get("comment") or ""),
    )


def _grouped(found: Sequence[Change]) -> dict[str, list[Change]]:
    """Return changes by heading, the hardware first."""
    groups: dict[str, list[Change]] = {
        name: [] for name in ("Hardware", "Wiring", "Calibration", "Settings")
    }
    for change in found:
        groups[change.group].append(change)
    return {name: of_group for name, of_group in groups.items() if of_group}


def _links(facts: Facts, record: ShotRecord) -> dict[str, str]:
    found = {f"template {name}": template_page(name) for name in facts.templates}
    for row in record.wiring:
        if row.signal in facts.signal_names:
            found[f"signal {row.signal}"] = signal_page(row.signal)
        if row.device in facts.device_names:
            found[f"device {row.device}"] = device_page(row.device)
    return found


def _downloads(facts: Facts, subject: Subject) -> list[Link]:
    """Return the files of a shot for other programs; tables only once they are made."""
    folder = subject_folder(subject)
    tables = {"data.csv": "Signals, decimated (CSV)", "data.mat": "Signals, decimated (MATLAB)"}
    found = [
        Link(href=f"{folder}/{name}", text=text)
        for name, text in tables.items()
        if facts.out is not None and (facts.out / folder / name).is_file()
    ]
    return [*found, Link(href=f"{folder}/scraps.json", text="Results (JSON)")]


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
    told = facts.results.names(receipt.template, receipt.scraps)[:TOLD_RESULTS]
    has_notebook = (report.folder / NOTEBOOK).is_file()
    return ReportPage(
        path=f"{stem}.html",
        title=f"{mark.title}, {subject}",
        description=sentences(
            f"{mark.title} of {subject}: {mark.word}",
            "; ".join(
                result_text(facts, receipt.template, s) for s in receipt.scraps if s.name in told
            ),
        ),
        mark=mark,
        subject=Link(href=subject_page(subject), text=subject_text(subject)),
        about=template_page(receipt.template) if receipt.template in facts.templates else "",
        facts=shot_facts(facts.shot(subject.number)) if subject.scope == "shot" else [],
        reasons=facts.reasons(report),
        rerun=receipt.rerun,
        official=official,
        reruns=reruns if not receipt.rerun else [],
        previous=previous,
        next=following,
        values=facts.values(report),
        body=_body(facts, fragment, stem) if fragment else None,
        contents=[(h.level, h.id, h.text) for h in fragment.contents] if fragment else [],
        failed_cell=fragment.failed_cell if fragment else "",
        notebook=f"{stem}.ipynb" if has_notebook else "",
        jupyterhub=_jupyterhub(facts, report) if has_notebook else "",
        commands=commands(report),
        provenance=provenance(report),
    )


def _body(facts: Facts, fragment: Fragment, stem: str) -> Markup:
    """Return the body of a report with its pictures and citations leading where they are."""
    body = fragment.body_at(stem.rpartition("/")[2] + "/")
    return with_citations(body, f"{stem}.html", read_bibliography(facts.references))


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
        template = report.receipt.template
        same = any(r.template == template for r in facts.summaries(other))
        href = f"{official_stem(other, template)}.html" if same else subject_page(other)
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
