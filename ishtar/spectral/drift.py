"""A line whose frequency drifts linearly during the record, which looks like several lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Drift", "fit_drift"]

Floats = NDArray[np.float64]
_SAMPLES, _FINE = 1024, 16  # of the window; points per bin
_SHIFTS = 32  # positions of segments along the drift


@dataclass(frozen=True, kw_only=True)
class Drift:
    """Mean place (bins), drift over the record (bins), power of a peak, Σ (misfit/σ)²."""

    place: float
    run: float
    power: float
    cost: float


def fit_drift(
    index: NDArray[np.int64], above: Floats, sigma: Floats, window: str, segments: float
) -> Drift:
    """Return the best fit of a drifting line.

    Parameters
    ----------
    index, above, sigma : numpy.ndarray
        (n,), of the bins; densities above the floor; one sigma of each.
    window : str
        As scipy names it.
    segments : float
        Length of the record over that of a segment.
    """
    from scipy.optimize import minimize
    from scipy.signal import get_window

    taper = np.asarray(get_window(window, _SAMPLES), float)
    weight = np.maximum(above, 0.0)
    centre = float(np.dot(index, weight) / weight.sum())

    def shape(place: float, run: float) -> Floats:
        return _shape(np.asarray(index - place, float), run, taper, segments)

    def cost(p: NDArray[np.float64]) -> float:
        column = shape(float(p[0]), float(p[1]))
        g = np.dot(above / sigma, column / sigma) / np.dot(column / sigma, column / sigma)
        return float(np.sum(((above - g * column) / sigma) ** 2))

    starts = [(centre, run) for run in (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)]
    start = min(starts, key=lambda p: cost(np.array(p)))
    best = minimize(cost, start, method="Nelder-Mead", options={"xatol": 1e-4, "maxfev": 160})
    column = shape(*best.x)
    g = np.dot(above / sigma**2, column) / np.dot(column / sigma**2, column)
    return Drift(
        place=float(best.x[0]), run=abs(float(best.x[1])), power=float(g), cost=float(best.fun)
    )


def _shape(x: Floats, run: float, taper: Floats, segments: float) -> Floats:
    """Return the mean density of a line that drifts by ``run`` bins, x bins from its middle."""
    n = taper.size
    t = (np.arange(n) - 0.5 * n) / n
    wave = taper * np.exp(1j * np.pi * run / segments * t**2)
    power = np.abs(np.fft.fft(wave, n * _FINE)) ** 2 / taper.sum() ** 2
    power, at = np.fft.fftshift(power), np.arange(-n // 2 * _FINE, n // 2 * _FINE) / _FINE
    if segments <= 1.0:
        return np.asarray(np.interp(x, at, power))
    far = 0.5 * run * (1.0 - 1.0 / segments)
    shifts = np.linspace(-far, far, _SHIFTS)
    return np.asarray(np.mean([np.interp(x - d, at, power) for d in shifts], axis=0))
