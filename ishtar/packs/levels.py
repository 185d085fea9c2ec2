"""The levels of a record: bins with their minimum and maximum, from the whole record to samples.

Level 0 is the coarsest: the whole record in one block. The next levels are four times finer each;
below bins of `FINEST_BINS` samples there is nothing until single samples, since the few samples
that a view then shows have no more bytes than the bins in between would have.

Only the finest level is read, piece by piece, from the stored pyramid if that is fine enough; the
coarser levels are made from it on the way.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from ishtar.signals.min_max import Edges, walk
from ishtar.signals.time_base import Axis
from ishtar.store.envelope import BASE, block_minmax

BLOCK = 4096  # bins of a level that are read together
IRREGULAR_BLOCK = 2048  # if each has its place, too
COARSEST = 2048  # bins of level 0, at most
STEP = 4
FINEST_BINS = 32  # samples
SPARSE = 512  # samples: bins of this length take less than 1 % of the bytes of the samples
READ_SAMPLES = 1 << 20  # at a time, where every sample is read

Array = NDArray[np.float64]


class Record(Protocol):
    """What is cut: samples, or numbers that stand for them."""

    @property
    def base(self) -> Axis:
        """The axis of the samples."""

    def read(self, start: int, stop: int) -> Array:
        """Return samples ``start … stop``."""

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return edges (m + 1,), minima and maxima (m, 2) of at most ``n`` blocks."""


@dataclass(frozen=True, kw_only=True)
class Level:
    """One level: samples per bin, the number of bins, and how many are in a block."""

    stride: int
    bins: int
    block: int = BLOCK

    @property
    def blocks(self) -> int:
        """The number of its blocks."""
        return -(-self.bins // self.block)


@dataclass(frozen=True, kw_only=True)
class Block:
    """Some bins: their level, the number of the block, minima and maxima, (m, 2)."""

    level: int
    k: int
    rows: Array


def levels_of(n: int, most: int, *, irregular: bool = False) -> list[Level]:
    """Return the levels of a record of ``n`` samples, the coarsest first.

    Parameters
    ----------
    n
        Number of samples.
    most
        Most bins of the finest level, unless its bins have `SPARSE` samples or more; 0 allows
        single samples.
    irregular
        Whether each bin has its place.
    """
    if n < 1:
        return []
    block = IRREGULAR_BLOCK if irregular else BLOCK
    strides = _strides(n, min(COARSEST, block))
    levels = [Level(stride=stride, bins=-(-n // stride), block=block) for stride in strides]
    kept = [k for k in levels if not most or k.bins <= most or k.stride >= SPARSE]
    return kept or levels[:1]


def _strides(n: int, coarsest: int) -> list[int]:
    """Return the strides of ``n`` samples, the longest, of ``coarsest`` bins at most, first."""
    longest = 1
    while -(-n // longest) > coarsest and longest < FINEST_BINS:
        longest *= STEP
    if longest < FINEST_BINS:
        return [longest, 1] if longest > 1 else [1]
    strides = [1, FINEST_BINS]
    while -(-n // strides[-1]) > coarsest:
        strides.append(strides[-1] * STEP)
    return strides[::-1]


def cut(record: Record, levels: Sequence[Level]) -> Iterator[Block]:
    """Yield the blocks of a record at some levels; memory does not grow with the record."""
    buffers = [_LevelBuffer(i, level.block) for i, level in enumerate(levels)]
    factors = [1, *(a.stride // b.stride for a, b in pairwise(levels))]
    finest = levels[-1].stride
    n = record.base.n
    # with a stride as long as the pyramid's few numbers are read, with a shorter one every sample
    bins = 8 * BLOCK if finest >= BASE else max(READ_SAMPLES // finest, BLOCK)
    for start in range(0, n, bins * finest):
        stop = min(start + bins * finest, n)
        rows = min_max_rows(record, finest, start, stop)
        for buffer in reversed(buffers):
            yield from buffer.add(rows, last=stop == n)
            if buffer.level:
                rows = buffer.merged(rows, factors[buffer.level], last=stop == n)


def min_max_rows(record: Record, stride: int, start: int, stop: int) -> Array:
    """Return minimum and maximum of every ``stride`` samples of a range, (m, 2).

    Samples that are not finite are missing: an infinite one does not hide the others of its bin.
    """

    def finite(first: int, last: int) -> Array:
        x = record.read(first, last)
        return np.where(np.isfinite(x), x, np.nan)

    if stride == 1:
        x = finite(start, stop)
        return np.stack([x, x], axis=1)
    expected = np.append(np.arange(start, stop, stride, dtype=np.int64), stop)
    edges, rows = record.minmax(start, stop, len(expected) - 1)
    if not np.array_equal(edges, expected):
        return walk(finite, expected)
    for k in np.flatnonzero(np.isinf(rows).any(axis=1)):
        rows[k] = walk(finite, expected[k : k + 2])[0]
    return rows


@dataclass
class _LevelBuffer:
    """The bins of a level that do not fill a block yet."""

    level: int
    block: int
    k: int = 0
    _rows: Array = field(default_factory=lambda: np.empty((0, 2)))
    _rest: Array = field(default_factory=lambda: np.empty((0, 2)))

    def add(self, rows: Array, *, last: bool) -> Iterator[Block]:
        """Add the next bins; yield the blocks that they complete."""
        self._rows = np.concatenate([self._rows, rows])
        while len(self._rows) >= self.block or (last and len(self._rows)):
            yield Block(level=self.level, k=self.k, rows=self._rows[: self.block])
            self._rows = self._rows[self.block :]
            self.k += 1

    def merged(self, rows: Array, factor: int, *, last: bool) -> Array:
        """Return the next bins of the coarser level, ``factor`` times as long."""
        rows = np.concatenate([self._rest, rows])
        whole = len(rows) if last else len(rows) // factor * factor
        self._rest = rows[whole:].copy()
        return block_minmax(rows[:whole], factor)
