"""Results over shots or days as small drawings."""

from __future__ import annotations

import math
from collections.abc import Sequence

from runner.publish.format import common_power, quantity, range_ends, scaled_unit
from runner.publish.parts import Trend
from runner.receipts import Scrap

WIDTH, HEIGHT, MARGIN = 240, 56, 5


def trend(name: str, scraps: Sequence[tuple[int | str, Scrap | None]]) -> Trend | None:
    """Return the course of one result; None where fewer than two shots have it.

    Parameters
    ----------
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
    power = common_power([f[3] for f in found])
    ends = range_ends(low / 10.0**power, high / 10.0**power)
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
        points.append((x, y, shot, str(quantity(scrap.value, scrap.sigma, scrap.unit))))
    return Trend(
        name=name,
        unit=scaled_unit(power, unit),
        path=path,
        points=points,
        low=ends[0],
        high=ends[1],
        first=found[0][1],
        last=found[-1][1],
        width=WIDTH,
        height=HEIGHT,
    )
