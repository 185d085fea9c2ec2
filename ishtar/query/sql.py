"""Shots by what is known of them: ``gas == 'Ar' and max_IC_Pinj > 500 and date >= '2026-11-01'``.

`ishtar.query.parse` understands the text; here it becomes SQL, with every value a bound parameter,
over the index that `ishtar.query.index` keeps.

A value that a shot has not got matches nothing, under ``not`` neither: comparisons with it are
unknown, as in SQL, and only ``missing(Te)`` or ``Te is None`` find it. A number is never compared
with a text. Dates compare up to the precision that is written: ``date <= '2026-11-22'`` takes in
that whole day.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ishtar.errors import IshtarError, did_you_mean, nearest
from ishtar.query.index import SHIFT
from ishtar.query.parse import FLIPPED, KEYWORDS, as_moment, parse
from ishtar.query.tree import (
    Among,
    Arithmetic,
    Call,
    Compare,
    Condition,
    Contains,
    Joined,
    Literal,
    Missing,
    Moment,
    Name,
    Node,
    Not,
    QueryError,
    Term,
    Truth,
)

__all__ = [
    "Compiled",
    "IndexMissingError",
    "QueryError",
    "compile_query",
    "find",
    "known_names",
    "parse",
]

MOST_NAMES = 40  # SQLite joins 64 tables at most
LAST = "\U0010ffff"  # sorts after every other character: ends the texts that begin in some way
DATES = ("date", "day")


class IndexMissingError(IshtarError, OSError):
    """The catalogue has no index of what is known of shots."""


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A query as SQL that gives one row, the matching shots joined by commas, or NULL."""

    sql: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class _Value:
    """A term as SQL: as a number and as a text, either of which may be impossible."""

    number: str | None
    text: str | None
    missing: str


@dataclass(frozen=True)
class _Source:
    """Where the values of a name are: its id, and whether its sigma is meant."""

    id: int
    sigma: bool
    is_date: bool


def find(db: sqlite3.Connection, text: str) -> list[int]:
    """Return the shots that a query matches, ascending.

    Raises
    ------
    QueryError
        It is no query, or names what no shot has.
    """
    compiled = compile_query(db, text)
    (found,) = db.execute(compiled.sql, compiled.parameters).fetchone()
    # one long text is fetched several times faster than as many rows, and read fastest as JSON
    return sorted(json.loads(f"[{found}]")) if found else []


def compile_query(db: sqlite3.Connection, text: str) -> Compiled:
    """Return the SQL of a query, with its values as bound parameters."""
    return _Compiler(db, text).compile(parse(text))


def known_names(db: sqlite3.Connection) -> list[str]:
    """Return the names that a query may use: attributes, scraps, ``template.scrap``."""
    return sorted(_sources(db))


def _sources(db: sqlite3.Connection) -> dict[str, dict[str, _Source]]:
    """Return, by name as written, the templates that give it; '' is an attribute."""
    try:
        rows = db.execute("SELECT id, template, name FROM names ORDER BY id").fetchall()
    except sqlite3.OperationalError as error:
        raise IndexMissingError(
            f"the catalogue has no index for queries ({error}): `ishtar rebuild` makes it anew"
        ) from error
    found: dict[str, dict[str, _Source]] = {}
    for number, template, name in rows:
        source = _Source(number, False, not template and name in DATES)
        found.setdefault(name, {})[template] = source
        if template:
            found.setdefault(f"{template}.{name}", {})[template] = source
    return found


class _Compiler:
    def __init__(self, db: sqlite3.Connection, text: str) -> None:
        self.db = db
        self.text = text
        self.sources = _sources(db)
        self.joins: dict[int, str] = {}
        self.parameters: dict[str, Any] = {}

    def compile(self, tree: Condition) -> Compiled:
        where = self.condition(tree)
        joins = "".join(
            f" LEFT JOIN known {alias} ON {alias}.key = s.key + {number << SHIFT}"
            for number, alias in self.joins.items()
        )
        # The rows of name 0 are the shots; all rows of a name lie together in the order of shots,
        # so that each join steps to the next row, which SQLite does without a search.
        sql = (
            f"SELECT group_concat(s.key) FROM known s{joins} "
            f"WHERE s.key BETWEEN 0 AND {(1 << SHIFT) - 1} AND {where}"
        )
        return Compiled(sql=sql, parameters=self.parameters)

    def wrong(self, problem: str, node: Node, near: Iterable[str] = ()) -> NoReturn:
        raise QueryError(problem, self.text, node.at, node.length, near)

    def bind(self, value: float | str) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    # --- names

    def source(self, node: Name) -> _Source:
        if node.name in self.sources:
            return self.one_of(node, self.sources[node.name])
        base = node.name.removesuffix(".sigma")
        if base != node.name and base in self.sources:
            found = self.one_of(node, {t: s for t, s in self.sources[base].items() if t})
            return _Source(found.id, True, False)
        sigma = base != node.name
        dotted = "." in base  # templates are offered to who wrote one
        known = [n + ".sigma" * sigma for n in self.sources if dotted or "." not in n]
        known += () if sigma else KEYWORDS
        some = ", ".join([n for n in self.sources if "." not in n][:12])
        hint = did_you_mean(node.name, known) or f"; there are {some} …"
        self.wrong(f"no attribute or scrap {node.name!r}{hint}", node, nearest(node.name, known))

    def one_of(self, node: Name, by_template: Mapping[str, _Source]) -> _Source:
        if "" in by_template:  # an attribute goes before scraps
            return by_template[""]
        if not by_template:
            self.wrong(f"{node.name.removesuffix('.sigma')} is an attribute, without sigma", node)
        if len(by_template) > 1:
            near = [f"{template}.{node.name}" for template in by_template]
            self.wrong(f"{node.name} is given by several: write {' or '.join(near)}", node, near)
        return next(iter(by_template.values()))

    def name(self, node: Name) -> _Value:
        source = self.source(node)
        alias = self.joins.setdefault(source.id, f"k{source.id}")
        if len(self.joins) > MOST_NAMES:
            self.wrong(f"more than {MOST_NAMES} names: split the query", node)
        if source.sigma:
            return _Value(f"{alias}.sigma", None, f"{alias}.sigma IS NULL")
        return _Value(f"{alias}.number", f"{alias}.text", f"{alias}.key IS NULL")

    def holds(self, node: Node, kind: str) -> None:
        """Refuse a name none of whose values is of the kind that it is used as."""
        if not isinstance(node, Name) or self.source(node).sigma:
            return
        low = self.source(node).id << SHIFT
        query = f"SELECT {{}} FROM known WHERE key BETWEEN {low} AND {low + (1 << SHIFT) - 1}"
        if self.db.execute(f"{query.format(1)} AND {kind} IS NOT NULL LIMIT 1").fetchone():
            return
        row = self.db.execute(f"{query.format('number, text')} LIMIT 1").fetchone()
        if row is None:
            return
        holds = "numbers" if row[0] is not None else "text" if row[1] is not None else "lists"
        use = "a number" if kind == "number" else "text in quotes"
        do = f"compare it with {'text in quotes' if holds == 'text' else 'a number'}"
        if holds == "lists":
            do = "only missing() can ask for it"
        self.wrong(f"{node.name} holds {holds} and is used with {use} here: {do}", node)

    # --- terms

    def value(self, node: Term) -> _Value:
        match node:
            case Literal(value=value):
                bound = self.bind(value)
                as_text = isinstance(value, str)
                return _Value(None if as_text else bound, bound if as_text else None, "0")
            case Moment(text=text):
                return _Value(None, self.bind(text), "0")
            case Name():
                return self.name(node)
            case Arithmetic(first=first, rest=rest):
                tail = "".join(f" {sign} {self.number(term)}" for sign, term in rest)
                found = f"({self.number(first)}{tail})"
                return _Value(found, None, f"{found} IS NULL")
            case Call(function="lower", argument=argument):
                found = f"lower({self.as_text(argument)})"
                return _Value(None, found, f"{found} IS NULL")
            case Call(function="abs", argument=argument):
                found = f"abs({self.number(argument)})"
                return _Value(found, None, f"{found} IS NULL")
            case Call(argument=argument):
                found = f"(- {self.number(argument)})"
                return _Value(found, None, f"{found} IS NULL")
        raise TypeError(node)

    def number(self, node: Term) -> str:
        found = self.value(node).number
        if found is None:
            self.wrong("this is text, where a number is needed: correct it", node)
        self.holds(node, "number")
        return found

    def as_text(self, node: Term) -> str:
        found = self.value(node).text
        if found is None:
            self.wrong("this is a number, where text is needed: put it in quotes", node)
        self.holds(node, "text")
        return found

    # --- conditions

    def condition(self, node: Condition) -> str:
        match node:
            case Truth(term=term):
                return f"({self.number(term)} <> 0)"
            case Compare(left=left, operator=operator, right=right):
                return self.compare(left, operator, right)
            case Among(term=term, items=items):
                return f"({' OR '.join(self.item(term, item) for item in items)})"
            case Contains(part=part, whole=whole):
                return f"(instr({self.as_text(whole)}, {self.as_text(part)}) > 0)"
            case Missing(term=term):
                return f"({self.value(term).missing})"
            case Not(condition=condition):
                return f"(NOT {self.condition(condition)})"
            case Joined(word=word, conditions=conditions):
                return f"({f' {word.upper()} '.join(self.condition(c) for c in conditions)})"
        raise TypeError(node)

    def item(self, term: Term, item: Term | tuple[Term, Term]) -> str:
        if isinstance(item, tuple):
            low, high = item
            return f"({self.compare(term, '>=', low)} AND {self.compare(term, '<=', high)})"
        return self.compare(term, "==", item)

    def compare(self, left: Term, operator: str, right: Term) -> str:
        left, right = self.dated(left, right), self.dated(right, left)
        if isinstance(left, Moment):
            left, operator, right = right, FLIPPED[operator], left
        if isinstance(right, Moment):
            return self.compare_date(self.as_text(left), operator, right.text)
        a, b = self.value(left), self.value(right)
        sign = {"==": "=", "!=": "<>"}.get(operator, operator)
        numbers = a.number is not None and b.number is not None
        texts = a.text is not None and b.text is not None
        if numbers and texts:  # two names, of kinds that may differ from shot to shot
            pairs = f"{a.number} {sign} {b.number}, {a.text} {sign} {b.text}"
            return f"coalesce({pairs})"
        if not numbers and not texts:
            self.wrong("a number is compared with text: put both in quotes or none", right)
        for node in (left, right):
            self.holds(node, "number" if numbers else "text")
        return f"({a.number} {sign} {b.number})" if numbers else f"({a.text} {sign} {b.text})"

    def dated(self, node: Term, other: Term) -> Term:
        """Return a text as a date where it meets ``date`` or ``day``."""
        if not isinstance(other, Name) or not self.source(other).is_date:
            return node
        if isinstance(node, Literal) and isinstance(node.value, str):
            node = as_moment(node, self.text)
        if isinstance(node, Moment) and other.name == "day" and len(node.text) > 10:
            self.wrong("a day has no time of day: compare date instead", node)
        return node

    def compare_date(self, x: str, operator: str, text: str) -> str:
        """Compare only as many characters as are written, by bounds of what begins so."""
        low, end = self.bind(text), self.bind(text + LAST)
        return {
            "==": f"({x} >= {low} AND {x} < {end})",
            "!=": f"({x} < {low} OR {x} >= {end})",
            "<": f"({x} < {low})",
            "<=": f"({x} < {end})",
            ">": f"({x} >= {end})",
            ">=": f"({x} >= {low})",
        }[operator]
