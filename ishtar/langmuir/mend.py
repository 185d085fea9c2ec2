"""What to do where the theory does not fit: a freer shape, then an honest error of the model."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.bins import Bins
from ishtar.langmuir.fit import BLUR, LN_R, N_SHAPED, Probe

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# χ² scales the covariance downwards, too: what is left of pick-up inside the bins averages out
# better than noise of that size would. Not by more than this, for the sake of short sweeps.
_LEAST_STRETCH = 0.3


def hopeless_chi2(bins: Bins) -> float:
    """Return a χ² far above that from which `mend` fits a sweep again, under wider errors."""
    return 4.0 * bins.bias.shape[1]


def with_shape(theta: Floats) -> Floats:
    """Return theta (n, 7): with the columns that it has not got, zero."""
    missing = N_SHAPED - theta.shape[1]
    return np.concatenate([theta, np.zeros((theta.shape[0], missing))], axis=1)


def mend(
    best: fit.Solution,
    bins: Bins,
    sigma: Floats,
    variance: Floats,
    probe: Probe,
    reduction: float | None,
) -> tuple[Floats, Floats, Floats, Flags, Floats]:
    """Return χ² per degree of freedom, theta, covariance, converged and relative misfit.

    A curve that the theory of the cylinder does not fit gets the two shape parameters; one that
    it does not fit even so an error in proportion to its current, over the length along which
    the misfit hangs together. The covariance is inflated by what χ² then is above one.
    """
    m = bins.bias.shape[1]
    n = best.theta.shape[0]

    def free(p: int) -> int:
        return m - p + (1 if reduction is not None else 0)

    p = best.theta.shape[1]
    chi2, converged = best.chi2 / free(p), best.converged.copy()
    theta, cov = with_shape(best.theta), np.zeros((n, N_SHAPED, N_SHAPED))
    cov[:, :p, :p] = best.covariance
    stretch, model_error = np.maximum(chi2, _LEAST_STRETCH), np.zeros(n)
    limit = 1.0 + 4.0 * math.sqrt(2.0 / m)

    def refit(rows: NDArray[np.intp], wide: Floats, hopeless: float = np.inf) -> Floats:
        data = bins.bias[rows], bins.current[rows], wide, variance[rows]
        # A negative blur is noise about zero in a good fit, and nonsense in one that is not.
        sharp = theta[rows, BLUR] < 0.0
        again = fit.solve(
            theta[rows],
            *data,
            probe.rows(rows),
            reduction=reduction,
            sharp=sharp,
            hopeless=hopeless,
        )
        theta[rows], cov[rows], converged[rows] = again.theta, again.covariance, again.converged
        return again.chi2 / free(N_SHAPED)

    worse = np.flatnonzero(chi2 > limit)
    if worse.size and p < N_SHAPED:
        chi2[worse] = refit(worse, sigma[worse], hopeless_chi2(bins))
        stretch[worse] = np.maximum(chi2[worse], _LEAST_STRETCH)
    worse = np.flatnonzero(chi2 > limit)
    tip = probe.rows(worse)
    for _ in range(3):
        if not worse.size:
            break
        value, jac, _ = fit.model(theta[worse], bins.bias[worse], variance[worse], tip)
        size = np.abs(value) + 2.0 * np.abs(value - jac[:, LN_R])
        misfit = bins.current[worse] - value
        model_error[worse] = relative_misfit(misfit, sigma[worse], size)
        wide = np.hypot(sigma[worse], model_error[worse][:, None] * size)
        left = refit(worse, wide)
        value, _, _ = fit.model(theta[worse], bins.bias[worse], variance[worse], tip)
        z = (bins.current[worse] - value) / wide
        stretch[worse] = np.maximum(left, 1.0) * correlation_length(z)
    return chi2, theta, cov * stretch[:, None, None], converged, model_error


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
