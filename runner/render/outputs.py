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
    HOW_TO_VIEW,
    drawing_note,
    has_content,
    interactive_name,
    is_loader,
    missing_parts_note,
    not_shown,
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
# control characters and sequences, except those that start with ESC [
_CONTROL = re.compile(
    r"\x1b(?:\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_]|(?!\[))|[\x00-\x08\x0b\x0c\x0e-\x1a\x1c-\x1f\x7f]"
)
_SPAN = re.compile(r'<span(?: class="([\w -]+)")?(?: style="([^"]+)")?>')

logger = logging.getLogger(__name__)


def shown_outputs(cell: Mapping[str, Any], context: str, document: Document) -> Iterator[Output]:
    """Yield the outputs of a cell for the page.

    Parameters
    ----------
    context
        Description of the figure in the text, or the heading above: the alternative text of a
        picture without a caption.
    """
    pending: list[str] = []  # pieces of printed text of one stream
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
            yield _error(output, document)
        elif output.get("output_type") in {"display_data", "execute_result"}:
            shown = _output_or_note(output, cell, context, document)
            if shown is not None:
                yield shown
        elif output:
            yield _note(f"An output of unknown type is not shown here: {HOW_TO_VIEW}.")


def _error(output: Mapping[str, Any], document: Document) -> Output:
    name, message = (
        _without_escapes(str(output.get("ename", ""))),
        _without_escapes(str(output.get("evalue"))),
    )
    if name == SKIPPED:
        return SkipOutput(reason=message)
    lines = output.get("traceback")
    text = "\n".join(x for x in lines if isinstance(x, str)) if isinstance(lines, list) else ""
    head, tail, _ = _truncated(text)
    shown, end = terminal_html(head, document.styles), terminal_html(tail, document.styles)
    return ErrorOutput(
        name=name[:200],
        message=message[:2000],
        traceback=shown + (Markup("\n…\n") + end if tail else ""),
    )


def _text(text: str, document: Document, stream: str = "", note: str = "") -> TextOutput:
    head, tail, left = _truncated(_without_overwrites(text.replace("\r\n", "\n")))
    shown, end = terminal_html(head, document.styles), terminal_html(tail, document.styles)
    return TextOutput(html=shown, tail=end, note=_joined_notes(left, note), stream=stream)


def terminal_html(text: str, styles: StyleSheet) -> Markup:
    """Return terminal text as markup: escaped, with its colours as classes.

    The sixteen named colours are classes of the theme. Others are classes in the style sheet of the
    report, legible on a light and on a dark page.
    """
    from nbconvert.filters.ansi import ansi2html, strip_ansi

    text = _CONTROL.sub("", text)
    try:
        html = str(ansi2html(text))
    except IndexError:  # an incomplete colour sequence
        html = str(escape(strip_ansi(text)))

    def span(found: re.Match[str]) -> str:
        look = styles.class_of(read_declarations(found[2] or ""))
        return f'<span class="{" ".join(filter(None, (found[1], look)))}">'

    return Markup(_SPAN.sub(span, html).replace("\x1b", ""))


def _without_escapes(text: str) -> str:
    """Return terminal text without escape sequences."""
    from nbconvert.filters.ansi import strip_ansi

    return str(strip_ansi(_CONTROL.sub("", text))).replace("\x1b", "")


def _without_overwrites(text: str) -> str:
    """Return the final text of lines that carriage returns overwrite, as progress bars do."""
    if "\r" not in text:
        return text
    return "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))


def _truncated(text: str) -> tuple[str, str, str]:
    """Return the start and end of a long text, and a note on the number of characters left out."""
    lines = text.rstrip("\n").split("\n")
    if len(lines) <= MAX_TEXT_LINES and len(text) <= MAX_TEXT_CHARS:
        return text.rstrip("\n"), "", ""
    keep = MAX_TEXT_LINES // 3
    head, tail = "\n".join(lines[: 2 * keep]), "\n".join(lines[2 * keep :][-keep:])
    head, tail = head[: MAX_TEXT_CHARS // 2], tail[-MAX_TEXT_CHARS // 4 :]
    left = len(text) - len(head) - len(tail)
    return head, tail, f"{left:,} more characters are in the notebook.".replace(",", " ")


def _output_or_note(
    output: Mapping[str, Any], cell: Mapping[str, Any], context: str, document: Document
) -> Output | None:
    """Return an output as shown, or a note in its place."""
    try:
        return _best_form(output, cell, context, document)
    except Exception as error:
        # From any library: one output must not prevent the page of all others.
        logger.warning("an output cannot be shown", exc_info=True)
        return _note(f"An output cannot be shown here ({type(error).__name__}): {HOW_TO_VIEW}.")


def _note(text: str) -> TextOutput:
    return TextOutput(html=Markup(), note=text)


def _best_form(
    output: Mapping[str, Any], cell: Mapping[str, Any], context: str, document: Document
) -> Output | None:
    """Return the best form of an output; None if it has nothing to show."""
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
    name = interactive_name(data)
    if html := joined(data.get("text/html")):
        return _html(html, plain, name, document)
    if "text/markdown" in data:
        # without headings of the report and without anchors
        within = Document(
            gallery=document.gallery, title="-", ids=document.ids, styles=document.styles
        )
        clean = markdown_to_html(joined(data["text/markdown"]), within, {})
        return HtmlOutput(
            html=clean.html, note=_joined_notes(clean.note, missing_parts_note(clean.parts))
        )
    if "text/latex" in data:
        formula, note = latex_to_html(joined(data["text/latex"]))
        return HtmlOutput(html=formula, note=note)
    return _text_form(data, plain, name, trouble, document)


def _text_form(
    data: Mapping[str, Any], plain: str, name: str, trouble: str, document: Document
) -> Output | None:
    """Return the text form of an output, with a note if that is not all of it."""
    kinds = sorted(kind for kind in data if kind != "text/plain")
    note = trouble
    if "application/javascript" in kinds:
        note = note or not_shown(name or "A script (JavaScript)")
    elif name and kinds:
        note = note or not_shown(name)
    values = [(k, data[k]) for k in kinds if _JSON.fullmatch(k)]
    # types that end in json but are not JSON to nbformat have only text
    texts = [(k, joined(data[k])) for k in kinds if k.startswith("text/") or k.endswith("json")]
    if has_content(plain):
        if kinds and not note and not (values or texts):
            note = not_shown(f"Another form of this output ({_listed(kinds)})")
        return _text(plain, document, note=note)
    if values and not name:
        shown = "\n".join(json.dumps(v, indent=2, ensure_ascii=False) for _, v in values)
        return _text(shown, document)
    if texts and any(text.strip() for _, text in texts) and not note:
        return _text("\n".join(text for _, text in texts), document)
    if kinds:
        return _note(note or not_shown(f"An output of type {_listed(kinds)}"))
    return _text(plain, document, note=note) if plain or note else None


def _listed(kinds: Sequence[str]) -> str:
    return ", ".join(kinds)[:200]


def _is_scrap(value: object) -> bool:
    return isinstance(value, dict) and "name" in value


def _html(html: str, plain: str, name: str, document: Document) -> Output:
    """Return sanitised markup, or the text form if the markup needs scripts."""
    if "xr-text-repr-fallback" in html or "xr-wrap" in html:
        return _text(plain, document) if plain else _note(not_shown("A table that unfolds"))
    clean = clean_output(html, document)
    lost = missing_parts_note(clean.parts, name)
    if "control" in clean.parts and has_content(plain):
        return _text(plain, document, note=lost)
    if clean.has_content and not is_loader(clean.html.striptags()):
        return HtmlOutput(html=clean.html, note=_joined_notes(clean.note, lost))
    note = clean.note or lost
    if not note and name:
        note = not_shown(name)
    if not note and re.search(r"<(?!/|style\b)\w", html):
        note = not_shown("An output in HTML that is empty without scripts")
    note = note or "An output that only sets styles in Jupyter has nothing to show here."
    return _text(plain, document, note=note) if has_content(plain) else _note(note)


def _joined_notes(*notes: str) -> str:
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
    note = drawing_note(picture.lost)
    return FigureOutput(picture=picture, caption=caption, alt=alt or caption or place, note=note)
