"""What the site lets go of with time: finer levels of traces, and figures of reports.

Notebooks, scraps, pages, thumbnails and the coarse levels of traces stay for ever; the figures are
in the notebooks.
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


def is_old(date: datetime | Date | None, days: int) -> bool:
    """Whether something is older than so many days; 0 days are for ever, as is an unknown date."""
    if not days or date is None:
        return False
    if not isinstance(date, datetime):
        date = datetime.combine(date, datetime.min.time())
    return datetime.now(date.tzinfo) - date > timedelta(days=days)


def without_figures(fragment: Fragment) -> Fragment:
    """Return the body of a report whose figures were let go: it says so where each was."""

    def told(found: re.Match[str]) -> str:
        image = found[1] or found[2]
        if 'src="figures/' not in image:
            return found[0]
        alt = _ALT.search(image)
        what = f": {alt[1]}" if alt and alt[1] else ""
        return (
            f'<span class="note">Figure{what}. It was let go from the site to save space; '
            "the notebook has it.</span>"
        )

    return replace(fragment, figures=(), alts=(), body=_FIGURE.sub(told, fragment.body))
