"""The bibliography: a BibTeX file as a page, and the citations in reports that link to it.

A citation is written ``{cite}`key``` (MyST). The rendered body of a report has
marks (`runner.render.citations`) in their place, which become links here, when the page around
the body is made.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, ClassVar

from markupsafe import Markup, escape

from runner.publish.addresses import BIBLIOGRAPHY, relative_url, slug
from runner.publish.page_models import Page
from runner.render.citations import MARK

if TYPE_CHECKING:
    from pybtex.database import Entry

_HTTP = re.compile(r"https?://", re.I)
MAX_NAMES = 3  # in a citation and a list; more become "et al."


@dataclass(frozen=True, kw_only=True)
class Reference:
    """One reference.

    ``short`` is the text of a citation (``Godyak and Demidov 2011``), ``where`` the journal with
    volume and page, or the publisher; ``href`` an external address, if any.
    """

    key: str
    short: str
    authors: str
    title: str
    where: str
    year: str
    href: str

    @property
    def anchor(self) -> str:
        """Its id on the page."""
        return f"ref-{slug(self.key)}"


@dataclass(frozen=True, kw_only=True)
class Bibliography:
    """All references by key, in the order of the file, and the problems of the file."""

    references: Mapping[str, Reference]
    problems: Sequence[str]


@dataclass(frozen=True, kw_only=True)
class BibliographyPage(Page):
    """``bibliography.html``: the references by author, and the problems of the file."""

    template: ClassVar[str] = "pages/bibliography.html"
    references: Sequence[Reference]
    problems: Sequence[str]


def bibliography_page(known: Bibliography) -> BibliographyPage:
    """Return ``bibliography.html``."""
    ordered = sorted(known.references.values(), key=lambda r: (r.authors.casefold(), r.year, r.key))
    return BibliographyPage(
        path=BIBLIOGRAPHY,
        title="Bibliography",
        references=ordered,
        problems=known.problems,
    )


@lru_cache(maxsize=4)  # a site is published many times
def read_bibliography(text: str) -> Bibliography:
    """Read a BibTeX file; an invalid entry becomes a problem and does not affect the others."""
    if not text.strip():
        return Bibliography(references={}, problems=())
    from pybtex.database.input.bibtex import Parser
    from pybtex.errors import capture
    from pybtex.exceptions import PybtexError

    parser = Parser()
    # the parser records errors and continues after them
    with capture() as errors:
        data = parser.parse_string(text)
    problems = [f"references.bib: {error}" for error in errors]
    found = {}
    for key, entry in data.entries.items():
        try:
            found[key] = _reference(key, entry)
        except (PybtexError, ValueError) as error:  # invalid LaTeX
            problems.append(f"references.bib: {key}: {error}")
    return Bibliography(references=found, problems=problems)


def with_citations(body: str, page: str, known: Bibliography) -> Markup:
    """Return the body of a report with citations as links to the bibliography.

    Parameters
    ----------
    body
        Sanitised markup with marks.
    page
        Path of the page that will contain it.
    """

    def link(match: re.Match[str]) -> str:
        key = str(Markup(match[1]).unescape())
        reference = known.references.get(key)
        if reference is None:
            return f'<span class="cite unknown">[{escape(key)}: unknown reference]</span>'
        href = relative_url(page, f"{BIBLIOGRAPHY}#{reference.anchor}")
        return f'<a class="cite" href="{escape(href)}">{escape(reference.short)}</a>'

    return Markup(MARK.sub(link, body))


def _reference(key: str, entry: Entry) -> Reference:
    fields = {name.lower(): _plain(value) for name, value in entry.fields.items()}
    people = entry.persons.get("author") or entry.persons.get("editor") or []
    last = [_plain(" ".join([*p.prelast_names, *p.last_names])) for p in people]
    year = fields.get("year", "")
    return Reference(
        key=key,
        short=f"{_listed(last) or key} {year}".strip(),
        authors=_listed([_person(p) for p in people], most=12),
        title=fields.get("title", ""),
        where=_where(fields),
        year=year,
        href=_address(fields),
    )


def _person(person: Any) -> str:
    initials = [
        "-".join(f"{part[0]}." for part in _plain(name).split("-") if part)
        for name in (*person.first_names, *person.middle_names)
        if name
    ]
    last = _plain(" ".join([*person.prelast_names, *person.last_names]))
    return " ".join([*initials, last])


def _listed(names: Sequence[str], most: int = MAX_NAMES) -> str:
    if len(names) > most:
        return f"{names[0]} et al."
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def _where(fields: Mapping[str, str]) -> str:
    """Return the source of a reference, in the order that is usual in physics."""
    parts = []
    if journal := fields.get("journal"):
        parts.append(f"{journal} {fields.get('volume', '')}".strip())
        parts.append(fields.get("pages", "").replace("--", "–"))
    else:
        edition = fields.get("edition", "")
        parts += [
            fields.get("booktitle", ""),
            f"{edition} ed." if edition else "",
            fields.get("publisher", ""),
            fields.get("institution", "") or fields.get("school", ""),
            fields.get("number", ""),
        ]
    return ", ".join(p for p in parts if p)


def _address(fields: Mapping[str, str]) -> str:
    if doi := fields.get("doi"):
        return doi if _HTTP.match(doi) else f"https://doi.org/{doi}"
    url = fields.get("url", "")
    return url if _HTTP.match(url) else ""


def _plain(latex: str) -> str:
    """Return text without LaTeX: accents as characters, no braces."""
    from pybtex.richtext import Text

    return str(Text.from_latex(latex)).strip()
