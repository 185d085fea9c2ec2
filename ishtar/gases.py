"""Working gases: their data for probes, collision rates and spectra."""

from __future__ import annotations

from dataclasses import dataclass

from ishtar.errors import NotFoundError, did_you_mean

__all__ = ["GASES", "Gas", "UnknownGas", "gas"]

_ATOMIC_MASS = 1.66053906660e-27  # kg, CODATA 2018
_ELECTRON_MASS = 9.1093837015e-31  # kg, CODATA 2018


class UnknownGas(NotFoundError):
    """An unknown working gas; ``name`` is the one requested."""

    def __init__(self, name: str) -> None:
        self.name = name
        words = [w for g in GASES for w in (g.symbol, g.name)]
        super().__init__(
            f"unknown gas {name!r}{did_you_mean(name, words)}; "
            f"use one of {', '.join(g.symbol for g in GASES)}"
        )


@dataclass(frozen=True, kw_only=True)
class Gas:
    """A working gas and its singly charged ion.

    Parameters
    ----------
    name : str
        English name, lower case (``"argon"``).
    symbol : str
        Symbol of the neutral (``"Ar"``, ``"H2"``).
    atomic_weight : float
        Mass of the ionised particle, u (IUPAC 2021 abridged atomic weights).
    ionisation_ev : float
        First ionisation energy of the neutral, eV (NIST Atomic Spectra Database and WebBook).
    """

    name: str
    symbol: str
    atomic_weight: float
    ionisation_ev: float

    @property
    def ion_mass(self) -> float:
        """Mass of the singly charged ion, kg."""
        return self.atomic_weight * _ATOMIC_MASS - _ELECTRON_MASS


GASES: tuple[Gas, ...] = (
    # For molecules the ion is the molecular one, the usual charge carrier at 0.1–1 Pa.
    Gas(name="hydrogen", symbol="H2", atomic_weight=2.016, ionisation_ev=15.426),
    Gas(name="deuterium", symbol="D2", atomic_weight=4.028, ionisation_ev=15.467),
    Gas(name="helium", symbol="He", atomic_weight=4.0026, ionisation_ev=24.587),
    Gas(name="nitrogen", symbol="N2", atomic_weight=28.014, ionisation_ev=15.581),
    Gas(name="oxygen", symbol="O2", atomic_weight=31.998, ionisation_ev=12.070),
    Gas(name="neon", symbol="Ne", atomic_weight=20.180, ionisation_ev=21.565),
    Gas(name="argon", symbol="Ar", atomic_weight=39.95, ionisation_ev=15.760),
    Gas(name="krypton", symbol="Kr", atomic_weight=83.798, ionisation_ev=14.000),
    Gas(name="xenon", symbol="Xe", atomic_weight=131.29, ionisation_ev=12.130),
)


def gas(name: str | Gas) -> Gas:
    """Return a gas by its symbol or name, ignoring letter case.

    Parameters
    ----------
    name : str or Gas
        ``"Ar"``, ``"argon"``; a :class:`Gas` is returned unchanged.

    Raises
    ------
    UnknownGas
        The message names the nearest gases.

    Examples
    --------
    >>> gas("argon").symbol
    'Ar'
    """
    if isinstance(name, Gas):
        return name
    folded = str(name).strip().casefold()
    for g in GASES:
        if folded in (g.symbol.casefold(), g.name):
            return g
    raise UnknownGas(str(name))
