"""Sanitising of SVG drawings.

An SVG may contain scripts and links: only what these lists allow is published. Removed parts are
reported unless they were invisible.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Sequence
from html.entities import html5
from typing import NamedTuple
from xml.etree import ElementTree

SVG_LIMIT_BYTES = 2_000_000


class UnusableImage(ValueError):
    """The image cannot be read, or pages do not show its type."""


_SVG = "http://www.w3.org/2000/svg"
_XLINK = "{http://www.w3.org/1999/xlink}href"
_SVG_TAGS = frozenset(
    str.split(
        "svg g defs path rect circle ellipse line polyline polygon text tspan title desc use "
        "symbol clipPath mask marker pattern linearGradient radialGradient stop style image "
        "switch textPath filter feBlend feColorMatrix feComponentTransfer feComposite "
        "feConvolveMatrix feDiffuseLighting feDisplacementMap feDistantLight feDropShadow feFlood "
        "feFuncA feFuncB feFuncG feFuncR feGaussianBlur feMerge feMergeNode feMorphology feOffset "
        "fePointLight feSpecularLighting feSpotLight feTile feTurbulence"
    )
)
_UNSEEN = frozenset({"metadata", "view", "cursor", "font", "font-face"})
_LOST = {
    "script": "drawings by scripts",
    "foreignObject": "text boxes in HTML",
    **dict.fromkeys(
        ("animate", "animateMotion", "animateTransform", "animateColor", "set"), "animations"
    ),
    **dict.fromkeys(("video", "audio", "iframe", "canvas"), "embedded media"),
}
_OTHER = "parts of unknown type"
# External references: addresses, also without url(), and ways to hide one.
_SVG_BAD_STYLE = re.compile(
    r"[@\\]|//|expression|javascript|(?:image|src|cross-fade|element)[\w-]{0,20}+\s*+\("
    r"|url\s*\(\s*+['\"]?+\s*+(?!#)",
    re.I,
)
SVG_DEPTH = 100
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_AT_LINE = re.compile(
    r"""@(?:charset|import|namespace)\b(?:[^;{}"']|"[^"]*"|'[^']*')*(?:;|\Z)""", re.I
)
_OF_TEXT = {"text", "tspan", "textPath"}


class CleanSvg(NamedTuple):
    """A sanitised drawing, and descriptions of the removed parts."""

    data: bytes
    lost: Sequence[str] = ()


def clean_svg(text: str) -> CleanSvg:
    """Return a drawing without active content and external references.

    Raises
    ------
    UnusableImage
        It is not an SVG, too large, or nested too deeply.
    """
    if len(text) > SVG_LIMIT_BYTES:
        raise UnusableImage(f"an SVG of {len(text) / 1e6:.1f} MB is too large for a page")
    if "<!ENTITY" in text:
        raise UnusableImage("an SVG that defines entities is not shown")
    try:
        root = ElementTree.fromstring(_well_formed(text))
    except (ElementTree.ParseError, ValueError) as error:
        raise UnusableImage(f"the SVG cannot be read ({error})") from error
    if root.tag != f"{{{_SVG}}}svg":
        raise UnusableImage("it is not an SVG")
    if _is_deeper(root, SVG_DEPTH):
        raise UnusableImage(f"an SVG nested more than {SVG_DEPTH} levels deep is not shown")
    lost: set[str] = set()
    _clean_svg(root, lost)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    data = ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)
    return CleanSvg(data, sorted(lost))


_ENTITY = re.compile(r"&([a-zA-Z][a-zA-Z0-9]*;)")
_XML_ENTITIES = frozenset({"amp;", "lt;", "gt;", "quot;", "apos;"})
_PREFIX = re.compile(r"[<\s/]([A-Za-z][\w.-]{0,30}):[A-Za-z_]")
_ROOT = re.compile(r"<svg\b", re.I)
_SPACES = {"xlink": "http://www.w3.org/1999/xlink"}


def _well_formed(text: str) -> str:
    """Return a drawing as XML: HTML allows it without namespaces and with HTML entities."""
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


def _clean_svg(element: ElementTree.Element, lost: set[str]) -> None:
    for child in list(element):
        name = _name(child)
        if name == "a":  # its content is drawn; the link is removed
            name = "tspan" if _name(element) in _OF_TEXT else "g"
            child.tag = f"{{{_SVG}}}{name}"
            child.attrib = {k: v for k, v in child.attrib.items() if not k.endswith("href")}
        if name == "style":
            text = "".join(child.itertext())
            child[:] = []
            child.text = _clean_style(text, lost)
            _clean_attributes(child, lost)
        elif name in _SVG_TAGS:
            _clean_svg(child, lost)
        else:
            element.remove(child)
            # a switch shows another child instead
            if name and name not in _UNSEEN and not (_name(element) == "switch" and len(element)):
                lost.add(_LOST.get(name, _OTHER))
    _clean_attributes(element, lost)


def _clean_attributes(element: ElementTree.Element, lost: set[str]) -> None:
    for key, value in list(element.attrib.items()):
        local = key.rpartition("}")[2].lower()
        keeps = _SVG_ATTRIBUTES.get(local, _plain_attribute)
        if local == "style":
            if kept := _clean_declarations(value, lost):
                element.attrib[key] = kept
            else:
                del element.attrib[key]
        elif local.startswith("on") or local == "base" or not keeps(value):
            del element.attrib[key]
            if local == "href":
                lost.add("external pictures and parts")


def _clean_declarations(text: str, lost: set[str]) -> str:
    """Return the declarations of a style attribute without external references."""
    kept = []
    for declaration in _COMMENT.sub("", text).split(";"):
        if not _SVG_BAD_STYLE.search(declaration):
            kept.append(declaration)
        else:
            lost.add("some of its styles")
    return ";".join(kept)


def _name(element: ElementTree.Element) -> str:
    """Return the name of an SVG element; '' for comments and other namespaces."""
    tag = element.tag if isinstance(element.tag, str) else ""
    return tag.removeprefix(f"{{{_SVG}}}") if tag.startswith(f"{{{_SVG}}}") else ""


def _clean_style(text: str, lost: set[str]) -> str:
    """Return the rules of a style sheet without external references and fonts."""
    kept = []
    for rule in _rules(_AT_LINE.sub("", _COMMENT.sub("", text))):
        if not _SVG_BAD_STYLE.search(rule):
            kept.append(rule)
        elif not rule.lstrip().lower().startswith("@font-face"):
            lost.add("some of its styles")
    return "".join(kept)


def _rules(text: str) -> Iterator[str]:
    """Yield the top-level rules of a style sheet."""
    start = depth = 0
    for match in re.finditer("[{}]", text):
        depth = max(depth + (1 if match[0] == "{" else -1), 0)
        if depth == 0:
            yield text[start : match.end()]
            start = match.end()
    if depth:
        yield text[start:] + "}" * depth  # as browsers close them


def _local_link(value: str) -> bool:
    return value.startswith("#") or _PICTURE.match(value) is not None


def _plain_attribute(value: str) -> bool:
    return not _SVG_BAD_STYLE.search(value)


_PICTURE = re.compile(r"data:image/(?:png|jpe?g|gif|webp);base64,", re.I)


def _any(value: str) -> bool:
    return True


_SVG_ATTRIBUTES: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("href", "src"), _local_link),
    **dict.fromkeys(("id", "class"), _any),
}
_LENGTH = re.compile(r"(\d{1,9}(?:\.\d*)?|\.\d+)\s*(pt|px|in|cm|mm)?")
_CSS_PIXELS = {"pt": 4 / 3, "px": 1.0, "in": 96.0, "cm": 96 / 2.54, "mm": 96 / 25.4, None: 1.0}


def svg_size(data: bytes) -> tuple[int, int]:
    """Return width and height of a drawing in CSS pixels; 640 by 480 if it states none."""
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
