"""Min/max pyramids, to draw any part of a channel from a few thousand numbers.

Level ``k`` has the minimum and maximum of blocks of ``BASE * STEP**k`` samples, so that a plot at
any zoom takes one small read. NaN are ignored; a block of only NaN is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store.h5_read import read_rows
from ishtar.store.h5_write import create_chunked, write_rows, write_small

if TYPE_CHECKING:
    from h5py import h5d, h5g

BASE = 128
STEP = 4
MIN_LEVEL_BLOCKS = 256  # a level with fewer blocks would never be read
ROWS = 1 << 14  # blocks buffered in memory, and in one chunk of a long level: 64 kB of int16


def block_minmax(x: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return the minimum and maximum of each block of samples.

    Parameters
    ----------
    x : (n,) or (n, 2)
        Samples, or pairs (min, max) of a finer level.
    factor : int
        Samples in a block; the last block may be shorter.

    Returns
    -------
    (ceil(n / factor), 2) same dtype
        (min, max) of each block.
    """
    lo, hi = (x, x) if x.ndim == 1 else (x[:, 0], x[:, 1])
    starts = np.arange(0, len(lo), factor)
    out = np.empty((len(starts), 2), dtype=x.dtype)
    if len(starts):
        # reduceat is the fastest in numpy here; fmin is as fast as min and ignores NaN
        np.fmin.reduceat(lo, starts, out=out[:, 0])
        np.fmax.reduceat(hi, starts, out=out[:, 1])
    return out


class Level:
    """One level of a pyramid, appended to the file as it grows, in constant memory.

    ``rows`` is the number of blocks buffered in memory, and in one chunk of a long level.
    """

    def __init__(
        self, group: h5g.GroupID, factor: int, dtype: np.dtype[Any], rows: int = ROWS
    ) -> None:
        self.factor, self.dtype, self.rows = factor, dtype, rows
        self.n = 0
        self.group = group
        self._pending: list[NDArray[Any]] = []
        self._n_pending = 0
        self._dataset: h5d.DatasetID | None = None

    def add(self, rows: NDArray[Any]) -> None:
        """Append blocks: (m, 2) minimum and maximum."""
        self._pending.append(rows)
        self._n_pending += len(rows)
        self.n += len(rows)
        if self._n_pending >= self.rows:
            self._flush(self._n_pending // self.rows * self.rows)

    def _flush(self, count: int) -> None:
        rows = np.concatenate(self._pending)
        if self._dataset is None:
            self._dataset = create_chunked(
                self.group, str(self.factor), self.dtype, chunk=self.rows, n=None, width=(2,)
            )
        write_rows(self._dataset, self.n - self._n_pending, rows[:count])
        self._pending, self._n_pending = [rows[count:].copy()], len(rows) - count

    def finish(self) -> None:
        """Write the remaining blocks."""
        if self._dataset is not None:
            if self._n_pending:
                self._flush(self._n_pending)
        elif self._n_pending:
            rows = np.concatenate(self._pending)
            self._dataset = write_small(self.group, str(self.factor), rows)

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return blocks ``start … stop`` of a finished level."""
        return read_rows(self._dataset, start, stop)


def add_coarser_levels(finest: Level) -> list[int]:
    """Write the coarser levels, each from the next finer one; return the factors of all levels."""
    level, factors = finest, [finest.factor] if finest.n else []
    while level.n > MIN_LEVEL_BLOCKS * STEP:
        coarser = Level(level.group, level.factor * STEP, level.dtype, level.rows)
        for start in range(0, level.n, STEP * ROWS):
            coarser.add(block_minmax(level.read(start, start + STEP * ROWS), STEP))
        coarser.finish()
        level = coarser
        factors.append(level.factor)
    return factors
