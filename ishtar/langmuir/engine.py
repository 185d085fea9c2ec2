"""The analysis of a table of sweeps: guess, fit, learn the noise, fit again, judge.

All arrays have the sweeps as their first axis; one sweep is a table of one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.bins import Bins, bin_samples, with_scatter
from ishtar.langmuir.fallback_fit import Mended, hopeless_chi2, mend
from ishtar.langmuir.first_fit import Look, first_guess, looks_of, with_shape
from ishtar.langmuir.hot import TWO, hot_electrons
from ishtar.langmuir.model import BLUR, LN_TE, N_SHAPED, Probe
from ishtar.langmuir.noise import bin_sigma, noise_components, residual_of
from ishtar.langmuir.pickup import find_pickup
from ishtar.langmuir.results import fill
from ishtar.langmuir.table import Table, joined
from ishtar.langmuir.validity import judge

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_SAME_KNEE = 0.05  # of ln ρ
_ASTRAY = 1.2  # of ln Te
_NO_BETTER = 0.5  # of χ²


def analyse_scaled(
    bias: Floats, current: Floats, probe: Probe, factors: tuple[float, ...], *, step: float
) -> list[Table]:
    """Analyse the same sweeps once for each factor on ρ, all in one batch.

    A batch of three costs little more than one sweep alone. Parameters as in `analyse_padded`.
    """
    n = bias.shape[0]
    every = replace(probe, rho_factor=np.repeat(np.array(factors), n), rho_electrons=None)
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
    """Analyse sweeps given as rows of a padded table; parameters as in `looks_of`."""
    looks = looks_of(bias, current, probe, step=step, reduction=reduction)
    return analyse_looks(looks, step=step, reduction=reduction)


def analyse_looks(looks: Sequence[Look], *, step: float, reduction: float | None = None) -> Table:
    """Analyse sweeps after the first look at them; a look serves once.

    Parameters as in `analyse_padded`.
    """
    for look in looks:
        if look.good.size:
            _fit_block(look, step, reduction)
        look.table.valid[:] = look.verdicts.ok
        look.table.reason[:] = look.verdicts.reason
        look.table.forget(~look.verdicts.ok)
    return joined([look.table for look in looks])


def _fit_block(look: Look, step: float, reduction: float | None) -> None:
    samples, bins, probe, theta = look.samples, look.bins, look.probe, look.theta
    rows, table, verdicts = look.good, look.table, look.verdicts
    # What the first fit leaves over shows pick-up, and, without it, the noise.
    rest, slope, line2 = without_pickup(look, step, reduction)
    noise2, ripple2 = noise_components(rest.scatter, rest.dof, slope)
    sigma = bin_sigma(bins, noise2, ripple2, slope, step)
    points = fit.Points(
        bias=bins.bias,
        current=bins.current,
        sigma=sigma,
        variance=bins.spread + ripple2[:, None],
        probe=probe.held(theta),
        reduction=reduction,
    )
    # The shape is always free, as far as theory may be wrong: to free it only where the misfit is
    # seen would let noise, which hides a misfit, make the density sure and wrong.
    hopeless = hopeless_chi2(bins)
    best = fit.solve(with_shape(theta), points, hopeless=hopeless)
    # again where the density has become another than the knee was taken for
    moved = np.zeros(rows.size, bool)
    if probe.radius:
        change = np.log(probe.rho(*best.theta.T[:2]) / probe.rho(*theta.T[:2]))
        moved = np.abs(change) > _SAME_KNEE
    knee = np.where(moved[:, None], best.theta[:, : theta.shape[1]], theta)
    points = replace(points, probe=probe.held(knee))
    if moved.any():
        again = fit.solve(best.theta[moved], points.rows(moved), hopeless=hopeless)
        best = best.replaced(moved, again)
    best = _again(best, first_guess(bins, points.probe), points)
    one = mend(best, points)
    hot = hot_electrons(one.solution, replace(points, sigma=one.sigma))
    ripple2 = ripple2 + line2

    def write(which: Ints, tip: Probe, fitted: Mended, shift: Floats | float) -> None:
        here, theta = rows[which], fitted.solution.theta
        if tip.rho_electrons is not None:
            table.knee[here] = tip.rho_electrons
        table.theta[here, : theta.shape[1]] = theta
        table.chi2[here], table.model_error[here] = fitted.chi2, fitted.model_error
        blur2 = np.maximum(theta[:, BLUR], 0.0) * np.exp(2.0 * theta[:, LN_TE])
        table.noise[here] = np.sqrt(noise2[which])
        table.ripple[here] = np.sqrt(ripple2[which] + blur2)
        total, noise = fitted.solution.covariance(fitted.stretch)
        fill(table, here, samples.rows(which), theta, (total + shift, noise), tip, step)
        judge(table, here, bins.rows(which), fitted.solution.converged, verdicts, step)

    single = np.setdiff1d(np.arange(rows.size), hot.rows)
    # what a second temperature that may be there would change
    shift = hot.shift[single]
    if single.size:
        write(
            single,
            points.probe.rows(single),
            one.rows(single),
            shift[:, :, None] * shift[:, None, :],
        )
    if hot.rows.size:
        some = points.rows(hot.rows)
        some = replace(some, probe=some.probe.held(hot.theta[:, :N_SHAPED]))
        two = fit.solve(hot.theta, some, form=TWO)
        write(hot.rows, some.probe, mend(two, some, TWO), 0.0)


def _again(best: fit.Solution, guess: Floats, points: fit.Points) -> fit.Solution:
    """Fit again what did not converge, and what ran far away from the first guess (n, p)."""
    guess = with_shape(guess)
    for k in range(3):
        which = ~best.converged
        start = best.theta
        if k == 0:
            which = np.abs(best.theta[:, LN_TE] - guess[:, LN_TE]) > _ASTRAY
            start = guess
        rows = np.flatnonzero(which)
        if not rows.size:
            continue
        again = fit.solve(start[rows], points.rows(rows))
        # what a second start from there makes no better is at its end
        worth = np.maximum(again.chi2 / points.bias.shape[1], 1.0)
        ended = np.abs(best.chi2[rows] - again.chi2) < _NO_BETTER * worth
        again = replace(again, converged=again.converged | ended)
        better = (again.chi2 < best.chi2[rows]) | (again.converged & ~best.converged[rows])
        best = best.replaced(rows[better], again.rows(better))
    return best


def without_pickup(look: Look, step: float, reduction: float | None) -> tuple[Bins, Floats, Floats]:
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
    samples, bins, probe, theta = look.samples, look.bins, look.probe, look.theta
    _, rest, slope_of_sample, slope = look.left()
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
        points = fit.Points(
            bias=part.bias,
            current=part.current,
            sigma=sigma,
            variance=part.spread + left2[:, None],
            probe=tip.held(theta[rows]),
            reduction=reduction,
        )
        again = fit.solve(theta[rows], points, tolerance=0.05, max_iterations=20)
        theta[rows] = again.theta
        rest[rows], slope_of_sample[rows], slope[rows] = residual_of(some, part, theta[rows], tip)
    return with_scatter(bins, samples, rest), slope, ripple2
