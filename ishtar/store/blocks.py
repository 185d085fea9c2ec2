"""Sample-wise computations on long channels in one pass over memory.

A record of the oscilloscope is hundreds of megabytes as floating point. As a whole it passes
through memory once for every step of scale and calibration; in blocks all steps find it in the
processor's cache. A converter of up to 16 bits has at most 65536 values: the results are computed
once for each value and looked up.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

Raw = NDArray[Any]
Floats = NDArray[np.float64]
Read = Callable[[int, int, Raw], Raw]
Compute = Callable[[Raw], Floats]
Fill = Callable[[Raw, Floats], None]

READ_LENGTH = 1 << 18  # samples read at a time: four chunks of the store
BLOCK_LENGTH = 1 << 14  # samples computed at a time: malloc returns larger arrays to the system
MIN_LENGTH = 1 << 19  # samples; fewer are computed as a whole


def in_blocks(read: Read, fill: Fill, start: int, stop: int, dtype: np.dtype[Any]) -> Floats:
    """Read and compute the samples ``start … stop`` block by block.

    Parameters
    ----------
    read : callable
        Reads samples ``a … b`` into an array and returns it.
    fill : callable
        Computes raw samples (m,) into an array (m,), each value from its own sample alone, so that
        the blocks do not matter. It must not keep its arguments.
    start, stop : int
        The samples.
    dtype : dtype
        The dtype of the raw samples.

    Returns
    -------
    (stop − start,) float64
        What ``fill`` computes.
    """
    out = np.empty(stop - start)
    buffer = np.empty(READ_LENGTH, dtype)
    a = start
    while a < stop:
        b = min((a // READ_LENGTH + 1) * READ_LENGTH, stop)  # whole chunks except at the ends
        raw = read(a, b, buffer[: b - a])
        for i in range(0, len(raw), BLOCK_LENGTH):
            part = raw[i : i + BLOCK_LENGTH]
            fill(part, out[a - start + i : a - start + i + len(part)])
        a = b
    return out


def fill_by_computing(compute: Compute) -> Fill:
    """Return a `Fill` that computes each block."""

    def fill(raw: Raw, out: Floats) -> None:
        out[:] = compute(raw)

    return fill


def fill_by_lookup(compute: Compute, low: float, high: float, dtype: np.dtype[Any]) -> Fill:
    """Return a `Fill` that looks up values computed once for all raw numbers ``low … high``.

    The values are the same to the last bit, since each is computed from the same raw number. The
    dtype must be an integer of at most 16 bits.
    """
    numbers = np.arange(int(low), int(high) + 1, dtype=np.int64).astype(dtype)
    unsigned = np.dtype(dtype.str.replace("i", "u"))
    table = np.full(1 << 8 * dtype.itemsize, np.nan)
    table[numbers.view(unsigned)] = compute(numbers)

    def fill(raw: Raw, out: Floats) -> None:
        # indices are always in bounds; with mode 'clip' numpy writes directly into `out`
        table.take(raw.view(unsigned), out=out, mode="clip")

    return fill
