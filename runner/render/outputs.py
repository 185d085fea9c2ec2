"""Outputs of cells: pictures, tables, printed text, exceptions; all of it untrusted."""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from markupsafe import Markup, escape

from runner.render import untrusted
from runner.render.cells import (
    ErrorOutput,
    FigureOutput,
    HtmlOutput,
    Output,
    SkipOutput,
    TextOutput,
)
from runner.render.images import IMAGE_TYPES
from runner.render.interactive import (
    HOW,
    is_loader,
    lost_of_drawing,
    lost_parts,
    name_of,
    not_shown,
    says_something,
)
from runner.render.latex import latex_to_html
from runner.render.markdown import markdown_to_html
from runner.render.sanitise import Document, clean_output
from runner.render.styles import StyleSheet, read_declarations
from runner.render.svg import UnusableImage
from runner.render.untrusted import joined

MAX_TEXT_LINES = 120
MAX_TEXT_CHARS = 16_000
SKIPPED = "ReportSkipped"  # what `ishtar.report.skip` raises
SCRAP = "application/scrapbook."
_JSON = re.compile(r"application/(?:.*\+)?json")
# what a terminal does not show, but for the sequences that begin with ESC [
_CONTROL = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_]|(?!\[))|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
_SPAN = re.compile(r'<span(?: class="([\w -]+)")?(?: style="([^"]+)")?>')

logger = logging.getLogger(__name__)


def shown_outputs(cell: Mapping[str, Any], context: str, document: Document) -> Iterator[Output]:
    """Yield what a cell put out, as the page shows it.

    Parameters
    ----------
    context
        The text's own words on the figure, or the heading above: what describes a picture that has
        no caption.
    """
    pending: list[str] = []  # printed text in pieces, of one stream
    stream = ""
    for output in [*untrusted.outputs(cell), {}]:
        name = str(output.get("name", "")) if output.get("output_type") == "stream" else ""
        if pending and name != stream:
            if "".join(pending).strip():
                yield _text("".join(pending), document, stream=stream)
            pending = []
        stream = name
        if name:
            pending.append(joined(output.get("text")))
        elif output.get("output_type") == "error":
            yield _exception(output, document)
        elif output.get("output_type") in {"display_data", "execute_result"}:
            shown = _shown(output, cell, context, document)
            if shown is not None:
                yield shown
        elif output:
            yield _note(f"An output of an unknown kind is not shown here: {HOW}.")


def _exception(output: Mapping[str, Any], document: Document) -> Output:
    name, message = _plain(str(output.get("ename", ""))), _plain(str(output.get("evalue")))
    if name == SKIPPED:
        return SkipOutput(reason=message)
    lines = output.get("traceback")
    text = "\n".join(x for x in lines if isinstance(x, str)) if isinstance(lines, list) else ""
    head, tail, _ = _cut(text)
    shown, end = terminal_html(head, document.styles), terminal_html(tail, document.styles)
    return ErrorOutput(
        name=name[:200],
        message=message[:2000],
        traceback=shown + (Markup("\n…\n") + end if tail else ""),
    )


def _text(text: str, document: Document, stream: str = "", note: str = "") -> TextOutput:
    head, tail, left = _cut(_rewritten(text.replace("\r\n", "\n")))
    shown, end = terminal_html(head, document.styles), terminal_html(tail, document.styles)
    return TextOutput(html=shown, tail=end, note=_both(left, note), stream=stream)


def terminal_html(text: str, styles: StyleSheet) -> Markup:
    """Return text for a terminal as markup: escaped, its colours as classes.

    The sixteen names are classes of the theme. Other colours get classes of the report's own style
    sheet, readable on a light and on a dark page.
    """
    from nbconvert.filters.ansi import ansi2html, strip_ansi

    text = _CONTROL.sub("", text)
    try:
        html = str(ansi2html(text))
    except IndexError:  # a colour that ends before its number
        html = str(escape(strip_ansi(text)))

    def span(found: re.Match[str]) -> str:
        look = styles.class_of(read_declarations(found[2] or ""))
        return f'<span class="{" ".join(filter(None, (found[1], look)))}">'

    return Markup(_SPAN.sub(span, html).replace("\x1b", ""))


def _plain(text: str) -> str:
    """Return text for a terminal without its escape sequences."""
    from nbconvert.filters.ansi import strip_ansi

    return str(strip_ansi(_CONTROL.sub("", text))).replace("\x1b", "")


def _rewritten(text: str) -> str:
    """Return what a terminal would show in the end, where a progress bar rewrites its line."""
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _cut(text: str) -> tuple[str, str, str]:
    """Return beginning, end, and a note of how much lies between them."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= MAX_TEXT_LINES and len(text) <= MAX_TEXT_CHARS:
        return text.rstrip("\n"), "", ""
    keep = MAX_TEXT_LINES // 3
    head, tail = "\n".join(lines[: 2 * keep]), "\n".join(lines[2 * keep :][-keep:])
    head, tail = head[: MAX_TEXT_CHARS // 2], tail[-MAX_TEXT_CHARS // 4 :]
    left = len(text) - len(head) - len(tail)
    return head, tail, f"{left:,} characters more are in the notebook.".replace(",", " ")


def _shown(
    output: Mapping[str, Any], cell: Mapping[str, Any], context: str, document: Document
) -> Output | None:
    """Return what stands for an output, be it only a line."""
    try:
        return _bundle(output, cell, context, document)
    except Exception as error:
        # Of whichever library: what one output holds must not end the page of all the others.
        logger.warning("an output cannot be shown", exc_info=True)
        return _note(f"An output cannot be shown here ({type(error).__name__}): {HOW}.")


def _note(text: str) -> TextOutput:
    return TextOutput(html=Markup(), note=text)


def _bundle(
    output: Mapping[str, Any], cell: Mapping[str, Any], context: str, document: Document
) -> Output | None:
    """Return the best of the forms that an output has; None only where it has none to show."""
    data = output.get("data")
    data = data if isinstance(data, dict) else {}
    if any(kind.startswith(SCRAP) and _is_scrap(value) for kind, value in data.items()):
        return None  # a glued value: the page shows it among its results
    trouble = ""
    for kind in IMAGE_TYPES:
        if kind in data:
            try:
                return _figure(kind, output, cell, context, document)
            except UnusableImage as error:
                trouble = f"A picture of this cell is not shown: {error}."
    plain = joined(data.get("text/plain"))
    name = name_of(data)
    if html := joined(data.get("text/html")):
        return _html(html, plain, name, document)
    if "text/markdown" in data:
        # no headings of the report, no anchors
        within = Document(
            gallery=document.gallery, title="-", ids=document.ids, styles=document.styles
        )
        clean = markdown_to_html(joined(data["text/markdown"]), within, {})
        return HtmlOutput(html=clean.html, note=_both(clean.note, lost_parts(clean.parts)))
    if "text/latex" in data:
        formula, note = latex_to_html(joined(data["text/latex"]))
        return HtmlOutput(html=formula, note=note)
    return _other(data, plain, name, trouble, document)


def _other(
    data: Mapping[str, Any], plain: str, name: str, trouble: str, document: Document
) -> Output | None:
    """Return the text form of an output, and a line where that is not all of it."""
    kinds = sorted(kind for kind in data if kind != "text/plain")
    note = trouble
    if "application/javascript" in kinds:
        note = note or not_shown(name or "A script (JavaScript)")
    elif name and kinds:
        note = note or not_shown(name)
    values = [(k, data[k]) for k in kinds if _JSON.fullmatch(k)]
    # of kinds that end in json without being JSON to nbformat there is only the text
    texts = [(k, joined(data[k])) for k in kinds if k.startswith("text/") or k.endswith("json")]
    if says_something(plain):
        if kinds and not note and not (values or texts):
            note = not_shown(f"Another form of this output ({_listed(kinds)})")
        return _text(plain, document, note=note)
    if values and not name:
        shown = "\n".join(json.dumps(v, indent=2, ensure_ascii=False) for _, v in values)
        return _text(shown, document)
    if texts and any(text.strip() for _, text in texts) and not note:
        return _text("\n".join(text for _, text in texts), document)
    if kinds:
        return _note(note or not_shown(f"An output of the kind {_listed(kinds)}"))
    return _text(plain, document, note=note) if plain or note else None


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kinds)[:200]


def _is_scrap(value: object) -> bool:
    return isinstance(value, dict) and "name" in value


def _html(html: str, plain: str, name: str, document: Document) -> Output:
    """Return markup made harmless, or the text form where the markup is for scripts."""
    if "xr-text-repr-fallback" in html or "xr-wrap" in html:
        return _text(plain, document) if plain else _note(not_shown("A table that unfolds"))
    clean = clean_output(html, document)
    lost = lost_parts(clean.parts, name)
    if "control" in clean.parts and says_something(plain):
        return _text(plain, document, note=lost)
    if clean.says_something and not is_loader(clean.html.striptags()):
        return HtmlOutput(html=clean.html, note=_both(clean.note, lost))
    note = clean.note or lost
    if not note and name:
        note = not_shown(name)
    if not note and re.search(r"<(?!/|style\b)\w", html):
        note = not_shown("An output in HTML that is empty without scripts")
    note = note or "An output that only sets styles in Jupyter has nothing to show here."
    return _text(plain, document, note=note) if says_something(plain) else _note(note)


def _both(*notes: str) -> str:
    return " ".join(note for note in notes if note)


def _figure(
    kind: str,
    output: Mapping[str, Any],
    cell: Mapping[str, Any],
    context: str,
    document: Document,
) -> FigureOutput:
    metadata = output.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    of_kind = metadata.get(kind)
    of_kind = of_kind if isinstance(of_kind, dict) else {}
    of_cell = cell.get("metadata")
    of_cell = of_cell if isinstance(of_cell, dict) else {}
    picture = document.gallery.add(
        kind,
        joined(output["data"][kind]),
        width=of_kind.get("width"),
        height=of_kind.get("height"),
    )
    n = list(document.gallery.by_digest.values()).index(picture) + 1
    caption = of_kind.get("caption") or metadata.get("caption") or of_cell.get("caption") or ""
    alt = of_kind.get("alt") or metadata.get("alt") or of_cell.get("alt") or ""
    caption, alt = str(caption)[:1000], str(alt)[:1000]
    place = f"Figure {n}: {context}" if context else f"Figure {n} of the report"
    note = lost_of_drawing(picture.lost)
    return FigureOutput(picture=picture, caption=caption, alt=alt or caption or place, note=note)
