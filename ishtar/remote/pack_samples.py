"""The samples of a signal of a site without raw data: from its pack, the blocks needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ishtar.packs.levels import Level
from ishtar.packs.part import Part, Span
from ishtar.remote.fetch import RemoteError, Site
from ishtar.remote.not_kept import NotKept, not_kept
from ishtar.remote.pieces import Pieces
from ishtar.signals.min_max import Edges
from ishtar.signals.time_base import SECONDS, Axis, axis
from ishtar.store.envelope import block_minmax

Array = NDArray[np.float64]
PRECISION = (
    "1/65534 of the range of the 4096 samples around; in a record of more than 65536 samples that "
    "no converter of 16 bits recorded, a third of the standard deviation of their noise, "
    "or two thirds of that of the quietest 256 samples"
)


@dataclass
class PackSamples:
    """Implement `ishtar.signals.samples.Samples` by the pack of one signal of one shot.

    Values are as exact as `PRECISION` says.
    """

    site: Site
    folder: str
    entry: Mapping[str, Any]
    shot: int

    itemsize = 2

    @property
    def name(self) -> str:
        """Name of the signal."""
        return str(self.entry["name"])

    @cached_property
    def _pieces(self) -> Pieces:
        path, size = f"{self.folder}/{self.entry['pack']}", int(self.entry["size"])
        return Pieces(self.site, path, size, f"{self.site.address}{path} {size}")

    @cached_property
    def _part(self) -> Part:
        at = int(self.entry["at"])

        def fetch(spans: Sequence[Span]) -> Sequence[bytes]:
            return self._pieces([(at + place, length) for place, length in spans])

        return Part(self.entry, fetch)

    @property
    def levels(self) -> Sequence[Level]:
        """The levels that are kept, the coarsest first."""
        return self._part.levels

    @property
    def stride(self) -> int:
        """Samples in a block of the finest level that is kept."""
        return self.levels[-1].stride

    @cached_property
    def base(self) -> Axis:
        """The axis of the samples: time, if it is known."""
        return axis(
            self.x_unit, self.entry["n"], self._x0, self.entry["dx"], self._places, self.name
        )

    @property
    def x_unit(self) -> str:
        """Unit of the axis."""
        return str(self.entry["x_unit"])

    @property
    def _x0(self) -> float:
        """Place of the first sample, in `x_unit`."""
        return math.nan if self.entry["x0"] is None else self.entry["x0"]

    def _places(self) -> Array:
        what = "times" if self.x_unit == SECONDS else "places"
        self._check_samples_are_kept(f"the {what} of single samples")
        with self._reporting_damage():
            _, places = self._part.rows(len(self.levels) - 1, 0, self.entry["n"])
            if places is None:
                raise ValueError(f"it has no {what}")
        return np.asarray(places + self._x0)

    def check(self) -> None:
        """Do nothing: a site keeps only calibrated signals."""

    def read(self, start: int, stop: int) -> Array:
        """Return samples ``start … stop``; raise `NotKept` if only minima and maxima are kept."""
        if stop <= start:
            return np.empty(0)
        self._check_samples_are_kept("single samples")
        return self._rows(len(self.levels) - 1, start, stop)[:, 0]

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return edges, minima and maxima of at most ``n`` blocks, as fine as is kept.

        The first and last block may include up to one kept block beyond ``start … stop``.
        """
        if stop <= start:
            return np.array([start], dtype=np.int64), np.empty((0, 2))
        wanted = (i for i, k in enumerate(self.levels) if (stop - start) // k.stride >= n)
        number = next(wanted, len(self.levels) - 1)
        stride = self.levels[number].stride
        first, last = start // stride, -(-stop // stride)
        rows = self._rows(number, first, last)
        merge = -(-len(rows) // n)
        edges = np.arange(first, last, merge, dtype=np.int64) * stride
        edges[0] = start
        return np.append(edges, stop), block_minmax(rows, merge)

    def _rows(self, level: int, first: int, last: int) -> Array:
        """Return minima and maxima of the blocks ``first … last`` of a level, (m, 2)."""
        with self._reporting_damage():
            return self._part.rows(level, first, last)[0]

    @contextmanager
    def _reporting_damage(self) -> Iterator[None]:
        where = f"{self.name} of shot {self.shot}"
        try:
            yield
        except RemoteError as error:
            raise type(error)(
                f"{where}: {error}; if it was published again meanwhile, open the site again"
            ) from error
        except (ValueError, LookupError, TypeError, OverflowError) as error:
            self._pieces.forget()
            raise RemoteError(
                f"{where} is damaged on {self.site.address} ({error}): tell its administrator"
            ) from error

    def _check_samples_are_kept(self, what: str) -> None:
        if self.stride == 1:
            return
        dx = self.base.dx
        length = "" if dx is None else f" ({dx * self.stride:.4g} {self.x_unit})"
        raise NotKept(
            f"{self.name} of shot {self.shot}: the site keeps minimum and maximum of every "
            f"{self.stride} samples{length}, not {what}: take its envelope(), or open the workspace"
        )

    def recorded(self, what: str, /) -> NoReturn:
        """Raise `NotKept`: a site has only packs."""
        raise not_kept(f"{self.name} of shot {self.shot}", what)
