"""The analysis of a table of sweeps: guess, fit, estimate the noise, fit again, check.

All arrays have the sweeps as their first axis; one sweep is a table with one row.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.bins import Bins, bin_samples, with_scatter
from ishtar.langmuir.fallback_fit import FallbackFit, abandon_chi2, fit_with_model_error
from ishtar.langmuir.first_fit import FirstFit, first_fits_of, first_guess, with_shape
from ishtar.langmuir.hot import TWO, hot_electrons
from ishtar.langmuir.model import BLUR, LN_TE, N_SHAPED, Probe
from ishtar.langmuir.noise import bin_sigma, noise_components, residual_of
from ishtar.langmuir.pickup import find_pickup
from ishtar.langmuir.results import fill
from ishtar.langmuir.table import Table, concatenated
from ishtar.langmuir.validity import judge

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_SAME_KNEE = 0.05  # of ln ρ
_FAR_FROM_GUESS = 1.2  # of ln Te
_SAME_CHI2 = 0.5


def analyse_scaled(
    bias: Floats, current: Floats, probe: Probe, factors: tuple[float, ...], *, step: float
) -> list[Table]:
    """Analyse the same sweeps once for each factor on ρ, all in one batch.

    A batch of three costs little more than one sweep. Parameters as in `analyse_padded`.
    """
    n = bias.shape[0]
    scaled = replace(probe, rho_factor=np.repeat(np.array(factors), n), rho_electrons=None)
    times = len(factors), 1
    table = analyse_padded(np.tile(bias, times), np.tile(current, times), scaled, step=step)
    return [table.rows(slice(k * n, (k + 1) * n)) for k in range(len(factors))]


def analyse_padded(
    bias: Floats,
    current: Floats,
    probe: Probe,
    *,
    step: float = 0.0,
    reduction: float | None = None,
) -> Table:
    """Analyse sweeps that are rows of a padded table; parameters as in `first_fits_of`."""
    first_fits = first_fits_of(bias, current, probe, step=step, reduction=reduction)
    return analyse_first_fits(first_fits, step=step, reduction=reduction)


def analyse_first_fits(
    first_fits: Sequence[FirstFit], *, step: float, reduction: float | None = None
) -> Table:
    """Analyse sweeps after their first fit, which is modified in place.

    Parameters as in `analyse_padded`.
    """
    for first in first_fits:
        if first.good.size:
            _fit_block(first, step, reduction)
        first.table.valid[:] = first.verdicts.ok
        first.table.reason[:] = first.verdicts.reason
        first.table.clear(~first.verdicts.ok)
    return concatenated([first.table for first in first_fits])


def _fit_block(first: FirstFit, step: float, reduction: float | None) -> None:
    samples, bins, probe, theta = first.samples, first.bins, first.probe, first.theta
    rows, table, verdicts = first.good, first.table, first.verdicts
    # The residual of the first fit shows pick-up and, after its removal, the noise.
    rest, slope, line2 = without_pickup(first, step, reduction)
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
    # The shape is always free within the error of the theory. If only a visible misfit freed it,
    # noise that hides the misfit would make the density precise but wrong.
    abandon_above = abandon_chi2(bins)
    best = fit.solve(with_shape(theta), points, abandon_above=abandon_above)
    # again if the density differs from that assumed for the knee
    moved = np.zeros(rows.size, bool)
    if probe.radius:
        change = np.log(probe.rho(*best.theta.T[:2]) / probe.rho(*theta.T[:2]))
        moved = np.abs(change) > _SAME_KNEE
    knee = np.where(moved[:, None], best.theta[:, : theta.shape[1]], theta)
    points = replace(points, probe=probe.held(knee))
    if moved.any():
        again = fit.solve(best.theta[moved], points.rows(moved), abandon_above=abandon_above)
        best = best.replaced(moved, again)
    best = _refit(best, first_guess(bins, points.probe), points)
    one = fit_with_model_error(best, points)
    hot = hot_electrons(one.solution, replace(points, sigma=one.sigma))
    ripple2 = ripple2 + line2

    def write(which: Ints, tip: Probe, fitted: FallbackFit, shift: Floats | float) -> None:
        here, theta = rows[which], fitted.solution.theta
        if tip.rho_electrons is not None:
            table.knee[here] = tip.rho_electrons
        table.theta[here, : theta.shape[1]] = theta
        table.chi2[here], table.model_error[here] = fitted.chi2, fitted.model_error
        blur2 = np.maximum(theta[:, BLUR], 0.0) * np.exp(2.0 * theta[:, LN_TE])
        table.noise[here] = np.sqrt(noise2[which])
        table.ripple[here] = np.sqrt(ripple2[which] + blur2)
        total, noise = fitted.solution.covariance(fitted.inflation)
        fill(table, here, samples.rows(which), theta, (total + shift, noise), tip, step)
        judge(table, here, bins.rows(which), fitted.solution.converged, verdicts, step)

    single = np.setdiff1d(np.arange(rows.size), hot.rows)
    # the change that a possible second temperature would make
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
        write(hot.rows, some.probe, fit_with_model_error(two, some, TWO), 0.0)


def _refit(best: fit.Solution, guess: Floats, points: fit.Points) -> fit.Solution:
    """Fit again the sweeps that did not converge or ended far from the first guess (n, p)."""
    guess = with_shape(guess)
    for k in range(3):
        which = ~best.converged
        start = best.theta
        if k == 0:
            which = np.abs(best.theta[:, LN_TE] - guess[:, LN_TE]) > _FAR_FROM_GUESS
            start = guess
        rows = np.flatnonzero(which)
        if not rows.size:
            continue
        again = fit.solve(start[rows], points.rows(rows))
        # a fit that a restart does not improve has converged
        worth = np.maximum(again.chi2 / points.bias.shape[1], 1.0)
        ended = np.abs(best.chi2[rows] - again.chi2) < _SAME_CHI2 * worth
        again = replace(again, converged=again.converged | ended)
        better = (again.chi2 < best.chi2[rows]) | (again.converged & ~best.converged[rows])
        best = best.replaced(rows[better], again.rows(better))
    return best


def without_pickup(
    first: FirstFit, step: float, reduction: float | None
) -> tuple[Bins, Floats, Floats]:
    """Remove detectable sinusoidal pick-up from samples, bins and theta, in place.

    In two passes, as pick-up disturbs the fit that reveals it.

    Returns
    -------
    rest : Bins
        With the scatter about the fit.
    slope : (n, m) float64, A/V
    ripple2 : (n,) float64, V²
        Variance of the removed voltage.
    """
    samples, bins, probe, theta = first.samples, first.bins, first.probe, first.theta
    _, rest, slope_of_sample, slope = first.residuals()
    ripple2 = np.zeros(theta.shape[0])
    rows = np.arange(theta.shape[0])
    for _ in range(2):
        some = samples.rows(rows)
        found = find_pickup(some.in_time(rest[rows]), some.in_time(slope_of_sample[rows]))
        if found is None:
            break
        some, rows = some.rows(found.rows), rows[found.rows]
        some = some.shifted(found.bias, -found.current)
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
