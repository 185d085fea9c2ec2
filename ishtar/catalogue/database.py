"""The connection to the catalogue: what the coordinator writes and everybody reads."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ishtar.catalogue import dirty_marks
from ishtar.catalogue.lists import Lists
from ishtar.catalogue.names import Called, note_names
from ishtar.catalogue.reading import Reading
from ishtar.catalogue.rows import REPORT_COLUMNS, ReportRow, SourceRow, report_of
from ishtar.catalogue.schema import MIGRATIONS, steps_done, take_step
from ishtar.errors import IshtarError, WorkspaceError
from ishtar.lineage.record import Input, subject_of
from ishtar.query import index as known

REBUILD = "`ishtar rebuild` makes it anew"
WHEN = "julianday(started)"  # as text, 02:30+02:00 would come after 02:10+01:00
DAMAGED = (1, 11, 26)  # SQLite's codes: a table is missing, a page is wrong, it is no database
WHAT_THEN = {  # SQLite's codes: busy, locked, I/O error, disk full
    5: "another process writes it: try again",
    6: "another process writes it: try again",
    10: "its disk is full or failing: free some space, then try again",
    13: "free some space on its disk, then try again",
}


class CatalogueError(IshtarError, OSError):
    """The catalogue cannot be used; it can always be rebuilt."""

    damaged = False  # the file itself is wrong: no later try helps


class Catalogue(Lists):
    """A connection to the catalogue; writing needs ``write=True``.

    ``shared``: other machines read it over a network file system, where SQLite's WAL, which is
    memory shared by the processes of one machine, cannot be used. ``patience_s``: how long
    another process that writes it is waited for.
    """

    def __init__(
        self, path: Path, *, write: bool = False, shared: bool = False, patience_s: float = 30.0
    ) -> None:
        self.path = path
        if not write and not path.exists():
            raise WorkspaceError(f"{path} is not there: {REBUILD}")
        with self._told():
            if write:
                path.parent.mkdir(parents=True, exist_ok=True)
                # The service's jobs run one at a time, though not in the thread that opened it.
                self._connection: sqlite3.Connection | Reading = sqlite3.connect(
                    path, timeout=patience_s, isolation_level=None, check_same_thread=False
                )
            else:
                self._connection = Reading(path)
        try:
            with self._told():
                if write:
                    self._db.execute(f"PRAGMA journal_mode={'DELETE' if shared else 'WAL'}")
                    self._db.execute("PRAGMA synchronous=NORMAL")
                    self._migrate()
                elif steps_done(self._db) != MIGRATIONS.keys():
                    raise CatalogueError(f"{path} is of another version of ishtar: {REBUILD}")
        except BaseException:
            self.close()
            raise

    @property
    def _db(self) -> sqlite3.Connection:
        found = self._connection
        return found.now() if isinstance(found, Reading) else found

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Say what SQLite has to say in one line, with what to do about it."""
        try:
            yield
        except sqlite3.ProgrammingError:
            raise  # ours, not the file's
        except sqlite3.DatabaseError as error:
            code = getattr(error, "sqlite_errorcode", 0) & 0xFF
            then = WHAT_THEN.get(code, REBUILD)
            told = CatalogueError(f"{self.path}: {error}: {then}")
            told.damaged = code in DAMAGED
            raise told from error

    def _all(self, query: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with self._told():
            return self._db.execute(query, values).fetchall()

    def copy_to(self, path: Path) -> None:
        """Write the catalogue as it is now to another file."""
        with self._told(), contextlib.closing(sqlite3.connect(path)) as other:
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
        done = steps_done(self._db)
        if unknown := done - MIGRATIONS.keys():
            raise CatalogueError(
                f"{self.path} was written by a newer ishtar ({', '.join(sorted(unknown))}): "
                f"install that one, or {REBUILD}"
            )
        for name in (n for n in MIGRATIONS if n not in done):  # with none, nobody is waited for
            with self.transaction():
                take_step(self._db, name)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Make the block's changes appear together or not at all."""
        with self._told():
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:  # a full disk has ended it already
                    self._db.execute("ROLLBACK")
                raise

    # --- shots ---------------------------------------------------------------------------------

    def put_shot(
        self,
        shot: int,
        attributes: Mapping[str, Any],
        sources: Iterable[SourceRow],
        channels: Mapping[str, tuple[str, str]] | None = None,
        seen: int | None = None,
    ) -> None:
        """Write what is known of a shot, over what was known.

        ``channels`` gives file and digest by path; ``seen`` is when its folder changed last, in ns.
        """
        date = attributes.get("date")
        day = str(date)[:10] if date else None
        with self.transaction():
            before = self._db.execute("SELECT day FROM shots WHERE shot = ?", (shot,)).fetchone()
            self._db.execute(
                "INSERT OR REPLACE INTO shots (shot, date, day, attributes, seen) "
                "VALUES (?, ?, ?, ?, ?)",
                (shot, date, day, json.dumps(dict(attributes), sort_keys=True, default=str), seen),
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
            known.note_shot(self._db, shot, attributes)
            dirty_marks.mark_shot_dirty(self._db, subject_of(shot))
            dirty_marks.mark_queries_dirty(self._db)
            if before != (day,):
                dirty_marks.mark_lists_dirty(self._db, {d for d in (day, *(before or ())) if d})

    def channels(self, shot: int) -> dict[str, tuple[str, str]]:
        """Return file and digest of each channel of a shot, by path."""
        rows = self._all("SELECT path, file, digest FROM channels WHERE shot = ?", (shot,))
        return {path: (file, digest) for path, file, digest in rows}

    def seen(self) -> dict[int, int | None]:
        """Return when the folder of each shot had changed last when it was taken in, in ns."""
        return dict(self._all("SELECT shot, seen FROM shots"))

    def find(self, text: str) -> list[int]:
        """Return the shots that a query matches, ascending; see `ishtar.query.sql`."""
        from ishtar.query import sql

        with self._told():
            return sql.find(self._db, text)

    def names(self) -> list[str]:
        """Return the names that queries and tables may use: attributes, scraps, both ways."""
        from ishtar.query import sql

        with self._told():
            return sql.known_names(self._db)

    def shots(self, day: str | None = None) -> list[int]:
        """Return shot numbers, ascending; of one day where one is given."""
        where, values = ("WHERE day = ?", (day,)) if day else ("", ())
        return [n for (n,) in self._all(f"SELECT shot FROM shots {where} ORDER BY shot", values)]

    def days(self) -> list[str]:
        """Return the days with shots, ascending."""
        query = "SELECT DISTINCT day FROM shots WHERE day IS NOT NULL ORDER BY day"
        return [day for (day,) in self._all(query)]

    def attributes(self, shot: int) -> dict[str, Any] | None:
        """Return the attributes of a shot, None where it is not there."""
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
        called: Iterable[Called] = (),
    ) -> None:
        """Write a report with its inputs and scraps (name, value, sigma, unit).

        ``called`` says what pages call the scraps, where the notebook did.

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
            note_names(self._db, report.template, report.started, called)
            self._choose_current(report.subject, report.template)
            known.note_report(self._db, report.subject, report.template)
            dirty_marks.mark_scraps_dirty(self._db, report.subject)
            dirty_marks.mark_queries_dirty(self._db)

    def forget_report(self, folder: str) -> None:
        """Take a report out whose files are damaged or gone; it counts as missing from now on."""
        with self.transaction():
            found = self._db.execute(
                "SELECT subject, template FROM reports WHERE folder = ?", (folder,)
            ).fetchall()
            for table in ("reports", "inputs", "scraps"):
                self._db.execute(f"DELETE FROM {table} WHERE folder = ?", (folder,))
            for subject, template in found:
                self._choose_current(subject, template)
                known.note_report(self._db, subject, template)
                dirty_marks.mark_scraps_dirty(self._db, subject)
                dirty_marks.mark_queries_dirty(self._db)

    def _choose_current(self, subject: str, template: str) -> None:
        """Make the newest official report of a subject and template the current one."""
        key = (subject, template)
        self._db.execute("UPDATE reports SET current = 0 WHERE subject = ? AND template = ?", key)
        self._db.execute(
            "UPDATE reports SET current = 1 WHERE folder = (SELECT folder FROM reports WHERE "
            f"subject = ? AND template = ? AND NOT rerun ORDER BY {WHEN} DESC, folder LIMIT 1)",
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
        rows = self._all(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE {where} "
            f"ORDER BY subject, template, {WHEN}, folder",
            list(chosen.values()),
        )
        return [report_of(row) for row in rows]

    def dirty(
        self, templates: Collection[str], subjects: Collection[str] | None = None
    ) -> list[ReportRow]:
        """Return the current reports of some templates whose inputs may have changed."""
        where, values = "template IN (SELECT value FROM json_each(?))", [list(templates)]
        if subjects is not None:
            where += " AND subject IN (SELECT value FROM json_each(?))"
            values.append(list(subjects))
        rows = self._all(
            f"SELECT {REPORT_COLUMNS} FROM reports WHERE current AND doubted AND {where}",
            [json.dumps(v) for v in values],
        )
        return [report_of(row) for row in rows]

    def reworded(
        self, template: str, prose_digest: str, subjects: Collection[str] | None = None
    ) -> list[ReportRow]:
        """Return the current reports of a template that were made from other words."""
        where, values = "template = ? AND prose_digest != ?", [template, prose_digest]
        if subjects is not None:
            where += " AND subject IN (SELECT value FROM json_each(?))"
            values.append(json.dumps(list(subjects)))
        rows = self._all(f"SELECT {REPORT_COLUMNS} FROM reports WHERE current AND {where}", values)
        return [report_of(row) for row in rows]

    def without_report(self, template: str, subjects: Collection[str] | None = None) -> list[str]:
        """Return the subjects that have no current report of a template; of all shots, or given."""
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

    def mark_changed(self, fingerprints: Mapping[tuple[str, str], str]) -> int:
        """Doubt the reports that read what has changed since this was last called.

        See `ishtar.catalogue.dirty_marks`.
        """
        with self.transaction():
            return dirty_marks.mark_changed(self._db, fingerprints)

    def mark_clean(self, folders: Sequence[str]) -> None:
        """Mark reports clean: their inputs are as they were."""
        if folders:
            with self.transaction():
                dirty_marks.mark_clean(self._db, folders)

    def inputs(self, folders: Sequence[str] | None = None) -> dict[str, list[Input]]:
        """Return the inputs of current official reports, or of the given ones, by folder."""
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
