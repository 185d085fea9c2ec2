"""What a list says of a shot: a few words, which need no look at the shot's files.

A shot's page and its ``shot.json`` are published together; a list of shots whose pages do not
change says what these say, without working it out anew.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path
from typing import Any

from runner.publish.addresses import subject_folder
from runner.publish.records import ShotRecord
from runner.receipts import Subject
from runner.render.format import parse_time


@dataclass(frozen=True, kw_only=True)
class ShotLine:
    """One shot of a list; ``problems`` counts what is wrong with its data."""

    shot: int
    date: Date | None
    gas: str
    program: str
    comment: str
    problems: int


def line_of(record: ShotRecord) -> ShotLine:
    """Return the line of a shot that was looked at."""
    return _line(record.shot, record.date, record.attributes, len(record.marks))


def read_line(out: Path, number: int) -> ShotLine | None:
    """Return the line of a shot from its published facts; None where they are not there."""
    path = out / subject_folder(Subject.shot(number)) / "shot.json"
    try:
        data = json.loads(path.read_bytes())
        date = parse_time(data["date"]) if data["date"] else None
        return _line(number, date, dict(data["attributes"]), len(data["problems"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _line(number: int, date: Date | None, attributes: Mapping[str, Any], problems: int) -> ShotLine:
    gas, program, comment = (
        "" if attributes.get(name) is None else str(attributes[name])
        for name in ("gas", "program", "comment")
    )
    return ShotLine(
        shot=number, date=date, gas=gas, program=program, comment=comment, problems=problems
    )
