"""Markdown of notebooks as in nbconvert, with formulas as MathML and highlighted code."""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache, lru_cache
from typing import Any, NamedTuple
from urllib.parse import quote

from markupsafe import Markup, escape

from runner.render.citations import CITE, mark
from runner.render.mathml import to_mathml
from runner.render.sanitise import ATTACHMENT, Clean, Document, clean_text, placeholder

MAX_CODE = 50_000  # characters: more was not written by hand, and a million take half a minute


def markdown_to_html(source: str, document: Document, attachments: Mapping[str, Any]) -> Clean:
    """Return the sanitised markup of a text cell; add its headings to the document."""
    parsed = _parsed(_with_addresses(source, attachments))
    return clean_text(parsed.html, document, parsed.token, parsed.formulas, attachments)


class _Parsed(NamedTuple):
    """Markup with placeholders, their secret, and their formulas."""

    html: str
    token: str
    formulas: Sequence[Markup]


def _with_addresses(source: str, attachments: Mapping[str, Any]) -> str:
    """Return the text with the names of attachments percent-encoded, as an address must be."""
    for name in attachments:
        source = source.replace(f"]({ATTACHMENT}{name})", f"]({ATTACHMENT}{quote(name)})")
    return source


@lru_cache(maxsize=512)  # for the same reason as `highlight`
def _parsed(source: str) -> _Parsed:
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    token = secrets.token_hex(8)
    renderer = _renderer_class()(token)
    html = MarkdownWithMath(renderer=renderer).render(source)
    return _Parsed(html, token, renderer.formulas)


@cache
def _renderer_class() -> Any:
    """Return nbconvert's renderer with our formulas and code; imported late, as it is heavy."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):
        def __init__(self, token: str) -> None:
            super().__init__(escape=False, exclude_anchor_links=True)
            self.token = token
            self.formulas: list[Markup] = []

        def iter_tokens(self, tokens: Iterable[dict[str, Any]], state: Any) -> Iterable[str]:
            return super().iter_tokens(self._cited(tokens), state)

        def _cited(self, tokens: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
            """Yield the tokens, with each ``{cite}`` and the code after it as one citation."""
            before: dict[str, Any] | None = None
            for token in tokens:
                if (
                    before is not None
                    and token["type"] == "codespan"
                    and before["type"] == "text"
                    and before["raw"].endswith(CITE)
                ):
                    yield before | {"raw": before["raw"].removesuffix(CITE)}
                    yield {"type": "citation", "raw": token["raw"]}
                    before = None
                    continue
                if before is not None:
                    yield before
                before = token
            if before is not None:
                yield before

        def citation(self, text: str) -> str:
            marks = [mark(key.strip()) for key in text.split(",") if key.strip()]
            self.formulas.append(Markup(", ").join(marks))
            return placeholder(self.token, len(self.formulas) - 1)

        def _formula(self, tex: str, display: bool) -> str:
            self.formulas.append(to_mathml(tex, display=display))
            return placeholder(self.token, len(self.formulas) - 1)

        def block_math(self, body: str) -> str:
            return self._formula(body, True)

        def inline_math(self, body: str) -> str:
            return self._formula(body, False)

        def latex_environment(self, name: str, body: str) -> str:
            return self._formula(f"\\begin{{{name}}}{body}\\end{{{name}}}", True)

        def block_code(self, code: str, info: str | None = None) -> str:
            language = info.split()[0] if info and info.split() else ""
            return f"<pre><code>{highlight(code, language)}</code></pre>\n"

        def image(self, text: str, url: str, title: str | None = None) -> str:
            # not by the base class, which rejects some addresses
            words = escape(Markup(text).striptags())
            return f'<img src="{escape(url)}" alt="{words}">'

    return Renderer


@lru_cache(maxsize=512)  # all reports of a template have the same cells
def highlight(code: str, language: str = "python") -> Markup:
    """Return highlighted code; plain text if the language is unknown or the code very long."""
    from pygments import highlight as pygmentize
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    if len(code) > MAX_CODE:
        return escape(code)
    try:
        lexer = get_lexer_by_name(language, stripall=False, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return escape(code)
    return Markup(pygmentize(code, lexer, HtmlFormatter(nowrap=True)))
