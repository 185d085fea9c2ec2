"""The tables of the catalogue, created by named migrations, each applied once in a transaction."""

from __future__ import annotations

import sqlite3

from ishtar.catalogue import dirty_marks, lists, names, shown
from ishtar.query import index as search_index

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
    "002 what is known of shots": search_index.MIGRATION,
    "003 what is in doubt": dirty_marks.MIGRATION,
    "004 what lists ask for": lists.MIGRATION,
    "005 what results are called": names.MIGRATION,
    "006 what the site shows": shown.MIGRATION,
}
DATA_STEPS = {"002 what is known of shots": search_index.reindex_values}  # steps that move data


def applied_steps(db: sqlite3.Connection) -> set[str]:
    """Return the names of the migrations that were applied to a catalogue."""
    return {name for (name,) in db.execute("SELECT name FROM migrations")}


def apply_step(db: sqlite3.Connection, name: str) -> None:
    """Apply one migration inside the caller's transaction, unless it was applied before."""
    if name in applied_steps(db):  # another process may have applied it before the transaction
        return
    for statement in MIGRATIONS[name].split(";"):
        if statement.strip():
            db.execute(statement)
    if name in DATA_STEPS:
        DATA_STEPS[name](db)
    db.execute("INSERT INTO migrations VALUES (?)", (name,))
