"""The gas: its kind, its pressure, its density."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ishtar.machine.component import Component, ComponentError
from ishtar.machine.readings import Time, reading
from ishtar.measured import Measured

if TYPE_CHECKING:
    from ishtar.gases import Gas
    from ishtar.signals.protocols import RecordedShot


class GasSupply(Component):
    """The neutral gas and its gauge.

    Parameters in the text: ``pressure`` (a signal), ``temperature`` and ``temperature_sigma``.
    """

    @property
    def species(self) -> Gas:
        """The working gas that is noted for the shot."""
        return species(self.shot)

    @property
    def temperature(self) -> Measured:
        """Temperature of the gas, K."""
        return self.quantity("temperature", "K")

    def pressure(self, t: Time) -> Measured:
        """Return the pressure at a time, Pa."""
        found = reading(self.signal("pressure"), t, "Pa")
        if not math.isfinite(found.value):
            raise ComponentError(
                f"{self.text('pressure')} holds no number at {t} s: choose another time",
                component=self.name,
            )
        return found

    def density(self, t: Time) -> Measured:
        """Return the density of the neutral gas at a time, 1/m³: p/kT."""
        from ishtar.plasma import neutral_density

        p, temperature = self.pressure(t), self.temperature
        n = float(neutral_density(p.value, temperature.value))
        shares = (p.sigma / p.value, temperature.sigma / temperature.value)
        return Measured(n, abs(n) * math.hypot(*shares), "1/m^3")


def chosen(shot: RecordedShot, stated: str | Gas | None = None) -> tuple[Gas | None, str]:
    """Return the working gas to reckon with and, in words, where it comes from.

    Parameters
    ----------
    shot : Shot
        Its attribute ``gas`` is what is noted.
    stated : str or Gas, optional
        A gas that someone states for this shot; it goes before what is noted.

    Returns
    -------
    (Gas or None, str)
        None where none is stated and none noted, or what is noted is no gas. The words name a
        contradiction: a density follows from the ion's mass, and holds for one gas alone.

    Raises
    ------
    UnknownGas
        The stated gas is none.
    """
    from ishtar.gases import UnknownGas, gas

    number, noted = shot.number, shot.attributes.get("gas")
    used = None if stated is None else gas(stated)
    try:
        known = None if noted is None else gas(noted)
    except UnknownGas as unknown:
        words = f"what is noted as the gas of shot {number} is none: {unknown}"
        if used is not None:
            return used, f"gas: {used.symbol}, as stated; {words}"
        return None, f"{words}; correct it with `ishtar edit {number} gas=…`"
    if used is None:
        if known is None:
            return None, (
                f"no source notes the gas of shot {number}: state it, or note it with "
                f"`ishtar edit {number} gas=Ar --new`"
            )
        return known, f"gas: {known.symbol}, as noted for the shot"
    if known is None:
        return used, f"gas: {used.symbol}, as stated; no source notes the gas of shot {number}"
    if known != used:
        return used, (
            f"gas: {used.symbol}, as stated, but {known.symbol} is noted for shot {number}. "
            f"One of them is wrong, and densities hold for {used.symbol} alone: leave `gas` out or "
            f"correct the note with `ishtar edit {number} gas={used.symbol}`"
        )
    return used, f"gas: {used.symbol}, as stated and as noted for the shot"


def species(shot: RecordedShot) -> Gas:
    """Return the working gas that is noted for a shot.

    Raises
    ------
    ComponentError
        None is noted.
    UnknownGas
        What is noted is no gas.
    """
    from ishtar.gases import gas

    noted = shot.attributes.get("gas")
    if noted is None:
        raise ComponentError(
            f'no source notes the gas of shot {shot.number}: give gas="Ar", or note it with '
            f"`ishtar edit {shot.number} gas=Ar --new`"
        )
    return gas(noted)
