"""The samples of a signal of a site, from the tiles that are needed."""

from __future__ import annotations

import base64
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from ishtar.remote.fetch import RemoteError, Site
from ishtar.remote.not_kept import NotKept, not_kept
from ishtar.signals.min_max import Edges
from ishtar.signals.time_base import SECONDS, Axis, axis
from ishtar.store.envelope import block_minmax

Array = NDArray[np.float64]
NO_VALUE = 65535
STEPS = 65534
PRECISION = "1/65534 of the range of the 2048 samples around"


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level of tiles: ``bins`` blocks of ``stride`` samples each."""

    number: int
    stride: int
    bins: int


@dataclass
class TileSamples:
    """Implement `ishtar.signals.samples.Samples` by the tiles of one signal of one shot.

    Values are rounded to 1/65534 of the range of their tile.
    """

    site: Site
    folder: str
    entry: Mapping[str, Any]
    tile: int
    shot: int

    itemsize = 2

    @property
    def name(self) -> str:
        """Name of the signal."""
        return str(self.entry["name"])

    @cached_property
    def levels(self) -> Sequence[Level]:
        """The levels that are kept, the coarsest first."""
        return [
            Level(number=i, stride=level["stride"], bins=level["bins"])
            for i, level in enumerate(self.entry["levels"])
        ]

    @property
    def stride(self) -> int:
        """Samples in a block of the finest level that is kept."""
        return self.levels[-1].stride

    @cached_property
    def base(self) -> Axis:
        """The axis of the samples: time, if it is known."""
        return axis(self.x_unit, self.entry["n"], *self._where, self._places, self.name)

    @property
    def x_unit(self) -> str:
        """Unit of the axis; seconds for older sites, which do not state it."""
        return str(self.entry.get("x_unit", SECONDS))

    @property
    def _where(self) -> tuple[float, float | None]:
        """Start and step, in `x_unit`."""
        names = ("t0", "dt") if self.x_unit == SECONDS else ("x0", "dx")
        return self.entry.get(names[0], math.nan), self.entry.get(names[1])

    def _places(self) -> Array:
        what = "times" if self.x_unit == SECONDS else "places"
        self._check_samples_are_kept(f"the {what} of single samples")
        finest = self.levels[-1]
        count = -(-finest.bins // self.tile)
        tiles = [self._tile(finest, k) for k in range(count)]
        parts = [np.frombuffer(base64.b64decode(t["t"]), "<f8") for t in tiles]
        return np.asarray(np.concatenate(parts) + self._where[0])

    def check(self) -> None:
        """Do nothing: a site keeps only calibrated signals."""

    def read(self, start: int, stop: int) -> Array:
        """Return samples ``start … stop``; raise `NotKept` if only minima and maxima are kept."""
        if stop <= start:
            return np.empty(0)
        self._check_samples_are_kept("single samples")
        return self._rows(self.levels[-1], start, stop)[:, 0]

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return edges, minima and maxima of at most ``n`` blocks, as fine as is kept.

        The first and last block may include up to one kept block beyond ``start … stop``.
        """
        if stop <= start:
            return np.array([start], dtype=np.int64), np.empty((0, 2))
        level = next((k for k in self.levels if (stop - start) // k.stride >= n), self.levels[-1])
        first, last = start // level.stride, -(-stop // level.stride)
        rows = self._rows(level, first, last)
        merge = -(-len(rows) // n)
        edges = np.arange(first, last, merge, dtype=np.int64) * level.stride
        edges[0] = start
        return np.append(edges, stop), block_minmax(rows, merge)

    def _rows(self, level: Level, first: int, last: int) -> Array:
        """Return minima and maxima of the blocks ``first … last`` of a level, (m, 2)."""
        parts = []
        for k in range(first // self.tile, -(-last // self.tile)):
            begin = k * self.tile
            rows = _decoded(self._tile(level, k))
            parts.append(rows[max(first - begin, 0) : last - begin])
        return np.concatenate(parts)

    def _tile(self, level: Level, k: int) -> Mapping[str, Any]:
        path = f"{self.folder}/{self.entry['slug']}/{level.number}-{k}"
        try:
            tile: Mapping[str, Any] = self.site.script(path)
        except RemoteError as error:
            raise type(error)(
                f"{self.name} of shot {self.shot}: {error}; if it was published again meanwhile, "
                "open the site again"
            ) from error
        return tile

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
        """Raise `NotKept`: a site has only tiles."""
        raise not_kept(f"{self.name} of shot {self.shot}", what)


def _decoded(tile: Mapping[str, Any]) -> Array:
    """Return minima and maxima of the blocks of a tile, (m, 2); equal for single samples."""
    codes = np.frombuffer(base64.b64decode(tile["v"]), "<u2").reshape(-1, tile["n"])
    values = tile["lo"] + (tile["hi"] - tile["lo"]) * (codes / STEPS)
    values = np.where(codes == NO_VALUE, np.nan, values)
    return np.stack([values[0], values[-1]], axis=1)
