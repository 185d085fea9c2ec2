"""Manipulators: the position of a probe's tip, measured or, failing that, declared."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ishtar.errors import MissingCalibration, NotFoundError, TimeBaseError
from ishtar.machine.component import Component, ComponentError
from ishtar.machine.readings import Time, window_at
from ishtar.quantity import Measured
from ishtar.units import factor


@dataclass(frozen=True)
class Position(Measured):
    """A position, m; ``source`` is the signal, or the declaration and why no signal is used."""

    source: str = ""

    def __str__(self) -> str:
        return f"{super().__str__()} ({self.source})"


class Manipulator(Component):
    """Moves a probe.

    Declared parameters: ``signal`` (position of the tip along its path, a length), ``position``
    and ``position_sigma``, the fallback for a missing signal.
    """

    def position(self, t: Time | None = None) -> Position:
        """Return the position of the tip along the manipulator's path, m.

        Parameters
        ----------
        t : float or (float, float), optional
            Time, s, or from and until; by default the whole record.

        Returns
        -------
        Position
            Mean of the signal. Sigma includes the calibration's and the full spread of the samples,
            as the tip may have moved. The declared position if the signal is missing, if half of it
            is outside the calibration table, or if ``t`` is given and it has no time base;
            ``source`` says so.

        Raises
        ------
        ComponentError
            There is neither a signal nor a declared position.
        """
        found = self._measured(t)
        if isinstance(found, Position):
            return found
        if not self.has("position"):
            raise ComponentError(
                f"{self.name} has no position ({found.rstrip('.')}): declare a fallback "
                f"`position` at {self.where}",
                component=self.name,
            )
        stated = self.quantity("position", "m")
        return Position(stated.value, stated.sigma, "m", f"declared at {self.where}; {found}")

    def _measured(self, t: Time | None) -> Position | str:
        """Return the position by the signal, or the reason why it cannot be used."""
        if not self.has("signal"):
            return "no signal is declared"
        try:
            signal = self.signal("signal")
            signal.check()
        except (NotFoundError, MissingCalibration, TimeBaseError) as error:
            return str(error)
        if t is not None and (problem := signal.time_problem):
            return problem
        part = window_at(signal, t)
        values = part.values()
        good = np.isfinite(values)
        if 2 * good.sum() < values.size:
            return f"{signal.name} is outside its calibration"
        scale = factor(signal.unit, "m")
        spread = float(values[good].std()) * scale
        common = float(part.sigma().values[good].mean()) * scale
        mean = float(values[good].mean()) * scale
        return Position(mean, math.hypot(spread, common), "m", signal.name)
