"""The catalogue: shots, reports, inputs and scraps in one SQLite file, rebuilt from files any time.

One process writes it (the coordinator); kernels and people read. Scraps are long and narrow, one
row each, so that a new scrap needs no new column.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ishtar.errors import IshtarError, WorkspaceError
from ishtar.lineage import Input

MIGRATIONS: dict[str, str] = {
    "001 shots, reports, inputs, scraps": """
        CREATE TABLE shots (
            shot INTEGER PRIMARY KEY, date TEXT, day TEXT, attributes TEXT NOT NULL);
        CREATE INDEX shots_day ON shots(day);
        CREATE TABLE sources (
            shot INTEGER NOT NULL, file TEXT NOT NULL, source TEXT NOT NULL, sha256 TEXT NOT NULL,
            size INTEGER NOT NULL, converter TEXT NOT NULL, writer TEXT NOT NULL,
            arrived TEXT NOT NULL, n_channels INTEGER NOT NULL, PRIMARY KEY (shot, file));
        CREATE TABLE reports (
            folder TEXT PRIMARY KEY, scope TEXT NOT NULL, subject TEXT NOT NULL,
            template TEXT NOT NULL, digest TEXT NOT NULL, state TEXT NOT NULL,
            reason TEXT NOT NULL, rerun INTEGER NOT NULL, current INTEGER NOT NULL,
            started TEXT NOT NULL, duration_s REAL NOT NULL, template_digest TEXT NOT NULL,
            prose_digest TEXT NOT NULL, parameters TEXT NOT NULL);
        CREATE INDEX reports_subject ON reports(subject, template);
        CREATE TABLE inputs (
            folder TEXT NOT NULL, kind TEXT NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL,
            version TEXT NOT NULL, digest TEXT NOT NULL);
        CREATE INDEX inputs_folder ON inputs(folder);
        CREATE TABLE scraps (
            folder TEXT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL, sigma REAL,
            unit TEXT NOT NULL, PRIMARY KEY (folder, name));
    """,
}


class CatalogueError(IshtarError, OSError):
    """The catalogue cannot be used; it can always be rebuilt."""


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
    """One report as the catalogue knows it."""

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


def _report(row: tuple[Any, ...]) -> ReportRow:
    names = REPORT_COLUMNS.split(", ")
    values = dict(zip(names, row, strict=True))
    values |= {
        "rerun": bool(values["rerun"]),
        "current": bool(values["current"]),
        "parameters": json.loads(values["parameters"]),
    }
    return ReportRow(**values)


class Catalogue:
    """A connection to the catalogue; writing needs ``write=True``."""

    def __init__(self, path: Path, *, write: bool = False) -> None:
        self.path = path
        try:
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                # The service's jobs run one at a time, though not in the thread that opened it.
                self._db = sqlite3.connect(
                    path, timeout=30, isolation_level=None, check_same_thread=False
                )
                self._db.execute("PRAGMA journal_mode=WAL")
                self._db.execute("PRAGMA synchronous=NORMAL")
                self._migrate()
            else:
                if not path.exists():
                    raise WorkspaceError(f"{path} is not there: `ishtar rebuild` makes it anew")
                self._db = sqlite3.connect(
                    f"{path.resolve().as_uri()}?mode=ro", uri=True, timeout=30
                )
                self._db.execute("SELECT 1 FROM shots LIMIT 1")
        except sqlite3.DatabaseError as error:
            raise CatalogueError(f"{path}: {error}: `ishtar rebuild` makes it anew") from error

    def close(self) -> None:
        """Close the connection."""
        self._db.close()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _migrate(self) -> None:
        self._db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
        done = {name for (name,) in self._db.execute("SELECT name FROM migrations")}
        for name, script in MIGRATIONS.items():
            if name not in done:
                with self.transaction():
                    for statement in script.split(";"):
                        if statement.strip():
                            self._db.execute(statement)
                    self._db.execute("INSERT INTO migrations VALUES (?)", (name,))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the block's changes appear together or not at all."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    # --- shots ---------------------------------------------------------------------------------

    def put_shot(
        self, shot: int, attributes: Mapping[str, Any], sources: Iterable[SourceRow]
    ) -> None:
        """Write what is known of a shot, over what was known."""
        date = attributes.get("date")
        day = str(date)[:10] if date else None
        with self.transaction():
            self._db.execute(
                "INSERT OR REPLACE INTO shots VALUES (?, ?, ?, ?)",
                (shot, date, day, json.dumps(dict(attributes), sort_keys=True, default=str)),
            )
            self._db.execute("DELETE FROM sources WHERE shot = ?", (shot,))
            self._db.executemany(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [tuple(vars(s).values()) for s in sources],
            )

    def shots(self, day: str | None = None) -> list[int]:
        """Return shot numbers, ascending; of one day where one is given."""
        where, values = ("WHERE day = ?", (day,)) if day else ("", ())
        return [
            n for (n,) in self._db.execute(f"SELECT shot FROM shots {where} ORDER BY shot", values)
        ]

    def days(self) -> list[str]:
        """Return the days with shots, ascending."""
        query = "SELECT DISTINCT day FROM shots WHERE day IS NOT NULL ORDER BY day"
        return [day for (day,) in self._db.execute(query)]

    def attributes(self, shot: int) -> dict[str, Any] | None:
        """Return the attributes of a shot, None where it is not there."""
        row = self._db.execute("SELECT attributes FROM shots WHERE shot = ?", (shot,)).fetchone()
        return json.loads(row[0]) if row else None

    def sources(self, shot: int) -> list[SourceRow]:
        """Return the stored sources of a shot."""
        columns = "shot, file, source, sha256, size, converter, writer, arrived, n_channels"
        rows = self._db.execute(
            f"SELECT {columns} FROM sources WHERE shot = ? ORDER BY file", (shot,)
        )
        return [SourceRow(**dict(zip(columns.split(", "), row, strict=True))) for row in rows]

    # --- reports -------------------------------------------------------------------------------

    def put_report(
        self,
        report: ReportRow,
        inputs: Iterable[Input],
        scraps: Iterable[tuple[str, Any, float | None, str]],
    ) -> None:
        """Write a report with its inputs and scraps (name, value, sigma, unit).

        The newest official report of a subject and template is the current one.
        """
        with self.transaction():
            for table in ("reports", "inputs", "scraps"):
                self._db.execute(f"DELETE FROM {table} WHERE folder = ?", (report.folder,))
            values = vars(report) | {
                "parameters": json.dumps(dict(report.parameters), sort_keys=True, default=str),
                "current": 0,
            }
            names = REPORT_COLUMNS.split(", ")
            self._db.execute(
                f"INSERT INTO reports ({REPORT_COLUMNS}) VALUES ({', '.join('?' * len(names))})",
                [values[name] for name in names],
            )
            self._db.executemany(
                "INSERT INTO inputs VALUES (?, ?, ?, ?, ?, ?)",
                [(report.folder, i.kind, i.name, i.subject, i.version, i.digest) for i in inputs],
            )
            self._db.executemany(
                "INSERT INTO scraps VALUES (?, ?, ?, ?, ?)",
                [(report.folder, n, json.dumps(v), s, u) for n, v, s, u in scraps],
            )
            key = (report.subject, report.template)
            self._db.execute(
                "UPDATE reports SET current = 0 WHERE subject = ? AND template = ?", key
            )
            self._db.execute(
                "UPDATE reports SET current = 1 WHERE folder = (SELECT folder FROM reports WHERE "
                "subject = ? AND template = ? AND NOT rerun ORDER BY started DESC, folder LIMIT 1)",
                key,
            )

    def reports(
        self,
        *,
        subject: str | None = None,
        template: str | None = None,
        scope: str | None = None,
        current: bool | None = None,
        rerun: bool | None = None,
    ) -> list[ReportRow]:
        """Return reports, by subject, template and start."""
        wanted = {
            "subject": subject,
            "template": template,
            "scope": scope,
            "current": current,
            "rerun": rerun,
        }
        chosen = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in chosen) or "1"
        rows = self._db.execute(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE {where} "
            "ORDER BY subject, template, started, folder",
            list(chosen.values()),
        )
        return [_report(row) for row in rows]

    def inputs(self, folders: Sequence[str] | None = None) -> dict[str, list[Input]]:
        """Return the inputs of current official reports, or of the given ones, by folder."""
        query = (
            "SELECT i.folder, i.kind, i.name, i.subject, i.version, i.digest FROM inputs i "
            "JOIN reports r ON r.folder = i.folder WHERE r.current"
        )
        rows = self._db.execute(query) if folders is None else self._inputs_of(folders)
        found: dict[str, list[Input]] = {}
        for folder, kind, name, subject, version, digest in rows:
            item = Input(kind=kind, name=name, subject=subject, version=version, digest=digest)
            found.setdefault(folder, []).append(item)
        return found

    def _inputs_of(self, folders: Sequence[str]) -> Iterator[tuple[Any, ...]]:
        for folder in folders:
            yield from self._db.execute(
                "SELECT folder, kind, name, subject, version, digest FROM inputs WHERE folder = ?",
                (folder,),
            )

    def scraps(
        self, subjects: Sequence[str] | None = None, name: str | None = None
    ) -> list[ScrapRow]:
        """Return the scraps of current reports, by subject, template and name."""
        query = (
            "SELECT r.subject, r.template, s.name, s.value, s.sigma, s.unit FROM scraps s "
            "JOIN reports r ON r.folder = s.folder WHERE r.current"
        )
        tail = " ORDER BY r.subject, r.template, s.name"
        extra, values = (" AND s.name = ?", [name]) if name else ("", [])
        if subjects is None:
            rows = self._db.execute(query + extra + tail, values).fetchall()
        else:
            rows = [
                row
                for subject in subjects
                for row in self._db.execute(
                    f"{query} AND r.subject = ?{extra}{tail}", [subject, *values]
                )
            ]
        return [
            ScrapRow(subject=s, template=t, name=n, value=json.loads(v), sigma=g, unit=u)
            for s, t, n, v, g, u in rows
        ]
