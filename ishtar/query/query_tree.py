"""The syntax tree of a query, and the error for an invalid one.

`ishtar.query.parse` builds the tree from text, `ishtar.query.sql` compiles it to SQL.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from ishtar.errors import IshtarError

MOMENT = re.compile(r"[0-9]{4}(-[0-9]{2}(-[0-9]{2}(T[0-9]{2}(:[0-9]{2}(:[0-9]{2})?)?)?)?)?")


class QueryError(IshtarError, ValueError):
    """A query is invalid: its ``text``, the position ``at``, and names that are ``near``."""

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
    """A part of a query, with its position in the text."""

    at: int = field(compare=False)
    length: int = field(compare=False)


@dataclass(frozen=True)
class Term(Node):
    """Something with a value."""


@dataclass(frozen=True)
class Literal(Term):
    """A number, optionally with a unit, or a text; ``True`` is 1."""

    value: float | str
    unit: str = ""


@dataclass(frozen=True)
class Moment(Term):
    """A date with the precision as written: ``2026-11``, ``2026-11-22T10:30``."""

    text: str


@dataclass(frozen=True)
class Latest(Term):
    """The number of the newest shot."""


@dataclass(frozen=True)
class Name(Term):
    """An attribute or scrap."""

    name: str


@dataclass(frozen=True)
class Arithmetic(Term):
    """``first``, then each ``(operator, term)`` from left to right, with equal precedence."""

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
    """A number as a truth value: ``useful``, ``True``; one ``alone`` may be a word instead."""

    term: Term
    alone: bool = field(default=False, compare=False)


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
class Value(Node):
    """The text after ``=`` or ``~``; its type depends on the name."""

    text: str
    quoted: bool


@dataclass(frozen=True)
class Loose(Condition):
    """``name = value`` or ``name ~ value``, with an unquoted value."""

    name: Name
    operator: str
    value: Value


@dataclass(frozen=True)
class Words(Condition):
    """Words that all occur in the texts of a shot."""

    words: tuple[str, ...]


@dataclass(frozen=True)
class Not(Condition):
    """``not condition``."""

    condition: Condition


@dataclass(frozen=True)
class Joined(Condition):
    """Conditions joined by ``and`` or ``or``."""

    word: str
    conditions: tuple[Condition, ...]


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


def as_moment(node: Node, written: str, text: str) -> Moment:
    """Return the text at a node as a date; raise `QueryError` if it is not one."""
    moment = written.strip().replace(" ", "T", 1)
    whole, _, _ = moment.partition(".")
    try:
        if not MOMENT.fullmatch(whole):
            raise ValueError
        datetime.fromisoformat(whole + "0000-01-01T00:00:00"[len(whole) :])
    except ValueError:
        problem = "this is no date: write it as 2026-11-22, 2026-11 or 2026-11-22T10:30"
        raise QueryError(problem, text, node.at, node.length) from None
    return Moment(node.at, node.length, moment)


def is_text(node: Term) -> bool:
    """Return whether a term is a literal text."""
    return isinstance(node, Literal) and isinstance(node.value, str)


def unit_node(node: Literal) -> Node:
    """Return the position of the unit of a number."""
    length = len(node.unit)
    return Node(node.at + node.length - length, length)
