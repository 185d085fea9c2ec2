"""Quality flags of single samples, one bit each.

====  =============  ===========================================================================
  1   clipped        the recorder was at a limit of its range: the true value lies beyond it
  2   out_of_range   outside the calibration's range of validity (its look-up table, its range)
  4   not_finite     the value is NaN or infinite
====  =============  ===========================================================================
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.store import Channel

Flags = NDArray[np.uint8]
Mask = NDArray[np.bool_]

CLIPPED, OUT_OF_RANGE, NOT_FINITE = 1, 2, 4
ATTRIBUTES = {  # as the CF conventions write flags
    "flag_masks": [CLIPPED, OUT_OF_RANGE, NOT_FINITE],
    "flag_meanings": "clipped out_of_range not_finite",
    "units": "1",
}


def rails(channel: Channel) -> tuple[int, ...]:
    """Return the raw values at the limits of the recorder's range; empty if none was recorded.

    The file's own count follows the same rule (`ishtar.store.converter_limits`).
    """
    if not channel.n_clipped or channel.dtype.kind not in "iu":
        return ()
    limits = np.iinfo(channel.dtype)
    counts_from_zero = channel.dtype.kind == "u" and (
        channel.dtype.itemsize > 2 or channel.raw_max <= 1
    )
    return (limits.max,) if counts_from_zero else (limits.min, limits.max)


def at_rails(raw: NDArray[Any], channel: Channel) -> Mask:
    """Return which raw samples are at a limit of the recorder's range."""
    found = np.zeros(raw.shape, dtype=bool)
    for rail in rails(channel):
        found |= raw == rail
    return found


def flags(*, clipped: Mask, outside: Mask, values: NDArray[np.float64]) -> Flags:
    """Return the flags of samples, (n,) uint8."""
    found = clipped.astype(np.uint8) * np.uint8(CLIPPED)
    found |= outside.astype(np.uint8) * np.uint8(OUT_OF_RANGE)
    found |= (~np.isfinite(values)).astype(np.uint8) * np.uint8(NOT_FINITE)
    return found
