"""Rewrite a condition to Python's grammar, with placeholders for everything else.

Numbers, texts, dates and names become ``_0``, ``_1`` …; so do comparisons with an unquoted value
(``gas = Ar``, ``comment ~ arc``), which are complete conditions. ``1200..1250`` becomes
``_0 | _1``, and a list after ``in`` gets square brackets. Of the user's text only operators and
keywords remain, in a valid order.
"""

from __future__ import annotations

import math
import re
from typing import NoReturn

from ishtar.errors import did_you_mean, nearest
from ishtar.query.query_tree import Literal, Loose, Name, Node, QueryError, Value, as_moment

MAX_TOKENS = 800  # SQLite fails for expressions 1000 deep
MAX_DEPTH = 16  # … and for some thirty nested brackets

KEYWORDS = ("and", "or", "not", "in", "is", "None", "True", "False")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
INFIX = (*COMPARISONS, "and", "or", "in", "is", "+", "-", "*", "/", "..")
BEFORE_CONDITIONS = ("", "(", "and", "or", "not")
EQUIVALENT_SIGNS = {"≥": ">=", "≤": "<=", "≠": "!=", "−": "-"}
EMITTED = {"..": "|"}
CORRECTIONS = {
    "<>": "write != for unequal",
    "!": "write not",
    "&": "write and",
    "&&": "write and",
    "|": "write or",
    "||": "write or",
    "**": "write a product",
}
DIGITS = (
    r"(?:(?:[0-9]{1,3}(?:[ \u202f][0-9]{3})+(?![0-9])|[0-9]+)(?:\.(?!\.)[0-9]*)?|\.[0-9]+)"
    r"(?:[eE][+−-]?[0-9]+)?"
)
UNIT = r"(?!(?:and|or|not|in|is)\b)(?:1/)?(?:[^\W\d_]|[°%])[^\s;,()\[\]<>=!~'\"`.]*"
WORD = r"[^\W\d](?:\w|\{\w+\})*"
TOKEN = re.compile(
    rf"""(?P<space>\s+)
    |(?P<date>[0-9]{{4}}-[0-9]{{2}}-[0-9]{{2}}
        (?:[T ][0-9]{{2}}(?::[0-9]{{2}}(?::[0-9]{{2}}(?:\.[0-9]+)?)?)?)?(?![\w-]))
    |(?P<number>{DIGITS}(?:\s*(?P<unit>{UNIT}))?)
    |(?P<text>'[^']*'|"[^"]*")
    |(?P<quoted>`[^`]+`)
    |(?P<name>{WORD}(?:\.{WORD})*)
    |(?P<sign>==|!=|<=|>=|<>|\.\.|&&|\|\||\*\*|[≥≤≠−<>()\[\],+*/=~&|!-])""",
    re.VERBOSE,
)
QUOTED = re.compile(r"\s*('[^']*'|\"[^\"]*\")(?=\s*(?:\Z|\)|(?:and|or)\b))")
BARE = re.compile(r"((?:\([^()]*\)|[^()])*?)(?=\s(?:and|or)\b|\)|\Z)")


class Scan:
    """A scanned condition: ``source`` in Python's grammar, and the ``nodes`` of its names."""

    def __init__(self, text: str, at: int, end: int, limit: int) -> None:
        self.text, self.at, self.end, self.limit = text, at, end, limit
        self.place = (at, end)
        self.source = ""
        self.nodes: list[Node] = []
        self.starts: dict[int, int] = {}  # column of the source → position in the text
        self.ends: dict[int, int] = {}
        self.count = 0
        self._last = ""  # the previous token; "_" for a placeholder
        self._before = ""  # the token before the last operand
        self._extendable = False  # another word may extend the last name: electron temperature
        self._brackets: list[tuple[str, str, int]] = []  # closing bracket: text, source; depth
        self._depth = 0
        while self.at < end:
            self._step()
        if self._expects_operand:
            self._unexpected(end, "")
        if self._brackets:
            self._fail(f"expected {self._brackets[-1][0]}", end, 0)

    @property
    def _expects_operand(self) -> bool:
        """Whether an operand must come next."""
        return self._last in ("", "(", "[", ",", "not", "sign", *INFIX)

    def _step(self) -> None:
        match = TOKEN.match(self.text, self.at, self.end)
        if match is None:
            quote = self.text[self.at] in "'\"`"
            problem = "this quote is never closed" if quote else "this sign means nothing here"
            self._fail(f"{problem}: correct it", self.at, 1)
        at, kind, word = self.at, match.lastgroup, match[0]
        self.at = match.end()
        if kind == "space":
            return
        self.count += 1
        if self.count > self.limit:
            self._fail(f"more than {MAX_TOKENS} words: split the query", at, 1)
        if kind == "name" and word in KEYWORDS and word not in ("True", "False"):
            kind = "sign"
        if kind == "sign":
            self._sign(EQUIVALENT_SIGNS.get(word, word), at)
        elif kind == "name" and self._extendable:
            name = self.nodes.pop()
            extended = self.text[name.at : self.at]
            self._add_placeholder(Name(name.at, len(extended), " ".join(extended.split())))
        elif not self._expects_operand:
            self._unexpected(at, word, is_name=kind == "name")
        else:
            self._before, self._extendable = self._last, kind == "name" and word not in KEYWORDS
            self._add_placeholder(self._operand(kind, match))

    def _operand(self, kind: str | None, match: re.Match[str]) -> Node:
        word, place = match[0], (match.start(), len(match[0]))
        if any("\ud800" <= c <= "\udfff" for c in word):
            self._fail("this text is not valid Unicode: correct it", *place)
        if kind == "date":
            return as_moment(Literal(*place, word), word, self.text)
        if kind == "number":
            unit = match["unit"] or ""
            digits = word.removesuffix(unit).replace("−", "-")
            value = float(re.sub(r"\s", "", digits))
            if not math.isfinite(value):
                self._fail("this number is too large: correct it", *place)
            return Literal(*place, value, unit)
        if kind == "text":
            return Literal(*place, word[1:-1])
        if word in ("True", "False"):
            return Literal(*place, float(word == "True"))
        return Name(*place, word.strip("`"))

    def _emit(self, piece: str, at: int, end: int) -> None:
        self._last = piece
        self.starts[len(self.source)] = at
        self.source += EMITTED.get(piece, piece)
        self.ends[len(self.source)] = end
        self.source += " "

    def _add_placeholder(self, node: Node) -> None:
        """Add a placeholder for a node, or replace the last one if the node extends it."""
        if self._last == "_":
            self.source = self.source[: self.source.rindex("_")]
        self.nodes.append(node)
        self._emit(f"_{len(self.nodes) - 1}", node.at, node.at + node.length)
        self._last = "_"

    # --- signs

    def _sign(self, word: str, at: int) -> None:
        extendable, self._extendable = self._extendable, False
        if word == "None":
            negated = self._last == "!="
            if self._last not in ("==", "!="):
                self._unexpected(at, word)
            is_none = "is not None" if negated else "is None"
            self._fail(f"nothing equals None: write {is_none}", at, len(word))
        if word in ("not", "-", "+") and self._expects_operand:
            self._descend(at)
            self._emit(word, at, self.at)
            self._last = "not" if word == "not" else "sign"
        elif word in "([":
            if not (word == "(" and (self._expects_operand or extendable)):
                self._unexpected(at, word)
            self._open(word, word, at)
        elif word in ")]":
            self._close(word, at)
        elif self._expects_operand:
            self._unexpected(at, word)
        elif word in ("=", "~"):
            self._loose(word, at)
        elif word == "not" and (
            after := re.compile(r"\s+in\b").match(self.text, self.at, self.end)
        ):
            self.at = after.end()
            self._infix("not in", at)
        elif word == "," and self._brackets and self._brackets[-1][1] == "]":
            self._emit(",", at, self.at)
        elif word in INFIX:
            self._infix(word, at)
        else:
            self._unexpected(at, word)

    def _infix(self, word: str, at: int) -> None:
        self._depth = self._brackets[-1][2] + 1 if self._brackets else 0
        self._emit(word, at, self.at)
        if word == "is":
            match = re.compile(r"(\s+not\b)?\s+None\b").match(self.text, self.at, self.end)
            if match is None:
                after = self.text[self.at : self.end]
                self._fail("expected None", self.end - len(after.lstrip()), 0)
            self.at = match.end()
            if match[1]:
                self._emit("not", at, self.at)
            self._emit("None", at, self.at)
        elif word in ("in", "not in"):
            self._last = "in"
            if match := re.compile(r"\s*([(\[])(\s*[)\]])?").match(self.text, self.at, self.end):
                if match[2]:
                    wanted = "nothing is listed: write ('Ar', 'He')"
                    self._fail(wanted, match.start(1), 1)
                self.at = match.end()
                self._open(match[1], "[", match.start(1))

    def _open(self, word: str, emitted: str, at: int) -> None:
        before = self._depth
        self._descend(at)
        self._brackets.append((")" if word == "(" else "]", "]" if emitted == "[" else ")", before))
        self._emit(emitted, at, self.at)

    def _close(self, word: str, at: int) -> None:
        wanted, emitted, before = self._brackets[-1] if self._brackets else ("", "", 0)
        if wanted != word or (self._expects_operand and self._last != ","):
            self._unexpected(at, word)
        self._brackets.pop()
        self._depth = before
        self._emit(emitted, at, self.at)

    def _descend(self, at: int) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            problem = f"more than {MAX_DEPTH} brackets or signs inside each other"
            self._fail(f"{problem}: simplify the query", at, 1)

    def _loose(self, operator: str, at: int) -> None:
        """Scan the value after ``=`` or ``~`` without interpreting it."""
        name = self.nodes[-1]
        if isinstance(name, Literal) and isinstance(name.value, str):
            name = Name(name.at, name.length, name.value)
        if self._last != "_" or self._before not in BEFORE_CONDITIONS or not isinstance(name, Name):
            instead = "==" if operator == "=" else "in"
            problem = f"before {operator} stands a name alone: write {instead} to compare"
            self._fail(problem, at, 1)
        match = QUOTED.match(self.text, self.at, self.end)
        quoted = match is not None
        match = match or BARE.match(self.text, self.at, self.end)
        if match is None:
            self._fail("a value with brackets stands in quotes: write them", self.at, 0)
        if not match[1].strip():
            written = self.text[name.at : self.at]
            self._fail(f"“{written}” needs a value after it", name.at, len(written))
        if any("\ud800" <= c <= "\udfff" for c in match[1]):
            self._fail("this text is not valid Unicode: correct it", match.start(1), len(match[1]))
        start = match.start(1) + len(match[1]) - len(match[1].lstrip())
        word = match[1].strip()
        value = Value(start, len(word), word[1:-1] if quoted else word, quoted)
        self.at = match.end()
        self.nodes.pop()
        self._add_placeholder(Loose(name.at, self.at - name.at, name, operator, value))
        self._before = "="

    # --- errors

    def _fail(self, problem: str, at: int, length: int, near: list[str] | None = None) -> NoReturn:
        raise QueryError(problem, self.text, at, length, near or ())

    def _unexpected(self, at: int, word: str, *, is_name: bool = False) -> NoReturn:
        near: list[str] = []
        if word in CORRECTIONS:
            wanted = CORRECTIONS[word]
        elif self._expects_operand:
            wanted = "expected a name, a number, a text or a bracket"
            if word in (*COMPARISONS, "=", "~") and self._last in BEFORE_CONDITIONS:
                wanted = "this names nothing to compare: write for example Te > 3"
            elif not word and self._last in COMPARISONS:
                wanted = f"“{self.text[: self.at].strip()[-20:]}” needs a value after it"
        else:
            closing = f"{self._brackets[-1][0]}, " if self._brackets else ""
            wanted = f"expected {closing}and, or, or the end"
            if is_name and (near := nearest(word, KEYWORDS)):
                wanted += did_you_mean(word, KEYWORDS)
        self._fail(wanted, at, len(word), near)
