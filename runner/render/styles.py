"""Styles of outputs, such as the colours of a pandas ``Styler``, from a strict list of properties.

The Content-Security-Policy of pages forbids inline styles, and an output must not affect anything
outside of its box. So each declaration is parsed, rewritten if it is in the list below, and its
element gets a class in the style sheet of the report. Everything else is dropped: addresses,
positions, sizes beyond those of a cell.
"""

from __future__ import annotations

import colorsys
import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import NamedTuple

MAX_RULES = 20_000  # of one output; a Styler writes one for each colour
MAX_GENERAL = 300  # of those, rules that must be matched against every element
MAX_CLASSES = 10_000  # of one report
# luminance of text: a contrast of at least 4.5 (WCAG), also in the box of an exception
MAX_ON_LIGHT, MIN_ON_DARK = 0.15, 0.27
MAX_STYLE = 2_000  # characters of one declaration block
_DARK = "@media screen and (prefers-color-scheme: dark)"
PREFIX = "o-"  # of the classes
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.DOTALL)
_BRACE = re.compile("[{}]")
_HEX = re.compile(r"#([0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})")
_FUNCTION = re.compile(r"(rgba?|hsla?)\(([\d.,%/\s+a-z-]{1,60})\)")
_LENGTH = r"(?:\d{1,2}(?:\.\d{1,3})?|\.\d{1,3})"
_BORDER_WIDTH = re.compile(r"0|(?:[0-8](?:\.\d)?px)|0?\.\d{1,2}em|thin|medium|thick")
_BORDER_STYLE = re.compile("none|solid|dashed|dotted|double")
_GRADIENT = re.compile(r"linear-gradient\((.*)\)")
_STOP = re.compile(r"(.+?)((?:\s+\d{1,3}(?:\.\d+)?%){0,2})")


class Color(NamedTuple):
    """A colour, each part from 0 to 1."""

    red: float
    green: float
    blue: float
    alpha: float = 1.0

    @property
    def css(self) -> str:
        """The colour in CSS syntax."""
        r, g, b = (round(255 * x) for x in self[:3])
        return f"#{r:02x}{g:02x}{b:02x}" + (f"{round(255 * self.alpha):02x}" * (self.alpha < 1))

    @property
    def luminance(self) -> float:
        """The relative luminance (WCAG): 0 black, 1 white."""
        r, g, b = (x / 12.92 if x <= 0.04045 else ((x + 0.055) / 1.055) ** 2.4 for x in self[:3])
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    def towards(self, end: float, most: float = 1.0, least: float = 0.0) -> Color:
        """Return the colour mixed with white (1) or black (0) up to a luminance in the limits."""
        color = self
        while not least <= color.luminance <= most:
            red, green, blue = (x + 0.06 * (end - x) for x in color[:3])
            color = Color(red, green, blue, self.alpha)
        return color


def read_color(text: str) -> Color | None:
    """Return a CSS colour; None for anything else."""
    text = text.strip().lower()
    if match := _HEX.fullmatch(text):
        digits = match[1] if len(match[1]) > 4 else "".join(2 * c for c in match[1])
        r, g, b, alpha = (n / 255 for n in [*bytes.fromhex(digits), 255][:4])
        return Color(r, g, b, alpha)
    if match := _FUNCTION.fullmatch(text):
        parts = re.split(r"[\s,/]+", match[2].strip().replace("deg", ""))
        return _of_parts(match[1][:3], parts)
    from PIL import ImageColor

    if text not in ImageColor.colormap:
        return None
    # its table is not constant: a name that was looked up once maps to numbers
    red, green, blue = ImageColor.getrgb(text)[:3]
    return Color(red / 255, green / 255, blue / 255)


def _of_parts(kind: str, parts: Sequence[str]) -> Color | None:
    try:
        numbers = [float(p.rstrip("%")) for p in parts]
    except ValueError:
        return None
    if not 3 <= len(numbers) <= 4:
        return None
    alpha = numbers[3] / (100 if parts[3].endswith("%") else 1) if len(numbers) == 4 else 1.0
    if kind == "hsl":
        hue, saturation, light = (x / n for x, n in zip(numbers, (360, 100, 100), strict=False))
        rgb: Sequence[float] = colorsys.hls_to_rgb(hue % 1, _unit(light), _unit(saturation))
    else:
        rgb = [n / (100 if p.endswith("%") else 255) for n, p in zip(numbers, parts, strict=True)]
    red, green, blue = map(_unit, rgb[:3])
    return Color(red, green, blue, _unit(alpha))


def _unit(x: float) -> float:
    return min(max(x, 0.0), 1.0)


def _color(value: str) -> str:
    if value in {"transparent", "inherit", "currentcolor"}:
        return value
    found = read_color(value)
    return found.css if found else ""


def _background(value: str) -> str:
    """Return a colour, or the gradient with which a Styler draws a bar in a cell."""
    match = _GRADIENT.fullmatch(value)
    if match is None:
        return _color(value)
    first, *stops = re.split(r",(?![^(]*\))", match[1])
    if not re.fullmatch(r"\d{1,3}deg|to (?:left|right|top|bottom)", first.strip()):
        first, stops = "90deg", [first, *stops]
    written = []
    for stop in stops[:20]:
        parts = _STOP.fullmatch(stop.strip())
        color = _color(parts[1]) if parts else ""
        if not parts or not color:
            return ""
        written.append(f"{color}{parts[2]}")
    return f"linear-gradient({', '.join([first.strip(), *written])})" if written else ""


def _border(value: str) -> str:
    parts = re.split(r"\s+(?![^(]*\))", value)
    written = [
        p if _BORDER_WIDTH.fullmatch(p) or _BORDER_STYLE.fullmatch(p) else _color(p) for p in parts
    ]
    return " ".join(written) if all(written) and len(written) <= 4 else ""


def _one_of(pattern: str) -> Callable[[str], str]:
    allowed = re.compile(pattern)
    return lambda value: value if allowed.fullmatch(value) else ""


_SIDES = ("", "-top", "-right", "-bottom", "-left")
_PROPERTIES: Mapping[str, Callable[[str], str]] = {
    "color": _color,
    "background-color": _color,
    "background": _background,
    "font-weight": _one_of("normal|bold|bolder|lighter|[1-9]00"),
    "font-style": _one_of("normal|italic|oblique"),
    "font-size": _one_of(
        r"(?:[89]|[12]\d)(?:px|pt)|(?:0?\.[6-9]\d?|1(?:\.\d{1,3})?)r?em|[6-9]\d%|1\d\d%"
    ),
    "text-align": _one_of("left|right|center|justify|start|end"),
    "text-decoration": _one_of("none|underline|overline|line-through"),
    "vertical-align": _one_of("top|middle|bottom|baseline"),
    "width": _one_of(rf"{_LENGTH}em|[1-3]?\d{{1,2}}px"),
    **{f"border{s}{part}": _border for s in _SIDES for part in ("", "-color", "-style", "-width")},
}


def read_declarations(text: str) -> dict[str, str]:
    """Return the allowed declarations of a style, rewritten, by property."""
    found: dict[str, str] = {}
    for declaration in _COMMENT.sub(" ", text[:MAX_STYLE]).split(";"):
        name, colon, value = declaration.partition(":")
        name = name.strip().lower()
        value = " ".join(value.lower().replace("!important", "").split())
        written = _PROPERTIES[name](value) if colon and name in _PROPERTIES else ""
        if written:
            found.pop(name, None)
            found[name] = written
    return found


class _Simple(NamedTuple):
    """A compound selector."""

    tag: str = ""
    id: str = ""
    classes: frozenset[str] = frozenset()
    nth: str = ""  # odd or even


class Element(NamedTuple):
    """An element of an output, with what selectors match."""

    tag: str
    id: str
    classes: frozenset[str]
    place: int  # index among its siblings, from 1


class Rule(NamedTuple):
    """A style rule; ``weight`` is the specificity of CSS."""

    weight: tuple[int, int, int]
    steps: tuple[_Simple, ...]
    declarations: Mapping[str, str]


_COMPOUND = re.compile(
    r"(\*|[a-zA-Z][a-zA-Z0-9]*)?((?:[#.][\w-]{1,100}|:nth-child\([^()]{1,10}\)){0,10})"
)
_PART = re.compile(r"([#.])([\w-]+)|:nth-child\((odd|even|2n|2n\+1)\)")


class Rules:
    """The rules of the style elements of one output."""

    def __init__(self, texts: Sequence[str]) -> None:
        self._by_id: dict[str, list[Rule]] = {}
        self._others: list[Rule] = []
        self.is_cut = False  # too many rules
        n = 0
        for text in texts:
            for heads, body in _blocks(_COMMENT.sub(" ", text)):
                declarations = read_declarations(body)
                for selector in heads.split(",") if declarations else ():
                    steps = _steps(selector)
                    n += 1
                    if n > MAX_RULES:
                        self.is_cut = True
                    elif steps:
                        self._add(Rule(_weight(steps), steps, declarations))

    def _add(self, rule: Rule) -> None:
        if last := rule.steps[-1].id:
            self._by_id.setdefault(last, []).append(rule)
        elif len(self._others) < MAX_GENERAL:
            self._others.append(rule)
        else:
            self.is_cut = True

    def of(self, element: Element, parents: Sequence[Element]) -> dict[str, str]:
        """Return the declarations that apply to an element."""
        candidates = [*self._others, *self._by_id.get(element.id, ())]
        rules = [r for r in candidates if _matches(r.steps, element, parents)]
        found: dict[str, str] = {}
        for rule in sorted(rules, key=lambda r: r.weight):
            found |= rule.declarations
        return found


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Yield selectors and bodies of rules; at-rules (``@media``) are skipped."""
    depth = start = body = 0
    head = ""
    for brace in _BRACE.finditer(text):
        if brace[0] == "{":
            if depth == 0:
                head, body = text[start : brace.start()].rpartition(";")[2], brace.end()
            depth += 1
        elif depth:
            depth -= 1
            if depth == 0:
                start = brace.end()
                if "@" not in head:
                    yield head, text[body : brace.start()]


def _steps(selector: str) -> tuple[_Simple, ...]:
    """Return the steps of a selector; none if it is not supported."""
    steps = []
    for word in selector.replace(">", " ").split():
        match = _COMPOUND.fullmatch(word)
        if match is None:
            return ()
        tag = (match[1] or "").lower().replace("*", "")
        parts = _PART.findall(match[2])
        if "".join(p[0] + p[1] or f":nth-child({p[2]})" for p in parts) != match[2]:
            return ()
        ids = [name for kind, name, _ in parts if kind == "#"]
        classes = frozenset(name for kind, name, _ in parts if kind == ".")
        nth = next((n for *_, n in parts if n), "")
        nth = {"2n": "even", "2n+1": "odd"}.get(nth, nth)
        steps.append(_Simple(tag, ids[0] if ids else "", classes, nth))
    return tuple(steps)


def _weight(steps: Sequence[_Simple]) -> tuple[int, int, int]:
    return (
        sum(bool(s.id) for s in steps),
        sum(len(s.classes) + bool(s.nth) for s in steps),
        sum(bool(s.tag) for s in steps),
    )


def _matches_step(step: _Simple, element: Element) -> bool:
    return (
        step.tag in ("", element.tag)
        and step.id in ("", element.id)
        and step.classes <= element.classes
        and (not step.nth or element.place % 2 == (step.nth == "odd"))
    )


def _matches(steps: Sequence[_Simple], element: Element, parents: Sequence[Element]) -> bool:
    if not _matches_step(steps[-1], element):
        return False
    left = list(steps[:-1])
    for parent in reversed(parents):
        if left and _matches_step(left[-1], parent):
            left.pop()
    return not left


class StyleSheet:
    """The classes of one report, each named by its content."""

    def __init__(self, most: int = MAX_CLASSES) -> None:
        self._rules: dict[str, str] = {}
        self._most = most
        self.is_full = False  # some styles were dropped

    def class_of(self, declarations: Mapping[str, str]) -> str:
        """Return the class for some declarations; empty if there are none."""
        if not declarations:
            return ""
        body, dark = _written(declarations)
        name = PREFIX + hashlib.sha256(body.encode()).hexdigest()[:8]
        if name not in self._rules:
            if len(self._rules) >= self._most:
                self.is_full = True
                return ""
            rule = f".body .{name}.{name} {{ {body} }}\n"
            if dark:
                rule += f"{_DARK} {{ .body .{name}.{name} {{ {dark} }} }}\n"
            self._rules[name] = rule
        return name

    @property
    def css(self) -> str:
        """The text of the style sheet; empty if no element has a style."""
        return "".join(self._rules.values())


def _written(declarations: Mapping[str, str]) -> tuple[str, str]:
    """Return the declarations as text, and those for a dark page.

    Text on its own background keeps its colour, or becomes black or white. Text on the page becomes
    darker or lighter until it is legible, on a light and on a dark page.
    """
    shown = dict(declarations)
    ground = read_color(shown.get("background-color") or shown.get("background", ""))
    ink = read_color(shown.get("color", ""))
    dark = ""
    if ground is not None and ground.alpha > 0.5:
        if "color" not in shown:
            shown["color"] = "#000000" if ground.luminance > 0.179 else "#ffffff"
    elif ink is not None:
        dark = f"color: {ink.towards(1.0, least=MIN_ON_DARK).css}"
        shown["color"] = ink.towards(0.0, most=MAX_ON_LIGHT).css
    return "; ".join(f"{name}: {value}" for name, value in shown.items()), dark
