"""Beyond one temperature: the electron energy distribution, and two Maxwellians.

Both ask more of the data than a temperature does, and both say when the data do not have it.

References
----------
.. [1] M. J. Druyvesteyn, Z. Phys. 64, 781 (1930).
.. [2] V. A. Godyak and V. I. Demidov, J. Phys. D: Appl. Phys. 44, 233001 (2011).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.langmuir import fit
from ishtar.langmuir.analysis import SweepResult, pair
from ishtar.langmuir.bins import bin_edges, bin_samples, resolution, sort_by_bias
from ishtar.langmuir.fit import ION_SLOPE, LN_NE, LN_R, LN_TE, SATURATION, VP
from ishtar.langmuir.noise import bin_sigma
from ishtar.langmuir.theory import ELECTRON_MASS, ELEMENTARY_CHARGE
from ishtar.langmuir.two_maxwellians import TwoMaxwellians
from ishtar.measured import Measured

__all__ = ["EnergyDistribution", "TwoTemperatures", "energy_distribution", "two_temperatures"]

Floats = NDArray[np.float64]

_WIDTH = 0.9  # half width of the local cubic, Te
_NEAREST = 0.5  # lowest energy, Te
_SMALLEST_REDUCTION = 0.5
_LEAST_DECADES = 1.0
_LEAST_GAIN = 25.0  # of χ², for three more parameters
_MOST_STEPS = 60  # of a fit: along a valley of temperatures that cannot be told apart it creeps on
_NAN = math.nan


@dataclass(frozen=True, kw_only=True)
class EnergyDistribution:
    """The energy distribution of the electrons by Druyvesteyn's formula.

    Parameters
    ----------
    energy : (n,) float64
        Vp − V, eV.
    probability : (n,) float64
        The energy probability function f(ε)/√ε, eV^−3/2 m^−3; a Maxwellian is a straight line of
        slope −1/Te in its logarithm.
    sigma : (n,) float64
        Its standard deviation.
    density : Measured
        ∫ f dε, 1/m³.
    effective_te : Measured
        Two thirds of the mean energy, eV.
    valid, reason
        As in :class:`~ishtar.langmuir.SweepResult`; arrays are empty where not valid.
    """

    energy: Floats = field(repr=False)
    probability: Floats = field(repr=False)
    sigma: Floats = field(repr=False)
    density: Measured
    effective_te: Measured
    valid: bool
    reason: str


@dataclass(frozen=True, kw_only=True)
class TwoTemperatures:
    """A cold and a hot Maxwellian in one sweep.

    Parameters
    ----------
    cold, hot : Measured
        Their temperatures, eV.
    hot_fraction : Measured
        Density of the hot ones over that of all.
    ne : Measured
        Density of all, 1/m³.
    valid, reason
        As in :class:`~ishtar.langmuir.SweepResult`.
    """

    cold: Measured
    hot: Measured
    hot_fraction: Measured
    ne: Measured
    valid: bool
    reason: str


def energy_distribution(
    bias: ArrayLike, current: ArrayLike, result: SweepResult, *, points: int = 60
) -> EnergyDistribution:
    """Return the electron energy distribution of one sweep.

    Druyvesteyn [1]_: with ε = Vp − V in eV, ``f(ε) = 2 √(2 mₑ e ε) / (e² A) · d²I_e/dV²``, for
    isotropic electrons and any convex probe that a magnetic field does not starve. The second
    derivative is that of a cubic fitted locally, over ± 0.9 Te at most; the ions' part is that
    of the fitted curve.

    Parameters
    ----------
    bias, current : (n,) array_like, V and A
        The sweep that gave ``result``.
    result : SweepResult
        Of :func:`~ishtar.langmuir.analyse`.
    points : int
        Energies at which it is wanted.
    """

    def refuse(reason: str) -> EnergyDistribution:
        nothing = np.empty(0)
        return EnergyDistribution(
            energy=nothing,
            probability=nothing,
            sigma=nothing,
            density=Measured(value=_NAN, sigma=_NAN, unit="1/m^3"),
            effective_te=Measured(value=_NAN, sigma=_NAN, unit="eV"),
            valid=False,
            reason=reason,
        )

    if not result.valid:
        return refuse(result.reason)
    r = result.reduction
    if r.value + 2.0 * r.sigma < _SMALLEST_REDUCTION:
        return refuse(
            f"the electron current is {r.value:.2g} of its unmagnetised value: "
            "Druyvesteyn's formula does not hold for a probe starved along the field"
        )
    v, i = pair(bias, current)
    good = np.isfinite(v) & np.isfinite(i)
    v, i = v[good], i[good]
    te, vp = result.Te.value, result.Vp.value
    electrons = i + result.ion_current(v)
    half = _WIDTH * te
    lowest = max(float(v.min()) + half, vp - 12.0 * te)
    if vp - lowest < 2.0 * te:
        return refuse(f"only {vp - lowest:.2g} V of sweep below the plasma potential")
    energy = np.linspace(_NEAREST * te, vp - lowest, points)
    widths = np.minimum(half, energy)  # not over the knee
    at = vp - energy
    second, sigma = _second_derivative(v, electrons, at, widths, np.full(points, te))
    # once more, now that it is known how steep it is where
    falling = np.gradient(np.log(np.maximum(second, 3.0 * sigma)), energy)
    local = np.clip(-1.0 / np.minimum(falling, -0.1 / te), 0.5 * te, 4.0 * te)
    local = np.convolve(np.pad(local, 3, mode="edge"), np.ones(7) / 7.0, mode="valid")
    second, sigma = _second_derivative(v, electrons, at, widths, local)
    if not np.isfinite(second).all():
        return refuse("too few samples for a second derivative")
    unit = 2.0 * math.sqrt(2.0 * ELECTRON_MASS * ELEMENTARY_CHARGE)
    unit /= ELEMENTARY_CHARGE**2 * result.probe.area
    probability, sigma = unit * second, unit * sigma
    # as far as it stands out of its noise
    clear = probability > 3.0 * sigma
    end = int(np.argmin(clear)) if not clear.all() else points
    decades = math.log10(probability[:end].max() / sigma[:end].min()) if end > 4 else 0.0
    if end < 8 or energy[end - 1] < 2.0 * te or decades < _LEAST_DECADES:
        return refuse(
            "noise too high for a second derivative: it is lost "
            f"{energy[max(end - 1, 0)]:.2g} eV from the plasma potential, Te {te:.2g} eV"
        )
    energy, probability, sigma = energy[:end], probability[:end], sigma[:end]
    return EnergyDistribution(
        energy=energy,
        probability=probability,
        sigma=sigma,
        density=_with_shift(_moment(energy, probability, sigma, te, 0), result.Vp.sigma / te),
        effective_te=_effective(energy, probability, sigma, te),
        valid=True,
        reason="",
    )


def _second_derivative(
    v: Floats, i: Floats, at: Floats, widths: Floats, te: Floats
) -> tuple[Floats, Floats]:
    """Return d²I/dV² and its error at each of ``at`` from cubics over ± ``widths``.

    What the cubic makes of an exponential of ``te`` (one for each) is known, and divided out.
    """
    second, sigma = np.full(at.size, np.nan), np.full(at.size, np.nan)
    for k, (centre, half, local) in enumerate(zip(at, widths, te, strict=True)):
        u = (v - centre) / half
        near = np.abs(u) < 1.0
        if near.sum() < 12:
            continue
        u, y = u[near], i[near]
        root = np.sqrt(1.0 - u * u)  # Epanechnikov's weight
        basis = np.stack([np.ones_like(u), u, u * u, u**3], axis=1)
        inverse = np.linalg.pinv(basis * root[:, None])
        a = inverse @ (y * root)
        noise2 = float(((y - basis @ a) ** 2).sum() / max(u.size - 4, 1))
        gain = inverse[2] * root
        unit = 1.0 / (local**2 * float(gain @ np.exp(u * half / local)))
        second[k] = a[2] * unit
        sigma[k] = math.sqrt(noise2 * float(gain @ gain)) * unit
    return second, sigma


def _moment(energy: Floats, g: Floats, sigma: Floats, te: float, power: int) -> Measured:
    """Return ∫ g √ε ε^power dε; where g is not known well it goes on as an exponential."""
    sure = g > 8.0 * sigma
    end = int(np.argmin(sure)) if not sure.all() else g.size
    end = max(end, 6)
    energy, log, share = energy[:end], np.log(g[:end]), (sigma / g)[:end]
    fine = np.linspace(0.0, energy[-1] + 12.0 * te, 3000)
    half = end // 2
    tail, height = np.polyfit(energy[half:], log[half:], 1, w=1.0 / share[half:])
    tail = min(tail, -0.3 / te)
    last = height + tail * energy[-1]
    inside = np.interp(fine, energy, log)
    inside = np.where(fine < energy[0], log[0] - (fine - energy[0]) / te, inside)
    inside = np.where(fine > energy[-1], last + tail * (fine - energy[-1]), inside)
    weight = np.exp(inside) * fine ** (0.5 + power) * (fine[1] - fine[0])
    # neighbouring points share samples: their errors hardly average
    error = float((weight * np.interp(fine, energy, share)).sum()) / math.sqrt(3.0)
    return Measured(value=float(weight.sum()), sigma=error, unit="1/m^3")


def _with_shift(density: Measured, shift: float) -> Measured:
    """Return the density with the error of Vp, in Te, added: all energies move with it."""
    sigma = math.hypot(density.sigma, density.value * shift)
    return Measured(value=density.value, sigma=sigma, unit=density.unit)


def _effective(energy: Floats, g: Floats, sigma: Floats, te: float) -> Measured:
    zero, one = (_moment(energy, g, sigma, te, p) for p in (0, 1))
    value = 2.0 / 3.0 * one.value / zero.value
    relative = math.hypot(one.sigma / one.value, zero.sigma / zero.value)
    return Measured(value=value, sigma=value * relative, unit="eV")


def two_temperatures(bias: ArrayLike, current: ArrayLike, result: SweepResult) -> TwoTemperatures:
    """Fit a cold and a hot Maxwellian to one sweep, if it shows them.

    The electron current is the sum of both, the ions see the harmonic mean of the
    temperatures, weighted by density, which is that in Bohm's criterion [2]_. It is believed if
    χ² falls by more than 25 times its reduced value and both temperatures are known and apart.

    Parameters
    ----------
    bias, current : (n,) array_like, V and A
        The sweep that gave ``result``.
    result : SweepResult
    """
    from scipy.optimize import least_squares

    def answer(
        reason: str, values: Floats | None = None, cov: Floats | None = None
    ) -> TwoTemperatures:
        v = np.full(4, _NAN) if values is None or reason else values
        s = np.full(4, _NAN) if cov is None or reason else np.sqrt(np.diag(cov))
        units = ("eV", "eV", "1", "1/m^3")
        cold, hot, fraction, ne = (
            Measured(value=float(a), sigma=float(b), unit=u)
            for a, b, u in zip(v, s, units, strict=True)
        )
        return TwoTemperatures(
            cold=cold, hot=hot, hot_fraction=fraction, ne=ne, valid=not reason, reason=reason
        )

    # a curve of two temperatures may have been refused as one of one
    if not np.isfinite([*result.theta, result.noise]).all():
        return answer(result.reason)
    v, i = pair(bias, current)
    samples = sort_by_bias(v[None, :], i[None, :])
    bins = bin_samples(samples, bin_edges(samples))
    probe, single = result.probe, np.array([result.theta])
    ripple2 = np.array([0.0])
    noise2 = np.array([result.noise**2])
    _, _, slope = fit.model(single, bins.bias, bins.spread, probe)
    sigma = bin_sigma(bins, noise2, ripple2, slope, resolution(i))
    # No curve is known better than this: else digits of the recorder decide about temperatures.
    scale = np.abs(slope) * np.exp(single[:, LN_TE, None])
    sigma = np.hypot(sigma, 0.003 * scale)
    shaped = probe.radius is None or bool(np.any(single[0, [ION_SLOPE, SATURATION]]))

    curve = TwoMaxwellians(bins=bins, sigma=sigma, probe=probe)
    t = single[0]
    tail = list(t[[ION_SLOPE, SATURATION]]) if shaped else []
    one = np.array([t[LN_NE], t[LN_TE], t[VP], t[LN_R], 1e-3, -12.0, *tail])
    starts = [
        np.array([t[LN_NE], t[LN_TE] - 0.25 * a, t[VP], t[LN_R], a, b, *tail])
        for a, b in ((0.7, -1.5), (1.2, -2.5), (1.6, -4.0))
    ]
    lower = np.full(one.size, -np.inf)
    upper = np.full(one.size, np.inf)
    lower[4:6], upper[4:6] = (0.0, -8.0), (2.5, 3.0)

    # the same curve with one temperature, under the same errors
    alone = least_squares(
        curve.residual_of_one,
        np.concatenate([one[:4], one[6:]]),
        curve.jacobian_of_one,
        x_scale="jac",
        max_nfev=_MOST_STEPS,
    )
    fits = [
        least_squares(
            curve.residual,
            start,
            curve.jacobian,
            bounds=(lower, upper),
            x_scale="jac",
            max_nfev=_MOST_STEPS,
        )
        for start in starts
    ]
    best = min(fits, key=lambda f: f.cost)
    m = bins.bias.shape[1]
    reduced = max(2.0 * best.cost / max(m - best.x.size, 1), 1.0)
    gain = 2.0 * (alone.cost - best.cost) / reduced
    if gain < _LEAST_GAIN:
        return answer(f"one temperature is enough: χ² falls by {max(gain, 0.0):.2g} only")
    cov = np.linalg.pinv(best.jac.T @ best.jac) * reduced
    p = best.x
    f = 1.0 / (1.0 + math.exp(-p[5]))
    values = np.array([math.exp(p[1]), math.exp(p[1] + p[4]), f, math.exp(p[0])])
    to = np.zeros((4, p.size))
    to[0, 1] = values[0]
    to[1, [1, 4]] = values[1]
    to[2, 5] = f * (1.0 - f)
    to[3, 0] = values[3]
    physical = to @ cov @ to.T
    if p[4] < 0.25 or p[4] < 3.0 * math.sqrt(cov[4, 4]):
        return answer(
            f"the two temperatures, {values[0]:.2g} and {values[1]:.2g} eV, cannot be told apart"
        )
    if physical[2, 2] > (0.5 * f) ** 2 or np.any(p[4:6] > upper[4:6] - 1e-3):
        return answer(f"the share of hot electrons is not known: {f:.2g}")
    return answer("", values, physical)
