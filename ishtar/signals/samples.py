"""Where the samples of a signal come from: here a channel of a file; see also
`ishtar.signals.calibrated` and `ishtar.signals.derived`.

Each has the same members; `ishtar.signals.signal.Signal` adds what a user sees. `Sampled` is what
a copy of a record has as well (`ishtar.remote.samples`), `Recorded` what only its files have.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ishtar.signals.flags import Flags, Mask, at_rails, flags
from ishtar.signals.min_max import (
    Curve,
    Edges,
    channel_blocks,
    clipped_blocks,
    image,
    scale_turns,
    walk,
)
from ishtar.signals.time_base import Axis, axis
from ishtar.store import Channel, apply_scale

Array = NDArray[np.float64]
Changes = Mapping[str, Array]
"""By source of uncertainty (``langmuir_1.I v1 gain``), what one sigma of it changes, (n,)."""


class Sampled(Protocol):
    """A source of samples: files of a shot, or a copy that keeps less of them."""

    @property
    def base(self) -> Axis:
        """What the samples lie along: time, if it is known."""

    @property
    def itemsize(self) -> int:
        """Bytes of a sample as recorded."""

    @property
    def stride(self) -> int:
        """Samples in the shortest stretch that is kept; 1: single samples."""

    def check(self) -> None:
        """Raise what `read` would, for want of a calibration."""

    def read(self, start: int, stop: int) -> Array:
        """Return samples ``start … stop``, calibrated."""

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return block edges (m + 1) and minimum and maximum (m, 2) of at most ``n`` blocks."""

    def recorded(self, what: str, /) -> Recorded:
        """Return itself, or raise that ``what`` is not kept where only a copy is at hand."""


class Recorded(Sampled, Protocol):
    """A source of samples with all that the files of a shot know of them."""

    @property
    def n_clipped(self) -> int | None:
        """How many of the whole record are at an end of the recorder's range; None: count them."""

    def sensitive(self, start: int, stop: int) -> tuple[Array, Changes]:
        """Return samples, and what one sigma of each source of uncertainty changes them by."""

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return samples ``start … stop`` as recorded."""

    def clipped(self, start: int, stop: int) -> Mask:
        """Tell which samples are at an end of the recorder's range."""

    def flags(self, start: int, stop: int) -> Flags:
        """Return what is wrong with each sample."""

    def clipped_in(self, edges: Edges, n: int) -> Mask:
        """Tell which blocks that `minmax` gave for ``n`` hold a clipped sample, (m,)."""


R = TypeVar("R", bound=Recorded)


class OfFiles:
    """Samples whose files are at hand."""

    stride = 1

    def recorded(self: R, what: str, /) -> R:
        """Return itself: nothing is lacking."""
        return self


def axis_of(channel: Channel) -> Axis:
    """Return what the samples of a stored channel lie along."""
    c = channel
    return axis(c.x_unit, c.n, c.t0, c.dt, c.time, c.path)


def clipped_walk(samples: Recorded, edges: Edges) -> Mask:
    """Tell which blocks hold a clipped sample, looking at every one where there may be any."""
    if samples.n_clipped == 0 or len(edges) < 2:
        return np.zeros(len(edges) - 1, dtype=bool)

    def clipped(start: int, stop: int) -> Array:
        return samples.clipped(start, stop).astype(np.float64)

    return np.asarray(walk(clipped, edges)[:, 1] > 0)


class ChannelSamples(OfFiles):
    """A channel with the scale that its file states."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.base: Axis = axis_of(channel)
        self.itemsize = channel.dtype.itemsize
        self.n_clipped: int | None = channel.n_clipped

    def check(self) -> None:
        """A channel can always be read."""

    def read(self, start: int, stop: int) -> Array:
        """Return samples in the file's unit."""
        return self.channel.scaled(start, stop)

    def sensitive(self, start: int, stop: int) -> tuple[Array, Changes]:
        """Return samples; a file's own scale states no uncertainty."""
        return self.read(start, stop), {}

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return samples as recorded."""
        return self.channel.raw(start, stop)

    def clipped(self, start: int, stop: int) -> Mask:
        """Tell which samples are at an end of the recorder's range."""
        if not self.n_clipped:
            return np.zeros(max(stop - start, 0), dtype=bool)
        return at_rails(self.raw(start, stop), self.channel)

    def flags(self, start: int, stop: int) -> Flags:
        """Return what is wrong with each sample."""
        x = self.read(start, stop)
        clipped = self.clipped(start, stop)
        return flags(clipped=clipped, outside=np.zeros(x.shape, dtype=bool), values=x)

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

    def clipped_in(self, edges: Edges, n: int) -> Mask:
        """Tell which blocks that `minmax` gave for ``n`` hold a clipped sample, (m,)."""
        if not self.n_clipped or len(edges) < 2:
            return np.zeros(len(edges) - 1, dtype=bool)
        return clipped_blocks(self.channel, int(edges[0]), int(edges[-1]), n)
