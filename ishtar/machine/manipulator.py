"""Manipulators: where the tip of a probe is, measured, or as declared where it is not."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ishtar.errors import MissingCalibration, NotFoundError, TimeBaseError
from ishtar.machine.component import Component, ComponentError
from ishtar.machine.readings import Time, stretch
from ishtar.quantity import Measured
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
            samples, within which the tip may have moved. Where the signal is missing, half of it
            lies outside the calibration's table, or it has no time base and ``t`` is asked for, the
            declared position; ``source`` says so.

        Raises
        ------
        ComponentError
            Neither signal nor a declared position.
        """
        found = self._measured(t)
        if isinstance(found, Position):
            return found
        if not self.has("position"):
            raise ComponentError(
                f"{self.name} does not know where it is ({found.rstrip('.')}): declare a "
                f"position to fall back on at {self.where}",
                component=self.name,
            )
        stated = self.quantity("position", "m")
        return Position(stated.value, stated.sigma, "m", f"declared at {self.where}; {found}")

    def _measured(self, t: Time | None) -> Position | str:
        """Return where its signal says that the tip is, or why it does not."""
        if not self.has("signal"):
            return "no signal is declared"
        try:
            signal = self.signal("signal")
            signal.check()
        except (NotFoundError, MissingCalibration, TimeBaseError) as error:
            return str(error)
        if t is not None and (lack := signal.lack_of_time):  # where it went, and not when
            return lack
        part = stretch(signal, t)
        values = part.values()
        good = np.isfinite(values)
        if 2 * good.sum() < values.size:
            return f"{signal.name} lies outside its calibration"
        scale = factor(signal.unit, "m")
        spread = float(values[good].std()) * scale
        common = float(part.sigma().values[good].mean()) * scale
        mean = float(values[good].mean()) * scale
        return Position(mean, math.hypot(spread, common), "m", signal.name)
