"""What `ishtar.signals.align` sees of a signal."""

from __future__ import annotations

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ishtar.signals.provenance import Story
from ishtar.signals.samples import Sampled
from ishtar.signals.time_base import TimeBase


class Alignable(Protocol):
    """Samples with a name, a unit and a place in time, as they are brought onto other times."""

    @property
    def name(self) -> str:
        """Its name, or the channel's path."""

    @property
    def unit(self) -> str:
        """Unit of its values."""

    @property
    def story(self) -> Story:
        """Where it comes from."""

    @property
    def samples(self) -> Sampled:
        """Where its samples come from."""

    @property
    def time_base(self) -> TimeBase:
        """Where the samples lie in time; `TimeBaseError` where they do not."""

    @property
    def dt(self) -> float | None:
        """Sampling interval, s; None where sampling is irregular."""

    @property
    def t0(self) -> float:
        """Time of the first selected sample, s."""

    @property
    def n(self) -> int:
        """Number of selected samples."""

    def times(self) -> NDArray[np.float64]:
        """Return the times of the selected samples, s."""

    def values(self) -> NDArray[np.float64]:
        """Read the selected samples."""

    def __getitem__(self, key: slice, /) -> Alignable:
        """Select a stretch."""
