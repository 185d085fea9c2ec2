"""The tables of the catalogue, as named steps that are each done once, in one transaction."""

from __future__ import annotations

import sqlite3

from ishtar.catalogue import dirty_marks, lists, names
from ishtar.query import index as known

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
    "002 what is known of shots": known.MIGRATION,
    "003 what is in doubt": dirty_marks.MIGRATION,
    "004 what lists ask for": lists.MIGRATION,
    "005 what results are called": names.MIGRATION,
}
AFTERWARDS = {"002 what is known of shots": known.reindex}  # steps that move data


def steps_done(db: sqlite3.Connection) -> set[str]:
    """Return the names of the steps that a catalogue has gone through."""
    return {name for (name,) in db.execute("SELECT name FROM migrations")}


def take_step(db: sqlite3.Connection, name: str) -> None:
    """Take one step, inside the caller's transaction; nothing where it is taken already."""
    if name in steps_done(db):  # asked inside: another process may be as fast
        return
    for statement in MIGRATIONS[name].split(";"):
        if statement.strip():
            db.execute(statement)
    if name in AFTERWARDS:
        AFTERWARDS[name](db)
    db.execute("INSERT INTO migrations VALUES (?)", (name,))
