"""Quantities from a fit: values, error bars, and the uncertainty of the theory."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.balance import Balance, balance
from ishtar.langmuir.bins import SortedSamples
from ishtar.langmuir.crossing import floating_potential_of
from ishtar.langmuir.hot import LN_RATIO, LN_SHARE, fitted_current, theta_of_ions
from ishtar.langmuir.limits import RHO_OF_TABLES, THIN_SHEATH
from ishtar.langmuir.model import BLUR, LN_NE, LN_R, LN_TE, N_SHAPED, VP, Probe, ions
from ishtar.langmuir.noise import undithered_part
from ishtar.langmuir.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_TE_ERROR = 0.002  # of Te: fits to the tables of the attracted electrons are accurate to 1 % rms
_TE_OF_THIN = 0.01  # of Te, for a thin sheath: that of a plane bends more sharply at Vp
_VP_OF_THIN = 0.08  # of Te, for the same reason
_TE_OF_HELD = 0.025  # of Te, if a field holds nearly all electrons back
_TE_OF_TWO = 0.02  # of Te, with hot electrons: the tables have no sheath of two temperatures
_VP_ERROR = 0.03  # of Te: the knee of the tables compared with that of the formula
_TE_BY_IONS = 0.12  # of Te, per relative error of the ion current
_MIN_NOTE = 0.05  # of ne; smaller effects get no note
_BY_BLUR = 0.25  # of ne, for a blur of 1 Te²
_BY_STEPS = 0.04  # of Te: Vf, if a step equals the ion current and there is no noise as dither
_BENDS = 0.7  # of Te, half width in which the curve at its zero is nearly a parabola


def notes(found: Balance, rho: Floats, probe: Probe, table: Table, rows: Ints) -> None:
    """Write the causes other than noise that make densities uncertain."""
    sigma = np.sqrt(found.covariance[:, LN_NE, LN_NE])
    for k, row in enumerate(rows):
        causes = []
        if probe.radius and rho[k] > RHO_OF_TABLES:
            causes.append(
                f"r/λ_D {rho[k]:.0f} is beyond the tables, {RHO_OF_TABLES:.0f}: "
                f"ne is uncertain by {sigma[k]:.0%}"
            )
        if found.ambiguity[k] > _MIN_NOTE:
            # the share of the electrons if the ion current had no excess
            share = np.exp(found.theta[k, LN_R] - found.excess[k])
            causes.append(
                f"{share:.2g} times the electron current expected from the ions: held by a field, "
                f"or ne is off; ne is uncertain by {found.ambiguity[k]:.0%}"
            )
        elif abs(found.excess[k]) > _MIN_NOTE:
            causes.append(
                f"{np.exp(found.excess[k]):.3g} times the ion current expected from the electrons "
                "(a flow, secondaries); ne is that of the electrons"
            )
        table.note[row] = "; ".join(causes)


def fill(
    table: Table,
    rows: Ints,
    samples: SortedSamples,
    theta: Floats,
    covariance: tuple[Floats, Floats],
    probe: Probe,
    step: float,
) -> None:
    """Write the quantities of fitted sweeps into a table.

    Parameters
    ----------
    table : Table
    rows : (n,) int
        Rows of the table.
    samples : SortedSamples
        Of these sweeps.
    theta : (n, p) float64
    covariance : ((n, p, p), (n, p, p)) float64
        Total, and the part due to noise.
    probe : Probe
    step : float
        Resolution of the recorded current, A.
    """
    te = np.exp(theta[:, LN_TE])

    def fitted(which: Ints, bias: Floats) -> Floats:
        return fitted_current(theta[which], bias, probe.rows(which))

    def ion(t: Floats) -> Floats:
        return ions(theta_of_ions(t), vf[:, None], probe)[:, 0]

    def put(
        name: str,
        value: Floats,
        gradient: Floats,
        errors: tuple[Floats, Floats],
        theory: Floats | float = 0.0,
    ) -> None:
        total, noise = (
            np.sqrt(np.maximum(np.einsum("np,npq,nq->n", gradient, cov, gradient), 0.0))
            for cov in errors
        )
        total = np.hypot(total, theory)
        table.value[name][rows] = value
        table.sigma[name][rows] = table.fit_sigma[name][rows] = total
        table.noise_sigma[name][rows] = np.minimum(noise, total)

    # quantities of the curve alone
    vf, vf_sigma = floating_potential_of(samples, _BENDS * te, step, fitted)
    table.value["Vf"][rows] = vf
    stuck = step * undithered_part(table.noise[rows], step) / np.abs(ion(theta))
    vf_sigma = np.hypot(vf_sigma, _BY_STEPS * stuck**2 * te)
    for of in (table.sigma, table.fit_sigma, table.noise_sigma):
        of["Vf"][rows] = vf_sigma
    gradient = np.empty_like(theta)
    for j in range(theta.shape[1]):
        h = np.zeros_like(theta)
        h[:, j] = 1e-4
        gradient[:, j] = (ion(theta + h) - ion(theta - h)) / 2e-4
    put("Isat", ion(theta), gradient, covariance)

    # quantities of the plasma
    rho = probe.rho(theta[:, LN_NE], theta[:, LN_TE])
    found = balance(theta, covariance, probe)
    notes(found, rho, probe, table, rows)
    theta, covariance = found.theta, (found.covariance, found.noise)
    ne, te, r = (np.exp(theta[:, k]) for k in (LN_NE, LN_TE, LN_R))
    unit = np.eye(theta.shape[1])
    by_blur = _BY_BLUR * np.maximum(theta[:, BLUR], 0.0)
    put("ne", ne, ne[:, None] * unit[LN_NE], covariance, by_blur * ne)
    # an error of the ion current changes the slope as well
    theory = np.hypot(_TE_ERROR, _TE_BY_IONS * np.hypot(found.ambiguity, found.excess))
    thin = rho > THIN_SHEATH
    theory = np.hypot(theory, np.where(thin, _TE_OF_THIN, 0.0))
    theory = np.hypot(theory, _TE_OF_HELD * (1.0 - np.minimum(r, 1.0)))
    theory = np.hypot(theory, _TE_OF_TWO if theta.shape[1] > N_SHAPED else 0.0)
    put("Te", te, te[:, None] * unit[LN_TE], covariance, theory * te)
    knee = np.hypot(_VP_ERROR, np.where(thin, _VP_OF_THIN, 0.0))
    put("Vp", theta[:, VP], np.tile(unit[VP], (ne.size, 1)), covariance, knee * te)
    put("reduction", r, r[:, None] * unit[LN_R], covariance)
    if theta.shape[1] > N_SHAPED:
        share, hot = np.exp(theta[:, LN_SHARE]), te * np.exp(theta[:, LN_RATIO])
        part = share / (1.0 + share)
        of_hot = hot[:, None] * (unit[LN_TE] + unit[LN_RATIO])
        put("Te_hot", hot, of_hot, covariance, _TE_OF_TWO * hot)
        put("hot_fraction", part, (part / (1.0 + share))[:, None] * unit[LN_SHARE], covariance)
