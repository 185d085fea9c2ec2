"""Parse the text of a query to its syntax tree.

A text consists of parts separated by ``;``, which must all be true. A part is a list of shot
numbers, words to search for, or a condition. `ishtar.query.scan` rewrites a condition to Python's
grammar; here each kind of node that a query may have becomes a node of our tree. docs/catalogue.md
describes the whole language.
"""

from __future__ import annotations

import ast
import re
from itertools import pairwise
from typing import NoReturn

from ishtar.errors import did_you_mean, nearest
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
)
from ishtar.query.scan import MAX_TOKENS, WORD, Scan

FUNCTIONS = ("abs", "lower", "missing")
MAX_LENGTH = 20_000  # characters
PART = re.compile(r"(?:'[^']*'|\"[^\"]*\"|`[^`]*`|[^;])+")
SHOT = r"(?:latest|[0-9]{1,9}(?:\s*\.\.\s*[0-9]{1,9})?)"
SHOTS = re.compile(rf"{SHOT}(?:\s*,\s*{SHOT})*")
SIGNS = re.compile(r"[=<>~≥≤≠!()\[\]'\"`&|]|\s[-+*/]\s|\.\.|\b(?:True|False|None)\b")
NAME = re.compile(rf"{WORD}(?:\.{WORD})*")
KEYWORD = re.compile(r"\b(?:and|or|not|in|is)\b")
OPERATORS = {
    ast.Eq: "==", ast.NotEq: "!=", ast.Lt: "<", ast.LtE: "<=", ast.Gt: ">", ast.GtE: ">=",
    ast.Add: "+", ast.Sub: "-", ast.Mult: "*", ast.Div: "/",
}  # fmt: skip
SUMS, PRODUCTS = (ast.Add, ast.Sub), (ast.Mult, ast.Div)


def parse(text: str) -> Condition:
    """Return the syntax tree of a query.

    Parameters
    ----------
    text : str
        The query, as in docs/catalogue.md.

    Raises
    ------
    QueryError
        The text is not a valid query; the message shows where, and what was likely meant.
    """
    if len(text) > MAX_LENGTH:
        raise QueryError(f"more than {MAX_LENGTH} characters: split the query", text, MAX_LENGTH)
    found: list[Condition] = []
    left = MAX_TOKENS
    for match in PART.finditer(text):
        if part := match[0].strip():
            at = match.start() + len(match[0]) - len(match[0].lstrip())
            condition, count = _part(text, at, at + len(part), left)
            found.append(condition)
            left -= count + 1
    if not found:
        raise QueryError("it is empty: write a condition, e.g. gas == 'Ar'", text, 0)
    return found[0] if len(found) == 1 else Joined(0, len(text), "and", tuple(found))


def _part(text: str, at: int, end: int, limit: int) -> tuple[Condition, int]:
    """Return a part of a query, and its number of words."""
    part, place = text[at:end], (at, end - at)
    words = part.split()
    if SHOTS.fullmatch(part):
        items = [_shots(text, m.start(), m.end()) for m in re.compile(SHOT).finditer(text, at, end)]
        return Among(*place, Name(*place, "shot"), tuple(items)), len(items)
    if not SIGNS.search(part):
        if len(words) > limit:
            raise QueryError(f"more than {MAX_TOKENS} words: split the query", text, at)
        found: Condition = Words(*place, tuple(words))
        if len(words) == 1 and NAME.fullmatch(part):
            found = Truth(*place, Name(*place, part), alone=True)
        if not KEYWORD.search(part):
            return found, len(words)
        try:
            return _condition(text, at, end, limit)
        except QueryError:
            return found, len(words)  # plain words with a keyword among them: strap back in
    return _condition(text, at, end, limit)


def _shots(text: str, at: int, end: int) -> Term | tuple[Term, Term]:
    ends = [
        Latest(m.start(), len(m[0]))
        if m[0] == "latest"
        else Literal(m.start(), len(m[0]), float(m[0]))
        for m in re.compile("latest|[0-9]+").finditer(text, at, end)
    ]
    return ends[0] if len(ends) == 1 else (ends[0], ends[1])


def _condition(text: str, at: int, end: int, limit: int) -> tuple[Condition, int]:
    scan = Scan(text, at, end, limit)
    return _TreeBuilder(text, scan).condition(_parsed(scan)), scan.count


def _parsed(scan: Scan) -> ast.expr:
    """Return Python's syntax tree of a scanned condition."""
    try:
        return ast.parse(scan.source.strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        at, end = scan.place
        problem = "this is not a condition: simplify it"
        raise QueryError(problem, scan.text, at, end - at) from error


def parse_item(text: str, value: Value) -> Term | tuple[Term, Term] | None:
    """Return a value as a number, a date or a range of them; None if it is a word."""
    try:
        scan = Scan(text, value.at, value.at + value.length, MAX_TOKENS)
        return _TreeBuilder(text, scan).item(_parsed(scan))
    except QueryError:
        return None


class _TreeBuilder:
    """Converts Python's syntax tree to ours, for the few kinds of nodes that a query may have."""

    def __init__(self, text: str, scan: Scan) -> None:
        self.text = text
        self.scan = scan

    def place(self, node: ast.expr) -> tuple[int, int]:
        at = self.scan.starts[node.col_offset]
        return at, self.scan.ends[node.end_col_offset or 0] - at

    def fail(self, problem: str, node: Node) -> NoReturn:
        raise QueryError(problem, self.text, node.at, node.length)

    def condition(self, given: ast.expr) -> Condition:
        node = self.node(given)
        if isinstance(node, Condition):
            return node
        if isinstance(node, Name) or (isinstance(node, Literal) and node.value in (0.0, 1.0)):
            return Truth(node.at, node.length, node)
        if isinstance(node, Literal) and isinstance(node.value, str):
            return Words(node.at, node.length, (node.value,))
        self.fail("this is a value, no condition: compare it with something", node)

    def term(self, given: ast.expr) -> Term:
        node = self.node(given)
        if isinstance(node, Term):
            return node
        self.fail("this is a condition, no value: join conditions with and, or, not", node)

    def node(self, given: ast.expr) -> Node:
        match given:
            case ast.Name(id=name):
                return self.scan.nodes[int(name[1:])]
            case ast.BoolOp(op=op, values=values):
                word = "and" if isinstance(op, ast.And) else "or"
                return Joined(*self.place(given), word, tuple(map(self.condition, values)))
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                return Not(*self.place(given), self.condition(operand))
            case ast.UnaryOp(op=op, operand=operand):
                return self.signed(op, self.term(operand), given)
            case ast.BinOp(op=ast.BitOr()):
                self.fail("a range stands after in, = or !=: correct it", Node(*self.place(given)))
            case ast.BinOp():
                return self.arithmetic(given)
            case ast.Compare():
                return self.comparison(given)
            case ast.Call(func=func, args=[argument]):
                return self.call(self.node(func), argument, given)
        self.fail("this means nothing here: correct it", Node(*self.place(given)))

    def signed(self, op: ast.unaryop, inner: Term, given: ast.expr) -> Term:
        if isinstance(op, ast.UAdd):
            return inner
        if isinstance(inner, Literal) and isinstance(inner.value, float):
            return Literal(*self.place(given), -inner.value, inner.unit)
        return Call(*self.place(given), "-", inner)

    def arithmetic(self, given: ast.BinOp) -> Term:
        """Return operations of equal precedence as one node, so that long sums are not deep."""
        rank = SUMS if isinstance(given.op, SUMS) else PRODUCTS
        place = self.place(given)
        rest: list[tuple[str, Term]] = []
        first: ast.expr = given
        while (
            isinstance(first, ast.BinOp)
            and isinstance(first.op, rank)
            and first.col_offset == given.col_offset  # otherwise it is in brackets
        ):
            rest.append((OPERATORS[type(first.op)], self.term(first.right)))
            first = first.left
        return Arithmetic(*place, self.term(first), tuple(reversed(rest)))

    def call(self, function: Node, argument: ast.expr, given: ast.expr) -> Node:
        name = function.name if isinstance(function, Name) else ""
        if name not in FUNCTIONS:
            near = did_you_mean(name, FUNCTIONS) or f"; there are {', '.join(FUNCTIONS)}"
            problem, hits = f"no function {name!r}{near}", nearest(name, FUNCTIONS)
            raise QueryError(problem, self.text, function.at, function.length, hits)
        term = self.term(argument)
        place = self.place(given)
        return Missing(*place, term) if name == "missing" else Call(*place, name, term)

    def comparison(self, given: ast.Compare) -> Condition:
        found: list[Condition] = []
        terms = pairwise([given.left, *given.comparators])
        for (left, right), op in zip(terms, given.ops, strict=True):
            at = self.place(left)[0]
            place = (at, sum(self.place(right)) - at)
            term = self.term(left)
            condition: Condition
            if isinstance(op, ast.Is | ast.IsNot):
                condition = Missing(*place, term)
            elif isinstance(op, ast.In | ast.NotIn):
                condition = self.among(place, term, right)
            elif isinstance(op, ast.NotEq) and _is_range(right):
                condition = Not(*place, Among(*place, term, (self.item(right),)))
            else:
                condition = Compare(*place, term, OPERATORS[type(op)], self.term(right))
            if isinstance(op, ast.IsNot | ast.NotIn):
                condition = Not(*place, condition)
            found.append(condition)
        return found[0] if len(found) == 1 else Joined(*self.place(given), "and", tuple(found))

    def among(self, place: tuple[int, int], term: Term, given: ast.expr) -> Condition:
        if isinstance(given, ast.List):
            return Among(*place, term, tuple(map(self.item, given.elts)))
        if _is_range(given):
            return Among(*place, term, (self.item(given),))
        return Contains(*place, term, self.term(given))

    def item(self, given: ast.expr) -> Term | tuple[Term, Term]:
        if isinstance(given, ast.BinOp) and _is_range(given):
            return self.plain(given.left), self.plain(given.right)
        return self.plain(given)

    def plain(self, given: ast.expr) -> Term:
        at, length = self.place(given)
        written = self.text[at : at + length]
        if "-" in written and MOMENT.fullmatch(written):
            return as_moment(Node(at, length), written, self.text)  # 2026-11, no difference
        node = self.node(given)
        if isinstance(node, Literal | Moment):
            return node
        self.fail("a list holds numbers, texts and dates: write ('Ar', 'He') or 1200..1250", node)


def _is_range(given: ast.expr) -> bool:
    return isinstance(given, ast.BinOp) and isinstance(given.op, ast.BitOr)
