"""The connection to the catalogue, which the coordinator writes and everybody else reads."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ishtar.catalogue import dirty_marks, shown
from ishtar.catalogue.lists import ListQueries
from ishtar.catalogue.names import ResultName, put_names
from ishtar.catalogue.read_connection import ReadConnection
from ishtar.catalogue.rows import REPORT_COLUMNS, ReportRow, SourceRow, report_of
from ishtar.catalogue.schema import MIGRATIONS, applied_steps, apply_step
from ishtar.errors import IshtarError, WorkspaceError
from ishtar.lineage.record import Input, subject_of
from ishtar.query import index as search_index

REBUILD = "`ishtar rebuild` recreates it"
START_ORDER = "julianday(started)"  # as text, 02:30+02:00 would come after 02:10+01:00
DAMAGED = (1, 11, 26)  # SQLite's codes: missing table, malformed page, not a database
RETRY_S = 0.01
ADVICE = {  # SQLite's codes: busy, locked, I/O error, disk full
    5: "another process is writing it: try again",
    6: "another process is writing it: try again",
    10: "its disk is full or failing: free some space, then try again",
    13: "free some space on its disk, then try again",
}


class CatalogueError(IshtarError, OSError):
    """The catalogue cannot be used; it can always be rebuilt."""

    damaged = False  # the file itself is damaged: retrying does not help


class Catalogue(ListQueries):
    """A connection to the catalogue.

    Parameters
    ----------
    path : Path
        The SQLite file.
    write : bool, optional
        Create the file if necessary, and allow writing.
    shared : bool, optional
        Other machines read the file over a network file system; SQLite's WAL, which needs memory
        shared by all processes, is off then.
    patience_s : float, optional
        How long to wait for another process that is writing, s.

    Raises
    ------
    WorkspaceError
        The file does not exist, and ``write`` is False.
    CatalogueError
        The file cannot be used.
    """

    def __init__(
        self, path: Path, *, write: bool = False, shared: bool = False, patience_s: float = 30.0
    ) -> None:
        self.path = path
        if not write and not path.exists():
            raise WorkspaceError(f"{path} does not exist: {REBUILD}")
        with self._translated_errors():
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                # The service's jobs run one at a time, but not in the thread that opened it.
                self._connection: sqlite3.Connection | ReadConnection = sqlite3.connect(
                    path, timeout=patience_s, isolation_level=None, check_same_thread=False
                )
            else:
                self._connection = ReadConnection(path)
        try:
            with self._translated_errors():
                if write:
                    self._set_journal("DELETE" if shared else "WAL", patience_s)
                    self._db.execute("PRAGMA synchronous=NORMAL")
                    self._migrate()
                elif applied_steps(self._db) != MIGRATIONS.keys():
                    raise CatalogueError(f"{path} is from another version of ishtar: {REBUILD}")
        except BaseException:
            self.close()
            raise

    def _set_journal(self, mode: str, patience_s: float) -> None:
        """Set the journal's mode; SQLite does not wait for others here, against its timeout."""
        end = time.monotonic() + patience_s
        while True:
            try:
                self._db.execute(f"PRAGMA journal_mode={mode}")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > end:
                    raise
                time.sleep(RETRY_S)

    @property
    def _db(self) -> sqlite3.Connection:
        found = self._connection
        return found.current() if isinstance(found, ReadConnection) else found

    @contextmanager
    def _translated_errors(self) -> Iterator[None]:
        """Turn SQLite's errors into a `CatalogueError` of one line that says what to do."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # a fault in the code, not of the file
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            translated = CatalogueError(f"{self.path}: {error}: {ADVICE.get(code, REBUILD)}")
            translated.damaged = code in DAMAGED
            raise translated from error

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._translated_errors():
            return self._db.execute(query, values).fetchall()

    def copy_to(self, path: Path) -> None:
        """Copy the current catalogue to another file."""
        with self._translated_errors(), contextlib.closing(sqlite3.connect(path)) as other:
            self._db.backup(other)

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()

    def __enter__(self) -> Catalogue:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def _migrate(self) -> None:
        self._db.execute("CREATE TABLE IF NOT EXISTS migrations (name TEXT PRIMARY KEY)")
        done = applied_steps(self._db)
        if unknown := done - MIGRATIONS.keys():
            raise CatalogueError(
                f"{self.path} was written by a newer ishtar ({', '.join(sorted(unknown))}): "
                f"install that version, or {REBUILD}"
            )
        for name in (n for n in MIGRATIONS if n not in done):  # a transaction waits for writers
            with self.transaction():
                apply_step(self._db, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit the block's changes together, or roll them back if it raises."""
        with self._translated_errors():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk ends it by itself
                    self._db.execute("ROLLBACK")
                raise

    # --- shots ---------------------------------------------------------------------------------

    def put_shot(
        self,
        shot: int,
        attributes: Mapping[str, Any],
        sources: Iterable[SourceRow],
        channels: Mapping[str, tuple[str, str]] | None = None,
        folder_time_ns: int | None = None,
    ) -> None:
        """Insert or replace a shot with its sources and channels; mark its readers dirty.

        Parameters
        ----------
        shot : int
            Its number.
        attributes : mapping
            Its attributes.
        sources : iterable of SourceRow
            Its stored sources.
        channels : mapping, optional
            (file, digest) by channel path.
        folder_time_ns : int, optional
            Modification time of its folder, ns.
        """
        date = attributes.get("date")
        day = str(date)[:10] if date else None
        with self.transaction():
            before = self._db.execute("SELECT day FROM shots WHERE shot = ?", (shot,)).fetchone()
            self._db.execute(
                "INSERT OR REPLACE INTO shots (shot, date, day, attributes, seen) "
                "VALUES (?, ?, ?, ?, ?)",
                (
                    shot,
                    date,
                    day,
                    json.dumps(dict(attributes), sort_keys=True, default=str),
                    folder_time_ns,
                ),
            )
            self._db.execute("DELETE FROM sources WHERE shot = ?", (shot,))
            self._db.executemany(
                "INSERT INTO sources VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                [tuple(vars(s).values()) for s in sources],
            )
            self._db.execute("DELETE FROM channels WHERE shot = ?", (shot,))
            self._db.executemany(
                "INSERT INTO channels VALUES (?, ?, ?, ?)",
                [(shot, path, *found) for path, found in (channels or {}).items()],
            )
            search_index.index_shot(self._db, shot, attributes)
            dirty_marks.mark_shot_dirty(self._db, subject_of(shot))
            dirty_marks.mark_queries_dirty(self._db)
            if before != (day,):
                dirty_marks.mark_lists_dirty(self._db, {d for d in (day, *(before or ())) if d})

    def channels(self, shot: int) -> dict[str, tuple[str, str]]:
        """Return (file, digest) of each channel of a shot, by path."""
        rows = self._all("SELECT path, file, digest FROM channels WHERE shot = ?", (shot,))
        return {path: (file, digest) for path, file, digest in rows}

    def folder_times_ns(self) -> dict[int, int | None]:
        """Return the last recorded modification time of each shot's folder, ns."""
        return dict(self._all("SELECT shot, seen FROM shots"))

    def find(self, text: str, *, for_report: bool = False) -> list[int]:
        """Return the shots that a query matches, ascending; see `ishtar.query.sql.find`."""
        from ishtar.query import sql

        with self._translated_errors():
            return sql.find(self._db, text, for_report=for_report)

    def names(self) -> list[str]:
        """Return the names that queries may use: attributes, and scraps with and without template.

        Each scrap is listed as ``name`` and as ``template.name``.
        """
        from ishtar.query import sql

        with self._translated_errors():
            return sql.known_names(self._db)

    def shots(self, day: str | None = None) -> list[int]:
        """Return the numbers of all shots, or of one day, ascending."""
        where, values = ("WHERE day = ?", (day,)) if day else ("", ())
        return [n for (n,) in self._all(f"SELECT shot FROM shots {where} ORDER BY shot", values)]

    def days(self) -> list[str]:
        """Return the days with shots, ascending."""
        query = "SELECT DISTINCT day FROM shots WHERE day IS NOT NULL ORDER BY day"
        return [day for (day,) in self._all(query)]

    def attributes(self, shot: int) -> dict[str, Any] | None:
        """Return the attributes of a shot, None if it is not in the catalogue."""
        rows = self._all("SELECT attributes FROM shots WHERE shot = ?", (shot,))
        return json.loads(rows[0][0]) if rows else None

    def sources(self, shot: int) -> list[SourceRow]:
        """Return the stored sources of a shot."""
        columns = "shot, file, source, sha256, size, converter, writer, arrived, n_channels"
        rows = self._all(f"SELECT {columns} FROM sources WHERE shot = ? ORDER BY file", (shot,))
        return [SourceRow(**dict(zip(columns.split(", "), row, strict=True))) for row in rows]

    # --- reports -------------------------------------------------------------------------------

    def put_report(
        self,
        report: ReportRow,
        inputs: Iterable[Input],
        scraps: Iterable[tuple[str, Any, float | None, str]],
        result_names: Iterable[ResultName] = (),
    ) -> None:
        """Insert or replace a report; mark the readers of its scraps dirty.

        The newest official report of a subject and template becomes the current one.

        Parameters
        ----------
        report : ReportRow
            The report; its ``current`` is ignored.
        inputs : iterable of Input
            Everything that it read.
        scraps : iterable of tuple
            (name, value, sigma, unit) of each scrap.
        result_names : iterable of ResultName, optional
            The labels and symbols that the notebook gave to scraps.
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
            put_names(self._db, report.template, report.started, result_names)
            self._choose_current(report.subject, report.template)
            search_index.index_report(self._db, report.subject, report.template)
            dirty_marks.mark_scraps_dirty(self._db, report.subject)
            dirty_marks.mark_queries_dirty(self._db)

    def remove_report(self, folder: str) -> None:
        """Remove a report whose files are damaged or missing; the plan makes it again."""
        with self.transaction():
            found = self._db.execute(
                "SELECT subject, template FROM reports WHERE folder = ?", (folder,)
            ).fetchall()
            for table in ("reports", "inputs", "scraps"):
                self._db.execute(f"DELETE FROM {table} WHERE folder = ?", (folder,))
            for subject, template in found:
                self._choose_current(subject, template)
                search_index.index_report(self._db, subject, template)
                dirty_marks.mark_scraps_dirty(self._db, subject)
                dirty_marks.mark_queries_dirty(self._db)

    def _choose_current(self, subject: str, template: str) -> None:
        """Mark the newest official report of a subject and template as the current one."""
        key = (subject, template)
        self._db.execute("UPDATE reports SET current = 0 WHERE subject = ? AND template = ?", key)
        self._db.execute(
            "UPDATE reports SET current = 1 WHERE folder = (SELECT folder FROM reports "
            "WHERE subject = ? AND template = ? AND NOT rerun "
            f"ORDER BY {START_ORDER} DESC, folder LIMIT 1)",
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
        """Return the reports that match all given conditions, by subject, template and start."""
        wanted = {
            "subject": subject,
            "template": template,
            "scope": scope,
            "current": current,
            "rerun": rerun,
        }
        chosen = {name: value for name, value in wanted.items() if value is not None}
        where = " AND ".join(f"{name} = ?" for name in chosen) or "1"
        rows = self._all(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE {where} "
            f"ORDER BY subject, template, {START_ORDER}, folder",
            list(chosen.values()),
        )
        return [report_of(row) for row in rows]

    def put_shown(self, tables: Path, span: int, titles: Mapping[str, str]) -> None:
        """Copy what the site shows of shots from its shards that changed since the last call.

        Parameters
        ----------
        tables : Path
            The folder of the shards, ``data/shots`` of the site.
        span : int
            How many shot numbers a shard covers.
        titles : mapping
            The title of each template, by name.
        """
        before = dict(self._all("SELECT file, stamp FROM shown_files"))
        found = {
            file.name: f"{status.st_mtime_ns} {status.st_size}"
            for file in tables.glob("*.json")
            if file.stem.isdecimal()
            for status in [file.stat()]
        }
        with self.transaction():
            shown.put_titles(self._db, titles)
            for name in before.keys() | found.keys():
                if before.get(name) == found.get(name):
                    continue
                first = int(name.removesuffix(".json")) * span
                rows = shown.read_shard(tables / name) if name in found else []
                shown.put_shown(self._db, rows or [], first, first + span - 1)
                self._db.execute("DELETE FROM shown_files WHERE file = ?", (name,))
                if rows is not None and name in found:  # one that is damaged is read again
                    row = (name, found[name])
                    self._db.execute("INSERT INTO shown_files VALUES (?, ?)", row)

    def mark_changed(self, fingerprints: Mapping[tuple[str, str], str]) -> int:
        """Mark the reports dirty whose inputs changed since the last call; return the changes.

        See `ishtar.catalogue.dirty_marks.mark_changed`.
        """
        with self.transaction():
            return dirty_marks.mark_changed(self._db, fingerprints)

    def mark_clean(self, folders: Sequence[str]) -> None:
        """Mark reports clean: their inputs are unchanged."""
        if folders:
            with self.transaction():
                dirty_marks.mark_clean(self._db, folders)
