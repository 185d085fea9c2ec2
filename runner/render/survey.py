"""A look at markup before it is cleaned: what in it needs scripts, its styles, its drawings.

This is no protection: whatever comes out of here is cleaned by `runner.render.sanitise`. It finds
what would otherwise vanish there without a word. All patterns take time in proportion to the text.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Sequence
from dataclasses import dataclass

DEEPEST = 1000  # elements in each other; cleaning takes time with the square of it
_COMMENT = re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL)
_SCRIPT = re.compile(r"<script\b([^<>]*)>.*?(?:</script\b[^<>]*>|\Z)", re.DOTALL | re.I)
_STYLE = re.compile(r"<style\b[^<>]*>(.*?)(?:</style\b[^<>]*>|\Z)", re.DOTALL | re.I)
_SVG = re.compile(r"<(/?)svg\b[^<>]*?(/?)>", re.I)
_TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9]*)")
_INPUT = re.compile(r"<input\b([^<>]*)", re.I)
_LINK = re.compile(r"""<a\b[^<>]*?\shref\s*=\s*["']?\s*([^"'\s<>]+)""", re.I)
_LEADS = re.compile(
    r"https?://|mailto:|#|javascript:", re.I
)  # somewhere from a page, or to nothing
_METER = re.compile(r"<(progress|meter)\b([^<>]*)>(?:[^<]*</\1\b[^<>]*>)?", re.I)
_NUMBER = r"""\b{}\s*=\s*["']?\s*([\d.eE+-]{{1,20}})"""
_VALUE, _MOST = (re.compile(r"(?<![\w-])" + _NUMBER.format(n), re.I) for n in ("value", "max"))
_HARMLESS_INPUT = re.compile(r"""type\s*=\s*["']?(?:checkbox|radio|hidden)""", re.I)
# elements that end by themselves, or hold nothing: they do not count as lying in each other
_SHALLOW = frozenset(
    str.split(
        "area base br col embed hr img input link meta source track wbr p li dt dd td th tr thead "
        "tbody tfoot option optgroup colgroup rt rp"
    )
)
# what an element is called to a reader; in the order in which it is told
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
    "link": "A link to a file beside the notebook, or in it,",
}
_CONTROLS = frozenset({"button", "select", "textarea"})


@dataclass(frozen=True, kw_only=True)
class Survey:
    """What was found.

    Attributes
    ----------
    html
        The markup without comments, scripts and styles; each drawing an image of its own.
    styles
        Texts of its style elements.
    parts
        Names, as `PARTS` has them, of what a page does not show.
    is_too_deep
        Its elements lie too deep in each other to be looked at any further.
    """

    html: str
    styles: Sequence[str] = ()
    parts: Sequence[str] = ()
    is_too_deep: bool = False


def survey(html: str) -> Survey:
    """Look through markup."""
    bare = _COMMENT.sub("", html)
    found = {"script"} if _SCRIPT.search(bare) else set()
    bare = _SCRIPT.sub("", bare)
    styles = [match[1] for match in _STYLE.finditer(bare)]
    bare = _with_images(_METER.sub(_in_words, _STYLE.sub("", bare)))
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
        is_too_deep=deepest > DEEPEST,
    )


def _in_words(match: re.Match[str]) -> str:
    """Return how far a bar has come."""
    value, most = _VALUE.search(match[2]), _MOST.search(match[2])
    return f"<span>[{value[1] if value else '…'} of {most[1] if most else 1}]</span>"


def _with_images(html: str) -> str:
    """Return the markup with each SVG as an image: as such it is cleaned, and acts on nothing."""
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
