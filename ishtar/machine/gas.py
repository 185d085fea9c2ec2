"""The working gas: species, pressure, density."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ishtar.machine.component import Component, ComponentError
from ishtar.machine.readings import Time, reading
from ishtar.quantity import Measured

if TYPE_CHECKING:
    from ishtar.gases import Gas
    from ishtar.signals.protocols import RecordedShot


class GasSupply(Component):
    """The neutral gas and its gauge.

    Declared parameters: ``pressure`` (a signal), ``temperature`` and ``temperature_sigma``.
    """

    @property
    def species(self) -> Gas:
        """Working gas recorded for the shot."""
        return recorded_gas(self.shot)

    @property
    def temperature(self) -> Measured:
        """Gas temperature, K."""
        return self.quantity("temperature", "K")

    def pressure(self, t: Time) -> Measured:
        """Return the pressure, Pa.

        Parameters
        ----------
        t : float or (float, float)
            s: a time, averaged over ± 5 ms, or from and until.

        Raises
        ------
        ComponentError
            The signal has no finite value at that time.
        """
        found = reading(self.signal("pressure"), t, "Pa")
        if not math.isfinite(found.value):
            raise ComponentError(
                f"{self.text('pressure')} has no finite value at {t} s: choose another time",
                component=self.name,
            )
        return found

    def density(self, t: Time) -> Measured:
        """Return the density of the neutral gas, p/kT, 1/m³; ``t`` and errors as `pressure`."""
        from ishtar.plasma import neutral_density

        p, temperature = self.pressure(t), self.temperature
        n = float(neutral_density(p.value, temperature.value))
        shares = (p.sigma / p.value, temperature.sigma / temperature.value)
        return Measured(n, abs(n) * math.hypot(*shares), "1/m^3")


def working_gas(shot: RecordedShot, stated: str | Gas | None = None) -> tuple[Gas | None, str]:
    """Return the working gas for an analysis and a sentence about its origin.

    Parameters
    ----------
    shot : Shot
        Its attribute ``gas`` is the recorded gas.
    stated : str or Gas, optional
        Takes precedence over the recorded gas.

    Returns
    -------
    gas : Gas or None
        None if no gas is stated and none, or an unknown one, is recorded.
    origin : str
        Names a contradiction: a density follows from the ion mass and is valid for one gas only.

    Raises
    ------
    UnknownGas
        The stated gas is unknown.
    """
    from ishtar.gases import UnknownGas, gas

    number, attribute = shot.number, shot.attributes.get("gas")
    used = None if stated is None else gas(stated)
    try:
        recorded = None if attribute is None else gas(attribute)
    except UnknownGas as error:
        problem = f"the recorded gas of shot {number} is invalid: {error}"
        if used is not None:
            return used, f"gas: {used.symbol}, as stated; {problem}"
        return None, f"{problem}; correct it with `ishtar edit {number} gas=…`"
    if used is None:
        if recorded is None:
            return None, (
                f"no source records the gas of shot {number}: state it, or record it with "
                f"`ishtar edit {number} gas=Ar --new`"
            )
        return recorded, f"gas: {recorded.symbol}, as recorded for the shot"
    if recorded is None:
        return used, f"gas: {used.symbol}, as stated; no source records the gas of shot {number}"
    if recorded != used:
        return used, (
            f"gas: {used.symbol}, as stated, but {recorded.symbol} is recorded for shot {number}. "
            f"One of them is wrong, and densities are valid for {used.symbol} only: omit `gas` or "
            f"correct the record with `ishtar edit {number} gas={used.symbol}`"
        )
    return used, f"gas: {used.symbol}, as stated and as recorded for the shot"


def recorded_gas(shot: RecordedShot) -> Gas:
    """Return the working gas recorded for a shot.

    Raises
    ------
    ComponentError
        None is recorded.
    UnknownGas
        The recorded gas is unknown.
    """
    from ishtar.gases import gas

    recorded = shot.attributes.get("gas")
    if recorded is None:
        raise ComponentError(
            f'no source records the gas of shot {shot.number}: give gas="Ar", or record it with '
            f"`ishtar edit {shot.number} gas=Ar --new`"
        )
    return gas(recorded)
