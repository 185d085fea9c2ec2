"""From the text of a query to its tree: words by one regular expression, then recursive descent.

::

    either     = both {"or" both}
    both       = negated {"and" negated}
    negated    = "not" negated | comparison
    comparison = sum {("==" | "!=" | "<" | "<=" | ">" | ">=") sum}
                 [["not"] "in" (list | range | sum) | "is" ["not"] "None"]
    sum        = product {("+" | "-") product}
    product    = signed {("*" | "/") signed}
    signed     = ("-" | "+") signed | number | text | date | name | "True" | "False"
                 | ("abs" | "lower" | "missing") "(" sum ")" | "(" either ")"
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from ishtar.errors import did_you_mean, nearest
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

MOST_TOKENS = 800  # SQLite gives up at expressions 1000 deep
DEEPEST = 16  # … and at some thirty nested brackets

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
        elif token.kind == "name" and (near := nearest(token.text, KEYWORDS)):
            wanted += did_you_mean(token.text, KEYWORDS)
        elif token.kind == "name" and before.kind == "number":
            wanted += "; numbers are written bare, in the unit of what they are compared with"
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
            answer: Node = first
            return answer
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
