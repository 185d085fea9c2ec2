"""Results over shots or days as small drawings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runner.publish.quantities import quantity, scale_of
from runner.publish.view_models import Trend
from runner.receipts import Scrap
from runner.render.format import range_ends
from runner.templates.results import ResultRecord

UNKNOWN = ResultRecord()
WIDTH, HEIGHT, MARGIN = 240, 56, 5


def trend(
    name: str,
    scraps: Sequence[tuple[int | str, Scrap | None]],
    known: ResultRecord = UNKNOWN,
) -> Trend | None:
    """Return the course of one result; None where fewer than two shots have it.

    Parameters
    ----------
    known
        What it is called, and whether it can be below zero.
    scraps
        Shots or days, ascending, each with its result or None. A gap breaks the line.
    """
    found = [
        (i, shot, s, float(s.value))
        for i, (shot, s) in enumerate(scraps)
        if s is not None
        and isinstance(s.value, int | float)
        and not isinstance(s.value, bool)
        and math.isfinite(s.value)
    ]
    units = {s.unit for _, _, s, _ in found}
    if len(found) < 2 or len(units) != 1:
        return None
    unit = next(iter(units))
    low, high = min(f[3] for f in found), max(f[3] for f in found)
    scale = scale_of([f[3] for f in found], unit)
    ends = range_ends(low / 10.0**scale.power, high / 10.0**scale.power)
    span = (high - low) or 1.0
    dx = (WIDTH - 2 * MARGIN) / max(1, len(scraps) - 1)
    points = []
    path = ""
    last = -2
    for i, shot, scrap, value in found:
        x = round(MARGIN + i * dx, 1)
        level = (value - low) / span if high > low else 0.5
        y = round(HEIGHT - MARGIN - level * (HEIGHT - 2 * MARGIN), 1)
        path += f"{'L' if i == last + 1 else 'M'}{x:g} {y:g}"
        last = i
        told = quantity(scrap.value, scrap.sigma, scrap.unit, signed=known.signed)
        points.append((x, y, shot, str(told)))
    return Trend(
        name=name,
        label=known.label,
        symbol=known.symbol,
        unit=scale.unit,
        path=path,
        points=points,
        low=ends[0],
        high=ends[1],
        first=found[0][1],
        last=found[-1][1],
        width=WIDTH,
        height=HEIGHT,
    )
