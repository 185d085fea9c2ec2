"""The index for queries: one row for each value of each shot.

Writes to the catalogue update it by `index_shot` and `index_report`; `ishtar.query.sql` reads it.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Mapping, Sequence
from typing import Any

PROBLEMS = " "  # in place of a template: no attribute and no scrap is meant
SHIFT = 32  # known.key = names.id << SHIFT | shot; a shot's own row has the name 0

MIGRATION = """
    CREATE TABLE names (
        id INTEGER PRIMARY KEY, template TEXT NOT NULL, name TEXT NOT NULL,
        UNIQUE (template, name));
    INSERT INTO names VALUES (0, '', 'shot');
    CREATE TABLE known (key INTEGER PRIMARY KEY, number REAL, text TEXT, sigma REAL)
"""
# known has one row for each value of a shot, key = names.id << 32 | shot. A missing value has no
# row; one that is neither number nor text (a list) has a row of NULLs.


def index_shot(db: sqlite3.Connection, shot: int, attributes: Mapping[str, Any]) -> None:
    """Replace the indexed attributes of a shot, inside the caller's transaction."""
    date = attributes.get("date")
    values = dict(attributes)
    if date:
        values |= {"date": str(date).replace(" ", "T", 1), "day": str(date)[:10]}
    values["shot"] = shot
    _put(db, shot, "", [(name, value, None) for name, value in values.items()])


def index_report(db: sqlite3.Connection, subject: str, template: str) -> None:
    """Replace the indexed scraps of a shot's current report.

    Call it inside the transaction that changes a report of ``subject`` and ``template``, after the
    current one is chosen. Subjects other than shots are ignored.
    """
    if not (subject.isascii() and subject.isdigit()):
        return
    rows = db.execute(
        "SELECT s.name, s.value, s.sigma FROM reports r JOIN scraps s ON s.folder = r.folder "
        "WHERE r.subject = ? AND r.template = ? AND r.current AND r.scope = 'shot'",
        (subject, template),
    ).fetchall()
    _put(db, int(subject), template, [(n, json.loads(v), s) for n, v, s in rows])


def index_problems(db: sqlite3.Connection, shot: int) -> None:
    """Replace the indexed problems of a shot: their number, and their texts to search in."""
    row = db.execute("SELECT problems FROM shown_problems WHERE shot = ?", (shot,)).fetchone()
    key = "(SELECT id FROM names WHERE template = ? AND name = 'problems') << ? | ?"
    at = (PROBLEMS, SHIFT, shot)
    db.execute("INSERT OR IGNORE INTO names (template, name) VALUES (?, 'problems')", (PROBLEMS,))
    db.execute(f"DELETE FROM known WHERE key = ({key})", at)
    if row is not None:
        problems = json.loads(row[0])
        values = (*at, len(problems), "\n".join(problems))
        db.execute(f"INSERT INTO known VALUES ({key}, ?, ?, NULL)", values)


def reindex(db: sqlite3.Connection) -> None:
    """Rebuild the index from the catalogue, inside the caller's transaction."""
    reindex_values(db)
    for (shot,) in db.execute("SELECT shot FROM shown_problems").fetchall():
        index_problems(db, shot)


def reindex_values(db: sqlite3.Connection) -> None:
    """Rebuild the index of attributes and scraps, inside the caller's transaction."""
    db.execute("DELETE FROM known")
    db.execute("DELETE FROM names WHERE id > 0")
    for shot, attributes in db.execute("SELECT shot, attributes FROM shots").fetchall():
        index_shot(db, shot, json.loads(attributes))
    query = "SELECT subject, template FROM reports WHERE current AND scope = 'shot'"
    for subject, template in db.execute(query).fetchall():
        index_report(db, subject, template)


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
