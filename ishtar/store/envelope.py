"""Min/max pyramids: any stretch of any signal drawn from a few thousand numbers.

Level ``k`` holds minimum and maximum of blocks of ``BASE * STEP**k`` samples, so a shot of any
size is drawn from one small read. NaN are left out; a block of nothing but NaN is NaN.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    import h5py

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
    """One level of a pyramid, appended to the file as it grows: constant memory."""

    def __init__(self, group: h5py.Group, factor: int, dtype: np.dtype[Any]) -> None:
        self.factor = factor
        self.n = 0
        self._group = group
        self._dtype = dtype
        self._rows: list[NDArray[Any]] = []
        self._n_rows = 0
        self._dataset: h5py.Dataset | None = None

    def add(self, rows: NDArray[Any]) -> None:
        """Take the next blocks: (m, 2) minimum and maximum."""
        self._rows.append(rows)
        self._n_rows += len(rows)
        self.n += len(rows)
        if self._n_rows >= ROWS:
            self._flush(self._n_rows // ROWS * ROWS)

    def _flush(self, count: int) -> None:
        rows = np.concatenate(self._rows)
        if self._dataset is None:
            self._dataset = self._group.create_dataset(
                str(self.factor),
                shape=(0, 2),
                maxshape=(None, 2),
                chunks=(ROWS, 2),
                dtype=self._dtype,
            )
        n = self._dataset.shape[0]
        self._dataset.resize((n + count, 2))
        self._dataset[n:] = rows[:count]
        self._rows, self._n_rows = [rows[count:].copy()], len(rows) - count

    def finish(self) -> None:
        """Write what is left."""
        if self._dataset is not None:
            if self._n_rows:
                self._flush(self._n_rows)
        elif self._n_rows:
            self._dataset = self._group.create_dataset(
                str(self.factor), data=np.concatenate(self._rows)
            )

    def read(self, start: int, stop: int) -> NDArray[Any]:
        """Return blocks ``start … stop`` of a finished level."""
        assert self._dataset is not None
        return self._dataset[start:stop]


def add_coarser_levels(finest: Level) -> None:
    """Write the levels above a finished one, each from the one below."""
    level = finest
    while level.n > SMALLEST_LEVEL * STEP:
        coarser = Level(level._group, level.factor * STEP, level._dtype)
        for start in range(0, level.n, STEP * ROWS):
            coarser.add(block_minmax(level.read(start, start + STEP * ROWS), STEP))
        coarser.finish()
        level = coarser
