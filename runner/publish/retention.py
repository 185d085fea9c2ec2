"""What the site lets go of with time: finer levels of traces, and figures of reports.

Notebooks, scraps, pages, thumbnails and the coarse levels of traces stay for ever; the figures are
in the notebooks.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date as Date
from datetime import datetime, timedelta
from pathlib import Path

from runner.publish.data.traces import LEVELS_KEPT, read_index
from runner.publish.fragment import Fragment
from runner.receipts import Subject
from runner.site_settings import PublishSettings

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


def due(
    out: Path, dates: Mapping[int, datetime | None], settings: PublishSettings
) -> Iterable[int]:
    """Give the shots that hold more than they may by their age, to be published again."""
    for number, date in dates.items():
        if is_old(date, settings.keep_tiles_days):
            signals = read_index(out, number).values()
            if any(len(s["levels"]) > LEVELS_KEPT for s in signals):
                yield number
                continue
        if is_old(date, settings.keep_figures_days) and _has_figures(out, number):
            yield number


def _has_figures(out: Path, number: int) -> bool:
    folder = out / "shots" / Subject.shot(number).key
    try:
        reports = json.loads((folder / "shot.json").read_bytes())["reports"]
        return any(report["figures"] for report in reports)
    except (OSError, ValueError, KeyError, TypeError):
        return False
