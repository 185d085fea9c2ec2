"""From an executed notebook to the body of its page.

Text is parsed as nbconvert does, formulas become MathML, pictures become files, code is highlighted
and folded, and everything that the notebook printed is made harmless (`runner.publish.sanitise`).
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from markupsafe import Markup, escape

from runner.publish.ansi import ansi_to_html, strip_ansi
from runner.publish.cells import (
    CodeCell,
    ErrorOutput,
    FigureOutput,
    HtmlOutput,
    NotebookPage,
    Output,
    SkipOutput,
    TextCell,
    TextOutput,
)
from runner.publish.fragment import Fragment, write_fragment
from runner.publish.images import UnusableImage, write_thumbnail
from runner.publish.mathml import to_mathml
from runner.publish.parameters import parameter_rows
from runner.publish.sanitise import (
    Document,
    clean_output,
    clean_text,
    placeholder,
    resolve_local_links,
)
from runner.publish.theme import Theme

if TYPE_CHECKING:
    pass

THUMBNAIL = "thumbnail.png"
MAX_NOTEBOOK_BYTES = 128_000_000
MAX_TEXT_LINES = 120
MAX_TEXT_CHARS = 16_000
HIDE_CELL = frozenset({"hide", "hide-cell", "hide_cell", "remove-cell", "remove_cell"})
HIDE_CODE = frozenset({"hide-input", "hide_input", "remove-input", "remove_input"})
HIDE_OUTPUT = frozenset({"hide-output", "hide_output", "remove-output", "remove_output"})
SKIPPED = "ReportSkipped"  # what `ishtar.report.skip` raises
# papermill's own words about a failure: the page says it in its own
PAPERMILL_CELL = "papermill-error-cell-tag"
_LIBRARIES = ("math-core", "mistune", "nbconvert", "nh3", "pygments")
_IMAGES = ("image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif")


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """What `render_report` wrote: file names below ``figures/``, in the order of the report."""

    figures: tuple[str, ...]


def render_report(notebook: Path, folder: Path, *, theme: Path | None = None) -> Rendered:
    """Write ``report.html``, ``figures/`` and ``thumbnail.png`` of an executed notebook.

    Parameters
    ----------
    notebook
        The executed notebook. One that cannot be read gives a page that says so.
    folder
        Folder of the report.
    theme
        A workspace's own theme, searched before the packaged one.
    """
    looks = Theme.load(theme)
    document = Document()
    cells: list[TextCell | CodeCell] = []
    trouble = ""
    try:
        cells = list(_cells(_read(notebook), document))
    except UnreadableNotebook as error:
        trouble = str(error)
    page = NotebookPage(cells=cells, trouble=trouble)
    body = looks.environment.get_template("notebook/report.html").render(page=page)
    body = resolve_local_links(body, document)

    shown = tuple(document.gallery.by_digest.values())
    document.gallery.write(folder / "figures")
    failed = next((c.id for c in cells if isinstance(c, CodeCell) and c.failed), "")
    fragment = Fragment(
        renderer=renderer_version(looks),
        title=document.title,
        contents=tuple(document.headings),
        figures=shown,
        alts=_alts(cells, [p.file for p in shown]),
        thumbnail=_write_thumbnail(document, folder / THUMBNAIL),
        failed_cell=failed,
        body=body,
    )
    write_fragment(folder, fragment)
    return Rendered(figures=tuple(p.file for p in shown))


def renderer_version(theme: Theme) -> str:
    """Return what identifies the renderer: its code, its templates and the libraries it uses."""
    return hashlib.sha256(f"{_code_digest()}{theme.digest('notebook')}".encode()).hexdigest()[:16]


@cache
def _code_digest() -> str:
    hasher = hashlib.sha256()
    here = Path(__file__).parent
    for name in ("ansi", "cells", "fragment", "images", "mathml", "notebook", "parameters"):
        hasher.update((here / f"{name}.py").read_bytes())
    hasher.update((here / "sanitise.py").read_bytes())
    hasher.update(" ".join(f"{name} {version(name)}" for name in _LIBRARIES).encode())
    return hasher.hexdigest()


class UnreadableNotebook(ValueError):
    """A file that is no notebook."""


def _read(path: Path) -> list[dict[str, Any]]:
    try:
        size = path.stat().st_size
        if size > MAX_NOTEBOOK_BYTES:
            raise UnreadableNotebook(
                f"The notebook of {size / 1e6:.0f} MB is too large for a page; download it instead."
            )
        cells = json.loads(path.read_bytes()).get("cells")
    except OSError as error:
        raise UnreadableNotebook(f"The notebook cannot be read ({error.strerror}).") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise UnreadableNotebook("The file is damaged: it is no notebook.") from error
    if not isinstance(cells, list):
        raise UnreadableNotebook("The file is no notebook of format 4.")
    return [c for c in cells if isinstance(c, dict)]


def _cells(cells: Sequence[dict[str, Any]], document: Document) -> Iterator[TextCell | CodeCell]:
    injected = next((_source(c) for c in cells if "injected-parameters" in _tags(c)), "")
    declared = any("parameters" in _tags(c) for c in cells)
    context = ""  # the heading or words above, from which a picture gets its description
    for index, cell in enumerate(cells):
        tags = _tags(cell)
        if PAPERMILL_CELL in tags or (tags & HIDE_CELL and not _error(cell)):
            continue
        if "injected-parameters" in tags and declared:
            continue
        if cell.get("cell_type") == "markdown":
            text = _markdown_cell(cell, document)
            context = _context(document, _source(cell)) or context
            if text.html.strip() or text.note:
                yield text
        elif cell.get("cell_type") == "code":
            yield _code_cell(cell, tags, index, injected, context, document)


def _source(cell: Mapping[str, Any]) -> str:
    return _joined(cell.get("source"))


def _joined(text: object) -> str:
    if isinstance(text, list):
        return "".join(t for t in text if isinstance(t, str))
    return text if isinstance(text, str) else ""


def _tags(cell: Mapping[str, Any]) -> set[str]:
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return {t for t in tags if isinstance(t, str)} if isinstance(tags, list) else set()


def _outputs(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    outputs = cell.get("outputs")
    return [o for o in outputs if isinstance(o, dict)] if isinstance(outputs, list) else []


def _error(cell: Mapping[str, Any]) -> bool:
    return any(o.get("output_type") == "error" for o in _outputs(cell))


# words ---------------------------------------------------------------------------------------


def _markdown_cell(cell: Mapping[str, Any], document: Document) -> TextCell:
    attachments = cell.get("attachments")
    html, note = _markdown(
        _source(cell), document, attachments if isinstance(attachments, dict) else {}
    )
    return TextCell(html=html, note=note)


def _markdown(
    source: str, document: Document, attachments: Mapping[str, Any]
) -> tuple[Markup, str]:
    from nbconvert.filters.markdown_mistune import MarkdownWithMath

    token = secrets.token_hex(8)
    renderer = _renderer_class()(attachments, token)
    html = MarkdownWithMath(renderer=renderer).render(source)
    return clean_text(html, document, token, renderer.formulas)


@cache
def _renderer_class() -> Any:
    """Return nbconvert's renderer with our formulas and code; late, as it is a heavy import."""
    from nbconvert.filters.markdown_mistune import IPythonRenderer

    class Renderer(IPythonRenderer):
        def __init__(self, attachments: Mapping[str, Any], token: str) -> None:
            super().__init__(escape=False, exclude_anchor_links=True)
            self.of_cell, self.token = attachments, token
            self.formulas: list[Markup] = []

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
            bundle = self.of_cell.get(url.removeprefix("attachment:"))
            if url.startswith("attachment:") and isinstance(bundle, dict):
                kind = next((k for k in _IMAGES if k in bundle), "")
                data = _joined(bundle.get(kind))
                if kind == "image/svg+xml":
                    import base64

                    data = base64.b64encode(data.encode()).decode()
                url = f"data:{kind};base64,{''.join(data.split())}"
            # by hand, as the base class refuses addresses of its own choice
            words = escape(Markup(text).striptags())
            return f'<img src="{escape(url)}" alt="{words}">'

    return Renderer


def highlight(code: str, language: str = "python") -> Markup:
    """Return code with pygments' short classes; in an unknown language as plain text."""
    from pygments import highlight as pygmentize
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import get_lexer_by_name
    from pygments.util import ClassNotFound

    try:
        lexer = get_lexer_by_name(language, stripall=False, stripnl=False, ensurenl=False)
    except ClassNotFound:
        return escape(code)
    return Markup(pygmentize(code, lexer, HtmlFormatter(nowrap=True)))


def _context(document: Document, source: str) -> str:
    """Return words that describe what follows: the last heading of a text cell, or its end."""
    lines = [line.strip() for line in source.splitlines() if line.strip()]
    headings = [line.lstrip("# ") for line in lines if re.match(r"#{1,6}\s", line)]
    return re.sub(r"[*_`$\\]", "", headings[-1])[:120] if headings else ""


# code ----------------------------------------------------------------------------------------


def _code_cell(
    cell: Mapping[str, Any],
    tags: set[str],
    index: int,
    injected: str,
    context: str,
    document: Document,
) -> CodeCell:
    source = _source(cell).strip("\n")
    is_parameters = bool(tags & {"parameters", "injected-parameters"})
    outputs: list[Output] = []
    if not tags & HIDE_OUTPUT or _error(cell):
        outputs = list(_shown_outputs(cell, context, document))
    first = source.split("\n", 1)[0]
    comment = first.lstrip("#! ").strip() if first.startswith("#") and first[1:2] != "%" else ""
    shows_code = source.strip() and not tags & HIDE_CODE
    return CodeCell(
        id=f"r-cell-{index + 1}",
        code=highlight(source, "ipython" if re.search(r"^\s*[%!]", source, re.M) else "python")
        if shows_code
        else Markup(),
        summary=comment[:120],
        lines=source.count("\n") + 1,
        outputs=outputs,
        parameters=parameter_rows(source, injected) if is_parameters else (),
        failed=any(isinstance(o, ErrorOutput) for o in outputs),
    )


def _shown_outputs(cell: Mapping[str, Any], context: str, document: Document) -> Iterator[Output]:
    pending: list[str] = []  # printed text in pieces, of one stream
    stream = ""
    for output in [*_outputs(cell), {}]:
        name = str(output.get("name", "")) if output.get("output_type") == "stream" else ""
        if pending and name != stream:
            if "".join(pending).strip():
                yield _text("".join(pending), stream=stream)
            pending = []
        stream = name
        if name:
            pending.append(_joined(output.get("text")))
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
    text = re.sub(r"[^\n]*\r(?!\n)(?=[^\n])", "", text.replace("\r\n", "\n"))
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
    for kind in _IMAGES:
        if kind in data:
            try:
                return _figure(kind, output, cell, context, document)
            except UnusableImage as error:
                trouble = f"A picture of this cell is not shown: {error}."
    plain = _joined(data.get("text/plain"))
    html = _joined(data.get("text/html"))
    if html and not (plain and _needs_scripts(html)):
        clean, note = clean_output(html, document)
        return HtmlOutput(html=clean, note=note)
    if "text/markdown" in data:
        clean, note = _markdown_output(_joined(data["text/markdown"]), document)
        return HtmlOutput(html=clean, note=note)
    if "text/latex" in data:
        return HtmlOutput(html=_latex(_joined(data["text/latex"])))
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
    return _markdown(text, within, {})


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
        _joined(output["data"][kind]),
        width=of_kind.get("width"),
        height=of_kind.get("height"),
    )
    n = list(document.gallery.by_digest.values()).index(picture) + 1
    caption = of_kind.get("caption") or metadata.get("caption") or of_cell.get("caption") or ""
    alt = of_kind.get("alt") or metadata.get("alt") or of_cell.get("alt") or ""
    caption, alt = str(caption)[:1000], str(alt)[:1000]
    place = f"Figure {n}: {context}" if context else f"Figure {n} of the report"
    return FigureOutput(picture=picture, caption=caption, alt=alt or caption or place)


def _alts(cells: Sequence[TextCell | CodeCell], files: Sequence[str]) -> tuple[str, ...]:
    by_file = {
        o.picture.file: o.alt
        for c in cells
        if isinstance(c, CodeCell)
        for o in c.outputs
        if isinstance(o, FigureOutput)
    }
    return tuple(by_file.get(file, "") for file in files)


def _write_thumbnail(document: Document, path: Path) -> tuple[int, int] | None:
    for picture in document.gallery.by_digest.values():
        size = write_thumbnail(document.gallery.files[picture.file], path)
        if size:
            return size
    path.unlink(missing_ok=True)
    return None
