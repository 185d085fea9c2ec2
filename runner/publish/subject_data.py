"""A shot and a day as data: ``shots/NNNNN/{shot,scraps}.json``, ``days/YYYY-MM-DD/day.json``.

The pages of weeks and months read the published days, so that a new shot costs them a look at its
own day only.
"""

from __future__ import annotations

import json
from statistics import median
from typing import Any

from runner.publish.addresses import report_stem, subject_folder
from runner.publish.describe import report_state
from runner.publish.key_results import Key, is_number
from runner.publish.records import ReportRecord
from runner.publish.view import Daily, View
from runner.receipts import NOTEBOOK, Subject
from runner.render.notebook import THUMBNAIL


def daily(view: View, day: str) -> Daily:
    """Return a day in numbers: as this publication found it, else as it was published."""
    if day not in view.dailies:
        view.dailies[day] = _read(view, day) or work_out(view, day)
    return view.dailies[day]


def daily_path(day: str) -> str:
    """Return where a day in numbers is published."""
    return f"{subject_folder(Subject.day(day))}/day.json"


def work_out(view: View, day: str) -> Daily:
    """Return a day in numbers, from its reports, and keep it for its week and its month.

    Where units differ, the newest shot's counts.
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
    view.dailies[day] = Daily(
        shots=shots,
        n_failed=n_failed,
        medians={key: (median(found), units[key]) for key, found in values.items()},
    )
    return view.dailies[day]


def daily_json(day: str, found: Daily) -> bytes:
    """Return a day in numbers as JSON."""
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


def _read(view: View, day: str) -> Daily | None:
    if view.out is None:
        return None
    try:
        data = json.loads((view.out / daily_path(day)).read_bytes())
        return Daily(
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
    """Return the facts of a shot, as they go into ``shots/NNNNN/shot.json``."""
    subject = Subject.shot(number)
    record = view.shot(number)
    return {
        "shot": number,
        "date": record.date.isoformat() if record.date else None,
        "attributes": dict(record.attributes),
        "problems": list(record.marks),
        "reports": [_report(view, r) for r in view.reports(subject)],
        "reruns": [_report(view, r) for r in view.reruns(subject)],
        "sources": [vars(s) for s in record.sources],
        "wiring": [vars(w) for w in record.wiring],
        "components": [vars(c) | {"parameters": dict(c.parameters)} for c in record.components],
    }


def scraps_data(view: View, number: int) -> dict[str, Any]:
    """Return the scraps of a shot's reports, as they go into ``shots/NNNNN/scraps.json``."""
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
    stem = report_stem(receipt)
    fragment = view.fragment(report)
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
        "title": view.title(report),
        "state": report_state(report),
        "reasons": list(view.reasons(report)),
        "digest": receipt.digest,
        "parameters": dict(receipt.parameters),
        "html": f"{stem}.html",
        "notebook": f"{stem}.ipynb" if (report.folder / NOTEBOOK).is_file() else None,
        "thumbnail": thumbnail,
        "figures": figures,
        "scraps": [vars(s) for s in receipt.scraps],
    }
