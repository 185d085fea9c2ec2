"""The first fit of sweeps: sort, bin, refuse the unusable, fit once."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.bins import Bins, SortedSamples, bin_edges, bin_samples, sort_by_bias
from ishtar.langmuir.current_factors import ion_branch
from ishtar.langmuir.model import N_SHAPED, Probe, model
from ishtar.langmuir.noise import bin_sigma, noise_components, residual_of
from ishtar.langmuir.outliers import without_outliers
from ishtar.langmuir.table import Table, empty_table
from ishtar.langmuir.validity import Verdicts, refuse_unusable

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_BLOCK_SAMPLES = 250_000  # at a time: work arrays of a megabyte each

Residuals = tuple[Floats, Floats, Floats, Floats]


@dataclass(kw_only=True)
class FirstFit:
    """A block of sweeps with a first fit of the usable ones.

    ``rows`` (n,) are the usable sweeps of the table; ``samples``, ``bins``, ``probe`` and ``theta``
    (n, p) belong to them; ``verdicts`` and ``table`` cover all sweeps from ``start`` on.
    """

    start: int
    verdicts: Verdicts
    table: Table
    good: Ints
    samples: SortedSamples
    bins: Bins
    probe: Probe
    sigma: Floats
    variance: Floats
    theta: Floats
    _residuals: Residuals | None = field(default=None, init=False, repr=False)

    @property
    def rows(self) -> Ints:
        """Rows in the whole table, (n,)."""
        return self.good + self.start

    def residuals(self) -> Residuals:
        """Return the residuals of the fit.

        Returns
        -------
        jacobian : (n, p, m) float64, A
            Of each bin.
        rest, steep : (n, k) float64, A and A/V
            Residual and slope of each sample, in the order of bias.
        slope : (n, m) float64, A/V
            Of each bin.
        """
        if self._residuals is None:
            held = self.probe.held(self.theta)
            _, jacobian, _ = model(self.theta, self.bins.bias, self.variance, held)
            self._residuals = (
                jacobian,
                *residual_of(self.samples, self.bins, self.theta, self.probe),
            )
        return self._residuals


def first_fits_of(
    bias: Floats, current: Floats, probe: Probe, *, step: float, reduction: float | None = None
) -> list[FirstFit]:
    """Fit the rows of a padded table for the first time, block by block.

    Parameters
    ----------
    bias, current : (n, k) float64, V and A
        In the order of time; NaN is a missing sample.
    probe : Probe
    step : float
        Resolution of the recorded current, A.
    reduction : float, optional
        R, if known.
    """
    n, k = bias.shape
    rows = max(1, _BLOCK_SAMPLES // max(k, 1))
    parts = (slice(i, min(i + rows, n)) for i in range(0, n, rows))
    return [
        _fit_rows(part.start, bias[part], current[part], probe.rows(part), step, reduction)
        for part in parts
    ]


def _fit_rows(
    start: int,
    bias: Floats,
    current: Floats,
    probe: Probe,
    step: float,
    reduction: float | None,
) -> FirstFit:
    verdicts, table = Verdicts(bias.shape[0]), empty_table(bias.shape[0])
    bias, current, table.outliers[:] = without_outliers(bias, current, step)
    samples = sort_by_bias(bias, current)
    bins = refuse_unusable(samples, step, verdicts)
    good = np.flatnonzero(verdicts.ok)
    chosen, tip = samples.rows(good), probe.rows(good)
    # without bins no sweep has enough samples
    kept = bin_samples(chosen, bin_edges(chosen)) if bins is None else bins.rows(good)
    theta = sigma = variance = np.empty((0, 0))
    if good.size:
        theta, sigma, variance = _first_fit(kept, tip, step, reduction)
    return FirstFit(
        start=start,
        verdicts=verdicts,
        table=table,
        good=good,
        samples=chosen,
        bins=kept,
        probe=tip,
        sigma=sigma,
        variance=variance,
        theta=theta,
    )


def _first_fit(
    bins: Bins, probe: Probe, step: float, reduction: float | None
) -> tuple[Floats, Floats, Floats]:
    """Return theta of a first fit, sigma of its bins, A, and the variance of their bias, V²."""
    theta = first_guess(bins, probe)
    step_v = np.maximum(np.gradient(bins.bias, axis=1), 1e-9)
    typical = np.ptp(bins.bias, axis=1)[:, None] / bins.bias.shape[1]
    slope = np.gradient(bins.current, axis=1) / np.maximum(step_v, 0.2 * typical)
    noise2, ripple2 = noise_components(bins.scatter, bins.dof, slope)
    sigma = bin_sigma(bins, noise2, ripple2, slope, step)
    variance = bins.spread + ripple2[:, None]
    points = fit.Points(
        bias=bins.bias,
        current=bins.current,
        sigma=sigma,
        variance=variance,
        probe=probe.held(theta),
        reduction=reduction,
    )
    first = fit.solve(theta, points, tolerance=0.05, max_iterations=30)
    return first.theta, sigma, variance


def first_guess(bins: Bins, probe: Probe) -> Floats:
    """Return a first guess of theta (n, p)."""
    v, i = bins.bias, bins.current
    n, m = v.shape
    rows = np.arange(n)
    cross = np.clip(np.argmin(np.cumsum(i, axis=1), axis=1), 1, m - 2)
    # steepest point above the floating potential, over a few bins to suppress noise
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
        factor = (
            ion_branch(eta, probe.rho(ln_ne, ln_te))[0] if probe.radius else 1.5 * (1 + 0.03 * eta)
        )
        ln_ne = np.log(ion / (probe.ion_scale * np.sqrt(te) * factor))
    ln_r = np.log(top / (probe.electron_scale * np.sqrt(te))) - ln_ne
    theta = np.stack([ln_ne, ln_te, vp, np.clip(ln_r, -4.0, 1.0)], axis=1)
    return theta if probe.radius else with_shape(theta)


def with_shape(theta: Floats) -> Floats:
    """Return theta (n, 8), its missing columns zero."""
    missing = N_SHAPED - theta.shape[1]
    return np.concatenate([theta, np.zeros((theta.shape[0], missing))], axis=1)
