"""The floating potential: where the measured current changes its sign. It needs no theory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.bins import Sorted
from ishtar.langmuir.noise import stuck_variance

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_FEWEST = 12  # samples that a parabola is laid through
_SURE = 6.0  # how many of its errors the slope must be
_WIDER = 1.6
_ROUNDS = 7


def floating_potential_of(
    samples: Sorted, reach: Floats, step: float, fitted: Callable[[Ints, Floats], Floats]
) -> tuple[Floats, Floats]:
    """Return the floating potential of each sweep and its standard deviation, (n,) V.

    A parabola is laid through the samples around the change of sign, no farther than the curve
    bends, and farther only where noise or the recorder's steps hide the slope. Sigma is from the
    scatter about it. Theory has a part only in what a parabola is wrong by that reaches far.

    Parameters
    ----------
    samples : Sorted
    reach : (n,) float64, V
        How far the curve is nearly a parabola: some part of Te.
    step : float
        Resolution of the recorded current, A.
    fitted : callable
        The fitted current, A, of some sweeps (m,) at biases (m, k): where a parabola has to reach
        so far that the curve is none, it is taken off what it would make of the fit.

    Returns
    -------
    vf, sigma : (n,) float64, V
        NaN where the current has no sign to change.
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
        at, error, sure = _parabola(part, start[rows], wide[rows], step)
        done = sure | (round_ == _ROUNDS - 1)
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
    """Return where fitted curves are zero, V, within two reaches of a place."""
    low, high = centre - 2.0 * reach, centre + 2.0 * reach
    for _ in range(22):
        middle = 0.5 * (low + high)
        above = fitted(rows, middle[:, None])[:, 0] > 0.0
        low, high = np.where(above, low, middle), np.where(above, middle, high)
    return np.asarray(0.5 * (low + high))


def _change_of_sign(samples: Sorted) -> Floats:
    """Return the bias that parts negative from positive currents best, (n,) V; NaN for none."""
    current = np.where(samples.present, samples.current, 0.0)
    total = np.cumsum(current, axis=1)
    k = np.argmin(total, axis=1)
    rows = np.arange(k.size)
    last = np.maximum(samples.count - 1, 0)
    after = np.minimum(k + 1, last)
    middle = 0.5 * (samples.bias[rows, k] + samples.bias[rows, after])
    return np.where((total[rows, k] < 0.0) & (k < last), middle, np.nan)


def _parabola(
    samples: Sorted, centre: Floats, reach: Floats, step: float
) -> tuple[Floats, Floats, NDArray[np.bool_]]:
    """Return the zero, V, its sigma, and whether the slope there is sure."""
    n, k = samples.bias.shape
    rows = np.arange(n)
    at = centre
    for again in (True, False):
        x = samples.bias - at[:, None]
        inside = (np.abs(x) < reach[:, None]) & samples.present
        # never fewer than are needed
        rank = np.where(samples.present, np.abs(x), np.inf)
        nearest = np.partition(rank, min(_FEWEST, k - 1), axis=1)[:, min(_FEWEST, k - 1)]
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
    # the recorder's steps do not average where nothing moves the current over them
    slope_error = np.sqrt(np.einsum("np,npq,nq->n", tilt, cov, tilt))
    risen = np.abs(slope) * 2.0 > 3.0 * step
    sure = (slope > _SURE * slope_error) & risen & (np.abs(root) < 1.0)
    still = stuck_variance(noise2, slope * slope / 3.0, step)
    with np.errstate(divide="ignore", invalid="ignore"):
        error = np.sqrt(value2 + still) / np.maximum(slope, 1e-300)
    return at + root[rows] * far, error * far, sure


def _root(a: Floats) -> Floats:
    """Return the zero of a + b u + c u² that is next to 0, where it rises; (n,)."""
    c0, c1, c2 = a.T
    disc = np.maximum(c1 * c1 - 4.0 * c0 * c2, 0.0)
    with np.errstate(divide="ignore", invalid="ignore"):
        # the stable form: for c2 → 0 it is −c0/c1
        root = -2.0 * c0 / (c1 + np.sqrt(disc))
    return np.where(np.isfinite(root), np.clip(root, -2.0, 2.0), 0.0)
