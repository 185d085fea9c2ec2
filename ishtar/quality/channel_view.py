"""A bounded view of a stored channel for its checks: min/max blocks, some samples, quiet time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from ishtar.quality import sample_checks as samples
from ishtar.quality.findings import Finding
from ishtar.quality.sample_checks import Noise
from ishtar.signals.samples import axis_of
from ishtar.signals.time_base import Along, Axis, Counted, Regular
from ishtar.store import Channel

__all__ = ["ChannelView"]

Raw = NDArray[np.generic]
Floats = NDArray[np.float64]

ROWS = 1 << 13  # at most, of a level of the pyramid
SHORT = 1 << 15  # samples; a record up to this length is read as a whole
PIECE = 1 << 12  # samples
PIECES = 6  # over the record, and as many at each extreme
QUIET = 1 << 16  # samples before the trigger, at most


@dataclass(frozen=True)
class ChannelView:
    """The data that the checks of a channel need, in constant memory; each property reads once.

    Parameters
    ----------
    channel : Channel
        A stored channel.
    """

    channel: Channel

    @cached_property
    def _level(self) -> int:
        """Samples in a row; 1 if the samples themselves are read."""
        c = self.channel
        if c.n <= SHORT or not c.levels:
            return 1
        return min((k for k in c.levels if c.n / k <= ROWS), default=max(c.levels))

    @cached_property
    def rows(self) -> Raw:
        """Minima and maxima (m, 2) of blocks, as recorded."""
        if self._level > 1:
            return self.channel.level(self._level)
        raw = self.channel.raw(0, min(self.channel.n, SHORT))
        return np.stack([raw, raw], axis=1)

    @cached_property
    def axis(self) -> Axis:
        """The axis of its samples: time or another quantity."""
        return axis_of(self.channel)

    @property
    def has_seconds(self) -> bool:
        """Whether its axis is time."""
        return not isinstance(self.axis, Counted | Along)

    @cached_property
    def places(self) -> Floats:
        """Centres of the blocks (m,), in the unit of the axis (s), or as sample numbers."""
        k, m, axis = self._level, len(self.rows), self.axis
        base = axis.base if isinstance(axis, Along) else axis
        if isinstance(base, Counted):
            return np.asarray(k * np.arange(m) + 0.5 * (k - 1))
        if isinstance(base, Regular):
            return np.asarray(base.t0 + base.dt * (k * np.arange(m) + 0.5 * (k - 1)))
        times = base.times(0, base.n)
        return np.asarray(times[np.minimum(k * np.arange(m) + k // 2, base.n - 1)])

    @cached_property
    def span(self) -> tuple[float, float]:
        """First and last time, s; NaN without samples or if the axis is not time."""
        c = self.channel
        if c.n == 0 or not self.has_seconds:
            return np.nan, np.nan
        if c.dt is not None:
            return c.t0, c.t0 + (c.n - 1) * c.dt
        return c.t0, float(c.time(c.n - 1)[0])

    @cached_property
    def pieces(self) -> list[Raw]:
        """Pieces of the samples: evenly over the record, and where its extremes are reached."""
        c, k = self.channel, self._level
        size = min(PIECE, c.n)
        first = set(np.linspace(0, c.n - size, PIECES).astype(int).tolist())
        for column, value in ((0, c.raw_min), (1, c.raw_max)):
            reached = np.flatnonzero(self.rows[:, column] == value)[:: max(ROWS // PIECES, 1)]
            first |= {min(int(r) * k, c.n - size) for r in reached[:PIECES]}
        return [c.raw(a, a + size) for a in sorted(first)]

    @cached_property
    def noise(self) -> Noise | None:
        """Noise before the trigger; None if the record does not begin before it."""
        c = self.channel
        if not self.has_seconds or c.dt is None or c.t0 >= 0.0:
            return None
        stop = min(int(-c.t0 / c.dt), c.n)
        quiet = c.raw(max(stop - QUIET, 0), stop)
        if quiet.dtype.kind == "f":
            quiet = quiet[np.isfinite(quiet)]
        return samples.noise_of(quiet, c.raw_min, c.raw_max)

    def edges(self) -> tuple[float, float]:
        """Return the times of the first rise and last fall of a two-level line, s.

        NaN for an edge that is not in the record.
        """
        c, k = self.channel, self._level
        middle = 0.5 * (c.raw_min + c.raw_max)
        up = np.flatnonzero(self.rows[:, 1].astype(np.float64) > middle)
        if c.raw_min == c.raw_max or up.size == 0:
            return np.nan, np.nan
        before, after = int(up[0]) * k, (int(up[-1]) + 1) * k
        raw = c.raw(max(before - 1, 0), min(before + k, c.n))
        high = np.flatnonzero(raw > middle)
        rise = max(before - 1, 0) + int(high[0]) if high.size and high[0] else -1
        raw = c.raw(max(after - k, 0), min(after + 1, c.n))
        high = np.flatnonzero(raw > middle)
        fall = max(after - k, 0) + int(high[-1]) + 1 if high.size else c.n
        return (
            float(c.time(rise, rise + 1)[0]) if rise > 0 else np.nan,
            float(c.time(fall, fall + 1)[0]) if fall < c.n else np.nan,
        )

    def findings(self, neighbours: Floats) -> list[Finding]:
        """Return the findings from its samples.

        Parameters
        ----------
        neighbours : (k,) float64
            Noise of the other channels of the same recorder and converter, as recorded.
        """
        c = self.channel
        if c.n == 0:
            return []
        constant = samples.dead(c.path, c.raw_min, c.raw_max, c.n)
        if constant is not None:
            return [constant]
        whole = c.dtype.kind in "iu"
        limits = (int(np.iinfo(c.dtype).min), int(np.iinfo(c.dtype).max)) if whole else (0, 0)
        found: list[Finding | None] = []
        if whole:
            places, unit = self.places, self.axis.unit
            found.append(samples.clipped(c.path, self.rows, c.n_clipped, c.n, limits, places, unit))
            found += samples.stuck_bits(c.path, self._values())
            if c.n_clipped == 0:
                found.append(samples.limited(c.path, self.pieces, c.raw_min, c.raw_max))
        found.append(
            samples.held(c.path, self.rows, self._level, self.places, limits, self.axis.unit)
        )
        if self.noise is not None:
            found.append(samples.noisy(c.path, self.noise, neighbours))
        return [f for f in found if f is not None]

    def _values(self) -> Raw:
        return np.concatenate([self.rows.ravel(), *self.pieces])
