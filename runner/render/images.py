"""Pictures of a report: extracted from the notebook to files named by content."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from ishtar.store import write_atomic
from runner.render.svg import UnusableImage, clean_svg, svg_size
from runner.render.untrusted import joined

MAX_PIXELS = 80_000_000
THUMBNAIL_WIDTH = 480
IMAGE_TYPES = ("image/svg+xml", "image/png", "image/jpeg", "image/webp", "image/gif")  # best first
_SUFFIXES = {"PNG": "png", "JPEG": "jpg", "GIF": "gif", "WEBP": "webp"}
Write = Callable[[Path, bytes], None]
_DATA_URL = re.compile(r"data:(image/[a-z+]+)(?:;[a-z0-9=-]+)*;base64,(.*)", re.DOTALL | re.I)
# a drawing is often stored as text, percent-encoded or not
_SVG_URL = re.compile(r"data:image/svg\+xml(?:;(?!base64)[\w=-]+)*,(.*)", re.DOTALL | re.I)


@dataclass(frozen=True, kw_only=True)
class Picture:
    """An image file of a report, with its size on the page in CSS pixels.

    ``lost`` describes the parts of a drawing that are not shown.
    """

    file: str
    width: int
    height: int
    lost: Sequence[str] = ()


@dataclass
class Gallery:
    """The images of one report, collected while it is rendered; `write` puts them on disk."""

    files: dict[str, bytes] = field(default_factory=dict)
    by_digest: dict[str, Picture] = field(default_factory=dict)

    def add(
        self, mime: str, content: str | bytes, *, width: object = None, height: object = None
    ) -> Picture:
        """Add an image, once for equal content.

        Parameters
        ----------
        mime
            ``image/png``, ``image/jpeg``, ``image/gif``, ``image/webp`` or ``image/svg+xml``.
        content
            Base64 text, the text of an SVG, or bytes.
        width, height
            Size on the page in CSS pixels, if the notebook states one.
        """
        lost: Sequence[str] = ()
        if mime == "image/svg+xml":
            data, lost = clean_svg(_drawing(content))
        else:
            data = decoded(content)
        digest = hashlib.sha256(data).hexdigest()
        if digest in self.by_digest:
            return self.by_digest[digest]
        suffix, natural = ("svg", svg_size(data)) if mime == "image/svg+xml" else _probe(data)
        shown = natural
        if isinstance(width, int | float) and 0 < width < 20_000:
            shown = (round(width), round(natural[1] * width / natural[0]))
        elif isinstance(height, int | float) and 0 < height < 20_000:
            shown = (round(natural[0] * height / natural[1]), round(height))
        name = f"figure-{len(self.files) + 1}-{digest[:10]}.{suffix}"
        w, h = (min(max(n, 1), 20_000) for n in shown)
        picture = Picture(file=name, width=w, height=h, lost=tuple(lost))
        self.files[name] = data
        self.by_digest[digest] = picture
        return picture

    def add_data_url(self, url: str) -> Picture:
        """Add the image of a ``data:`` address."""
        if drawing := _SVG_URL.fullmatch(url.strip()):
            return self.add("image/svg+xml", unquote(drawing[1]))
        match = _DATA_URL.fullmatch(url.strip())
        if match is None:
            raise UnusableImage("not an image stored in the notebook")
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


def attached(url: str, attachments: Mapping[str, Any]) -> tuple[str, str]:
    """Return type and data of the picture with an ``attachment:`` address.

    The name may be percent-encoded, as Jupyter writes it, or in decomposed Unicode, as on macOS.
    """
    name = url.partition(":")[2]
    wanted = {_composed(n) for n in (name, unquote(name), unescape(unquote(name)))}
    for key, bundle in attachments.items():
        if {_composed(key), _composed(unquote(key))} & wanted and isinstance(bundle, Mapping):
            for kind in IMAGE_TYPES:
                if kind in bundle:
                    return kind, joined(bundle[kind])
    raise UnusableImage("the cell has no such attachment")


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name).strip()


def decoded(content: str | bytes) -> bytes:
    """Return the bytes of a picture that is stored as text."""
    if isinstance(content, bytes):
        return content
    try:
        return base64.b64decode("".join(content.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise UnusableImage(f"its data cannot be read ({error})") from error


def _drawing(content: str | bytes) -> str:
    """Return the text of an SVG; an attachment may be in base64, like other pictures."""
    text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
    if "<" not in text and text.strip():
        return decoded(text).decode("utf-8", "replace")
    return text


def _probe(data: bytes) -> tuple[str, tuple[int, int]]:
    """Return suffix and size of a raster image from its header alone."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(data), formats=list(_SUFFIXES)) as image:
            suffix, size = _SUFFIXES[str(image.format)], image.size
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise UnusableImage("it is damaged, or not a picture") from error
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
    """Return a small PNG of a raster image; None if it cannot be drawn (an SVG, for example)."""
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
    except (OSError, ValueError, SyntaxError):  # a truncated picture with a valid header
        return None
    height = max(1, round(flat.height * THUMBNAIL_WIDTH / flat.width))
    if flat.width > THUMBNAIL_WIDTH:
        flat = flat.resize((THUMBNAIL_WIDTH, height), Image.Resampling.HAMMING)
    file = io.BytesIO()
    # Not by octree, which is faster but merges white and light grey.
    flat.quantize(64).save(file, "PNG")
    return Thumbnail(data=file.getvalue(), size=flat.size)
