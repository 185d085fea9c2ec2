"""Currents that do not come from the plasma: offset, leak, and the cable's capacitance."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.sweeps import SweepError, Sweeps, _smooth

Floats = NDArray[np.float64]

__all__ = ["Background", "background_of", "capacitance_of_ramps"]


@dataclass(frozen=True, kw_only=True)
class Background:
    """The current ``offset + conductance · V + capacitance · dV/dt``.

    Parameters
    ----------
    offset : float
        Of the amplifier, A.
    conductance : float
        Leak from tip to ground, S.
    capacitance : float
        Of cable and probe, F; its current changes sign between up and down ramps.
    """

    offset: float = 0.0
    conductance: float = 0.0
    capacitance: float = 0.0

    def current(self, bias: Floats, dt: float) -> Floats:
        """Return the background at each sample of a record, (n_t,) A.

        Parameters
        ----------
        bias : (n_t,) float64, V
            Bias of the probe.
        dt : float, s
            Step of the samples.
        """
        rate = bias_rate(bias, dt) if self.capacitance else 0.0
        return np.asarray(self.offset + self.conductance * bias + self.capacitance * rate)


def bias_rate(bias: Floats, dt: float, width: int = 9) -> Floats:
    """Return dV/dt, (n_t,) V/s, smoothed over ``width`` samples."""
    return np.asarray(np.gradient(_smooth(bias, width), dt))


def background_of(bias: Floats, current: Floats, *, dt: float) -> Background:
    """Return the background fitted to a stretch of record without plasma.

    Where the bias stands still there, only the offset is known and the rest is zero.

    Parameters
    ----------
    bias, current : (n,) float64, V and A
    dt : float
        Time between samples, s.
    """
    good = np.isfinite(bias) & np.isfinite(current)
    if good.sum() < 20:
        raise SweepError(
            f"only {int(good.sum())} samples without plasma; give a longer quiet time or none"
        )
    offset = float(np.mean(current[good]))
    if float(np.ptp(_smooth(bias[good], 9))) < 1.0:
        return Background(offset=offset)
    rate = bias_rate(np.where(good, bias, np.nan_to_num(bias)), dt)[good]
    scale = max(float(np.abs(rate).max()), 1e-300)
    basis = np.stack([np.ones(good.sum()), bias[good], rate / scale], axis=1)
    (a, g, c), *_ = np.linalg.lstsq(basis, current[good], rcond=None)
    return Background(offset=float(a), conductance=float(g), capacitance=float(c) / scale)


def capacitance_of_ramps(bias: Floats, current: Floats, sweeps: Sweeps) -> float:
    """Return the capacitance, F, from what up and down ramps differ by at the same bias.

    Each up ramp is compared with the down ramp next to it, over the lower half of the bias,
    where the plasma current is small; the median over the pairs stands against a plasma that
    changes.

    Raises
    ------
    SweepError
        If there is no up ramp beside a down ramp.
    """
    v, i = sweeps.table(bias), sweeps.table(current)
    found = []
    for a in range(len(sweeps) - 1):
        b = a + 1
        if sweeps.direction[a] == sweeps.direction[b]:
            continue
        low = max(np.nanmin(v[a]), np.nanmin(v[b]))
        high = min(np.nanmax(v[a]), np.nanmax(v[b]))
        mean, rate = [], []
        for row in (a, b):
            inside = (v[row] >= low) & (v[row] <= 0.5 * (low + high))
            # a straight line through both takes out that the two see other parts of it
            line = np.polyfit(v[row][inside] - low, i[row][inside], 1)
            mean.append(float(np.polyval(line, 0.25 * (high - low))))
            span = np.nanmax(v[row]) - np.nanmin(v[row])
            duration = (sweeps.stop[row] - sweeps.start[row]) * sweeps.dt
            rate.append(float(sweeps.direction[row]) * span / duration)
        found.append((mean[0] - mean[1]) / (rate[0] - rate[1]))
    if not found:
        raise SweepError("no up ramp beside a down ramp; give the capacitance or a quiet time")
    return float(np.median(found))
