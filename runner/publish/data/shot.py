"""One shot as data: attributes, sources, wiring, and its reports with figures and scraps."""

from __future__ import annotations

from typing import Any

from runner.publish.addresses import report_stem
from runner.publish.describe import report_state
from runner.publish.records import ReportRecord
from runner.publish.view import Facts
from runner.receipts import NOTEBOOK, Subject
from runner.render.notebook import THUMBNAIL


def shot_data(facts: Facts, number: int) -> dict[str, Any]:
    """Return the facts of a shot, as they go into ``shots/NNNNN/shot.json``."""
    subject = Subject.shot(number)
    record = facts.shot(number)
    return {
        "shot": number,
        "date": record.date.isoformat() if record.date else None,
        "attributes": dict(record.attributes),
        "problems": list(record.marks),
        "reports": [_report(facts, r) for r in facts.reports(subject)],
        "reruns": [_report(facts, r) for r in facts.reruns(subject)],
        "sources": [vars(s) for s in record.sources],
        "wiring": [vars(w) for w in record.wiring],
        "components": [vars(c) | {"parameters": dict(c.parameters)} for c in record.components],
    }


def scraps_data(facts: Facts, number: int) -> dict[str, Any]:
    """Return the scraps of a shot's reports, as they go into ``shots/NNNNN/scraps.json``."""
    return {
        "shot": number,
        "scraps": [
            {"template": report.receipt.template, **vars(scrap)}
            for report in facts.reports(Subject.shot(number))
            for scrap in report.receipt.scraps
        ],
    }


def _report(facts: Facts, report: ReportRecord) -> dict[str, Any]:
    receipt = report.receipt
    stem = report_stem(receipt)
    fragment = facts.fragment(report)
    figures = []
    thumbnail = None
    if fragment is not None:
        alts = [*fragment.alts, *[""] * len(fragment.figures)]
        figures = [
            {
                "file": f"{stem}/{picture.file}",
                "width": picture.width,
                "height": picture.height,
                "alt": alt,
            }
            for picture, alt in zip(fragment.figures, alts, strict=False)
        ]
        if fragment.thumbnail and not receipt.rerun:
            thumbnail = f"{stem}/{THUMBNAIL}"
    return {
        "template": receipt.template,
        "title": facts.title(report),
        "state": report_state(report),
        "reasons": list(facts.reasons(report)),
        "digest": receipt.digest,
        "parameters": dict(receipt.parameters),
        "html": f"{stem}.html",
        "notebook": f"{stem}.ipynb" if (report.folder / NOTEBOOK).is_file() else None,
        "thumbnail": thumbnail,
        "figures": figures,
        "scraps": [vars(s) for s in receipt.scraps],
    }
