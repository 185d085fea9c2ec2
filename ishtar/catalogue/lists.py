"""What lists of shots and reports ask of the catalogue: few queries, whatever the archive's size.

Each of them goes through an index, so that a list of the last shots costs the same among a hundred
shots as among a hundred thousand.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from ishtar.catalogue.names import Called
from ishtar.catalogue.rows import REPORT_COLUMNS, ReportRow, ScrapRow, report_of

FAILED = "current AND state IN ('failed', 'timeout')"
# as texts, shot 100000 would come before 99999
MIGRATION = f"""
    CREATE INDEX reports_failed ON reports(scope, length(subject), subject) WHERE {FAILED};
    CREATE INDEX reports_failed_of ON reports(template, length(subject), subject) WHERE {FAILED};
    CREATE INDEX reports_ranges ON reports(subject) WHERE current AND scope = 'range'
"""
# the planner keeps to the order of the tables in a CROSS JOIN; it has no statistics to choose well
REPORTS_OF = f"""
    SELECT {REPORT_COLUMNS} FROM json_each(?) AS s CROSS JOIN reports AS r ON r.subject = s.value
    WHERE current ORDER BY subject, template
"""
SCRAP_HISTORY = """
    SELECT r.subject, r.template, s.name, s.value, s.sigma, s.unit
    FROM reports AS r CROSS JOIN scraps AS s ON s.folder = r.folder AND s.name = ?
    WHERE r.current AND r.template = ? AND r.subject BETWEEN ? AND ? ORDER BY r.subject
"""


class Lists:
    """The questions of lists, asked through `_all`."""

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        raise NotImplementedError  # the catalogue has the connection

    def has_reports(self) -> bool:
        """Tell whether there is any report."""
        return bool(self._all("SELECT EXISTS(SELECT 1 FROM reports)")[0][0])

    def changed_by_others(self) -> int:
        """Return a number that changes whenever another connection has written the catalogue."""
        return int(self._all("PRAGMA data_version")[0][0])

    def durations(self) -> dict[str, float]:
        """Return how long reports lately took, by template, s."""
        rows = self._all(
            "SELECT template, AVG(duration_s) FROM (SELECT template, duration_s FROM reports "
            "WHERE state = 'ok' ORDER BY rowid DESC LIMIT 500) GROUP BY template"
        )
        return dict(rows)

    def shots_by_day(self) -> dict[str, int]:
        """Return the number of shots of each day, the days ascending."""
        query = "SELECT day, count(*) FROM shots WHERE day IS NOT NULL GROUP BY day ORDER BY day"
        return dict(self._all(query))

    def undated(self) -> list[int]:
        """Return the shots without a date, ascending."""
        return [n for (n,) in self._all("SELECT shot FROM shots WHERE day IS NULL ORDER BY shot")]

    def reports_of(self, subjects: Sequence[str]) -> list[ReportRow]:
        """Return the current reports of some subjects, by subject and template."""
        return [report_of(row) for row in self._all(REPORTS_OF, [json.dumps(list(subjects))])]

    def called(self) -> dict[str, list[Called]]:
        """Return what results are called, by template, where notebooks said it."""
        found: dict[str, list[Called]] = {}
        query = "SELECT template, name, label, symbol FROM result_names ORDER BY template, name"
        for template, *called in self._all(query):
            found.setdefault(template, []).append(Called(*called))
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
        """Return the reports that failed or ran out of time, those of the newest shots first.

        ``template``: only its own, of any scope.
        """
        what, value = ("scope", scope) if template is None else ("template", template)
        rows = self._all(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE {FAILED} AND {what} = ? "
            "ORDER BY length(subject) DESC, subject DESC LIMIT ?",
            [value, limit],
        )
        return [report_of(row) for row in rows]

    def failed_between(self, first: str, last: str) -> list[ReportRow]:
        """Return the reports of shots that failed, of the subjects ``first … last``."""
        rows = self._all(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE {FAILED} AND scope = 'shot' "
            "AND length(subject) BETWEEN ? AND ? AND subject BETWEEN ? AND ? "
            "ORDER BY length(subject) DESC, subject DESC",
            [len(first), len(last), first, last],
        )
        return [report_of(row) for row in rows]

    def scrap_history(self, template: str, name: str, first: str, last: str) -> list[ScrapRow]:
        """Return one scrap of the subjects ``first … last``, ascending, where they have it."""
        return [
            ScrapRow(subject=s, template=t, name=n, value=json.loads(v), sigma=g, unit=u)
            for s, t, n, v, g, u in self._all(SCRAP_HISTORY, [name, template, first, last])
        ]

    def readers(self, kind: str) -> dict[str, str]:
        """Return the names of inputs of a kind, each with the folder of one report that read it."""
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
