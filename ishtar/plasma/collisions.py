"""Collision rates and mean free paths: Coulomb collisions, electrons and ions with the gas.

SI units, temperatures in eV, the gas temperature in K; everything broadcasts.

References
----------
.. [1] A. S. Richardson, *NRL Plasma Formulary*, Naval Research Laboratory (2019).
.. [2] M. A. Lieberman and A. J. Lichtenberg, *Principles of Plasma Discharges and Materials
   Processing*, 2nd ed., Wiley (2005).
"""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.gases import Gas
from ishtar.gases import gas as _gas
from ishtar.langmuir.theory import ELECTRON_MASS, ELEMENTARY_CHARGE, VACUUM_PERMITTIVITY
from ishtar.plasma.cross_sections import charge_exchange_cross_section, electron_cross_section
from ishtar.plasma.formulary import mean_speed

__all__ = [
    "BOLTZMANN",
    "coulomb_logarithm",
    "electron_neutral_rate",
    "ionisation_degree",
    "mean_free_path_ei",
    "mean_free_path_en",
    "mean_free_path_in",
    "neutral_density",
    "nu_ee",
    "nu_ei",
    "nu_en",
    "nu_in",
]

BOLTZMANN = 1.380649e-23  # J/K, exact

Floats = NDArray[np.float64]


def neutral_density(pressure: ArrayLike, t_gas: ArrayLike = 300.0) -> Floats:
    """Return the density p/(k T) of the gas, 1/m³, for ``pressure`` in Pa, ``t_gas`` in K.

    A gauge that is read before the discharge tells of a gas that is cold and has not been pumped
    out by the plasma yet: the density in the plasma may be several times less.
    """
    return np.asarray(np.asarray(pressure, float) / (BOLTZMANN * np.asarray(t_gas, float)))


def ionisation_degree(ne: ArrayLike, nn: ArrayLike) -> Floats:
    """Return ne/(ne + nn) for densities of electrons and of neutrals in 1/m³ [2]_.

    Parameters
    ----------
    ne : array_like, 1/m³
        Electron density.
    nn : array_like, 1/m³
        Density of neutral atoms.
    """
    ne, nn = np.asarray(ne, float), np.asarray(nn, float)
    return np.asarray(ne / (ne + nn))


def coulomb_logarithm(ne: ArrayLike, te: ArrayLike) -> Floats:
    """Return the Coulomb logarithm of electrons and singly charged ions.

    ``min(23 − ln(n^½ T^-3/2), 24 − ln(n^½ T^-1))``, n in 1/cm³ [1]_. The formulary changes from
    the first to the second at 10 eV with a step of 0.15; we change where they meet, at e² = 7.4 eV,
    because a step has no derivative. Not below 1, where the theory has ended.

    Parameters
    ----------
    ne : array_like
        Electron density, 1/m³.
    te : array_like
        Electron temperature, eV.
    """
    root = 0.5 * np.log(np.asarray(ne, float) * 1e-6)
    log_te = np.log(np.asarray(te, float))
    return np.asarray(np.maximum(np.minimum(23.0 + 1.5 * log_te, 24.0 + log_te) - root, 1.0))


def nu_ei(ne: ArrayLike, te: ArrayLike) -> Floats:
    """Return the electrons' rate of momentum loss to singly charged ions, 1/s.

    ``4 √(2π) ne e⁴ lnΛ / (3 (4π ε₀)² √mₑ (e Te)^3/2)``, that is 2.91e-12 ne lnΛ Te^-3/2 [1]_.

    Parameters
    ----------
    ne : array_like
        Electron density, 1/m³.
    te : array_like
        Electron temperature, eV.
    """
    e2 = ELEMENTARY_CHARGE**2 / (4.0 * math.pi * VACUUM_PERMITTIVITY)
    scale = 4.0 * math.sqrt(2.0 * math.pi) * e2**2 / (3.0 * math.sqrt(ELECTRON_MASS))
    thermal = (ELEMENTARY_CHARGE * np.asarray(te, float)) ** 1.5
    return np.asarray(scale * np.asarray(ne, float) * coulomb_logarithm(ne, te) / thermal)


def nu_ee(ne: ArrayLike, te: ArrayLike) -> Floats:
    """Return the electrons' rate of collisions with one another, 1/s: ν_ei/√2.

    The formulary's rate of like particles (its ν_i with the electrons' mass and temperature) [1]_;
    it is the rate at which a distribution becomes Maxwellian, no momentum is lost by it.

    Parameters
    ----------
    ne : array_like, 1/m³
        Electron density.
    te : array_like, eV
        Electron temperature.
    """
    return np.asarray(nu_ei(ne, te) / math.sqrt(2.0))


def electron_neutral_rate(te: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the rate coefficient ⟨σ_m v⟩ of elastic collisions with atoms, m³/s.

    The momentum-transfer cross section times the speed, averaged over a Maxwellian: ``√(8/π mₑ)
    (e Te)^-3/2 ∫ E σ(E) exp(−E/Te) dE``.

    Parameters
    ----------
    te : array_like
        Electron temperature, eV; the tables carry it from 0.05 to 100 eV.
    gas : str or Gas
        ``"Ar"`` or ``"He"``.
    """
    te = np.asarray(te, float)
    energy, weight = _energies(_gas(gas).symbol)
    x = energy / te[..., None]
    average = np.sum(weight * np.exp(-x), axis=-1) / te**2
    return np.asarray(mean_speed(te, ELECTRON_MASS) * average)


@lru_cache(maxsize=8)
def _energies(symbol: str) -> tuple[Floats, Floats]:
    """Return energies, eV, and E σ dE: the trapezoidal rule in ln E."""
    energy = np.geomspace(1e-4, 2e3, 1500)
    step = math.log(energy[1] / energy[0])
    return energy, electron_cross_section(energy, symbol) * energy**2 * step


def nu_en(nn: ArrayLike, te: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the electrons' rate of elastic collisions with atoms, 1/s.

    Parameters
    ----------
    nn : array_like
        Density of the neutrals, 1/m³.
    te : array_like
        Electron temperature, eV.
    gas : str or Gas
        ``"Ar"`` or ``"He"``.
    """
    return np.asarray(np.asarray(nn, float) * electron_neutral_rate(te, gas))


def nu_in(
    nn: ArrayLike, ti: ArrayLike = 0.1, t_gas: ArrayLike = 300.0, gas: str | Gas = "Ar"
) -> Floats:
    """Return the ions' rate of charge exchange with the atoms of their gas, 1/s.

    ``nn σ_cx √(8 e (Ti + Tg)/π m)``: the mean relative speed of two Maxwellians, and the cross
    section at their mean energy, ε = 3/2 (Ti + Tg).

    Parameters
    ----------
    nn : array_like
        Density of the neutrals, 1/m³.
    ti : array_like
        Ion temperature, eV.
    t_gas : array_like
        Gas temperature, K.
    gas : str or Gas
        ``"Ar"`` or ``"He"``.
    """
    both = np.asarray(ti, float) + BOLTZMANN / ELEMENTARY_CHARGE * np.asarray(t_gas, float)
    sigma = charge_exchange_cross_section(1.5 * both, gas)
    return np.asarray(np.asarray(nn, float) * sigma * mean_speed(both, _gas(gas).ion_mass))


def mean_free_path_ei(ne: ArrayLike, te: ArrayLike) -> Floats:
    """Return the electrons' mean free path between Coulomb collisions, m: mean speed over ν_ei.

    Parameters
    ----------
    ne : array_like, 1/m³
        Electron density.
    te : array_like, eV
        Electron temperature.
    """
    return np.asarray(mean_speed(te, ELECTRON_MASS) / nu_ei(ne, te))


def mean_free_path_en(nn: ArrayLike, te: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the electrons' mean free path between atoms, m: mean speed over ν_en.

    Parameters
    ----------
    nn : array_like, 1/m³
        Density of neutral atoms.
    te : array_like, eV
        Electron temperature.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    return np.asarray(mean_speed(te, ELECTRON_MASS) / nu_en(nn, te, gas))


def mean_free_path_in(
    nn: ArrayLike, ti: ArrayLike = 0.1, t_gas: ArrayLike = 300.0, gas: str | Gas = "Ar"
) -> Floats:
    """Return the thermal ions' mean free path between charge exchanges, m: mean speed over ν_in.

    An ion much faster than the gas, in a presheath say, goes 1/(nn σ_cx(ε)).

    Parameters
    ----------
    nn : array_like, 1/m³
        Density of neutral atoms.
    ti : array_like, eV, optional
        Ion temperature.
    t_gas : array_like, K, optional
        Gas temperature.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    return np.asarray(mean_speed(ti, _gas(gas).ion_mass) / nu_in(nn, ti, t_gas, gas))
