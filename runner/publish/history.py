"""The history of a result over earlier shots: its usual range, a sparkline, its drift.

A result **drifts** if the last `LAST_SHOTS` values all lie on one side of the median of the up
to `SHOTS_BEFORE` shots before them, and their own median is more than `DRIFT_SCATTERS` times the
scatter of a single shot away. The scatter is 1.4826 times the median absolute deviation, which for
a normal distribution equals the standard deviation and is robust against outliers; it is at least
the median of the values' own sigmas. With fewer than `MIN_SHOTS_BEFORE` earlier shots no drift is
reported.
"""

from __future__ import annotations

import bisect
import math
from collections.abc import Sequence
from statistics import median

from runner.publish.addresses import official_stem
from runner.publish.key_results import is_number
from runner.publish.quantities import quantity, range_text, scale_of
from runner.publish.view import View
from runner.publish.view_models import Flag, Spark, Trend, Value
from runner.receipts import Scrap, Subject
from runner.render.format import range_ends
from runner.templates.results import ResultRecord

SHOTS_BEFORE, LAST_SHOTS, MIN_SHOTS_BEFORE, DRIFT_SCATTERS = 20, 5, 10, 3.0
MAD_TO_SIGMA = 1.4826
HISTORY_SHOTS = SHOTS_BEFORE + LAST_SHOTS  # shots of a history, the last one included
USUAL_SHOTS = 20
USUAL_LEAST = 5
SPARK_WIDTH, SPARK_HEIGHT, SPARK_MARGIN = 96, 22, 3

History = Sequence[tuple[int, Scrap | None]]


def key_values(view: View, number: int) -> list[Value]:
    """Return the key results of a shot with their histories up to it."""
    subject = Subject.shot(number)
    i = bisect.bisect_right(view.numbers, number)
    shots = view.numbers[max(0, i - HISTORY_SHOTS) : i]
    view.load_summaries(Subject.shot(n) for n in shots)
    values = []
    scraps = view.key_scraps(subject)
    for template, name in view.results.chosen(scraps, len(scraps)):
        scrap = scraps[template, name]
        history = [(n, _scrap_of(view, n, template, name, scrap.unit)) for n in shots]
        known = view.templates.get(template)
        limits = known.limits.get(name) if known else None
        values.append(
            Value(
                name=name,
                label=view.results.record(template, name).label,
                symbol=view.results.record(template, name).symbol,
                quantity=view.results.quantity(template, scrap),
                template=template,
                href=f"{official_stem(subject, template)}.html",
                usual=usual(history[:-1], scrap.unit),
                spark=spark(history),
                flags=flags(history, limits),
            )
        )
    return values


def shots_after(view: View, number: int) -> Sequence[int]:
    """Return the later shots whose histories include this one."""
    i = bisect.bisect_right(view.numbers, number)
    return view.numbers[i : i + HISTORY_SHOTS - 1]


def usual(before: History, unit: str = "") -> str:
    """Return the range of a result in the shots before, as text: the middle 80 %."""
    found = sorted(_values(before[-USUAL_SHOTS:]))
    if len(found) < USUAL_LEAST:
        return ""
    cut = len(found) // 10
    return range_text(found[cut], found[len(found) - 1 - cut], unit)


def flags(history: History, limits: tuple[float | None, float | None] | None) -> Sequence[Flag]:
    """Return warnings about the last value of a history."""
    found = []
    scrap = history[-1][1] if history else None
    if scrap is None or not is_number(scrap):
        return ()
    low, high = limits or (None, None)
    value = float(scrap.value or 0)
    if (low is not None and value < low) or (high is not None and value > high):
        ends = [str(quantity(e, None, scrap.unit)) if e is not None else "" for e in (low, high)]
        words = (
            f"between {ends[0]} and {ends[1]}"
            if all(ends)
            else (f"at least {ends[0]}" if ends[0] else f"at most {ends[1]}")
        )
        found.append(Flag(word="outside limits", text=f"it should be {words}"))
    if far := drift(history):
        late = [n for n, s in history if s is not None and is_number(s)][-LAST_SHOTS:]
        side = "above" if far > 0 else "below"
        found.append(
            Flag(
                word="drifting",
                text=f"shots {late[0]} to {late[-1]} lie {abs(far):.1f} times the scatter {side} "
                "what came before",
            )
        )
    return found


def drift(history: History) -> float:
    """Return the drift of the last values in units of the scatter; 0 if they do not drift."""
    scraps = [s for _, s in history if s is not None and is_number(s)]
    values = [float(s.value or 0) for s in scraps]
    before, late = values[:-LAST_SHOTS][-SHOTS_BEFORE:], values[-LAST_SHOTS:]
    if len(before) < MIN_SHOTS_BEFORE or len(late) < LAST_SHOTS:
        return 0.0
    middle = median(before)
    away = [v - middle for v in late]
    if not (all(a > 0 for a in away) or all(a < 0 for a in away)):
        return 0.0
    scatter = MAD_TO_SIGMA * median(abs(v - middle) for v in before)
    sigmas = [s.sigma for s in scraps if s.sigma is not None]
    # values that were constant to the last digit have no scatter to compare with
    scatter = max(scatter, median(sigmas) if sigmas else 0.0, abs(middle) * 1e-6)
    far = median(away) / scatter if scatter else 0.0
    return far if abs(far) > DRIFT_SCATTERS else 0.0


def spark(history: History) -> Spark | None:
    """Return a history as a sparkline; None if fewer than three shots have the result."""
    found = [
        (i, n, float(s.value or 0))
        for i, (n, s) in enumerate(history)
        if s is not None and is_number(s)
    ]
    if len(found) < 3:
        return None
    unit = next(s.unit for _, s in history if s is not None and is_number(s))
    low, high = min(v for _, _, v in found), max(v for _, _, v in found)
    span = (high - low) or 1.0
    dx = (SPARK_WIDTH - 2 * SPARK_MARGIN) / max(1, len(history) - 1)
    path, last, x, y = "", -2, 0.0, 0.0
    there = {i for i, _, _ in found}
    for i, _, value in found:
        x = round(SPARK_MARGIN + i * dx, 1)
        level = (value - low) / span if high > low else 0.5
        y = round(SPARK_HEIGHT - SPARK_MARGIN - level * (SPARK_HEIGHT - 2 * SPARK_MARGIN), 1)
        path += f"{'L' if i == last + 1 else 'M'}{x:g} {y:g}"
        if not {i - 1, i + 1} & there:
            path += "m-1 0h2"  # a dot between two gaps: a line of one point is not drawn
        last = i
    return Spark(
        path=path,
        x=x if last == len(history) - 1 else None,
        y=y if last == len(history) - 1 else None,
        text=f"shots {found[0][1]} to {found[-1][1]}: {range_text(low, high, unit)}",
        width=SPARK_WIDTH,
        height=SPARK_HEIGHT,
    )


def _scrap_of(view: View, number: int, template: str, name: str, unit: str) -> Scrap | None:
    """Return a result of a shot if it has this unit; other units cannot be compared."""
    for report in view.summaries(Subject.shot(number)):
        if report.template == template:
            return next((s for s in report.scraps if s.name == name and s.unit == unit), None)
    return None


def _values(history: History) -> list[float]:
    return [float(s.value or 0) for _, s in history if s is not None and is_number(s)]


UNKNOWN = ResultRecord()
WIDTH, HEIGHT, MARGIN = 240, 56, 5


def trend(
    name: str,
    scraps: Sequence[tuple[int | str, Scrap | None]],
    known: ResultRecord = UNKNOWN,
) -> Trend | None:
    """Return the plot of one result over shots or days; None if fewer than two have it.

    Parameters
    ----------
    known
        Its label and symbol, and whether it can be below zero.
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
        shown = quantity(scrap.value, scrap.sigma, scrap.unit, signed=known.signed)
        points.append((x, y, shot, str(shown)))
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
