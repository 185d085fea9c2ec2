"""A result among those of the shots before: its usual range, its course as a drawing, its drift.

A result **drifts** where the last `LATE` values all lie on one side of the median of the (up to)
`EARLY` shots before them, and their own median is more than `FAR` times the scatter of a single
shot away. The scatter is 1.4826 times the median absolute deviation, which for a normal
distribution is its standard deviation and which a few wild shots do not move; it is at least the
median of the values' own sigmas. With fewer than `LEAST` earlier shots nothing is said.
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

EARLY, LATE, LEAST, FAR = 20, 5, 10, 3.0
MAD_TO_SIGMA = 1.4826
HISTORY_SHOTS = EARLY + LATE  # shots that a course goes over, the last one among them
USUAL_SHOTS = 20
USUAL_LEAST = 5
SPARK_WIDTH, SPARK_HEIGHT, SPARK_MARGIN = 96, 22, 3

History = Sequence[tuple[int, Scrap | None]]


def key_values(view: View, number: int) -> list[Value]:
    """Return the key results of a shot with their courses over the shots up to it."""
    subject = Subject.shot(number)
    i = bisect.bisect_right(view.numbers, number)
    shots = view.numbers[max(0, i - HISTORY_SHOTS) : i]
    view.load_summaries(Subject.shot(n) for n in shots)
    values = []
    scraps = view.key_scraps(subject)
    for template, name in view.results.chosen(scraps, len(scraps)):
        scrap = scraps[template, name]
        history = [(n, _scrap(view, n, template, name, scrap.unit)) for n in shots]
        known = view.templates.get(template)
        limits = known.limits.get(name) if known else None
        values.append(
            Value(
                name=name,
                label=view.results.called(template, name).label,
                symbol=view.results.called(template, name).symbol,
                quantity=view.results.shown(template, scrap),
                template=template,
                href=f"{official_stem(subject, template)}.html",
                usual=usual(history[:-1], scrap.unit),
                spark=spark(history),
                flags=flags(history, limits),
            )
        )
    return values


def shots_after(view: View, number: int) -> Sequence[int]:
    """Return the shots whose pages show the course of results over this one, too."""
    i = bisect.bisect_right(view.numbers, number)
    return view.numbers[i : i + HISTORY_SHOTS - 1]


def usual(before: History, unit: str = "") -> str:
    """Return the range of a result in the shots before: the middle four fifths, as text."""
    found = sorted(_values(before[-USUAL_SHOTS:]))
    if len(found) < USUAL_LEAST:
        return ""
    cut = len(found) // 10
    return range_text(found[cut], found[len(found) - 1 - cut], unit)


def flags(history: History, limits: tuple[float | None, float | None] | None) -> Sequence[Flag]:
    """Return what is odd about the last value of a course."""
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
        late = [n for n, s in history if s is not None and is_number(s)][-LATE:]
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
    """Return how far the last values lie from those before, in scatters; 0 where they do not."""
    scraps = [s for _, s in history if s is not None and is_number(s)]
    values = [float(s.value or 0) for s in scraps]
    before, late = values[:-LATE][-EARLY:], values[-LATE:]
    if len(before) < LEAST or len(late) < LATE:
        return 0.0
    middle = median(before)
    away = [v - middle for v in late]
    if not (all(a > 0 for a in away) or all(a < 0 for a in away)):
        return 0.0
    scatter = MAD_TO_SIGMA * median(abs(v - middle) for v in before)
    sigmas = [s.sigma for s in scraps if s.sigma is not None]
    # what was constant to the last digit and is not any more has no scatter to compare with
    scatter = max(scatter, median(sigmas) if sigmas else 0.0, abs(middle) * 1e-6)
    far = median(away) / scatter if scatter else 0.0
    return far if abs(far) > FAR else 0.0


def spark(history: History) -> Spark | None:
    """Return a course as a line of a word's size; None where fewer than three shots have it."""
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
            path += "m-1 0h2"  # between two gaps: a dot, as a line of one point is not drawn
        last = i
    return Spark(
        path=path,
        x=x if last == len(history) - 1 else None,
        y=y if last == len(history) - 1 else None,
        text=f"shots {found[0][1]} to {found[-1][1]}: {range_text(low, high, unit)}",
        width=SPARK_WIDTH,
        height=SPARK_HEIGHT,
    )


def _scrap(view: View, number: int, template: str, name: str, unit: str) -> Scrap | None:
    """Return a result of a shot in the unit asked for; in another one it cannot be compared."""
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
