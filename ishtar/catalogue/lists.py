"""Queries for lists of shots and reports, whose number does not grow with the archive.

Each uses an index, so that a list of the last shots costs the same among a hundred shots as among
a hundred thousand.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import Any

from ishtar.catalogue.names import ResultName
from ishtar.catalogue.rows import REPORT_COLUMNS, ReportRow, ScrapRow, report_of
from ishtar.lineage.record import Input

FAILED = "current AND state IN ('failed', 'timeout')"
# by length first: as text, shot 100000 would sort before 99999
MIGRATION = f"""
    CREATE INDEX reports_failed ON reports(scope, length(subject), subject) WHERE {FAILED};
    CREATE INDEX reports_failed_of ON reports(template, length(subject), subject) WHERE {FAILED};
    CREATE INDEX reports_ranges ON reports(subject) WHERE current AND scope = 'range'
"""
# CROSS JOIN fixes the order of the tables: the planner has no statistics to choose it well
REPORTS_OF_SUBJECTS = f"""
    SELECT {REPORT_COLUMNS} FROM json_each(?) AS s CROSS JOIN reports AS r ON r.subject = s.value
    WHERE current ORDER BY subject, template
"""
SCRAP_HISTORY = """
    SELECT r.subject, r.template, s.name, s.value, s.sigma, s.unit
    FROM reports AS r CROSS JOIN scraps AS s ON s.folder = r.folder AND s.name = ?
    WHERE r.current AND r.template = ? AND r.subject BETWEEN ? AND ? ORDER BY r.subject
"""


class ListQueries(ABC):
    """The queries, as a mixin for the catalogue, which runs them by `_all`."""

    @abstractmethod
    def _all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""

    def has_reports(self) -> bool:
        """Return whether there is any report."""
        return bool(self._all("SELECT EXISTS(SELECT 1 FROM reports)")[0][0])

    def changed_by_others(self) -> int:
        """Return a number that changes whenever another connection writes the catalogue."""
        return int(self._all("PRAGMA data_version")[0][0])

    def durations(self) -> dict[str, float]:
        """Return the mean duration of recent reports by template, s."""
        rows = self._all(
            "SELECT template, AVG(duration_s) FROM (SELECT template, duration_s FROM reports "
            "WHERE state = 'ok' ORDER BY rowid DESC LIMIT 500) GROUP BY template"
        )
        return dict(rows)

    def shots_by_day(self) -> dict[str, int]:
        """Return the number of shots by day, days ascending."""
        query = "SELECT day, count(*) FROM shots WHERE day IS NOT NULL GROUP BY day ORDER BY day"
        return dict(self._all(query))

    def undated(self) -> list[int]:
        """Return the shots without a date, ascending."""
        return [n for (n,) in self._all("SELECT shot FROM shots WHERE day IS NULL ORDER BY shot")]

    def reports_of_subjects(self, subjects: Sequence[str]) -> list[ReportRow]:
        """Return the current reports of some subjects, by subject and template."""
        return [
            report_of(row) for row in self._all(REPORTS_OF_SUBJECTS, [json.dumps(list(subjects))])
        ]

    def result_names(self) -> dict[str, list[ResultName]]:
        """Return the labels and symbols that notebooks gave to results, by template."""
        found: dict[str, list[ResultName]] = {}
        query = "SELECT template, name, label, symbol FROM result_names ORDER BY template, name"
        for template, *row in self._all(query):
            found.setdefault(template, []).append(ResultName(*row))
        return found

    def ranges(self) -> list[str]:
        """Return the ranges of shots that have reports, ascending."""
        query = (
            "SELECT DISTINCT subject FROM reports WHERE current AND scope = 'range' "
            "ORDER BY subject"
        )
        return [subject for (subject,) in self._all(query)]

    def failed(
        self, limit: int, *, scope: str = "shot", template: str | None = None
    ) -> list[ReportRow]:
        """Return at most ``limit`` failed or timed-out reports, newest shots first.

        Either of one scope, or of one template and any scope.
        """
        what, value = ("scope", scope) if template is None else ("template", template)
        rows = self._all(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE {FAILED} AND {what} = ? "
            "ORDER BY length(subject) DESC, subject DESC LIMIT ?",
            [value, limit],
        )
        return [report_of(row) for row in rows]

    def failed_between(self, first: str, last: str) -> list[ReportRow]:
        """Return the failed reports of the shots ``first … last``, newest first."""
        rows = self._all(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE {FAILED} AND scope = 'shot' "
            "AND length(subject) BETWEEN ? AND ? AND subject BETWEEN ? AND ? "
            "ORDER BY length(subject) DESC, subject DESC",
            [len(first), len(last), first, last],
        )
        return [report_of(row) for row in rows]

    def scrap_history(self, template: str, name: str, first: str, last: str) -> list[ScrapRow]:
        """Return one scrap of all subjects ``first … last`` that have it, ascending."""
        return [
            ScrapRow(subject=s, template=t, name=n, value=json.loads(v), sigma=g, unit=u)
            for s, t, n, v, g, u in self._all(SCRAP_HISTORY, [name, template, first, last])
        ]

    def readers(self, kind: str) -> dict[str, str]:
        """Return the names of all inputs of a kind, each with the folder of one of its readers."""
        rows = self._all(
            "SELECT i.name, min(i.folder) FROM inputs i JOIN reports r ON r.folder = i.folder "
            "WHERE i.kind = ? AND r.current GROUP BY i.name",
            [kind],
        )
        return {name: folder for name, folder in rows}

    def scraps(
        self, subjects: Sequence[str] | None = None, name: str | None = None
    ) -> list[ScrapRow]:
        """Return the scraps of current reports, by subject, template and name."""
        query = (
            "SELECT r.subject, r.template, s.name, s.value, s.sigma, s.unit FROM scraps s "
            "JOIN reports r ON r.folder = s.folder WHERE r.current"
        )
        values: list[Any] = []
        if name:
            query += " AND s.name = ?"
            values.append(name)
        if subjects is not None:
            query += " AND r.subject IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(list(subjects)))
        rows = self._all(query + " ORDER BY r.subject, r.template, s.name", values)
        return [
            ScrapRow(subject=s, template=t, name=n, value=json.loads(v), sigma=g, unit=u)
            for s, t, n, v, g, u in rows
        ]

    def dirty(
        self, templates: Collection[str], subjects: Collection[str] | None = None
    ) -> list[ReportRow]:
        """Return the dirty current reports of some templates, of all subjects or of some."""
        where, values = "template IN (SELECT value FROM json_each(?))", [list(templates)]
        if subjects is not None:
            where += " AND subject IN (SELECT value FROM json_each(?))"
            values.append(list(subjects))
        rows = self._all(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE current AND doubted AND {where}",
            [json.dumps(v) for v in values],
        )
        return [report_of(row) for row in rows]

    def with_other_prose(
        self, template: str, prose_digest: str, subjects: Collection[str] | None = None
    ) -> list[ReportRow]:
        """Return the current reports of a template that were made with other prose."""
        where, values = "template = ? AND prose_digest != ?", [template, prose_digest]
        if subjects is not None:
            where += " AND subject IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(list(subjects)))
        rows = self._all(f"SELECT {REPORT_COLUMNS} FROM reports WHERE current AND {where}", values)
        return [report_of(row) for row in rows]

    def without_report(self, template: str, subjects: Collection[str] | None = None) -> list[str]:
        """Return the subjects (default: all shots) without a current report of a template."""
        if subjects is None:
            every = "SELECT printf('%05d', shot) AS subject FROM shots"
            values: list[Any] = []
        else:
            every, values = (
                "SELECT value AS subject FROM json_each(?)",
                [json.dumps(list(subjects))],
            )
        query = (
            f"SELECT subject FROM ({every}) AS s WHERE NOT EXISTS (SELECT 1 FROM reports r "
            "WHERE r.current AND r.template = ? AND r.subject = s.subject) ORDER BY subject"
        )
        return [subject for (subject,) in self._all(query, [*values, template])]

    def inputs(self, folders: Sequence[str] | None = None) -> dict[str, list[Input]]:
        """Return the inputs of all current reports, or of the given ones, by folder."""
        query = (
            "SELECT i.folder, i.kind, i.name, i.subject, i.version, i.digest FROM inputs i "
            "JOIN reports r ON r.folder = i.folder WHERE "
        )
        if folders is None:
            rows = self._all(query + "r.current")
        else:
            rows = self._all(
                query + "i.folder IN (SELECT value FROM json_each(?))", [json.dumps(list(folders))]
            )
        found: dict[str, list[Input]] = {}
        for folder, kind, name, subject, version, digest in rows:
            item = Input(kind=kind, name=name, subject=subject, version=version, digest=digest)
            found.setdefault(folder, []).append(item)
        return found
