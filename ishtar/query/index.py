"""The index for queries: one row for each value of each shot.

Writes to the catalogue update it by `index_shot` and `index_report`; `ishtar.query.sql` reads it.
"""

from __future__ import annotations

import json
import math
import sqlite3
from collections.abc import Collection, Mapping, Sequence
from typing import Any

PROBLEMS = " "  # in place of a template: no attribute and no scrap is meant
_Value = tuple[str, Any, float | None]  # name, value, sigma

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
    _put(db, shot, "", _attribute_values(shot, attributes))


def _attribute_values(shot: int, attributes: Mapping[str, Any]) -> list[_Value]:
    date = attributes.get("date")
    values = dict(attributes)
    if date:
        values |= {"date": str(date).replace(" ", "T", 1), "day": str(date)[:10]}
    values["shot"] = shot
    return [(name, value, None) for name, value in values.items()]


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


def index_problems(db: sqlite3.Connection, shots: Collection[int]) -> None:
    """Replace the indexed problems of some shots: their number, and their texts to search in."""
    db.execute("INSERT OR IGNORE INTO names (template, name) VALUES (?, 'problems')", (PROBLEMS,))
    (number,) = db.execute("SELECT id FROM names WHERE template = ?", (PROBLEMS,)).fetchone()
    keys = {shot: (number << SHIFT) + shot for shot in shots}
    db.executemany("DELETE FROM known WHERE key = ?", [(key,) for key in keys.values()])
    rows = [
        (key, float(len(found)), "\n".join(found), None)
        for shot, key in keys.items()
        for (text,) in db.execute("SELECT problems FROM shown_problems WHERE shot = ?", (shot,))
        for found in [json.loads(text)]
    ]
    db.executemany("INSERT INTO known VALUES (?, ?, ?, ?)", rows)


def reindex(db: sqlite3.Connection) -> None:
    """Rebuild the index from the catalogue, inside the caller's transaction."""
    reindex_values(db)
    shots = [shot for (shot,) in db.execute("SELECT shot FROM shown_problems")]
    if shots:
        index_problems(db, shots)


def reindex_values(db: sqlite3.Connection) -> None:
    """Rebuild the index of attributes and scraps, inside the caller's transaction."""
    db.execute("DELETE FROM known")
    db.execute("DELETE FROM names WHERE id > 0")
    found: list[tuple[int, str, _Value]] = []
    for shot, attributes in db.execute("SELECT shot, attributes FROM shots"):
        values = _attribute_values(shot, json.loads(attributes))
        found += [(shot, "", value) for value in values]
    query = (
        "SELECT r.subject, r.template, s.name, s.value, s.sigma FROM reports r "
        "JOIN scraps s ON s.folder = r.folder WHERE r.current AND r.scope = 'shot'"
    )
    for subject, template, name, value, sigma in db.execute(query):
        if subject.isascii() and subject.isdigit():
            found.append((int(subject), template, (name, json.loads(value), sigma)))
    pairs = dict.fromkeys((template, name) for _, template, (name, _, _) in found)
    db.executemany("INSERT OR IGNORE INTO names (template, name) VALUES (?, ?)", list(pairs))
    ids = {(t, name): number for number, t, name in db.execute("SELECT * FROM names")}
    db.executemany(
        "INSERT OR REPLACE INTO known VALUES (?, ?, ?, ?)",
        [
            ((ids[template, name] << SHIFT) + shot, *_columns(value), sigma)
            for shot, template, (name, value, sigma) in found
            if not _is_missing(value)
        ],
    )


def _put(db: sqlite3.Connection, shot: int, template: str, rows: Sequence[_Value]) -> None:
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
