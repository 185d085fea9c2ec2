"""Min/max pyramids: any stretch of any signal drawn from a few thousand numbers.

Level ``k`` holds minimum and maximum of blocks of ``BASE * STEP**k`` samples, so a shot of any
size is drawn from one small read. NaN are left out; a block of nothing but NaN is NaN.
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
SMALLEST_LEVEL = 256  # a coarser level than this many blocks would never be read
ROWS = 1 << 14  # blocks kept in memory, and in one chunk of a long level: 64 kB of int16


def block_minmax(x: NDArray[Any], factor: int) -> NDArray[Any]:
    """Return minimum and maximum of each block of ``factor`` samples, the last one may be short.

    Parameters
    ----------
    x : (n,) or (n, 2)
        Samples, or pairs (min, max) of a finer level.

    Returns
    -------
    (ceil(n / factor), 2) same dtype
    """
    lo, hi = (x, x) if x.ndim == 1 else (x[:, 0], x[:, 1])
    starts = np.arange(0, len(lo), factor)
    out = np.empty((len(starts), 2), dtype=x.dtype)
    if len(starts):
        # reduceat is the fastest of numpy's ways here, fmin as fast as min and deaf to NaN
        np.fmin.reduceat(lo, starts, out=out[:, 0])
        np.fmax.reduceat(hi, starts, out=out[:, 1])
    return out


class Level:
    """One level of a pyramid, appended to the file as it grows: constant memory.

    ``rows`` blocks are kept in memory, and lie in one chunk of a long level.
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
        """Take the next blocks: (m, 2) minimum and maximum."""
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
        """Write what is left."""
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
    """Write the levels above a finished one, each from the one below; return all factors."""
    level, factors = finest, [finest.factor] if finest.n else []
    while level.n > SMALLEST_LEVEL * STEP:
        coarser = Level(level.group, level.factor * STEP, level.dtype, level.rows)
        for start in range(0, level.n, STEP * ROWS):
            coarser.add(block_minmax(level.read(start, start + STEP * ROWS), STEP))
        coarser.finish()
        level = coarser
        factors.append(level.factor)
    return factors
