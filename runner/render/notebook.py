"""Render an executed notebook as the body of its page.

Text is parsed as in nbconvert, formulas become MathML, pictures become files, code is highlighted
and folded, and all outputs are sanitised (`runner.render.sanitise`).
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

from markupsafe import Markup

from ishtar.store import write_atomic
from runner.render import untrusted
from runner.render.cells import (
    CodeCell,
    ErrorOutput,
    FigureOutput,
    NotebookPage,
    Output,
    TextCell,
)
from runner.render.fragment import Fragment, write_fragment
from runner.render.images import Thumbnail, Write, draw_thumbnail
from runner.render.interactive import missing_parts_note, not_shown
from runner.render.latex import latex_to_html
from runner.render.markdown import highlight, markdown_to_html
from runner.render.outputs import shown_outputs
from runner.render.parameter_table import parameter_rows
from runner.render.sanitise import FIGURES, Document, clean_output, resolve_local_links
from runner.render.theme import Theme

THUMBNAIL = "thumbnail.png"
MAX_SOURCE = 16_000  # characters of a cell that is shown as source
HIDE_CELL = frozenset({"hide", "hide-cell", "hide_cell", "remove-cell", "remove_cell"})
HIDE_CODE = frozenset({"hide-input", "hide_input", "remove-input", "remove_input"})
HIDE_OUTPUT = frozenset({"hide-output", "hide_output", "remove-output", "remove_output"})
logger = logging.getLogger(__name__)

# papermill's message about a failure, which the page replaces by its own
PAPERMILL_CELL = "papermill-error-cell-tag"
# a new version of any of these renders all bodies again
_LIBRARIES = ("math-core", "mistune", "nbconvert", "nh3", "pygments")


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """What `render_report` wrote: file names below ``figures/``, in the order of the report."""

    figures: tuple[str, ...]


def render_report(
    notebook: Path,
    folder: Path,
    *,
    theme: Path | None = None,
    thumbnail: Callable[[bytes], Thumbnail | None] = draw_thumbnail,
    write: Write = write_atomic,
) -> Rendered:
    """Write ``report.html``, ``figures/`` and ``thumbnail.png`` of an executed notebook.

    Parameters
    ----------
    notebook
        The executed notebook. If it cannot be read, the page says so.
    folder
        Folder of the report.
    theme
        A workspace's own theme, searched before the packaged one.
    thumbnail
        Draws a thumbnail; `runner.render.prefetch` has drawn it already.
    write
        Writes a file atomically; `write_plainly` is enough in a temporary folder that is synced as
        a whole.
    """
    loaded_theme = Theme.load(theme)
    document = Document()
    cells: list[TextCell | CodeCell] = []
    trouble = ""
    try:
        cells = list(_cells(untrusted.read_cells(notebook), document))
    except untrusted.UnreadableNotebook as error:
        trouble = str(error)
    page = NotebookPage(cells=cells, trouble=trouble)
    body = loaded_theme.environment.get_template("notebook/report.html").render(page=page)
    body = resolve_local_links(body, document)

    shown = tuple(document.gallery.by_digest.values())
    styles = ""
    if css := document.styles.css.encode():
        styles = f"figure-styles-{hashlib.sha256(css).hexdigest()[:10]}.css"
        document.gallery.files[styles] = css
        body = Markup('<link rel="stylesheet" href="{}">\n').format(FIGURES + styles) + Markup(body)
    document.gallery.write(folder / "figures", write)
    failed = next((c.id for c in cells if isinstance(c, CodeCell) and c.failed), "")
    fragment = Fragment(
        renderer=renderer_version(loaded_theme),
        title=document.title,
        contents=tuple(document.headings),
        figures=shown,
        alts=_alts(cells, [p.file for p in shown]),
        thumbnail=_write_thumbnail(document, folder / THUMBNAIL, thumbnail, write),
        failed_cell=failed,
        styles=styles,
        body=body,
    )
    write_fragment(folder, fragment, write)
    return Rendered(figures=tuple(p.file for p in shown))


def write_plainly(path: Path, content: bytes) -> None:
    """Write a file in a temporary folder, without atomic replacement."""
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)


def renderer_version(theme: Theme) -> str:
    """Return the identity of the renderer: its code, templates and libraries."""
    return hashlib.sha256(f"{_code_digest()}{theme.digest('notebook')}".encode()).hexdigest()[:16]


@cache
def _code_digest() -> str:
    hasher = hashlib.sha256()
    here = Path(__file__).parent
    for path in sorted(here.glob("*.py")):
        hasher.update(path.read_bytes())
    hasher.update(" ".join(f"{name} {version(name)}" for name in _LIBRARIES).encode())
    return hasher.hexdigest()


def _cells(cells: Sequence[dict[str, Any]], document: Document) -> Iterator[TextCell | CodeCell]:
    injected = next(
        (untrusted.source(c) for c in cells if "injected-parameters" in untrusted.tags(c)), ""
    )
    about = ""  # description of the next pictures in the text
    declared = any("parameters" in untrusted.tags(c) for c in cells)
    number = 0  # of the code cell, without injected cells
    for cell in cells:
        tags, kind = untrusted.tags(cell), cell.get("cell_type")
        injected_here = "injected-parameters" in tags
        number += kind == "code" and not injected_here
        if PAPERMILL_CELL in tags or (tags & HIDE_CELL and not untrusted.has_error(cell)):
            continue
        if injected_here and declared and not untrusted.has_error(cell):
            continue  # the table of the parameters cell shows both
        if kind == "code":
            anchor = f"r-cell-{number}" + "-injected" * injected_here
            yield _code_cell(cell, anchor, injected, about, document)
            continue
        text = _text_cell(cell, document)
        if kind == "markdown":
            about = _about(text.html) or (document.headings[-1].text if document.headings else "")
        if text.html.strip() or text.note:
            yield text


def _about(html: str) -> str:
    """Return the text of the last paragraph that starts with "Figure"."""
    found = re.findall(r"<p>(?:<em>|<strong>)?Figures?\b[\s\d.:]*(.*?)</p>", html, re.DOTALL)
    return " ".join(Markup(found[-1]).striptags().split())[:300] if found else ""


def _text_cell(cell: Mapping[str, Any], document: Document) -> TextCell:
    """Return a text cell; if it cannot be rendered, return its source."""
    source = untrusted.source(cell)
    try:
        if cell.get("cell_type") != "markdown":
            return _raw_cell(cell, document)
        attachments = cell.get("attachments")
        clean = markdown_to_html(
            source, document, attachments if isinstance(attachments, dict) else {}
        )
        note = " ".join(x for x in (clean.note, missing_parts_note(clean.parts)) if x)
        return TextCell(html=clean.html, note=note)
    except Exception as error:
        # From any library: one cell must not prevent the page of all others.
        logger.warning("a cell cannot be rendered", exc_info=True)
        why = f"This cell is shown as source: it cannot be rendered ({type(error).__name__})."
        return TextCell(html=_as_written(source), note=why)


def _raw_cell(cell: Mapping[str, Any], document: Document) -> TextCell:
    """Return a raw cell: HTML, markdown and LaTeX rendered, others as text."""
    metadata = cell.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    kind = str(metadata.get("raw_mimetype") or metadata.get("format") or "")
    source = untrusted.source(cell)
    if not source.strip():
        note = "" if cell.get("cell_type") == "raw" else not_shown("A cell of an unknown kind")
        return TextCell(html=Markup(), note=note)
    if kind == "text/html":
        clean = clean_output(source, document)
        note = " ".join(x for x in (clean.note, missing_parts_note(clean.parts)) if x)
        return TextCell(html=clean.html, note=note)
    if kind == "text/markdown":
        clean = markdown_to_html(source, document, {})
        return TextCell(html=clean.html, note=missing_parts_note(clean.parts))
    if kind == "text/latex":
        html, note = latex_to_html(source)
        return TextCell(html=html, note=note)
    return TextCell(html=_as_written(source))


def _as_written(source: str) -> Markup:
    cut = source if len(source) <= MAX_SOURCE else f"{source[:MAX_SOURCE]}\n…"
    return Markup('<pre tabindex="0">{}</pre>').format(cut)


def _code_cell(
    cell: Mapping[str, Any], anchor: str, injected: str, about: str, document: Document
) -> CodeCell:
    tags, source = untrusted.tags(cell), untrusted.source(cell).strip("\n")
    outputs: list[Output] = []
    if not tags & HIDE_OUTPUT or untrusted.has_error(cell):
        outputs = list(shown_outputs(cell, about, document))
    # a comment at the start of the code is its title
    comment = re.match(r"#(?!\s*%%|!)\s*(.+)", source)
    language = "ipython" if re.search(r"^\s*[%!]", source, re.M) else "python"
    shows_code = bool(source.strip()) and not tags & HIDE_CODE
    is_parameters = bool(tags & {"parameters", "injected-parameters"})
    return CodeCell(
        id=anchor,
        code=highlight(source, language) if shows_code else Markup(),
        summary=comment[1][:120] if comment else "",
        lines=source.count("\n") + 1,
        outputs=outputs,
        parameters=parameter_rows(source, injected) if is_parameters else (),
        failed=any(isinstance(o, ErrorOutput) for o in outputs),
    )


def _alts(cells: Sequence[TextCell | CodeCell], files: Sequence[str]) -> tuple[str, ...]:
    by_file = {
        o.picture.file: o.alt
        for c in cells
        if isinstance(c, CodeCell)
        for o in c.outputs
        if isinstance(o, FigureOutput)
    }
    return tuple(by_file.get(file, "") for file in files)


def _write_thumbnail(
    document: Document, path: Path, draw: Callable[[bytes], Thumbnail | None], write: Write
) -> tuple[int, int] | None:
    for picture in document.gallery.by_digest.values():
        if drawn := draw(document.gallery.files[picture.file]):
            write(path, drawn.data)
            return drawn.size
    path.unlink(missing_ok=True)
    return None
