"""What the site shows of shots and reports beyond their files, as it was last published.

The problems of a shot's data and the reports that are out of date are found while pages are made.
The shards of the site keep them; the coordinator copies them from there after a publication, so
that a query finds the same shots on the site and elsewhere.
"""

from __future__ import annotations

import json
import logging
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ishtar.catalogue.dirty_marks import mark_queries_dirty
from ishtar.lineage.record import subject_of
from ishtar.query.index import index_problems

logger = logging.getLogger(__name__)

MIGRATION = """
    CREATE TABLE shown_problems (shot INTEGER PRIMARY KEY, problems TEXT NOT NULL);
    CREATE TABLE shown_stale (
        subject TEXT NOT NULL, template TEXT NOT NULL, PRIMARY KEY (subject, template))
        WITHOUT ROWID;
    CREATE TABLE shown_files (file TEXT PRIMARY KEY, stamp TEXT NOT NULL);
    CREATE TABLE shown_titles (template TEXT PRIMARY KEY, title TEXT NOT NULL)
"""
# shown_problems: a JSON list for each published shot; shown_stale: reports that are out of date;
# shown_files: what tells whether a shard changed since it was copied.


@dataclass(frozen=True, kw_only=True)
class ShownShot:
    """What the site shows of one shot."""

    shot: int
    problems: Sequence[str] = ()
    """What is wrong with its data, one line each."""
    stale: frozenset[str] = field(default_factory=frozenset)
    """The templates whose reports are out of date."""


def put_shown(
    db: sqlite3.Connection, shots: Iterable[ShownShot], first: int, last: int
) -> frozenset[int]:
    """Replace what is shown of the shots ``first … last``; return those whose problems changed.

    Reports that selected shots by a query are marked dirty if any did. Call it inside a
    transaction.
    """
    after = {s.shot: s for s in shots}
    texts = {n: json.dumps(list(s.problems)) for n, s in after.items()}
    before = dict(
        db.execute(
            "SELECT shot, problems FROM shown_problems WHERE shot BETWEEN ? AND ?", (first, last)
        )
    )
    changed = frozenset(n for n in before.keys() | texts if before.get(n) != texts.get(n))
    db.executemany("DELETE FROM shown_problems WHERE shot = ?", [(n,) for n in changed])
    db.executemany(
        "INSERT INTO shown_problems VALUES (?, ?)", [(n, texts[n]) for n in changed if n in texts]
    )
    if changed:
        index_problems(db, changed)
    subjects = [(subject_of(n),) for n in before.keys() | after.keys()]
    db.executemany("DELETE FROM shown_stale WHERE subject = ?", subjects)
    db.executemany(
        "INSERT INTO shown_stale VALUES (?, ?)",
        [(subject_of(n), template) for n, s in after.items() for template in s.stale],
    )
    if changed:
        mark_queries_dirty(db)
    return changed


def put_titles(db: sqlite3.Connection, titles: Mapping[str, str]) -> None:
    """Replace the titles of the templates, by name."""
    if dict(db.execute("SELECT template, title FROM shown_titles")) != titles:
        db.execute("DELETE FROM shown_titles")
        db.executemany("INSERT INTO shown_titles VALUES (?, ?)", titles.items())


def read_shard(path: Path) -> list[ShownShot] | None:
    """Return what a shard's file shows of its shots; None, with a warning, if it is damaged."""
    try:
        return shown_in_shard(json.loads(path.read_bytes()))
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        logger.warning("%s cannot be read (%s): `ishtar publish` recreates it", path, error)
        return None


def shown_in_shard(table: Mapping[str, Any]) -> list[ShownShot]:
    """Return what a shard's table, ``data/shots/NNNN``, shows of its shots."""
    return [
        ShownShot(
            shot=shot,
            problems=table["problems"][i],
            stale=frozenset(t for t, states in table["states"].items() if states[i] == "stale"),
        )
        for i, shot in enumerate(table["shot"])
    ]
