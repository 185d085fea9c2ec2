"""The floating potential: the zero of the measured current, which needs no theory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.bins import SortedSamples
from ishtar.langmuir.noise import stuck_variance

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_MIN_SAMPLES = 12  # for a parabola
_SIGNIFICANT = 6.0  # standard deviations that the slope must exceed
_WIDER = 1.6
_ROUNDS = 7


def floating_potential_of(
    samples: SortedSamples, reach: Floats, step: float, fitted: Callable[[Ints, Floats], Floats]
) -> tuple[Floats, Floats]:
    """Return the floating potential of each sweep and its standard deviation, (n,) V.

    Fits a parabola to the samples around the change of sign, over the range in which the curve is
    nearly one, and over more only if noise or quantisation hide the slope. Sigma comes from the
    scatter about it. Theory enters only as a correction of such a wide parabola.

    Parameters
    ----------
    samples : SortedSamples
    reach : (n,) float64, V
        Half width in which the curve is nearly a parabola: a fraction of Te.
    step : float
        Resolution of the recorded current, A.
    fitted : callable
        The fitted current, A, of some sweeps (m,) at biases (m, k). It corrects a parabola that is
        wider than ``reach`` by the error that the same parabola makes on the fitted curve.

    Returns
    -------
    vf, sigma : (n,) float64, V
        NaN if the current does not change its sign.
    """
    n = samples.count.size
    vf, sigma = np.full(n, np.nan), np.full(n, np.nan)
    start = _change_of_sign(samples)
    rows = np.flatnonzero(np.isfinite(start) & np.isfinite(reach) & (reach > 0.0))
    wide = np.asarray(reach, float).copy()
    for round_ in range(_ROUNDS):
        if not rows.size:
            break
        part = samples.rows(rows)
        at, error, significant = _parabola(part, start[rows], wide[rows], step)
        done = significant | (round_ == _ROUNDS - 1)
        if round_ and done.any():
            far = rows[done]
            curve = replace(part.rows(np.flatnonzero(done)), current=fitted(far, part.bias[done]))
            at[done] -= _parabola(curve, start[far], wide[far], 0.0)[0]
            at[done] += _zero(fitted, far, start[far], wide[far])
        vf[rows[done]], sigma[rows[done]] = at[done], error[done]
        rows = rows[~done]
        wide[rows] *= _WIDER
    return vf, sigma


def _zero(
    fitted: Callable[[Ints, Floats], Floats], rows: Ints, centre: Floats, reach: Floats
) -> Floats:
    """Return the zeros of fitted curves, V, within two reaches of ``centre``."""
    low, high = centre - 2.0 * reach, centre + 2.0 * reach
    for _ in range(22):
        middle = 0.5 * (low + high)
        above = fitted(rows, middle[:, None])[:, 0] > 0.0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(0.5 * (low + high))


def _change_of_sign(samples: SortedSamples) -> Floats:
    """Return the bias that best separates negative from positive currents, (n,) V, or NaN."""
    current = np.where(samples.present, samples.current, 0.0)
    total = np.cumsum(current, axis=1)
    k = np.argmin(total, axis=1)
    rows = np.arange(k.size)
    last = np.maximum(samples.count - 1, 0)
    after = np.minimum(k + 1, last)
    middle = 0.5 * (samples.bias[rows, k] + samples.bias[rows, after])
    return np.where((total[rows, k] < 0.0) & (k < last), middle, np.nan)


def _parabola(
    samples: SortedSamples, centre: Floats, reach: Floats, step: float
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the zero, V, its sigma, and whether the slope there is significant."""
    n, k = samples.bias.shape
    rows = np.arange(n)
    at = centre
    for again in (True, False):
        x = samples.bias - at[:, None]
        inside = (np.abs(x) < reach[:, None]) & samples.present
        # at least the minimum number of samples
        rank = np.where(samples.present, np.abs(x), np.inf)
        nearest = np.partition(rank, min(_MIN_SAMPLES, k - 1), axis=1)[:, min(_MIN_SAMPLES, k - 1)]
        far = np.maximum(np.where(np.isfinite(nearest), nearest, reach), reach)
        inside |= (np.abs(x) <= far[:, None]) & samples.present
        u = np.where(inside, x / far[:, None], 0.0)
        y = np.where(inside, samples.current, 0.0)
        basis = np.stack([inside.astype(float), u, u * u], axis=1)
        normal = np.matmul(basis, basis.transpose(0, 2, 1))
        normal[:, range(3), range(3)] += 1e-9 * inside.sum(1)[:, None]
        a = np.linalg.solve(normal, np.matmul(basis, y[:, :, None]))[:, :, 0]
        root = _root(a)
        if again:
            at = at + np.clip(root, -0.5, 0.5) * far
    left = np.where(inside, y - np.einsum("np,npk->nk", a, basis), 0.0)
    dof = np.maximum(inside.sum(1) - 3, 1)
    noise2 = np.maximum((left * left).sum(1) / dof, step * step / 12.0)
    cov = np.linalg.inv(normal) * noise2[:, None, None]
    here = np.stack([np.ones(n), root, root * root], axis=1)
    value2 = np.einsum("np,npq,nq->n", here, cov, here)
    slope = a[:, 1] + 2.0 * a[:, 2] * root
    tilt = np.stack([np.zeros(n), np.ones(n), 2.0 * root], axis=1)
    # quantisation does not average out unless the current moves over the steps
    slope_error = np.sqrt(np.einsum("np,npq,nq->n", tilt, cov, tilt))
    risen = np.abs(slope) * 2.0 > 3.0 * step
    significant = (slope > _SIGNIFICANT * slope_error) & risen & (np.abs(root) < 1.0)
    still = stuck_variance(noise2, slope * slope / 3.0, step)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(value2 + still) / np.maximum(slope, 1e-300)
    return at + root[rows] * far, error * far, significant


def _root(a: Floats) -> Floats:
    """Return the rising zero of a + b u + c u² nearest to 0, (n,)."""
    c0, c1, c2 = a.T
    disc = np.maximum(c1 * c1 - 4.0 * c0 * c2, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # the stable form: for c2 → 0 it is −c0/c1
        root = -2.0 * c0 / (c1 + np.sqrt(disc))
    return np.where(np.isfinite(root), np.clip(root, -2.0, 2.0), 0.0)
