"""Markup from notebooks, made harmless.

Whatever a notebook printed is untrusted, and so is the raw HTML in its text: other people's
notebooks are published as well. Elements, attributes and classes are those listed here and no
others: no ids, no styles, no scripts, no forms, no frames, no request to anywhere. ``nh3`` does the
cleaning; a second pass over its well-formed result sets what the page needs (sizes of images, boxes
around tables, ids of headings, formulas).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import NamedTuple

from markupsafe import Markup, escape

from runner.publish.images import Gallery, UnusableImage

MAX_TABLE_ROWS = 400
MAX_HTML = 400_000
FIGURES = "figures/"

_TAGS = frozenset(
    str.split(
        "a abbr b blockquote br caption cite code col colgroup dd del details div dl dt em "
        "figcaption figure h1 h2 h3 h4 h5 h6 hr i img ins kbd li mark ol p pre q s samp small "
        "span strong sub summary sup table tbody td tfoot th thead tr u ul var"
    )
)
_DROPPED_WITH_CONTENT = frozenset(
    str.split(
        "script style iframe object embed template noscript form svg math textarea select title "
        "button video audio canvas"
    )
)
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "a": frozenset({"href", "title"}),
    "abbr": frozenset({"title"}),
    "img": frozenset({"src", "alt", "title", "width", "height"}),
    "td": frozenset({"colspan", "rowspan", "align"}),
    "th": frozenset({"colspan", "rowspan", "scope", "align"}),
    "col": frozenset({"span"}),
    "ol": frozenset({"start"}),
    "details": frozenset({"open"}),
    "code": frozenset({"data-math"}),
    "div": frozenset({"class"}),
    "span": frozenset({"class"}),
}
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_VOID = frozenset({"br", "col", "hr", "img"})
_CODE_CLASS = re.compile(r"hl|[a-z]{1,2}[a-z0-9]?")  # pygments' classes are short
_ABSOLUTE = re.compile(r"https?://|mailto:", re.I)
_ALLOWED_VALUES: Mapping[str, re.Pattern[str]] = {
    "align": re.compile("left|right|center"),
    "scope": re.compile("row|col|rowgroup|colgroup"),
    **dict.fromkeys(
        ("width", "height", "colspan", "rowspan", "span", "start"), re.compile(r"\d{1,4}")
    ),
}


class Heading(NamedTuple):
    """A heading of a report, as its list of contents shows it."""

    level: int
    id: str
    text: str


@dataclass
class Document:
    """What is known of a report while it is rendered."""

    gallery: Gallery = field(default_factory=Gallery)
    headings: list[Heading] = field(default_factory=list)
    title: str = ""
    ids: set[str] = field(default_factory=set)
    tables: int = 0  # so far

    def heading_id(self, text: str) -> str:
        """Return an id for a heading that no other element of the page has."""
        base = "r-" + (slug(text) or "section")
        candidate, n = base, 2
        while candidate in self.ids:
            candidate, n = f"{base}-{n}", n + 1
        self.ids.add(candidate)
        return candidate


def slug(text: str) -> str:
    """Return the text as it may stand in an address."""
    return re.sub(r"[^\w]+", "-", text.strip().lower()).strip("-")[:60].rstrip("-")


class Clean(NamedTuple):
    """Harmless markup, and a note where something was left out."""

    html: Markup
    note: str = ""


def clean_text(html: str, document: Document, token: str, formulas: Sequence[Markup]) -> Clean:
    """Return the markup of a text cell: headings get ids, formulas their places.

    Parameters
    ----------
    html
        What the markdown renderer made, with `placeholder` for each formula.
    token
        The secret of the placeholders.
    """
    finisher = _Finisher(document, token=token, formulas=formulas, is_text=True)
    return finisher.run(_nh3(html, document.gallery, is_text=True))


def clean_output(html: str, document: Document) -> Clean:
    """Return the markup of a cell's output; long tables are cut, huge outputs left out."""
    if len(html) > 20 * MAX_HTML:
        return Clean(Markup(), f"An output of {len(html) / 1e6:.0f} MB is in the notebook only.")
    return _Finisher(document).run(_nh3(html, document.gallery, is_text=False))


def placeholder(token: str, index: int) -> str:
    """Return the placeholder of a formula.

    It is an element: inside of an attribute it would be no element any more, so that a formula
    can only ever land where an element may stand.
    """
    return f'<code data-math="{escape(token)}-{index}"></code>'


def _nh3(html: str, gallery: Gallery, *, is_text: bool) -> str:
    import nh3

    def attribute(tag: str, name: str, value: str) -> str | None:
        if name == "class":
            kept = [c for c in value.split() if is_text and _CODE_CLASS.fullmatch(c)]
            return " ".join(kept) or None
        if name == "href":
            return value if _ABSOLUTE.match(value) or (is_text and value[:1] == "#") else None
        if name == "src":
            try:
                return FIGURES + gallery.add_data_url(value).file
            except UnusableImage:
                return None
        allowed = _ALLOWED_VALUES.get(name)
        return value if allowed is None or allowed.fullmatch(value) else None

    return nh3.clean(
        html,
        tags=set(_TAGS),
        clean_content_tags=set(_DROPPED_WITH_CONTENT),
        attributes={tag: set(names) for tag, names in _ATTRIBUTES.items()},
        attribute_filter=attribute,
        url_schemes={"http", "https", "mailto", "data"},
        link_rel="noopener noreferrer",
    )


class _Finisher(HTMLParser):
    """The second pass, over markup that is harmless already."""

    def __init__(
        self,
        document: Document,
        *,
        token: str = "",
        formulas: Sequence[Markup] = (),
        is_text: bool = False,
    ) -> None:
        super().__init__(convert_charrefs=True)
        self.document = document
        self.token, self.formulas, self.is_text = token, formulas, is_text
        self.parts: list[str] = []
        self.tables = self.rows = 0
        self.skip_until, self.skip_depth = "", 0  # the end tag that ends what is left out
        self.head_at = 0  # where the open head of a row or column began in `parts`
        self.heading_at: int | None = None  # where the open heading began in `parts`
        self.heading_text = ""

    def run(self, clean: str) -> Clean:
        self.feed(clean)
        self.close()
        html = "".join(self.parts)
        if len(html) > MAX_HTML:
            return Clean(
                Markup(), f"An output of {len(html) / 1e6:.1f} MB is in the notebook only."
            )
        left_out = self.rows - MAX_TABLE_ROWS
        note = f"{left_out} more rows are in the notebook." if left_out > 0 else ""
        return Clean(Markup(html), note)

    # HTMLParser's own names
    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "tr" and not self.skip_until:
            self.rows += 1
            if self.rows > MAX_TABLE_ROWS:
                self.skip_until = "tr"
        if self.skip_until:
            self.skip_depth += tag == self.skip_until
            return
        given = {name: value or "" for name, value in attrs}
        if tag == "code" and "data-math" in given:
            self._formula(given["data-math"])
        elif tag == "img":
            self._image(given)
        elif tag in _HEADINGS:
            self.heading_at, self.heading_text = len(self.parts), ""
        else:
            if tag == "table":
                self.tables += 1
                if self.tables == 1:
                    self.document.tables += 1
                    label = f"Table {self.document.tables}"
                    self.parts.append(
                        f'<div class="scroll" tabindex="0" role="region" aria-label="{label}">'
                    )
            if tag == "th":
                self.head_at = len(self.parts)
            self._start(tag, given)

    def handle_endtag(self, tag: str) -> None:
        if self.skip_until:
            self.skip_depth -= tag == self.skip_until
            if self.skip_depth == 0:
                self.skip_until = ""
            return
        if tag in _HEADINGS:
            self._heading(int(tag[1]))
        elif tag == "th" and not "".join(self.parts[self.head_at + 1 :]).strip():
            # a head of nothing misleads those who have tables read to them
            self.parts[self.head_at] = "<td" + self.parts[self.head_at].removeprefix("<th")
            self.parts.append("</td>")
        elif tag not in _VOID:
            self.parts.append(f"</{tag}>")
            if tag == "table":
                self.tables -= 1
                if self.tables == 0:
                    self.parts.append("</div>")

    def handle_data(self, data: str) -> None:
        if not self.skip_until:
            self.heading_text += data
            self.parts.append(str(escape(data)))

    def _start(self, tag: str, attrs: Mapping[str, str]) -> None:
        shown = "".join(
            f" {name}" if name == "open" else f' {name}="{escape(value)}"'
            for name, value in attrs.items()
            if name != "data-math"
        )
        self.parts.append(f"<{tag}{shown}>")

    def _formula(self, key: str) -> None:
        prefix, _, index = key.rpartition("-")
        if self.token and prefix == self.token and index.isdecimal():
            self.heading_text += self.formulas[int(index)].striptags()
            self.parts.append(str(self.formulas[int(index)]))
        self.skip_until, self.skip_depth = "code", 1

    def _image(self, attrs: Mapping[str, str]) -> None:
        alt = attrs.get("alt", "")
        pictures = {FIGURES + p.file: p for p in self.document.gallery.by_digest.values()}
        picture = pictures.get(attrs.get("src", ""))
        if picture is None:
            text = f"picture not shown: {alt}" if alt else "picture not shown"
            self.parts.append(f'<span class="lost">[{escape(text)}]</span>')
            return
        width = min(int(attrs.get("width") or 0), 4000) or picture.width
        height = max(1, round(picture.height * width / picture.width))
        sized = {"src": FIGURES + picture.file, "alt": alt, "width": str(width)}
        self._start("img", sized | {"height": str(height), "loading": "lazy"})

    def _heading(self, level: int) -> None:
        if self.heading_at is None:
            return
        inner = "".join(self.parts[self.heading_at :])
        text = " ".join(self.heading_text.split())
        del self.parts[self.heading_at :]
        self.heading_at = None
        if not self.is_text:  # an output is no part of the report's outline
            self.parts.append(f"<p><strong>{inner}</strong></p>")
        elif level == 1 and not self.document.title:
            self.document.title = text  # the page's own heading shows it
        else:
            level = max(level, 2)
            anchor = self.document.heading_id(text)
            self.document.headings.append(Heading(level, anchor, text))
            self.parts.append(f'<h{level} id="{anchor}">{inner}</h{level}>')


_LOCAL_LINK = re.compile(r'<a href="#([^"]*)"([^>]*)>')


def resolve_local_links(html: str, document: Document) -> str:
    """Point links between headings at their ids; a link to nowhere becomes plain text."""

    def resolved(match: re.Match[str]) -> str:
        target = slug(Markup(match[1]).unescape().replace("%20", " "))
        for candidate in (f"r-{target}", match[1]):
            if candidate in document.ids:
                return f'<a href="#{candidate}">'
        return "<a>"

    return _LOCAL_LINK.sub(resolved, html)
