"""What a recorder makes of a probe's bias and current, and what a plasma does while it records.

Every function takes and returns plain arrays; those that draw take a generator and return values
with a mean of zero and, unless said, a standard deviation of one.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def triangle(low: float, high: float, samples: int, sweeps: int) -> Floats:
    """Return a bias that rises and falls in turn, (samples · sweeps,) V, each ramp from end to end.

    Parameters
    ----------
    low, high : float
        Ends of the ramps, V.
    samples : int
        Of each ramp.
    sweeps : int
        Number of ramps, the first a rising one.
    """
    up = low + (high - low) * (np.arange(samples) + 0.5) / samples
    pair = np.concatenate([up, up[::-1]])
    return np.tile(pair, (sweeps + 1) // 2)[: samples * sweeps]


def drift(samples: int, sweeps: int) -> Floats:
    """Return −1/2 to 1/2 along each sweep, zero in its middle, (samples · sweeps,)."""
    return np.tile((np.arange(samples) + 0.5) / samples - 0.5, sweeps)


def broad_band(rng: np.random.Generator, n: int, band: float = 0.5) -> Floats:
    """Return noise that is white up to ``band`` cycles a sample and nothing above, (n,)."""
    return _shaped(rng, n, lambda f: (f <= band).astype(float))


def one_over_f(rng: np.random.Generator, n: int, exponent: float = 1.0) -> Floats:
    """Return noise whose power falls as frequency to the −``exponent``, (n,)."""
    return _shaped(rng, n, lambda f: f ** (-0.5 * exponent))


def _shaped(rng: np.random.Generator, n: int, amplitude: Callable[[Floats], Floats]) -> Floats:
    f = np.fft.rfftfreq(n)
    phases = rng.normal(size=f.size) + 1j * rng.normal(size=f.size)
    shape = np.zeros(f.size)
    shape[1:] = amplitude(np.asarray(f[1:], float))
    values = np.fft.irfft(phases * shape, n)
    return np.asarray(values / values.std())


def alias(n: int, samples: int, periods: float, phase: float) -> Floats:
    """Return a sine of amplitude 1, coherent over the record, (n,).

    Parameters
    ----------
    n : int
        Samples of the record.
    samples : int
        Of a sweep.
    periods : float
        In a sweep: a generator's frequency modulo the sampling rate, times a sweep's duration.
    phase : float
        At the record's first sample, rad.
    """
    return np.asarray(np.sin(2.0 * math.pi * periods / samples * np.arange(n) + phase))


def with_spikes(
    rng: np.random.Generator, values: Floats, samples: int, each: int, size: tuple[float, float]
) -> Floats:
    """Return the record with ``each`` samples of every sweep off by a large amount.

    The samples are single ones at random places; the amount is of either sign and of a size drawn
    evenly from ``size``, in units of the largest absolute value of the record.
    """
    spiked = values.copy()
    largest = float(np.abs(values).max())
    for start in range(0, values.size - samples + 1, samples):
        at = start + rng.choice(samples, each, replace=False)
        spiked[at] += rng.choice([-1.0, 1.0], each) * rng.uniform(*size, each) * largest
    return spiked


def lagged(values: Floats, samples: float) -> Floats:
    """Return what an amplifier of one pole makes of a record, ``samples`` its time constant."""
    from scipy.signal import lfilter

    if not samples:
        return values
    keep = math.exp(-1.0 / samples)
    return np.asarray(lfilter([1.0 - keep], [1.0, -keep], values, zi=[keep * values[0]])[0])


def quantised(values: Floats, bits: int, use: float) -> Floats:
    """Return what a converter of ``bits`` bits shows of a record that fills ``use`` of its range.

    The range is symmetric; what exceeds it is cut.
    """
    full = float(np.abs(values).max()) / use
    step = 2.0 * full / 2**bits
    return np.asarray(np.clip(np.round(values / step) * step, -full, full - step))
