"""Effects of the recorder and of plasma fluctuations on a probe's bias and current.

All functions take and return arrays; random ones take a generator and return values with zero mean
and, unless stated otherwise, unit standard deviation.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def triangle(low: float, high: float, samples: int, sweeps: int) -> Floats:
    """Return a triangular bias, (samples · sweeps,) V, each ramp from end to end.

    Parameters
    ----------
    low, high : float
        Ends of the ramps, V.
    samples : int
        Samples per ramp.
    sweeps : int
        Number of ramps; the first rises.
    """
    up = low + (high - low) * (np.arange(samples) + 0.5) / samples
    pair = np.concatenate([up, up[::-1]])
    return np.tile(pair, (sweeps + 1) // 2)[: samples * sweeps]


def drift(samples: int, sweeps: int) -> Floats:
    """Return −1/2 to 1/2 along each sweep, zero in its middle, (samples · sweeps,)."""
    return np.tile((np.arange(samples) + 0.5) / samples - 0.5, sweeps)


def broad_band(rng: np.random.Generator, n: int, band: float = 0.5) -> Floats:
    """Return noise that is white up to ``band`` cycles per sample and zero above, (n,)."""
    return _shaped(rng, n, lambda f: (f <= band).astype(float))


def one_over_f(rng: np.random.Generator, n: int, exponent: float = 1.0) -> Floats:
    """Return noise with a power spectrum ∝ f^−``exponent``, (n,)."""
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
        Samples per sweep.
    periods : float
        Periods per sweep: frequency modulo the sampling rate, times the duration of a sweep.
    phase : float
        Phase at the first sample, rad.
    """
    return np.asarray(np.sin(2.0 * math.pi * periods / samples * np.arange(n) + phase))


def with_spikes(
    rng: np.random.Generator, values: Floats, samples: int, each: int, size: tuple[float, float]
) -> Floats:
    """Return the record with ``each`` spikes per sweep.

    Spikes are single samples at random positions with random sign; their size is uniform in
    ``size``, in units of the largest absolute value of the record.
    """
    spiked = values.copy()
    largest = float(np.abs(values).max())
    for start in range(0, values.size - samples + 1, samples):
        at = start + rng.choice(samples, each, replace=False)
        spiked[at] += rng.choice([-1.0, 1.0], each) * rng.uniform(*size, each) * largest
    return spiked


def lagged(values: Floats, samples: float) -> Floats:
    """Return a record after a one-pole low-pass with a time constant of ``samples``."""
    from scipy.signal import lfilter

    if not samples:
        return values
    keep = math.exp(-1.0 / samples)
    return np.asarray(lfilter([1.0 - keep], [1.0, -keep], values, zi=[keep * values[0]])[0])


def quantised(values: Floats, bits: int, use: float) -> Floats:
    """Return a record after a converter of ``bits`` bits, of whose range it fills ``use``.

    The range is symmetric and clips.
    """
    full = float(np.abs(values).max()) / use
    step = 2.0 * full / 2**bits
    return np.asarray(np.clip(np.round(values / step) * step, -full, full - step))
