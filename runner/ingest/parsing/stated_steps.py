"""Step and start of samples from the properties or attributes of a file, for every format.

``wf_increment`` and ``wf_start_offset`` in ``wf_xunit_string``; else ``SampleTime`` and ``Tstart``,
or ``sampling`` in Hz, of the channel or its group. Numbers may be text.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from runner.ingest.ingest_errors import one_line
from runner.ingest.parsing.stated_moments import LONG_S, moment_of_number
from runner.ingest.parsing.stated_numbers import (
    stated_number,
    stated_rate,
    stated_seconds,
    time_unit,
)

Warn = Callable[[str], None]

SHORTEST_S, LONGEST_S = 1e-15, 1e9  # plausible steps
LONGEST_UNIT = 100  # characters
WAVEFORM = ("wf_increment", "wf_start_offset", "wf_start_time", "wf_xunit_string", "wf_xname")
NAMES = (*WAVEFORM, "SampleTime", "Tstart", "sampling")


@dataclass(frozen=True, kw_only=True)
class Step:
    """The stated step and start of samples.

    Attributes
    ----------
    base : str
        The property that states the step.
    dt : float
        Step between two samples, in ``x_unit``.
    offset : float
        ``wf_start_offset``, in ``x_unit``.
    t_start : float or None
        ``Tstart``, s.
    """

    base: str
    dt: float
    x_unit: str = "s"
    offset: float = 0.0
    t_start: float | None = None

    @property
    def relative(self) -> float:
        """The start if no absolute one is known."""
        return self.offset or self.t_start or 0.0


def stated_step(own: Mapping[str, Any], group: Mapping[str, Any], warn: Warn) -> Step | None:
    """Return the step and start stated by the properties of a channel, or else of its group."""
    t_start = _seconds("Tstart", own, group, warn)
    found = (
        _waveform_step(own, warn)
        or _sampling_step(own, warn)
        or _waveform_step(group, warn)
        or _sampling_step(group, warn)
    )
    if found is None or found.x_unit != "s":
        return found
    if found.offset and t_start is not None and abs(found.offset - t_start) > found.dt:
        warn(f"its wf_start_offset is {found.offset:g} s but Tstart {t_start:g} s is ignored")
    return replace(found, t_start=None if found.offset else t_start)


def _waveform_step(own: Mapping[str, Any], warn: Warn) -> Step | None:
    value = own.get("wf_increment")
    if value is None:
        return None
    text = str(own.get("wf_xunit_string", "")).strip()
    unit, axis = time_unit(text or "s"), str(own.get("wf_xname", "")).strip()
    if not text and axis.casefold() not in ("", "time", "zeit"):
        warn(f"its x axis {one_line(axis)!r} has no unit (wf_xunit_string)")
        return None

    def along_x(value: Any) -> float | None:
        number = stated_number(value)
        if unit is None:
            return number
        return stated_seconds(value) if number is None else unit.seconds(number)

    low, high = (SHORTEST_S, LONGEST_S) if unit else (1e-100, 1e100)
    step = along_x(value)
    if step is None or not low <= step <= high:
        warn(f"its wf_increment {shown(value)} is not a valid step")
        return None
    offset = own.get("wf_start_offset", 0.0)
    start = along_x(offset)
    if start is None:
        warn(f"its wf_start_offset {shown(offset)} is not a number: 0 is assumed")
    x_unit = "s" if unit else text[:LONGEST_UNIT]
    return Step(base="wf_increment", dt=step, x_unit=x_unit, offset=start or 0.0)


def _sampling_step(owner: Mapping[str, Any], warn: Warn) -> Step | None:
    step = _seconds("SampleTime", owner, {}, warn)
    if step is not None and not SHORTEST_S <= step <= LONGEST_S:
        warn(f"SampleTime {step:g} is not a valid step")
        step = None
    value = owner.get("sampling")
    rate = stated_rate(value)
    if rate is not None and not 1 / LONGEST_S <= rate <= 1 / SHORTEST_S:
        rate = None
    if rate is None and value is not None:
        warn(f"sampling {shown(value)} is not a rate in Hz")
    if step is not None:
        if rate is not None and abs(step * rate - 1.0) > 1e-3:
            warn(f"SampleTime is {step:g} s but sampling {rate:g} Hz is ignored")
        return Step(base="SampleTime", dt=step)
    return None if rate is None else Step(base="sampling", dt=1.0 / rate)


def _seconds(
    name: str, own: Mapping[str, Any], group: Mapping[str, Any], warn: Warn
) -> float | None:
    value = own.get(name, group.get(name))
    seconds = stated_seconds(value)
    if value is not None and seconds is None:
        warn(f"{name} {shown(value)} is not a time in s")
    return seconds


def split_absolute_start(
    step: Step, *, is_dated: bool, warn: Warn
) -> tuple[Step, dt.datetime | None]:
    """Return a step without a start that counts from 1904 or 1970, and the moment of that start.

    Parameters
    ----------
    is_dated : bool
        The moment is known already, and stays.
    """
    moment: dt.datetime | None = None
    for name, start in (("wf_start_offset", step.offset), ("Tstart", step.t_start or 0.0)):
        if abs(start) < LONG_S:
            continue
        number = moment_of_number(start, in_seconds=True)
        if number is None:
            warn(f"its {name} {start:.15g} s is not a known date")
            continue
        if is_dated:
            warn(f"its {name} {start:.15g} s is a date: its wf_start_time is used instead")
        else:
            warn(f"its {name} {start:.15g} is read as {number[1]}")
            moment, is_dated = number[0], True
        step = replace(step, offset=0.0) if start == step.offset else replace(step, t_start=None)
    return step, moment


def shown(value: Any) -> str:
    """Return a value of a file, shortened and printable for a message."""
    return one_line(repr(value))
