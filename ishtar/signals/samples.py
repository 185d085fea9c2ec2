"""Sources of a signal's samples: their interfaces, and the channel of a file.

`ishtar.signals.calibrated` and `ishtar.signals.derived` are the other sources of a workspace.
A published site's (`ishtar.remote.pack_samples`) has only the members of `Samples`; those of
`RecordedSamples` need the files. `ishtar.signals.lazy_signal.Signal` is the user's view of them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
Compute = Callable[[NDArray[Any]], Array]
Changes = Mapping[str, Array]
"""By source of uncertainty (``langmuir_1.I v1 gain``), the change by one sigma of it, (n,)."""


class Samples(Protocol):
    """A source of samples: files of a shot, or a published site, which keeps less."""

    @property
    def base(self) -> Axis:
        """The axis of the samples: time, if it is known."""

    @property
    def itemsize(self) -> int:
        """Bytes of a sample as recorded."""

    @property
    def stride(self) -> int:
        """Samples in the smallest block that is kept; 1 for single samples."""

    def check(self) -> None:
        """Raise `MissingCalibration` if there is none, without reading."""

    def read(self, start: int, stop: int) -> Array:
        """Return the calibrated samples ``start … stop``."""

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return edges (m + 1,), minima and maxima (m, 2) of at most ``n`` blocks."""

    def recorded(self, what: str, /) -> RecordedSamples:
        """Return itself; raise `NotKept`, naming ``what``, if there are no files."""


class RecordedSamples(Samples, Protocol):
    """A source of samples with the members that need the files of a shot."""

    @property
    def n_clipped(self) -> int | None:
        """Number of samples at a limit of the recorder's range; None if it must be counted."""

    def sensitive(self, start: int, stop: int) -> tuple[Array, Changes]:
        """Return samples, and their change by one sigma of each source of uncertainty."""

    def raw(self, start: int, stop: int) -> NDArray[Any]:
        """Return samples ``start … stop`` as recorded."""

    def clipped(self, start: int, stop: int) -> Mask:
        """Return which samples are at a limit of the recorder's range, (n,)."""

    def flags(self, start: int, stop: int) -> Flags:
        """Return the flags of each sample, (n,)."""

    def clipped_in(self, edges: Edges, n: int) -> Mask:
        """Return which blocks of `minmax` for ``n`` contain a clipped sample, (m,)."""


R = TypeVar("R", bound=RecordedSamples)


class FileSamples:
    """Samples of files in a workspace."""

    stride = 1

    def recorded(self: R, what: str, /) -> R:
        """Return itself: the files have everything."""
        return self

    def computed_from(self) -> tuple[Channel, Compute] | None:
        """Return the channel of which each sample alone gives one of these, and how; else None."""
        return None


def axis_of(channel: Channel) -> Axis:
    """Return the axis of a stored channel."""
    c = channel
    return axis(c.x_unit, c.n, c.t0, c.dt, c.time, c.path)


def clipped_by_reading(samples: RecordedSamples, edges: Edges) -> Mask:
    """Return which blocks contain a clipped sample, (m,); reads every sample if any may be."""
    if samples.n_clipped == 0 or len(edges) < 2:
        return np.zeros(len(edges) - 1, dtype=bool)

    def clipped(start: int, stop: int) -> Array:
        return samples.clipped(start, stop).astype(np.float64)

    return np.asarray(walk(clipped, edges)[:, 1] > 0)


class ChannelSamples(FileSamples):
    """A channel with the scale that its file states."""

    def __init__(self, channel: Channel) -> None:
        self.channel = channel
        self.base: Axis = axis_of(channel)
        self.itemsize = channel.dtype.itemsize
        self.n_clipped: int | None = channel.n_clipped

    def check(self) -> None:
        """Do nothing: a channel needs no calibration."""

    def computed_from(self) -> tuple[Channel, Compute] | None:
        """Return the channel, and the scale that its file states."""
        return self.channel, partial(apply_scale, scale=self.channel.scale)

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
        """Return which samples are at a limit of the recorder's range, (n,)."""
        if not self.n_clipped:
            return np.zeros(max(stop - start, 0), dtype=bool)
        return at_rails(self.raw(start, stop), self.channel)

    def flags(self, start: int, stop: int) -> Flags:
        """Return the flags of each sample, (n,)."""
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
        """Return which blocks of `minmax` for ``n`` contain a clipped sample, (m,)."""
        if not self.n_clipped or len(edges) < 2:
            return np.zeros(len(edges) - 1, dtype=bool)
        return clipped_blocks(self.channel, int(edges[0]), int(edges[-1]), n)
