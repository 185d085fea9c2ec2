"""Pictures of a report: taken out of the notebook into files, named by their content."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import math
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from xml.etree import ElementTree

from ishtar.store import write_atomic

SVG_LIMIT_BYTES = 2_000_000
MAX_PIXELS = 80_000_000
THUMBNAIL_WIDTH = 480
IMAGE_TYPES = ("image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif")  # best first
_SUFFIXES = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}
Write = Callable[[Path, bytes], None]
_DATA_URL = re.compile(r"data:(image/[a-z+]+)(?:;[a-z0-9=-]+)*;base64,(.*)", re.DOTALL | re.I)


class UnusableImage(ValueError):
    """An image that cannot be read, or is of a kind that the pages do not show."""


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image file of a report, with its size on the page in CSS pixels."""

    file: str
    width: int
    height: int


@dataclass
class Gallery:
    """The images of one report, collected while it is rendered; `write` puts them on disk."""

    files: dict[str, bytes] = field(default_factory=dict)
    by_digest: dict[str, Picture] = field(default_factory=dict)

    def add(
        self, mime: str, content: str | bytes, *, width: object = None, height: object = None
    ) -> Picture:
        """Take an image in, once for equal content.

        Parameters
        ----------
        mime
            ``image/png``, ``image/jpeg``, ``image/gif``, ``image/webp`` or ``image/svg+xml``.
        content
            Base64 text, the text of an SVG, or bytes.
        width, height
            Size on the page in CSS pixels, where the notebook states one.
        """
        data = _svg(content) if mime == "image/svg+xml" else decoded(content)
        digest = hashlib.sha256(data).hexdigest()
        if digest in self.by_digest:
            return self.by_digest[digest]
        suffix, natural = ("svg", _svg_size(data)) if mime == "image/svg+xml" else _probe(data)
        shown = natural
        if isinstance(width, int | float) and 0 < width < 20_000:
            shown = (round(width), round(natural[1] * width / natural[0]))
        elif isinstance(height, int | float) and 0 < height < 20_000:
            shown = (round(natural[0] * height / natural[1]), round(height))
        name = f"figure-{len(self.files) + 1}-{digest[:10]}.{suffix}"
        picture = Picture(file=name, width=max(shown[0], 1), height=max(shown[1], 1))
        self.files[name] = data
        self.by_digest[digest] = picture
        return picture

    def add_data_url(self, url: str) -> Picture:
        """Take the image of a ``data:`` address in."""
        match = _DATA_URL.fullmatch(url.strip())
        if match is None:
            raise UnusableImage("not an image that lies in the notebook itself")
        return self.add(match[1].lower(), match[2])

    def write(self, folder: Path, write: Write = write_atomic) -> None:
        """Write the images to ``folder`` and remove those of an earlier rendering."""
        for name, data in self.files.items():
            target = folder / name
            if not target.is_file() or target.stat().st_size != len(data):
                write(target, data)
        if folder.is_dir():
            for path in folder.glob("figure-*"):
                if path.name not in self.files:
                    path.unlink()


def decoded(content: str | bytes) -> bytes:
    """Return the bytes of a picture that a notebook holds as text."""
    if isinstance(content, bytes):
        return content
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnusableImage(f"its data cannot be read ({error})") from error


def _probe(data: bytes) -> tuple[str, tuple[int, int]]:
    """Return suffix and size of a raster image from its header alone."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=list(_SUFFIXES)) as image:
            suffix, size = _SUFFIXES[str(image.format)], image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise UnusableImage("it is damaged, or no picture") from error
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise UnusableImage("it has too many pixels to be shown") from error
    if size[0] * size[1] > MAX_PIXELS or not all(size):
        raise UnusableImage(f"{size[0]} × {size[1]} pixels are too many to be shown")
    return suffix, size


@dataclass(frozen=True, kw_only=True)
class Thumbnail:
    """A small PNG, and its size in pixels."""

    data: bytes
    size: tuple[int, int]


def draw_thumbnail(source: bytes) -> Thumbnail | None:
    """Return a small PNG of a raster image; None where it cannot be drawn (an SVG, say)."""
    from PIL import Image

    try:
        with Image.open(io.BytesIO(source), formats=list(_SUFFIXES)) as image:
            image.draft("RGB", (THUMBNAIL_WIDTH, THUMBNAIL_WIDTH))
            rgba = image.convert("RGBA")
            alpha = rgba.getchannel("A")
            if alpha.getextrema()[0] == 255:
                flat = rgba.convert("RGB")
            else:
                flat = Image.new("RGB", image.size, "white")
                flat.paste(rgba, mask=alpha)
    except (OSError, ValueError, SyntaxError):  # a truncated picture has a header all the same
        return None
    height = max(1, round(flat.height * THUMBNAIL_WIDTH / flat.width))
    if flat.width > THUMBNAIL_WIDTH:
        flat = flat.resize((THUMBNAIL_WIDTH, height), Image.Resampling.HAMMING)
    file = io.BytesIO()
    # Not by octree, which is quicker: it takes white and light grey for one colour.
    flat.quantize(64).save(file, "PNG")
    return Thumbnail(data=file.getvalue(), size=flat.size)


# SVG is a document that may hold scripts and links: what is published is what these lists allow.
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


def _svg(content: str | bytes) -> bytes:
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    if len(text) > SVG_LIMIT_BYTES:
        raise UnusableImage(f"an SVG of {len(text) / 1e6:.1f} MB is too large for a page")
    if "<!ENTITY" in text:
        raise UnusableImage("an SVG with entities of its own is not shown")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        raise UnusableImage(f"the SVG cannot be read ({error})") from error
    if root.tag != f"{{{_SVG}}}svg":
        raise UnusableImage("it is no SVG")
    if _is_deeper(root, SVG_DEPTH):
        raise UnusableImage(f"an SVG with elements more than {SVG_DEPTH} deep is not shown")
    _clean_svg(root)
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    return ElementTree.tostring(root, encoding="utf-8", xml_declaration=True)


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


def _svg_size(data: bytes) -> tuple[int, int]:
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
