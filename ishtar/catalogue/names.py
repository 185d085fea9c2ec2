"""What the results of templates are called on pages: the label and symbol that were last glued.

A name belongs to the result of a template, not to each of its values, and nothing is computed from
it: a receipt without one leaves what is known.
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


class Called(NamedTuple):
    """What a result is called: its name in code, in words, and as a symbol."""

    name: str
    label: str
    symbol: str


def note_names(
    db: sqlite3.Connection, template: str, started: str, called: Iterable[Called]
) -> None:
    """Note what results are called, unless a newer report says it otherwise."""
    db.executemany(
        "INSERT INTO result_names VALUES (?, ?, ?, ?, ?) ON CONFLICT (template, name) DO UPDATE "
        "SET label = excluded.label, symbol = excluded.symbol, started = excluded.started "
        "WHERE julianday(excluded.started) >= julianday(result_names.started)",
        [(template, c.name, c.label, c.symbol, started) for c in called if c.label or c.symbol],
    )
