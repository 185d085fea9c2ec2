"""Currents that do not come from the plasma: offset, leakage, and the cable's capacitance."""

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
        Offset of the amplifier, A.
    conductance : float
        Leakage from tip to ground, S.
    capacitance : float
        Capacitance of cable and probe, F; its current changes sign between up and down ramps.
    """

    offset: float = 0.0
    conductance: float = 0.0
    capacitance: float = 0.0

    def current(self, bias: Floats, dt: float) -> Floats:
        """Return the background at each sample of a record.

        Parameters
        ----------
        bias : (n_t,) float64, V
            Bias of the probe.
        dt : float
            Sampling interval, s.

        Returns
        -------
        (n_t,) float64, A
        """
        rate = bias_rate(bias, dt) if self.capacitance else 0.0
        return np.asarray(self.offset + self.conductance * bias + self.capacitance * rate)


def bias_rate(bias: Floats, dt: float, width: int = 9) -> Floats:
    """Return dV/dt, (n_t,) V/s, smoothed over ``width`` samples."""
    return np.asarray(np.gradient(_smooth(bias, width), dt))


def background_of(bias: Floats, current: Floats, *, dt: float) -> Background:
    """Fit the background to a part of a record without plasma.

    If the bias is constant there, only the offset is determined and the rest is zero.

    Parameters
    ----------
    bias, current : (n,) float64, V and A
    dt : float
        Sampling interval, s.

    Raises
    ------
    SweepError
        There are fewer than 20 samples.
    """
    good = np.isfinite(bias) & np.isfinite(current)
    if good.sum() < 20:
        raise SweepError(
            f"only {int(good.sum())} samples without plasma; give a longer quiet time, or none"
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
    """Return the capacitance, F, from the difference of up and down ramps at the same bias.

    Compares each up ramp with the adjacent down ramp over the lower half of the bias, where the
    plasma current is small; the median over the pairs is robust against a changing plasma.

    Parameters
    ----------
    bias, current : (n_t,) float64, V and A
    sweeps : Sweeps

    Raises
    ------
    SweepError
        No up ramp is next to a down ramp.
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
            # a line through each ramp corrects for their different samples of the bias
            line = np.polyfit(v[row][inside] - low, i[row][inside], 1)
            mean.append(float(np.polyval(line, 0.25 * (high - low))))
            span = np.nanmax(v[row]) - np.nanmin(v[row])
            duration = (sweeps.stop[row] - sweeps.start[row]) * sweeps.dt
            rate.append(float(sweeps.direction[row]) * span / duration)
        found.append((mean[0] - mean[1]) / (rate[0] - rate[1]))
    if not found:
        raise SweepError("no up ramp next to a down ramp; give the capacitance or a quiet time")
    return float(np.median(found))
