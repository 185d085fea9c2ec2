"""The current that a cylindrical Langmuir probe draws from a Maxwellian plasma.

Everything is written in the two numbers of probe theory: the normalised potential and the
ratio ρ of probe radius to electron Debye length. Currents are sums of

* retarded electrons, ``exp((V − Vp)/Te)`` of the thermal flux (exact for any convex probe);
* attracted electrons above ``Vp``, Laframboise's cylinder [1]_, :func:`.electron_factor`;
* attracted cold ions below ``Vp``, Laframboise's cylinder [1]_, :func:`.ion_factor`.

Collisions, drifts, secondary electrons, negative ions and shadowing along field lines are
neglected; the effect of a magnetic field on the electrons is one number, ``reduction``.

References
----------
.. [1] J. G. Laframboise, *Theory of spherical and cylindrical Langmuir probes in a collisionless
   Maxwellian plasma at rest*, UTIAS Report 100, Toronto (1966); the fits are those of
   :mod:`ishtar.langmuir.current_factors`.
.. [2] I. H. Hutchinson, *Principles of Plasma Diagnostics*, 2nd ed., Cambridge (2002), ch. 3.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.gases import Gas
from ishtar.gases import gas as _gas
from ishtar.langmuir.current_factors import electron_factor, ion_branch, ion_factor

__all__ = [
    "bohm_speed",
    "debye_length",
    "floating_potential",
    "ion_saturation_current",
    "probe_area",
    "probe_current",
]

ELEMENTARY_CHARGE = 1.602176634e-19  # C, exact
ELECTRON_MASS = 9.1093837015e-31  # kg
VACUUM_PERMITTIVITY = 8.8541878128e-12  # F/m

Floats = NDArray[np.float64]


def debye_length(ne: ArrayLike, te: ArrayLike) -> Floats:
    """Return the electron Debye length √(ε₀ Te / (e ne)), m.

    Parameters
    ----------
    ne : array_like
        Electron density, 1/m³.
    te : array_like
        Electron temperature, eV.

    Returns
    -------
    float64, shape of the broadcast, m
    """
    ne, te = np.asarray(ne, float), np.asarray(te, float)
    return np.asarray(np.sqrt(VACUUM_PERMITTIVITY * te / (ELEMENTARY_CHARGE * ne)))


def bohm_speed(te: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the Bohm speed √(e Te / mᵢ) of cold ions.

    Parameters
    ----------
    te : array_like
        Electron temperature, eV.
    gas : str or Gas
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.

    Returns
    -------
    float64, shape of ``te``, m/s
    """
    return np.asarray(np.sqrt(ELEMENTARY_CHARGE * np.asarray(te, float) / _gas(gas).ion_mass))


def probe_area(radius: float, length: float, *, end: bool = True) -> float:
    """Return the collecting area of a cylindrical tip, m².

    Parameters
    ----------
    radius, length : float
        Of the tip, m.
    end : bool
        Whether the free end πr² adds to the side 2πrl.
    """
    return 2.0 * math.pi * radius * length + (math.pi * radius**2 if end else 0.0)


def _rf_nodes(rms: ArrayLike, n: int = 8) -> tuple[Floats, int]:
    """Return ``n`` equally weighted offsets (leading axis), V, that average over a sinusoid."""
    phase = (2.0 * np.arange(n) + 1.0) * math.pi / (2.0 * n)  # Gauss–Chebyshev
    rms = np.asarray(rms, float)
    return math.sqrt(2.0) * np.cos(phase).reshape((n,) + (1,) * rms.ndim) * rms, n


def probe_current(
    bias: ArrayLike,
    *,
    ne: ArrayLike,
    te: ArrayLike,
    vp: ArrayLike,
    gas: str | Gas = "Ar",
    radius: float,
    length: float,
    end: bool = True,
    reduction: ArrayLike = 1.0,
    rf_rms: ArrayLike = 0.0,
) -> Floats:
    """Return the current of a cylindrical probe, A, electron current positive.

    ``I = e ne A [ R √(e Te/2π mₑ) F(x, ρ) − √(e Te/2π mᵢ) G(−x, ρ) ]``, x = (V − Vp)/Te, with F of
    :func:`.electron_factor` and G of :func:`.ion_factor`. Singly charged cold ions, no collisions.

    Parameters
    ----------
    bias : array_like
        Probe bias V, V; all array arguments broadcast against each other.
    ne : array_like
        Electron density, 1/m³.
    te : array_like
        Electron temperature, eV.
    vp : array_like
        Plasma potential, V.
    gas : str or Gas
        Working gas.
    radius, length : float
        Of the tip, m.
    end : bool
        Whether the free end of the tip collects as well.
    reduction : array_like
        R, 0 < R ≤ 1, factor of a magnetic field on the electron current. If the electrons'
        gyroradius is smaller than the probe's, only transport across the field refills their flux
        tube, and the whole electron branch is reduced by R = 1/(1 + ψ), ψ = resistance of the tube
        over that of the sheath (Hutchinson [2]_, sec. 3.3). The ions are unmagnetised.
    rf_rms : array_like
        Sinusoidal voltage across the sheath, V rms, too fast to be resolved: the current is
        averaged over it. The logarithmic slope is unchanged, Vf falls, the knee becomes rounder.

    Returns
    -------
    float64, shape of the broadcast, A
    """
    bias, vp = np.asarray(bias, float), np.asarray(vp, float)
    ne, te = np.asarray(ne, float), np.asarray(te, float)
    rho = radius / debye_length(ne, te)
    flux = ELEMENTARY_CHARGE * ne * probe_area(radius, length, end=end)
    electrons = flux * np.asarray(reduction, float) * _thermal(te, ELECTRON_MASS)
    ions = flux * _thermal(te, _gas(gas).ion_mass)

    def at(offset: Floats | float) -> Floats:
        x = (bias - vp + offset) / te
        return np.asarray(electrons * electron_factor(x, rho) - ions * ion_factor(-x, rho))

    if not np.any(np.asarray(rf_rms)):
        return at(0.0)
    offsets, n = _rf_nodes(rf_rms)
    return np.asarray(sum(at(o) for o in offsets) / n)


def _thermal(te: Floats, mass: float) -> Floats:
    """Return √(e Te / 2π m), m/s."""
    return np.asarray(np.sqrt(ELEMENTARY_CHARGE * te / (2.0 * math.pi * mass)))


def floating_potential(
    *,
    ne: ArrayLike,
    te: ArrayLike,
    vp: ArrayLike,
    gas: str | Gas = "Ar",
    radius: float,
    reduction: ArrayLike = 1.0,
) -> Floats:
    """Return the bias at which :func:`probe_current` is zero, V.

    Solves ``ln R − η − ½ ln(mₑ/mᵢ) = ln G(η, ρ)`` for η = (Vp − Vf)/Te by Newton's method; the
    result does not depend on the area.

    Parameters
    ----------
    ne : array_like
        Electron density, 1/m³.
    te : array_like
        Electron temperature, eV.
    vp : array_like
        Plasma potential, V.
    gas : str or Gas
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    radius : float
        Of the tip, m.
    reduction : array_like
        R, 0 < R ≤ 1, factor of a magnetic field on the electron current; 1 without a field.

    Returns
    -------
    float64, shape of the broadcast, V
    """
    ne, te, vp = np.asarray(ne, float), np.asarray(te, float), np.asarray(vp, float)
    rho = radius / debye_length(ne, te)
    start = np.log(np.asarray(reduction, float)) + 0.5 * math.log(
        _gas(gas).ion_mass / ELECTRON_MASS
    )
    eta = np.broadcast_to(start, np.broadcast_shapes(start.shape, rho.shape)).copy()
    for _ in range(30):
        g, dg, _ = ion_branch(eta, rho)
        # the derivative of ln G + η − start is always above 1, so the step cannot diverge
        step = (np.log(g) + eta - start) / (dg / g + 1.0)
        eta = eta - step
        if np.all(np.abs(step) < 1e-12 * (1.0 + np.abs(eta))):
            break
    return np.asarray(vp - te * eta)


def ion_saturation_current(
    *,
    ne: ArrayLike,
    te: ArrayLike,
    gas: str | Gas = "Ar",
    radius: float,
    length: float,
    end: bool = True,
    reduction: ArrayLike = 1.0,
) -> Floats:
    """Return the ion current at the floating potential, A, positive.

    The ion current of a cylinder never saturates; every sweep includes the floating potential, so
    that no extrapolation is needed.

    Parameters
    ----------
    ne : array_like
        Electron density, 1/m³.
    te : array_like
        Electron temperature, eV.
    gas : str or Gas
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    radius, length : float
        Of the tip, m.
    end : bool
        Whether the free end of the tip collects as well.
    reduction : array_like
        R, 0 < R ≤ 1, factor of a magnetic field on the electron current; 1 without a field.

    Returns
    -------
    float64, shape of the broadcast, A
    """
    ne, te = np.asarray(ne, float), np.asarray(te, float)
    vf = floating_potential(ne=ne, te=te, vp=0.0, gas=gas, radius=radius, reduction=reduction)
    rho = radius / debye_length(ne, te)
    unit = ELEMENTARY_CHARGE * ne * probe_area(radius, length, end=end)
    return np.asarray(unit * _thermal(te, _gas(gas).ion_mass) * ion_factor(-vf / te, rho))
