"""Formulas: TeX to MathML, which browsers render without scripts.

A formula that cannot be converted is shown as its TeX source.
"""

from __future__ import annotations

import re
from functools import cache
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from markupsafe import Markup, escape

if TYPE_CHECKING:
    from math_core import LatexToMathML

_TAGS = frozenset(
    str.split(
        "math merror mfrac mi mmultiscripts mn mo mover mpadded mphantom mprescripts mroot mrow "
        "ms mspace msqrt mstyle msub msubsup msup mtable mtd mtext mtr munder munderover menclose"
    )
)
_ATTRIBUTES = frozenset(
    str.split(
        "accent accentunder columnspan depth display displaystyle fence form height largeop "
        "linethickness lspace mathvariant maxsize minsize movablelimits notation rowspan rspace "
        "scriptlevel separator stretchy symmetric voffset width mathcolor mathbackground"
    )
)
# The Content-Security-Policy forbids inline styles: classes of the theme replace the style
# attributes of the converter.
_STYLE_CLASSES = {
    "text-align:right": "m-right",
    "text-align:left": "m-left",
    "padding-left:0": "m-pl0",
    "padding-right:0": "m-pr0",
    "padding-left:1em": "m-pl1",
    "width:100%": "m-wide",
    "width:50%": "m-half",
}
# The converter is recursive: a formula nested some thousand deep would crash the process.
MAX_TEX = 4000
# Each of these that is never closed doubles the time of the converter.
MAX_BIG = 16
_BIG = re.compile(r"\\[bB]igg?l")
_NUMBERED = re.compile(r"\\(?:label|tag\*?)\s*\{[^{}]*\}")


@cache
def _converter() -> LatexToMathML:
    from math_core import LatexToMathML

    return LatexToMathML(macros={"bm": r"\boldsymbol{#1}", "dd": r"\mathrm{d}"}, fancy_error=False)


def to_mathml(tex: str, *, display: bool) -> Markup:
    """Return a formula as a ``<math>`` element, or as its source in ``<code>``.

    Parameters
    ----------
    tex
        TeX without its delimiters; an environment with its ``\\begin`` and ``\\end``.
    display
        Whether it is on its own line.
    """
    source = tex.strip()
    try:
        if len(source) <= MAX_TEX and len(_BIG.findall(source)) <= MAX_BIG:
            return _convert(source, display)
    except (_unreadable(), ElementTree.ParseError, RecursionError):
        pass  # shown as source instead
    return _as_source(source, display)


def _as_source(source: str, display: bool) -> Markup:
    shown = Markup('<code class="tex">{}</code>').format(escape(source))
    return (
        Markup('<span class="formula" tabindex="0">{}</span>').format(shown) if display else shown
    )


@cache
def _unreadable() -> type[Exception]:
    from math_core import LatexError

    return LatexError


def _convert(tex: str, display: bool) -> Markup:
    # equations are not numbered here: nothing can refer to a label
    tex = _NUMBERED.sub("", tex)
    tex = re.sub(r"\\(begin|end)\{(?:split|eqnarray\*?)\}", r"\\\1{aligned}", tex)
    tex = re.sub(r"\\(begin|end)\{(align|equation|gather)\}", r"\\\1{\2*}", tex)
    text = _converter().convert_with_local_state(tex, displaystyle=display)
    root = ElementTree.fromstring(text.replace("&ApplyFunction;", "\N{FUNCTION APPLICATION}"))
    _clean(root)
    if display:
        root.set("tabindex", "0")  # a wide formula scrolls, by keyboard too
    return Markup(ElementTree.tostring(root, encoding="unicode", short_empty_elements=False))


def _clean(element: Any) -> None:
    """Keep only elements and attributes of MathML; unknown elements become their text."""
    if element.tag not in _TAGS:
        element.tag = "mtext"
    style = element.attrib.pop("style", "")
    for name in [n for n in element.attrib if n not in _ATTRIBUTES]:
        del element.attrib[name]
    classes = []
    for declaration in style.replace(" ", "").split(";"):
        if declaration.startswith("color:"):
            element.set("mathcolor", declaration.removeprefix("color:"))
        elif declaration in _STYLE_CLASSES:
            classes.append(_STYLE_CLASSES[declaration])
    if classes:
        element.set("class", " ".join(classes))
    for child in element:
        _clean(child)
