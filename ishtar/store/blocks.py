"""Computing from a long stretch of a channel what follows sample by sample, in one pass.

A stretch of the scope is hundreds of megabytes once it is floating point. Taken as a whole it goes
through memory once for every step of scale and calibration; taken in blocks all steps find it in
the processor's cache. A converter of up to 16 bits knows 65536 values at most: they are computed
once, whatever the calibration, and looked up.
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

READ = 1 << 18  # samples read at a time: four chunks of the store
BLOCK = 1 << 14  # and computed: larger work arrays are given back to the system each time
LONG = 1 << 19  # a shorter stretch is taken as a whole


def in_blocks(read: Read, fill: Fill, start: int, stop: int, dtype: np.dtype[Any]) -> Floats:
    """Return what ``fill`` makes of the samples ``start … stop``, (n,) float64.

    Parameters
    ----------
    read : callable
        Reads samples ``a … b`` into an array and returns it.
    fill : callable
        Writes into an array (m,) what it makes of raw samples (m,), of each from it alone, so that
        it does not matter how the stretch is cut. It must not keep its arguments.
    dtype : dtype
        Of the raw samples.
    """
    out = np.empty(stop - start)
    buffer = np.empty(READ, dtype)
    a = start
    while a < stop:
        b = min((a // READ + 1) * READ, stop)  # whole chunks, but at the ends
        raw = read(a, b, buffer[: b - a])
        for i in range(0, len(raw), BLOCK):
            part = raw[i : i + BLOCK]
            fill(part, out[a - start + i : a - start + i + len(part)])
        a = b
    return out


def filling(compute: Compute) -> Fill:
    """Return a filler that computes."""

    def fill(raw: Raw, out: Floats) -> None:
        out[:] = compute(raw)

    return fill


def looking_up(compute: Compute, low: float, high: float, dtype: np.dtype[Any]) -> Fill:
    """Return a filler that looks up all values of raw numbers ``low … high`` of up to 16 bits.

    The values are the same to the last bit: each was computed from the same raw number.
    """
    numbers = np.arange(int(low), int(high) + 1, dtype=np.int64).astype(dtype)
    unsigned = np.dtype(dtype.str.replace("i", "u"))
    table = np.full(1 << 8 * dtype.itemsize, np.nan)
    table[numbers.view(unsigned)] = compute(numbers)

    def fill(raw: Raw, out: Floats) -> None:
        # never out of bounds, and 'clip' is the mode that writes straight into `out`
        table.take(raw.view(unsigned), out=out, mode="clip")

    return fill
