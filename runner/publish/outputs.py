"""Outputs of cells: pictures, tables, printed text, exceptions; all of it untrusted."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from markupsafe import Markup

from runner.publish import raw
from runner.publish.ansi import ansi_to_html, strip_ansi
from runner.publish.cells import (
    ErrorOutput,
    FigureOutput,
    HtmlOutput,
    Output,
    SkipOutput,
    TextOutput,
)
from runner.publish.images import IMAGE_TYPES, UnusableImage
from runner.publish.mathml import to_mathml
from runner.publish.raw import joined
from runner.publish.sanitise import Document, clean_output
from runner.publish.words import markdown_to_html

MAX_TEXT_LINES = 120
MAX_TEXT_CHARS = 16_000
SKIPPED = "ReportSkipped"  # what `ishtar.report.skip` raises


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
    for output in [*raw.outputs(cell), {}]:
        name = str(output.get("name", "")) if output.get("output_type") == "stream" else ""
        if pending and name != stream:
            if "".join(pending).strip():
                yield _text("".join(pending), stream=stream)
            pending = []
        stream = name
        if name:
            pending.append(joined(output.get("text")))
        elif output.get("output_type") == "error":
            yield _exception(output)
        elif output.get("output_type") in {"display_data", "execute_result"}:
            shown = _bundle(output, cell, context, document)
            if shown is not None:
                yield shown


def _exception(output: Mapping[str, Any]) -> Output:
    name, message = strip_ansi(str(output.get("ename", ""))), strip_ansi(str(output.get("evalue")))
    if name == SKIPPED:
        return SkipOutput(reason=message)
    lines = output.get("traceback")
    text = "\n".join(x for x in lines if isinstance(x, str)) if isinstance(lines, list) else ""
    head, tail, _ = _cut(text)
    return ErrorOutput(
        name=name,
        message=message[:2000],
        traceback=ansi_to_html(head) + (Markup("\n…\n") + ansi_to_html(tail) if tail else ""),
    )


def _text(text: str, stream: str = "") -> TextOutput:
    # a progress bar rewrites its line: what a terminal would show in the end
    text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in text.split("\n"))
    head, tail, note = _cut(text)
    return TextOutput(html=ansi_to_html(head), tail=ansi_to_html(tail), note=note, stream=stream)


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


def _bundle(
    output: Mapping[str, Any], cell: Mapping[str, Any], context: str, document: Document
) -> Output | None:
    data = output.get("data")
    data = data if isinstance(data, dict) else {}
    if any(str(kind).startswith("application/scrapbook.") for kind in data):
        return None  # a glued value: the page shows it among its results
    trouble = ""
    for kind in IMAGE_TYPES:
        if kind in data:
            try:
                return _figure(kind, output, cell, context, document)
            except UnusableImage as error:
                trouble = f"A picture of this cell is not shown: {error}."
    plain = joined(data.get("text/plain"))
    html = joined(data.get("text/html"))
    if html and not (plain and _needs_scripts(html)):
        clean, note = clean_output(html, document)
        return HtmlOutput(html=clean, note=note)
    if "text/markdown" in data:
        clean, note = _markdown_output(joined(data["text/markdown"]), document)
        return HtmlOutput(html=clean, note=note)
    if "text/latex" in data:
        return HtmlOutput(html=_latex(joined(data["text/latex"])))
    if trouble:
        return TextOutput(html=Markup(), note=trouble)
    if plain:
        return _text(plain)
    kinds = ", ".join(sorted(str(kind) for kind in data))
    if kinds and "application/javascript" not in data:
        return TextOutput(html=Markup(), note=f"Not shown on a page: {kinds[:200]}.")
    return None


def _markdown_output(text: str, document: Document) -> tuple[Markup, str]:
    """Markdown that a cell displayed: no headings of the report, no anchors."""
    within = Document(gallery=document.gallery, title="-", ids=document.ids)
    return markdown_to_html(text, within, {})


def _needs_scripts(html: str) -> bool:
    """Whether an output is made for a browser with scripts and styles; its plain text says more."""
    if "xr-text-repr-fallback" in html or "xr-wrap" in html:
        return True
    return "<table" not in html and bool(
        re.search(r"<(?:script|style|svg|input|iframe|form|button|canvas|video|audio)\b", html)
    )


def _latex(text: str) -> Markup:
    body = text.strip()
    for left, right in (("$$", "$$"), (r"\[", r"\]"), ("$", "$"), (r"\(", r"\)")):
        if body.startswith(left) and body.endswith(right) and len(body) > len(left):
            body = body[len(left) : -len(right)]
            break
    body = body.strip().removeprefix(r"\displaystyle")
    return to_mathml(body, display=True)


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
    return FigureOutput(picture=picture, caption=caption, alt=alt or caption or place)
