"""The times of TDMS channels, the first that a channel has:

1. in group ``S7``: its channel ``Time``, in ms, where it has the same length;
2. ``wf_increment`` and ``wf_start_offset`` of the channel;
3. ``SampleTime`` and ``Tstart`` of its group (``PXI M6251``, ``Tektronix``), or ``sampling`` in Hz;
4. a channel ``Time`` of the same length in its group, by its unit;
5. none: ``dt`` is 1 and ``time_base`` says ``samples``: sample numbers, not seconds.

Which one it was stands in the channel's property ``time_base``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import apply_scale
from runner.ingest.context import Context
from runner.ingest.tdms_blocks import TdmsMetadata
from runner.ingest.tdms_objects import Channel, Objects, kind_of
from runner.ingest.tdms_scale import scale_of

LONGEST_CLOCK = 1 << 21  # samples of a Time channel that are held in memory
SECONDS = {"s": 1.0, "ms": 1e3, "us": 1e6, "µs": 1e6, "ns": 1e9, "min": 1 / 60, "h": 1 / 3600}
CLOCK_UNITS = {"S7": "ms"}  # groups whose Time channel is their clock, whatever else they state


@dataclass(frozen=True, kw_only=True)
class TimeBase:
    name: str
    t0: float = 0.0
    dt: float | None = None
    time: Channel | None = None
    per_second: float = 1.0


def time_base_of(channel: Channel, objects: Objects, context: Context) -> TimeBase:
    stated = _stated_times(channel, objects)
    clock, complaint = _clock_of(channel, objects)
    if clock is not None and (stated is None or channel.group in CLOCK_UNITS):
        return clock
    if stated is not None:
        return stated
    if complaint:
        context.note(f"{complaint}: {channel.stored} is stored by sample number")
    return TimeBase(name="samples", dt=1.0)


def _stated_times(channel: Channel, objects: Objects) -> TimeBase | None:
    """Return what the properties of the channel, or else of its group, say."""
    own, group = channel.properties, objects.groups[channel.group]
    if dt := _positive(own.get("wf_increment")):
        return TimeBase(name="wf_increment", t0=_finite(own.get("wf_start_offset")), dt=dt)
    if dt := _positive(group.get("SampleTime")):
        return TimeBase(name="SampleTime", t0=_finite(group.get("Tstart")), dt=dt)
    if rate := _positive(group.get("sampling")):
        return TimeBase(name="sampling", t0=_finite(group.get("Tstart")), dt=1.0 / rate)
    return None


def _clock_of(channel: Channel, objects: Objects) -> tuple[TimeBase | None, str]:
    """Return the times that a Time channel of the group gives, or why it cannot."""
    time = objects.channels.get((channel.group, "Time"))
    if time is None or time.scalers or kind_of(time) != "number":
        return None, ""
    unit = str(time.properties.get("unit_string", "")) or CLOCK_UNITS.get(time.group, "")
    if time.n != channel.n:
        return None, f"{channel.stored} has {channel.n} values but {time.stored} {time.n}"
    if unit not in SECONDS:
        return None, f"{time.stored} has the unit {unit!r}, which is no time"
    return TimeBase(name=time.stored, time=time, per_second=SECONDS[unit]), ""


class Clocks:
    """Times of the Time channels: a short one is read once, a long one along with each user."""

    def __init__(self, metadata: TdmsMetadata, objects: Objects) -> None:
        self._metadata, self._objects = metadata, objects
        self._short: dict[str, NDArray[np.float64]] = {}

    def seconds(self, time: Channel, per_second: float) -> Iterator[NDArray[np.float64]]:
        """Yield the values of a Time channel in s, in constant memory."""
        if time.n > LONGEST_CLOCK:
            return self._stream(time, per_second)
        if time.path not in self._short:
            parts = list(self._stream(time, per_second))
            self._short[time.path] = np.concatenate([*parts, np.empty(0)])
        return iter([self._short[time.path]])

    def _stream(self, time: Channel, per_second: float) -> Iterator[NDArray[np.float64]]:
        levels = (time.properties, self._objects.groups[time.group], self._objects.file)
        scale, _ = scale_of(time.stored, *levels)
        for block in self._metadata.blocks(only=time.path):
            yield apply_scale(block.values, scale) / per_second


def _positive(value: Any) -> float | None:
    number = _finite(value)
    return number if number > 0 else None


def _finite(value: Any) -> float:
    if isinstance(value, int | float | np.number) and np.isfinite(value):
        return float(value)
    return 0.0
