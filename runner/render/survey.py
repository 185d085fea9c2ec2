"""Inspection of markup before it is sanitised: its styles, drawings and parts that need scripts.

This does not protect: `runner.render.sanitise` cleans the result. It finds the parts that would
disappear there without a note. All patterns take time proportional to the text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

MAX_DEPTH = 1000  # of nested elements; the time to clean grows with its square
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SCRIPT = re.compile(r"<script\b([^<>]*)>.*?(?:</script\b[^<>]*>|\Z)", re.DOTALL | re.I)
_STYLE = re.compile(r"<style\b[^<>]*>(.*?)(?:</style\b[^<>]*>|\Z)", re.DOTALL | re.I)
_SVG = re.compile(r"<(/?)svg\b[^<>]*?(/?)>", re.I)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_INPUT = re.compile(r"<input\b([^<>]*)", re.I)
_LINK = re.compile(r"""<a\b[^<>]*?\shref\s*=\s*["']?\s*([^"'\s<>]+)""", re.I)
_LEADS = re.compile(r"https?://|mailto:|#|javascript:", re.I)  # works on a page, or does nothing
_METER = re.compile(r"<(progress|meter)\b([^<>]*)>(?:[^<]*</\1\b[^<>]*>)?", re.I)
_NUMBER = r"""\b{}\s*=\s*["']?\s*([\d.eE+-]{{1,20}})"""
_VALUE, _MAX = (re.compile(r"(?<![\w-])" + _NUMBER.format(n), re.I) for n in ("value", "max"))
_HARMLESS_INPUT = re.compile(r"""type\s*=\s*["']?(?:checkbox|radio|hidden)""", re.I)
# elements that close implicitly or have no content: they do not count as nested
_SHALLOW = frozenset(
    str.split(
        "area base br col embed hr img input link meta source track wbr p li dt dd td th tr thead "
        "tbody tfoot option optgroup colgroup rt rp"
    )
)
# names of elements for readers, in the order of notes
PARTS = {
    "iframe": "An embedded page",
    "object": "An embedded file",
    "embed": "An embedded file",
    "video": "A video",
    "audio": "A sound",
    "canvas": "A drawing by a script",
    "math": "A formula (MathML)",
    "script": "An interactive part",
    "control": "Controls (buttons, fields, sliders)",
    "link": "A link to a file next to the notebook, or in it,",
}
_CONTROLS = frozenset({"button", "select", "textarea"})


@dataclass(frozen=True, kw_only=True)
class Survey:
    """The result of `survey`.

    Attributes
    ----------
    html
        The markup without comments, scripts and styles; each drawing as an image.
    styles
        Texts of its style elements.
    parts
        Keys of `PARTS` that the page does not show.
    is_too_deep
        Its elements are nested too deeply to be cleaned.
    """

    html: str
    styles: Sequence[str] = ()
    parts: Sequence[str] = ()
    is_too_deep: bool = False


def survey(html: str) -> Survey:
    """Inspect markup."""
    bare = _COMMENT.sub("", html)
    found = {"script"} if _SCRIPT.search(bare) else set()
    bare = _SCRIPT.sub("", bare)
    styles = [match[1] for match in _STYLE.finditer(bare)]
    bare = _with_images(_METER.sub(_meter_text, _STYLE.sub("", bare)))
    depth = deepest = 0
    for closing, name in _TAG.findall(bare):
        tag = name.lower()
        if tag in PARTS and not closing:
            found.add(tag)
        elif tag in _CONTROLS:
            found.add("control")
        if tag not in _SHALLOW:
            depth = max(depth - 1, 0) if closing else depth + 1
            deepest = max(deepest, depth)
    if any(not _HARMLESS_INPUT.search(attributes) for attributes in _INPUT.findall(bare)):
        found.add("control")
    if not all(_LEADS.match(address) for address in _LINK.findall(bare)):
        found.add("link")
    return Survey(
        html=bare,
        styles=styles,
        parts=[name for name in PARTS if name in found],
        is_too_deep=deepest > MAX_DEPTH,
    )


def _meter_text(match: re.Match[str]) -> str:
    """Return the value of a progress bar as text."""
    value, limit = _VALUE.search(match[2]), _MAX.search(match[2])
    return f"<span>[{value[1] if value else '…'} of {limit[1] if limit else 1}]</span>"


def _with_images(html: str) -> str:
    """Return the markup with each SVG as an image, which is sanitised and isolated."""
    parts: list[str] = []
    end, depth, start = 0, 0, 0
    for match in _SVG.finditer(html):
        if not match[1]:
            if not match[2]:
                start = start if depth else match.start()
                depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                parts += [html[end:start], _image(html[start : match.end()])]
                end = match.end()
    return "".join([*parts, html[end:]])


def _image(svg: str) -> str:
    data = base64.b64encode(svg.encode("utf-8", "replace")).decode()
    return f'<img src="data:image/svg+xml;base64,{data}" alt="drawing">'
