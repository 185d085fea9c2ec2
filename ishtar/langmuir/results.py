"""From a fit to quantities: values, error bars, and what theory may be wrong by."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.bins import Sorted
from ishtar.langmuir.crossing import floating_potential_of
from ishtar.langmuir.hot import LN_RATIO, LN_SHARE, fitted_current, seen_by_ions
from ishtar.langmuir.limits import RHO_OF_TABLES, diffusion_parameter, ion_uncertainty
from ishtar.langmuir.model import BLUR, LN_NE, LN_R, LN_TE, N_SHAPED, VP, Probe, ions
from ishtar.langmuir.table import Table

Floats = NDArray[np.float64]
Ints = NDArray[np.intp]

_TE_ERROR = 0.002  # of Te: fits to the tables of the attracted electrons are 1 % rms off
_TE_OF_THIN = 0.01  # more where the sheath is thin: that of a plane bends sharper at Vp
_THIN_FROM = 20.0  # radius over Debye length
_TE_OF_HELD = 0.025  # more where nearly all are held back by a field
_TE_OF_TWO = 0.02  # more with hot electrons: a sheath of two temperatures is not in the tables
_VP_ERROR = 0.012  # of Te
_THIN_ERROR = 0.1  # of ne: Bohm's 0.61 is 0.5 to 0.65 in other theories
_OTHER_IONS, _MOST_AMISS = 0.6, 0.35  # of ne, by ln R
_TE_BY_IONS = 0.12
_AT_VP = 0.75  # 1/R − 1 at Vp for ψ0 = 1, of the integral over all energies
_FORMULA = 0.7  # of ln R: ψ0 is known within a factor two
_BY_BLUR = 0.25  # of ne, for a blur of 1 Te²
_BENDS = 0.7  # part of Te within which the curve at its zero is nearly a parabola


def amiss(theta: Floats, cov: Floats, probe: Probe) -> Floats:
    """Return by how much more than noise can do ln R is off what is known to be so, (n,).

    The density comes from the ions, whose current a flow or electrons that they knock out of the
    tip can raise by a third. Electrons that then seem too few may as well be held back by a field,
    which does not touch the density: as long as nobody says which, it may be either. A field that
    is known to hold them back explains what it can.
    """
    off = np.abs(theta[:, LN_R])
    if probe.field and probe.radius and probe.length:
        te = np.exp(theta[:, LN_TE])
        psi0 = diffusion_parameter(te, field=probe.field, radius=probe.radius, length=probe.length)
        expected = -np.log1p(_AT_VP * psi0)
        near = np.abs(theta[:, LN_R] - expected) < _FORMULA
        off = np.where(near, 0.0, off)
    sure = np.sqrt(np.maximum(cov[:, LN_R, LN_R], 0.0))
    return np.asarray(np.clip(off - 2.0 * sure, 0.0, _MOST_AMISS))


def density_error(theta: Floats, off: Floats, probe: Probe, table: Table, rows: Ints) -> Floats:
    """Return by how much the density may be wrong beside noise and shape, relative; say why."""
    rho = probe.rho(theta[:, LN_NE], theta[:, LN_TE])
    error = ion_uncertainty(rho) if probe.radius else np.full(rho.size, _THIN_ERROR)
    doubt = _OTHER_IONS * off
    blur = np.maximum(theta[:, BLUR], 0.0)
    for k, row in enumerate(rows):
        said = []
        if probe.radius and rho[k] > RHO_OF_TABLES:
            said.append(
                f"r/λ_D {rho[k]:.0f} is beyond the tables, {RHO_OF_TABLES:.0f}: "
                f"ne is unsure by {error[k]:.0%}"
            )
        if doubt[k] > 0.05:
            said.append(
                f"{np.exp(theta[k, LN_R]):.2g} times the electrons that the ions let expect: held "
                f"by a field, or ne is off; it is unsure by {doubt[k]:.0%}"
            )
        table.note[row] = "; ".join(said)
    return np.sqrt(error**2 + doubt**2 + (_BY_BLUR * blur) ** 2)


def fill(
    table: Table,
    rows: Ints,
    samples: Sorted,
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
        Where in the table.
    samples : Sorted
        Of these sweeps.
    theta : (n, p) float64
    covariance : ((n, p, p), (n, p, p)) float64
        All of it, and the part that noise makes.
    probe : Probe
    step : float
        Resolution of the recorded current, A.
    """
    ne, te, r = (np.exp(theta[:, k]) for k in (LN_NE, LN_TE, LN_R))

    def fitted(which: Ints, bias: Floats) -> Floats:
        return fitted_current(theta[which], bias, probe.rows(which))

    vf, vf_sigma = floating_potential_of(samples, _BENDS * te, step, fitted)

    def put(name: str, value: Floats, gradient: Floats, theory: Floats | float = 0.0) -> None:
        total, noise = (
            np.sqrt(np.maximum(np.einsum("np,npq,nq->n", gradient, cov, gradient), 0.0))
            for cov in covariance
        )
        total = np.hypot(total, theory)
        table.value[name][rows] = value
        table.sigma[name][rows] = table.fit_sigma[name][rows] = total
        table.noise_sigma[name][rows] = np.minimum(noise, total)

    unit = np.eye(theta.shape[1])
    off = amiss(theta, covariance[0], probe)
    put("ne", ne, ne[:, None] * unit[LN_NE], ne * density_error(theta, off, probe, table, rows))
    # what moves the ions' share moves the slope, too
    rho = probe.rho(theta[:, LN_NE], theta[:, LN_TE])
    wrong = np.hypot(_TE_ERROR, _TE_BY_IONS * off)
    wrong = np.hypot(wrong, np.where(rho > _THIN_FROM, _TE_OF_THIN, 0.0))
    wrong = np.hypot(wrong, _TE_OF_HELD * (1.0 - np.minimum(r, 1.0)))
    wrong = np.hypot(wrong, _TE_OF_TWO if theta.shape[1] > N_SHAPED else 0.0)
    put("Te", te, te[:, None] * unit[LN_TE], wrong * te)
    put("Vp", theta[:, VP], np.tile(unit[VP], (ne.size, 1)), _VP_ERROR * te)
    put("reduction", r, r[:, None] * unit[LN_R])
    if theta.shape[1] > N_SHAPED:
        share, hot = np.exp(theta[:, LN_SHARE]), te * np.exp(theta[:, LN_RATIO])
        part = share / (1.0 + share)
        put("Te_hot", hot, hot[:, None] * (unit[LN_TE] + unit[LN_RATIO]), _TE_ERROR * hot)
        put("hot_fraction", part, (part / (1.0 + share))[:, None] * unit[LN_SHARE])
    table.value["Vf"][rows] = vf
    for of in (table.sigma, table.fit_sigma, table.noise_sigma):
        of["Vf"][rows] = vf_sigma

    def ion(t: Floats) -> Floats:
        return ions(seen_by_ions(t), vf[:, None], probe)[:, 0]

    gradient = np.empty_like(theta)
    for j in range(theta.shape[1]):
        h = np.zeros_like(theta)
        h[:, j] = 1e-4
        gradient[:, j] = (ion(theta + h) - ion(theta - h)) / 2e-4
    put("Isat", ion(theta), gradient)
