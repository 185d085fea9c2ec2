"""Records of a swept probe: its ramps at a time, the background, the limits of the recorder."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import TimeBaseError
from ishtar.langmuir import Sweeps, find_sweeps
from ishtar.units import factor

if TYPE_CHECKING:
    from ishtar.langmuir import Background
    from ishtar.signals.protocols import RecordedSignal

Quiet = tuple[float, float] | Literal["before"] | None
MARGIN_S = 0.05  # read on both sides of a time, so that its first and last ramps are complete
MAX_RAMP_S = 5.0  # longest ramp searched for
MIN_QUIET_S = 0.05  # of record before the trigger, to determine the background from


def ramps_at(
    bias: RecordedSignal, t: tuple[float, float] | None, to_volts: float
) -> tuple[slice, Sweeps]:
    """Return the slice to read around a time, and its ramps whose middles are in that time.

    For a single time, all ramps of the slice.
    """
    dt, margin = bias.dt or math.nan, MARGIN_S
    while True:
        part = slice(None) if t is None else slice(t[0] - margin, t[1] + margin)
        near = bias[part]
        if not near.n:
            when = "any time" if t is None else f"{t[0]:g} s"
            raise TimeBaseError(
                f"{bias.name} has no sample at {when}: its record runs from {bias.t0:.4g} to "
                f"{bias.t0 + dt * bias.n:.4g} s, choose a time in it"
            )
        ramps = find_sweeps(near.values() * to_volts, dt, t0=near.t0)
        # a ramp may be cut at either end; a margin of two ramps keeps the wanted ones complete
        complete = len(ramps) and 2.0 * longest(ramps) <= margin
        if complete or near.n == bias.n or margin > MAX_RAMP_S:
            break
        margin *= 4.0
    if t is None or t[0] == t[1]:
        return part, ramps
    start, stop = t
    return part, _selected(ramps, (ramps.time >= start) & (ramps.time < stop))


def background_from(bias: RecordedSignal, current: RecordedSignal, quiet: Quiet) -> Background:
    """Return offset, leakage and capacitance in V and A from a time without plasma."""
    from ishtar.langmuir import Background, SweepError
    from ishtar.langmuir.background import background_of

    if quiet == "before":
        quiet = (bias.t0, 0.0) if bias.t0 <= -MIN_QUIET_S else None
    if quiet is None:
        return Background()
    if isinstance(quiet, str):
        raise SweepError(f"quiet={quiet!r} is invalid: give (from, until) in s, 'before' or None")
    volts, amperes = (s[float(quiet[0]) : float(quiet[1])].values() for s in (bias, current))
    scaled = volts * factor(bias.unit, "V"), amperes * factor(current.unit, "A")
    return background_of(*scaled, dt=bias.dt or math.nan)


def recorder_limits(
    current: RecordedSignal, amperes: NDArray[np.float64]
) -> tuple[float, float] | None:
    """Return the lowest and highest current of the recorder, A, if the record reaches either.

    These are the limits of the recorded integers, such as 16 bits. A recorder that stores fewer
    bits in such integers never reaches them, and its limits are unknown.
    """
    counts = np.asarray(current.raw().values)
    if counts.dtype.kind not in "iu" or not counts.size:
        return None
    info = np.iinfo(counts.dtype)
    touched = amperes[(counts == info.min) | (counts == info.max)]
    if not touched.size:
        return None
    inside = float(np.median(amperes))
    low, high = touched[touched < inside], touched[touched >= inside]
    return (
        float(low.max()) if low.size else -math.inf,
        float(high.min()) if high.size else math.inf,
    )


def _selected(ramps: Sweeps, mask: NDArray[np.bool_]) -> Sweeps:
    return Sweeps(
        start=ramps.start[mask],
        stop=ramps.stop[mask],
        direction=ramps.direction[mask],
        t0=ramps.t0,
        dt=ramps.dt,
    )


def longest(ramps: Sweeps) -> float:
    """Return the duration of the longest ramp, s."""
    return float((ramps.stop - ramps.start).max()) * ramps.dt
