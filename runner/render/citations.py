"""Marks for citations in the rendered body of a report.

A body is rendered once while the BibTeX file may change, so the body has only the keys of
citations. Markup of notebooks cannot have this attribute.
"""

from __future__ import annotations

import re

from markupsafe import Markup

CITE = "{cite}"  # before the code with the keys: {cite}`chen1991,stix1992`
MARK = re.compile(r'<span class="cite" data-cite="([^"]*)">[^<]*</span>')


def mark(key: str) -> Markup:
    """Return the mark of one citation."""
    return Markup('<span class="cite" data-cite="{0}">[{0}]</span>').format(key)
