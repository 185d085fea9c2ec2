"""Resolve the names in a query: attributes, scraps, and the labels and symbols of results."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ishtar.errors import IshtarError, did_you_mean, nearest
from ishtar.query.index import PROBLEMS, SHIFT
from ishtar.query.query_tree import Name, QueryError
from ishtar.query.query_words import BASE, is_one_letter_off
from ishtar.query.scan import KEYWORDS

DATES = ("date", "day")
NOT_PUBLISHED = "known once the site is published: run `ishtar publish`"


class IndexMissingError(IshtarError, OSError):
    """The catalogue has no index for queries."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """The place of a name's values, and whether its sigma is meant."""

    id: int | None
    """Of the name in the index; None if no shot has a value."""
    full: str
    sigma: bool = False
    is_date: bool = False
    is_problems: bool = False
    """Whether it counts the problems of a shot's data."""


class Names:
    """The names that the query ``text`` may use."""

    def __init__(self, db: sqlite3.Connection, text: str) -> None:
        self.db = db
        self.text = text
        self.sources = read_sources(db)

    def meanings(self, name: str) -> Mapping[str, Source]:
        """Return the possible meanings of a name by template.

        In this order: the name as written, a label or symbol, a common word.
        """
        if name in self.sources:
            return self.sources[name]
        rows = self.db.execute(
            "SELECT template, name FROM result_names WHERE ? IN "
            "(label, symbol, replace(replace(symbol, '{', ''), '}', ''))",
            (name,),
        ).fetchall()
        if found := {t: self.sources[n][t] for t, n in rows if t in self.sources.get(n, {})}:
            return found
        if name.lower() == "problems":
            return {"": self.problems()}
        base = BASE.get(name.lower(), "")
        return self.sources.get(base, {"": Source(id=None, full=base)}) if base else {}

    def problems(self) -> Source:
        """Return the place of the problems of shots; without id if nothing was published."""
        query = "SELECT id FROM names WHERE template = ?"
        row = self.db.execute(query, (PROBLEMS,)).fetchone()
        return Source(id=row[0] if row else None, full="problems", is_problems=True)

    def is_known(self, name: str) -> bool:
        """Return whether a name has a meaning."""
        return bool(self.meanings(name) or self.meanings(name.removesuffix(".sigma")))

    def is_date(self, name: str) -> bool:
        """Return whether a name means the date of a shot."""
        return any(source.is_date for source in self.meanings(name).values())

    def is_similar_to_known(self, name: str) -> bool:
        """Return whether a known name differs by one letter only."""
        return any(is_one_letter_off(name, known) for known in (*self.sources, "latest"))

    def source(self, node: Name) -> Source:
        """Return the place of a name's values.

        Raises
        ------
        QueryError
            The name is unknown, ambiguous, or has no sigma.
        """
        base = node.name.removesuffix(".sigma")
        sigma = base != node.name
        if found := self.meanings(node.name):
            return self._unambiguous(node, found)
        if sigma and (found := self.meanings(base)):
            scraps = {t: replace(s, sigma=True) for t, s in found.items() if t}
            return self._unambiguous(node, scraps)
        dotted = "." in base  # suggest names with a template only if the query has one
        known = [n + ".sigma" * sigma for n in self.sources if dotted or "." not in n]
        known += () if sigma else (*KEYWORDS, "latest", "problems")
        some = ", ".join([n for n in self.sources if "." not in n][:12])
        hint = did_you_mean(node.name, known) or f"; there are {some} …, text has quotes"
        problem = f"no attribute or scrap {node.name!r}{hint}"
        raise self._fail(problem, node, nearest(node.name, known))

    def _unambiguous(self, node: Name, by_template: Mapping[str, Source]) -> Source:
        if "" in by_template:  # attributes have precedence over scraps
            found = by_template[""]
            if found.is_problems and found.id is None and not self.is_published():
                raise self._fail(f"problems are {NOT_PUBLISHED}", node)
            return found
        if not by_template:
            problem = f"{node.name.removesuffix('.sigma')} is an attribute, without sigma"
            raise self._fail(problem, node)
        if len(by_template) > 1:
            near = [s.full + ".sigma" * s.sigma for s in by_template.values()]
            problem = f"{node.name} is given by several: write {' or '.join(near)}"
            raise self._fail(problem, node, near)
        return next(iter(by_template.values()))

    def _fail(self, problem: str, node: Name, near: list[str] | None = None) -> QueryError:
        return QueryError(problem, self.text, node.at, node.length, near or ())

    # --- values of the shots

    def value(self, node: Name, condition: str = "1") -> Any:
        """Return (number, text) of one value that meets an SQL condition, None if there is none."""
        low = (self.source(node).id or 0) << SHIFT
        query = "SELECT number, text FROM known WHERE key BETWEEN ? AND ?"
        ends = (low, low + (1 << SHIFT) - 1)
        return self.db.execute(f"{query} AND {condition} LIMIT 1", ends).fetchone()

    def unit(self, node: Name) -> str:
        """Return the unit in which the values of a name were glued, ``""`` if there is none."""
        rows = self.db.execute(
            "SELECT DISTINCT s.unit FROM names n JOIN reports r ON r.template = n.template "
            "AND r.current AND r.scope = 'shot' JOIN scraps s ON s.folder = r.folder "
            "AND s.name = n.name WHERE n.id = ? LIMIT 2",
            (self.source(node).id,),
        ).fetchall()
        if len(rows) > 1:
            units = " and ".join(unit for (unit,) in rows)
            problem = f"{node.name} was glued in {units}: remake the reports with one of them"
            raise self._fail(problem, node)
        return str(rows[0][0]) if rows else ""

    def is_published(self) -> bool:
        """Return whether the catalogue knows what a site shows."""
        return self.db.execute("SELECT 1 FROM shown_files LIMIT 1").fetchone() is not None

    def template(self, name: str) -> str | None:
        """Return the template with reports that a name or a title means, None if there is none."""
        query = (
            "SELECT template FROM reports WHERE current AND template = :name AND state <> '' "
            "UNION ALL SELECT template FROM shown_titles WHERE :name IN (template, title) LIMIT 1"
        )
        row = self.db.execute(query, {"name": name}).fetchone()
        return row[0] if row else None


def read_sources(db: sqlite3.Connection) -> dict[str, dict[str, Source]]:
    """Return the sources of every name by template; the template of an attribute is ``""``."""
    try:
        rows = db.execute("SELECT id, template, name FROM names ORDER BY id").fetchall()
    except sqlite3.OperationalError as error:
        raise IndexMissingError(
            f"the catalogue has no index for queries ({error}): `ishtar rebuild` creates it"
        ) from error
    found: dict[str, dict[str, Source]] = {}
    for number, template, name in rows:
        if template == PROBLEMS:
            continue
        full = f"{template}.{name}" if template else name
        is_date = not template and name in DATES
        source = Source(id=number, full=full, is_date=is_date)
        for written in {name, full}:
            found.setdefault(written, {})[template] = source
    return found
