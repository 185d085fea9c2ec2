"""Antennas and generators: the share of the power that reaches the plasma."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ishtar.errors import TimeBaseError
from ishtar.machine.component import Component
from ishtar.machine.readings import Floats, Time, window_at
from ishtar.quantity import Measured
from ishtar.units import factor

if TYPE_CHECKING:
    from ishtar.rf import Coupling
    from ishtar.signals.protocols import RecordedSignal


class RFLine(Component):
    """An antenna or a generator with a directional coupler in its line.

    Declared parameters: ``forward`` and ``reflected`` (signals), ``frequency``, ``max_power``; for
    the coupling also ``power_floor`` (below it the generator counts as off), ``power_correlation``
    (of the two calibration errors) and ``line_impedance``.
    """

    @property
    def frequency(self) -> Measured:
        """Frequency, Hz."""
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
            s: a time, averaged over ± 5 ms, or from and until.
        relative_sigma : float or (float, float), optional
            Relative calibration sigma of both powers, or of forward and reflected; by default from
            the calibrations.
        correlation : float, optional
            Of the two calibration errors, −1 … 1; by default ``power_correlation``, or 0.

        Returns
        -------
        ishtar.rf.Coupling

        Raises
        ------
        TimeBaseError
            The two powers have different time bases.
        ishtar.rf.BadPower
            The forward power is below the floor at that time.
        """
        from ishtar.rf import coupling

        lines = [self.signal(role) for role in ("forward", "reflected")]
        forward, reflected = (window_at(signal, t) for signal in lines)
        if not lines[0].samples.base.same_as(lines[1].samples.base):
            raise TimeBaseError(
                f"{self.name}: {forward.name} and {reflected.name} are on different time bases; "
                "align them and call ishtar.rf.coupling"
            )
        powers = forward.values(), reflected.values()
        if relative_sigma is None:
            relative_sigma = (
                _relative_sigma(forward, powers[0]),
                _relative_sigma(reflected, powers[1]),
            )
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


def _relative_sigma(part: RecordedSignal, values: Floats) -> float:
    """Return the relative calibration sigma of a power, at its highest sample."""
    if not np.isfinite(values).any():
        return 0.0
    k = int(np.nanargmax(values))
    most = float(values[k])
    return float(part[k : k + 1].sigma().values[0]) / most if most > 0.0 else 0.0
