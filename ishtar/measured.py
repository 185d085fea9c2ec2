"""A number as physics gives it: value, one-sigma uncertainty, unit."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Measured:
    """A value with its uncertainty and unit.

    Parameters
    ----------
    value : float
        NaN where there is none.
    sigma : float
        One standard deviation, in the same unit; NaN where it is not known.
    unit : str
        As pint writes it (``"eV"``, ``"1/m^3"``, ``"V"``).
    """

    value: float
    sigma: float
    unit: str

    def __str__(self) -> str:
        if math.isfinite(self.sigma):
            return f"{self.value:.{self._digits()}g} ± {self.sigma:.2g} {self.unit}"
        return f"{self.value:.4g} {self.unit}"

    def _digits(self) -> int:
        """Return how many digits of the value count: as far as sigma reaches, at least four."""
        if not (math.isfinite(self.value) and self.value and self.sigma > 0.0):
            return 4
        orders = math.floor(math.log10(abs(self.value))) - math.floor(math.log10(self.sigma))
        return min(max(4, orders + 2), 15)
