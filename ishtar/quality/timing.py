"""Checks of the times in a shot: gaps, trigger, coverage, and whether recorders agree.

A recorder that drops samples does not report it: everything after a gap is too early by its own
time base. Another recorder's view of the same event reveals it, and so does a record that is too
short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import TimeBaseError
from ishtar.quality.findings import Finding, Severity

__all__ = ["Pulse", "clocks", "coverage", "gaps", "pulse_of", "trigger"]

Floats = NDArray[np.float64]
GAP = 1.5  # in usual steps: a longer step means a missing sample
FEW = 0.05  # share of missing samples that is normal for a slow recorder


def gaps(where: str, times: ArrayLike) -> list[Finding]:
    """Return findings on missing samples and on times that do not increase.

    Parameters
    ----------
    where : str
        The channel or group.
    times : (n,) array_like, s
        Times of an irregularly sampled channel.
    """
    t = np.asarray(times, float)
    if t.size < 3:
        return []
    steps = np.diff(t)
    found = []
    back = np.flatnonzero(~(steps >= 0.0))  # NaN too
    if back.size:
        text = (
            f"its times do not run forward, {back.size} times, first at sample {back[0] + 1}: "
            "samples cannot be selected by time"
        )
        found.append(
            Finding(
                kind="backwards",
                severity=Severity.BAD,
                where=where,
                text=text,
                share=back.size / t.size,
            )
        )
    forward = steps[steps > 0.0]
    usual = float(np.median(forward)) if forward.size else 0.0
    wide = steps[steps > GAP * usual] if usual > 0.0 else steps[:0]
    if wide.size:
        missing = int(np.sum(np.round(wide / usual) - 1))
        share = missing / (t.size + missing)
        after = float(t[int(np.nanargmax(steps))])
        text = (
            f"{max(missing, 1)} samples are missing in {wide.size} gaps, the longest of "
            f"{wide.max():.3g} s after {after:.4g} s; usual steps are {usual:.3g} s"
        )
        severity = Severity.NOTE if share <= FEW else Severity.SUSPECT
        found.append(Finding(kind="gaps", severity=severity, where=where, text=text, share=share))
    return found


def trigger(where: str, edges: tuple[float, float], step: float, end: float) -> list[Finding]:
    """Return findings unless the trigger rises at 0 s and falls before the record ends.

    Parameters
    ----------
    where : str
        The channel.
    edges : (float, float)
        Times of its rise and fall, s; NaN for a missing edge.
    step : float
        Sampling interval, s.
    end : float
        End of the record, s.
    """
    rise, fall = edges

    def finding(text: str) -> Finding:
        return Finding(kind="trigger", severity=Severity.BAD, where=where, text=text, share=1.0)

    if np.isnan(rise):
        return [finding("the trigger does not rise in this record: its t = 0 means nothing")]
    found = []
    if abs(rise) > 2 * step:
        text = f"the trigger rises at {rise:.6g} s by this record's own clock, not at 0 s"
        found.append(finding(f"{text}: all its times are off by that"))
    if np.isnan(fall):
        found.append(finding(f"the record ends at {end:.4g} s, with the trigger still up"))
    return found


@dataclass(frozen=True, kw_only=True)
class Pulse:
    """A pulse at half of its height.

    Parameters
    ----------
    on, off : float
        First rise and last fall through half of the maximum, s.
    step : float
        Sampling interval, s.
    """

    on: float
    off: float
    step: float


def pulse_of(times: ArrayLike, values: ArrayLike, *, floor: float = 0.0) -> Pulse | None:
    """Return first rise and last fall through half of the maximum.

    Times between two samples are interpolated. A record that begins or ends above half has its
    edge at its first or last sample.

    Parameters
    ----------
    times : (n,) array_like, s
        Times of the samples.
    values : (n,) array_like
        Samples, in any unit.
    floor : float
        A maximum up to this, in the unit of ``values``, is not a pulse.

    Returns
    -------
    Pulse or None
        None if there is no pulse.

    Raises
    ------
    TimeBaseError
        Times and values differ in shape.
    """
    t, x = np.asarray(times, float), np.asarray(values, float)
    if t.ndim != 1 or t.shape != x.shape:
        raise TimeBaseError(
            f"times have shape {t.shape}, values {x.shape}: give one time for each value"
        )
    if t.size < 2 or not np.nanmax(x, initial=-np.inf) > floor:
        return None
    half = 0.5 * float(np.nanmax(x))
    above = np.flatnonzero(x > half)
    first, last = int(above[0]), int(above[-1])

    def crossing(low: int, high: int) -> float:
        if not 0 <= low < t.size:
            return float(t[high])
        return float(t[low] + (half - x[low]) / (x[high] - x[low]) * (t[high] - t[low]))

    return Pulse(
        on=crossing(first - 1, first),
        off=crossing(last + 1, last),
        step=float(np.median(np.diff(t))),
    )


def clocks(name: str, pulse: Pulse, other_name: str, other: Pulse) -> Finding | None:
    """Return a finding if two recorders saw a pulse at different times, else None.

    Parameters
    ----------
    name, other_name : str
        Names of the records, for the text.
    pulse, other : Pulse
        The same pulse in both; they may differ by 1.5 of the longer sampling interval.
    """
    off_by = pulse.on - other.on, pulse.off - other.off
    tolerance = 1.5 * max(pulse.step, other.step)
    if max(map(abs, off_by)) <= tolerance:
        return None
    text = (
        f"by {name} the pulse begins {_shift(off_by[0])} and ends {_shift(off_by[1])} than by "
        f"{other_name} (they resolve {tolerance:.2g} s): "
    )
    if abs(off_by[0]) <= tolerance:
        text += f"{name} lost samples in between, or its record is cut off"
    elif abs(off_by[0] - off_by[1]) <= tolerance:
        text += "one of the two clocks is wrong"
    else:
        text += "they did not see the same pulse"
    return Finding(kind="clocks", severity=Severity.BAD, where=name, text=text, share=1.0)


def coverage(where: str, span: tuple[float, float], busy: tuple[float, float]) -> list[Finding]:
    """Return findings unless a record begins before the trigger and covers the discharge.

    Parameters
    ----------
    where : str
        The group.
    span : (float, float)
        First and last time of the record, s.
    busy : (float, float)
        First and last time of activity in the shot, s; NaN if unknown.
    """
    found = []
    start, end = span
    if end < busy[0] or start > busy[1]:
        text = f"the record, {start:.4g} … {end:.4g} s, is outside the discharge"
        return [Finding(kind="coverage", severity=Severity.BAD, where=where, text=text, share=1.0)]
    if end < busy[1]:
        lost = (busy[1] - end) / (busy[1] - busy[0])
        text = f"the record ends at {end:.4g} s, the discharge at {busy[1]:.4g} s"
        found.append(
            Finding(kind="coverage", severity=Severity.BAD, where=where, text=text, share=lost)
        )
    if start > 0.0:
        text = f"the record begins at {start:.4g} s, after the trigger: it has no quiet time"
        found.append(Finding(kind="coverage", severity=Severity.SUSPECT, where=where, text=text))
    return found


def _shift(seconds: float) -> str:
    return f"{abs(seconds):.3g} s {'later' if seconds > 0 else 'earlier'}"
