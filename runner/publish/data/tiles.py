"""Tiles: a signal as small files, from the whole shot down to single samples.

Level 0 is the coarsest: the whole record as at most `TILE` bins, each with its minimum and maximum.
The bins of each next level are a quarter as long; at a stride of 1 they are the samples. A tile has
`TILE` bins of one level as 16-bit numbers between its own minimum and maximum, so that it is exact
to 1/65534 of its range. Minima are rounded down and maxima up, so that no sample lies outside of
what is drawn.

Only the finest level is read, block by block, from the stored pyramid if that is fine enough; the
coarser levels are made from it on the way.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.signals.min_max import BLOCK, walk
from ishtar.signals.samples import Samples
from ishtar.store.envelope import BASE, block_minmax

TILE = 2048
STEP = 4
NO_VALUE = 65535
STEPS = 65534  # from the minimum of a tile to its maximum
LARGEST = 8e307  # so that the range of a tile is finite

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level: samples per bin, and the number of bins."""

    stride: int
    bins: int

    @property
    def tiles(self) -> int:
        """The number of its files."""
        return -(-self.bins // TILE)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A tile: its level and index, and the minimum and maximum of its bins, (m, 2)."""

    level: int
    k: int
    rows: Array


def levels_of(n: int, most: int) -> list[Level]:
    """Return the levels of a record of ``n`` samples, the coarsest first.

    Parameters
    ----------
    n
        Number of samples.
    most
        Most bins of the finest level; 0 allows single samples.
    """
    if n < 1:
        return []
    stride = 1
    while -(-n // stride) > TILE:
        stride *= STEP
    levels = [Level(stride=stride, bins=-(-n // stride))]
    while stride > 1:
        stride //= STEP
        bins = -(-n // stride)
        if most and bins > most:
            break
        levels.append(Level(stride=stride, bins=bins))
    return levels


def cut_tiles(samples: Samples, levels: Sequence[Level]) -> Iterator[Tile]:
    """Yield the tiles of a record at some levels; memory does not grow with the record."""
    buffers = [_LevelBuffer(i) for i in range(len(levels))]
    finest = levels[-1].stride
    n = samples.base.n
    # with a stride as long as the pyramid's few numbers are read, with a shorter one every sample
    step = (8 * TILE if finest >= BASE else max(BLOCK // finest, TILE)) * finest
    for start in range(0, n, step):
        stop = min(start + step, n)
        rows = min_max_rows(samples, finest, start, stop)
        for buffer in reversed(buffers):
            yield from buffer.add(rows, last=stop == n)
            if buffer.level:
                rows = buffer.merged(rows, last=stop == n)


def min_max_rows(samples: Samples, stride: int, start: int, stop: int) -> Array:
    """Return minimum and maximum of every ``stride`` samples of a range, (m, 2)."""
    if stride == 1:
        x = samples.read(start, stop)
        return np.stack([x, x], axis=1)
    expected = np.append(np.arange(start, stop, stride, dtype=np.int64), stop)
    edges, rows = samples.minmax(start, stop, len(expected) - 1)
    return rows if np.array_equal(edges, expected) else walk(samples.read, expected)


@dataclass
class _LevelBuffer:
    """The bins of a level that do not fill a tile yet."""

    level: int
    k: int = 0
    _rows: Array = field(default_factory=lambda: np.empty((0, 2)))
    _rest: Array = field(default_factory=lambda: np.empty((0, 2)))

    def add(self, rows: Array, *, last: bool) -> Iterator[Tile]:
        """Add the next bins; yield the tiles that they complete."""
        self._rows = np.concatenate([self._rows, rows])
        while len(self._rows) >= TILE or (last and len(self._rows)):
            yield Tile(level=self.level, k=self.k, rows=self._rows[:TILE])
            self._rows = self._rows[TILE:]
            self.k += 1

    def merged(self, rows: Array, *, last: bool) -> Array:
        """Return the next bins of the coarser level."""
        rows = np.concatenate([self._rest, rows])
        whole = len(rows) if last else len(rows) // STEP * STEP
        self._rest = rows[whole:].copy()
        return block_minmax(rows[:whole], STEP)


# --- a tile as JSON ------------------------------------------------------------------------------


def encode(rows: Array, *, single: bool, times: Array | None = None) -> dict[str, Any]:
    """Return a tile as JSON data.

    Parameters
    ----------
    rows
        (m, 2) minimum and maximum; numbers that are not finite count as missing.
    single
        Whether each row is one sample, which is written once.
    times
        (m,) times of the first samples relative to ``t0``, s; only for irregular sampling.
    """
    rows = np.where(np.isfinite(rows), rows, np.nan)
    is_valid = ~np.isnan(rows)
    low, high = 0.0, 0.0
    if is_valid.any():
        rows = np.clip(rows, -LARGEST, LARGEST)
        low, high = float(np.nanmin(rows)), float(np.nanmax(rows))
    scaled = (rows - low) / (high - low) * STEPS if high > low else np.zeros(rows.shape)
    if single:
        levels = np.rint(scaled[:, :1])
    else:
        levels = np.stack([np.floor(scaled[:, 0]), np.ceil(scaled[:, 1])], axis=1)
    is_valid = is_valid[:, : levels.shape[1]]
    codes = np.where(is_valid, np.clip(levels, 0, STEPS), NO_VALUE).astype("<u2")
    tile = {"lo": low, "hi": high, "n": len(rows), "v": _base64(codes.T)}
    if times is not None:
        tile["t"] = _base64(np.asarray(times, dtype="<f8"))
    return tile


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
