"""Beyond one temperature: the electron energy distribution, and two Maxwellians.

Both need better data than a temperature, and both state when the data do not suffice.

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

from ishtar.langmuir.analysis import SweepResult
from ishtar.langmuir.arguments import pair
from ishtar.langmuir.theory import ELECTRON_MASS, ELEMENTARY_CHARGE
from ishtar.quantity import Measured

__all__ = ["EnergyDistribution", "TwoTemperatures", "energy_distribution", "two_temperatures"]

Floats = NDArray[np.float64]

_WIDTH = 0.9  # half width of the local cubic, Te
_MIN_ENERGY = 0.5  # Te
_MIN_REDUCTION = 0.5
_MIN_DECADES = 1.0
_NAN = math.nan


@dataclass(frozen=True, kw_only=True)
class EnergyDistribution:
    """The energy distribution of the electrons by Druyvesteyn's formula.

    Parameters
    ----------
    energy : (n,) float64
        Vp − V, eV.
    probability : (n,) float64
        Energy probability function f(ε)/√ε, eV^−3/2 m^−3; the logarithm of a Maxwellian is a
        straight line of slope −1/Te.
    sigma : (n,) float64
        Standard deviation of ``probability``.
    density : Measured
        ∫ f dε, 1/m³.
    effective_te : Measured
        Two thirds of the mean energy, eV.
    valid, reason
        As in :class:`~ishtar.langmuir.SweepResult`; the arrays are empty if invalid.
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
        Temperatures, eV.
    hot_fraction : Measured
        Density of the hot electrons over the total.
    ne : Measured
        Total electron density, 1/m³.
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
    isotropic electrons and any convex probe that is not depleted along a magnetic field. The second
    derivative is that of a local cubic over at most ± 0.9 Te; the ion part is that of the fitted
    curve.

    Parameters
    ----------
    bias, current : (n,) array_like, V and A
        The sweep that was analysed.
    result : SweepResult
        Its result from :func:`~ishtar.langmuir.analyse`.
    points : int
        Number of energies.

    Returns
    -------
    EnergyDistribution
        Up to the energy at which the noise exceeds a third of the value. ``reason`` says why a
        result is invalid.

    Raises
    ------
    SweepError
        The arrays do not match.
    UnitError
        The data have a unit other than V and A.
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
    if r.value + 2.0 * r.sigma < _MIN_REDUCTION:
        return refuse(
            f"the electron current is {r.value:.2g} of its unmagnetised value: "
            "Druyvesteyn's formula is not valid for a probe depleted along the field"
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
    energy = np.linspace(_MIN_ENERGY * te, vp - lowest, points)
    widths = np.minimum(half, energy)  # not over the knee
    at = vp - energy
    second, sigma = _second_derivative(v, electrons, at, widths, np.full(points, te))
    # again with the local slope
    falling = np.gradient(np.log(np.maximum(second, 3.0 * sigma)), energy)
    local = np.clip(-1.0 / np.minimum(falling, -0.1 / te), 0.5 * te, 4.0 * te)
    local = np.convolve(np.pad(local, 3, mode="edge"), np.ones(7) / 7.0, mode="valid")
    second, sigma = _second_derivative(v, electrons, at, widths, local)
    if not np.isfinite(second).all():
        return refuse("too few samples for a second derivative")
    unit = 2.0 * math.sqrt(2.0 * ELECTRON_MASS * ELEMENTARY_CHARGE)
    unit /= ELEMENTARY_CHARGE**2 * result.probe.area
    probability, sigma = unit * second, unit * sigma
    # up to where it exceeds its noise
    clear = probability > 3.0 * sigma
    end = int(np.argmin(clear)) if not clear.all() else points
    decades = math.log10(probability[:end].max() / sigma[:end].min()) if end > 4 else 0.0
    if end < 8 or energy[end - 1] < 2.0 * te or decades < _MIN_DECADES:
        return refuse(
            "noise too high for a second derivative: it is lost in noise "
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

    Corrected for the response of the cubic to an exponential of ``te``, one per energy.
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
    """Return ∫ g √ε ε^power dε, with g continued as an exponential where it is noisy."""
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
    """Return the cold and the hot Maxwellian of one sweep, if it has two.

    They come from the analysis, which tests every sweep for hot electrons
    (:func:`ishtar.langmuir.analyse`): the electron current is the sum of both; the ions see the
    density-weighted harmonic mean of the temperatures, as in Bohm's criterion [2]_.

    Parameters
    ----------
    bias, current : (n,) array_like, V and A
        The sweep that was analysed.
    result : SweepResult
        Its result from :func:`~ishtar.langmuir.analyse`.

    Returns
    -------
    TwoTemperatures
        Invalid, with a reason, if one temperature explains the sweep.
    """
    pair(bias, current)
    reason = result.reason
    if result.valid and not np.isfinite(result.hot_fraction.value):
        reason = "one temperature is enough: a second one does not explain the sweep clearly better"
    if reason:
        nothing = (Measured(value=_NAN, sigma=_NAN, unit=u) for u in ("eV", "eV", "1", "1/m^3"))
        cold, hot, fraction, ne = nothing
    else:
        cold, hot, fraction = result.Te, result.Te_hot, result.hot_fraction
        all_ = 1.0 / (1.0 - fraction.value)
        ne = Measured(value=result.ne.value * all_, sigma=result.ne.sigma * all_, unit="1/m^3")
    return TwoTemperatures(
        cold=cold, hot=hot, hot_fraction=fraction, ne=ne, valid=not reason, reason=reason
    )
