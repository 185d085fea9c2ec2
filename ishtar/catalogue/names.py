"""Labels and symbols of the results of templates, as they were last glued.

They belong to the result of a template, not to each of its values, and nothing is computed from
them: a receipt without them leaves the known ones.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple

MIGRATION = """
    CREATE TABLE result_names (
        template TEXT NOT NULL, name TEXT NOT NULL, label TEXT NOT NULL, symbol TEXT NOT NULL,
        started TEXT NOT NULL, PRIMARY KEY (template, name))
"""


class ResultName(NamedTuple):
    """A result's name in code, its label in words, and its symbol."""

    name: str
    label: str
    symbol: str


def put_names(
    db: sqlite3.Connection, template: str, started: str, names: Iterable[ResultName]
) -> None:
    """Store labels and symbols, unless a newer report has stored others."""
    db.executemany(
        "INSERT INTO result_names VALUES (?, ?, ?, ?, ?) ON CONFLICT (template, name) DO UPDATE "
        "SET label = excluded.label, symbol = excluded.symbol, started = excluded.started "
        "WHERE julianday(excluded.started) >= julianday(result_names.started)",
        [(template, n.name, n.label, n.symbol, started) for n in names if n.label or n.symbol],
    )
