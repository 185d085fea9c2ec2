"""Sanitising of markup from notebooks.

The outputs of a notebook and the raw HTML in its text are untrusted: the site publishes notebooks
of many people. Only the elements, attributes and classes listed here remain: no ids, styles,
scripts, forms or frames, and no external requests. ``nh3`` does the cleaning; a second pass over
its well-formed result adds what the page needs (sizes of images, boxes around tables, ids of
headings, formulas) and turns ids, classes and styles into classes of the page
(`runner.render.styles`).
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from runner.render.images import Gallery, attached
from runner.render.interactive import drawing_note
from runner.render.styles import Element, Rules, StyleSheet, read_declarations
from runner.render.survey import Survey, survey
from runner.render.svg import UnusableImage

MAX_TABLE_ROWS = 400
MAX_HTML = 400_000
MAX_DEEP_TEXT = 16_000
FIGURES = "figures/"
ATTACHMENT = "attachment:"
_TOO_DEEP = "Markup nested more than 1000 levels deep is only in the notebook."

_TAGS = frozenset(
    str.split(
        "a abbr b blockquote br caption cite code col colgroup dd del details div dl dt em "
        "figcaption figure font h1 h2 h3 h4 h5 h6 hr i img input ins kbd li mark ol p pre q s "
        "samp small span strike strong sub summary sup table tbody td tfoot th thead tr u ul var"
    )
)
_DROPPED_WITH_CONTENT = frozenset(
    str.split(
        "script style iframe object embed template noscript svg math textarea select title "
        "button video audio canvas"
    )
)
_ATTRIBUTES: Mapping[str, frozenset[str]] = {
    "*": frozenset({"id", "class", "style"}),  # read by the second pass, never written
    "a": frozenset({"href", "title"}),
    "abbr": frozenset({"title"}),
    "img": frozenset({"src", "alt", "title", "width", "height"}),
    "td": frozenset({"colspan", "rowspan", "align"}),
    "th": frozenset({"colspan", "rowspan", "scope", "align"}),
    "col": frozenset({"span"}),
    "ol": frozenset({"start"}),
    "details": frozenset({"open"}),
    "code": frozenset({"data-math"}),
    "font": frozenset({"color"}),
    "input": frozenset({"type", "checked"}),
}
_READ_ONLY = frozenset({"id", "class", "style", "color", "data-math"})
_HEADINGS = frozenset({"h1", "h2", "h3", "h4", "h5", "h6"})
_VOID = frozenset({"br", "col", "hr", "img", "input"})
_ALERTS = {
    "alert-info": "alert-info",
    "alert-success": "alert-success",
    "alert-warning": "alert-warning",
    "alert-danger": "alert-danger",
    "alert-error": "alert-danger",
}
_NAMES = re.compile(r"[\w-]{1,100}")
_CODE_CLASS = re.compile(r"hl|[a-z]{1,2}[a-z0-9]?")  # pygments' classes are short
_ABSOLUTE = re.compile(r"https?://|mailto:", re.I)
_ALLOWED_VALUES: Mapping[str, re.Pattern[str]] = {
    "align": re.compile("left|right|center"),
    "scope": re.compile("row|col|rowgroup|colgroup"),
    **dict.fromkeys(("colspan", "rowspan", "span", "start"), re.compile(r"\d{1,4}")),
    **dict.fromkeys(("width", "height"), re.compile(r"\d{1,4}(?:px)?")),
}


class Heading(NamedTuple):
    """A heading of a report, for its list of contents."""

    level: int
    id: str
    text: str


@dataclass
class Document:
    """The state of a report while it is rendered."""

    gallery: Gallery = field(default_factory=Gallery)
    headings: list[Heading] = field(default_factory=list)
    title: str = ""
    ids: set[str] = field(default_factory=set)
    tables: int = 0  # so far
    styles: StyleSheet = field(default_factory=StyleSheet)

    def heading_id(self, text: str) -> str:
        """Return a unique id for a heading."""
        base = "r-" + (slug(text) or "section")
        candidate, n = base, 2
        while candidate in self.ids:
            candidate, n = f"{base}-{n}", n + 1
        self.ids.add(candidate)
        return candidate


def slug(text: str) -> str:
    """Return the text as part of an address."""
    return re.sub(r"[^\w]+", "-", text.strip().lower()).strip("-")[:60].rstrip("-")


class Clean(NamedTuple):
    """Sanitised markup, a note if it was truncated, and removed parts (`survey.PARTS`)."""

    html: Markup
    note: str = ""
    parts: Sequence[str] = ()

    @property
    def has_content(self) -> bool:
        """Whether it contains text, pictures or formulas."""
        return "<img" in self.html or "<math" in self.html or bool(self.html.striptags().strip())


def clean_text(
    html: str,
    document: Document,
    token: str,
    formulas: Sequence[Markup],
    attachments: Mapping[str, Any] | None = None,
) -> Clean:
    """Return the markup of a text cell, with ids for headings and with formulas in place.

    Parameters
    ----------
    html
        Output of the markdown renderer, with a `placeholder` for each formula.
    token
        The secret of the placeholders.
    attachments
        Pictures of the cell, by name.
    """
    found = survey(html)
    if found.is_too_deep:
        return Clean(Markup("<pre>{}</pre>").format(html[:MAX_DEEP_TEXT]), _TOO_DEEP)
    finisher = _Finisher(document, found, token=token, formulas=formulas, is_text=True)
    return finisher.run(_nh3(found.html, document.gallery, attachments or {}))


def clean_output(html: str, document: Document) -> Clean:
    """Return the markup of an output; long tables are truncated, huge outputs dropped."""
    if len(html) > 20 * MAX_HTML:
        return Clean(Markup(), f"An output of {len(html) / 1e6:.0f} MB is only in the notebook.")
    found = survey(html)
    if found.is_too_deep:
        return Clean(Markup(), _TOO_DEEP)
    return _Finisher(document, found).run(_nh3(found.html, document.gallery, {}))


def placeholder(token: str, index: int) -> str:
    """Return the placeholder of a formula.

    It is an element: inside an attribute it would no longer be one, so that a formula can only
    appear where an element may.
    """
    return f'<code data-math="{escape(token)}-{index}"></code>'


def _nh3(html: str, gallery: Gallery, attachments: Mapping[str, Any]) -> str:
    import nh3

    def attribute(tag: str, name: str, value: str) -> str | None:
        if name in {"class", "id"}:
            return " ".join(c for c in value.split()[:20] if _NAMES.fullmatch(c)) or None
        if name == "style":
            written = read_declarations(value)
            return "; ".join(f"{k}: {v}" for k, v in written.items()) or None
        if name == "href":
            return value if _ABSOLUTE.match(value) or value[:1] == "#" else None
        if name == "src":
            try:
                if value.startswith(ATTACHMENT):
                    return FIGURES + gallery.add(*attached(value, attachments)).file
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
        url_schemes={"http", "https", "mailto", "data", "attachment"},
        link_rel="noopener noreferrer",
    )


class _Finisher(HTMLParser):
    """The second pass, over sanitised markup."""

    def __init__(
        self,
        document: Document,
        found: Survey,
        *,
        token: str = "",
        formulas: Sequence[Markup] = (),
        is_text: bool = False,
    ) -> None:
        super().__init__(convert_charrefs=True)
        self.document, self.found = document, found
        self.rules = Rules(found.styles)
        self.parents: list[Element] = []  # open elements
        self.places = [0]  # number of child elements so far, of each
        self.highlighted = 0  # number of open elements with code highlighted by a library
        self.token, self.formulas, self.is_text = token, formulas, is_text
        self.parts: list[str] = []
        self.tables = self.rows = 0
        self.skip_until, self.skip_depth = "", 0  # the end tag after the skipped part
        self.head_at = 0  # index in `parts` of the open table header
        self.heading_at: int | None = None  # index in `parts` of the open heading
        self.heading_text = ""

    def run(self, clean: str) -> Clean:
        self.feed(clean)
        self.close()
        html = "".join(self.parts)
        if len(html) > MAX_HTML:
            note = f"An output of {len(html) / 1e6:.1f} MB is only in the notebook."
            return Clean(Markup(), note)
        left_out = self.rows - MAX_TABLE_ROWS
        note = f"{left_out} more rows are in the notebook. " if left_out > 0 else ""
        if self.rules.is_cut or self.document.styles.is_full:
            note += "Not all colours of this output are shown: it has too many."
        return Clean(Markup(html), note.strip(), self.found.parts)

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
            return
        look = self._enter(tag, given)
        if tag == "img":
            self._image(given)
        elif tag == "input":
            self._checkbox(given)
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
            shown = {k: v for k, v in given.items() if k not in _READ_ONLY}
            if not self.is_text and shown.get("href", "").startswith("#"):
                del shown["href"]  # to an id of the output, which was removed
            self._start("span" if tag == "font" else tag, shown | look)

    def handle_endtag(self, tag: str) -> None:
        if self.skip_until:
            self.skip_depth -= tag == self.skip_until
            if self.skip_depth == 0:
                self.skip_until = ""
            return
        if tag not in _VOID:
            self.places.pop()
            self.highlighted -= "highlight" in self.parents.pop().classes
        if tag in _HEADINGS:
            self._heading(int(tag[1]))
        elif tag == "th" and not "".join(self.parts[self.head_at + 1 :]).strip():
            # an empty header misleads screen readers
            self.parts[self.head_at] = "<td" + self.parts[self.head_at].removeprefix("<th")
            self.parts.append("</td>")
        elif tag not in _VOID:
            self.parts.append("</span>" if tag == "font" else f"</{tag}>")
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
        )
        self.parts.append(f"<{tag}{shown}>")

    def _enter(self, tag: str, given: Mapping[str, str]) -> dict[str, str]:
        """Record an element; return its class attribute."""
        self.places[-1] += 1
        classes = frozenset(given.get("class", "").split())
        element = Element(tag, given.get("id", ""), classes, self.places[-1])
        look = self.rules.of(element, self.parents) | read_declarations(given.get("style", ""))
        if tag == "font" and "color" in given:
            look = read_declarations(f"color: {given['color']}") | look
        if tag not in _VOID:
            self.parents.append(element)
            self.places.append(0)
            self.highlighted += "highlight" in classes
        kept = []
        if tag in {"div", "span"} and (self.is_text or self.highlighted):
            kept = sorted(c for c in classes if _CODE_CLASS.fullmatch(c))
        if "alert" in classes and tag in {"div", "p", "blockquote"}:
            kept = ["alert", *sorted({_ALERTS[c] for c in classes if c in _ALERTS})]
        if own := self.document.styles.class_of(look):
            kept.append(own)
        return {"class": " ".join(kept)} if kept else {}

    def _checkbox(self, given: Mapping[str, str]) -> None:
        """Write a checkbox as a symbol; drop other controls."""
        if given.get("type", "").lower() in {"checkbox", "radio"}:
            sign, word = ("☑", "done") if "checked" in given else ("☐", "to do")
            self.parts.append(f'<span class="box" role="img" aria-label="{word}">{sign}</span>')

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
        width = min(int(attrs.get("width", "").removesuffix("px") or 0), 4000) or picture.width
        height = max(1, round(picture.height * width / picture.width))
        sized = {"src": FIGURES + picture.file, "alt": alt, "width": str(width)}
        self._start("img", sized | {"height": str(height), "loading": "lazy"})
        if picture.lost:
            self.parts.append(f'<span class="lost">[{drawing_note(picture.lost)}]</span>')

    def _heading(self, level: int) -> None:
        if self.heading_at is None:
            return
        inner = "".join(self.parts[self.heading_at :])
        text = " ".join(self.heading_text.split())
        del self.parts[self.heading_at :]
        self.heading_at = None
        if not self.is_text:  # outputs are not part of the outline
            self.parts.append(f"<p><strong>{inner}</strong></p>")
        elif level == 1 and not self.document.title:
            self.document.title = text  # the heading of the page shows it
        else:
            level = max(level, 2)
            anchor = self.document.heading_id(text)
            self.document.headings.append(Heading(level, anchor, text))
            self.parts.append(f'<h{level} id="{anchor}">{inner}</h{level}>')


_LOCAL_LINK = re.compile(r'<a href="#([^"]*)"([^>]*)>')


def resolve_local_links(html: str, document: Document) -> str:
    """Point links at the ids of headings; a link without a target becomes plain text."""

    def resolved(match: re.Match[str]) -> str:
        target = slug(Markup(match[1]).unescape().replace("%20", " "))
        for candidate in (f"r-{target}", match[1]):
            if candidate in document.ids:
                return f'<a href="#{candidate}">'
        return "<a>"

    return _LOCAL_LINK.sub(resolved, html)
