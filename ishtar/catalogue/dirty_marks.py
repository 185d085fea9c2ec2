"""Dirty marks: a plan compares only the reports that are marked dirty.

Every write that changes something reports read marks those reports dirty. A plan compares the
inputs of dirty reports one by one with the current state, and marks those that are up to date
clean. A superfluous mark only costs one comparison. The columns and the table keep the names that
they had in older catalogues: ``doubted``, ``world``.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from ishtar.inputs.kinds import dirtied_by
from ishtar.lineage.record import WHERE

MIGRATION = """
    ALTER TABLE shots ADD COLUMN seen INTEGER;
    ALTER TABLE reports ADD COLUMN doubted INTEGER NOT NULL DEFAULT 1;
    CREATE INDEX reports_doubted ON reports(template) WHERE current AND doubted;
    CREATE INDEX reports_current ON reports(template, subject) WHERE current;
    CREATE INDEX inputs_name ON inputs(kind, name);
    CREATE INDEX inputs_subject ON inputs(subject, kind);
    CREATE TABLE channels (
        shot INTEGER NOT NULL, path TEXT NOT NULL, file TEXT NOT NULL, digest TEXT NOT NULL,
        PRIMARY KEY (shot, path)) WITHOUT ROWID;
    CREATE TABLE world (
        kind TEXT NOT NULL, name TEXT NOT NULL, digest TEXT NOT NULL, PRIMARY KEY (kind, name));
"""
# shots.seen: modification time of the shot's folder when it was last read, ns;
# world: declarations, templates and code that the reports were last compared with.

MAX_CHARACTER = "\U0010ffff"  # sorts last: the upper bound of a search by prefix
MARK_DIRTY = "UPDATE reports SET doubted = 1 WHERE current AND NOT doubted AND "
READERS = "folder IN (SELECT folder FROM inputs WHERE {})"


def mark_subject_dirty(
    db: sqlite3.Connection,
    subject: str,
    kinds: Collection[str],
) -> None:
    """Mark the reports dirty that read inputs of these kinds of a shot, day or range."""
    marks = ", ".join("?" * len(kinds))
    db.execute(MARK_DIRTY + READERS.format(f"subject = ? AND kind IN ({marks})"), (subject, *kinds))


def mark_shot_dirty(db: sqlite3.Connection, subject: str) -> None:
    """Mark the reports dirty that read something from a shot's own files."""
    mark_subject_dirty(db, subject, dirtied_by("shot"))


def mark_scraps_dirty(db: sqlite3.Connection, subject: str) -> None:
    """Mark the reports dirty that read results of a subject's reports."""
    mark_subject_dirty(db, subject, dirtied_by("scraps"))


def mark_lists_dirty(db: sqlite3.Connection, days: Collection[str]) -> None:
    """Mark the reports dirty that read a list of shots, except lists of days not in ``days``."""
    rows = db.execute("SELECT DISTINCT subject FROM inputs WHERE kind = 'shots'").fetchall()
    subjects = [s for (s,) in rows if s in days or not _is_day(s)]
    for subject in subjects:
        mark_subject_dirty(db, subject, ["shots"])


def mark_queries_dirty(db: sqlite3.Connection) -> None:
    """Mark the reports dirty that selected shots by a query on scraps or attributes."""
    db.execute(
        MARK_DIRTY + READERS.format("kind = 'shots' AND subject >= ? AND subject < ?"),
        (WHERE, WHERE + MAX_CHARACTER),
    )


def _is_day(subject: str) -> bool:
    return len(subject) == 10 and subject[4:8:3] == "--"


def mark_changed(db: sqlite3.Connection, fingerprints: Mapping[tuple[str, str], str]) -> int:
    """Mark the reports dirty whose inputs outside shots and reports changed since the last call.

    Parameters
    ----------
    fingerprints : mapping
        (kind, name) → digest of everything that can change outside shots and reports: signals,
        wiring, calibrations, machine, templates, and the code that reports ran. A kind that ends
        with ``*`` stands for all inputs of the kind whose names begin with the name.

    Returns
    -------
    int
        The number of fingerprints that changed, were added or were removed.
    """
    before = {(k, n): d for k, n, d in db.execute("SELECT kind, name, digest FROM world")}
    changed = [
        key
        for key in before.keys() | fingerprints.keys()
        if before.get(key) != fingerprints.get(key)
    ]
    for kind, name in changed:
        if kind == "template":
            db.execute(MARK_DIRTY + "template = ?", (name,))
        elif kind.endswith("*"):
            begins = READERS.format("kind = ? AND name >= ? AND name < ?")
            db.execute(MARK_DIRTY + begins, (kind[:-1], name, name + MAX_CHARACTER))
        else:
            db.execute(MARK_DIRTY + READERS.format("kind = ? AND name = ?"), (kind, name))
    if changed:
        db.execute("DELETE FROM world")
        rows = [(kind, name, digest) for (kind, name), digest in fingerprints.items()]
        db.executemany("INSERT INTO world VALUES (?, ?, ?)", rows)
    return len(changed)


def mark_clean(db: sqlite3.Connection, folders: Sequence[str]) -> None:
    """Mark reports clean."""
    db.executemany("UPDATE reports SET doubted = 0 WHERE folder = ?", [(f,) for f in folders])
