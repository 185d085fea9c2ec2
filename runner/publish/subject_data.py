"""JSON of shots and days: ``shots/NNNNN/{shot,scraps}.json``, ``days/YYYY-MM-DD/day.json``.

The pages of weeks and months read the published days, so that a new shot requires only its own day
to be summarised again.
"""

from __future__ import annotations

import json
from statistics import median
from typing import Any

from runner.publish.addresses import subject_folder
from runner.publish.key_results import Key, is_number
from runner.publish.records import ReportRecord
from runner.publish.view import DaySummary, View
from runner.receipts import NOTEBOOK, Subject
from runner.render.notebook import THUMBNAIL


def day_summary(view: View, day: str) -> DaySummary:
    """Return the summary of a day: from this publication, else as it was published."""
    if day not in view.day_summaries:
        view.day_summaries[day] = _read(view, day) or summarise_day(view, day)
    return view.day_summaries[day]


def day_summary_path(day: str) -> str:
    """Return the path of a day's summary in the site."""
    return f"{subject_folder(Subject.day(day))}/day.json"


def summarise_day(view: View, day: str) -> DaySummary:
    """Return the summary of a day from its reports, and keep it for its week and month.

    If units differ, only values in the newest shot's unit count.
    """
    shots = list(view.source.shots_of(day))
    subjects = [Subject.shot(n) for n in shots]
    view.load_summaries(subjects)
    units: dict[Key, str] = {}
    values: dict[Key, list[float]] = {}
    n_failed = 0
    for subject in reversed(subjects):
        n_failed += sum(r.state in {"failed", "timeout"} for r in view.summaries(subject))
        for key, scrap in view.key_scraps(subject).items():
            if is_number(scrap) and units.setdefault(key, scrap.unit) == scrap.unit:
                values.setdefault(key, []).append(float(scrap.value or 0))
    view.day_summaries[day] = DaySummary(
        shots=shots,
        n_failed=n_failed,
        medians={key: (median(found), units[key]) for key, found in values.items()},
    )
    return view.day_summaries[day]


def day_summary_json(day: str, found: DaySummary) -> bytes:
    """Return the summary of a day as JSON."""
    data: dict[str, Any] = {
        "day": day,
        "shots": list(found.shots),
        "failed": found.n_failed,
        "medians": [
            {"template": t, "name": n, "median": value, "unit": unit}
            for (t, n), (value, unit) in sorted(found.medians.items())
        ],
    }
    return (json.dumps(data, ensure_ascii=False) + "\n").encode()


def _read(view: View, day: str) -> DaySummary | None:
    if view.out is None:
        return None
    try:
        data = json.loads((view.out / day_summary_path(day)).read_bytes())
        return DaySummary(
            shots=[int(n) for n in data["shots"]],
            n_failed=int(data["failed"]),
            medians={
                (m["template"], m["name"]): (float(m["median"]), str(m["unit"]))
                for m in data["medians"]
            },
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None


def shot_data(view: View, number: int) -> dict[str, Any]:
    """Return the content of ``shots/NNNNN/shot.json``."""
    subject = Subject.shot(number)
    record = view.shot(number)
    return {
        "shot": number,
        "date": record.date.isoformat() if record.date else None,
        "attributes": dict(record.attributes),
        "problems": list(record.problems),
        "reports": [_report(view, r) for r in view.reports(subject)],
        "reruns": [_report(view, r) for r in view.reruns(subject)],
        "sources": [vars(s) for s in record.sources],
        "wiring": [vars(w) for w in record.wiring],
        "components": [vars(c) | {"parameters": dict(c.parameters)} for c in record.components],
    }


def scraps_data(view: View, number: int) -> dict[str, Any]:
    """Return the content of ``shots/NNNNN/scraps.json``."""
    return {
        "shot": number,
        "scraps": [
            {"template": report.receipt.template, **vars(scrap)}
            for report in view.reports(Subject.shot(number))
            for scrap in report.receipt.scraps
        ],
    }


def _report(view: View, report: ReportRecord) -> dict[str, Any]:
    receipt = report.receipt
    fragment = view.fragment(report)
    figures = []
    thumbnail = None
    if fragment is not None:
        alts = [*fragment.alts, *[""] * len(fragment.figures)]
        figures = [
            {
                "file": f"{report.stem}/{picture.file}",
                "width": picture.width,
                "height": picture.height,
                "alt": alt,
            }
            for picture, alt in zip(fragment.figures, alts, strict=False)
        ]
        if fragment.thumbnail and not receipt.rerun:
            thumbnail = f"{report.stem}/{THUMBNAIL}"
    return {
        "template": receipt.template,
        "title": view.title(report),
        "state": report.shown_state,
        "reasons": list(report.reasons),
        "digest": receipt.digest,
        "parameters": dict(receipt.parameters),
        "html": report.page,
        "notebook": f"{report.stem}.ipynb" if (report.folder / NOTEBOOK).is_file() else None,
        "thumbnail": thumbnail,
        "figures": figures,
        "scraps": [vars(s) for s in receipt.scraps],
    }
