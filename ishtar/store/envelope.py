"""Min/max pyramids: any stretch of any signal drawn from a few thousand numbers.

Level ``k`` holds minimum and maximum of blocks of ``BASE * STEP**k`` samples, so a shot of any
size is drawn from one small read.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BASE = 128
STEP = 4
SMALLEST_LEVEL = 256  # a coarser level than this many blocks would never be read


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
    whole = len(lo) // factor * factor
    out = np.empty((-(-len(lo) // factor), 2), dtype=x.dtype)
    n = whole // factor
    out[:n, 0] = lo[:whole].reshape(n, factor).min(axis=1)
    out[:n, 1] = hi[:whole].reshape(n, factor).max(axis=1)
    if whole < len(lo):
        out[n] = lo[whole:].min(), hi[whole:].max()
    return out


class PyramidBuilder:
    """Builds the finest level on the fly; the coarser ones follow from it at the end."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self._rest = np.empty(0, dtype=dtype)
        self._blocks: list[NDArray[Any]] = []

    def add(self, values: NDArray[Any]) -> None:
        """Take the next stretch of samples."""
        if len(self._rest):
            need = BASE - len(self._rest)
            head, values = values[:need], values[need:]
            self._rest = np.concatenate([self._rest, head])
            if len(self._rest) < BASE:
                return
            self._blocks.append(block_minmax(self._rest, BASE))
        whole = len(values) // BASE * BASE
        if whole:
            self._blocks.append(block_minmax(values[:whole], BASE))
        self._rest = values[whole:].copy()

    def levels(self) -> dict[int, NDArray[Any]]:
        """Return ``{factor: (m, 2) min and max}``, finest first."""
        blocks = [*self._blocks]
        if len(self._rest):
            blocks.append(block_minmax(self._rest, BASE))
        if not blocks:
            return {}
        level, factor = np.concatenate(blocks), BASE
        out = {factor: level}
        while len(level) > SMALLEST_LEVEL * STEP:
            level, factor = block_minmax(level, STEP), factor * STEP
            out[factor] = level
        return out
