"""Manipulators: where the tip of a probe is, measured, or as declared where it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ishtar.errors import MissingCalibration, NotFoundError
from ishtar.machine.component import Component, ComponentError
from ishtar.machine.readings import Time, stretch
from ishtar.measured import Measured
from ishtar.units import factor


@dataclass(frozen=True)
class Position(Measured):
    """A position in m; ``source`` says where it comes from: a signal, or the text and why."""

    source: str = ""

    def __str__(self) -> str:
        return f"{super().__str__()} ({self.source})"


class Manipulator(Component):
    """Moves a probe.

    Parameters in the text: ``signal`` (position of the tip along its way, in a length),
    ``position`` and ``position_sigma``, to fall back on where the signal is missing.
    """

    def position(self, t: Time | None = None) -> Position:
        """Return the position of the tip along the manipulator's way, m.

        Parameters
        ----------
        t : float or (float, float), optional
            When, s; the whole record without it.

        Returns
        -------
        Position
            Mean of the signal; its sigma holds the calibration's and the full spread of the
            samples, within which the tip may have moved. Where the signal is missing, or half of
            it lies outside the calibration's table, the declared position; ``source`` says so.

        Raises
        ------
        ComponentError
            Neither signal nor a declared position.
        """
        problem = "no signal is declared"
        if self.has("signal"):
            try:
                signal = self.signal("signal")
                signal.check()
            except (NotFoundError, MissingCalibration) as error:
                problem = str(error)
            else:
                part = stretch(signal, t)
                values = part.values()
                good = np.isfinite(values)
                if 2 * good.sum() >= values.size:
                    scale = factor(signal.unit, "m")
                    spread = float(values[good].std()) * scale
                    common = float(part.sigma().values[good].mean()) * scale
                    mean = float(values[good].mean()) * scale
                    return Position(mean, math.hypot(spread, common), "m", signal.name)
                problem = f"{signal.name} lies outside its calibration"
        if not self.has("position"):
            raise ComponentError(
                f"{self.name} does not know where it is ({problem.rstrip('.')}): declare a "
                f"position to fall back on at {self.where}",
                component=self.name,
            )
        stated = self.quantity("position", "m")
        return Position(stated.value, stated.sigma, "m", f"declared at {self.where}; {problem}")
