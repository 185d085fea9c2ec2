"""Where the samples of a signal come from: a channel of a file, a calibrated channel, a formula.

Each has the same four members; `ishtar.signal.Signal` adds what a user sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ishtar.calibration import Calibration
from ishtar.calibration.expression import evaluate
from ishtar.errors import TimeBaseError
from ishtar.store import Channel, apply_scale
from ishtar.store.envelope import block_minmax
from ishtar.timebase import Irregular, Regular, TimeBase
from ishtar.units import factor

Array = NDArray[np.float64]
BLOCK = 1 << 20  # samples at a time where a signal is walked from end to end


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

    def minmax(self, start: int, stop: int, n: int) -> tuple[NDArray[np.int64], Array]:
        """Return block edges (m + 1) and minimum and maximum (m, 2) of at most ``n`` blocks."""
        ...


def time_base(channel: Channel) -> TimeBase:
    """Return the time base of a stored channel."""
    if channel.dt is not None:
        return Regular(channel.t0, channel.dt, channel.n)
    return Irregular(channel.time, channel.n, channel.digest)


def _edges(start: int, stop: int, factor_: int) -> NDArray[np.int64]:
    inner = np.arange(start, stop, factor_, dtype=np.int64)
    return np.append(inner, stop)


def _group(blocks: NDArray[Any], edges: NDArray[np.int64], n: int) -> tuple[Any, Any]:
    """Merge neighbouring blocks until at most ``n`` are left."""
    merge = -(-len(blocks) // n)
    if merge <= 1:
        return edges, blocks
    return np.append(edges[:-1:merge], edges[-1]), block_minmax(blocks, merge)


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

    def raw_minmax(self, start: int, stop: int, n: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
        """Return block edges and raw minima and maxima, from the pyramid where it is fine enough.

        Blocks of the pyramid that only touch the window count whole.
        """
        level = max((k for k in self.channel.levels if (stop - start) // k >= n), default=None)
        if level is None:
            raw = self.raw(start, stop)
            blocks = np.stack([raw, raw], axis=1)
            return _group(blocks, _edges(start, stop, 1), n)
        first, last = start // level, -(-stop // level)
        blocks = self.channel.level(level, first, last)
        edges = _edges(first * level, min(last * level, self.channel.n), level)
        return _group(blocks, edges, n)

    def minmax(self, start: int, stop: int, n: int) -> tuple[NDArray[np.int64], Array]:
        """Return block edges and scaled minima and maxima."""
        edges, blocks = self.raw_minmax(start, stop, n)
        return edges, np.sort(apply_scale(blocks, self.channel.scale), axis=1)


class CalibratedSamples:
    """A channel with the calibration of the device that it is wired to."""

    def __init__(self, channel: Channel, calibration: Calibration, unit: str) -> None:
        self.source = ChannelSamples(channel)
        self.calibration = calibration
        self.base = self.source.base
        self.itemsize = self.source.itemsize
        self._input = factor(channel.unit, calibration.input_unit) if channel.unit else 1.0
        self._output = factor(calibration.unit, unit)
        self._quiet_cache: dict[tuple[int, float, float], Array] = {}

    def _calibrate(self, x: Array, upto: int | None = None) -> Array:
        x = x * self._input if self._input != 1.0 else x
        for k, step in enumerate(self.calibration.transforms[:upto]):

            def quiet(t_start: float, t_end: float, k: int = k) -> Array:
                return self._quiet(k, t_start, t_end)

            x = step.apply(x, quiet)
        return x * self._output if upto is None and self._output != 1.0 else x

    def _quiet(self, step: int, t_start: float, t_end: float) -> Array:
        key = (step, t_start, t_end)
        if key not in self._quiet_cache:
            start, stop = self.base.index(t_start), self.base.index(t_end)
            if stop <= start:
                raise TimeBaseError(
                    f"{self.calibration.label} takes its offset from {t_start} … {t_end} s, where "
                    f"{self.source.channel.path} has no samples: correct {self.calibration.where}"
                )
            mean = np.mean(self._calibrate(self.source.read(start, stop), upto=step))
            self._quiet_cache[key] = np.asarray([mean])
        return self._quiet_cache[key]

    def read(self, start: int, stop: int) -> Array:
        """Return calibrated samples in the signal's unit."""
        return self._calibrate(self.source.read(start, stop))

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return samples as recorded."""
        return self.source.raw(start, stop)

    def minmax(self, start: int, stop: int, n: int) -> tuple[NDArray[np.int64], Array]:
        """Return block edges and calibrated minima and maxima.

        Exact for monotonic transforms; for a polynomial or table that turns inside a block it is
        the image of the block's ends.
        """
        edges, blocks = self.source.minmax(start, stop, n)
        return edges, np.sort(self._calibrate(blocks), axis=1)


@dataclass
class DerivedSamples:
    """A formula of other signals on the same time base."""

    name: str
    expression: str
    parts: Mapping[str, Sampled]

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
        return evaluate(self.expression, {k: p.read(start, stop) for k, p in self.parts.items()})

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """A formula has no recorded samples."""
        raise TimeBaseError(
            f"{self.name} is computed as {self.expression}: take raw() of {', '.join(self.parts)}"
        )

    def minmax(self, start: int, stop: int, n: int) -> tuple[NDArray[np.int64], Array]:
        """Return block edges and minima and maxima, walking the samples block by block."""
        step = max(-(-(stop - start) // n), 1)
        stride = max(BLOCK // step, 1) * step
        found = [
            block_minmax(self.read(i, min(i + stride, stop)), step)
            for i in range(start, stop, stride)
        ]
        blocks = np.concatenate(found) if found else np.empty((0, 2))
        return _edges(start, stop, step), blocks
