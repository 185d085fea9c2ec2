"""Spans of time with their errors: finding them in arrays, joining them."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError
from ishtar.measured import Measured

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

UNIFORM = math.sqrt(12.0)  # width over standard deviation of what lies anywhere in an interval


class DetectionError(IshtarError, ValueError):
    """Arrays that cannot be searched: of different lengths, or hardly any sample."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """A time from ``start`` to ``end``, both in s with the error of their detection."""

    start: Measured
    end: Measured

    @property
    def duration(self) -> Measured:
        """Its length, s."""
        value = self.end.value - self.start.value
        return Measured(value, math.hypot(self.start.sigma, self.end.sigma), "s")

    def __contains__(self, time: float) -> bool:
        return self.start.value <= time <= self.end.value

    def __str__(self) -> str:
        return f"{self.start.value:.3f} … {self.end.value:.3f} s"


def find_above(
    time: ArrayLike,
    values: ArrayLike,
    level: float,
    *,
    min_length: float = 2e-3,
    max_gap: float = 5e-3,
) -> tuple[Span, ...]:
    """Return when values were above a level: a power, say, so that its generator was on.

    Parameters
    ----------
    time, values : (n_t,) array_like, s and the unit of ``level``
        Means over equal steps; between a step below and one above lies the moment. NaN is below.
    level : float
    min_length : float, s
        Shorter spikes are not counted.
    max_gap : float, s
        Shorter pauses do not divide.
    """
    t, v = arrays(time, values)
    step = step_of(t)
    edge = step / UNIFORM
    return tuple(
        Span(
            start=Measured(float(t[a] - step / 2), edge, "s"),
            end=Measured(float(t[b] + step / 2), edge, "s"),
        )
        for a, b in runs(v > level, round(max_gap / step))
        if (b - a + 1) * step >= min_length
    )


def joined(*parts: Sequence[Span]) -> tuple[Span, ...]:
    """Return spans as one sequence in time; those that overlap become one."""
    spans = sorted((s for part in parts for s in part), key=lambda s: s.start.value)
    found: list[Span] = []
    for span in spans:
        if found and span.start.value <= found[-1].end.value:
            end = max(found[-1].end, span.end, key=lambda m: m.value)
            found[-1] = Span(start=found[-1].start, end=end)
        else:
            found.append(span)
    return tuple(found)


def plasma_spans(loaded: Sequence[Span], probed: Sequence[Span]) -> tuple[Span, ...]:
    """Return the plasmas of a shot by antennas and probe together.

    Times are the antennas', from `find_loaded`. Where the probe, by `find_probed`, sees a plasma
    without them, or for longer by more than three sigma of both, they are the probe's.

    Parameters
    ----------
    loaded : sequence of Span
        Plasmas by the antennas, from `find_loaded`.
    probed : sequence of Span
        Plasmas by the probe, from `find_probed`.
    """
    found = []
    antennas = joined(loaded)
    for span in antennas:
        start, end = span.start, span.end
        for seen in probed:
            if seen.start.value < span.end.value and seen.end.value > span.start.value:
                if _apart(seen.start, start):
                    start = seen.start
                if _apart(end, seen.end):
                    end = seen.end
        found.append(Span(start=start, end=end))
    alone = [
        seen
        for seen in probed
        if not any(s.start.value < seen.end.value and s.end.value > seen.start.value for s in found)
    ]
    return joined(found, alone)


def _apart(earlier: Measured, later: Measured) -> bool:
    return later.value - earlier.value > 3.0 * math.hypot(earlier.sigma, later.sigma)


def arrays(*values: ArrayLike) -> list[Floats]:
    """Return what was given as arrays (n_t,) of one length; `DetectionError` if they are not."""
    arrays = [np.asarray(v, float) for v in values]
    shapes = {a.shape for a in arrays}
    if len(shapes) != 1 or arrays[0].ndim != 1 or arrays[0].size < 3:
        raise DetectionError(
            f"arrays of shape {', '.join(map(str, shapes))}: give all on one time base, 3 steps "
            "at least"
        )
    return arrays


def step_of(t: Floats) -> float:
    """Return the step of a regular time base, s."""
    return float(t[-1] - t[0]) / (t.size - 1)


def runs(on: Flags, max_gap: int) -> Iterator[tuple[int, int]]:
    """Yield first and last step of each stretch; pauses of up to ``max_gap`` do not divide."""
    index = np.flatnonzero(on)
    if index.size:
        breaks = np.flatnonzero(np.diff(index) > max_gap + 1)
        firsts, lasts = np.append(0, breaks + 1), np.append(breaks, index.size - 1)
        yield from ((int(index[a]), int(index[b])) for a, b in zip(firsts, lasts, strict=True))


def between(t: Floats, first: int, last: int, step: float) -> Measured:
    """Return the middle between two steps, with half the way as its sigma."""
    first, last = max(first, 0), min(last, t.size - 1)
    half = 0.5 * float(t[last] - t[first])
    return Measured(float(t[first]) + half, max(half, step / UNIFORM), "s")
