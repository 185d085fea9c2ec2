"""The rows of the catalogue, as records."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class SourceRow:
    """One stored source file of a shot."""

    shot: int
    file: str
    source: str
    sha256: str
    size: int
    converter: str
    writer: str
    arrived: str
    n_channels: int


@dataclass(frozen=True, kw_only=True)
class ReportRow:
    """One report in the catalogue."""

    folder: str
    scope: str
    subject: str
    template: str
    digest: str
    state: str
    reason: str
    rerun: bool
    current: bool
    started: str
    duration_s: float
    template_digest: str
    prose_digest: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True, kw_only=True)
class ScrapRow:
    """One scrap of a current report."""

    subject: str
    template: str
    name: str
    value: float | int | str | bool | None
    sigma: float | None
    unit: str


REPORT_COLUMNS = (
    "folder, scope, subject, template, digest, state, reason, rerun, current, started, "
    "duration_s, template_digest, prose_digest, parameters"
)


def report_of(row: tuple[Any, ...]) -> ReportRow:
    """Return the record of a row of `REPORT_COLUMNS`."""
    names = REPORT_COLUMNS.split(", ")
    values = dict(zip(names, row, strict=True))
    values |= {
        "rerun": bool(values["rerun"]),
        "current": bool(values["current"]),
        "parameters": json.loads(values["parameters"]),
    }
    return ReportRow(**values)
