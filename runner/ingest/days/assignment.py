"""Which pulse belongs to which shot: clocks and rows alone, no files.

A pulse belongs to a shot if some of it lies within the tolerance of the shot's trigger. If it fits
none it waits; if it fits several it belongs to nobody. Only the clocks count: not what came first,
nor to whom a pulse was given when less was known.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from runner.ingest.generatorlog.generatorlog_converter import Pulse

Rows = tuple[int, int]
"""First row and the one after the last."""


@dataclass(frozen=True, kw_only=True)
class Assignment:
    """What becomes of the pulses of a log.

    Attributes
    ----------
    given : dict of int to list of Pulse
        By shot, in the order of the log.
    unmatched : list of Pulse
        Those that fit no shot.
    ambiguous : list of (Pulse, list of int)
        Those that fit several, with the shots.
    """

    given: dict[int, list[Pulse]] = field(default_factory=dict)
    unmatched: list[Pulse] = field(default_factory=list)
    ambiguous: list[tuple[Pulse, list[int]]] = field(default_factory=list)


def assign(
    pulses: Iterable[Pulse],
    times: Mapping[int, dt.datetime],
    *,
    offset_s: float,
    tolerance_s: float,
) -> Assignment:
    """Return what becomes of pulses, by the triggers of shots.

    Parameters
    ----------
    pulses : iterable of Pulse
        By the generator's clock.
    times : mapping of int to datetime
        Triggers by shot, local time.
    offset_s : float
        Shot time = generator time + this, s.
    tolerance_s : float
        So near a trigger must some of a pulse lie, s.
    """
    found = Assignment()
    offset, tolerance = dt.timedelta(seconds=offset_s), dt.timedelta(seconds=tolerance_s)
    for pulse in pulses:
        start, end = pulse.start + offset, pulse.end + offset
        shots = [s for s, t in sorted(times.items()) if start - tolerance <= t <= end + tolerance]
        if not shots:
            found.unmatched.append(pulse)
        elif len(shots) > 1:
            found.ambiguous.append((pulse, shots))
        else:
            found.given.setdefault(shots[0], []).append(pulse)
    return found


def within(pulses: Iterable[Pulse], rows: Iterable[Rows]) -> Iterator[Pulse]:
    """Yield the parts of pulses that lie in some rows."""
    wanted = sorted(rows)
    for pulse in pulses:
        first, stop = pulse.rows
        for i, j in wanted:
            if max(first, i) < min(stop, j):
                yield pulse.part(max(first, i), min(stop, j))


def without(pulses: Iterable[Pulse], rows: Iterable[Rows]) -> Iterator[Pulse]:
    """Yield what is left of pulses without some rows."""
    taken = sorted(rows)
    for pulse in pulses:
        first, stop = pulse.rows
        for i, j in taken:
            if first < min(i, stop):
                yield pulse.part(first, min(i, stop))
            first = max(first, j)
        if first < stop:
            yield pulse.part(first, stop)
