"""LaTeX outputs: formulas are rendered, text stays, anything else is shown as source."""

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
_SIGN = re.compile(r"\\([$%&#_])")  # escaped in LaTeX
MAX_LATEX = 100_000  # characters
SOURCE = "LaTeX other than formulas is shown as source."
NOT_RENDERED = "A formula that cannot be rendered is shown as its TeX source."


def latex_to_html(source: str) -> tuple[Markup, str]:
    """Return the markup of a ``text/latex`` output, and a note on parts that are not rendered.

    Text without delimiters is one formula if it contains a command: libraries omit delimiters.
    """
    text = source.strip()[:MAX_LATEX]
    parts: list[Markup] = []
    words = ""
    end = 0
    for match in _FORMULA.finditer(text):
        between, end = text[end : match.start()], match.end()
        words += between
        parts.append(_text(between))
        parts.append(_formula(match, alone=match[0] == text))
    words += text[end:]
    if not parts and "\\begin{" not in text and _COMMAND.search(text):
        shown = to_mathml(text, display=True)
        if 'class="tex"' not in shown:
            return shown, ""
    if _COMMAND.search(words):  # a document, a table, or a command outside of formulas
        return Markup('<pre tabindex="0">{}</pre>').format(text), SOURCE
    parts.append(_text(text[end:]))
    shown = Markup("").join(parts)
    return _noted(shown if not words.strip() else Markup("<p>{}</p>").format(shown))


def _text(text: str) -> Markup:
    return escape(_SIGN.sub(r"\1", text))


def _formula(match: re.Match[str], *, alone: bool) -> Markup:
    body = next(
        match[name]
        for name in ("display", "bracket", "inline", "paren", "environment")
        if match[name] is not None
    )
    display = alone or (match["inline"] is None and match["paren"] is None)
    return to_mathml(body.strip().removeprefix(r"\displaystyle"), display=display)


def _noted(html: Markup) -> tuple[Markup, str]:
    return html, NOT_RENDERED if 'class="tex"' in html else ""
