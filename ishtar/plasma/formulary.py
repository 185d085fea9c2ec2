"""Frequencies, lengths and speeds of a magnetised plasma: SI units, temperatures in eV.

Every function is vectorised and broadcasts its arguments; ions are singly charged. Frequencies
``omega_*`` are angular, rad/s: divide by 2π for the frequency in a spectrum. Without a field the
Larmor radii are infinite; the sign of the field does not matter.

The Debye length and the Bohm speed are those of :mod:`ishtar.langmuir`.

References
----------
.. [1] A. S. Richardson, *NRL Plasma Formulary*, Naval Research Laboratory (2019).
.. [2] T. H. Stix, *Waves in Plasmas*, AIP (1992).
.. [3] M. A. Lieberman and A. J. Lichtenberg, *Principles of Plasma Discharges and Materials
   Processing*, 2nd ed., Wiley (2005).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.gases import Gas
from ishtar.gases import gas as _gas
from ishtar.langmuir import bohm_speed, debye_length
from ishtar.langmuir.theory import ELECTRON_MASS, ELEMENTARY_CHARGE, VACUUM_PERMITTIVITY

__all__ = [
    "alfven_speed",
    "beta",
    "bohm_speed",
    "debye_length",
    "larmor_radius_e",
    "larmor_radius_i",
    "mean_speed",
    "omega_ce",
    "omega_ci",
    "omega_lh",
    "omega_pe",
    "omega_pi",
    "skin_depth",
    "sound_speed",
    "thermal_speed_e",
    "thermal_speed_i",
]

SPEED_OF_LIGHT = 299792458.0  # m/s, exact
VACUUM_PERMEABILITY = 1.0 / (VACUUM_PERMITTIVITY * SPEED_OF_LIGHT**2)  # H/m

Floats = NDArray[np.float64]


def omega_pe(ne: ArrayLike) -> Floats:
    """Return the electron plasma frequency √(ne e²/ε₀ mₑ), rad/s, for ``ne`` in 1/m³ [1]_."""
    ne = np.asarray(ne, float)
    return np.asarray(ELEMENTARY_CHARGE * np.sqrt(ne / (VACUUM_PERMITTIVITY * ELECTRON_MASS)))


def omega_pi(ne: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the ion plasma frequency √(ne e²/ε₀ mᵢ), rad/s, for ``ne`` in 1/m³ [1]_.

    Parameters
    ----------
    ne : array_like, 1/m³
        Electron density.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    ne = np.asarray(ne, float)
    mass = _gas(gas).ion_mass
    return np.asarray(ELEMENTARY_CHARGE * np.sqrt(ne / (VACUUM_PERMITTIVITY * mass)))


def omega_ce(b: ArrayLike) -> Floats:
    """Return the electron cyclotron frequency e|B|/mₑ, rad/s, for ``b`` in T [1]_."""
    return np.asarray(ELEMENTARY_CHARGE * np.abs(np.asarray(b, float)) / ELECTRON_MASS)


def omega_ci(b: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the ion cyclotron frequency e|B|/mᵢ, rad/s, for ``b`` in T [1]_.

    Parameters
    ----------
    b : array_like, T
        Magnetic field; its sign does not matter.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    return np.asarray(ELEMENTARY_CHARGE * np.abs(np.asarray(b, float)) / _gas(gas).ion_mass)


def omega_lh(ne: ArrayLike, b: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the lower hybrid frequency, rad/s.

    ``1/ω² = 1/(ωci² + ωpi²) + 1/(ωce ωci)`` [2]_: √(ωce ωci) at high density, ωpi at low density.

    Parameters
    ----------
    ne : array_like
        Electron density, 1/m³.
    b : array_like
        Magnetic field, T.
    gas : str or Gas
        Working gas.
    """
    product = omega_ce(b) * omega_ci(b, gas)
    pressure = omega_ci(b, gas) ** 2 + omega_pi(ne, gas) ** 2
    return np.asarray(np.sqrt(product * pressure / (product + pressure)))


def thermal_speed_e(te: ArrayLike) -> Floats:
    """Return the electron thermal speed √(e Te/mₑ), m/s, for ``te`` in eV [1]_."""
    return _thermal(te, ELECTRON_MASS)


def thermal_speed_i(ti: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the ion thermal speed √(e Ti/mᵢ), m/s, for ``ti`` in eV [1]_.

    Parameters
    ----------
    ti : array_like, eV
        Ion temperature.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    return _thermal(ti, _gas(gas).ion_mass)


def mean_speed(temperature: ArrayLike, mass: float) -> Floats:
    """Return a Maxwellian's mean speed √(8 e T/π m), m/s, for T in eV and a mass in kg [3]_.

    Parameters
    ----------
    temperature : array_like, eV
        Temperature.
    mass : float, kg
        Mass of a particle.
    """
    return np.asarray(math.sqrt(8.0 / math.pi) * _thermal(temperature, mass))


def _thermal(temperature: ArrayLike, mass: float) -> Floats:
    return np.asarray(np.sqrt(ELEMENTARY_CHARGE * np.asarray(temperature, float) / mass))


def sound_speed(te: ArrayLike, ti: ArrayLike = 0.0, gas: str | Gas = "Ar") -> Floats:
    """Return the ion sound speed √(e (Te + 3 Ti)/mᵢ), m/s, for temperatures in eV [2]_.

    Isothermal electrons, one-dimensional adiabatic ions; for cold ions it is the Bohm speed.

    Parameters
    ----------
    te : array_like, eV
        Electron temperature.
    ti : array_like, eV, optional
        Ion temperature.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    return bohm_speed(np.asarray(te, float) + 3.0 * np.asarray(ti, float), gas)


def alfven_speed(ne: ArrayLike, b: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the Alfvén speed |B|/√(μ₀ ne mᵢ), m/s, for ``ne`` in 1/m³, ``b`` in T [1]_.

    Parameters
    ----------
    ne : array_like, 1/m³
        Electron density.
    b : array_like, T
        Magnetic field; its sign does not matter.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    density = np.asarray(ne, float) * _gas(gas).ion_mass
    return np.asarray(np.abs(np.asarray(b, float)) / np.sqrt(VACUUM_PERMEABILITY * density))


def larmor_radius_e(te: ArrayLike, b: ArrayLike) -> Floats:
    """Return the electron Larmor radius √(e Te/mₑ)/ωce, m, for ``te`` in eV, ``b`` in T [1]_."""
    return _over(thermal_speed_e(te), omega_ce(b))


def larmor_radius_i(ti: ArrayLike, b: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the ion Larmor radius √(e Ti/mᵢ)/ωci, m, for ``ti`` in eV, ``b`` in T [1]_.

    Parameters
    ----------
    ti : array_like, eV
        Ion temperature.
    b : array_like, T
        Magnetic field; its sign does not matter.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    return _over(thermal_speed_i(ti, gas), omega_ci(b, gas))


def skin_depth(ne: ArrayLike) -> Floats:
    """Return the collisionless skin depth c/ωpe, m, for ``ne`` in 1/m³ [1]_."""
    return _over(SPEED_OF_LIGHT, omega_pe(ne))


def beta(ne: ArrayLike, te: ArrayLike, b: ArrayLike, ti: ArrayLike = 0.0) -> Floats:
    """Return plasma over magnetic pressure, e ne (Te + Ti)/(B²/2μ₀) [1]_.

    Parameters
    ----------
    ne : array_like, 1/m³
        Electron density.
    te : array_like, eV
        Electron temperature.
    b : array_like, T
        Magnetic field; its sign does not matter.
    ti : array_like, eV, optional
        Ion temperature.
    """
    temperature = np.asarray(te, float) + np.asarray(ti, float)
    pressure = ELEMENTARY_CHARGE * np.asarray(ne, float) * temperature
    return _over(pressure * 2.0 * VACUUM_PERMEABILITY, np.asarray(b, float) ** 2)


def _over(a: ArrayLike, b: ArrayLike) -> Floats:
    """Return a/b, infinite if b is 0, as the Larmor radius without a field."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.asarray(a, float) / np.asarray(b, float))
