"""Fit of the probe characteristic to many binned sweeps at once.

A batched Levenberg–Marquardt: every array has the sweeps as its first axis, and sweeps that have
converged leave the batch.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.model import (
    BLUR,
    ION_SLOPE,
    LN_NE,
    LN_R,
    LN_TE,
    N_SHAPED,
    VP,
    Flags,
    Floats,
    Probe,
    model,
)


@dataclass(frozen=True, kw_only=True)
class Form:
    """A curve to fit, with the priors of its parameters.

    Parameters
    ----------
    curve : callable
        As :func:`~ishtar.langmuir.model.model`.
    mean, sigma : (p,) float64
        Prior of each parameter; an infinite sigma for none.
    max_step : (p,) float64
        Largest step of each parameter per iteration.
    max_iterations : int
    """

    curve: Callable[[Floats, Floats, Floats, Probe], tuple[Floats, Floats, Floats]]
    mean: Floats
    sigma: Floats
    max_step: Floats
    max_iterations: int = 60


# Prior of ln R: without a knee in the sweep, R and Vp are degenerate; "one, within a factor e" then
# widens the error bar of Vp instead of letting it diverge. With a knee the prior is irrelevant.
# Blur is less than some Te, and the shape near that of the theory.
SINGLE = Form(
    curve=model,
    mean=np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.8]),
    sigma=np.array([np.inf, np.inf, np.inf, 1.0, 0.5, 0.1, 0.2, 0.5]),
    max_step=np.array([1.0, 0.7, np.inf, 1.0, 0.3, 0.1, 0.2, 0.5]),
)
# error of the ion growth per Te: minimum, by a sheath as long as the tip, by a wide end
_MIN_SLOPE_SIGMA, _SHEATH, _ENDS = 0.005, 0.4, 0.05
_EXCESS_R_WEIGHT = 1.0 / 0.15**2  # weight of R = 1 for an R above it
_BLUR_RANGE = (-0.5, 4.0)
_FIXED = 1e8  # weight of a known parameter
_REVIEW_EVERY, _MIN_PROGRESS = 5, 0.1  # iterations, and the decrease of χ² required in them
_ABANDON_AFTER = 12

_BLOCK = 256  # sweeps at a time: the work arrays stay in the processor's cache


@dataclass(frozen=True, kw_only=True)
class Points:
    """The bins of some sweeps that a curve is fitted to.

    Parameters
    ----------
    bias, current, sigma, variance : (n, m) float64
        V, A, A, V². An infinite ``sigma`` excludes a bin.
    probe : Probe
    reduction : float or None
        R, if known; otherwise it is fitted.
    """

    bias: Floats
    current: Floats
    sigma: Floats
    variance: Floats
    probe: Probe
    reduction: float | None

    def rows(self, which: Flags | NDArray[np.intp] | slice) -> Points:
        """Return some of the sweeps."""
        return Points(
            bias=self.bias[which],
            current=self.current[which],
            sigma=self.sigma[which],
            variance=self.variance[which],
            probe=self.probe.rows(which),
            reduction=self.reduction,
        )

    def residual(self, form: Form, theta: Floats) -> Floats:
        """Return the current minus that of a curve, (n, m) A."""
        return self.current - form.curve(theta, self.bias, self.variance, self.probe)[0]


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Result of :func:`solve`, one row per sweep.

    ``theta`` (n, p); ``chi2`` (n,), including the priors; ``converged`` (n,); ``hessian``
    (n, p, p), half the second derivatives of χ²; ``prior`` (n, p), the part of its diagonal due to
    the priors; ``gradient`` (n, p), the remaining half gradient.
    """

    theta: Floats
    hessian: Floats
    gradient: Floats
    prior: Floats
    chi2: Floats
    converged: Flags

    def rows(self, which: Flags | NDArray[np.intp]) -> Solution:
        """Return the fits of some of the sweeps."""
        return Solution(**{f.name: getattr(self, f.name)[which] for f in fields(self)})

    def replaced(self, which: Flags | NDArray[np.intp], other: Solution) -> Solution:
        """Return the fits with those of some sweeps replaced."""
        columns = {f.name: getattr(self, f.name).copy() for f in fields(self)}
        for name, values in columns.items():
            values[which] = getattr(other, name)
        return Solution(**columns)

    def covariance(self, inflation: Floats) -> tuple[Floats, Floats]:
        """Return the covariance, (n, p, p), and the part of it due to the noise of the data.

        The rest is the uncertainty of the theory, which all sweeps of a plasma share.

        Parameters
        ----------
        inflation : (n,) float64
            Factor on the variances of the data.
        """
        p = self.theta.shape[1]
        noise = self.hessian.copy()
        noise[:, range(p), range(p)] -= self.prior
        noise /= inflation[:, None, None]
        curvature = noise.copy()
        curvature[:, range(p), range(p)] += self.prior
        size = np.sqrt(np.maximum(np.einsum("npp->np", curvature), 1e-200))
        scaled = curvature / (size[:, :, None] * size[:, None, :])
        # an undetermined direction gets a huge error, not an exception
        scaled[:, range(p), range(p)] += 1e-12
        total = np.linalg.inv(scaled) / (size[:, :, None] * size[:, None, :])
        return total, np.matmul(np.matmul(total, noise), total)


def solve(
    start: Floats,
    points: Points,
    *,
    sharp: Flags | None = None,
    tolerance: float = 3e-3,
    max_iterations: int | None = None,
    abandon_above: float = np.inf,
    form: Form = SINGLE,
) -> Solution:
    """Fit all sweeps by weighted least squares.

    Parameters
    ----------
    start : (n, p) float64
        First guess of theta.
    points : Points
    sharp : (n,) bool, optional
        Sweeps to fit without blur.
    tolerance : float
        Expected further decrease of χ² at convergence: 0.003 is 5 % of a standard deviation.
    max_iterations : int, optional
        By default that of the form.
    abandon_above : float
        χ² from which a sweep is abandoned early, as the caller fits it with other errors: if the
        model cannot follow the data, steps may oscillate for long.
    form : Form
        The curve; by default one Maxwellian.
    """
    n, p = start.shape
    theta = start.copy()
    hessian, gradient = np.full((n, p, p), np.nan), np.full((n, p), np.nan)
    chi2 = np.full(n, np.inf)
    done = np.zeros(n, bool)
    prior_mean = np.tile(form.mean[:p], (n, 1))
    prior_weight = prior_weights(start, points.probe, form)
    if points.reduction is not None:
        prior_mean[:, LN_R], prior_weight[:, LN_R] = math.log(points.reduction), _FIXED
        theta[:, LN_R] = math.log(points.reduction)
    if sharp is not None and p > BLUR:
        prior_weight[sharp, BLUR] = _FIXED
        theta[sharp, BLUR] = 0.0
    for lo in range(0, n, _BLOCK):
        part = slice(lo, min(lo + _BLOCK, n))
        theta[part], hessian[part], gradient[part], chi2[part], done[part] = _solve_block(
            theta[part],
            points.rows(part),
            prior_mean[part],
            prior_weight[part],
            tolerance,
            max_iterations or form.max_iterations,
            abandon_above,
            form,
        )
    return Solution(
        theta=theta,
        hessian=hessian,
        gradient=gradient,
        prior=prior_weight,
        chi2=chi2,
        converged=done,
    )


def prior_weights(theta: Floats, probe: Probe, form: Form = SINGLE) -> Floats:
    """Return the weight of each parameter's prior, (n, p), one over its variance.

    A long thin tip collects ions as a cylinder does. If its ends are not small, or the sheath is as
    thick as the tip is long, the ion current grows differently.
    """
    n, p = theta.shape
    weight = np.tile(1.0 / form.sigma[:p] ** 2, (n, 1))
    if p >= N_SHAPED and probe.radius and probe.length:
        debye = probe.radius / probe.rho(theta[:, LN_NE], theta[:, LN_TE])
        slope = np.hypot(_MIN_SLOPE_SIGMA, _SHEATH * debye / probe.length)
        slope = np.hypot(slope, _ENDS * probe.radius / probe.length)
        weight[:, ION_SLOPE] = 1.0 / np.minimum(slope, form.sigma[ION_SLOPE]) ** 2
    return weight


def _solve_block(
    theta: Floats,
    points: Points,
    prior_mean: Floats,
    prior_weight: Floats,
    tolerance: float,
    max_iterations: int,
    abandon_above: float,
    form: Form,
) -> tuple[Floats, Floats, Floats, Floats, Flags]:
    n, p = theta.shape
    bias, current, root_weight = points.bias, points.current, 1.0 / points.sigma
    variance, probe = points.variance, points.probe
    best = theta.copy()
    out_h = np.zeros((n, p, p))
    out_cost = np.full(n, np.inf)
    converged = np.zeros(n, bool)

    def undamped_gain(grad: Floats, hess: Floats) -> Floats:
        """Return the decrease of χ² to the minimum of its quadratic approximation."""
        size = np.sqrt(np.maximum(np.einsum("npp->np", hess), 1e-300))
        scaled = hess / (size[:, :, None] * size[:, None, :])
        scaled[:, range(p), range(p)] += 1e-9
        g = grad / size
        return np.asarray((np.linalg.solve(scaled, g[:, :, None])[:, :, 0] * g).sum(1))

    def evaluate(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
        m, jac, _ = form.curve(t, bias[rows], variance[rows], probe.rows(rows))
        w = root_weight[rows]
        residual = (current[rows] - m) * w
        jac *= w[:, None, :]
        off, stiff = prior_mean[rows] - t, prior_weight[rows].copy()
        # a field reduces the electron current; nothing raises it above the theory
        stiff[:, LN_R] = np.where(
            off[:, LN_R] < 0.0, np.maximum(stiff[:, LN_R], _EXCESS_R_WEIGHT), stiff[:, LN_R]
        )
        cost = np.einsum("nm,nm->n", residual, residual) + (off * off * stiff).sum(1)
        grad = np.matmul(jac, residual[:, :, None])[:, :, 0] + off * stiff
        hess = np.matmul(jac, jac.transpose(0, 2, 1))
        hess[:, range(p), range(p)] += stiff
        return cost, grad, hess

    rows = np.arange(n)
    cost, grad, hess = evaluate(best, rows)
    out_cost[:], out_h[:], out_grad = cost, hess, grad.copy()
    damping = np.full(n, 1e-3)
    earlier = out_cost.copy()
    # Steps are taken in ln ne and ln(ne R): the electron current depends on the second alone, which
    # is determined a hundred times better than either factor.
    turn = np.eye(p)
    turn[LN_R, LN_NE] = -1.0
    for iteration in range(max_iterations):
        turned, slope = np.matmul(turn.T, np.matmul(hess, turn)), np.matmul(grad, turn)
        diag = np.einsum("npp->np", turned)
        scale = np.sqrt(np.maximum(diag, 1e-300))
        scaled = turned / (scale[:, :, None] * scale[:, None, :])
        scaled[:, range(p), range(p)] = 1.0 + damping[:, None]
        step = np.linalg.solve(scaled, (slope / scale)[:, :, None])[:, :, 0]
        gain = (step * (slope / scale)).sum(1)  # expected decrease of the cost
        step = np.matmul(step / scale, turn.T)
        excess = np.abs(step) / form.max_step[:p]
        excess[:, VP] = np.abs(step[:, VP]) / (3.0 * np.exp(best[rows, LN_TE]))
        step /= np.maximum(1.0, excess.max(1))[:, None]
        trial = best[rows] + step
        if p > BLUR:
            trial[:, BLUR] = np.clip(trial[:, BLUR], *_BLUR_RANGE)
        t_cost, t_grad, t_hess = evaluate(trial, rows)
        better = t_cost <= cost
        best[rows[better]] = trial[better]
        out_cost[rows[better]], out_h[rows[better]] = t_cost[better], t_hess[better]
        out_grad[rows[better]] = t_grad[better]
        # a misfit beyond the noise does not need a tighter tolerance than noise
        worth = np.maximum(cost / bias.shape[1], 1.0)
        finished = better & (gain < tolerance * worth) & (damping < 1.0)
        finished |= gain < 1e-6 * tolerance
        if iteration % _REVIEW_EVERY == _REVIEW_EVERY - 1:
            # slow progress along a valley that the data hardly determine
            slow = earlier[rows] - out_cost[rows] < _MIN_PROGRESS * worth
            finished |= slow & (iteration > _REVIEW_EVERY)
            earlier[rows] = out_cost[rows]
        converged[rows[finished]] = True
        damping = np.where(better, damping * 0.1, damping * 8.0)
        keep = ~finished & (damping < 1e6)
        cost = np.where(better, t_cost, cost)
        if iteration >= _ABANDON_AFTER:
            keep &= cost < abandon_above
        cost = cost[keep]
        grad = np.where(better[:, None], t_grad, grad)[keep]
        hess = np.where(better[:, None, None], t_hess, hess)[keep]
        damping, rows = np.maximum(damping[keep], 1e-8), rows[keep]
        if not rows.size:
            break
    # The curvature differs so much on both sides of the knee that steps may oscillate about the
    # minimum; within half a standard deviation that is no reason to refuse a sweep.
    late = np.flatnonzero(~converged)
    worth = np.maximum(out_cost[late] / bias.shape[1], 1.0)
    converged[late] = undamped_gain(out_grad[late], out_h[late]) < 0.5 * worth
    return best, out_h, out_grad, out_cost, converged
