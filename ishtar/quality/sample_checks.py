"""What the samples of one channel tell of it: clipped, dead, held, stuck bits, noise.

All of it from minima and maxima of blocks (rows of an envelope pyramid) and a few stretches of
samples, so that a record of any size takes the same time. Functions take raw numbers, as recorded:
an amplifier's scale is no matter of a converter's faults.
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

MANY = 32  # different values of a signal that is more than a digital line
FLAT_RUN = 8  # equal samples in a row at an extreme: noise of one count does not do that
HELD = 64  # equal samples in a row anywhere
HELD_SHARE = 0.005  # and this share of the record
STILL_OTHERWISE = 0.3  # share of still blocks above which a channel stands still by nature
IDLE_SPAN = 12.0  # in sigmas of the noise: extremes of a million samples of noise lie 10 apart
NOISY_SHARE = 0.02  # noise over the span of the whole record
LOUDER = 30.0  # than the median of the neighbours


def clipped(
    where: str,
    rows: Raw,
    n_clipped: int,
    n: int,
    limits: tuple[int, int],
    time: Floats,
    unit: str = "s",
) -> Finding | None:
    """Tell whether samples sat at the ends of the converter's range.

    Parameters
    ----------
    where : str
        The channel.
    rows : (m, 2)
        Minima and maxima of blocks.
    n_clipped, n : int
        Samples at the rails, and all.
    limits : (int, int)
        The rails.
    time : (m,) float64
        Middle of each block, s.
    unit : str
        Of ``time`` where that is none: ``"Hz"``; ``""`` for numbers of samples.
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
    """Tell whether all samples are equal; ``low`` and ``high`` are the extremes.

    Parameters
    ----------
    where : str
        Name of the channel, for the finding.
    low : float
        Smallest raw value.
    high : float
        Largest raw value.
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
    """Tell whether a channel that otherwise moves stands still: lost samples, filled up.

    Parameters
    ----------
    where : str
        The channel.
    rows : (m, 2)
        Minima and maxima of blocks; samples twice where ``block`` is 1.
    block : int
        Samples of a block.
    time : (m,) float64
        Middle of each block, s.
    rails : sequence of float
        Values at which standing still means something else: clipping.
    unit : str
        As of `clipped`.
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
        return None  # a digital line, a slow reading: standing still is what it does
    share = 1.0 - float(outside.mean())
    a, b = max(long, key=lambda r: r[1] - r[0])
    text = (
        f"stands still at {float(rows[a, 0]):g} (as recorded) from "
        f"{_from_to(time[a], time[b - 1], unit, 'to')} and moves otherwise: samples were lost "
        "there, or it was off"
    )
    return Finding(kind="held", severity=Severity.BAD, where=where, text=text, share=share)


def limited(where: str, pieces: Sequence[Raw], low: float, high: float) -> Finding | None:
    """Tell whether something before the recorder limits the signal: flat at its own extremes.

    Parameters
    ----------
    where : str
        The channel.
    pieces : sequence of (k,)
        Samples from where the extremes are reached.
    low, high : float
        The extremes of the whole record, which are not the rails.
    """
    if high - low < 2 * MANY or np.unique(np.concatenate(pieces)).size < MANY:
        return None
    # a coarse or slow converter repeats itself everywhere: that is no limiter
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
    """Tell of bits of a converter that never change, though those above and below do.

    Parameters
    ----------
    where : str
        The channel.
    values : (k,)
        Integers, as many different ones as there are: extremes of blocks, stretches of samples.
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
        # with many different values above it, chance alone does not leave a bit as it is
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
        Of neighbouring samples against each other; what is slower than a few samples is not in it.
    span : float
        Highest minus lowest sample of the whole record.
    """

    sigma: float
    span: float


def noise_of(quiet: Raw, low: float, high: float) -> Noise | None:
    """Return the noise of samples in which nothing happens; None of fewer than 64.

    From second differences, which a sweep or a drift does not enter; their median, which spikes
    and corners do not move. The noise of less than one count is that of rounding, 1/√12.

    Parameters
    ----------
    quiet : (n,) array
        Raw samples in which nothing happens.
    low : float
        Lower end of the range.
    high : float
        Upper end of the range.
    """
    if quiet.size < HELD:
        return None
    bend = np.diff(quiet.astype(np.float64), 2)
    sigma = 1.4826 * float(np.median(np.abs(bend - np.median(bend)))) / 6**0.5
    if sigma == 0.0:  # more than half of the samples agree with their neighbours
        sigma = float(np.sqrt(np.mean(bend**2) / 6))
    return Noise(sigma=sigma, span=float(high) - float(low))


def noisy(where: str, noise: Noise, neighbours: Floats) -> Finding | None:
    """Tell whether a channel hardly rises out of its noise, or is far louder than its neighbours.

    Parameters
    ----------
    where : str
        The channel.
    noise : Noise
        Its own.
    neighbours : (n,) float, as recorded
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


def _runs(yes: NDArray[np.bool_]) -> Iterator[tuple[int, int]]:
    """Yield the stretches (from, until) in which it is true."""
    edges = np.flatnonzero(np.diff(yes.astype(np.int8), prepend=0, append=0))
    for a, b in edges.reshape(-1, 2):
        yield int(a), int(b)


def _repeats(x: Raw) -> Iterator[tuple[int, int]]:
    """Yield the stretches of equal samples."""
    for a, b in _runs(x[1:] == x[:-1]):
        yield a, b + 1


def _from_to(a: float, b: float, unit: str, word: str) -> str:
    return f"{a:.4g} {word} {b:.4g} {unit}" if unit else f"sample {a:.0f} {word} {b:.0f}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %"
