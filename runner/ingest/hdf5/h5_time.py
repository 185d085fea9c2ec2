"""The axis of the samples of an HDF5 dataset, the first available of:

1. a dimension scale (HDF5, netCDF) with a unit;
2. ``wf_increment`` of the dataset, ``SampleTime`` or ``sampling`` (Hz) of it or of its group;
3. a dataset ``Time`` of the same length in its group, by its unit: minutes in ``Generator`` and ms
   in ``S7``, where it states none;
4. nothing: samples are only counted.

Times that count from a date begin where the shot does, or say when it did.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5o, h5r

from runner.ingest.context import Context
from runner.ingest.hdf5.h5_attributes import Attributes, one_text, single
from runner.ingest.hdf5.h5_clock import Clock
from runner.ingest.hdf5.h5_errors import Notes, Omitted, reading
from runner.ingest.hdf5.h5_shot import moment_of
from runner.ingest.hdf5.h5_storage import Values
from runner.ingest.hdf5.h5_structure import Contents, Found
from runner.ingest.hdf5.h5_units import PlaceUnit, place_unit, reference
from runner.ingest.hdf5.h5_values import UNITS
from runner.ingest.parsing.dates import iso
from runner.ingest.parsing.stated_moments import FARTHEST, LONG_S, moment_of_number
from runner.ingest.parsing.stated_steps import NAMES, shown, split_absolute_start, stated_step

GROUP_UNITS = {"Generator": "min", "S7": "ms"}
MAX_COLUMNS = 256
CLEARLY_LONGER = 8  # times: then the longer axis is that of the samples
EARLIEST = 1990
_TIME_NAME = re.compile(
    r"(?:time|zeit)\s*(?:[\[(](?P<a>[^\])]+)[\])]|_(?P<b>[mun]?s|min|h))?", re.I
)
_NO_COORDINATE = "This is a netCDF dimension but not a netCDF variable"


@dataclass(kw_only=True)
class Axis:
    """The places of samples: ``t0`` and ``step``, or a clock; ``moment``: of the first."""

    base: str
    t0: float = 0.0
    step: float = 1.0
    x_unit: str = "s"
    clock: Clock | None = None
    moment: tuple[dt.datetime, Fraction] | None = None

    def places(self, start: int, stop: int) -> Any:
        """Return the places of samples."""
        if self.clock is not None:
            return self.clock.places(start, stop) + self.t0
        return self.t0 + self.step * np.arange(start, stop, dtype=np.float64)


class Axes:
    """Finds the axes of all datasets of a file.

    Parameters
    ----------
    values_of : callable
        Opens the values of a dataset.
    date : datetime or None
        What the file states, local time; ``date_is_local``: it was stated without a zone.
    """

    def __init__(
        self,
        contents: Contents,
        values_of: Callable[[Found], Values],
        context: Context,
        notes: Notes,
        *,
        date: dt.datetime | None,
        date_is_local: bool,
    ) -> None:
        self._contents, self._values_of = contents, values_of
        self._context, self._notes = context, notes
        self._date, self._date_is_local = date, date_is_local
        self._clocks: dict[int, Axis | str] = {}
        self._absolute: list[Axis] = []

    def lay(self, found: Found, shape: tuple[int, ...]) -> tuple[int, int | None, Axis]:
        """Return the axis of the samples, how many values each has (None: one), and where they lie.

        Raises
        ------
        Omitted
            It cannot be told which axis is that of the samples.
        """
        long = [i for i, n in enumerate(shape) if n != 1]
        if len(long) <= 1:
            i = long[0] if long else 0
            return i, None, self._axis(found, i, shape[i])
        stated = [i for i in long if self._own_places(found, i, shape[i])]
        stated = stated or [i for i in long if any(self._times(found, shape[i]))]
        if len(long) > 2 or (len(stated) != 1 and not _is_longer(shape, long)):
            raise Omitted(f"{found.path} has the shape {shape} and is not stored")
        i = stated[0] if len(stated) == 1 else max(long, key=lambda k: shape[k])
        n_columns = max(shape[k] for k in long if k != i)
        if n_columns > MAX_COLUMNS:
            raise Omitted(f"{found.path} has the shape {shape} and is not stored")
        self._notes.add(
            f"{found.path} has the shape {shape}: its {shape[i]} samples are stored as "
            f"{n_columns} channels {found.path}.0 …"
        )
        return i, n_columns, self._axis(found, i, shape[i])

    def settle(self) -> None:
        """Shift the axes that begin at a moment to the shot's clock, once all are known."""
        if not self._absolute:
            return
        moments = [axis.moment for axis in self._absolute if axis.moment is not None]
        zero = self._date
        if zero is None:
            zero = min(moments)[0]
            self._context.attributes["date"] = iso(zero)
            self._notes.add(f"the shot's date {iso(zero)} is that of the first sample")
        for axis in self._absolute:
            assert axis.moment is not None
            moment, rest = axis.moment
            if abs(moment - zero) > FARTHEST:
                self._notes.add(
                    f"{axis.base} begins at {iso(moment)}, but the file's date is {iso(zero)}: "
                    "its times are counted from its first sample"
                )
                continue
            axis.t0 += float(
                Fraction((moment - zero) // dt.timedelta(microseconds=1), 10**6) + rest
            )

    def _axis(self, found: Found, i: int, n: int) -> Axis:
        for candidate in self._own_places(found, i, n):
            scale = self._from_clock(*candidate)
            if isinstance(scale, Axis):
                return scale
            self._notes.add(f"{scale}: {found.path} is stored by sample number or by its rate")
        if (stated := self._stated(found)) is not None:
            return stated
        if (axis := self._from_time(found, n)) is not None:
            return axis
        for other in self._scales(found, i):
            if other is not found and _unit_of(other) is None:
                self._notes.add(
                    f"{other.path} does not state its unit: {found.path} is stored by sample number"
                )
            elif other is not found and _length(other) != n:
                self._notes.add(
                    f"{found.path} has {n} values along its scale {other.path} of "
                    f"{_length(other)}: it is stored by sample number"
                )
        return Axis(base="samples", x_unit="")

    # 1. dimension scales

    def _own_places(self, found: Found, i: int, n: int) -> list[tuple[Found, PlaceUnit]]:
        """Return the scales of an axis with a unit."""
        return [
            (scale, unit)
            for scale in self._scales(found, i)
            if _length(scale) == n and (unit := _unit_of(scale)) is not None
        ]

    def _scales(self, found: Found, i: int) -> Iterator[Found]:
        if one_text(found.attributes.get("CLASS")) == "DIMENSION_SCALE":
            yield found
        try:
            with reading("it"):
                if not h5a.exists(found.id, b"DIMENSION_LIST"):
                    return
                attribute = h5a.open(found.id, b"DIMENSION_LIST")
                if attribute.shape != (found.id.rank,):
                    raise ValueError("not one list for each axis")
                references = list(h5py.Dataset(found.id).attrs[b"DIMENSION_LIST"][i])
                items = [h5r.dereference(r, self._contents.file) for r in references if r]
                places = [h5o.get_info(item).addr for item in items if item is not None]
        except Exception:  # an unreadable scale is ignored
            self._notes.add(f"the dimension scales of {found.path} cannot be read")
            return
        for place in places:
            if (scale := self._contents.at(place)) is not None and is_coordinate(scale):
                yield scale

    # 2. attributes

    def _stated(self, found: Found) -> Axis | None:
        """Read the step from the attributes of a dataset, or else of its group."""
        own = _known(found.attributes)
        group = _known(self._contents.groups.get(found.group, {}))

        def warn(text: str) -> None:
            self._notes.add(f"{found.path}: {text}")

        step = stated_step(own, group, warn)
        if step is None:
            return None
        if step.x_unit != "s":
            return Axis(base=step.base, t0=step.offset, step=step.dt, x_unit=step.x_unit)
        start = self._start_time(found, own.get("wf_start_time", group.get("wf_start_time")))
        step, date = split_absolute_start(step, is_dated=start is not None, warn=warn)
        start = start if date is None else date
        axis = Axis(base=step.base, t0=step.relative, step=step.dt)
        if start is None:
            return axis
        if step.t_start is not None:
            if step.base != "wf_increment":
                warn("it has a wf_start_time and a Tstart: Tstart counts")
                return axis
            warn("it has a wf_start_time and a Tstart, which is not used")
            axis.t0 = step.offset
        self._begins(axis, start, Fraction(0))
        return axis

    def _start_time(self, found: Found, value: Any) -> dt.datetime | None:
        """Return the moment of a ``wf_start_time``; 0 means that it was never set."""
        if value is None or value in ("", 0):
            return None
        start = moment_of(value, "", f"{found.path}: its wf_start_time", self._notes)
        if start is None:
            self._notes.add(
                f"{found.path}: its wf_start_time {shown(value)} is not a date: it is ignored"
            )
        return start

    # 3. a dataset of times

    def _times(self, found: Found, n: int) -> Iterator[tuple[Found, PlaceUnit]]:
        """Yield the datasets of a group with n times and a unit."""
        for time, unit in self._named_times(found):
            if unit is not None and _length(time) == n:
                yield time, unit

    def _named_times(self, found: Found) -> Iterator[tuple[Found, PlaceUnit | None]]:
        for name, time in self._contents.in_group(found.group):
            match = _TIME_NAME.fullmatch(name)
            if match is not None and _length(time) is not None:
                group = found.group.rpartition("/")[2]
                in_name = match["a"] or match["b"] or GROUP_UNITS.get(group, "")
                yield time, _unit_of(time) or (place_unit(in_name) if in_name else None)

    def _from_time(self, found: Found, n: int) -> Axis | None:
        problems: list[str] = []
        for time, unit in self._named_times(found):
            length = _length(time)
            if length != n:
                problems.append(f"{found.path} has {n} values but {time.path} {length}")
            elif unit is None:
                problems.append(f"{time.path} does not state its unit")
            else:
                axis = self._from_clock(time, unit)
                if isinstance(axis, Axis):
                    return axis
                problems.append(axis)
        for problem in problems:
            self._notes.add(f"{problem}: {found.path} is stored by sample number")
        return None

    def _from_clock(self, time: Found, unit: PlaceUnit) -> Axis | str:
        """Return the axis from a dataset of places, or the reason why there is none."""
        if time.address not in self._clocks:
            self._clocks[time.address] = self._made(time, unit)
        return self._clocks[time.address]

    def _made(self, time: Found, unit: PlaceUnit) -> Axis | str:
        try:
            zero = reference(unit.since, time.attributes) if unit.since else None
            clock = self._clock(time, unit, from_first=zero is not None)
            axis = Axis(base=time.path, x_unit=unit.x_unit, clock=clock)
            if zero is not None:
                if zero.tzinfo is None and not self._date_is_local:
                    zero = zero.replace(tzinfo=dt.UTC)
                    self._notes.add(f"{time.path} counts from {unit.since}, read as UTC")
                self._begins(axis, zero, clock.first_s())
            elif unit.since:
                self._notes.add(
                    f"{time.path} counts from {unit.since!r}, which is not a date: 0 is assumed"
                )
            elif unit.per_second and _length(time):
                clock = self._from_a_date(time, unit, axis)
        except Omitted as error:
            return f"{time.path} has no times ({error})"
        if clock.steps_back:
            self._notes.add(f"the times of {time.path} step back {clock.steps_back} times")
        return axis

    def _from_a_date(self, time: Found, unit: PlaceUnit, axis: Axis) -> Clock:
        """Convert times that count from 1904 or 1970 to a moment; keep the others."""
        assert axis.clock is not None
        assert unit.per_second is not None
        first = float(axis.clock.places(0, 1)[0])
        if abs(first) < LONG_S:
            return axis.clock
        axis.clock = self._clock(time, unit, from_first=True)
        # minutes, hours and days count from somewhere else
        found = moment_of_number(first, in_seconds=True) if unit.per_second >= 1 else None
        if found is None:
            self._notes.add(
                f"{time.path} begins at {first:.15g} s, which is not a known date: its times "
                "are counted from its first one"
            )
        else:
            self._notes.add(f"{time.path}: its first time {first!r} is read as {found[1]}")
            self._begins(axis, found[0], Fraction(0))
        return axis.clock

    def _clock(self, time: Found, unit: PlaceUnit, *, from_first: bool) -> Clock:
        values = self._values_of(time)
        long = [i for i, n in enumerate(values.shape) if n != 1]
        if len(long) == 1:
            values.select_axis(long[0])
        return Clock(time, values, unit, self._notes, from_first=from_first)

    def _begins(self, axis: Axis, reference: dt.datetime, after: Fraction) -> None:
        """Record the moment of an axis' first sample, as local time."""
        micro = after * 10**6
        try:
            moment = reference + dt.timedelta(microseconds=int(micro // 1))
            if moment.tzinfo is not None:
                moment = dt.datetime.fromisoformat(self._context.local(moment))
        except (OverflowError, ValueError, OSError):
            self._notes.add(
                f"{axis.base} begins at an impossible date: counted from its first sample"
            )
            return
        if moment.year < EARLIEST:  # a clock that was never set
            return
        axis.moment = (moment, (micro - micro // 1) / 10**6)
        self._absolute.append(axis)


def _is_longer(shape: tuple[int, ...], long: list[int]) -> bool:
    a, b = sorted(shape[i] for i in long[:2])
    return b >= CLEARLY_LONGER * a


def _length(found: Found) -> int | None:
    """Return the number of values of a one-dimensional dataset; None for others."""
    shape = found.id.shape
    if not shape or sum(n != 1 for n in shape) > 1:
        return None
    return int(np.prod(shape, dtype=np.int64))


def _unit_of(found: Found) -> PlaceUnit | None:
    named = {name.casefold(): value for name, value in found.attributes.items()}
    text = next((t for key in UNITS if (t := one_text(named.get(key)))), "")
    return place_unit(text) if text not in ("", "1") else None


def is_coordinate(scale: Found) -> bool:
    """Return whether a dataset has values, and is not only a netCDF dimension."""
    return not one_text(scale.attributes.get("NAME")).startswith(_NO_COORDINATE)


def _known(attributes: Attributes) -> dict[str, Any]:
    """Return the attributes for steps and starts, with names in any case."""
    named = {name.casefold(): single(value) for name, value in attributes.items()}
    return {name: named[name.casefold()] for name in NAMES if name.casefold() in named}
