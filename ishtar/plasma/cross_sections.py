"""How electrons and ions hit the atoms of the gas: cross sections, m², for argon and helium.

Electrons: elastic momentum transfer, tabulated. Ions in their own gas: momentum transfer and
charge exchange, in closed form. The relative one-sigma that we grant each is beside it; the sources
give accuracies of this order for swarm data, and none for what is made of them.

References
----------
.. [1] A. Yanguas-Gil, J. Cotrino and L. L. Alves, J. Phys. D 38, 1588 (2005): argon. Up to 10 eV it
   is the set of Yamabe, Buckman and Phelps, Phys. Rev. A 27, 1345 (1983).
.. [2] S. F. Biagi, Nucl. Instrum. Methods A 421, 234 (1999), the tables of Magboltz 11: helium.
   Up to 10 eV it is Crompton, Elford and Robertson, Aust. J. Phys. 23, 667 (1970).
.. [3] A. V. Phelps, J. Appl. Phys. 76, 747 (1994): Ar⁺ in Ar.
.. [4] A. V. Phelps' compilation in LXCat (JILA): He⁺ in He.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError
from ishtar.gases import Gas
from ishtar.gases import gas as _gas

__all__ = [
    "NoCrossSection",
    "charge_exchange_cross_section",
    "electron_cross_section",
    "has_cross_sections",
    "ion_momentum_cross_section",
    "relative_sigma",
]

Floats = NDArray[np.float64]


class NoCrossSection(IshtarError, LookupError):
    """No cross sections are held for this gas; ``gas`` is its symbol."""

    def __init__(self, gas: str) -> None:
        self.gas = gas
        super().__init__(
            f"no cross sections of {gas}: there are those of {', '.join(_TABLES)}; "
            "add a table with its source to ishtar/plasma/cross_sections.py"
        )


@dataclass(frozen=True, kw_only=True)
class _Table:
    """What is known of one gas: electrons' energies (eV), cross sections (1e-20 m²), ions' law."""

    energy: tuple[float, ...]
    electron: tuple[float, ...]
    ion_momentum: Callable[[Floats], Floats]
    electron_sigma: float
    ion_sigma: float


def _argon_ion(energy: Floats) -> Floats:
    # Phelps 1994, ε the ion's energy on an atom at rest: 1.15e-18 ε^-0.1 (1 + 0.015/ε)^0.6 m²
    return np.asarray(1.15e-18 * energy**-0.1 * (1.0 + 0.015 / energy) ** 0.6)


def _helium_ion(energy: Floats) -> Floats:
    # The compilation has them over the energy in the centre of mass: half of the ion's
    e = 0.5 * energy
    isotropic = 7.63e-20 * e**-0.5
    backward = 1e-19 * (e / 1e3) ** -0.15 * (1.0 + e / 1e3) ** -0.25 * (1.0 + 5.0 / e) ** -0.15
    return np.asarray(isotropic + 2.0 * backward)


# fmt: off
_ARGON = _Table(
    energy=(
        0.001, 0.002, 0.003, 0.005, 0.007, 0.01, 0.015, 0.02, 0.03, 0.04, 0.05, 0.07, 0.1, 0.12,
        0.15, 0.17, 0.2, 0.25, 0.3, 0.35, 0.4, 0.5, 0.7, 1.0, 1.2, 1.5, 1.7, 2.1, 2.5, 2.8, 3.0,
        3.3, 3.6, 4.0, 4.5, 5.0, 6.0, 7.0, 8.0, 10.0, 12.0, 15.0, 17.0, 20.0, 25.0, 30.0, 50.0,
        75.0, 100.0, 150.0, 200.0, 300.0, 500.0, 700.0, 1000.0,
    ),
    electron=(
        7.5, 7.1, 6.7, 6.1, 5.4, 4.6, 3.75, 3.25, 2.5, 2.05, 1.73, 1.13, 0.59, 0.4,
        0.23, 0.16, 0.103, 0.091, 0.153, 0.235, 0.33, 0.51, 0.86, 1.38, 1.66, 2.1, 2.3, 2.8, 3.3,
        3.8, 4.1, 4.5, 4.9, 5.4, 6.1, 6.7, 8.1, 9.6, 11.7, 15.0, 14.5, 13.7, 11.0, 9.2, 6.8, 5.5,
        3.2, 2.15, 1.6, 1.1, 0.88, 0.6, 0.37, 0.26, 0.17,
    ),
    ion_momentum=_argon_ion,
    electron_sigma=0.07,
    ion_sigma=0.15,
)
_HELIUM = _Table(
    energy=(
        0.001, 0.008, 0.013, 0.02, 0.03, 0.05, 0.07, 0.1, 0.15, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0,
        2.5, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 25.0, 30.0,
        35.0, 40.0, 50.0, 60.0, 80.0, 100.0, 150.0, 200.0, 300.0, 500.0, 1000.0,
    ),
    electron=(
        4.89, 5.18, 5.26, 5.35, 5.46, 5.62, 5.74, 5.86, 6.04, 6.16, 6.35, 6.59, 6.73, 6.85, 6.96,
        6.99, 6.96, 6.89, 6.62, 6.31, 6.0, 5.68, 5.35, 5.03, 4.72, 4.2, 3.68, 3.28, 2.95, 2.64,
        2.05, 1.63, 1.33, 1.09, 0.785, 0.59, 0.375, 0.262, 0.132, 0.0807, 0.04, 0.0164, 0.00482,
    ),
    ion_momentum=_helium_ion,
    electron_sigma=0.03,
    ion_sigma=0.15,
)
# fmt: on
_TABLES = {"Ar": _ARGON, "He": _HELIUM}


def _table(gas: str | Gas) -> _Table:
    symbol = _gas(gas).symbol
    if symbol not in _TABLES:
        raise NoCrossSection(symbol)
    return _TABLES[symbol]


def has_cross_sections(gas: str | Gas) -> bool:
    """Return whether the collisions of this gas can be computed."""
    return _gas(gas).symbol in _TABLES


def relative_sigma(gas: str | Gas, particle: str) -> float:
    """Return the relative one-sigma granted to the cross section of ``"electron"`` or ``"ion"``."""
    table = _table(gas)
    return {"electron": table.electron_sigma, "ion": table.ion_sigma}[particle]


def electron_cross_section(energy: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the elastic momentum-transfer cross section of electrons on atoms, m².

    Interpolated in the logarithms of both; beyond the table (1 meV … 1 keV) its ends are kept.

    Parameters
    ----------
    energy : array_like
        Of the electron, eV.
    gas : str or Gas
        ``"Ar"`` [1]_ or ``"He"`` [2]_.

    Raises
    ------
    NoCrossSection
        For any other gas.
    """
    table = _table(gas)
    e = np.maximum(np.asarray(energy, float), table.energy[0])
    log = np.interp(np.log(e), np.log(table.energy), np.log(table.electron))
    return np.asarray(1e-20 * np.exp(log))


def ion_momentum_cross_section(energy: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the momentum-transfer cross section Q_m of ions in their own gas, m².

    Argon [3]_: ``1.15e-18 ε^-0.1 (1 + 0.015/ε)^0.6``. Helium [4]_, with E = ε/2: ``7.63e-20 E^-0.5
    + 2 · 1e-19 (E/1000)^-0.15 (1 + E/1000)^-0.25 (1 + 5/E)^-0.15``.

    Parameters
    ----------
    energy : array_like
        ε of the ion that meets an atom at rest, eV (twice that in the centre of mass).
    gas : str or Gas
        ``"Ar"`` or ``"He"``.
    """
    return _table(gas).ion_momentum(np.asarray(energy, float))


def charge_exchange_cross_section(energy: ArrayLike, gas: str | Gas = "Ar") -> Floats:
    """Return the resonant charge-exchange cross section, Q_m/2, m².

    An ion that takes its partner's electron turns round in the centre of mass and loses twice its
    momentum there. In Phelps' model a collision is backward or isotropic, and half of the isotropic
    ones exchange charge, too: Q_cx = Q_back + Q_iso/2 = Q_m/2.

    Parameters
    ----------
    energy : array_like, eV
        Energy of the ion in the laboratory frame, the atom at rest.
    gas : str or Gas, optional
        Working gas: a name such as ``"Ar"``, or a `~ishtar.gases.Gas`.
    """
    return np.asarray(0.5 * ion_momentum_cross_section(energy, gas))
