"""A condition as Python's grammar takes it: what is no Python becomes names that stand for it.

Numbers, texts, dates and names turn into ``_0``, ``_1`` …; so do comparisons with a value as
people write it (``gas = Ar``, ``comment ~ arc``), which are whole conditions. ``1200..1250``
becomes ``_0 | _1``, and a list after ``in`` has square brackets. Nothing that a person typed is
left but operators and keywords, in the only order in which they mean something.
"""

from __future__ import annotations

import math
import re
from typing import NoReturn

from ishtar.errors import did_you_mean, nearest
from ishtar.query.query_tree import Literal, Loose, Name, Node, QueryError, Value, as_moment

MOST_TOKENS = 800  # SQLite gives up at expressions 1000 deep
DEEPEST = 16  # … and at some thirty nested brackets

KEYWORDS = ("and", "or", "not", "in", "is", "None", "True", "False")
COMPARISONS = ("==", "!=", "<", "<=", ">", ">=")
INFIX = (*COMPARISONS, "and", "or", "in", "is", "+", "-", "*", "/", "..")
BEFORE_CONDITIONS = ("", "(", "and", "or", "not")
SAME = {"≥": ">=", "≤": "<=", "≠": "!=", "−": "-"}
EMITTED = {"..": "|"}
INSTEAD = {
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
    """One condition in pieces: ``source`` for Python's grammar, and what its names stand for."""

    def __init__(self, text: str, at: int, end: int, most: int) -> None:
        self.text, self.at, self.end, self.most = text, at, end, most
        self.place = (at, end)
        self.source = ""
        self.nodes: list[Node] = []
        self.starts: dict[int, int] = {}  # by column of the source, where it is in the text
        self.ends: dict[int, int] = {}
        self.count = 0
        self._last = ""  # the piece before; a name of ours is "_"
        self._before = ""  # … and the one before the operand that came last
        self._grows = False  # another word may belong to the name before: electron temperature
        self._brackets: list[tuple[str, str, int]] = []  # how each ends here, in the source; depth
        self._depth = 0
        while self.at < end:
            self._step()
        if self._wants:
            self._unexpected(end, "")
        if self._brackets:
            self._wrong(f"expected {self._brackets[-1][0]}", end, 0)

    @property
    def _wants(self) -> bool:
        """Whether a value has to come next."""
        return self._last in ("", "(", "[", ",", "not", "sign", *INFIX)

    def _step(self) -> None:
        match = TOKEN.match(self.text, self.at, self.end)
        if match is None:
            quote = self.text[self.at] in "'\"`"
            problem = "this quote is never closed" if quote else "this sign means nothing here"
            self._wrong(f"{problem}: correct it", self.at, 1)
        at, kind, word = self.at, match.lastgroup, match[0]
        self.at = match.end()
        if kind == "space":
            return
        self.count += 1
        if self.count > self.most:
            self._wrong(f"more than {MOST_TOKENS} words: split the query", at, 1)
        if kind == "name" and word in KEYWORDS and word not in ("True", "False"):
            kind = "sign"
        if kind == "sign":
            self._sign(SAME.get(word, word), at)
        elif kind == "name" and self._grows:
            name = self.nodes.pop()
            grown = self.text[name.at : self.at]
            self._stand_in(Name(name.at, len(grown), " ".join(grown.split())))
        elif not self._wants:
            self._unexpected(at, word, is_name=kind == "name")
        else:
            self._before, self._grows = self._last, kind == "name" and word not in KEYWORDS
            self._stand_in(self._operand(kind, match))

    def _operand(self, kind: str | None, match: re.Match[str]) -> Node:
        word, place = match[0], (match.start(), len(match[0]))
        if any("\ud800" <= c <= "\udfff" for c in word):
            self._wrong("this text is no Unicode: correct it", *place)
        if kind == "date":
            return as_moment(Literal(*place, word), word, self.text)
        if kind == "number":
            unit = match["unit"] or ""
            digits = word.removesuffix(unit).replace("−", "-")
            value = float(re.sub(r"\s", "", digits))
            if not math.isfinite(value):
                self._wrong("this number is too large: correct it", *place)
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

    def _stand_in(self, node: Node) -> None:
        """Put a name of ours for a node, over the one that it has grown from."""
        if self._last == "_":
            self.source = self.source[: self.source.rindex("_")]
        self.nodes.append(node)
        self._emit(f"_{len(self.nodes) - 1}", node.at, node.at + node.length)
        self._last = "_"

    # --- signs

    def _sign(self, word: str, at: int) -> None:
        grows, self._grows = self._grows, False
        if word == "None":
            negated = self._last == "!="
            if self._last not in ("==", "!="):
                self._unexpected(at, word)
            is_none = "is not None" if negated else "is None"
            self._wrong(f"nothing equals None: write {is_none}", at, len(word))
        if word in ("not", "-", "+") and self._wants:
            self._deeper(at)
            self._emit(word, at, self.at)
            self._last = "not" if word == "not" else "sign"
        elif word in "([":
            if not (word == "(" and (self._wants or grows)):
                self._unexpected(at, word)
            self._open(word, word, at)
        elif word in ")]":
            self._close(word, at)
        elif self._wants:
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
                self._wrong("expected None", self.end - len(after.lstrip()), 0)
            self.at = match.end()
            if match[1]:
                self._emit("not", at, self.at)
            self._emit("None", at, self.at)
        elif word in ("in", "not in"):
            self._last = "in"
            if match := re.compile(r"\s*([(\[])(\s*[)\]])?").match(self.text, self.at, self.end):
                if match[2]:
                    wanted = "nothing is listed: write ('Ar', 'He')"
                    self._wrong(wanted, match.start(1), 1)
                self.at = match.end()
                self._open(match[1], "[", match.start(1))

    def _open(self, word: str, emitted: str, at: int) -> None:
        before = self._depth
        self._deeper(at)
        self._brackets.append((")" if word == "(" else "]", "]" if emitted == "[" else ")", before))
        self._emit(emitted, at, self.at)

    def _close(self, word: str, at: int) -> None:
        wanted, emitted, before = self._brackets[-1] if self._brackets else ("", "", 0)
        if wanted != word or (self._wants and self._last != ","):
            self._unexpected(at, word)
        self._brackets.pop()
        self._depth = before
        self._emit(emitted, at, self.at)

    def _deeper(self, at: int) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            problem = f"more than {DEEPEST} brackets or signs inside each other"
            self._wrong(f"{problem}: simplify the query", at, 1)

    def _loose(self, operator: str, at: int) -> None:
        """Take what stands after ``=`` or ``~`` as it is written."""
        name = self.nodes[-1]
        if isinstance(name, Literal) and isinstance(name.value, str):
            name = Name(name.at, name.length, name.value)
        if self._last != "_" or self._before not in BEFORE_CONDITIONS or not isinstance(name, Name):
            instead = "==" if operator == "=" else "in"
            problem = f"before {operator} stands a name alone: write {instead} to compare"
            self._wrong(problem, at, 1)
        match = QUOTED.match(self.text, self.at, self.end)
        quoted = match is not None
        match = match or BARE.match(self.text, self.at, self.end)
        if match is None:
            self._wrong("a value with brackets stands in quotes: write them", self.at, 0)
        if not match[1].strip():
            written = self.text[name.at : self.at]
            self._wrong(f"“{written}” needs a value after it", name.at, len(written))
        if any("\ud800" <= c <= "\udfff" for c in match[1]):
            self._wrong("this text is no Unicode: correct it", match.start(1), len(match[1]))
        start = match.start(1) + len(match[1]) - len(match[1].lstrip())
        word = match[1].strip()
        value = Value(start, len(word), word[1:-1] if quoted else word, quoted)
        self.at = match.end()
        self.nodes.pop()
        self._stand_in(Loose(name.at, self.at - name.at, name, operator, value))
        self._before = "="

    # --- what is wrong

    def _wrong(self, problem: str, at: int, length: int, near: list[str] | None = None) -> NoReturn:
        raise QueryError(problem, self.text, at, length, near or ())

    def _unexpected(self, at: int, word: str, *, is_name: bool = False) -> NoReturn:
        near: list[str] = []
        if word in INSTEAD:
            wanted = INSTEAD[word]
        elif self._wants:
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
        self._wrong(wanted, at, len(word), near)
