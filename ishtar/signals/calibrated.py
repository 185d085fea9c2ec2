"""Samples of a channel, calibrated by the device that it is wired to, with their uncertainty.

Each uncertain number of a calibration is a named source (``langmuir_1.I v1 gain``). The change that
one sigma of it causes is propagated through the steps by their derivatives (first order). The
sources of two signals are then added by name, so that shared ones cancel in a ratio.

A step that subtracts the mean over the quiet time before the shot adds a source: the standard error
of that mean, from the scatter of the means of parts of the quiet time. An error that is the same in
the quiet time, such as that of an offset, cancels.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ishtar.calibration import Calibration
from ishtar.calibration.steps import Filter, Quiet, Transform, changes, derivative
from ishtar.calibration.transforms import QuietOffset
from ishtar.errors import MissingCalibration, TimeBaseError, UnitError
from ishtar.quantity import Mean, mean_of
from ishtar.signals.flags import Flags, Mask, flags
from ishtar.signals.min_max import NOWHERE, Curve, Edges, channel_blocks, even_edges, image, walk
from ishtar.signals.samples import Changes, ChannelSamples, Compute, FileSamples, clipped_by_reading
from ishtar.signals.time_base import Along, Counted, Regular, TimeBase, in_seconds
from ishtar.store import Channel, apply_scale
from ishtar.units import factor

Array = NDArray[np.float64]


@dataclass
class _Part:
    """Samples ``start … stop`` after some steps."""

    start: int
    stop: int
    x: Array
    changes: dict[str, Array] | None = None
    outside: Mask | None = None


class CalibratedSamples(FileSamples):
    """Samples of a channel, calibrated by the device that it is wired to.

    If the file states no unit, the input unit of the calibration is assumed, as its author knows
    the output of the device. `assumed_unit` is then that unit.
    """

    def __init__(self, channel: Channel, calibration: Calibration, unit: str) -> None:
        self.source = ChannelSamples(channel)
        self.calibration = calibration
        self.base = self.source.base
        if isinstance(self.base, Counted | Along):
            self._check_axis(self.base)
        self.itemsize = self.source.itemsize
        self.n_clipped = self.source.n_clipped
        self.assumed_unit = "" if channel.unit else calibration.input_unit
        self._input, self._output = _factors(channel, calibration, unit)
        self._quiet_cache: dict[int, Array] = {}
        self._quiet_means: dict[int, Mean] = {}
        self._margins = [self._margin(step) for step in calibration.transforms]
        if isinstance(self.base, Regular):  # checking irregular times would read them
            for step in calibration.transforms:
                if isinstance(step, QuietOffset):
                    self._quiet_window(step.t_start_s, step.t_end_s)

    def _check_axis(self, base: Counted | Along) -> None:
        """Raise `TimeBaseError` if a step needs seconds, which the samples do not have."""
        for step in self.calibration.transforms:
            if isinstance(step, QuietOffset | Filter):
                need = "a quiet time" if isinstance(step, QuietOffset) else "a sampling interval"
                raise TimeBaseError(
                    f"{self.calibration.label} needs {need}, and {base.name!r} "
                    f"{base.time_problem}; or correct {self.calibration.where}"
                )

    @property
    def _clock(self) -> TimeBase:
        return in_seconds(self.base, self.source.channel.path)

    def check(self) -> None:
        """Do nothing: there is a calibration."""

    def read(self, start: int, stop: int) -> Array:
        """Return calibrated samples in the signal's unit."""
        if any(isinstance(step, Filter) for step in self.calibration.transforms):
            x = self._apply_steps(start, stop).x
            return x * self._output if self._output != 1.0 else x
        return self.source.channel.through(self._calibrate_raw, start, stop)

    def computed_from(self) -> tuple[Channel, Compute] | None:
        """Return the channel and its calibration; None if a filter needs neighbouring samples."""
        if any(isinstance(step, Filter) for step in self.calibration.transforms):
            return None
        return self.source.channel, self._calibrate_raw

    def _calibrate_raw(self, raw: NDArray[Any]) -> Array:
        """Apply all steps except filters, which need neighbouring samples, to raw samples."""
        x = apply_scale(raw, self.source.channel.scale)
        x = x * self._input if self._input != 1.0 else x
        for k, step in enumerate(self.calibration.transforms):
            if not isinstance(step, Filter):
                x = step.apply(x, partial(self._quiet, k))
        return x * self._output if self._output != 1.0 else x

    def sensitive(self, start: int, stop: int) -> tuple[Array, Changes]:
        """Return samples, and their change by one sigma of each source of uncertainty."""
        found = self._apply_steps(start, stop, sensitive=True)
        changed = found.changes or {}
        return found.x * self._output, {k: c * self._output for k, c in changed.items()}

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return samples as recorded."""
        return self.source.raw(start, stop)

    def clipped(self, start: int, stop: int) -> Mask:
        """Return which samples are at a limit of the recorder's range, (n,)."""
        return self.source.clipped(start, stop)

    def flags(self, start: int, stop: int) -> Flags:
        """Return the flags of each sample, (n,)."""
        found = self._apply_steps(start, stop, check_range=True)
        outside = np.zeros(found.x.shape, bool) if found.outside is None else found.outside
        return flags(clipped=self.clipped(start, stop), outside=outside, values=found.x)

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return block edges and calibrated minima and maxima; a filter needs every sample."""
        if any(self._margins):
            edges = even_edges(start, stop, n)
            return edges, walk(self.read, edges)
        edges, rows = channel_blocks(self.source.channel, start, stop, n)
        return edges, image(edges, rows, self.curves(), self.read)

    def clipped_in(self, edges: Edges, n: int) -> Mask:
        """Return which blocks of `minmax` for ``n`` contain a clipped sample, (m,)."""
        if any(self._margins):
            return clipped_by_reading(self, edges)
        return self.source.clipped_in(edges, n)

    def curves(self) -> list[Curve]:
        """Return the steps from raw to calibrated values."""
        return [
            *self.source.curves(),
            Curve(lambda x: x * self._input, NOWHERE),
            *(
                Curve(partial(_apply, step, partial(self._quiet, k)), _turns(step))
                for k, step in enumerate(self.calibration.transforms)
                if not isinstance(step, Filter)
            ),
            Curve(lambda x: x * self._output, NOWHERE),
        ]

    def _apply_steps(
        self,
        start: int,
        stop: int,
        upto: int | None = None,
        *,
        sensitive: bool = False,
        check_range: bool = False,
    ) -> _Part:
        """Apply the first ``upto`` steps to samples, read with the margins that filters need."""
        steps, margins = self.calibration.transforms[:upto], self._margins[:upto]
        around = sum(margins) if stop > start else 0
        first, last = max(start - around, 0), min(stop + around, self.base.n)
        x = self.source.read(first, last)
        part = _Part(first, last, x * self._input if self._input != 1.0 else x)
        part.changes = {} if sensitive else None
        for k, (step, margin) in enumerate(zip(steps, margins, strict=True)):
            if isinstance(step, Filter):
                around -= margin if stop > start else 0
                whole = (max(start - around, 0), min(stop + around, self.base.n))
                self._filter(part, step, margin, *whole)
                if part.changes is not None:
                    self._add(part.changes, k, step.changes(part.x))
                continue
            quiet = partial(self._quiet, k)
            if part.changes is not None:
                self._propagate(part.changes, k, step, part.x, quiet)
            if check_range and hasattr(step, "outside"):
                out = step.outside(part.x)
                part.outside = out if part.outside is None else part.outside | out
            part.x = step.apply(part.x, quiet)
        return part

    def _filter(self, part: _Part, step: Filter, margin: int, start: int, stop: int) -> None:
        """Apply a filter to a part, and shrink it to ``start … stop``."""
        if stop <= start:
            return
        dt = self._clock.dt or np.nan
        pad = (max(margin - (start - part.start), 0), max(margin - (part.stop - stop), 0))

        def through(x: Array) -> Array:
            return step.filtered(np.pad(x, pad, mode="edge") if any(pad) else x, dt)

        if part.outside is not None:
            part.outside = part.outside[start - part.start : stop - part.start]
        if part.changes is not None:
            part.changes = {name: through(c) for name, c in part.changes.items()}
        part.x, part.start, part.stop = through(part.x), start, stop

    def _propagate(
        self, changed: dict[str, Array], k: int, step: Any, x: Array, quiet: Any
    ) -> None:
        """Propagate the changes of the sources through a step, and add the step's own sources."""
        if isinstance(step, QuietOffset):
            mean = self._quiet_mean(k, step)
            for name, change in mean.changes.items():  # the same error in the quiet time cancels
                changed[name] = changed[name] - change
            name = f"{self.source.channel.path} quiet mean"
            changed[name] = changed.get(name, 0.0) + np.full(x.shape, -np.nan_to_num(mean.error))
            return
        with np.errstate(over="ignore", invalid="ignore"):
            if changed:
                slope = derivative(step, x, quiet)
                for name in changed:
                    changed[name] = changed[name] * slope
            self._add(changed, k, changes(step, x, quiet))

    def _add(self, changed: dict[str, Array], k: int, own: Mapping[str, Array]) -> None:
        steps = self.calibration.transforms
        alike = sum(type(step) is type(steps[k]) for step in steps) > 1
        for name, change in own.items():
            source = f"{self.calibration.label} {name}" + (f" of step {k + 1}" if alike else "")
            changed[source] = changed.get(source, 0.0) + change

    def _margin(self, step: Any) -> int:
        if not isinstance(step, Filter):
            return 0
        if not isinstance(self.base, Regular):
            raise TimeBaseError(
                f"{self.calibration.label} holds for regular sampling only, and "
                f"{self.source.channel.path!r} has a time for each sample: wire the signal to "
                f"another channel, or correct {self.calibration.where}"
            )
        return step.margin(self.base.dt)

    def _quiet_window(self, t_start: float, t_end: float) -> tuple[int, int]:
        start, stop = self._clock.index(t_start), self._clock.index(t_end)
        if stop <= start:
            raise TimeBaseError(
                f"{self.calibration.label} takes its offset from {t_start} … {t_end} s, where "
                f"{self.source.channel.path!r} has no samples: correct {self.calibration.where}"
            )
        return start, stop

    def _quiet(self, k: int, t_start: float, t_end: float) -> Array:
        """Return the mean of a step's input over a quiet time, (1,), read in blocks."""
        if k not in self._quiet_cache:
            start, stop = self._quiet_window(t_start, t_end)
            mean = mean_of(lambda i, j: (self._apply_steps(i, j, k).x, {}), start, stop)
            self._quiet_cache[k] = np.asarray([mean.value])
        return self._quiet_cache[k]

    def _quiet_mean(self, k: int, step: QuietOffset) -> Mean:
        """Return the quiet mean with its standard error and its change by each source."""
        if k not in self._quiet_means:

            def read(i: int, j: int) -> tuple[Array, Changes]:
                part = self._apply_steps(i, j, k, sensitive=True)
                return part.x, part.changes or {}

            window = self._quiet_window(step.t_start_s, step.t_end_s)
            self._quiet_means[k] = mean_of(read, *window)
        return self._quiet_means[k]


def _factors(channel: Channel, calibration: Calibration, unit: str) -> tuple[float, float]:
    """Return the factors from the file's unit to the calibration's input, and to the signal's."""
    label, where = calibration.label, calibration.where
    try:
        before = factor(channel.unit, calibration.input_unit) if channel.unit else 1.0
    except UnitError as error:
        raise UnitError(
            f"{channel.path!r} is recorded in {channel.unit!r}, {label} takes "
            f"{calibration.input_unit!r} ({error}): correct {where}"
        ) from error
    try:
        return before, factor(calibration.unit, unit)
    except UnitError as error:
        raise UnitError(
            f"{label} gives {calibration.unit!r}, signals.toml says {unit!r} ({error}): "
            f"correct one of them ({where})"
        ) from error


def _apply(step: Transform, quiet: Quiet, x: Array) -> Array:
    return step.apply(x, quiet)


def _turns(step: Any) -> Array | None:
    if getattr(step, "monotonic", False):
        return NOWHERE
    turns = getattr(step, "turns", None)
    return None if turns is None else turns()


class UncalibratedSamples(ChannelSamples):
    """Samples of a channel whose device has no calibration; only raw ones can be read."""

    def __init__(self, channel: Channel, error: MissingCalibration) -> None:
        super().__init__(channel)
        self.error = error

    def check(self) -> NoReturn:
        """Raise `MissingCalibration`."""
        raise self.error

    def read(self, start: int, stop: int) -> Array:
        """Raise `MissingCalibration`."""
        self.check()

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Raise `MissingCalibration`."""
        self.check()

    def computed_from(self) -> NoReturn:
        """Raise `MissingCalibration`."""
        self.check()

    def flags(self, start: int, stop: int) -> Flags:
        """Return the flags of the recorded samples; there are no values to check."""
        clipped = self.clipped(start, stop)
        nothing = np.zeros(clipped.shape, dtype=bool)
        return flags(clipped=clipped, outside=nothing, values=nothing.astype(np.float64))
