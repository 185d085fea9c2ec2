"""The analysis of a table of sweeps: guess, fit, learn the noise, fit again, judge.

All arrays have the sweeps as their first axis; one sweep is a table of one row.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.bins import (
    Bins,
    Sorted,
    bin_samples,
    sort_by_bias,
    with_scatter,
)
from ishtar.langmuir.checks import Verdicts, judge, refuse_unusable
from ishtar.langmuir.fit import LN_NE, LN_R, LN_TE, VP, Probe
from ishtar.langmuir.mend import hopeless_chi2, mend, with_shape
from ishtar.langmuir.noise import bin_sigma, noise_components, residual_of, stuck_variance
from ishtar.langmuir.pickup import find_pickup
from ishtar.langmuir.theory import _ion

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

_BLOCK_SAMPLES = 250_000  # at a time: work arrays of a megabyte each
QUANTITIES = ("Vf", "Vp", "Te", "ne", "Isat")


@dataclass(frozen=True, kw_only=True)
class Table:
    """Results of many sweeps, each array with one entry a sweep.

    ``value`` and ``sigma`` have the keys of :data:`QUANTITIES` and ``reduction``; ``theta`` (n, 7)
    is the fit, ``chi2`` per degree of freedom, ``model_error`` the relative misfit beyond noise.
    """

    value: dict[str, Floats]
    sigma: dict[str, Floats]
    valid: Flags
    reason: list[str]
    chi2: Floats
    model_error: Floats
    noise: Floats
    ripple: Floats
    theta: Floats

    def rows(self, which: slice) -> Table:
        """Return a part of the sweeps."""
        return Table(
            value={q: v[which] for q, v in self.value.items()},
            sigma={q: s[which] for q, s in self.sigma.items()},
            valid=self.valid[which],
            reason=self.reason[which],
            chi2=self.chi2[which],
            model_error=self.model_error[which],
            noise=self.noise[which],
            ripple=self.ripple[which],
            theta=self.theta[which],
        )


def analyse_scaled(
    bias: Floats, current: Floats, probe: Probe, factors: tuple[float, ...], *, step: float
) -> list[Table]:
    """Analyse the same sweeps once for each factor on ρ, all in one batch.

    A batch of three costs little more than one sweep alone. Parameters as in `analyse_padded`.
    """
    n = bias.shape[0]
    every = replace(probe, rho_factor=np.repeat(np.array(factors), n))
    times = len(factors), 1
    table = analyse_padded(np.tile(bias, times), np.tile(current, times), every, step=step)
    return [table.rows(slice(k * n, (k + 1) * n)) for k in range(len(factors))]


def analyse_padded(
    bias: Floats,
    current: Floats,
    probe: Probe,
    *,
    step: float = 0.0,
    reduction: float | None = None,
) -> Table:
    """Analyse sweeps given as rows of a padded table.

    Parameters
    ----------
    bias, current : (n, k) float64, V and A
        In the order of time; NaN where there is no sample.
    probe : Probe
    step : float
        Resolution of the recorded current, A.
    reduction : float, optional
        R, if known (:func:`ishtar.langmuir.theory.probe_current`).
    """
    n, k = bias.shape
    rows = max(1, _BLOCK_SAMPLES // max(k, 1))
    parts = [
        _analyse_block(
            bias[i : i + rows],
            current[i : i + rows],
            probe.rows(slice(i, i + rows)),
            step,
            reduction,
        )
        for i in range(0, n, rows)
    ]
    keys = (*QUANTITIES, "reduction")

    def join(name: str) -> Floats:
        return np.concatenate([getattr(p, name) for p in parts]) if parts else np.empty(0)

    return Table(
        value={q: np.concatenate([p.value[q] for p in parts] or [np.empty(0)]) for q in keys},
        sigma={q: np.concatenate([p.sigma[q] for p in parts] or [np.empty(0)]) for q in keys},
        valid=np.concatenate([p.valid for p in parts] or [np.empty(0, bool)]),
        reason=[r for p in parts for r in p.reason],
        chi2=join("chi2"),
        model_error=join("model_error"),
        noise=join("noise"),
        ripple=join("ripple"),
        theta=np.concatenate([p.theta for p in parts] or [np.empty((0, fit.N_SHAPED))]),
    )


def _analyse_block(
    bias: Floats, current: Floats, probe: Probe, step: float, reduction: float | None
) -> Table:
    n = bias.shape[0]
    verdicts = Verdicts(n)
    samples = sort_by_bias(bias, current)
    bins = refuse_unusable(samples, step, verdicts)
    table = _empty(n, probe)
    good = np.flatnonzero(verdicts.ok)
    if bins is not None and good.size:
        chosen = samples.rows(good), bins.rows(good)
        _fit_block(*chosen, probe.rows(good), step, reduction, verdicts, good, table)
    valid = verdicts.ok
    for values in (*table.value.values(), *table.sigma.values()):
        values[~valid] = np.nan
    return Table(
        value=table.value,
        sigma=table.sigma,
        valid=valid,
        reason=verdicts.reason,
        chi2=table.chi2,
        model_error=table.model_error,
        noise=table.noise,
        ripple=table.ripple,
        theta=table.theta,
    )


def _empty(n: int, probe: Probe) -> Table:
    def nan() -> Floats:
        return np.full(n, np.nan)

    keys = (*QUANTITIES, "reduction")
    return Table(
        value={q: nan() for q in keys},
        sigma={q: nan() for q in keys},
        valid=np.zeros(n, bool),
        reason=[],
        chi2=nan(),
        model_error=nan(),
        noise=nan(),
        ripple=nan(),
        theta=np.full((n, fit.N_SHAPED), np.nan),
    )


def first_guess(bins: Bins, probe: Probe) -> tuple[Floats, NDArray[np.intp]]:
    """Return a first theta (n, p) and the index of the bin where the current changes sign."""
    v, i = bins.bias, bins.current
    n, m = v.shape
    rows = np.arange(n)
    cross = np.clip(np.argmin(np.cumsum(i, axis=1), axis=1), 1, m - 2)
    # steepest place above the floating potential, over a few bins against noise
    h = 2
    dv = v[:, 2 * h :] - v[:, : -2 * h]
    di = i[:, 2 * h :] - i[:, : -2 * h]
    steep = np.where(dv > 0, di / np.maximum(dv, 1e-9), 0.0)
    steep = np.where(np.arange(h, m - h) > cross[:, None], steep, -np.inf)
    knee = np.clip(np.argmax(steep, axis=1) + h, cross + 1, m - 1)
    vp = v[rows, knee]
    tail = np.maximum(cross // 3, 1)[:, None]
    in_tail = np.arange(m) < tail
    ion = -(i * in_tail).sum(1) / tail[:, 0]
    ion_at = (v * in_tail).sum(1) / tail[:, 0]
    electrons = np.maximum(i + ion[:, None], 0.0)
    top = np.maximum(electrons[rows, knee], 1e-300)
    inside = np.arange(m - 1) < knee[:, None]
    area = (0.5 * (electrons[:, 1:] + electrons[:, :-1]) * np.diff(v, axis=1) * inside).sum(1)
    te = np.clip(area / top, 0.3, np.maximum(np.ptp(v, axis=1) / 6.0, 0.5))
    eta = np.maximum((vp - ion_at) / te, 1.0)
    ln_te = np.log(te)
    ion = np.maximum(ion, 1e-3 * top)
    ln_ne = np.log(ion / (probe.ion_scale * np.sqrt(te) * 2.0))
    for _ in range(4):
        factor = _ion(eta, probe.rho(ln_ne, ln_te))[0] if probe.radius else 1.5 * (1 + 0.03 * eta)
        ln_ne = np.log(ion / (probe.ion_scale * np.sqrt(te) * factor))
    ln_r = np.log(top / (probe.electron_scale * np.sqrt(te))) - ln_ne
    theta = np.stack([ln_ne, ln_te, vp, np.clip(ln_r, -4.0, 1.0)], axis=1)
    return theta if probe.radius else with_shape(theta), cross


def _fit_block(
    samples: Sorted,
    bins: Bins,
    probe: Probe,
    step: float,
    reduction: float | None,
    verdicts: Verdicts,
    rows: NDArray[np.intp],
    table: Table,
) -> None:
    theta, _ = first_guess(bins, probe)
    step_v = np.maximum(np.gradient(bins.bias, axis=1), 1e-9)
    typical = np.ptp(bins.bias, axis=1)[:, None] / bins.bias.shape[1]
    slope = np.gradient(bins.current, axis=1) / np.maximum(step_v, 0.2 * typical)
    noise2, ripple2 = noise_components(bins.scatter, bins.dof, slope)
    sigma = bin_sigma(bins, noise2, ripple2, slope, step)
    variance = bins.spread + ripple2[:, None]
    args = bins.bias, bins.current, sigma, variance, probe
    first = fit.solve(theta, *args, reduction=reduction, tolerance=0.05, max_iterations=30)

    # What the first fit leaves over shows pick-up, and, without it, the noise.
    theta = first.theta
    rest, slope, line2 = without_pickup(samples, bins, theta, probe, step, reduction)
    noise2, ripple2 = noise_components(rest.scatter, rest.dof, slope)
    sigma = bin_sigma(bins, noise2, ripple2, slope, step)
    variance = bins.spread + ripple2[:, None]
    start = with_shape(theta)
    if probe.radius:
        start = start[:, : fit.N_BLURRED]
    args = bins.bias, bins.current, sigma, variance, probe
    best = fit.solve(start, *args, reduction=reduction, hopeless=hopeless_chi2(bins))

    chi2, theta, cov, converged, model_error = mend(best, bins, sigma, variance, probe, reduction)
    blur2 = np.maximum(theta[:, fit.BLUR], 0.0) * np.exp(2.0 * theta[:, LN_TE])
    _fill(table, rows, bins, sigma, theta, cov, noise2, ripple2, probe, step)
    table.chi2[rows], table.model_error[rows] = chi2, model_error
    table.noise[rows], table.ripple[rows] = np.sqrt(noise2), np.sqrt(ripple2 + line2 + blur2)
    table.theta[rows] = theta
    judge(table.value, table.sigma, table.model_error, table.chi2, rows, bins, converged, verdicts)


def without_pickup(
    samples: Sorted,
    bins: Bins,
    theta: Floats,
    probe: Probe,
    step: float,
    reduction: float | None,
) -> tuple[Bins, Floats, Floats]:
    """Take sinusoidal pick-up out of samples, bins and theta, in place, as far as it is seen.

    Twice: what is left of the pick-up disturbs the fit that shows it.

    Returns
    -------
    rest : Bins
        With the scatter about the fit.
    slope : (n, m) float64, A/V
    ripple2 : (n,) float64, V²
        Variance of the bias that was taken out.
    """
    rest, slope_of_sample, slope = residual_of(samples, bins, theta, probe)
    ripple2 = np.zeros(theta.shape[0])
    rows = np.arange(theta.shape[0])
    for _ in range(2):
        some = samples.rows(rows)
        found = find_pickup(some.in_time(rest[rows]), some.in_time(slope_of_sample[rows]))
        if found is None:
            break
        some, rows = some.rows(found.rows), rows[found.rows]
        some = some.moved(found.bias, -found.current)
        part = bin_samples(some, bins.edges[rows])
        samples.put(rows, some)
        bins.put(rows, part)
        ripple2[rows] += (found.bias**2).mean(1)
        noise2, left2 = noise_components(part.scatter, part.dof, slope[rows])
        sigma = bin_sigma(part, noise2, left2, slope[rows], step)
        tip = probe.rows(rows)
        args = part.bias, part.current, sigma, part.spread + left2[:, None], tip
        theta[rows] = fit.solve(
            theta[rows], *args, reduction=reduction, tolerance=0.05, max_iterations=20
        ).theta
        rest[rows], slope_of_sample[rows], slope[rows] = residual_of(some, part, theta[rows], tip)
    return with_scatter(bins, samples, rest), slope, ripple2


def _fill(
    table: Table,
    rows: NDArray[np.intp],
    bins: Bins,
    sigma: Floats,
    theta: Floats,
    cov: Floats,
    noise2: Floats,
    ripple2: Floats,
    probe: Probe,
    step: float,
) -> None:
    error = np.sqrt(np.maximum(np.einsum("npp->np", cov), 0.0))
    ne, te = np.exp(theta[:, LN_NE]), np.exp(theta[:, LN_TE])

    def put(name: str, value: Floats, s: Floats) -> None:
        table.value[name][rows], table.sigma[name][rows] = value, s

    put("ne", ne, ne * error[:, LN_NE])
    put("Te", te, te * error[:, LN_TE])
    put("Vp", theta[:, VP], error[:, VP])
    put("reduction", np.exp(theta[:, LN_R]), np.exp(theta[:, LN_R]) * error[:, LN_R])

    # Floating potential: zero of the fitted curve plus what the data around it add, the two being
    # trusted as each is sure.
    fitted, _, _ = fit.model(theta, bins.bias, bins.spread + ripple2[:, None], probe)
    rest = bins.current - fitted
    below = np.minimum(np.argmin(np.cumsum(fitted, axis=1), axis=1), fitted.shape[1] - 2)
    each = np.arange(fitted.shape[0])
    f0, f1 = fitted[each, below], fitted[each, below + 1]
    v0, v1 = bins.bias[each, below], bins.bias[each, below + 1]
    vf = v0 + np.clip(-f0 / np.maximum(f1 - f0, 1e-300), 0.0, 1.0) * (v1 - v0)
    local, s = np.zeros_like(vf), np.zeros_like(vf)
    for k in range(6):
        value, jac, slope = fit.model(theta, vf[:, None], ripple2[:, None], probe)
        if k >= 2:
            w = np.where(np.abs(bins.bias - vf[:, None]) < 0.5 * te[:, None], 1.0 / sigma**2, 0.0)
            sure = np.einsum("np,npq,nq->n", jac[:, :, 0], cov, jac[:, :, 0])
            local = (w * rest).sum(1) * sure / (1.0 + w.sum(1) * sure)
            s = np.sqrt(sure / (1.0 + w.sum(1) * sure)) / slope[:, 0]
        pace = 1.0 if k < 3 else 0.7
        vf = vf - pace * np.clip((value[:, 0] + local) / slope[:, 0], -2.0 * te, 2.0 * te)
        vf = np.clip(vf, bins.bias[:, 0], bins.bias[:, -1])
    slope = slope[:, 0]
    run = (slope * te) ** 2 / 12.0  # over one Te around
    stuck = stuck_variance(noise2 + slope * slope * ripple2, run, step)
    put("Vf", vf, np.hypot(s, np.sqrt(stuck) / slope))

    def ion(t: Floats) -> Floats:
        te = np.exp(t[:, LN_TE])
        rho = probe.rho(t[:, LN_NE], t[:, LN_TE])
        x = ((vf - t[:, VP]) / te)[:, None]
        g = fit.electrons_and_ions(x, rho[:, None], t, probe)[3][:, 0]
        return np.asarray(probe.ion_scale * np.exp(t[:, LN_NE]) * np.sqrt(te) * g)

    isat = ion(theta)
    gradient = np.empty_like(theta)
    for j in range(theta.shape[1]):
        h = np.zeros_like(theta)
        h[:, j] = 1e-4
        gradient[:, j] = (ion(theta + h) - ion(theta - h)) / 2e-4
    put("Isat", isat, np.sqrt(np.einsum("np,npq,nq->n", gradient, cov, gradient)))
