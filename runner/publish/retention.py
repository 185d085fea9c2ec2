"""What the site removes after some time: fine levels of traces, and figures of reports.

Notebooks, scraps, pages, thumbnails and the coarse levels of traces are kept; the notebooks still
contain the figures.
"""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date as Date
from datetime import datetime, timedelta

from runner.render.fragment import Fragment

_IMAGE = r'<img(?:\s+[\w-]+(?:="[^"]*")?)*\s*/?>'
_FIGURE = re.compile(rf'<a href="figures/[^"]*"[^>]*>\s*({_IMAGE})\s*</a>|({_IMAGE})')
_ALT = re.compile(r'\salt="([^"]*)"')


def is_old(date: Date | None, days: int) -> bool:
    """Return whether a date is more than ``days`` ago; never for 0 days or an unknown date."""
    if not days or date is None:
        return False
    if not isinstance(date, datetime):
        date = datetime.combine(date, datetime.min.time())
    return datetime.now(date.tzinfo) - date > timedelta(days=days)


def without_old_figures(fragment: Fragment, date: Date | None, days: int) -> Fragment:
    """Return the body of a report, without its figures once ``date`` is more than ``days`` ago."""
    return without_figures(fragment) if is_old(date, days) else fragment


def without_figures(fragment: Fragment) -> Fragment:
    """Return the body of a report with a note in place of each figure."""

    def note(found: re.Match[str]) -> str:
        image = found[1] or found[2]
        if 'src="figures/' not in image:
            return found[0]
        alt = _ALT.search(image)
        what = f": {alt[1]}" if alt and alt[1] else ""
        return (
            f'<span class="note">Figure{what}. Removed from the site to save space; '
            "the notebook still has it.</span>"
        )

    return replace(fragment, figures=(), alts=(), body=_FIGURE.sub(note, fragment.body))
