"""What to do where the theory does not fit: an honest error of the model."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.bins import Bins
from ishtar.langmuir.model import BLUR, N_SHAPED, ions

Floats = NDArray[np.float64]

# χ² scales the covariance downwards, too: what is left of pick-up inside the bins averages out
# better than noise of that size would. Not by more than this, for the sake of short sweeps.
_LEAST_STRETCH = 0.3

N_CERTAIN = 3  # parameters of which nothing is known before: the others add to χ², too


def hopeless_chi2(bins: Bins) -> float:
    """Return a χ² far above that from which `mend` fits a sweep again, under wider errors."""
    return float(4.0 * bins.bias.shape[1])


@dataclass(frozen=True, kw_only=True)
class Mended:
    """Fits with an honest error of the model, one row a sweep.

    Parameters
    ----------
    solution : fit.Solution
    sigma : (n, m) float64, A
        Under which errors of the bins it was found.
    chi2 : (n,) float64
        Per degree of freedom, against noise alone.
    stretch : (n,) float64
        By how much the variances are larger for what hangs together.
    model_error : (n,) float64
        Relative misfit beyond the noise; 0 where there is none.
    """

    solution: fit.Solution
    sigma: Floats
    chi2: Floats
    stretch: Floats
    model_error: Floats

    def rows(self, which: NDArray[np.intp]) -> Mended:
        """Return some of the sweeps."""
        return Mended(
            solution=self.solution.rows(which),
            sigma=self.sigma[which],
            chi2=self.chi2[which],
            stretch=self.stretch[which],
            model_error=self.model_error[which],
        )


def mend(best: fit.Solution, points: fit.Points, form: fit.Form = fit.SINGLE) -> Mended:
    """Return fits with errors that hold what the theory does not explain.

    A curve that the theory does not fit, its shape being free as far as theory may be wrong, gets
    an error in proportion to its current, over the length along which the misfit hangs together.
    The covariance is inflated by what χ² then is above one.
    """
    m = points.bias.shape[1]
    free = m - N_CERTAIN
    chi2 = best.chi2 / free
    solution, wide = best, points.sigma.copy()
    stretch, model_error = np.maximum(chi2, _LEAST_STRETCH), np.zeros(chi2.size)
    worse = np.flatnonzero(chi2 > 1.0 + 4.0 * math.sqrt(2.0 / m))
    bad = points.rows(worse)
    for _ in range(3):
        if not worse.size:
            break
        theta = solution.theta[worse]
        misfit = bad.left_by(form, theta)
        ion = ions(theta[:, :N_SHAPED], bad.bias, bad.probe)
        size = np.abs(bad.current - misfit) + 2.0 * ion
        model_error[worse] = relative_misfit(misfit, bad.sigma, size)
        under = replace(bad, sigma=np.hypot(bad.sigma, model_error[worse][:, None] * size))
        # A negative blur is noise about zero in a good fit, and nonsense in one that is not.
        again = fit.solve(theta, under, sharp=theta[:, BLUR] < 0.0, form=form)
        solution = solution.replaced(worse, again)
        wide[worse] = under.sigma
        z = under.left_by(form, again.theta) / under.sigma
        stretch[worse] = np.maximum(again.chi2 / free, 1.0) * correlation_length(z)
    return Mended(
        solution=solution, sigma=wide, chi2=chi2, stretch=stretch, model_error=model_error
    )


def relative_misfit(residual: Floats, sigma: Floats, size: Floats) -> Floats:
    """Return f (n,) so that errors √(σ² + f² size²) make χ² per bin one."""
    lo, hi = np.zeros(residual.shape[0]), np.full(residual.shape[0], 3.0)
    r2, s2, z2 = residual**2, sigma**2, size**2
    for _ in range(30):
        mid = 0.5 * (lo + hi)
        too_small = (r2 / (s2 + (mid**2)[:, None] * z2)).mean(1) > 1.0
        lo, hi = np.where(too_small, mid, lo), np.where(too_small, hi, mid)
    return np.asarray(0.5 * (lo + hi))


def correlation_length(z: Floats) -> Floats:
    """Return over how many bins residuals (n, m) hang together, 1 for independent ones."""
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
