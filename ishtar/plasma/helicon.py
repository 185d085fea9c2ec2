"""Helicon waves in a uniform cylinder of plasma: wavelength for a density, and back.

For ω_LH ≪ ω ≪ ω_ce and without the electrons' inertia and collisions the wave obeys

    k_tot k_par = ω μ₀ e ne / B,    k_tot² = k_par² + k_perp²

and the radial component of its field vanishes at the wall r = a, conducting or insulating:

    m k_tot J_m(x) + k_par x J_m'(x) = 0,    x = k_perp a

Hence x = 3.83 for m = 0; for m = +1 it falls from 3.83 (a thin column, k_par ≪ k_perp) to 2.40, for
m = −1 it rises to 5.14. A real column is not uniform, and peaked profiles carry longer waves: take
densities found in this way to be right within a factor of two.

References
----------
.. [1] F. F. Chen, Plasma Phys. Control. Fusion 33, 339 (1991).
.. [2] R. W. Boswell, Plasma Phys. Control. Fusion 26, 1147 (1984).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError
from ishtar.langmuir.theory import ELEMENTARY_CHARGE
from ishtar.plasma.formulary import VACUUM_PERMEABILITY

__all__ = ["BadMode", "helicon_density", "helicon_radial_root", "helicon_wavelength"]

Floats = NDArray[np.float64]

# x between a thin column (k_par ≪ k_perp) and a wide one: first zeros of J_1; of J_0 and of J_2
_THIN = 3.8317059702075125
_WIDE = {1: 2.404825557695773, -1: 5.135622301840683, 0: _THIN}


class BadMode(IshtarError, ValueError):
    """An azimuthal mode number that is not known here; ``m`` is what was asked for."""

    def __init__(self, m: int) -> None:
        self.m = m
        super().__init__(f"no helicon mode m = {m} here: use -1, 0 or 1")


def helicon_wavelength(
    ne: ArrayLike, b: ArrayLike, frequency: float, *, radius: float, m: int = 1
) -> Floats:
    """Return the wavelength along the field, m, of the first radial mode [1]_.

    Parameters
    ----------
    ne : array_like
        Electron density, 1/m³.
    b : array_like
        Axial field, T.
    frequency : float
        Of the generator, Hz.
    radius : float
        Of the plasma column, m.
    m : int
        Azimuthal mode number, −1, 0 or 1.

    Returns
    -------
    numpy.ndarray
        float64, shape of the broadcast.
    """
    omega = 2.0 * math.pi * frequency
    flux = ELEMENTARY_CHARGE * VACUUM_PERMEABILITY * omega * np.asarray(ne, float)
    product = flux / np.abs(np.asarray(b, float)) * radius**2  # k_tot k_par a²
    if m == 0:
        half = 0.5 * _THIN**2
        # k_par² = −k_perp²/2 + √(k_perp⁴/4 + K²), in the form that does not cancel
        k_par = product / np.sqrt(half + np.hypot(half, product))
    else:
        x, slant = _solve(product, lambda x, slant: x**2 * slant / _cos2(slant), m)
        k_par = product / (x / np.sqrt(_cos2(slant)))
    return np.asarray(2.0 * math.pi * radius / k_par)


def helicon_density(
    wavelength: ArrayLike, b: ArrayLike, frequency: float, *, radius: float, m: int = 1
) -> Floats:
    """Return the density, 1/m³, that carries a wave of this length along the field.

    The inverse of :func:`helicon_wavelength`. An antenna
    of length L drives waves of about 2L best.

    Parameters
    ----------
    wavelength : array_like, m
        Wavelength along the field.
    b : array_like, T
        Magnetic field; its sign does not count.
    frequency : float, Hz
        Frequency of the wave.
    radius : float, m
        Radius of the plasma column.
    m : int, optional
        Azimuthal mode number.
    """
    k_par = 2.0 * math.pi * radius / np.asarray(wavelength, float)
    k_tot = np.hypot(k_par, helicon_radial_root(k_par, m))
    product = k_par * k_tot / radius**2 * np.abs(np.asarray(b, float))
    omega = 2.0 * math.pi * frequency
    return np.asarray(product / (omega * VACUUM_PERMEABILITY * ELEMENTARY_CHARGE))


def helicon_radial_root(k_par_a: ArrayLike, m: int = 1) -> Floats:
    """Return x = k_perp a of the first radial mode [1]_ for ``k_par_a`` = k_par a; no units.

    Parameters
    ----------
    k_par_a : array_like, 1
        k_par a.
    m : int, optional
        Azimuthal mode number.
    """
    k_par_a = np.asarray(k_par_a, float)
    if m == 0:
        return np.full(k_par_a.shape, _THIN)
    return _solve(k_par_a, lambda x, slant: x * slant / np.sqrt(_cos2(slant)), m)[0]


def _cos2(slant: Floats) -> Floats:
    """Return 1 − (k_par/k_tot)², at least a little: rounding must not turn it negative."""
    return np.maximum((1.0 - slant) * (1.0 + slant), 1e-30)


def _solve(
    target: Floats, rises: Callable[[Floats, Floats], Floats], m: int
) -> tuple[Floats, Floats]:
    """Return x and k_par/k_tot where ``rises(x, k_par/k_tot)`` is ``target``.

    Along the boundary condition the slant k_par/k_tot = −m J_m/(x J_m') goes from 0 to 1 while x
    goes from the thin to the wide column's root, so that x alone is bisected.
    """
    from scipy.special import jv, jvp

    if m not in _WIDE:
        raise BadMode(m)

    def slant_at(x: Floats) -> Floats:
        return np.asarray(np.clip(-m * jv(m, x) / (x * jvp(m, x)), 0.0, 1.0))

    thin, wide = np.full(target.shape, _THIN), np.full(target.shape, _WIDE[m])
    for _ in range(60):
        middle = 0.5 * (thin + wide)
        below = rises(middle, slant_at(middle)) < target
        thin, wide = np.where(below, middle, thin), np.where(below, wide, middle)
    x = 0.5 * (thin + wide)
    return x, slant_at(x)
