"""Drawings (SVG), made harmless.

SVG is a document that may hold scripts and links: what is published is what these lists allow.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from html.entities import html5
from xml.etree import ElementTree

SVG_LIMIT_BYTES = 2_000_000


class UnusableImage(ValueError):
    """An image that cannot be read, or is of a kind that the pages do not show."""


_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_SVG_TAGS = frozenset(
    str.split(
        "svg g defs path rect circle ellipse line polyline polygon text tspan title desc use "
        "symbol clipPath mask marker pattern linearGradient radialGradient stop style image"
    )
)
# What leads out of the drawing: addresses, also without url() around them, and ways to hide one.
_SVG_BAD_STYLE = re.compile(
    r"[@\\]|//|expression|javascript|(?:image|src|cross-fade|element)[\w-]*\s*\("
    r"|url\s*\(\s*['\"]?\s*(?!['\"]?#)",
    re.I,
)
SVG_DEPTH = 100


def clean_svg(text: str) -> bytes:
    """Return a drawing with nothing in it that acts, or asks for something elsewhere.

    Raises
    ------
    UnusableImage
        It is none, too large, or too deep.
    """
    if len(text) > SVG_LIMIT_BYTES:
        raise UnusableImage(f"an SVG of {len(text) / 1e6:.1f} MB is too large for a page")
    if "<!ENTITY" in text:
        raise UnusableImage("an SVG with entities of its own is not shown")
    try:
        root = ElementTree.fromstring(_well_formed(text))
    except (ElementTree.ParseError, ValueError) as error:
        raise UnusableImage(f"the SVG cannot be read ({error})") from error
    if root.tag != f"{{{_SVG}}}svg":
        raise UnusableImage("it is no SVG")
    if _is_deeper(root, SVG_DEPTH):
        raise UnusableImage(f"an SVG with elements more than {SVG_DEPTH} deep is not shown")
    _clean_svg(root)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


_ENTITY = re.compile(r"&([a-zA-Z][a-zA-Z0-9]*;)")
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_PREFIX = re.compile(r"[<\s/]([A-Za-z][\w.-]{0,30}):[A-Za-z_]")
_ROOT = re.compile(r"<svg\b", re.I)
_SPACES = {"xlink": "http://www.w3.org/1999/xlink"}


def _well_formed(text: str) -> str:
    """Return a drawing as XML: in HTML it needs no namespaces and may use HTML's entities."""
    text = _ENTITY.sub(
        lambda m: m[0] if m[1] in _XML_ENTITIES else html5.get(m[1], m[0]), text.strip()
    )
    match = _ROOT.search(text)
    if match is None:
        return text
    missing = [
        f' xmlns:{prefix}="{_SPACES.get(prefix, f"urn:x-{prefix}")}"'
        for prefix in sorted(set(_PREFIX.findall(text)) - {"xmlns", "xml"})
        if f"xmlns:{prefix}" not in text
    ]
    if not re.search(r"\sxmlns\s*=", text[match.start() : text.find(">", match.start())]):
        missing.append(f' xmlns="{_SVG}"')
    return text[: match.end()] + "".join(missing) + text[match.end() :]


def _is_deeper(root: ElementTree.Element, most: int) -> bool:
    level = [root]
    for _ in range(most):
        level = [child for element in level for child in element]
    return bool(level)


def _clean_svg(element: ElementTree.Element) -> None:
    for child in list(element):
        tag = child.tag if isinstance(child.tag, str) else ""
        if tag.removeprefix(f"{{{_SVG}}}") not in _SVG_TAGS or (
            tag.endswith("}style") and _SVG_BAD_STYLE.search("".join(child.itertext()))
        ):
            element.remove(child)
        else:
            _clean_svg(child)
    for name, value in list(element.attrib.items()):
        local = name.rpartition("}")[2].lower()
        keeps = _SVG_ATTRIBUTES.get(local, _plain_attribute)
        if local.startswith("on") or local == "base" or not keeps(value):
            del element.attrib[name]


def _local_link(value: str) -> bool:
    return value.startswith(("#", "data:image/png;base64,", "data:image/jpeg;base64,"))


def _plain_attribute(value: str) -> bool:
    return not _SVG_BAD_STYLE.search(value)


_SVG_ATTRIBUTES: dict[str, Callable[[str], bool]] = {"href": _local_link, "src": _local_link}
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d*)?|\.\d+)\s*(pt|px|in|cm|mm)?")
_CSS_PIXELS = {"pt": 4 / 3, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, None: 1.0}


def svg_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a drawing in CSS pixels; 640 by 480 where it states none."""
    root = ElementTree.fromstring(data)
    sizes = [_LENGTH.fullmatch(root.get(n, "").strip()) for n in ("width", "height")]
    if all(sizes):
        w, h = (float(m[1]) * _CSS_PIXELS[m[2]] for m in sizes if m)
    else:
        box = re.split(r"[\s,]+", root.get("viewBox", "").strip())
        try:
            w, h = float(box[2]), float(box[3])
        except (IndexError, ValueError):
            w, h = math.nan, math.nan
        if not (math.isfinite(w) and math.isfinite(h)):
            w, h = 640, 480
    return max(1, round(min(w, 20_000))), max(1, round(min(h, 20_000)))
