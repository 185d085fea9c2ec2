"""Step and start of samples, as properties or attributes of a file say: the same in every format.

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

Complain = Callable[[str], None]

SHORTEST_S, LONGEST_S = 1e-15, 1e9  # steps that somebody can have meant
LONGEST_UNIT = 100  # characters
WAVEFORM = ("wf_increment", "wf_start_offset", "wf_start_time", "wf_xunit_string", "wf_xname")
NAMES = (*WAVEFORM, "SampleTime", "Tstart", "sampling")


@dataclass(frozen=True, kw_only=True)
class Step:
    """What is said of the step and start of samples.

    Attributes
    ----------
    base : str
        The property that says it.
    dt : float
        Between two samples, in ``x_unit``.
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
        """The start where no absolute one is known."""
        return self.offset or self.t_start or 0.0


def stated_step(
    own: Mapping[str, Any], group: Mapping[str, Any], complain: Complain
) -> Step | None:
    """Return what the properties of a channel, or else of its group, say of its step and start."""
    t_start = _seconds("Tstart", own, group, complain)
    found = (
        _waveform(own, complain)
        or _sampled(own, complain)
        or _waveform(group, complain)
        or _sampled(group, complain)
    )
    if found is None or found.x_unit != "s":
        return found
    if found.offset and t_start is not None and abs(found.offset - t_start) > found.dt:
        complain(f"its wf_start_offset is {found.offset:g} s but Tstart {t_start:g} s, not used")
    return replace(found, t_start=None if found.offset else t_start)


def _waveform(own: Mapping[str, Any], complain: Complain) -> Step | None:
    value = own.get("wf_increment")
    if value is None:
        return None
    text = str(own.get("wf_xunit_string", "")).strip()
    unit, axis = time_unit(text or "s"), str(own.get("wf_xname", "")).strip()
    if not text and axis.casefold() not in ("", "time", "zeit"):
        complain(f"it lies along {one_line(axis)!r}, in no unit (wf_xunit_string)")
        return None

    def along_x(value: Any) -> float | None:
        number = stated_number(value)
        if unit is None:
            return number
        return stated_seconds(value) if number is None else unit.seconds(number)

    low, high = (SHORTEST_S, LONGEST_S) if unit else (1e-100, 1e100)
    step = along_x(value)
    if step is None or not low <= step <= high:
        complain(f"its wf_increment {shown(value)} is no step")
        return None
    offset = own.get("wf_start_offset", 0.0)
    start = along_x(offset)
    if start is None:
        complain(f"its wf_start_offset {shown(offset)} is no number: taken as 0")
    x_unit = "s" if unit else text[:LONGEST_UNIT]
    return Step(base="wf_increment", dt=step, x_unit=x_unit, offset=start or 0.0)


def _sampled(owner: Mapping[str, Any], complain: Complain) -> Step | None:
    step = _seconds("SampleTime", owner, {}, complain)
    if step is not None and not SHORTEST_S <= step <= LONGEST_S:
        complain(f"SampleTime {step:g} is no step")
        step = None
    value = owner.get("sampling")
    rate = stated_rate(value)
    if rate is not None and not 1 / LONGEST_S <= rate <= 1 / SHORTEST_S:
        rate = None
    if rate is None and value is not None:
        complain(f"sampling {shown(value)} is no rate in Hz")
    if step is not None:
        if rate is not None and abs(step * rate - 1.0) > 1e-3:
            complain(f"SampleTime says {step:g} s but sampling {rate:g} Hz, which is not used")
        return Step(base="SampleTime", dt=step)
    return None if rate is None else Step(base="sampling", dt=1.0 / rate)


def _seconds(
    name: str, own: Mapping[str, Any], group: Mapping[str, Any], complain: Complain
) -> float | None:
    value = own.get(name, group.get(name))
    seconds = stated_seconds(value)
    if value is not None and seconds is None:
        complain(f"{name} {shown(value)} is no number of seconds")
    return seconds


def from_a_date(
    step: Step, *, is_dated: bool, complain: Complain
) -> tuple[Step, dt.datetime | None]:
    """Return a step without a start that counts from 1904 or 1970, and the moment that it says.

    Parameters
    ----------
    is_dated : bool
        The moment is known already, and is not moved.
    """
    moment: dt.datetime | None = None
    for name, start in (("wf_start_offset", step.offset), ("Tstart", step.t_start or 0.0)):
        if abs(start) < LONG_S:
            continue
        number = moment_of_number(start, in_seconds=True)
        if number is None:
            complain(f"its {name} {start:.15g} s is no date that is read")
            continue
        if is_dated:
            complain(f"its {name} {start:.15g} s counts from a date: its wf_start_time counts")
        else:
            complain(f"its {name} {start:.15g} is taken for {number[1]}")
            moment, is_dated = number[0], True
        step = replace(step, offset=0.0) if start == step.offset else replace(step, t_start=None)
    return step, moment


def shown(value: Any) -> str:
    """Return a value of a file as a message can show it."""
    return one_line(repr(value))
