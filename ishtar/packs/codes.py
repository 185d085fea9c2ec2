"""What the codes of a signal stand for.

Samples of a converter of at most 16 bits, with a calibration by which larger ones are never
smaller, are kept as what was recorded: `Ladder` has the value of each code. All others are rounded
block by block, `rounded`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import DamagedFile
from ishtar.packs.white_noise import noise_of
from ishtar.signals.min_max import Edges, channel_blocks
from ishtar.signals.samples import FileSamples, Samples
from ishtar.signals.time_base import Axis
from ishtar.store import Channel

NO_VALUE = 65535
STEPS = 65534  # from the least to the largest value of a block, at most
LONG = 1 << 16  # samples; in shorter records there is little to save
PER_SIGMA = 3
"""Steps in a standard deviation of the noise of a block, as in the compression of astronomical
images, where 1 to 4 are used [1]_: rounding to steps of a third adds 0.5 % to the noise.

.. [1] W. D. Pence, R. L. White, R. Seaman, "Optimal Compression of Floating-Point Astronomical
   Images Without Significant Loss of Information", Publ. Astron. Soc. Pac. 122 (2010) 1065.
"""
LARGEST = 8e307  # so that the range of a block is finite
LEAST_STEP = 2.0**-1022  # below, numbers have too few digits for steps that are alike
SECOND_LARGEST = 1 << 32  # codes of the values of a ladder
LEAST_PARTS = 4  # of the range, between neighbouring codes
MOST_CLOSE = 0.01  # of the codes may be closer: those at the vertex of a parabola are
SAME = 1e-12  # of a value: a step that is less comes from its last digits
STRAIGHT = 1e-9  # of the range: how far a straight ladder may be off

Array = NDArray[np.float64]
Codes = NDArray[np.uint16]


@dataclass(frozen=True, kw_only=True)
class Ladder:
    """The values of the codes ``0 … n - 1``, never falling.

    ``values`` is None for a straight one: code ``k`` is ``lo + k · (hi - lo) / (n - 1)``. Else they
    are parts of the range, uint32, or the values themselves, float64, if such parts are too coarse
    for neighbouring codes: those of a gauge with a logarithmic output.
    """

    lo: float
    hi: float
    n: int
    values: NDArray[np.uint32] | Array | None = None

    @classmethod
    def of(cls, values: Array) -> Ladder:
        """Return the ladder of some values, which must not fall."""
        lo, hi, n = float(values[0]), float(values[-1]), len(values)
        if np.abs(values - np.linspace(lo, hi, n)).max() <= STRAIGHT * (hi - lo):
            return cls(lo=lo, hi=hi, n=n)
        steps = np.diff(values)
        apart = steps > SAME * np.abs(values[1:])
        too_close = apart & (steps < LEAST_PARTS * ((hi - lo) / SECOND_LARGEST))
        if np.count_nonzero(too_close) > MOST_CLOSE * n:
            return cls(lo=lo, hi=hi, n=n, values=values)
        parts = np.rint((values - lo) / (hi - lo) * (SECOND_LARGEST - 1)).astype(np.uint32)
        return cls(lo=lo, hi=hi, n=n, values=parts)

    def look_up(self, codes: Codes) -> Array:
        """Return the values of codes."""
        width = self.hi - self.lo
        if self.values is None:
            return self.lo + width * (codes / max(self.n - 1, 1))
        found = self.values[codes]
        if found.dtype != np.uint32:
            return np.asarray(found)
        return self.lo + width * (found / (SECOND_LARGEST - 1))


@dataclass(frozen=True, kw_only=True)
class Converted:
    """A record of the codes of a converter, and the ladder of their values."""

    channel: Channel
    base: Axis
    ladder: Ladder
    least: int
    falls: bool  # larger numbers of the converter stand for smaller values

    def read(self, start: int, stop: int) -> Array:
        """Return codes of samples."""
        return self._codes(self.channel.raw(start, stop))

    def minmax(self, start: int, stop: int, n: int) -> tuple[Edges, Array]:
        """Return edges, smallest and largest codes of blocks."""
        edges, rows = channel_blocks(self.channel, start, stop, n)
        codes = self._codes(rows)
        return edges, codes[:, ::-1] if self.falls else codes

    def _codes(self, raw: NDArray[Any]) -> Array:
        codes = raw.astype(np.float64) - self.least
        if self.falls:
            codes = self.ladder.n - 1 - codes
        if codes.size and not (codes.min() >= 0 and codes.max() < self.ladder.n):
            raise DamagedFile(
                f"{self.channel.path!r} of {self.channel.file} has samples outside of the range "
                "that the file states: ingest its source again"
            )
        return codes


def converted(samples: Samples) -> Converted | None:
    """Return the codes of a converter that samples were computed from, one by one; else None."""
    steps = samples.computed_from() if isinstance(samples, FileSamples) else None
    if steps is None:
        return None
    channel, compute = steps
    if channel.dtype.kind not in "iu" or channel.dtype.itemsize > 2 or channel.n < 1:
        return None
    if not channel.raw_min <= channel.raw_max:  # NaN: an older file does not state them
        return None
    least, largest = int(channel.raw_min), int(channel.raw_max)
    with np.errstate(all="ignore"):
        values = compute(np.arange(least, largest + 1).astype(channel.dtype))
    falls = bool(values[0] > values[-1])
    values = values[::-1] if falls else values
    if not (np.isfinite(values).all() and (np.diff(values) >= 0).all()):
        return None
    if max(abs(values[0]), abs(values[-1])) > LARGEST:
        return None
    ladder = Ladder.of(values)
    if ladder.values is not None and ladder.n > channel.n:
        return None  # the ladder would be longer than the record
    return Converted(channel=channel, base=samples.base, ladder=ladder, least=least, falls=falls)


def ladder_entry(ladder: Ladder | None) -> Mapping[str, Any] | None:
    """Return what the index of a shot says of a ladder."""
    if ladder is None:
        return None
    return {
        "lo": ladder.lo,
        "hi": ladder.hi,
        "n": ladder.n,
        "straight": ladder.values is None,
        "bytes": 0 if ladder.values is None else ladder.values.itemsize,
    }


def rounded(
    rows: Array, *, single: bool, by_noise: bool
) -> tuple[NDArray[np.uint16], float, float]:
    """Round the bins of a block to codes.

    Parameters
    ----------
    rows
        (m, 2) minimum and maximum; numbers that are not finite count as missing.
    single
        Whether each row is one sample, which is rounded to the nearest code; minima are rounded
        down and maxima up, so that no sample lies outside of what is drawn.
    by_noise
        Whether a code may be worth a part of the noise, in a record of more than `LONG` samples.

    Returns
    -------
    codes : (1, m) or (2, m) uint16
        `NO_VALUE` where there is none.
    lo, step : float
        The value of code 0, and what a code is worth.
    """
    rows = np.where(np.isfinite(rows), np.clip(rows, -LARGEST, LARGEST), np.nan)
    columns = rows.T[:1] if single else rows.T
    is_valid = ~np.isnan(columns)
    if not is_valid.any():
        return np.full(columns.shape, NO_VALUE, dtype=np.uint16), 0.0, 0.0
    lo, hi = float(np.nanmin(columns)), float(np.nanmax(columns))
    step = _step(columns, hi - lo, by_noise)
    scaled = (columns - lo) / step if step else np.zeros(columns.shape)
    codes = np.rint(scaled) if single else np.stack([np.floor(scaled[0]), np.ceil(scaled[1])])
    codes = np.where(is_valid, np.clip(codes, 0, STEPS), NO_VALUE)
    return codes.astype(np.uint16), lo, step


def _step(columns: Array, width: float, by_noise: bool) -> float:
    """Return what a code is worth: a part of the noise, at least one of the range of the block."""
    noise = 0.0
    if by_noise and width:
        noise = width * min(noise_of(x / width) for x in columns)
    return max(noise / PER_SIGMA, width / STEPS, LEAST_STEP if width else 0.0)


def values_of(codes: Codes, lo: float, step: float) -> Array:
    """Return the values of rounded codes; NaN where there is none."""
    return np.where(codes == NO_VALUE, np.nan, lo + step * codes.astype(np.float64))
