"""What the names in a query mean, by the catalogue: attributes, scraps, what pages call them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ishtar.errors import IshtarError, did_you_mean, nearest
from ishtar.query.index import SHIFT
from ishtar.query.query_tree import Name, QueryError
from ishtar.query.query_words import BASE, is_one_letter_off
from ishtar.query.scan import KEYWORDS

DATES = ("date", "day")
ONLY_ON_THE_SITE = "known to the site, not to the catalogue: filter its table"


class IndexMissingError(IshtarError, OSError):
    """The catalogue has no index of what is known of shots."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where the values of a name are, and whether its sigma is meant."""

    id: int | None
    """In the table of names; None where no shot has a value."""
    full: str
    sigma: bool = False
    is_date: bool = False


class Names:
    """The names that the query ``text`` may use."""

    def __init__(self, db: sqlite3.Connection, text: str) -> None:
        self.db = db
        self.text = text
        self.sources = read_sources(db)

    def meanings(self, name: str) -> Mapping[str, Source]:
        """Return what a name may mean, by template: as written, as pages call it, as people do."""
        if name in self.sources:
            return self.sources[name]
        rows = self.db.execute(
            "SELECT template, name FROM result_names WHERE ? IN "
            "(label, symbol, replace(replace(symbol, '{', ''), '}', ''))",
            (name,),
        ).fetchall()
        if found := {t: self.sources[n][t] for t, n in rows if t in self.sources.get(n, {})}:
            return found
        base = BASE.get(name.lower(), "")
        return self.sources.get(base, {"": Source(id=None, full=base)}) if base else {}

    def is_known(self, name: str) -> bool:
        """Whether a name means anything."""
        return bool(self.meanings(name) or self.meanings(name.removesuffix(".sigma")))

    def is_date(self, name: str) -> bool:
        """Whether a name means the date of a shot."""
        return any(source.is_date for source in self.meanings(name).values())

    def is_nearly_known(self, name: str) -> bool:
        """Whether a name is known but for a letter."""
        return any(is_one_letter_off(name, known) for known in (*self.sources, "latest"))

    def source(self, node: Name) -> Source:
        """Return where the values of a name are, or say what is wrong with it."""
        base = node.name.removesuffix(".sigma")
        sigma = base != node.name
        if found := self.meanings(node.name):
            return self._one_of(node, found)
        if sigma and (found := self.meanings(base)):
            scraps = {t: replace(s, sigma=True) for t, s in found.items() if t}
            return self._one_of(node, scraps)
        if node.name.lower() == "problems":
            raise self._wrong(f"problems are {ONLY_ON_THE_SITE}", node)
        dotted = "." in base  # templates are offered to who wrote one
        known = [n + ".sigma" * sigma for n in self.sources if dotted or "." not in n]
        known += () if sigma else (*KEYWORDS, "latest")
        some = ", ".join([n for n in self.sources if "." not in n][:12])
        hint = did_you_mean(node.name, known) or f"; there are {some} …, text has quotes"
        problem = f"no attribute or scrap {node.name!r}{hint}"
        raise self._wrong(problem, node, nearest(node.name, known))

    def _one_of(self, node: Name, by_template: Mapping[str, Source]) -> Source:
        if "" in by_template:  # an attribute goes before scraps
            return by_template[""]
        if not by_template:
            problem = f"{node.name.removesuffix('.sigma')} is an attribute, without sigma"
            raise self._wrong(problem, node)
        if len(by_template) > 1:
            near = [s.full + ".sigma" * s.sigma for s in by_template.values()]
            problem = f"{node.name} is given by several: write {' or '.join(near)}"
            raise self._wrong(problem, node, near)
        return next(iter(by_template.values()))

    def _wrong(self, problem: str, node: Name, near: list[str] | None = None) -> QueryError:
        return QueryError(problem, self.text, node.at, node.length, near or ())

    # --- what the shots have

    def value(self, node: Name, condition: str = "1") -> Any:
        """Return number and text of a shot whose value of a name is such, None without one."""
        low = (self.source(node).id or 0) << SHIFT
        query = "SELECT number, text FROM known WHERE key BETWEEN ? AND ?"
        ends = (low, low + (1 << SHIFT) - 1)
        return self.db.execute(f"{query} AND {condition} LIMIT 1", ends).fetchone()

    def unit(self, node: Name) -> str:
        """Return the unit that the values of a name were glued in, empty without one."""
        rows = self.db.execute(
            "SELECT DISTINCT s.unit FROM names n JOIN reports r ON r.template = n.template "
            "AND r.current AND r.scope = 'shot' JOIN scraps s ON s.folder = r.folder "
            "AND s.name = n.name WHERE n.id = ? LIMIT 2",
            (self.source(node).id,),
        ).fetchall()
        if len(rows) > 1:
            units = " and ".join(unit for (unit,) in rows)
            problem = f"{node.name} was glued in {units}: make the reports of one anew"
            raise self._wrong(problem, node)
        return str(rows[0][0]) if rows else ""

    def is_template(self, name: str) -> bool:
        """Whether a template has reports whose state is known."""
        query = "SELECT 1 FROM reports WHERE current AND template = ? AND state <> '' LIMIT 1"
        return self.db.execute(query, (name,)).fetchone() is not None


def read_sources(db: sqlite3.Connection) -> dict[str, dict[str, Source]]:
    """Return, by name as written, the templates that give it; '' is an attribute."""
    try:
        rows = db.execute("SELECT id, template, name FROM names ORDER BY id").fetchall()
    except sqlite3.OperationalError as error:
        raise IndexMissingError(
            f"the catalogue has no index for queries ({error}): `ishtar rebuild` makes it anew"
        ) from error
    found: dict[str, dict[str, Source]] = {}
    for number, template, name in rows:
        full = f"{template}.{name}" if template else name
        is_date = not template and name in DATES
        source = Source(id=number, full=full, is_date=is_date)
        for written in {name, full}:
            found.setdefault(written, {})[template] = source
    return found
