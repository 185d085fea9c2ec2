"""Where the samples of a signal come from: a channel of a file, a calibrated channel, a formula.

Each has the same members; `ishtar.signal.Signal` adds what a user sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ishtar.calibration import Calibration
from ishtar.calibration.expression import evaluate
from ishtar.calibration.transforms import QuietOffset, Transform
from ishtar.errors import TimeBaseError, UnitError
from ishtar.extremes import (
    BLOCK,
    NOWHERE,
    Curve,
    Edges,
    channel_blocks,
    even_edges,
    image,
    scale_turns,
    walk,
)
from ishtar.store import Channel, apply_scale
from ishtar.timebase import Irregular, Regular, TimeBase
from ishtar.units import factor

Array = NDArray[np.float64]


class Sampled(Protocol):
    """A source of samples."""

    @property
    def base(self) -> TimeBase:
        """Where the samples lie in time."""
        ...

    @property
    def itemsize(self) -> int:
        """Bytes of a sample as recorded."""
        ...

    def read(self, start: int, stop: int) -> Array:
        """Return samples ``start … stop``, calibrated."""
        ...

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return samples ``start … stop`` as recorded."""
        ...

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return block edges (m + 1) and minimum and maximum (m, 2) of at most ``n`` blocks."""
        ...


def time_base(channel: Channel) -> TimeBase:
    """Return the time base of a stored channel."""
    if channel.dt is not None:
        return Regular(channel.t0, channel.dt, channel.n)
    return Irregular(channel.time, channel.n, channel.t0, channel.path)


class ChannelSamples:
    """A channel with the scale that its file states."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.base: TimeBase = time_base(channel)
        self.itemsize = channel.dtype.itemsize

    def read(self, start: int, stop: int) -> Array:
        """Return samples in the file's unit."""
        return apply_scale(self.raw(start, stop), self.channel.scale)

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return samples as recorded."""
        return self.channel.raw(start, stop)

    def curves(self) -> list[Curve]:
        """Return the steps from raw to scaled values."""
        return [
            Curve(partial(apply_scale, scale=[step]), scale_turns(step))
            for step in self.channel.scale
        ]

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return block edges and scaled minima and maxima."""
        edges, rows = channel_blocks(self.channel, start, stop, n)
        return edges, image(edges, rows, self.curves(), self.read)


class CalibratedSamples:
    """A channel with the calibration of the device that it is wired to.

    A channel whose file states no unit is taken to be in the one that the calibration takes: that
    is what the calibration's author says of what comes out of the device. `assumed_unit` tells.
    """

    def __init__(self, channel: Channel, calibration: Calibration, unit: str) -> None:
        self.source = ChannelSamples(channel)
        self.calibration = calibration
        self.base = self.source.base
        self.itemsize = self.source.itemsize
        self.assumed_unit = "" if channel.unit else calibration.input_unit
        label, where = calibration.label, calibration.where
        try:
            self._input = factor(channel.unit, calibration.input_unit) if channel.unit else 1.0
        except UnitError as error:
            raise UnitError(
                f"{channel.path!r} is recorded in {channel.unit!r}, {label} takes "
                f"{calibration.input_unit!r} ({error}): correct {where}"
            ) from error
        try:
            self._output = factor(calibration.unit, unit)
        except UnitError as error:
            raise UnitError(
                f"{label} gives {calibration.unit!r}, signals.toml says {unit!r} ({error}): "
                f"correct one of them ({where})"
            ) from error
        self._quiet_cache: dict[int, Array] = {}
        if isinstance(self.base, Regular):  # the others' times would have to be read
            for step in calibration.transforms:
                if isinstance(step, QuietOffset):
                    self._quiet_window(step.t_start_s, step.t_end_s)

    def _step(self, k: int, step: Transform, x: Array) -> Array:
        return step.apply(x, partial(self._quiet, k))

    def _calibrate(self, x: Array, upto: int | None = None) -> Array:
        x = x * self._input if self._input != 1.0 else x
        for k, step in enumerate(self.calibration.transforms[:upto]):
            x = self._step(k, step, x)
        return x * self._output if upto is None and self._output != 1.0 else x

    def _quiet_window(self, t_start: float, t_end: float) -> tuple[int, int]:
        start, stop = self.base.index(t_start), self.base.index(t_end)
        if stop <= start:
            raise TimeBaseError(
                f"{self.calibration.label} takes its offset from {t_start} … {t_end} s, where "
                f"{self.source.channel.path!r} has no samples: correct {self.calibration.where}"
            )
        return start, stop

    def _quiet(self, step: int, t_start: float, t_end: float) -> Array:
        """Return the mean of a step's input over a quiet time, (1,); walked, as it may be long."""
        if step not in self._quiet_cache:
            start, stop = self._quiet_window(t_start, t_end)
            total = 0.0
            for i in range(start, stop, BLOCK):
                x = self.source.read(i, min(i + BLOCK, stop))
                total += float(np.sum(self._calibrate(x, upto=step)))
            self._quiet_cache[step] = np.asarray([total / (stop - start)])
        return self._quiet_cache[step]

    def read(self, start: int, stop: int) -> Array:
        """Return calibrated samples in the signal's unit."""
        return self._calibrate(self.source.read(start, stop))

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return samples as recorded."""
        return self.source.raw(start, stop)

    def curves(self) -> list[Curve]:
        """Return the steps from raw to calibrated values."""
        steps = self.calibration.transforms
        return [
            *self.source.curves(),
            Curve(lambda x: x * self._input, NOWHERE),
            *(Curve(partial(self._step, k, s), _turns(s)) for k, s in enumerate(steps)),
            Curve(lambda x: x * self._output, NOWHERE),
        ]

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return block edges and calibrated minima and maxima."""
        edges, rows = channel_blocks(self.source.channel, start, stop, n)
        return edges, image(edges, rows, self.curves(), self.read)


def _turns(step: Transform) -> Array | None:
    if step.monotonic:
        return NOWHERE
    turns = getattr(step, "turns", None)
    return None if turns is None else turns()


@dataclass
class DerivedSamples:
    """A formula of other signals on the same time base.

    ``scale`` takes the formula's own unit to that of the signal.
    """

    name: str
    expression: str
    parts: Mapping[str, Sampled]
    scale: float = 1.0

    def __post_init__(self) -> None:
        first, *rest = self.parts
        for other in rest:
            if not self.parts[first].base.same_as(self.parts[other].base):
                raise TimeBaseError(
                    f"{self.name} = {self.expression}: {first} and {other} are on different time "
                    "bases; load them and interpolate one onto the other yourself"
                )

    @property
    def base(self) -> TimeBase:
        """The common time base."""
        return next(iter(self.parts.values())).base

    @property
    def itemsize(self) -> int:
        """Bytes of a sample once computed."""
        return 8

    def read(self, start: int, stop: int) -> Array:
        """Compute samples ``start … stop``."""
        values = {k: p.read(start, stop) for k, p in self.parts.items()}
        found = evaluate(self.expression, values)
        return found * self.scale if self.scale != 1.0 else found

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """A formula has no recorded samples."""
        raise TimeBaseError(
            f"{self.name} is computed as {self.expression}: take raw() of {', '.join(self.parts)}"
        )

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return block edges and minima and maxima: of a formula, every sample is computed."""
        edges = even_edges(start, stop, n)
        return edges, walk(self.read, edges)
