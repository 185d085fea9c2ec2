"""Find shots by a query: ``gas == 'Ar' and max_IC_Pinj > 500 and date >= '2026-11-01'``.

A syntax tree is compiled to SQL over the index of `ishtar.query.index`; every value is a bound
parameter. docs/catalogue.md defines the meaning of queries; the site evaluates the same texts with
`query.js` and `filter.js`, and tests/query_cases.json tests both.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from ishtar.query.index import SHIFT
from ishtar.query.parse import parse, parse_item
from ishtar.query.query_names import NOT_PUBLISHED, IndexMissingError, Names, read_sources
from ishtar.query.query_tree import (
    MOMENT,
    Among,
    Arithmetic,
    Call,
    Compare,
    Condition,
    Contains,
    Joined,
    Latest,
    Literal,
    Loose,
    Missing,
    Moment,
    Name,
    Node,
    Not,
    QueryError,
    Term,
    Truth,
    Value,
    Words,
    as_moment,
    is_text,
    unit_node,
)
from ishtar.query.query_words import (
    BASE,
    STATES,
    TEXTS,
    YES_NO,
    folded,
    has_words,
    in_unit,
    search_text,
    state_of,
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

MAX_NAMES = 40  # SQLite joins 64 tables at most
MAX_CHARACTER = "\U0010ffff"  # sorts last: the upper bound of a search by prefix
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}


@dataclass(frozen=True, kw_only=True)
class Compiled:
    """A query as SQL that returns one value: the matching shots joined by commas, or NULL."""

    sql: str
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class _Value:
    """A term as SQL, as a number and as a text; None if it cannot be one."""

    number: str | None
    text: str | None
    missing: str


def find(db: sqlite3.Connection, text: str, *, for_report: bool = False) -> list[int]:
    """Return the shots that a query matches, ascending.

    Parameters
    ----------
    db : sqlite3.Connection
        The catalogue.
    text : str
        The query, as in docs/catalogue.md.
    for_report : bool, optional
        A report is made from the result, which must not depend on what is out of date: a state is
        the one that the report was made with.

    Raises
    ------
    QueryError, IndexMissingError
        The query is invalid or uses an unknown name, or the catalogue has no index.
    """
    compiled = compile_query(db, text, for_report=for_report)
    (found,) = db.execute(compiled.sql, compiled.parameters).fetchone()
    # one long text is fetched several times faster than many rows; JSON parses it fastest
    return sorted(json.loads(f"[{found}]")) if found else []


def compile_query(db: sqlite3.Connection, text: str, *, for_report: bool = False) -> Compiled:
    """Return a query as SQL with bound parameters; arguments and errors as for `find`."""
    db.create_function("search_text", 2, search_text, deterministic=True)
    db.create_function("has_words", 2, has_words, deterministic=True)
    return _Compiler(db, text, for_report).compile(parse(text))


def known_names(db: sqlite3.Connection) -> list[str]:
    """Return the names that a query may use: attributes, scraps, ``template.scrap``."""
    return sorted(read_sources(db))


class _Compiler:
    def __init__(self, db: sqlite3.Connection, text: str, for_report: bool) -> None:
        self.text = text
        self.for_report = for_report
        self.names = Names(db, text)
        self.joins: dict[int, str] = {}
        self.parameters: dict[str, Any] = {}

    def compile(self, tree: Condition) -> Compiled:
        where = self.condition(tree)
        joins = "".join(
            f" LEFT JOIN known {alias} ON {alias}.key = s.key + {number << SHIFT}"
            for number, alias in self.joins.items()
        )
        # The rows of name 0 are the shots; the rows of a name are contiguous and ordered by shot,
        # so that each join steps to the next row, which SQLite does without a search.
        sql = (
            f"SELECT group_concat(s.key) FROM known s{joins} "
            f"WHERE s.key BETWEEN 0 AND {(1 << SHIFT) - 1} AND {where}"
        )
        return Compiled(sql=sql, parameters=self.parameters)

    def fail(self, problem: str, node: Node, near: Iterable[str] = ()) -> NoReturn:
        raise QueryError(problem, self.text, node.at, node.length, near)

    def bind(self, value: float | str) -> str:
        name = f"p{len(self.parameters)}"
        self.parameters[name] = value
        return f":{name}"

    # --- names

    def name(self, node: Name) -> _Value:
        source = self.names.source(node)
        if source.id is None:
            return _Value("NULL", "NULL", "1")
        alias = self.joins.setdefault(source.id, f"k{source.id}")
        if len(self.joins) > MAX_NAMES:
            self.fail(f"more than {MAX_NAMES} names: split the query", node)
        if source.sigma:
            return _Value(f"{alias}.sigma", None, f"{alias}.sigma IS NULL")
        if source.is_problems:  # a number; only a search looks into the texts
            return _Value(f"{alias}.number", None, f"{alias}.key IS NULL")
        return _Value(f"{alias}.number", f"{alias}.text", f"{alias}.key IS NULL")

    def problems_text(self) -> str:
        """Return the texts of a shot's problems, NULL if nothing was published."""
        number = self.names.problems().id
        return "NULL" if number is None else f"{self.joins.setdefault(number, f'k{number}')}.text"

    def require_kind(self, node: Node, kind: str) -> None:
        """Raise `QueryError` if no value of a name is a number (or text), as it is used."""
        if not isinstance(node, Name):
            return
        row = (0.0, None) if self.names.source(node).sigma else self.names.value(node)
        if row is not None and row[0] is not None and kind == "number":
            return
        if row is None or self.names.value(node, f"{kind} IS NOT NULL"):
            return
        actual = "numbers" if row[0] is not None else "text" if row[1] is not None else "lists"
        use = "a number" if kind == "number" else "text in quotes"
        do = f"compare it with {'text in quotes' if actual == 'text' else 'a number'}"
        if actual == "lists":
            do = "only missing() can ask for it"
        self.fail(f"{node.name} holds {actual} and is used with {use} here: {do}", node)

    # --- terms

    def value(self, node: Term) -> _Value:
        match node:
            case Literal(unit=unit) if unit:
                self.fail(f"“{unit}” is compared with no name: leave the unit out", unit_node(node))
            case Literal(value=value):
                bound = self.bind(value)
                as_text = isinstance(value, str)
                return _Value(None if as_text else bound, bound if as_text else None, "0")
            case Moment(text=text):
                return _Value(None, self.bind(text), "0")
            case Name():
                return self.name(node)
            case Latest():
                shots = f"key BETWEEN 0 AND {(1 << SHIFT) - 1}"
                return _Value(f"(SELECT max(key) FROM known WHERE {shots})", None, "0")
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
            self.fail("this is text, where a number is needed: correct it", node)
        self.require_kind(node, "number")
        return found

    def as_text(self, node: Term) -> str:
        found = self.value(node).text
        if found is None:
            self.fail("this is a number, where text is needed: put it in quotes", node)
        self.require_kind(node, "text")
        return found

    # --- conditions

    def condition(self, node: Condition) -> str:
        match node:
            case Truth(term=Name(name=word) as name, alone=True) if not self.names.is_known(
                name.name
            ):
                if self.names.is_similar_to_known(word):
                    self.names.source(name)  # says which one
                return self.condition(Words(node.at, node.length, (word,)))
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
            case Loose():
                return self.loose(node)
            case Words(words=words):
                values = [self.name(Name(node.at, node.length, name)) for name in TEXTS]
                found = [*(v.text for v in values), self.problems_text()]
                texts = " || char(10) || ".join(f"coalesce({text}, '')" for text in found)
                return f"has_words({texts}, {self.bind(json.dumps(words))})"
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
        if operator == "!=" and self.is_word(right, left):
            written = self.text[right.at : right.at + right.length]
            value = Value(right.at, right.length, written, False)
            return self.loose(Loose(left.at, left.length, self.as_name(left), "!=", value))
        if is_text(left) and isinstance(right, Literal) and not is_text(right):
            left = self.as_name(left)  # a name in quotes
        left, right = self.dated(left, right), self.dated(right, left)
        left, right = self.united(left, right), self.united(right, left)
        if isinstance(left, Moment):
            left, operator, right = right, FLIPPED[operator], left
        if isinstance(right, Moment):
            return self.compare_date(self.as_text(left), operator, right.text)
        a, b = self.value(left), self.value(right)
        sign = {"==": "=", "!=": "<>"}.get(operator, operator)
        numbers = a.number is not None and b.number is not None
        texts = a.text is not None and b.text is not None
        if numbers and texts:  # two names, whose types may differ from shot to shot
            return f"coalesce({a.number} {sign} {b.number}, {a.text} {sign} {b.text})"
        if not numbers and not texts:
            self.fail("a number is compared with text: put both in quotes or none", right)
        for node in (left, right):
            self.require_kind(node, "number" if numbers else "text")
        return f"({a.number} {sign} {b.number})" if numbers else f"({a.text} {sign} {b.text})"

    def dated(self, node: Term, other: Term) -> Term:
        """Return a text as a date if it is compared with ``date`` or ``day``."""
        if not (isinstance(other, Name) and self.names.is_date(other.name)):
            return node
        written = self.text[node.at : node.at + node.length]
        if isinstance(node, Literal) and isinstance(node.value, str):
            node = as_moment(node, node.value, self.text)
        elif MOMENT.fullmatch(written) or self.is_unknown(node):
            node = as_moment(node, written, self.text)
        if isinstance(node, Moment) and other.name == "day" and len(node.text) > 10:
            self.fail("a day has no time of day: compare date instead", node)
        return node

    def united(self, node: Term, other: Term) -> Term:
        """Return a number with a unit in the unit of the name that it is compared with."""
        if not (isinstance(node, Literal) and node.unit and isinstance(other, Name)):
            return node
        own = self.names.unit(other)
        value = in_unit(float(node.value), node.unit, own)
        if value is None:
            problem = f"is in {own or 'no unit'}, not in “{node.unit}”: leave the unit out"
            self.fail(f"{other.name} {problem}", unit_node(node))
        return Literal(node.at, node.length, value)

    def is_unknown(self, node: Node) -> bool:
        return isinstance(node, Name) and not self.names.is_known(node.name)

    def is_word(self, node: Term, other: Term) -> bool:
        """Return whether the other side of a comparison is a bare word or a state."""
        if isinstance(node, Literal) and not is_text(node):
            return isinstance(other, Name) and BASE.get(other.name.lower()) in TEXTS
        return isinstance(node, Name) and (self.is_unknown(node) or self.is_unknown(other))

    def as_name(self, node: Term) -> Name:
        """Return the left side of a loose comparison as a name."""
        if isinstance(node, Literal) and isinstance(node.value, str):
            return Name(node.at, node.length, node.value)
        if isinstance(node, Name):
            return node
        self.fail("this is no name: write one before a word", node)

    def loose(self, node: Loose) -> str:
        """Compare with a value whose type depends on the name."""
        name, value, is_equal = node.name, node.value, node.operator != "!="
        if self.is_unknown(name) and (state := self.state(node)):
            return state
        own, wanted = self.name(name), folded(value.text)
        text = own.text or "NULL"
        searched = f"search_text({own.number}, {text})"
        if node.operator == "~" and self.names.source(name).is_problems:
            searched = f"search_text(NULL, {self.problems_text()})"
        is_informal = BASE.get(name.name.lower()) in TEXTS
        if is_informal:  # a missing text counts as empty
            searched = f"coalesce({searched}, '')"
        if node.operator == "~":
            return f"(instr({searched}, {self.bind(wanted)}) > 0)"
        if value.text == "none" and not value.quoted:
            return f"(({own.missing} OR {text} IS '') = {int(is_equal)})"
        found = None if is_informal else self.valued(name, value)
        if found is None:
            found = f"{searched} = {self.bind(wanted)}"
            if wanted in YES_NO:
                found += f" OR coalesce({own.number} = {YES_NO[wanted]}, 0)"
            elif is_equal and not wanted.replace(".", "").isdigit() and not is_informal:
                self.require_kind(name, "text")
        return f"({found})" if is_equal else f"(NOT ({found}))"

    def valued(self, name: Name, value: Value) -> str | None:
        """Compare with a number, a date or a range of them; return None if it is a word."""
        is_date = self.names.source(name).is_date
        item = None if value.quoted and not is_date else parse_item(self.text, value)
        if is_date:
            return self.item(name, item or as_moment(value, value.text, self.text))
        first = item[0] if isinstance(item, tuple) else item
        if first is None or isinstance(first, Moment):
            return None
        try:
            return self.item(name, item or first)
        except QueryError:
            if getattr(first, "unit", "") and self.names.value(name, "text IS NOT NULL"):
                return None  # a text that begins with a number: 3 phases
            raise

    def state(self, node: Loose) -> str | None:
        """Compare the state of a report; return None if the name is not a template's."""
        template, value = self.names.template(node.name.name), node.value
        if template is None:
            return None
        state = state_of(value.text)
        shown = "r.state"
        if not self.for_report:  # as pages show it: an ok report with changed inputs is stale
            shown = (
                "CASE WHEN r.state = 'ok' AND EXISTS (SELECT 1 FROM shown_stale x WHERE "
                "x.subject = r.subject AND x.template = r.template) THEN 'stale' ELSE r.state END"
            )
        own = (
            f"coalesce((SELECT {shown} FROM reports r WHERE r.current AND r.template = "
            f"{self.bind(template)} AND r.subject = printf('%05d', s.key)), 'missing')"
        )
        if node.operator == "~":
            return f"(instr({own}, {self.bind(folded(value.text))}) > 0)"
        if state is None:
            states = ", ".join(STATES)
            self.fail(f"“{value.text}” is no state of a report; there are {states}", value)
        if state == "stale" and self.for_report:
            self.fail("no report can depend on what is out of date: leave this part out", value)
        if state == "stale" and not self.names.is_published():
            self.fail(f"what is out of date is {NOT_PUBLISHED}", value)
        return f"({own} {'<>' if node.operator == '!=' else '='} {self.bind(state)})"

    def compare_date(self, x: str, operator: str, text: str) -> str:
        """Compare a date with the written precision, by the bounds of its prefix."""
        low, end = self.bind(text), self.bind(text + MAX_CHARACTER)
        return {
            "==": f"({x} >= {low} AND {x} < {end})",
            "!=": f"({x} < {low} OR {x} >= {end})",
            "<": f"({x} < {low})",
            "<=": f"({x} < {end})",
            ">": f"({x} >= {end})",
            ">=": f"({x} >= {low})",
        }[operator]
