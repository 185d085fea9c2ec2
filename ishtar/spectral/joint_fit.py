"""Joint fit of neighbouring lines in a spectrum.

Fits places and powers of the lines in the model of `interference` by the Levenberg–Marquardt
method, and adds lines until the residual is noise. Sigmas come from the covariance of the bins:
noise times line, with the correlation between bins due to the window, and noise times noise.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.spectral.interference import (
    Bins,
    Columns,
    Outsider,
    above,
    bin_sigma,
    column_scale,
    columns_of,
    solve,
)
from ishtar.spectral.lobe import Lobe

__all__ = ["Fit", "density", "fit_lines"]

Floats = NDArray[np.float64]
_MAX_LINES = 6  # fitted together
_NEAR = 16  # bins, the distance at which leakage is compared


@dataclass(frozen=True, kw_only=True)
class Fit:
    """Result of a joint fit.

    Parameters
    ----------
    places, powers : numpy.ndarray
        (m,), bins, and densities at the peak of a line in a bin.
    covariance : numpy.ndarray
        (2m, 2m), of places, then powers.
    excess : float
        Largest misfit of a bin relative to the limit for noise; above 1, lines are missing.
    misfit : float
        χ² over the degrees of freedom.
    cost : float
        χ² including priors.
    physical : bool
        Whether these can be sines: positive powers, interference at most complete.
    """

    places: Floats
    powers: Floats
    covariance: Floats
    excess: float
    misfit: float
    cost: float
    physical: bool
    model: Floats = field(repr=False)
    coefficients: Mapping[tuple[int, int], float] = field(repr=False)


def fit_lines(bins: Bins, lobe: Lobe, places: Floats, outsiders: tuple[Outsider, ...] = ()) -> Fit:
    """Fit the lines of some bins: those at ``places`` and others that the bins require.

    Lines are added, each where it improves the fit most, until the residual is noise.
    """
    at = _descend(bins, lobe, _off_bins(bins, np.asarray(places, float)), outsiders)
    fit = _from_perturbed(bins, lobe, _evaluated(bins, lobe, at, outsiders), outsiders)
    while fit.excess > 1.0 and fit.places.size < _MAX_LINES:
        more = _with_another(bins, lobe, fit, outsiders)
        if more is None:
            break
        fit = _from_perturbed(bins, lobe, more, outsiders)
    return fit


def _from_perturbed(bins: Bins, lobe: Lobe, fit: Fit, outsiders: tuple[Outsider, ...]) -> Fit:
    """Return the best fit from perturbed places: with a narrow lobe there are several minima."""
    m = fit.places.size
    leaky = lobe.leakage[_NEAR] > 1e-5
    if m > 3 or not ((leaky and m > 1) or fit.misfit > 2.0 or fit.excess > 1.0):
        return fit
    moves = np.array(list(itertools.product((-1.0, 0.0, 1.0), repeat=m)))
    y = above(bins, lobe, outsiders)
    sigma = bin_sigma(bins, np.maximum(fit.model, 0.0))
    powers = np.maximum(fit.powers, 1e-6 * float(np.max(np.abs(fit.powers))))
    starts = fit.places + 0.35 * lobe.resolves * moves
    costs = [solve(columns_of(bins, lobe, x, outsiders, powers), y, sigma)[2] for x in starts]
    for k in np.argsort(costs)[:4]:
        at = _descend(bins, lobe, starts[k], outsiders)
        found = _evaluated(bins, lobe, at, outsiders)
        if found.physical >= fit.physical and found.cost < fit.cost:
            fit = found
    return fit


def _off_bins(bins: Bins, places: Floats) -> Floats:
    """Return places moved off the bins: exactly on one, the slope of a lobe is 0 in all bins."""
    wave = np.sqrt(bins.psd)
    found = places.copy()
    for k, place in enumerate(places):
        i = int(np.searchsorted(bins.index, round(place)))
        if 0 < i < wave.size - 1 and abs(place - round(place)) < 0.01:
            a, b, c = wave[i - 1 : i + 2]
            found[k] = place + 0.01 + (c - a) / (a + b + c)
    return found


def density(
    fit: Fit, bins: Bins, lobe: Lobe, outsiders: tuple[Outsider, ...], index: NDArray[np.int64]
) -> Floats:
    """Return the density of the lines of a fit, with their interference, in any bins."""
    wide = replace(bins, index=index)
    pairs = list(fit.coefficients)
    powers = np.maximum(fit.powers, 1e-300)
    columns = columns_of(wide, lobe, fit.places, outsiders, powers, pairs)
    g = np.array([fit.coefficients[pair] for pair in columns.pairs])
    return np.asarray(columns.values @ g)


def _powers_of(columns: Columns, g: Floats, m: int, minimum: float) -> Floats:
    powers = np.array([g[columns.pairs.index((a, a))] for a in range(m)])
    return np.asarray(np.maximum(powers, minimum))


def _descend(
    bins: Bins,
    lobe: Lobe,
    start: Floats,
    outsiders: tuple[Outsider, ...],
    rounds: int = 3,
) -> Floats:
    """Return the places of the best fit from a start, by the Levenberg–Marquardt method."""
    nu = start.copy()
    y = above(bins, lobe, outsiders)
    signal = np.maximum(y, 0.0)
    powers = _near(bins, signal, nu)
    minimum = 1e-9 * float(signal.max()) + 1e-300
    low, high = float(bins.index[0]), float(bins.index[-1])
    for _ in range(rounds):  # the weights follow from the fit
        sigma = bin_sigma(bins, signal)
        damping = 1e-3
        columns = columns_of(bins, lobe, nu, outsiders, powers)
        g, residual, cost = solve(columns, y, sigma)
        for _ in range(25):
            step = _step(columns, g, residual, sigma, nu.size, damping)
            step = np.clip(step, -0.5, 0.5)
            trial = np.clip(nu + step, low, high)
            columns_t = columns_of(bins, lobe, trial, outsiders, powers)
            g_t, residual_t, cost_t = solve(columns_t, y, sigma)
            if cost_t < cost:
                gain = cost - cost_t
                nu, columns, g, residual, cost = trial, columns_t, g_t, residual_t, cost_t
                damping *= 0.2
                if gain < 1e-4 * (1.0 + 1e-3 * cost) and np.max(np.abs(step)) < 1e-4:
                    break
            else:
                damping *= 8.0
                if damping > 1e6:
                    break
        powers = _powers_of(columns, g, nu.size, minimum)
        signal = np.maximum(columns.values @ g, 0.0)
        signal = np.maximum(signal, minimum)
    return nu


def _near(bins: Bins, signal: Floats, nu: Floats) -> Floats:
    at = np.clip(np.searchsorted(bins.index, np.round(nu)), 0, signal.size - 1)
    return np.maximum(signal[at], 1e-6 * float(signal.max()) + 1e-300)


def _slopes(columns: Columns, g: Floats, m: int) -> Floats:
    slopes = np.zeros((columns.values.shape[0], m))
    for k, a, slope in columns.slopes:
        slopes[:, a] += g[k] * slope
    return slopes


def _step(
    columns: Columns, g: Floats, residual: Floats, sigma: Floats, m: int, damping: float
) -> Floats:
    slopes = _slopes(columns, g, m)
    prior = 1.0 / columns.prior
    rows = np.zeros((sigma.size + prior.size + m, m + prior.size))
    rows[: sigma.size, :m] = slopes / sigma[:, None]
    rows[: sigma.size, m:] = columns.values / sigma[:, None]
    rows[sigma.size : -m, m:] = np.diag(prior)
    norm = np.linalg.norm(rows[: sigma.size, :m], axis=0)
    rows[-m:, :m] = np.diag(math.sqrt(damping) * (norm + 1e-300))
    right = np.r_[residual / sigma, -g * prior, np.zeros(m)]
    scale = column_scale(rows, m)
    found = np.linalg.lstsq(rows / scale, right, rcond=1e-12)[0] / scale
    return np.asarray(found[:m])


def _evaluated(bins: Bins, lobe: Lobe, nu: Floats, outsiders: tuple[Outsider, ...]) -> Fit:
    """Return the fit at given places, with its covariance and misfit."""
    m = nu.size
    y = above(bins, lobe, outsiders)
    signal = np.maximum(y, 0.0)
    powers = _near(bins, signal, nu)
    minimum = 1e-9 * float(signal.max()) + 1e-300
    for _ in range(3):
        sigma = bin_sigma(bins, signal)
        columns = columns_of(bins, lobe, nu, outsiders, powers)
        g, residual, cost = solve(columns, y, sigma)
        powers = _powers_of(columns, g, m, minimum)
        signal = np.maximum(columns.values @ g, minimum)
    covariance = _covariance(bins, lobe, columns, g, nu, signal, sigma)
    noise_like = (bins.threshold - 1.0) * bins.floor
    limit = noise_like + 6.0 * np.sqrt(np.maximum(sigma**2 - bins.floor**2 / bins.averages, 0.0))
    inner = slice(2, -2)  # neighbouring lines begin at the ends
    index = [m + columns.pairs.index((a, a)) for a in range(m)]
    keep = np.r_[np.arange(m), index]
    raw = g[[k - m for k in index]]
    spread = np.sqrt(np.maximum(np.diag(covariance)[index], 0.0))
    physical = bool(np.all(raw > 3.0 * spread))
    for k, (a, b) in enumerate(columns.pairs):
        if a < b and physical:
            most = math.sqrt(raw[a] * raw[b])
            physical = abs(g[k]) < 1.1 * most + 3.0 * math.sqrt(covariance[m + k, m + k])
    # bins of noise alone are not Gaussian: exclude their large squares
    seen = 2.0 * signal * bins.share[0] > 10.0 * bins.floor / bins.averages
    freedom = max(int(seen.sum()) - m - len(columns.pairs), 1)
    misfit = float(np.sum((residual / sigma)[seen] ** 2)) / freedom
    return Fit(
        places=nu,
        powers=raw,
        covariance=covariance[np.ix_(keep, keep)],
        excess=float(np.max((np.abs(residual) / limit)[inner])),
        misfit=misfit,
        cost=cost,
        physical=physical,
        model=columns.values @ g,
        coefficients=dict(zip(columns.pairs, g.tolist(), strict=True)),
    )


def _covariance(
    bins: Bins, lobe: Lobe, columns: Columns, g: Floats, nu: Floats, signal: Floats, sigma: Floats
) -> Floats:
    """Return the covariance of places and coefficients.

    (JᵀWJ)⁻¹ JᵀW C W J (JᵀWJ)⁻¹ with the covariance C of the bins, which the weights W neglect.
    """
    m = nu.size
    w = lobe.at(bins.index[:, None] - nu)
    j = np.hstack([_slopes(columns, g, m), columns.values])
    prior = np.r_[np.zeros(m), 1.0 / columns.prior]
    rows = np.vstack([j / sigma[:, None], np.diag(prior)])
    scale = column_scale(rows, m)
    inverse = np.linalg.pinv(rows / scale, rcond=1e-12) / scale[:, None]
    away = np.abs(bins.index[:, None] - bins.index[None, :]).astype(float)
    alike = lobe.noise(np.minimum(away, 60.0))
    floor = np.sqrt(bins.floor[:, None] * bins.floor[None, :])
    c = 2.0 * bins.share[0] * floor * alike * _products(bins, w, columns, g, m)
    c += (floor * alike) ** 2 / bins.averages
    c += (0.05 * floor) ** 2  # the floor itself is known to some per cent
    top = float(signal.max())
    c += np.diag(bins.shape**2 * top * signal + (1e-13 * top) ** 2)
    whole = np.zeros((sigma.size + prior.size,) * 2)
    whole[: sigma.size, : sigma.size] = c / (sigma[:, None] * sigma[None, :])
    whole[sigma.size :, sigma.size :] = np.diag((prior > 0.0).astype(float))
    return np.asarray(inverse @ whole @ inverse.T)


def _products(bins: Bins, w: Floats, columns: Columns, g: Floats, m: int) -> Floats:
    """Return the mean product of the lines' amplitudes, (n_bins, m), for all pairs of bins."""
    powers = _powers_of(columns, g, m, 0.0)
    strength = np.diag(powers)
    for k, (a, b) in enumerate(columns.pairs):
        if a < b:
            most = math.sqrt(powers[a] * powers[b])
            strength[a, b] = strength[b, a] = min(max(g[k], -most), most)
    return np.asarray(w @ strength @ w.T)


def _with_another(bins: Bins, lobe: Lobe, fit: Fit, outsiders: tuple[Outsider, ...]) -> Fit | None:
    """Return the fit with one or two more lines where they help most; None if none helps."""
    most = _largest_residual(bins, lobe, fit, outsiders)
    worst = int(np.argmin(np.abs(fit.places - most)))
    spacing = lobe.resolves / 3.0
    starts = []
    low, high = max(bins.index[0], most - _NEAR // 2), min(bins.index[-1], most + _NEAR // 2)
    for place in np.arange(low, high + 0.1, spacing):
        if np.min(np.abs(fit.places - place)) >= 0.4 * lobe.resolves:
            for moved in (-spacing, 0.0, spacing):
                start = np.append(fit.places, place)
                start[worst] += moved
                starts.append(start)
    for apart in (0.7, 1.0, 1.5, 2.5):
        split = np.append(fit.places, fit.places[worst] + apart)
        split[worst] -= apart
        starts.append(split)
    found = _best_of(bins, lobe, fit, starts, outsiders)
    if found is None:  # two side bands, neither of which helps without the other
        sides = spacing * np.arange(2, 13, dtype=float)
        middle = fit.places[worst]
        pairs = [np.append(fit.places, (middle - a, middle + a)) for a in sides]
        found = _best_of(bins, lobe, fit, pairs, outsiders)
    return found


def _largest_residual(bins: Bins, lobe: Lobe, fit: Fit, outsiders: tuple[Outsider, ...]) -> int:
    """Return the bin with the largest residual of a fit."""
    left = np.abs(above(bins, lobe, outsiders) - fit.model)
    return int(bins.index[int(np.argmax(left))])


def _best_of(
    bins: Bins, lobe: Lobe, fit: Fit, starts: list[Floats], outsiders: tuple[Outsider, ...]
) -> Fit | None:
    """Return the best fit from several starts if physical and significantly better than ``fit``."""
    y = above(bins, lobe, outsiders)
    sigma = bin_sigma(bins, np.maximum(fit.model, 0.0))
    signal = np.maximum(y, 0.0)
    costs = []
    for start in starts:
        columns = columns_of(bins, lobe, start, outsiders, _near(bins, signal, start))
        costs.append(solve(columns, y, sigma)[2])
    physical: list[Fit] = []
    for k in np.argsort(costs)[:5]:
        at = _descend(bins, lobe, starts[k], outsiders)
        found = _evaluated(bins, lobe, at, outsiders)
        if found.physical:
            physical.append(found)
    if not physical:
        return None
    best = min(physical, key=lambda found: found.cost)
    best = _with_other_minima(best, physical)
    sigma = bin_sigma(bins, np.maximum(best.model, 0.0))
    before = float(np.sum(((y - fit.model) / sigma) ** 2))
    after = float(np.sum(((y - best.model) / sigma) ** 2))
    return best if before - after > 25.0 else None


def _with_other_minima(best: Fit, physical: list[Fit]) -> Fit:
    """Return a fit whose sigmas include other minima that may be the true one, given the noise."""
    m, order = best.places.size, np.argsort(best.places)
    covariance = best.covariance.copy()
    for other in physical:
        if other.places.size == m and other.cost < best.cost + 9.0:
            other_order = np.argsort(other.places)
            for k, j in zip(order, other_order, strict=True):
                place = other.places[j] - best.places[k]
                power = other.powers[j] - best.powers[k]
                covariance[k, k] = max(covariance[k, k], place**2)
                covariance[m + k, m + k] = max(covariance[m + k, m + k], power**2)
    return replace(best, covariance=covariance)
