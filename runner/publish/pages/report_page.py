"""The page of a report."""

from __future__ import annotations

import shlex
from typing import Any
from urllib.parse import quote

from markupsafe import Markup

from runner.publish.addresses import template_page
from runner.publish.describe import parameter_text, sentences, shot_heading, subject_link
from runner.publish.key_results import RESULTS_IN_DESCRIPTION
from runner.publish.page_models import ReportPage
from runner.publish.pages.bibliography import read_bibliography, with_citations
from runner.publish.records import ReportRecord
from runner.publish.view import View
from runner.publish.view_models import InputRow, Provenance
from runner.publish.writer import json_bytes
from runner.receipts import NOTEBOOK, Receipt
from runner.render.fragment import Fragment
from runner.render.parameter_table import SUBJECT_PARAMETERS


def report_page(view: View, report: ReportRecord) -> ReportPage:
    """Return the page of a report or of a re-run."""
    receipt = report.receipt
    subject, template = receipt.about, receipt.template
    mark = view.mark(report)
    fragment = view.fragment(report)
    shot = view.shot(subject.number) if subject.scope == "shot" else None
    before, after = (None, None) if receipt.rerun else view.neighbours(subject)
    names = view.results.names(template, receipt.scraps)[:RESULTS_IN_DESCRIPTION]
    has_notebook = (report.folder / NOTEBOOK).is_file()
    return ReportPage(
        path=report.page,
        title=f"{mark.title}, {subject}",
        description=sentences(
            f"{mark.title} of {subject}: {mark.word}",
            "; ".join(view.results.text(template, s) for s in receipt.scraps if s.name in names),
        ),
        mark=mark,
        reasons=report.reasons,
        values=view.results.values(report),
        rerun=receipt.rerun,
        official=view.official_link(subject, template) if receipt.rerun else None,
        reruns=[] if receipt.rerun else view.rerun_links(subject, template),
        previous=view.report_link(before, template) if before else None,
        next=view.report_link(after, template) if after else None,
        subject=subject_link(subject),
        facts=shot_heading(shot) if shot else [],
        about=template_page(template) if template in view.templates else "",
        body=_body(view, report, fragment) if fragment else None,
        contents=[(h.level, h.id, h.text) for h in fragment.contents] if fragment else [],
        failed_cell=fragment.failed_cell if fragment else "",
        notebook=f"{report.stem}.ipynb" if has_notebook else "",
        jupyterhub=_jupyterhub(view, report) if has_notebook else "",
        commands=_commands(report),
        provenance=_provenance(report),
        rerun_subject=_subject_text(receipt),
        rerun_parameters=json_bytes(_free(receipt)).decode().strip(),
    )


def _body(view: View, report: ReportRecord, fragment: Fragment) -> Markup:
    """Return the body of a report with working links to pictures and references."""
    body = fragment.body_at(report.stem.rpartition("/")[2] + "/")
    return with_citations(body, report.page, read_bibliography(view.references))


def _jupyterhub(view: View, report: ReportRecord) -> str:
    """Return the JupyterHub address with {subject}, {template} and {notebook} filled in."""
    address = view.source.facility.jupyterhub
    receipt = report.receipt
    for name, value in (
        ("subject", receipt.subject),
        ("template", receipt.template),
        ("notebook", f"reports/{receipt.subject}/{receipt.template}/{receipt.digest}/{NOTEBOOK}"),
    ):
        address = address.replace("{" + name + "}", quote(value))
    return address


def _provenance(report: ReportRecord) -> Provenance:
    """Return the provenance of a report."""
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


def _subject_text(receipt: Receipt) -> str:
    """Return the subject of a report as people write it."""
    return str(receipt.about.number) if receipt.scope == "shot" else receipt.subject


def _free(receipt: Receipt) -> dict[str, Any]:
    """Return the parameters of a report but for those of its subject."""
    return {k: v for k, v in receipt.parameters.items() if k not in SUBJECT_PARAMETERS}


def _commands(report: ReportRecord) -> list[tuple[str, str]]:
    """Return the commands that fork and re-run a report, as (what it does, command line)."""
    receipt = report.receipt
    subject = _subject_text(receipt)
    name = shlex.quote(receipt.template)
    free = list(_free(receipt).items())
    given = "name=value"
    if free:
        given = shlex.quote(f"{free[0][0]}={parameter_text(free[0][1])}")
    return [
        ("A notebook of your own", f"ishtar fork {subject} {name} -o mine.ipynb"),
        ("The same report, other parameters", f"ishtar rerun {subject} {name} -p {given}"),
    ]
