"""Shots by what is known of them: ``gas == 'Ar' and max_IC_Pinj > 500 and date >= '2026-11-01'``.

Three parts, in this order: text → tree (`parse`), tree → SQL (`compile_query`, `find`), and the
index that the SQL reads (`note_shot`, `note_report`, `reindex`), which whoever writes the
catalogue keeps.

A value that a shot has not got matches nothing, under ``not`` neither: comparisons with it are
unknown, as in SQL, and only ``missing(Te)`` or ``Te is None`` find it. A number is never compared
with a text. Dates compare up to the precision that is written: ``date <= '2026-11-22'`` takes in
that whole day.
"""

from __future__ import annotations

import json
import math
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NoReturn

from ishtar.errors import IshtarError, did_you_mean, nearest

MOST_TOKENS = 800  # SQLite gives up at expressions 1000 deep
MOST_NAMES = 40  # … and at joins of 64 tables
DEEPEST = 16  # … and at some thirty nested brackets

# --- text → tree ---------------------------------------------------------------------------------


class QueryError(IshtarError, ValueError):
    """A query that cannot be understood: its ``text``, the ``at``-th character, what is ``near``."""

    def __init__(
        self, problem: str, text: str, at: int, length: int = 1, near: Iterable[str] = ()
    ) -> None:
        self.text, self.at, self.length, self.near = text, at, max(length, 1), tuple(near)
        before, part = text[max(at - 30, 0) : at], text[at : at + length]
        after = text[at + length : at + length + 30]
        where = f"at character {at + 1}, {before}»{part}«{after}" if part else "at the end"
        super().__init__(f"query {where}: {problem}")

    def caret(self) -> str:
        """Return the query with a line of carets below it, for a terminal."""
        line = re.sub(r"\s", " ", self.text)
        return f"{line}\n{' ' * self.at}{'^' * self.length}"


@dataclass(frozen=True)
class Node:
    """A part of a query, and where it stands in the text."""

    at: int = field(compare=False)
    length: int = field(compare=False)


@dataclass(frozen=True)
class Term(Node):
    """Something with a value."""


@dataclass(frozen=True)
class Literal(Term):
    """A number or a text; ``True`` is 1."""

    value: float | str


@dataclass(frozen=True)
class Moment(Term):
    """A date as far as it is written: ``2026-11``, ``2026-11-22T10:30``."""

    text: str


@dataclass(frozen=True)
class Name(Term):
    """An attribute or scrap."""

    name: str


@dataclass(frozen=True)
class Arithmetic(Term):
    """``first`` and then ``(operator, term)``, from left to right, of one rank."""

    first: Term
    rest: tuple[tuple[str, Term], ...]


@dataclass(frozen=True)
class Call(Term):
    """``-``, ``abs`` or ``lower`` of a term."""

    function: str
    argument: Term


@dataclass(frozen=True)
class Condition(Node):
    """Something true, false or unknown."""


@dataclass(frozen=True)
class Truth(Condition):
    """A number taken as yes or no: ``useful``, ``True``."""

    term: Term


@dataclass(frozen=True)
class Compare(Condition):
    """``left operator right``."""

    left: Term
    operator: str
    right: Term


@dataclass(frozen=True)
class Among(Condition):
    """``term in (…)``; an item is a literal or the two ends of a range."""

    term: Term
    items: tuple[Term | tuple[Term, Term], ...]


@dataclass(frozen=True)
class Contains(Condition):
    """``'arc' in comment``."""

    part: Term
    whole: Term


@dataclass(frozen=True)
class Missing(Condition):
    """``missing(term)``, ``term is None``."""

    term: Term


@dataclass(frozen=True)
class Not(Condition):
    """``not condition``."""

    condition: Condition


@dataclass(frozen=True)
class Joined(Condition):
    """Conditions joined by ``and`` or ``or``."""

    word: str
    conditions: tuple[Condition, ...]


KEYWORDS = ("and", "or", "not", "in", "is", "None", "True", "False")
FUNCTIONS = ("abs", "lower", "missing")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
FLIPPED = {"<": ">", "<=": ">=", ">": "<", ">=": "<=", "==": "==", "!=": "!="}
INSTEAD = {
    "=": "write == to compare",
    "<>": "write != for unequal",
    "!": "write not",
    "&": "write and",
    "&&": "write and",
    "|": "write or",
    "||": "write or",
    "**": "write a product",
}
TOKEN = re.compile(
    r"""(?P<space>\s+)
    |(?P<date>[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9]{2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]+)?)?)?
        (?![\w-]))
    |(?P<number>(?:[0-9]+(?:\.[0-9]+)?|\.[0-9]+)(?:[eE][+-]?[0-9]+)?)
    |(?P<text>'[^']*'|"[^"]*")
    |(?P<quoted>`[^`]+`)
    |(?P<name>[^\W\d]\w*(?:\.[^\W\d]\w*)*)
    |(?P<sign>==|!=|<=|>=|<>|\.\.|&&|\|\||\*\*|[<>()\[\],+*/=&|!-])""",
    re.VERBOSE,
)
MOMENT = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}(:[0-9]{2}(:[0-9]{2})?)?)?)?)?")


@dataclass(frozen=True)
class Token:
    """A word of the query; ``kind`` is a group of `TOKEN`, ``word`` for keywords, or ``end``."""

    kind: str
    text: str
    at: int


def _tokens(text: str) -> list[Token]:
    found: list[Token] = []
    at = 0
    while at < len(text):
        match = TOKEN.match(text, at)
        if match is None:
            quote = text[at] in "'\"`"
            problem = "this quote is never closed" if quote else "this sign means nothing here"
            raise QueryError(f"{problem}: correct it", text, at)
        kind = str(match.lastgroup)
        if kind == "name" and match[0] in KEYWORDS:
            kind = "word"
        if kind != "space":
            found.append(Token(kind, match[0], at))
        at = match.end()
        if len(found) > MOST_TOKENS:
            raise QueryError(f"more than {MOST_TOKENS} words: split the query", text, at - 1)
    return [*found, Token("end", "", len(text))]


def parse(text: str) -> Condition:
    """Return the tree of a query.

    Raises
    ------
    QueryError
        It is no query; the message shows where and what was likely meant.
    """
    return _Parser(text).parse()


def names_in(node: Node) -> list[Name]:
    """Return the names in a tree, in order."""
    if isinstance(node, Name):
        return [node]
    return [n for part in _parts(list(vars(node).values())) for n in names_in(part)]


def _parts(value: Any) -> Iterator[Node]:
    if isinstance(value, Node):
        yield value
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _parts(item)


class _Parser:
    """Recursive descent, one method for each rank of binding."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = _tokens(text)
        self.i = 0
        self.depth = 0

    def parse(self) -> Condition:
        if self.now.kind == "end":
            raise QueryError("it is empty: write a condition, e.g. gas == 'Ar'", self.text, 0)
        found = self.condition(self.either())
        return found if self.now.kind == "end" else self.unexpected("expected and, or, or the end")

    # --- tokens

    @property
    def now(self) -> Token:
        return self.tokens[self.i]

    def take(self, *texts: str) -> Token | None:
        """Step over a sign or keyword where it comes next."""
        token = self.now
        if token.kind in ("word", "sign") and token.text in texts:
            self.i += 1
            return token
        return None

    def need(self, text: str) -> None:
        if not self.take(text):
            self.unexpected(f"expected {text}")

    def unexpected(self, wanted: str) -> NoReturn:
        token, before = self.now, self.tokens[max(self.i - 1, 0)]
        near: list[str] = []
        if token.text in INSTEAD:
            wanted = INSTEAD[token.text]
        elif token.kind == "name" and before.kind == "number":
            wanted += "; numbers are written bare, in the unit of what they are compared with"
        elif token.kind == "name":
            near = nearest(token.text, KEYWORDS)
            wanted += did_you_mean(token.text, KEYWORDS)
        raise QueryError(wanted, self.text, token.at, len(token.text), near)

    def wrong(self, problem: str, node: Node) -> NoReturn:
        raise QueryError(problem, self.text, node.at, node.length)

    def span(self, at: int) -> tuple[int, int]:
        """Return the place of a node that began at ``at`` and ends with the last token taken."""
        last = self.tokens[self.i - 1]
        return at, last.at + len(last.text) - at

    def deeper(self) -> None:
        self.depth += 1
        if self.depth > DEEPEST:
            raise QueryError(
                f"more than {DEEPEST} brackets or signs inside each other: simplify the query",
                self.text,
                self.now.at,
            )

    # --- conditions

    def condition(self, node: Node) -> Condition:
        if isinstance(node, Condition):
            return node
        if isinstance(node, Name) or (isinstance(node, Literal) and node.value in (0.0, 1.0)):
            return Truth(node.at, node.length, node)
        self.wrong("this is a value, no condition: compare it with something", node)

    def term(self, node: Node) -> Term:
        if isinstance(node, Term):
            return node
        self.wrong("this is a condition, no value: join conditions with and, or, not", node)

    def either(self) -> Node:
        return self.joined("or", self.both)

    def both(self) -> Node:
        return self.joined("and", self.negated)

    def joined(self, word: str, part: Any) -> Node:
        at, first = self.now.at, part()
        found = [first]
        while self.take(word):
            found.append(part())
        if len(found) == 1:
            return first
        return Joined(*self.span(at), word, tuple(self.condition(node) for node in found))

    def negated(self) -> Node:
        token = self.take("not")
        if token is None:
            return self.comparison()
        self.deeper()
        inner = self.condition(self.negated())
        self.depth -= 1
        return Not(*self.span(token.at), inner)

    def comparison(self) -> Node:
        at, left = self.now.at, self.sum()
        found: list[Condition] = []
        while True:
            if token := self.take(*COMPARISONS):
                value = self.term(left)
                if self.now.text == "None":
                    word = "is None" if token.text == "==" else "is not None"
                    self.unexpected(f"nothing equals None: write {word}")
                left = self.sum()
                found.append(Compare(*self.span(at), value, token.text, self.term(left)))
            elif self.take("is"):
                negated = self.take("not") is not None
                self.need("None")
                found.append(self.maybe_not(negated, Missing(*self.span(at), self.term(left))))
                break
            elif self.take("in"):
                found.append(self.among(at, self.term(left)))
                break
            elif self.now.text == "not" and self.tokens[self.i + 1].text == "in":
                self.i += 2
                found.append(self.maybe_not(True, self.among(at, self.term(left))))
                break
            else:
                break
        if not found:
            return left
        return found[0] if len(found) == 1 else Joined(*self.span(at), "and", tuple(found))

    def maybe_not(self, negated: bool, inner: Condition) -> Condition:
        return Not(inner.at, inner.length, inner) if negated else inner

    def among(self, at: int, term: Term) -> Condition:
        bracket = self.take("(", "[")
        if bracket is None:
            first = self.sum()
            if self.now.text != "..":
                return Contains(*self.span(at), term, self.term(first))
            return Among(*self.span(at), term, (self.range(first),))
        close = ")" if bracket.text == "(" else "]"
        items: list[Term | tuple[Term, Term]] = []
        while not self.take(close):
            if items:
                self.need(",")
                if self.take(close):
                    break
            item = self.sum()
            items.append(self.range(item) if self.now.text == ".." else self.plain(item))
        if not items:
            raise QueryError("nothing is listed: write ('Ar', 'He')", self.text, bracket.at)
        return Among(*self.span(at), term, tuple(items))

    def range(self, first: Node) -> tuple[Term, Term]:
        self.need("..")
        return self.plain(first), self.plain(self.sum())

    def plain(self, node: Node) -> Term:
        if isinstance(node, Literal | Moment):
            return node
        self.wrong("a list holds numbers, texts and dates: write ('Ar', 'He') or 1200..1250", node)

    # --- terms

    def sum(self) -> Node:
        return self.arithmetic("+-", lambda: self.arithmetic("*/", self.signed))

    def arithmetic(self, signs: str, part: Any) -> Node:
        at, first = self.now.at, part()
        rest: list[tuple[str, Term]] = []
        while token := self.take(*signs):
            rest.append((token.text, self.term(part())))
        return Arithmetic(*self.span(at), self.term(first), tuple(rest)) if rest else first

    def signed(self) -> Node:
        token = self.take("-", "+")
        if token is None:
            return self.primary()
        self.deeper()
        inner = self.term(self.signed())
        self.depth -= 1
        if token.text == "+":
            return inner
        if isinstance(inner, Literal) and isinstance(inner.value, float):
            return Literal(*self.span(token.at), -inner.value)
        return Call(*self.span(token.at), "-", inner)

    def primary(self) -> Node:
        token = self.now
        place = (token.at, len(token.text))
        if token.kind in ("number", "text", "date", "name", "quoted"):
            self.i += 1
        if token.kind == "number":
            if not math.isfinite(float(token.text)):
                raise QueryError("this number is too large: correct it", self.text, *place)
            return Literal(*place, float(token.text))
        if token.kind == "text":
            if any("\ud800" <= c <= "\udfff" for c in token.text):
                raise QueryError("this text is no Unicode: correct it", self.text, *place)
            return Literal(*place, token.text[1:-1])
        if token.kind == "date":
            return as_moment(Literal(*place, token.text), self.text)
        if token.kind == "quoted":
            return Name(*place, token.text[1:-1])
        if token.kind == "name":
            return self.call(token) if self.now.text == "(" else Name(*place, token.text)
        if word := self.take("True", "False"):
            return Literal(*place, float(word.text == "True"))
        if self.take("("):
            self.deeper()
            inner = self.either()
            self.need(")")
            self.depth -= 1
            return inner
        self.unexpected("expected a name, a number, a text or a bracket")

    def call(self, token: Token) -> Node:
        if token.text not in FUNCTIONS:
            near = did_you_mean(token.text, FUNCTIONS) or f"; there are {', '.join(FUNCTIONS)}"
            raise QueryError(
                f"no function {token.text!r}{near}",
                self.text,
                token.at,
                len(token.text),
                nearest(token.text, FUNCTIONS),
            )
        self.need("(")
        self.deeper()
        argument = self.term(self.sum())
        self.need(")")
        self.depth -= 1
        place = self.span(token.at)
        return (
            Missing(*place, argument)
            if token.text == "missing"
            else Call(*place, token.text, argument)
        )


def as_moment(literal: Literal, text: str) -> Moment:
    """Return a text as a date."""
    moment = str(literal.value).strip().replace(" ", "T", 1)
    whole, _, _ = moment.partition(".")
    try:
        if not MOMENT.fullmatch(whole):
            raise ValueError
        datetime.fromisoformat(whole + "0000-01-01T00:00:00"[len(whole) :])
    except ValueError:
        problem = "this is no date: write '2026-11-22', '2026-11' or '2026-11-22T10:30'"
        raise QueryError(problem, text, literal.at, literal.length) from None
    return Moment(literal.at, literal.length, moment)


# --- tree → SQL ----------------------------------------------------------------------------------

SHIFT = 32  # known.key = names.id << SHIFT | shot; a shot's own row has the name 0
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
    # one long text is fetched several times faster than as many rows
    return sorted(map(int, found.split(","))) if found else []


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
        known = [*self.sources, *KEYWORDS]
        if base != node.name:
            known = [f"{name}.sigma" for name in self.sources]
        hint = did_you_mean(node.name, known) or "; `ishtar shots --names` lists those there are"
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


# --- the index -----------------------------------------------------------------------------------

MIGRATION = """
    CREATE TABLE names (
        id INTEGER PRIMARY KEY, template TEXT NOT NULL, name TEXT NOT NULL,
        UNIQUE (template, name));
    INSERT INTO names VALUES (0, '', 'shot');
    CREATE TABLE known (key INTEGER PRIMARY KEY, number REAL, text TEXT, sigma REAL)
"""
# known: one row for each value that a shot has, key = names.id << 32 | shot. A value that is
# missing has no row; one that is neither number nor text (a list) has a row of NULLs.


def note_shot(db: sqlite3.Connection, shot: int, attributes: Mapping[str, Any]) -> None:
    """Index the attributes of a shot over those that were; inside the caller's transaction."""
    date = attributes.get("date")
    values = dict(attributes)
    if date:
        values |= {"date": str(date).replace(" ", "T", 1), "day": str(date)[:10]}
    values["shot"] = shot
    _put(db, shot, "", [(name, value, None) for name, value in values.items()])


def note_report(db: sqlite3.Connection, subject: str, template: str) -> None:
    """Index the scraps of a shot's current report over those that were.

    To be called inside the transaction that changes a report of ``subject`` and ``template``,
    once it is known which one is current. Subjects that are no shot are left alone.
    """
    if not (subject.isascii() and subject.isdigit()):
        return
    rows = db.execute(
        "SELECT s.name, s.value, s.sigma FROM reports r JOIN scraps s ON s.folder = r.folder "
        "WHERE r.subject = ? AND r.template = ? AND r.current AND r.scope = 'shot'",
        (subject, template),
    ).fetchall()
    _put(db, int(subject), template, [(n, json.loads(v), s) for n, v, s in rows])


def reindex(db: sqlite3.Connection) -> None:
    """Index everything in the catalogue anew; inside the caller's transaction."""
    db.execute("DELETE FROM known")
    db.execute("DELETE FROM names WHERE id > 0")
    for shot, attributes in db.execute("SELECT shot, attributes FROM shots").fetchall():
        note_shot(db, shot, json.loads(attributes))
    query = "SELECT subject, template FROM reports WHERE current AND scope = 'shot'"
    for subject, template in db.execute(query).fetchall():
        note_report(db, subject, template)


def _put(
    db: sqlite3.Connection, shot: int, template: str, rows: Sequence[tuple[str, Any, float | None]]
) -> None:
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
        return math.copysign(math.inf, value), None
