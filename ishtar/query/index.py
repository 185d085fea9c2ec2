"""What is known of each shot, one row for each value, laid out for queries.

Whoever writes the catalogue keeps it with `note_shot` and `note_report`; `ishtar.query.sql`
reads it.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

SHIFT = 32  # known.key = names.id << SHIFT | shot; a shot's own row has the name 0

MIGRATION = """
    CREATE TABLE names (
        id INTEGER PRIMARY KEY, template TEXT NOT NULL, name TEXT NOT NULL,
        UNIQUE (template, name));
    INSERT INTO names VALUES (0, '', 'shot');
    CREATE TABLE known (key INTEGER PRIMARY KEY, number REAL, text TEXT, sigma REAL)
"""
# known holds one row for each value that a shot has, key = names.id << 32 | shot. A value that is
# missing has no row; one that is neither number nor text (a list) has a row of NULLs.


def note_shot(db: sqlite3.Connection, shot: int, attributes: Mapping[str, Any]) -> None:
    """Index the attributes of a shot over those that were; inside the caller's transaction."""
    date = attributes.get("date")
    values = dict(attributes)
    if date:
        values |= {"date": str(date).replace(" ", "T", 1), "day": str(date)[:10]}
    values["shot"] = shot
    _put(db, shot, "", [(name, value, None) for name, value in values.items()])


def note_report(db: sqlite3.Connection, subject: str, template: str) -> None:
    """Index the scraps of a shot's current report over those that were.

    To be called inside the transaction that changes a report of ``subject`` and ``template``,
    once it is known which one is current. Subjects that are no shot are left alone.
    """
    if not (subject.isascii() and subject.isdigit()):
        return
    rows = db.execute(
        "SELECT s.name, s.value, s.sigma FROM reports r JOIN scraps s ON s.folder = r.folder "
        "WHERE r.subject = ? AND r.template = ? AND r.current AND r.scope = 'shot'",
        (subject, template),
    ).fetchall()
    _put(db, int(subject), template, [(n, json.loads(v), s) for n, v, s in rows])


def reindex(db: sqlite3.Connection) -> None:
    """Index everything in the catalogue anew; inside the caller's transaction."""
    db.execute("DELETE FROM known")
    db.execute("DELETE FROM names WHERE id > 0")
    for shot, attributes in db.execute("SELECT shot, attributes FROM shots").fetchall():
        note_shot(db, shot, json.loads(attributes))
    query = "SELECT subject, template FROM reports WHERE current AND scope = 'shot'"
    for subject, template in db.execute(query).fetchall():
        note_report(db, subject, template)


def _put(
    db: sqlite3.Connection, shot: int, template: str, rows: Sequence[tuple[str, Any, float | None]]
) -> None:
    db.execute(
        f"DELETE FROM known WHERE key IN (SELECT id << {SHIFT} | ? FROM names WHERE template = ?)",
        (shot, template),
    )
    db.executemany(
        "INSERT OR IGNORE INTO names (template, name) VALUES (?, ?)",
        [(template, name) for name, _, _ in rows],
    )
    db.executemany(
        "INSERT OR REPLACE INTO known SELECT id << ? | ?, ?, ?, ? FROM names "
        "WHERE template = ? AND name = ?",
        [
            (SHIFT, shot, *_columns(value), sigma, template, name)
            for name, value, sigma in rows
            if not _is_missing(value)
        ],
    )


def _is_missing(value: Any) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))


def _columns(value: Any) -> tuple[float | None, str | None]:
    """Return a value as (number, text)."""
    if isinstance(value, str):
        return None, value
    try:
        return (float(value) if isinstance(value, int | float) else None), None
    except OverflowError:  # an integer of hundreds of digits
        return (math.inf if value > 0 else -math.inf), None
