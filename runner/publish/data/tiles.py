"""A signal cut into small files: from the whole shot to single samples of what is kept.

Level 0 is the coarsest: the whole record as at most `TILE` stretches, each with its minimum and
maximum. Each next level has stretches a quarter as long; at a stride of 1 they are the samples. A
tile holds `TILE` stretches of one level as 16-bit numbers between its own minimum and maximum, so
that it is exact to 1/65534 of the range that it shows. Minima are rounded down and maxima up: what
a sample reached is inside what is drawn.

Only the finest level is read, stretch by stretch, from the stored pyramid where that is as fine;
the coarser ones are made from it on the way.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.signals.min_max import BLOCK, walk
from ishtar.signals.samples import Sampled
from ishtar.store.envelope import BASE, block_minmax

TILE = 2048
STEP = 4
NO_VALUE = 65535
STEPS = 65534  # from the least value of a tile to the largest
LARGEST = 8e307  # so that the range of a tile is a number

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level: samples in a stretch, and how many stretches and tiles there are."""

    stride: int
    bins: int

    @property
    def tiles(self) -> int:
        """How many files it has."""
        return -(-self.bins // TILE)


@dataclass(frozen=True, kw_only=True)
class Tile:
    """A tile: its place, and minimum and maximum of its stretches, (m, 2)."""

    level: int
    k: int
    rows: Array


def levels_of(n: int, most: int) -> list[Level]:
    """Return the levels of a record of ``n`` samples, the coarsest first.

    Parameters
    ----------
    n
        Samples.
    most
        Stretches that the finest level may have; 0 for down to single samples.
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


def cut(samples: Sampled, levels: Sequence[Level]) -> Iterator[Tile]:
    """Cut a record into the tiles of some levels; memory does not grow with the record."""
    cascade = [_Filling(i) for i in range(len(levels))]
    finest = levels[-1].stride
    n = samples.base.n
    # of a stride as long as the pyramid's, a few numbers are read; of a shorter one every sample
    step = (8 * TILE if finest >= BASE else max(BLOCK // finest, TILE)) * finest
    for start in range(0, n, step):
        stop = min(start + step, n)
        rows = extremes(samples, finest, start, stop)
        for filling in reversed(cascade):
            yield from filling.add(rows, last=stop == n)
            if filling.level:
                rows = filling.merged(rows, last=stop == n)


def extremes(samples: Sampled, stride: int, start: int, stop: int) -> Array:
    """Return minimum and maximum of each ``stride`` samples of a stretch, (m, 2)."""
    if stride == 1:
        x = samples.read(start, stop)
        return np.stack([x, x], axis=1)
    expected = np.append(np.arange(start, stop, stride, dtype=np.int64), stop)
    edges, rows = samples.minmax(start, stop, len(expected) - 1)
    return rows if np.array_equal(edges, expected) else walk(samples.read, expected)


@dataclass
class _Filling:
    """A level that is being filled from its beginning."""

    level: int
    k: int = 0
    _rows: Array = field(default_factory=lambda: np.empty((0, 2)))
    _rest: Array = field(default_factory=lambda: np.empty((0, 2)))

    def add(self, rows: Array, *, last: bool) -> Iterator[Tile]:
        """Take the next stretches; give the tiles that they fill."""
        self._rows = np.concatenate([self._rows, rows])
        while len(self._rows) >= TILE or (last and len(self._rows)):
            yield Tile(level=self.level, k=self.k, rows=self._rows[:TILE])
            self._rows = self._rows[TILE:]
            self.k += 1

    def merged(self, rows: Array, *, last: bool) -> Array:
        """Return the next stretches of the level above."""
        rows = np.concatenate([self._rest, rows])
        whole = len(rows) if last else len(rows) // STEP * STEP
        self._rest = rows[whole:].copy()
        return block_minmax(rows[:whole], STEP)


# --- a tile as JSON ------------------------------------------------------------------------------


def encode(rows: Array, *, single: bool, times: Array | None = None) -> dict[str, Any]:
    """Return a tile as it is written.

    Parameters
    ----------
    rows
        (m, 2) minimum and maximum; what is not finite counts as no value.
    single
        Whether each row is one sample: written once.
    times
        (m,) times of the first samples after ``t0``, s; where sampling is irregular.
    """
    rows = np.where(np.isfinite(rows), rows, np.nan)
    held = ~np.isnan(rows)
    low, high = 0.0, 0.0
    if held.any():
        rows = np.clip(rows, -LARGEST, LARGEST)
        low, high = float(np.nanmin(rows)), float(np.nanmax(rows))
    scaled = (rows - low) / (high - low) * STEPS if high > low else np.zeros(rows.shape)
    if single:
        levels = np.rint(scaled[:, :1])
    else:
        levels = np.stack([np.floor(scaled[:, 0]), np.ceil(scaled[:, 1])], axis=1)
    held = held[:, : levels.shape[1]]
    codes = np.where(held, np.clip(levels, 0, STEPS), NO_VALUE).astype("<u2")
    tile = {"lo": low, "hi": high, "n": len(rows), "v": _base64(codes.T)}
    if times is not None:
        tile["t"] = _base64(np.asarray(times, dtype="<f8"))
    return tile


def _base64(values: NDArray[Any]) -> str:
    return base64.b64encode(np.ascontiguousarray(values).tobytes()).decode("ascii")
