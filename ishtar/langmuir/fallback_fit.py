"""The fallback for sweeps that the theory does not fit: errors that include the misfit."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.bins import Bins
from ishtar.langmuir.model import BLUR, N_SHAPED, ions

Floats = NDArray[np.float64]

# χ² may also scale the covariance down: residual pick-up inside the bins averages out better than
# noise of that size. The limit protects short sweeps.
_MIN_INFLATION = 0.3

N_FREE = 3  # parameters without a prior: those with one add to χ² as well


def abandon_chi2(bins: Bins) -> float:
    """Return a χ² far above the threshold from which `fit_with_model_error` fits again."""
    return float(4.0 * bins.bias.shape[1])


@dataclass(frozen=True, kw_only=True)
class FallbackFit:
    """Fits whose errors include the misfit of the model, one row per sweep.

    Parameters
    ----------
    solution : fit.Solution
    sigma : (n, m) float64, A
        Errors of the bins in the fit.
    chi2 : (n,) float64
        Per degree of freedom, with noise alone.
    inflation : (n,) float64
        Factor on the variances for correlated residuals.
    model_error : (n,) float64
        Relative misfit beyond the noise; 0 if χ² is good.
    """

    solution: fit.Solution
    sigma: Floats
    chi2: Floats
    inflation: Floats
    model_error: Floats

    def rows(self, which: NDArray[np.intp]) -> FallbackFit:
        """Return the fits of some of the sweeps."""
        return FallbackFit(
            solution=self.solution.rows(which),
            sigma=self.sigma[which],
            chi2=self.chi2[which],
            inflation=self.inflation[which],
            model_error=self.model_error[which],
        )


def fit_with_model_error(
    best: fit.Solution, points: fit.Points, form: fit.Form = fit.SINGLE
) -> FallbackFit:
    """Return fits whose errors include the misfit of the theory.

    A curve that the theory does not fit, even with its shape free within the error of the theory,
    gets an error in proportion to its current, over the correlation length of the misfit. The
    covariance is inflated by χ² above one.
    """
    m = points.bias.shape[1]
    free = m - N_FREE
    chi2 = best.chi2 / free
    solution, wide = best, points.sigma.copy()
    inflation, model_error = np.maximum(chi2, _MIN_INFLATION), np.zeros(chi2.size)
    worse = np.flatnonzero(chi2 > 1.0 + 4.0 * math.sqrt(2.0 / m))
    bad = points.rows(worse)
    for _ in range(3):
        if not worse.size:
            break
        theta = solution.theta[worse]
        misfit = bad.residual(form, theta)
        ion = ions(theta[:, :N_SHAPED], bad.bias, bad.probe)
        size = np.abs(bad.current - misfit) + 2.0 * ion
        model_error[worse] = relative_misfit(misfit, bad.sigma, size)
        under = replace(bad, sigma=np.hypot(bad.sigma, model_error[worse][:, None] * size))
        # A negative blur is noise about zero in a good fit, but meaningless in a bad one.
        again = fit.solve(theta, under, sharp=theta[:, BLUR] < 0.0, form=form)
        solution = solution.replaced(worse, again)
        wide[worse] = under.sigma
        z = under.residual(form, again.theta) / under.sigma
        inflation[worse] = np.maximum(again.chi2 / free, 1.0) * correlation_length(z)
    return FallbackFit(
        solution=solution, sigma=wide, chi2=chi2, inflation=inflation, model_error=model_error
    )


def relative_misfit(residual: Floats, sigma: Floats, size: Floats) -> Floats:
    """Return f (n,) for which errors √(σ² + f² size²) make χ² per bin one."""
    lo, hi = np.zeros(residual.shape[0]), np.full(residual.shape[0], 3.0)
    r2, s2, z2 = residual**2, sigma**2, size**2
    for _ in range(30):
        mid = 0.5 * (lo + hi)
        too_small = (r2 / (s2 + (mid**2)[:, None] * z2)).mean(1) > 1.0
        lo, hi = np.where(too_small, mid, lo), np.where(too_small, hi, mid)
    return np.asarray(0.5 * (lo + hi))


def correlation_length(z: Floats) -> Floats:
    """Return the correlation length of residuals (n, m) in bins, 1 for independent ones."""
    m = z.shape[1]
    power = np.maximum((z * z).sum(1), 1e-300)
    total = np.ones(z.shape[0])
    alive = np.ones(z.shape[0], bool)
    for lag in range(1, m // 4):
        r = (z[:, lag:] * z[:, :-lag]).sum(1) / power
        alive &= r > 0.1
        if not alive.any():
            break
        total += np.where(alive, 2.0 * r, 0.0)
    return total
