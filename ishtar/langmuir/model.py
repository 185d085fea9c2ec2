"""The fitted current and its derivatives, for many sweeps at once.

The model is that of :mod:`ishtar.langmuir.theory`, averaged over the spread of the bias inside a
bin and over unresolved RF. Additional parameters cover uncertain parts of the theory: the growth of
the ion current, the saturation of the electron current, and the energy dependence of the electron
loss in a magnetic field.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ishtar.gases import Gas
from ishtar.langmuir.current_factors import electron_branch, ion_branch_of, softened
from ishtar.langmuir.theory import ELECTRON_MASS, ELEMENTARY_CHARGE, VACUUM_PERMITTIVITY

Floats = NDArray[np.float64]
Flags = NDArray[np.bool_]

# Columns of theta. BLUR is the variance of unresolved voltage across the sheath, in Te². The last
# three are the shape: the ions' growth per Te, the power of the electrons' growth above Vp, and
# HOLD, the power with which a magnetic field's hold on the electrons falls with their energy.
LN_NE, LN_TE, VP, LN_R, BLUR, ION_SLOPE, SATURATION, HOLD = range(8)
N_CORE, N_SHAPED = 4, 8

FULL_HOLD = 1.2
_WIDE = 0.1  # Te²
THIN = 50.0  # radius over Debye length if the radius is unknown
_BOHM = math.exp(-0.5) * math.sqrt(2.0 * math.pi)  # 0.61 n c_s in units of n √(e Te / 2π mᵢ)


@dataclass(frozen=True, kw_only=True)
class Probe:
    """The probe and the gas.

    Parameters
    ----------
    area : float
        Collecting area, m².
    radius : float or None
        Of the cylinder, m; None for a sheath that is thin compared with a probe of any shape.
    gas : Gas
        Working gas.
    length : float or None
        Of the cylinder, m.
    rho_factor : float or (n,) float64
        Factor on ρ; an array has one per sweep of a table, to analyse the same samples as if of
        another tip.
    rho_electrons : (n,) float64, optional
        ρ of the attracted electrons' branch, one per sweep. It is constant during a fit: otherwise
        the shape of the knee would determine the density.
    field : float, optional
        Magnetic flux density at the tip, T, if known.
    """

    area: float
    radius: float | None
    gas: Gas
    length: float | None = None
    rho_factor: float | Floats = 1.0
    rho_electrons: Floats | None = None
    field: float | None = None

    def rows(self, which: NDArray[np.intp] | Flags | slice) -> Probe:
        """Return the probe of some of the sweeps."""
        factor, electrons = self.rho_factor, self.rho_electrons
        return replace(
            self,
            rho_factor=factor if isinstance(factor, float) else factor[which],
            rho_electrons=None if electrons is None else electrons[which],
        )

    def held(self, theta: Floats) -> Probe:
        """Return the probe with the electrons' ρ of a fit (n, p)."""
        return replace(self, rho_electrons=self.rho(theta[:, LN_NE], theta[:, LN_TE]))

    @property
    def electron_scale(self) -> float:
        """Thermal electron current for ne = 1/m³ and Te = 1 eV, A."""
        return self._scale(ELECTRON_MASS)

    @property
    def ion_scale(self) -> float:
        """Thermal ion current for ni = 1/m³ and Te = 1 eV, A."""
        return self._scale(self.gas.ion_mass)

    def _scale(self, mass: float) -> float:
        speed = math.sqrt(ELEMENTARY_CHARGE / (2.0 * math.pi * mass))
        return ELEMENTARY_CHARGE * self.area * speed

    def rho(self, ln_ne: Floats, ln_te: Floats) -> Floats:
        """Return radius over Debye length; `THIN` if the radius is unknown.

        Both arguments have the sweeps as their first axis.
        """
        if not self.radius:
            return np.full_like(ln_ne, THIN)
        unit = self.radius * math.sqrt(ELEMENTARY_CHARGE / VACUUM_PERMITTIVITY)
        factor = self.rho_factor
        if not isinstance(factor, float):
            factor = factor.reshape(-1, *(1,) * (ln_ne.ndim - 1))
        return np.asarray(unit * factor * np.exp(0.5 * (ln_ne - ln_te)))


@dataclass(kw_only=True)
class Branches:
    """The two branches at x = (V − Vp)/Te and their derivatives, all of the shape of x.

    ``f`` electrons in units of R times the thermal flux, ``g`` ions in units of n√(e Te/2π mᵢ).
    ``f_x``, ``g_eta`` by x and by η = −x; ``f_rho``, ``g_rho`` by ln ρ. If theta has the columns of
    the shape, also ``f_r`` by ln R, and ``f_power``, ``f_hold``, ``g_slope`` by those columns.
    """

    f: Floats
    f_x: Floats
    f_rho: Floats
    g: Floats
    g_eta: Floats
    g_rho: Floats
    f_r: Floats | None = None
    f_power: Floats | None = None
    f_hold: Floats | None = None
    g_slope: Floats | None = None


def branches(
    x: Floats,
    rho: Floats,
    theta: Floats,
    probe: Probe,
    *,
    electrons: bool = True,
    ions: bool = True,
) -> Branches:
    """Return electrons and ions at x (n, m) for ρ (n, 1) and theta (n, p); zero if not requested.

    If ``theta`` has the columns of the shape, the electrons are multiplied by (1 + x)^power above
    Vp, the ions by (1 + slope η) below, and the resistance 1/R − 1 of the field at Vp decreases
    below it as (1 + η)^−hold: fast electrons are held back less. Hold is `FULL_HOLD` for diffusion
    across the field, and 0 if all electrons are reduced by the same factor.

    References
    ----------
    R. R. Arslanbekov et al., Plasma Sources Sci. Technol. 3, 528 (1994); Tsv. K. Popov et al.,
    Plasma Phys. Control. Fusion 51, 065014 (2009).
    """
    none = np.zeros_like(x)
    out = Branches(f=none, f_x=none, f_rho=none, g=none, g_eta=none, g_rho=none)
    shaped = theta.shape[1] == N_SHAPED
    if shaped:
        out.f_r = out.f_power = out.f_hold = out.g_slope = none
    if electrons:
        held = probe.rho_electrons
        out.f, out.f_x, out.f_rho = electron_branch(x, rho if held is None else held[:, None])
        if held is not None or not probe.radius:
            out.f_rho = np.zeros_like(x)
        if shaped:
            _grow(out, x, theta[:, SATURATION, None])
            _hold(out, x, np.exp(theta[:, LN_R, None]), theta[:, HOLD, None])
    if not ions:
        return out
    soft, dsoft = softened(-x)
    if probe.radius:
        out.g, out.g_eta, out.g_rho = ion_branch_of(soft, dsoft, rho)
    else:
        # Bohm's flux, reached within about one Te below Vp
        gate = soft / (soft + 0.5)
        out.g, out.g_eta = _BOHM * gate, _BOHM * dsoft * 0.5 / (soft + 0.5) ** 2
        out.g_rho = np.zeros_like(x)
    if shaped:
        _expand(out, soft, dsoft, theta[:, ION_SLOPE, None])
    return out


def _grow(out: Branches, x: Floats, power: Floats) -> None:
    """Multiply the electrons above Vp by (1 + x)^power."""
    out.f_power = np.zeros_like(x)
    some = np.flatnonzero((x > 0.0).any(0))
    over = x[:, some]
    above = np.maximum(over, 0.0)
    log = np.log1p(above)
    grow = np.exp(power * log)
    f = out.f[:, some]
    more = np.where(over > 0.0, f * power / (1.0 + above), 0.0)
    out.f_x[:, some] = grow * (out.f_x[:, some] + more)
    out.f[:, some] = f * grow
    out.f_rho[:, some] *= grow
    out.f_power[:, some] = f * grow * log


def _expand(out: Branches, soft: Floats, dsoft: Floats, slope: Floats) -> None:
    """Multiply the ions by 1 + slope η."""
    expand = np.maximum(1.0 + slope * soft, 0.05)
    out.g_slope = out.g * soft
    out.g_eta *= expand
    out.g_eta += slope * out.g * dsoft
    out.g *= expand
    out.g_rho *= expand


def _hold(out: Branches, x: Floats, r: Floats, hold: Floats) -> None:
    """Reduce the electrons by the field: fast ones less than those at Vp, a wide sheath little.

    In both branches the flux through the sheath is in series with diffusion. With
    y = (1 + η)^−1.2 the current agrees with the published integral over all energies to 1 %.
    """
    out.f_r, out.f_hold = np.zeros_like(x), np.zeros_like(x)
    free = 1.0 - np.minimum(r, 1.0)  # share held back at Vp
    if not free.any():
        return
    by_r = np.where(r < 1.0, -r, 0.0)  # d free / d ln R
    down = np.flatnonzero((x < 0.0).any(0))
    at = x[:, down]
    below = np.maximum(-at, 0.0)
    log = np.log(1.0 + below)
    y = np.exp(-hold * log)
    total = 1.0 - free + free * y
    f = out.f[:, down] / total
    here = at < 0.0
    # total = 1 − free (1 − y)
    by_total = -f / total
    out.f_x[:, down] = np.where(
        here,
        out.f_x[:, down] / total + by_total * free * hold * y / (1.0 + below),
        out.f_x[:, down],
    )
    out.f_r[:, down] = np.where(here, by_total * (y - 1.0) * by_r, 0.0)
    out.f_hold[:, down] = np.where(here, -by_total * free * y * log, 0.0)
    out.f_rho[:, down] = np.where(here, out.f_rho[:, down] / total, out.f_rho[:, down])
    out.f[:, down] = np.where(here, f, out.f[:, down])

    up = np.flatnonzero((x > 0.0).any(0))
    here = x[:, up] > 0.0
    wide = out.f[:, up] - 1.0
    share = hold / FULL_HOLD
    total = np.maximum(1.0 + share * free * wide, 0.05)
    square = 1.0 / (total * total)
    f = out.f[:, up]
    chain = np.where(here, (1.0 - share * free) * square, 1.0)
    out.f_r[:, up] += np.where(here, -f * share * by_r * wide * square, 0.0)
    out.f_hold[:, up] += np.where(here, -f * free * wide * square / FULL_HOLD, 0.0)
    for values in (out.f_x, out.f_rho, out.f_power):
        if values is not None:
            values[:, up] *= chain
    out.f[:, up] = np.where(here, f / total, f)


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
        ln ne [1/m³], ln Te [eV], Vp [V], ln R; with p ≥ 5 the blur [Te²]; with p = 8 the shape:
        slope, power, hold.
    bias : (n, m) float64, V
    variance : (n, m) float64, V²
        Variance of the true voltage about ``bias``, to which the blur adds. The current is averaged
        over two points at ± its root (Gauss' rule), or three if it is wide. A negative blur, which
        noise may cause, is continued by 2 I(V) − mean, so that the fit has no boundary at zero.
    probe : Probe
    shares : ((n,), (n,)) float64, optional
        Factors on the electrons and on the ions of each sweep; 1 by default.

    Returns
    -------
    current : (n, m) A
    jacobian : (n, p, m) A per unit of theta
    slope : (n, m) A/V
    """
    n, p = theta.shape
    m = bias.shape[1]
    ln_ne, ln_te, vp = (theta[:, i, None] for i in range(N_CORE - 1))
    te = np.exp(ln_te)
    ce, ci = _scales(theta, probe, shares)
    rho = probe.rho(ln_ne, ln_te)

    centre = (bias - vp) / te
    blurred = p > BLUR
    spread = variance / (te * te)
    if blurred:
        spread = spread + theta[:, BLUR, None]
    half = np.sqrt(np.maximum(np.abs(spread), 1e-6))
    below = spread < 0.0
    # two points are exact to third order; a wide sinusoid needs three, exact to fifth
    wide = theta[:, BLUR, None] > _WIDE if blurred else np.zeros((n, 1), bool)
    any_wide = bool(wide.any())
    half = np.where(wide, half * math.sqrt(1.5), half)
    centred = any_wide or bool(below.any())
    nodes = [centre - half, centre + half, centre] if centred else [centre - half, centre + half]
    x = np.concatenate(nodes, axis=1)
    np.minimum(np.maximum(x, -500.0, out=x), 500.0, out=x)
    wanted = (True, True) if shares is None else tuple(bool(s.any()) for s in shares)
    at = branches(x, rho, theta, probe, electrons=wanted[0], ions=wanted[1])

    def mean(values: Floats) -> Floats:
        out = values[:, :m] + values[:, m : 2 * m]
        if any_wide:
            out = np.where(wide, (out + values[:, 2 * m :]) / 3.0, 0.5 * out)
        else:
            out *= 0.5
        if centred:
            out = np.where(below, 2.0 * values[:, 2 * m :] - out, out)
        return np.asarray(out)

    electrons = ce * mean(at.f)
    current = electrons - ci * mean(at.g)
    steep = ce * at.f_x
    steep += ci * at.g_eta  # dI/dx
    slope_x = mean(steep)
    jac = np.empty((n, p, m))
    jac[:, LN_NE] = current
    # the nodes sit at fixed volts, so that d x / d ln Te = −x at each
    jac[:, LN_TE] = 0.5 * current - mean(steep * x)
    jac[:, VP] = -slope_x / te
    jac[:, LN_R] = electrons
    if probe.radius:
        by_rho = (0.5 * ce) * mean(at.f_rho) - (0.5 * ci) * mean(at.g_rho)  # ρ ~ √(ne/Te)
        jac[:, LN_NE] += by_rho
        jac[:, LN_TE] -= by_rho
    if blurred:
        # d mean / d half² on either side of zero; the blur's nodes move with Te
        jac[:, BLUR] = (steep[:, m : 2 * m] - steep[:, :m]) / (4.0 * half)  # also with three
        jac[:, LN_TE] += 2.0 * theta[:, BLUR, None] * jac[:, BLUR]
    if at.f_r is not None and at.f_hold is not None:
        jac[:, LN_R] += ce * mean(at.f_r)
        jac[:, HOLD] = ce * mean(at.f_hold)
    if at.f_power is not None and at.g_slope is not None:
        jac[:, SATURATION] = ce * mean(at.f_power)
        jac[:, ION_SLOPE] = -ci * mean(at.g_slope)
    return current, jac, slope_x / te


def _scales(
    theta: Floats, probe: Probe, shares: tuple[Floats, Floats] | None
) -> tuple[Floats, Floats]:
    """Return the factors on f and g, (n, 1) A."""
    thermal = np.exp(theta[:, LN_NE] + 0.5 * theta[:, LN_TE])
    ce, ci = probe.electron_scale * thermal * np.exp(theta[:, LN_R]), probe.ion_scale * thermal
    if shares is not None:
        ce, ci = shares[0] * ce, shares[1] * ci
    return ce[:, None], ci[:, None]


def ions(theta: Floats, bias: Floats, probe: Probe) -> Floats:
    """Return the ion current at ``bias`` (n, m) V, A, positive."""
    x = (bias - theta[:, VP, None]) / np.exp(theta[:, LN_TE, None])
    rho = probe.rho(theta[:, LN_NE, None], theta[:, LN_TE, None])
    return np.asarray(
        _scales(theta, probe, None)[1] * branches(x, rho, theta, probe, electrons=False).g
    )
