"""Fit of the probe characteristic to many binned sweeps at once.

A batched Levenberg–Marquardt: every array has the sweeps as its first axis, and sweeps that have
converged leave the batch. The model is that of :mod:`ishtar.langmuir.theory` with analytic
derivatives, averaged over the spread of the bias inside a bin and over unresolved RF.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.gases import Gas
from ishtar.langmuir.theory import (
    ELECTRON_MASS,
    ELEMENTARY_CHARGE,
    VACUUM_PERMITTIVITY,
    _electron,
    _ion_of,
    _softened,
)

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Columns of theta. BLUR is the variance of unresolved voltage across the sheath, in Te². The last
# two, the shape of both branches, are fitted only where the theory of the cylinder cannot be used
# (radius unknown) or does not fit (a short tip, a shadow).
LN_NE, LN_TE, VP, LN_R, BLUR, ION_SLOPE, SATURATION = range(7)
N_CORE, N_BLURRED, N_SHAPED = 4, 5, 7

# Prior of ln R: without a knee in the sweep, R and Vp cannot be told apart; "one, within a factor
# e" then widens the error bar of Vp instead of letting it run away. With a knee it does not matter.
# Blur is below some Te, and the shape near the theory's: sheaths grow by some per cent per Te.
_PRIOR_MEAN = np.zeros(N_SHAPED)
_PRIOR_WEIGHT = np.array([0.0, 0.0, 0.0, 1.0, 1.0 / 0.5**2, 1.0 / 0.1**2, 1.0 / 0.2**2])
_LONGEST_STEP = np.array([1.0, 0.7, np.inf, 1.0, 0.3, 0.1, 0.2])
_BLUR_RANGE = (-0.5, 4.0)
_PINNED = 1e8  # weight of what is known
_PATIENCE = 12  # steps for what is hopeless

_BLOCK = 256  # sweeps at a time: the work arrays stay in the processor's cache
_BOHM = math.exp(-0.5) * math.sqrt(2.0 * math.pi)  # 0.61 n c_s in units of n √(e Te / 2π mᵢ)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """What the model must know of the probe and the gas.

    Parameters
    ----------
    area : float
        Collecting area, m².
    radius : float or None
        Of the cylinder, m; None: a sheath thin against the probe, whatever its shape.
    gas : Gas
        Working gas.
    rho_factor : float or (n,) float64
        What ρ is multiplied by; with several, one for each sweep of a table: the same samples
        as another tip would have given them.
    """

    area: float
    radius: float | None
    gas: Gas
    rho_factor: float | Floats = 1.0

    def rows(self, which: NDArray[np.intp] | Flags | slice) -> Probe:
        """Return the probe of some of the sweeps."""
        if isinstance(self.rho_factor, float):
            return self
        return replace(self, rho_factor=self.rho_factor[which])

    @property
    def electron_scale(self) -> float:
        """Thermal electron current for ne = 1/m³ and Te = 1 eV, A."""
        return self._scale(ELECTRON_MASS)

    @property
    def ion_scale(self) -> float:
        """The same for the ions, A."""
        return self._scale(self.gas.ion_mass)

    def _scale(self, mass: float) -> float:
        speed = math.sqrt(ELEMENTARY_CHARGE / (2.0 * math.pi * mass))
        return ELEMENTARY_CHARGE * self.area * speed

    def rho(self, ln_ne: Floats, ln_te: Floats) -> Floats:
        """Return radius over Debye length; 50, a thin sheath, where the radius is not known.

        Both arguments have the sweeps as their first axis.
        """
        if not self.radius:
            return np.full_like(ln_ne, 50.0)
        unit = self.radius * math.sqrt(ELEMENTARY_CHARGE / VACUUM_PERMITTIVITY)
        factor = self.rho_factor
        if not isinstance(factor, float):
            factor = factor.reshape(-1, *(1,) * (ln_ne.ndim - 1))
        return np.asarray(unit * factor * np.exp(0.5 * (ln_ne - ln_te)))


@dataclass(frozen=True, kw_only=True)
class Solution:
    """Result of :func:`solve`, one row a sweep.

    ``theta`` (n, p), ``covariance`` (n, p, p), ``chi2`` (n,), ``converged`` (n,).
    """

    theta: Floats
    covariance: Floats
    chi2: Floats
    converged: Flags


def electrons_and_ions(
    x: Floats, rho: Floats, theta: Floats, probe: Probe
) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats, Floats]:
    """Return F, dF/dx, dF/d ln ρ, G, dG/dη, dG/d ln ρ at x = −η, and the smooth η of the ions.

    Where ``theta`` has the shape's columns, F is multiplied by (1 + x)^power above Vp and G by
    (1 + slope η) below.
    """
    f, fx, f_rho = _electron(x, rho)
    soft, dsoft = _softened(-x)
    if probe.radius:
        g, g_eta, g_rho = _ion_of(soft, dsoft, rho)
    else:
        # Bohm's flux; it sets in within about one Te below Vp
        gate = soft / (soft + 0.5)
        g, g_eta = _BOHM * gate, _BOHM * dsoft * 0.5 / (soft + 0.5) ** 2
        f_rho, g_rho = np.zeros_like(f), np.zeros_like(g)
    if theta.shape[1] == N_SHAPED:
        slope, power = theta[:, ION_SLOPE, None], theta[:, SATURATION, None]
        some = np.flatnonzero((x > 0.0).any(0))
        over = x[:, some]
        above = np.maximum(over, 0.0)
        grow = np.exp(power * np.log1p(above))
        f_over = f[:, some]
        more = np.where(over > 0.0, f_over * power / (1.0 + above), 0.0)
        fx[:, some] = grow * (fx[:, some] + more)
        f[:, some] = f_over * grow
        f_rho[:, some] *= grow
        expand = np.maximum(1.0 + slope * soft, 0.05)
        g_eta *= expand
        g_eta += slope * g * dsoft
        g *= expand
        g_rho *= expand
    return f, fx, f_rho, g, g_eta, g_rho, soft


def model(
    theta: Floats,
    bias: Floats,
    variance: Floats,
    probe: Probe,
    *,
    shares: tuple[Floats, Floats] | None = None,
) -> tuple[Floats, Floats, Floats]:
    """Return current, its derivatives by theta, and its slope.

    Parameters
    ----------
    theta : (n, p) float64
        ln ne [1/m³], ln Te [eV], Vp [V], ln R; with p ≥ 5 the blur [Te²]; with p = 7 slope and
        power of the shape.
    bias : (n, m) float64, V
    variance : (n, m) float64, V²
        Spread of the true voltage about ``bias``, to which the blur adds. The mean over it is
        taken at the two points ± its root (Gauss' rule, exact to third order). A blur below
        zero, which noise can make of none, is continued by 2 I(V) − mean: no edge to the fit.
    probe : Probe
    shares : ((n,), (n,)) float64, optional
        What each sweep has of the electrons and of the ions; all of both.

    Returns
    -------
    current : (n, m) A
    jacobian : (n, p, m) A per unit of theta
    slope : (n, m) A/V
    """
    n, p = theta.shape
    m = bias.shape[1]
    ln_ne, ln_te, vp, ln_r = (theta[:, i, None] for i in range(N_CORE))
    te = np.exp(ln_te)
    thermal = np.exp(ln_ne + 0.5 * ln_te)
    ce = probe.electron_scale * thermal * np.exp(ln_r)
    ci = probe.ion_scale * thermal
    if shares is not None:
        ce, ci = shares[0][:, None] * ce, shares[1][:, None] * ci
    rho = probe.rho(ln_ne, ln_te)

    centre = (bias - vp) / te
    blurred = p > BLUR
    spread = variance / (te * te)
    if blurred:
        spread = spread + theta[:, BLUR, None]
    half = np.sqrt(np.maximum(np.abs(spread), 1e-6))
    below = spread < 0.0
    centred = bool(below.any())
    nodes = [centre - half, centre + half, centre] if centred else [centre - half, centre + half]
    x = np.concatenate(nodes, axis=1)
    np.minimum(np.maximum(x, -500.0, out=x), 500.0, out=x)
    f, fx, f_rho, g, g_eta, g_rho, soft = electrons_and_ions(x, rho, theta, probe)

    def mean(values: Floats) -> Floats:
        two = values[:, :m] + values[:, m : 2 * m]
        two *= 0.5
        if centred:
            two = np.where(below, 2.0 * values[:, 2 * m :] - two, two)
        return np.asarray(two)

    electrons = ce * mean(f)
    current = electrons - ci * mean(g)
    steep = ce * fx
    steep += ci * g_eta  # dI/dx
    slope_x = mean(steep)
    jac = np.empty((n, p, m))
    jac[:, LN_NE] = current
    # the nodes sit at fixed volts, so that d x / d ln Te = −x at each
    jac[:, LN_TE] = 0.5 * current - mean(steep * x)
    jac[:, VP] = -slope_x / te
    jac[:, LN_R] = electrons
    if probe.radius:
        by_rho = (0.5 * ce) * mean(f_rho) - (0.5 * ci) * mean(g_rho)  # ρ ~ √(ne/Te)
        jac[:, LN_NE] += by_rho
        jac[:, LN_TE] -= by_rho
    if blurred:
        # d mean / d half² on either side of zero; the blur's nodes move with Te
        jac[:, BLUR] = (steep[:, m : 2 * m] - steep[:, :m]) / (4.0 * half)
        jac[:, LN_TE] += 2.0 * theta[:, BLUR, None] * jac[:, BLUR]
    if p == N_SHAPED:
        expand = np.maximum(1.0 + theta[:, ION_SLOPE, None] * soft, 0.05)
        jac[:, ION_SLOPE] = -ci * mean(g * soft / expand)
        above = np.flatnonzero((x > 0.0).any(0))
        by_power = np.zeros_like(x)
        by_power[:, above] = f[:, above] * np.log1p(np.maximum(x[:, above], 0.0))
        jac[:, SATURATION] = ce * mean(by_power)
    return current, jac, slope_x / te


def solve(
    start: Floats,
    bias: Floats,
    current: Floats,
    sigma: Floats,
    variance: Floats,
    probe: Probe,
    *,
    reduction: float | None = None,
    sharp: Flags | None = None,
    tolerance: float = 1e-3,
    max_iterations: int = 60,
    hopeless: float = np.inf,
) -> Solution:
    """Fit all sweeps by weighted least squares.

    Parameters
    ----------
    start : (n, p) float64
        First guess of theta.
    bias, current, sigma, variance : (n, m) float64
        Bins: V, A, A, V². An infinite ``sigma`` leaves a bin out.
    probe : Probe
    reduction : float, optional
        R, if it is known; else it is fitted.
    sharp : (n,) bool, optional
        Sweeps to fit without blur.
    tolerance : float
        What χ² may still fall by at the end: 0.001 is 3 % of a standard deviation.
    hopeless : float
        χ² from which a sweep is given up soon, as the caller then fits it in another way: where the
        model cannot be bent to the data, steps may go to and fro for long.
    """
    n, p = start.shape
    theta = start.copy()
    cov = np.full((n, p, p), np.nan)
    chi2 = np.full(n, np.inf)
    done = np.zeros(n, bool)
    prior_mean = np.tile(_PRIOR_MEAN[:p], (n, 1))
    prior_weight = np.tile(_PRIOR_WEIGHT[:p], (n, 1))
    if reduction is not None:
        prior_mean[:, LN_R], prior_weight[:, LN_R] = math.log(reduction), _PINNED
        theta[:, LN_R] = math.log(reduction)
    if sharp is not None and p > BLUR:
        prior_weight[sharp, BLUR] = _PINNED
        theta[sharp, BLUR] = 0.0
    for lo in range(0, n, _BLOCK):
        part = slice(lo, min(lo + _BLOCK, n))
        theta[part], cov[part], chi2[part], done[part] = _solve_block(
            theta[part],
            bias[part],
            current[part],
            1.0 / sigma[part],
            variance[part],
            probe.rows(part),
            prior_mean[part],
            prior_weight[part],
            tolerance,
            max_iterations,
            hopeless,
        )
    return Solution(theta=theta, covariance=cov, chi2=chi2, converged=done)


def _solve_block(
    theta: Floats,
    bias: Floats,
    current: Floats,
    root_weight: Floats,
    variance: Floats,
    probe: Probe,
    prior_mean: Floats,
    prior_weight: Floats,
    tolerance: float,
    max_iterations: int,
    hopeless: float,
) -> tuple[Floats, Floats, Floats, Flags]:
    n, p = theta.shape
    best = theta.copy()
    out_h = np.zeros((n, p, p))
    out_cost = np.full(n, np.inf)
    converged = np.zeros(n, bool)

    def undamped_gain(grad: Floats, hess: Floats) -> Floats:
        """Return by how much χ² could still fall if it were a parabola."""
        size = np.sqrt(np.maximum(np.einsum("npp->np", hess), 1e-300))
        scaled = hess / (size[:, :, None] * size[:, None, :])
        scaled[:, range(p), range(p)] += 1e-9
        g = grad / size
        return np.asarray((np.linalg.solve(scaled, g[:, :, None])[:, :, 0] * g).sum(1))

    def evaluate(t: Floats, rows: NDArray[np.intp]) -> tuple[Floats, Floats, Floats]:
        m, jac, _ = model(t, bias[rows], variance[rows], probe.rows(rows))
        w = root_weight[rows]
        residual = (current[rows] - m) * w
        jac *= w[:, None, :]
        off, stiff = prior_mean[rows] - t, prior_weight[rows]
        cost = np.einsum("nm,nm->n", residual, residual) + (off * off * stiff).sum(1)
        grad = np.matmul(jac, residual[:, :, None])[:, :, 0] + off * stiff
        hess = np.matmul(jac, jac.transpose(0, 2, 1))
        hess[:, range(p), range(p)] += stiff
        return cost, grad, hess

    rows = np.arange(n)
    cost, grad, hess = evaluate(best, rows)
    out_cost[:], out_h[:], out_grad = cost, hess, grad.copy()
    damping = np.full(n, 1e-3)
    for iteration in range(max_iterations):
        diag = np.einsum("npp->np", hess)
        scale = np.sqrt(np.maximum(diag, 1e-300))
        scaled = hess / (scale[:, :, None] * scale[:, None, :])
        scaled[:, range(p), range(p)] = 1.0 + damping[:, None]
        step = np.linalg.solve(scaled, (grad / scale)[:, :, None])[:, :, 0]
        gain = (step * (grad / scale)).sum(1)  # how much the cost can still fall
        step = step / scale
        longest = np.abs(step) / _LONGEST_STEP[:p]
        longest[:, VP] = np.abs(step[:, VP]) / (3.0 * np.exp(best[rows, LN_TE]))
        step /= np.maximum(1.0, longest.max(1))[:, None]
        trial = best[rows] + step
        if p > BLUR:
            trial[:, BLUR] = np.clip(trial[:, BLUR], *_BLUR_RANGE)
        t_cost, t_grad, t_hess = evaluate(trial, rows)
        better = t_cost <= cost
        best[rows[better]] = trial[better]
        out_cost[rows[better]], out_h[rows[better]] = t_cost[better], t_hess[better]
        out_grad[rows[better]] = t_grad[better]
        finished = (better & (gain < tolerance) & (damping < 1.0)) | (gain < 1e-6 * tolerance)
        converged[rows[finished]] = True
        damping = np.where(better, damping * 0.1, damping * 8.0)
        keep = ~finished & (damping < 1e6)
        cost = np.where(better, t_cost, cost)
        if iteration >= _PATIENCE:
            keep &= cost < hopeless
        cost = cost[keep]
        grad = np.where(better[:, None], t_grad, grad)[keep]
        hess = np.where(better[:, None, None], t_hess, hess)[keep]
        damping, rows = np.maximum(damping[keep], 1e-8), rows[keep]
        if not rows.size:
            break
    # The knee is bent so differently on its sides that steps may go to and fro about the minimum;
    # half a standard deviation from it, that is no reason to refuse a sweep.
    late = np.flatnonzero(~converged)
    converged[late] = undamped_gain(out_grad[late], out_h[late]) < 0.2
    diag = np.sqrt(np.maximum(np.einsum("npp->np", out_h), 1e-200))
    scaled = out_h / (diag[:, :, None] * diag[:, None, :])
    # a direction that the data do not know gets a huge error, not an exception
    scaled[:, range(p), range(p)] += 1e-12
    cov = np.linalg.inv(scaled) / (diag[:, :, None] * diag[:, None, :])
    return best, cov, out_cost, converged
