"""Text from a terminal: escaped, its colours as classes (``a1`` … ``a7``, ``ab``).

The 256 colours and the true colours that tracebacks use nowadays are folded into the eight names
that the theme has a light and a dark value for: an inline colour would be unreadable in one of the
two, and the Content-Security-Policy forbids it.
"""

from __future__ import annotations

import colorsys
import re

from markupsafe import Markup, escape

_ESCAPE = re.compile(r"\x1b(?:\[([0-9;:]*)([@-~])|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\^_])")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")


def strip_ansi(text: str) -> str:
    """Return the text without its escape sequences and control characters."""
    return _CONTROL.sub("", _ESCAPE.sub("", text))


def ansi_to_html(text: str) -> Markup:
    """Return the text escaped, with colours and bold as ``<span class=…>``."""
    parts: list[str] = []
    color, bold = 0, False
    end = 0
    for match in _ESCAPE.finditer(text):
        parts.append(_span(text[end : match.start()], color, bold))
        end = match.end()
        if match[2] == "m":
            color, bold = _apply(match[1] or "0", color, bold)
    parts.append(_span(text[end:], color, bold))
    return Markup("".join(parts))


def _span(text: str, color: int, bold: bool) -> str:
    shown = str(escape(_CONTROL.sub("", text)))
    classes = " ".join(([f"a{color}"] if color else []) + (["ab"] if bold else []))
    return f'<span class="{classes}">{shown}</span>' if classes and shown else shown


def _apply(codes: str, color: int, bold: bool) -> tuple[int, bool]:
    # a number that no terminal knows is 0; thousands of digits are no number to Python either
    numbers = [int(c) if 0 < len(c) < 4 else 0 for c in codes.replace(":", ";").split(";")]
    while numbers:
        code = numbers.pop(0)
        if code == 0:
            color, bold = 0, False
        elif code in (1, 22):
            bold = code == 1
        elif 30 <= code <= 37 or 90 <= code <= 97:
            color = code % 10 % 7  # white and black are the page's own ink
        elif code == 39:
            color = 0
        elif code in (38, 48):
            kind = numbers.pop(0) if numbers else 0
            n = {5: 1, 2: 3}.get(kind, 0)
            argument, numbers = numbers[:n], numbers[n:]
            if code == 38 and len(argument) == n and n:
                color = _from_256(argument[0]) if n == 1 else _from_rgb(*argument)
    return color, bold


def _from_256(index: int) -> int:
    if index < 16:
        return index % 8 % 7
    if index >= 232:
        return 7  # grey
    index -= 16
    return _from_rgb(index // 36 * 51, index // 6 % 6 * 51, index % 6 * 51)


def _from_rgb(red: int, green: int, blue: int) -> int:
    hue, saturation, _ = colorsys.rgb_to_hsv(
        *(min(max(c, 0), 255) / 255 for c in (red, green, blue))
    )
    if saturation < 0.2:
        return 7
    # red, yellow, green, cyan, blue, magenta as the terminal numbers them
    return (1, 3, 2, 6, 4, 5)[round(hue * 6) % 6]
