"""LaTeX that a cell displayed: formulas are set, words stay, the rest is shown as its source."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

from runner.render.mathml import to_mathml

_FORMULA = re.compile(
    r"\$\$(?P<display>.+?)\$\$|\\\[(?P<bracket>.+?)\\\]|(?<!\\)\$(?P<inline>[^$]+?)(?<!\\)\$"
    r"|\\\((?P<paren>.+?)\\\)"
    r"|(?P<environment>\\begin\{(?P<name>equation|align|gather|multline|eqnarray|split|aligned"
    r"|cases|[bpvBV]?matrix)(?P<star>\*?)\}.+?\\end\{(?P=name)(?P=star)\})",
    re.DOTALL,
)
_COMMAND = re.compile(r"\\[a-zA-Z]+|\\\\")
_SIGN = re.compile(r"\\([$%&#_])")  # escaped, as LaTeX has a use for it
MOST = 100_000  # characters
SOURCE = "LaTeX that is no formula is shown as its source."
UNSET = "A formula that cannot be set is shown as its TeX source."


def latex_to_html(source: str) -> tuple[Markup, str]:
    """Return the markup of an output of the kind ``text/latex``, and a note on what is not set.

    A text without any delimiter is one formula if it has no words: libraries leave them out.
    """
    text = source.strip()[:MOST]
    parts: list[Markup] = []
    words = ""
    end = 0
    for match in _FORMULA.finditer(text):
        between, end = text[end : match.start()], match.end()
        words += between
        parts.append(_words(between))
        parts.append(_set(match, alone=match[0] == text))
    words += text[end:]
    if not parts and "\\begin{" not in text and _COMMAND.search(text):
        shown = to_mathml(text, display=True)
        if 'class="tex"' not in shown:
            return shown, ""
    if _COMMAND.search(words):  # a document, a table, or a command that is none of formulas
        return Markup('<pre tabindex="0">{}</pre>').format(text), SOURCE
    parts.append(_words(text[end:]))
    shown = Markup("").join(parts)
    return _noted(shown if not words.strip() else Markup("<p>{}</p>").format(shown))


def _words(text: str) -> Markup:
    return escape(_SIGN.sub(r"\1", text))


def _set(match: re.Match[str], *, alone: bool) -> Markup:
    body = next(
        match[name]
        for name in ("display", "bracket", "inline", "paren", "environment")
        if match[name] is not None
    )
    display = alone or (match["inline"] is None and match["paren"] is None)
    return to_mathml(body.strip().removeprefix(r"\displaystyle"), display=display)


def _noted(html: Markup) -> tuple[Markup, str]:
    return html, UNSET if 'class="tex"' in html else ""
