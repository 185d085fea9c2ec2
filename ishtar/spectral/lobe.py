"""The lobe of a window: the shape of a sine's line in the bins of a spectrum."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.interpolate import CubicSpline

__all__ = ["FAR", "Lobe", "lobe_of"]

Floats = NDArray[np.float64]
_FINE = 64  # points per bin
FAR = 1024  # bins, range of the table
_MAX_SAMPLES = 1 << 15  # a longer window has the same shape to 1e-8


@dataclass(frozen=True, kw_only=True)
class Lobe:
    """The transform of a window, in bins; its length affects the last digits only.

    Parameters
    ----------
    shape, slope, mean : CubicSpline
        Transform of the window about its middle, real, 1 at 0, over the distance in bins; its
        derivative; the transform of a boxcar, which is the contribution of a sine to the mean.
    noise : CubicSpline
        Correlation of the noise of two bins over their distance.
    leakage : numpy.ndarray
        Maximum density k bins away or further, relative to the peak.
    half : int
        Half width of the main lobe, bins: it contains nearly all power, 8 at most.
    resolves : float
        Resolution, bins: three quarters of the distance to the first zero.
    fourth, bend : float
        Of one segment: ``line_hz`` and ``line_hz3`` over the spacing of bins and its cube.
    """

    shape: CubicSpline
    slope: CubicSpline
    mean: CubicSpline
    noise: CubicSpline
    leakage: Floats
    half: int
    resolves: float
    fourth: float
    bend: float

    def at(self, x: NDArray[Any]) -> Floats:
        """Return the shape x bins from the line, 0 beyond `FAR`."""
        away = np.abs(x)
        return np.where(away < FAR, self.shape(np.minimum(away, FAR)), 0.0)

    def mean_at(self, x: Floats) -> Floats:
        """Return the contribution of a sine x bins from 0 to the mean of a segment."""
        away = np.abs(x)
        return np.where(away < FAR, self.mean(np.minimum(away, FAR)), 0.0)

    def slope_at(self, x: Floats) -> Floats:
        """Return the derivative of the shape, 1/bin."""
        away = np.abs(x)
        slope = np.sign(x) * self.slope(np.minimum(away, FAR))
        return np.where(away < FAR, slope, 0.0)


def lobe_of(window: str, segment: int) -> Lobe:
    """Return the lobe of a window, as scipy names it, of ``segment`` samples."""
    return _tabulated(window, min(segment, _MAX_SAMPLES))


@lru_cache(maxsize=16)
def _tabulated(window: str, n: int) -> Lobe:
    from scipy.signal import get_window

    taper = np.asarray(get_window(window, n), float)
    shape = _transform(taper)
    x = np.arange(shape.size) / _FINE
    power = shape**2
    beyond = np.maximum.accumulate(power[::-1])[::-1]  # maximum at this distance or further
    # a peak is within half a bin of its line, which lowers the peak
    k = np.maximum(np.arange(shape.size // _FINE) * _FINE - _FINE // 2, 0)
    inside = np.cumsum(power) * 2.0 - power[0]
    enough = np.flatnonzero(inside >= 0.9999 * inside[-1])
    zero = np.flatnonzero((shape < 0.0) | (power < 1e-8))
    w2 = taper**2
    slope = taper * np.gradient(taper)
    whole = float(w2.sum())
    main = _spline(x, shape)
    return Lobe(
        shape=main,
        slope=main.derivative(),
        mean=_spline(x, _transform(np.ones(n))),
        noise=_spline(x, _transform(w2)),
        leakage=beyond[k] / power[_FINE // 2],
        half=min(math.ceil(enough[0] / _FINE + 0.5), 8),
        resolves=0.75 * float(x[zero[0]]) if zero.size else 1.0,
        fourth=n * float(np.dot(w2, w2)) / whole**2,
        bend=n**3 * max(float(np.dot(slope, slope)), 1e-12) / (math.pi * whole) ** 2,
    )


def _transform(taper: Floats) -> Floats:
    """Return the transform about the middle of the window, which is real, up to `FAR` bins."""
    n = taper.size
    found = np.fft.rfft(taper, n * _FINE)[: min(FAR, n // 2) * _FINE + 1]
    middle = float(np.dot(taper, np.arange(n)) / taper.sum())
    turned = found * np.exp(2j * np.pi * np.arange(found.size) / _FINE * middle / n)
    return np.asarray(turned.real / taper.sum())


def _spline(x: Floats, y: Floats) -> CubicSpline:
    from scipy.interpolate import CubicSpline

    return CubicSpline(x, y)
