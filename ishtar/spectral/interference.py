"""The model of several lines in the bins of a spectrum, including their interference.

The mean density of sines of powers P_a, ν_a bins from 0, through a window of transform W, is

    Σ_a P_a W(i − ν_a)² + 2 Σ_a<b c_ab √(P_a P_b) W(i − ν_a) W(i − ν_b)

where c_ab, −1 … 1, is the cosine of their phase difference in the middle of a segment, averaged
over the segments. A sine interferes in the same way with its own image beyond 0 or the Nyquist
frequency. All unknowns but ν are linear and solved for at each step (variable projection); c has a
prior of ±1.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ishtar.spectral.lobe import Lobe

__all__ = ["Bins", "Columns", "Outsider", "above", "bin_sigma", "columns_of", "solve"]

Floats = NDArray[np.float64]

_MIN_COLUMN = 1e-9  # of the largest
_SHAPE = 1e-6  # relative accuracy of the lobe


@dataclass(frozen=True, kw_only=True)
class Bins:
    """The neighbouring bins of a fit.

    Parameters
    ----------
    index : numpy.ndarray
        (n,), of the bins in the spectrum.
    psd, floor : numpy.ndarray
        (n,), density, and its part due to noise.
    averages : float
        Independent segments.
    share : (float, float)
        Variance of an amplitude and of a frequency relative to that of one segment.
    nyquist : float
        In bins.
    threshold : float
        Density over the floor that noise alone hardly ever exceeds.
    shape : float
        Accuracy of the lobe relative to the amplitude of the peak.
    """

    index: NDArray[np.int64]
    psd: Floats
    floor: Floats
    averages: float
    share: tuple[float, float]
    nyquist: float
    threshold: float
    shape: float = _SHAPE


@dataclass(frozen=True, kw_only=True)
class Outsider:
    """A distant line whose wings extend into the bins: place (bins) and power."""

    place: float
    power: float


@dataclass(frozen=True, kw_only=True)
class Columns:
    """The linear part at given places: columns, their derivatives by the places, priors."""

    pairs: list[tuple[int, int]]
    values: Floats
    slopes: list[tuple[int, int, Floats]]
    prior: Floats


def columns_of(
    bins: Bins,
    lobe: Lobe,
    nu: Floats,
    outsiders: tuple[Outsider, ...],
    powers: Floats,
    only: list[tuple[int, int]] | None = None,
) -> Columns:
    """Return the contribution of each unknown to the density, or of those in ``only``.

    A pair (a, a) is a line, (a, b) with a < b the interference of two, (b, a) that with the images,
    (a, −1) that with its own image, (a, −2 − k) that with outsider k.
    """
    i = bins.index[:, None].astype(float)
    w, slope = lobe.at(i - nu), -lobe.slope_at(i - nu)
    # only the nearer of the two images matters; subtracting the mean adds one at 0 as well
    low = nu < 0.5 * bins.nyquist
    image = np.where(low, i + nu, i + nu - 2.0 * bins.nyquist)
    v = lobe.at(image)
    u_plus, u_minus = w + v - 2.0 * lobe.mean_at(nu) * lobe.at(i), w - v
    pairs: list[tuple[int, int]] = []
    values: list[Floats] = []
    slopes: list[tuple[int, int, Floats]] = []
    prior: list[float] = []

    def add(pair: tuple[int, int], column: Floats, width: float) -> int:
        pairs.append(pair)
        values.append(column)
        prior.append(width)
        return len(pairs) - 1

    noise = bins.floor + 1e-9 * float(powers.max())

    def counts(pair: tuple[int, int], column: Floats, strength: float, share: float) -> bool:
        if only is not None:
            return pair in only
        return bool(np.any(np.abs(column) * strength > share * noise))

    for a in range(nu.size):
        k = add((a, a), 0.5 * (u_plus[:, a] ** 2 + u_minus[:, a] ** 2), math.inf)
        slopes.append((k, a, 2.0 * w[:, a] * slope[:, a]))
        image_column = 0.5 * (u_plus[:, a] ** 2 - u_minus[:, a] ** 2)
        if counts((a, -1), image_column, powers[a], 0.01):
            add((a, -1), image_column, powers[a])
    for a, b in itertools.combinations(range(nu.size), 2):
        both, strength = w[:, a] * w[:, b], math.sqrt(powers[a] * powers[b])
        if counts((a, b), both, strength, 1e-3):
            both = u_plus[:, a] * u_plus[:, b] + u_minus[:, a] * u_minus[:, b]
            k = add((a, b), both, strength)
            slopes.append((k, a, 2.0 * slope[:, a] * w[:, b]))
            slopes.append((k, b, 2.0 * w[:, a] * slope[:, b]))
            images = u_plus[:, a] * u_plus[:, b] - u_minus[:, a] * u_minus[:, b]
            if counts((b, a), images, strength, 0.01):
                add((b, a), images, strength)
    for n, other in enumerate(outsiders):
        far = lobe.at(i[:, 0] - other.place)
        for a in range(nu.size):
            both, strength = w[:, a] * far, math.sqrt(powers[a] * other.power)
            if counts((a, -2 - n), both, strength, 0.05):
                add((a, -2 - n), 2.0 * both, strength)
    return Columns(pairs=pairs, values=np.stack(values, 1), slopes=slopes, prior=np.array(prior))


def bin_sigma(bins: Bins, signal: Floats) -> Floats:
    """Return one sigma of each bin for a density ``signal`` of the lines."""
    top = float(signal.max())
    known = bins.shape * np.sqrt(top * signal) + 1e-13 * top
    variance = 2.0 * bins.floor * signal * bins.share[0] + bins.floor**2 / bins.averages
    return np.asarray(np.sqrt(variance + known**2))


def above(bins: Bins, lobe: Lobe, outsiders: tuple[Outsider, ...]) -> Floats:
    """Return the densities above the floor and the wings of distant lines."""
    wings = np.zeros(bins.psd.size)
    for other in outsiders:
        wings += other.power * lobe.at(bins.index - other.place) ** 2
    return bins.psd - bins.floor - wings


def column_scale(rows: Floats, places: int = 0) -> Floats:
    """Return the norms of the columns, to scale them to equal weight.

    The column of a line whose lobe hardly extends into the bins is nearly zero: scaled to the norm
    of the others, it could get any power. So the norms have a lower limit. The first ``places``
    columns are derivatives, in another unit.
    """
    norm = np.linalg.norm(rows, axis=0) + 1e-300
    norm[places:] = np.maximum(norm[places:], _MIN_COLUMN * float(norm[places:].max()))
    return np.asarray(norm)


def solve(columns: Columns, y: Floats, sigma: Floats) -> tuple[Floats, Floats, float]:
    """Return coefficients, residual and cost of the linear part, with the priors."""
    prior = 1.0 / columns.prior
    rows = np.vstack([columns.values / sigma[:, None], np.diag(prior)])
    scale = column_scale(rows)
    found = np.linalg.lstsq(rows / scale, np.r_[y / sigma, np.zeros(prior.size)], rcond=1e-12)[0]
    g = found / scale
    residual = y - columns.values @ g
    cost = float(np.sum((residual / sigma) ** 2) + np.sum((g * prior) ** 2))
    return g, residual, cost
