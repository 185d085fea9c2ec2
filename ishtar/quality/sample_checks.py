"""Checks of the samples of one channel: clipped, dead, held, stuck bits, noise.

They need only the minima and maxima of blocks (rows of an envelope pyramid) and a few pieces of the
samples, so that a record of any size takes the same time. All values are raw, as recorded: faults
of a converter do not depend on an amplifier's scale.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ishtar.quality.findings import Finding, Severity

__all__ = ["Noise", "clipped", "dead", "held", "limited", "noise_of", "noisy", "stuck_bits"]

Raw = NDArray[np.generic]
Floats = NDArray[np.float64]

MANY = 32  # distinct values; a signal with fewer may be a digital line
FLAT_RUN = 8  # equal samples in a row at an extreme: more than noise of one count produces
HELD = 64  # equal samples in a row anywhere
HELD_SHARE = 0.005  # and this share of the record
STILL_OTHERWISE = 0.3  # share of constant blocks above which a channel is constant by nature
IDLE_SPAN = 12.0  # in sigmas: the extremes of a million samples of noise are 10 apart
NOISY_SHARE = 0.02  # noise relative to the span of the whole record
LOUDER = 30.0  # times the median of the neighbours


def clipped(
    where: str,
    rows: Raw,
    n_clipped: int,
    n: int,
    limits: tuple[int, int],
    time: Floats,
    unit: str = "s",
) -> Finding | None:
    """Return a finding if samples are at the ends of the converter's range, else None.

    Parameters
    ----------
    where : str
        The channel.
    rows : (m, 2)
        Minima and maxima of blocks.
    n_clipped, n : int
        Number of samples at the rails, and of all samples.
    limits : (int, int)
        The rails.
    time : (m,) float64
        Centre of each block, s.
    unit : str
        The unit of ``time`` if the axis is not time, ``"Hz"``; ``""`` for sample numbers.
    """
    if n_clipped == 0 or n == 0:
        return None
    touched = np.flatnonzero((rows[:, 0] == limits[0]) | (rows[:, 1] == limits[1]))
    share = n_clipped / n
    span = ""
    if touched.size:
        span = f", between {_from_to(time[touched[0]], time[touched[-1]], unit, 'and')}"
    severity = Severity.BAD if share > 1e-3 else Severity.SUSPECT
    text = f"{n_clipped} samples ({_percent(share)}) are at the end of the recorder's range{span}"
    return Finding(kind="clipped", severity=severity, where=where, text=text, share=share)


def dead(where: str, low: float, high: float, n: int) -> Finding | None:
    """Return a finding if all samples are equal, else None.

    Parameters
    ----------
    where : str
        The channel.
    low, high : float
        The extremes of the record, as recorded.
    n : int
        Number of samples.
    """
    if n < 2 or low != high:
        return None
    text = f"never changes: all {n} samples are {low:g} as recorded; nothing was connected, or off"
    return Finding(kind="dead", severity=Severity.BAD, where=where, text=text, share=1.0)


def held(
    where: str, rows: Raw, block: int, time: Floats, rails: Sequence[float], unit: str = "s"
) -> Finding | None:
    """Return a finding if a varying channel is constant for a while (lost samples), else None.

    Parameters
    ----------
    where : str
        The channel.
    rows : (m, 2)
        Minima and maxima of blocks; each sample twice if ``block`` is 1.
    block : int
        Samples in a block.
    time : (m,) float64
        Centre of each block, s.
    rails : sequence of float
        Values to ignore: a constant channel is clipped there.
    unit : str
        As for `clipped`.
    """
    m = len(rows)
    if m < 2:
        return None
    still = rows[:, 0] == rows[:, 1]
    still[1:] &= rows[1:, 0] == rows[:-1, 1] if block == 1 else True
    runs = [r for r in _runs(still) if float(rows[r[0], 0]) not in rails]
    longest = max((b - a for a, b in runs), default=0)
    if longest * block < max(HELD, HELD_SHARE * m * block):
        return None
    long = [(a, b) for a, b in runs if b - a >= max(longest / 4, HELD / block)]
    outside = np.ones(m, dtype=bool)
    for a, b in long:
        outside[a:b] = False
    if outside.mean() < 0.2 or still[outside].mean() > STILL_OTHERWISE:
        return None  # a digital line or a slow reading is constant by nature
    share = 1.0 - float(outside.mean())
    a, b = max(long, key=lambda r: r[1] - r[0])
    text = (
        f"stands still at {float(rows[a, 0]):g} (as recorded) from "
        f"{_from_to(time[a], time[b - 1], unit, 'to')} and moves otherwise: samples were lost "
        "there, or it was off"
    )
    return Finding(kind="held", severity=Severity.BAD, where=where, text=text, share=share)


def limited(where: str, pieces: Sequence[Raw], low: float, high: float) -> Finding | None:
    """Return a finding if the signal is flat at its own extremes, else None.

    Something before the recorder limits it then.

    Parameters
    ----------
    where : str
        The channel.
    pieces : sequence of (k,)
        Samples around the extremes.
    low, high : float
        The extremes of the whole record, which must not be the rails.
    """
    if high - low < 2 * MANY or np.unique(np.concatenate(pieces)).size < MANY:
        return None
    # a coarse or slow converter repeats values everywhere, not only at the extremes
    usual = max(
        (b - a for x in pieces for a, b in _repeats(x) if x[a] not in (low, high)), default=0
    )
    least = max(FLAT_RUN, 4 * usual)
    for value, word in ((high, "highest"), (low, "lowest")):
        flat = [b - a for x in pieces for a, b in _runs(x == value) if b - a >= least]
        reached = [x for x in pieces if np.any(x == value)]
        share = sum(flat) / max(sum(x.size for x in reached), 1)
        if len(flat) > 1 or share > 0.01:
            text = (
                f"is flat at its {word} value ({value:g} as recorded), {max(flat)} samples in a "
                "row: something before the recorder limits it"
            )
            severity = Severity.SUSPECT
            return Finding(kind="limited", severity=severity, where=where, text=text, share=share)
    return None


def stuck_bits(where: str, values: Raw) -> list[Finding]:
    """Return findings on bits of a converter that never change, although others do.

    Parameters
    ----------
    where : str
        The channel.
    values : (k,)
        Integers with as many distinct values as possible: extremes of blocks, pieces of samples.
    """
    if values.dtype.kind not in "iu" or values.size == 0:
        return []
    seen = np.unique(values).astype(np.int64)
    if seen.size < 2 * MANY:
        return []
    changing = int(np.bitwise_or.reduce(seen ^ seen[0]))
    lowest = (changing & -changing).bit_length() - 1
    found = []
    bits = 8 * values.dtype.itemsize
    for bit in range(lowest + 1, changing.bit_length()):
        # with many distinct values above it, a bit does not stay constant by chance
        if not changing >> bit & 1 and np.unique(seen >> (bit + 1)).size >= MANY // 2:
            at = seen[0] >> bit & 1
            text = f"bit {bit} of {bits} is always {at}: the converter or its cable is faulty"
            found.append(
                Finding(kind="stuck", severity=Severity.BAD, where=where, text=text, share=1.0)
            )
    if lowest > 0:
        text = f"the lowest {lowest} of {bits} bits never change: it resolves {bits - lowest} bits"
        found.append(Finding(kind="stuck", severity=Severity.NOTE, where=where, text=text))
    return found


@dataclass(frozen=True, kw_only=True)
class Noise:
    """Noise of a channel in its quiet time, as recorded.

    Parameters
    ----------
    sigma : float
        Standard deviation between neighbouring samples, without slower variations.
    span : float
        Highest minus lowest sample of the whole record.
    """

    sigma: float
    span: float


def noise_of(quiet: Raw, low: float, high: float) -> Noise | None:
    """Return the noise of quiet samples, None for fewer than 64.

    It comes from the median of second differences: sweeps and drifts cancel in the differences, and
    spikes and corners do not affect the median. Noise below one count is that of rounding, 1/√12.

    Parameters
    ----------
    quiet : (n,)
        Samples in which nothing happens, as recorded.
    low, high : float
        The extremes of the whole record, as recorded.
    """
    if quiet.size < HELD:
        return None
    bend = np.diff(quiet.astype(np.float64), 2)
    sigma = 1.4826 * float(np.median(np.abs(bend - np.median(bend)))) / 6**0.5
    if sigma == 0.0:  # more than half of the samples equal their neighbours
        sigma = float(np.sqrt(np.mean(bend**2) / 6))
    return Noise(sigma=sigma, span=float(high) - float(low))


def noisy(where: str, noise: Noise, neighbours: Floats) -> Finding | None:
    """Return a finding if a channel is mostly noise or far noisier than its neighbours, else None.

    Parameters
    ----------
    where : str
        The channel.
    noise : Noise
        Its noise.
    neighbours : (n,) float64, as recorded
        The noise of the other channels of the same recorder and converter.
    """
    if noise.sigma <= 0.0 or noise.span <= 0.0:
        return None
    share = noise.sigma / noise.span
    usual = float(np.median(neighbours)) if neighbours.size >= 3 else 0.0
    if usual > 0.0 and noise.sigma > LOUDER * usual:
        text = (
            f"noise of {noise.sigma:.3g} counts before the trigger, {noise.sigma / usual:.0f} "
            "times that of its neighbours: a loose or unshielded cable"
        )
        severity = Severity.BAD if share > NOISY_SHARE else Severity.SUSPECT
        return Finding(kind="noisy", severity=severity, where=where, text=text, share=share)
    if noise.span <= IDLE_SPAN * noise.sigma:
        text = f"shows nothing but its noise of {noise.sigma:.3g} as recorded: nothing reached it"
        return Finding(kind="idle", severity=Severity.NOTE, where=where, text=text)
    if share > NOISY_SHARE:
        text = f"its noise is {_percent(share)} of all that it ever moves"
        return Finding(kind="noisy", severity=Severity.SUSPECT, where=where, text=text, share=share)
    return None


def _runs(condition: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of each run of True."""
    edges = np.flatnonzero(np.diff(condition.astype(np.int8), prepend=0, append=0))
    for a, b in edges.reshape(-1, 2):
        yield int(a), int(b)


def _repeats(x: Raw) -> Iterator[tuple[int, int]]:
    """Yield (start, stop) of each run of equal samples."""
    for a, b in _runs(x[1:] == x[:-1]):
        yield a, b + 1


def _from_to(a: float, b: float, unit: str, word: str) -> str:
    return f"{a:.4g} {word} {b:.4g} {unit}" if unit else f"sample {a:.0f} {word} {b:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
