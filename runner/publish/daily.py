"""A day in numbers: what the pages of its week and its month say of it.

They are published as ``days/2026-11-22/day.json`` with the page of the day. The pages of weeks and
months read them there, so that a new shot costs these a look at its own day and no other.
"""

from __future__ import annotations

import json
from statistics import median
from typing import Any

from runner.publish.addresses import subject_folder
from runner.publish.key_results import Key, is_number
from runner.publish.view import Daily, Facts
from runner.receipts import Subject


def daily(facts: Facts, day: str) -> Daily:
    """Return a day in numbers: as this publication found it, else as it was published."""
    if day not in facts.dailies:
        facts.dailies[day] = _read(facts, day) or work_out(facts, day)
    return facts.dailies[day]


def daily_path(day: str) -> str:
    """Return where a day in numbers is published."""
    return f"{subject_folder(Subject.day(day))}/day.json"


def work_out(facts: Facts, day: str) -> Daily:
    """Return a day in numbers, from its reports, and keep it for its week and its month.

    Where units differ, the newest shot's counts.
    """
    shots = list(facts.source.shots_of(day))
    subjects = [Subject.shot(n) for n in shots]
    facts.ask_for(subjects)
    units: dict[Key, str] = {}
    values: dict[Key, list[float]] = {}
    n_failed = 0
    for subject in reversed(subjects):
        n_failed += sum(r.state in {"failed", "timeout"} for r in facts.summaries(subject))
        for key, scrap in facts.key_scraps(subject).items():
            if is_number(scrap) and units.setdefault(key, scrap.unit) == scrap.unit:
                values.setdefault(key, []).append(float(scrap.value or 0))
    facts.dailies[day] = Daily(
        shots=shots,
        n_failed=n_failed,
        medians={key: (median(found), units[key]) for key, found in values.items()},
    )
    return facts.dailies[day]


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


def _read(facts: Facts, day: str) -> Daily | None:
    if facts.out is None:
        return None
    try:
        data = json.loads((facts.out / daily_path(day)).read_bytes())
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
