"""Take narrow-band pick-up out of what a fit leaves over.

RF of a generator, sampled far below its frequency, appears as a sine of some low frequency. Where
its period is longer than a bin it does not average out; but it is a line, and a line can be seen.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Noise alone exceeds 40 times the median power once in some 1e9 frequencies.
_THRESHOLD = 40.0
_SLOWEST = 6  # periods in a sweep; a slower one cannot be told from the characteristic
_NEIGHBOURS = 14
_WIDTH = 3


def find_line(residual: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the rows of ``residual`` (n, k) with a narrow line, and its frequency in periods a row."""
    n, k = residual.shape
    none = np.empty(0, np.intp), np.empty(0)
    if k < 8 * (_SLOWEST + _NEIGHBOURS):
        return none
    window = 0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(k) + 0.5) / k)
    power = np.abs(np.fft.rfft(residual * window, axis=1)) ** 2
    usable = power.shape[1] - 1
    peak = _SLOWEST + np.argmax(power[:, _SLOWEST:usable], axis=1)
    rows = np.arange(n)
    # against the neighbourhood: the tail of a model's error is high there, too, and is no line
    offsets = np.concatenate(
        [np.arange(-_NEIGHBOURS, -_WIDTH + 1), np.arange(_WIDTH, _NEIGHBOURS + 1)]
    )
    around = np.clip(peak[:, None] + offsets, 2, usable)
    floor = np.median(power[rows[:, None], around], axis=1)
    found = rows[power[rows, peak] > _THRESHOLD * np.maximum(floor, 1e-300)]
    if not found.size:
        return none
    p = peak[found]
    # Hann's main lobe is nearly a parabola in the logarithm
    left, mid, right = (np.log(power[found, p + d] + 1e-300) for d in (-1, 0, 1))
    bend = np.minimum(left - 2.0 * mid + right, -1e-12)
    return found, p + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)


def find_pickup(residual: Floats, slope: Floats, rounds: int = 4) -> tuple[Floats | None, Floats]:
    """Return the sinusoidal pick-up in ``residual`` and the ripple of the bias that it implies.

    Parameters
    ----------
    residual : (n, k) float64, A
        Current less fitted current, in the order of time.
    slope : (n, k) float64, A/V
        dI/dV at each sample: pick-up on the current has the same amplitude everywhere, pick-up
        on the bias one that goes as the slope. Both are fitted.
    rounds : int
        Most lines a sweep.

    Returns
    -------
    pickup : (n, k) float64, A, or None
        Zero where no line is seen; None if there is none anywhere.
    ripple2 : (n,) float64, V²
        Variance of the bias by the part that goes as the slope. To first order this part is gone
        with ``pickup``; that the mean of a bent curve over it is shifted stays.
    """
    ripple2 = np.zeros(residual.shape[0])
    pickup: Floats | None = None
    k = residual.shape[1]
    rows: NDArray[np.intp] = np.arange(residual.shape[0])
    rest = residual
    for _ in range(rounds):
        found, frequency = find_line(rest)
        if not found.size:
            break
        # only sweeps with one line are asked for another
        rows, rest = rows[found], rest[found]
        top = np.maximum(np.abs(slope[rows]).max(1, keepdims=True), 1e-300)
        phase = 2.0 * np.pi * frequency[:, None] / k * np.arange(k)
        c, s, g = np.cos(phase), np.sin(phase), slope[rows] / top
        basis = np.stack([c, s, g * c, g * s], axis=1)
        normal = np.matmul(basis, basis.transpose(0, 2, 1))
        normal[:, range(4), range(4)] *= 1.0 + 1e-9
        amplitude = np.linalg.solve(normal, np.matmul(basis, rest[:, :, None]))
        line = np.matmul(amplitude.transpose(0, 2, 1), basis)[:, 0]
        rest = rest - line
        if pickup is None:
            pickup = np.zeros_like(residual)
        pickup[rows] += line
        volts = amplitude[:, 2:, 0] / top
        ripple2[rows] += 0.5 * (volts * volts).sum(1)
    return pickup, ripple2
