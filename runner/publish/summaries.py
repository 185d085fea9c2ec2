"""Short records of shots and reports for lists, without reading receipts or shot files.

Reports come from the catalogue. A shot's page and its ``shot.json`` are published together; lists
take shots whose pages do not change from there.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date as Date
from pathlib import Path
from typing import Any

from ishtar.catalogue import Catalogue, ReportRow, ScrapRow
from runner.publish.addresses import subject_folder
from runner.publish.records import ReportSummary, ShotRecord
from runner.receipts import Scope, Scrap, Subject
from runner.render.format import parse_time
from runner.staleness.current_state import CurrentState
from runner.staleness.plan import stale_reasons
from runner.templates.template import Templates

NO_TEMPLATE = "its template was removed"


class Summaries:
    """Summaries of reports from the catalogue, for one publication: it caches the current state."""

    def __init__(
        self,
        catalogue: Catalogue,
        templates: Templates,
        current: CurrentState,
        damaged: Collection[str],
    ) -> None:
        self._catalogue = catalogue
        self._templates = templates
        self._current = current
        self._damaged = damaged

    def of(self, subjects: Sequence[Subject]) -> Mapping[Subject, Sequence[ReportSummary]]:
        """Return the official reports of some subjects."""
        keys = [s.key for s in subjects]
        rows = self._catalogue.reports_of_subjects(keys)
        scraps: dict[tuple[str, str], list[Scrap]] = {}
        for s in self._catalogue.scraps(keys):
            scraps.setdefault((s.subject, s.template), []).append(_scrap(s))
        stale = self.stale(rows)
        found: dict[Subject, list[ReportSummary]] = {s: [] for s in subjects}
        for row in rows:
            summary = self._summary(row, stale, scraps.get((row.subject, row.template), ()))
            if row.folder not in self._damaged and summary.subject in found:
                found[summary.subject].append(summary)
        return found

    def failed(self, limit: int, scope: Scope, template: str) -> Sequence[ReportSummary]:
        """Return the failed reports, newest shots first."""
        rows = self._catalogue.failed(limit, scope=scope, template=template or None)
        return self._without_scraps(rows)

    def failed_between(self, first: int, last: int) -> Sequence[ReportSummary]:
        """Return the failed reports of the shots ``first … last``, newest first."""
        rows: list[ReportRow] = []
        for low, high in _same_length(first, last):
            rows = [*self._catalogue.failed_between(low, high), *rows]
        return self._without_scraps(rows)

    def scrap_history(self, template: str, name: str, first: int, last: int) -> Mapping[int, Scrap]:
        """Return one scrap of each shot ``first … last`` that has it."""
        return {
            int(row.subject): _scrap(row)
            for low, high in _same_length(first, last)
            for row in self._catalogue.scrap_history(template, name, low, high)
            if row.subject.isdecimal()
        }

    def _without_scraps(self, rows: Sequence[ReportRow]) -> Sequence[ReportSummary]:
        return [self._summary(row, {}, ()) for row in rows if row.folder not in self._damaged]

    def stale(self, rows: Sequence[ReportRow]) -> Mapping[str, Sequence[str]]:
        """Return why reports are stale, by folder; only dirty reports are checked."""
        subjects = list(dict.fromkeys(row.subject for row in rows))
        dirty = self._catalogue.dirty(list(self._templates), subjects)
        inputs = self._catalogue.inputs([row.folder for row in dirty])
        found: dict[str, Sequence[str]] = {
            row.folder: (NO_TEMPLATE,) for row in rows if row.template not in self._templates
        }
        for row in dirty:
            template = self._templates[row.template]
            subject = Subject(template.scope, row.subject)
            read = inputs.get(row.folder, ())
            reasons = stale_reasons(template, subject, row, read, self._current)
            found[row.folder] = [reason.removeprefix("stale: ") for reason in reasons]
        return found

    def _summary(
        self, row: ReportRow, stale: Mapping[str, Sequence[str]], scraps: Sequence[Scrap]
    ) -> ReportSummary:
        return ReportSummary(
            subject=Subject(row.scope, row.subject),  # type: ignore[arg-type]
            template=row.template,
            state=row.state,  # type: ignore[arg-type]
            reason=row.reason,
            stale=stale.get(row.folder, ()),
            started=row.started,
            scraps=scraps,
        )


def _scrap(row: ScrapRow) -> Scrap:
    return Scrap(name=row.name, value=row.value, sigma=row.sigma, unit=row.unit)


def _same_length(first: int, last: int) -> Iterator[tuple[str, str]]:
    """Yield the ends of spans with equally many digits: their keys sort like numbers."""
    while first <= last:
        end = min(last, 10 ** max(5, len(str(first))) - 1)
        yield Subject.shot(first).key, Subject.shot(end).key
        first = end + 1


@dataclass(frozen=True, kw_only=True)
class ShotSummary:
    """A shot in a list; ``problems`` counts the problems of its data."""

    shot: int
    date: Date | None
    gas: str
    program: str
    comment: str
    problems: int


def summarise(record: ShotRecord) -> ShotSummary:
    """Return the summary of a shot record."""
    return _shot_summary(record.shot, record.date, record.attributes, len(record.problems))


def read_summary(out: Path, number: int) -> ShotSummary | None:
    """Return the summary of a shot from its published data; None if there are none."""
    path = out / subject_folder(Subject.shot(number)) / "shot.json"
    try:
        data = json.loads(path.read_bytes())
        date = parse_time(data["date"]) if data["date"] else None
        return _shot_summary(number, date, dict(data["attributes"]), len(data["problems"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _shot_summary(
    number: int, date: Date | None, attributes: Mapping[str, Any], problems: int
) -> ShotSummary:
    gas, program, comment = (
        "" if attributes.get(name) is None else str(attributes[name])
        for name in ("gas", "program", "comment")
    )
    return ShotSummary(
        shot=number, date=date, gas=gas, program=program, comment=comment, problems=problems
    )
