"""Antennas and generators: how much of the power goes into the plasma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ishtar.errors import TimeBaseError
from ishtar.machine.component import Component
from ishtar.machine.readings import Floats, Time, stretch
from ishtar.measured import Measured
from ishtar.units import factor

if TYPE_CHECKING:
    from ishtar.rf import Coupling
    from ishtar.signals.protocols import RecordedSignal


class RFLine(Component):
    """An antenna or a generator with a directional coupler in its line.

    Parameters in the text: ``forward`` and ``reflected`` (signals), ``frequency``, ``max_power``;
    for the coupling also ``power_floor`` (below it there is no power to speak of),
    ``power_correlation`` (of the two calibration errors) and ``line_impedance``.
    """

    @property
    def frequency(self) -> Measured:
        """Its frequency, Hz."""
        return self.quantity("frequency", "Hz")

    def coupling(
        self,
        t: Time,
        *,
        relative_sigma: float | tuple[float, float] | None = None,
        correlation: float | None = None,
    ) -> Coupling:
        """Return powers, reflection, VSWR and loading resistance, averaged over a time.

        Parameters
        ----------
        t : float or (float, float)
            When, s: within 5 ms of a time, or from and until.
        relative_sigma : float or (float, float), optional
            One-sigma of the calibration of both powers, as a share; those that the calibrations
            state.
        correlation : float, optional
            Of the two, −1 … 1; the declared ``power_correlation``, or 0.

        Returns
        -------
        ishtar.rf.Coupling
        """
        from ishtar.rf import coupling

        lines = [self.signal(role) for role in ("forward", "reflected")]
        forward, reflected = (stretch(signal, t) for signal in lines)
        if not lines[0].samples.base.same_as(lines[1].samples.base):
            raise TimeBaseError(
                f"{self.name}: {forward.name} and {reflected.name} are on different time bases; "
                "align them and call ishtar.rf.coupling"
            )
        powers = forward.values(), reflected.values()
        if relative_sigma is None:
            relative_sigma = _share(forward, powers[0]), _share(reflected, powers[1])
        if correlation is None:
            declared = self.has("power_correlation")
            correlation = self.count("power_correlation") if declared else 0.0
        known = self.has("line_impedance")
        return coupling(
            powers[0] * factor(forward.unit, "W"),
            powers[1] * factor(reflected.unit, "W"),
            floor=self.value("power_floor", "W") if self.has("power_floor") else 0.0,
            relative_sigma=relative_sigma,
            correlation=correlation,
            line_impedance=self.quantity("line_impedance", "ohm") if known else 50.0,
        )


def _share(part: RecordedSignal, values: Floats) -> float:
    """Return the calibration's sigma as a share of the power, where there is most of it."""
    if not np.isfinite(values).any():
        return 0.0
    k = int(np.nanargmax(values))
    most = float(values[k])
    return float(part[k : k + 1].sigma().values[0]) / most if most > 0.0 else 0.0
