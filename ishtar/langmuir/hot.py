"""A second, hotter Maxwellian, for sweeps that one alone does not explain.

A few hot electrons carry most of the current around the floating potential. One Maxwellian fits
such a sweep well but with wrong results: the hot electrons' current is subtracted from the ions'.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.fallback_fit import correlation_length
from ishtar.langmuir.model import BLUR, LN_NE, LN_TE, N_SHAPED, Probe, model

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

# Columns of theta after those of one Maxwellian, which are the cold one's: ln of hot over cold
# density, and ln of hot over cold temperature.
LN_SHARE, LN_RATIO = N_SHAPED, N_SHAPED + 1
N_HOT = N_SHAPED + 2

_START = 0.04, 3.0  # share and ratio
_MIN_GAIN = 11.0  # twice that of ln likelihood, for two parameters
_POSSIBLE_GAIN = 2.0
_ODDS = 0.1  # prior odds of enough hot electrons to be detected
_MIN_RATIO = 1.5
MAX_SHARE = 0.6  # of hot over cold: a larger share is not a small hot population
_SUSPECT = 8.0  # first-order gain from which two temperatures are fitted


def theta_of_ions(theta: Floats) -> Floats:
    """Return theta (n, 8) for the ion current, of one Maxwellian (n, 8) or two (n, 10)."""
    ions = theta[:, :N_SHAPED].copy()
    if theta.shape[1] > N_SHAPED:
        share, ratio = np.exp(theta[:, LN_SHARE]), np.exp(theta[:, LN_RATIO])
        two = np.isfinite(share)
        share, ratio = np.where(two, share, 0.0), np.where(two, ratio, 1.0)
        mean = (1.0 + share / ratio) / (1.0 + share)  # of 1/Te, in units of the cold one's
        ions[:, LN_NE] += np.log1p(share)
        ions[:, LN_TE] -= np.log(mean)
    return ions


def curve(
    theta: Floats, bias: Floats, variance: Floats, probe: Probe
) -> tuple[Floats, Floats, Floats]:
    """Return current, derivatives and slope of two Maxwellians, as `model` does for one.

    The ion current follows from the total electron density and the density-weighted harmonic mean
    of the temperatures, as in Bohm's criterion.
    """
    n = theta.shape[0]
    share, ratio = np.exp(theta[:, LN_SHARE]), np.exp(theta[:, LN_RATIO])
    single = theta[:, :N_SHAPED]
    hot, ions = single.copy(), theta_of_ions(theta)
    hot[:, LN_NE] += theta[:, LN_SHARE]
    hot[:, LN_TE] += theta[:, LN_RATIO]
    hot[:, BLUR] /= ratio * ratio
    all_, none = np.ones(n), np.zeros(n)
    parts = [
        model(part, bias, variance, probe, shares=of)
        for part, of in ((single, (all_, none)), (hot, (all_, none)), (ions, (none, all_)))
    ]
    value, slope = (sum(part[k] for part in parts) for k in (0, 2))
    jac = np.empty((n, N_HOT, bias.shape[1]))
    cold, of_hot, of_ions = (part[1] for part in parts)
    jac[:, :N_SHAPED] = cold + of_hot + of_ions
    jac[:, BLUR] = cold[:, BLUR] + of_hot[:, BLUR] / (ratio * ratio)[:, None] + of_ions[:, BLUR]
    # of the mean of 1/Te, d ln by ln share and by ln ratio
    by_share = share / ratio / (1.0 + share / ratio) - share / (1.0 + share)
    by_ratio = -(share / ratio) / (1.0 + share / ratio)
    jac[:, LN_SHARE] = (
        of_hot[:, LN_NE]
        + (share / (1.0 + share))[:, None] * of_ions[:, LN_NE]
        - by_share[:, None] * of_ions[:, LN_TE]
    )
    jac[:, LN_RATIO] = (
        of_hot[:, LN_TE]
        - 2.0 * hot[:, BLUR, None] * of_hot[:, BLUR]
        - by_ratio[:, None] * of_ions[:, LN_TE]
    )
    return np.asarray(value), jac, np.asarray(slope)


def fitted_current(theta: Floats, bias: Floats, probe: Probe) -> Floats:
    """Return the current at bias (n, k) of fits (n, 8), or (n, 10) with NaN if not hot."""
    two = np.zeros(theta.shape[0], bool)
    if theta.shape[1] > N_SHAPED:
        two = np.isfinite(theta[:, LN_SHARE])
    out = np.empty(bias.shape)
    for rows, form, p in ((~two, model, N_SHAPED), (two, curve, N_HOT)):
        if rows.any():
            at = bias[rows]
            out[rows] = form(theta[rows, :p], at, np.zeros_like(at), probe.rows(rows))[0]
    return out


TWO = fit.Form(
    curve=curve,
    mean=np.concatenate([fit.SINGLE.mean, [math.log(0.05), math.log(3.0)]]),
    sigma=np.concatenate([fit.SINGLE.sigma, [1.5, 0.5]]),
    max_step=np.concatenate([fit.SINGLE.max_step, [1.0, 0.3]]),
    max_iterations=150,
)


@dataclass(frozen=True, kw_only=True)
class HotElectrons:
    """Sweeps with a second temperature, and the effect of a possible one on the others.

    ``rows`` (k,) and ``theta`` (k, 10) of the sweeps that have one; ``shift`` (n, 8), the change of
    theta if there is one, times the square root of its probability.
    """

    rows: Ints
    theta: Floats
    shift: Floats


def hot_electrons(best: fit.Solution, points: fit.Points) -> HotElectrons:
    """Return the sweeps that two temperatures explain better than one.

    Parameters
    ----------
    best : fit.Solution
        Fit with one temperature.
    points : fit.Points
        Data of that fit.
    """
    score, shift = _score(best, points)
    known = np.isfinite(best.chi2) & np.isfinite(score)
    shift *= _weight(np.where(known, score, 0.0))
    rows = np.flatnonzero(known & (score > _SUSPECT))
    if not rows.size:
        return HotElectrons(rows=rows, theta=np.empty((0, N_HOT)), shift=shift)
    some = points.rows(rows)
    start = np.concatenate([best.theta[rows], np.tile(np.log(_START), (rows.size, 1))], axis=1)
    start[:, LN_TE] -= 0.1
    found = fit.solve(start, some, form=TWO, tolerance=0.03)
    # As for unknown noise: if even two temperatures do not explain a sweep, the residuals are
    # correlated and count as fewer independent values.
    left = some.residual(TWO, found.theta) / some.sigma
    independent = (left.shape[1] - N_SHAPED) / correlation_length(left)
    gain = independent * np.log(best.chi2[rows] / np.maximum(found.chi2, 1e-300))
    gain = np.minimum(gain, best.chi2[rows] - found.chi2)
    ratio = np.exp(found.theta[:, LN_RATIO])
    apart = (ratio > _MIN_RATIO) & (found.theta[:, LN_SHARE] < math.log(MAX_SHARE))
    clear = (gain > _MIN_GAIN) & apart & found.converged
    moved = (found.theta[:, :N_SHAPED] - best.theta[rows]) * _weight(gain)
    shift[rows] = moved
    return HotElectrons(rows=rows[clear], theta=found.theta[clear], shift=shift)


def _weight(gain: Floats) -> Floats:
    """Return the square root of the probability of hot electrons, (n, 1), for a gain in χ²."""
    odds = _ODDS * np.exp(0.5 * np.minimum(gain, 100.0))
    return np.asarray(np.sqrt(np.where(gain > _POSSIBLE_GAIN, odds / (1.0 + odds), 0.0))[:, None])


def _score(best: fit.Solution, points: fit.Points) -> tuple[Floats, Floats]:
    """Return the first-order effect of a few hot electrons.

    Returns
    -------
    gain : (n,) float64
        Decrease of χ².
    shift : (n, p) float64
        Change of theta.
    """
    p = best.theta.shape[1]
    bias, variance, probe = points.bias, points.variance, points.probe
    value, jac, _ = model(best.theta, bias, variance, probe)
    weight = 1.0 / points.sigma
    left = (points.current - value) * weight
    jac *= weight[:, None, :]
    gain, shift = np.zeros(left.shape[0]), np.zeros_like(best.theta)
    ones, none = np.ones(left.shape[0]), np.zeros(left.shape[0])
    size = np.sqrt(np.maximum(np.einsum("npp->np", best.hessian), 1e-300))
    scaled = best.hessian / (size[:, :, None] * size[:, None, :]) + 1e-9 * np.eye(p)
    inverse = np.linalg.inv(scaled)
    for ratio in (2.0, 4.0):
        hot = best.theta.copy()
        hot[:, LN_TE] += math.log(ratio)
        hot[:, BLUR] /= ratio * ratio
        column = model(hot, bias, variance, probe, shares=(ones, none))[0] * weight
        both = np.matmul(jac, column[:, :, None])[:, :, 0] / size
        others = np.matmul(inverse, both[:, :, None])[:, :, 0]
        # the part that the other parameters cannot explain, and their own remaining step
        all_ = (column * column).sum(1)
        own = np.maximum(all_ - (both * others).sum(1), 1e-9 * all_ + 1e-300)
        could = (others * best.gradient / size).sum(1)
        along = np.maximum((column * left).sum(1) - could, 0.0)
        better = along * along / own > gain
        gain = np.where(better, along * along / own, gain)
        shift[better] = (-others * (along / own)[:, None] / size)[better]
    return gain, shift
