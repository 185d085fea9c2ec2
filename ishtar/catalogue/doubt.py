"""Which reports may no longer hold, so that a plan looks at these and at no others.

Whoever changes something that reports read marks the reports that read it as doubted. A plan
compares the inputs of doubted reports one by one with the present, and clears those that still
hold. Doubt decides nothing: a report in doubt for no reason costs a comparison, no more.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Mapping, Sequence

from ishtar.inputs.kinds import doubted_by
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
# shots.seen is the time of the last change of the shot's folder that the catalogue took in, in ns;
# world holds the declarations, templates and code that the reports were last compared with.

LAST = "\U0010ffff"  # sorts after every other character: ends the texts that begin in some way
DOUBT = "UPDATE reports SET doubted = 1 WHERE current AND NOT doubted AND "
READERS = "folder IN (SELECT folder FROM inputs WHERE {})"


def doubt_subject(
    db: sqlite3.Connection,
    subject: str,
    kinds: Collection[str],
) -> None:
    """Doubt the reports that read something of these kinds of a shot, day or range."""
    marks = ", ".join("?" * len(kinds))
    db.execute(DOUBT + READERS.format(f"subject = ? AND kind IN ({marks})"), (subject, *kinds))


def doubt_shot(db: sqlite3.Connection, subject: str) -> None:
    """Doubt the reports that read something that a shot's own files say."""
    doubt_subject(db, subject, doubted_by("shot"))


def doubt_scraps(db: sqlite3.Connection, subject: str) -> None:
    """Doubt the reports that read results of a subject's reports."""
    doubt_subject(db, subject, doubted_by("scraps"))


def doubt_lists(db: sqlite3.Connection, days: Collection[str]) -> None:
    """Doubt the reports that read a list of shots which may have changed.

    Lists of other days than ``days`` cannot have.
    """
    rows = db.execute("SELECT DISTINCT subject FROM inputs WHERE kind = 'shots'").fetchall()
    subjects = [s for (s,) in rows if s in days or not _is_day(s)]
    for subject in subjects:
        doubt_subject(db, subject, ["shots"])


def doubt_queries(db: sqlite3.Connection) -> None:
    """Doubt the reports that asked for shots by a query on scraps or attributes."""
    db.execute(
        DOUBT + READERS.format("kind = 'shots' AND subject >= ? AND subject < ?"),
        (WHERE, WHERE + LAST),
    )


def _is_day(subject: str) -> bool:
    return len(subject) == 10 and subject[4:8:3] == "--"


def doubt_changed(db: sqlite3.Connection, world: Mapping[tuple[str, str], str]) -> int:
    """Doubt the reports that read what is not as it was when this was last called.

    Parameters
    ----------
    world : mapping
        (kind, name) → digest of everything that can change outside of shots and reports: signals,
        wiring, calibrations, machine, templates, and the code that reports ran. A kind that
        ends with ``*`` means all inputs of that kind whose names begin with the name.

    Returns
    -------
    int
        How many of these things have changed, came or went.
    """
    before = {(k, n): d for k, n, d in db.execute("SELECT kind, name, digest FROM world")}
    changed = [key for key in before.keys() | world.keys() if before.get(key) != world.get(key)]
    for kind, name in changed:
        if kind == "template":
            db.execute(DOUBT + "template = ?", (name,))
        elif kind.endswith("*"):
            begins = READERS.format("kind = ? AND name >= ? AND name < ?")
            db.execute(DOUBT + begins, (kind[:-1], name, name + LAST))
        else:
            db.execute(DOUBT + READERS.format("kind = ? AND name = ?"), (kind, name))
    if changed:
        db.execute("DELETE FROM world")
        rows = [(kind, name, digest) for (kind, name), digest in world.items()]
        db.executemany("INSERT INTO world VALUES (?, ?, ?)", rows)
    return len(changed)


def believe(db: sqlite3.Connection, folders: Sequence[str]) -> None:
    """Clear reports of doubt."""
    db.executemany("UPDATE reports SET doubted = 0 WHERE folder = ?", [(f,) for f in folders])
