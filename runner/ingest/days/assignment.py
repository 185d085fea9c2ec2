"""Assign pulses to shots by clock alone, without reading files.

A pulse belongs to a shot if part of it is within the tolerance of the shot's trigger. If it fits no
shot it stays unmatched; if it fits several, none gets it. Only the clocks decide: neither the order
of arrival nor an earlier assignment matters.
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
    """The assignment of the pulses of a log.

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
    """Return the assignment of pulses to shots by their triggers.

    Parameters
    ----------
    pulses : iterable of Pulse
        On the generator's clock.
    times : mapping of int to datetime
        Triggers by shot, local time.
    offset_s : float
        Shot time = generator time + this, s.
    tolerance_s : float
        Largest distance between a trigger and the closest part of a pulse, s.
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


def inside_rows(pulses: Iterable[Pulse], rows: Iterable[Rows]) -> Iterator[Pulse]:
    """Yield the parts of pulses inside some rows."""
    wanted = sorted(rows)
    for pulse in pulses:
        first, stop = pulse.rows
        for i, j in wanted:
            if max(first, i) < min(stop, j):
                yield pulse.part(max(first, i), min(stop, j))


def outside_rows(pulses: Iterable[Pulse], rows: Iterable[Rows]) -> Iterator[Pulse]:
    """Yield the parts of pulses outside some rows."""
    excluded = sorted(rows)
    for pulse in pulses:
        first, stop = pulse.rows
        for i, j in excluded:
            if first < min(i, stop):
                yield pulse.part(first, min(i, stop))
            first = max(first, j)
        if first < stop:
            yield pulse.part(first, stop)
