"""What a signal reads at a time, with its sigma: scatter and calibration."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import TimeBaseError
from ishtar.measured import Measured
from ishtar.signals.protocols import RecordedSignal
from ishtar.signals.windows import bounds, seconds
from ishtar.units import factor

Time = float | tuple[float, float]
Floats = NDArray[np.float64]

AROUND_S = 5e-3  # to both sides of a single time
AT_LEAST = 5  # samples of a slow channel


def stretch(signal: RecordedSignal, t: Time | None) -> RecordedSignal:
    """Return the part of a signal at a time, at least one sample.

    Parameters
    ----------
    signal : Signal
        Lazy; only the times of an irregular one are read.
    t : float or (float, float) or None
        s: around a time the samples within 5 ms, at least the five nearest; from and until; all.

    Raises
    ------
    TimeBaseError
        A time outside the record, or two in the wrong order.
    """
    if t is None:
        part, when = signal, "any time"
    elif isinstance(t, tuple):
        start, stop = (math.nan if bound is None else bound for bound in bounds(t))
        if not start < stop:
            raise TimeBaseError(f"from {start:g} until {stop:g} s is no time: give t=(2.0, 3.0)")
        part, when = signal[start:stop], f"{start:g} … {stop:g} s"
    else:
        part, when = _around(signal, seconds(t, f"t={t!r}")), f"{t:g} s"
    if not part.n:
        first, last = _ends(signal) if signal.n else (math.nan, math.nan)
        raise TimeBaseError(
            f"{signal.name} has no sample at {when}: it is recorded from {first:.4g} to "
            f"{last:.4g} s, choose a time in it"
        )
    return part


def reading(signal: RecordedSignal, t: Time | None, unit: str) -> Measured:
    """Return the mean of a signal at a time, in ``unit``: see :meth:`ishtar.Signal.mean`.

    Its sigma holds the scatter and the calibration's, which does not average down.
    """
    mean, scale = stretch(signal, t).mean(), factor(signal.unit, unit)
    return Measured(mean.value * scale, mean.sigma * scale, unit)


def gain_and_offset(part: RecordedSignal, values: Floats) -> tuple[float, float]:
    """Return a calibration's sigma as one of gain (a share) and one of offset (signal's unit).

    σ² = offset² + (gain · x)², from the samples of least and largest magnitude of ``values``, what
    ``part`` reads.
    """
    size = np.where(np.isfinite(values), np.abs(values), np.nan)
    if not np.isfinite(size).any():
        return 0.0, 0.0
    low, high = int(np.nanargmin(size)), int(np.nanargmax(size))
    s0, s1 = (float(part[k : k + 1].sigma().values[0]) for k in (low, high))
    x0, x1 = float(size[low]), float(size[high])
    if x1 <= x0:
        return (s1 / x1, 0.0) if x1 else (0.0, s1)
    gain2 = max((s1**2 - s0**2) / (x1**2 - x0**2), 0.0)
    return math.sqrt(gain2), math.sqrt(max(s0**2 - gain2 * x0**2, 0.0))


def _around(signal: RecordedSignal, t: float) -> RecordedSignal:
    part = signal[t - AROUND_S : t + AROUND_S]
    if part.n >= AT_LEAST or not signal.n:
        return part
    first, last = _ends(signal)
    step = (last - first) / max(signal.n - 1, 1)
    if not first - step <= t <= last + step:
        return part
    start = min(max(signal[:t].n - AT_LEAST // 2, 0), max(signal.n - AT_LEAST, 0))
    return signal[start : start + AT_LEAST]


def _ends(signal: RecordedSignal) -> tuple[float, float]:
    return signal.t0, signal[signal.n - 1 : signal.n].t0
