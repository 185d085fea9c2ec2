"""Narrow-band pick-up in the residual of a fit.

RF of a generator, sampled far below its frequency, appears as a sine of some low frequency. If its
period is longer than a bin it does not average out, but its spectral line can be detected.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

# Noise alone exceeds 40 times the median power once in some 1e9 frequencies.
_THRESHOLD = 40.0
_SLOWEST = 6  # periods in a sweep; a slower line is degenerate with the characteristic
_NEIGHBOURS = 14
_WIDTH = 3


def find_line(residual: Floats, window: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the rows of ``residual`` with a narrow line, and its frequency in periods per row.

    Parameters
    ----------
    residual : (n, k) float64
    window : (n, k) or (1, k) float64
        Weight of the samples; the shorter it is, the broader a line.
    """
    n, k = residual.shape
    none = np.empty(0, np.intp), np.empty(0)
    if k < 8 * (_SLOWEST + _NEIGHBOURS):
        return none
    power = np.abs(np.fft.rfft(residual * window, axis=1)) ** 2
    usable = power.shape[1] - 1
    # width of a line relative to that of a Hann window
    reach = window.sum(1) ** 2 / np.maximum((window * window).sum(1), 1e-300)
    broad = np.broadcast_to(np.maximum(np.ceil(0.66 * k / np.maximum(reach, 1.0)), 1.0), (n,))
    from_slowest = np.arange(usable) >= (_SLOWEST * broad)[:, None]
    peak = np.argmax(np.where(from_slowest, power[:, :usable], -1.0), axis=1)
    rows = np.arange(n)
    # relative to the neighbourhood, where the tail of a model error is as high as under the peak
    offsets = np.concatenate(
        [np.arange(-_NEIGHBOURS, -_WIDTH + 1), np.arange(_WIDTH, _NEIGHBOURS + 1)]
    )
    around = (peak[:, None] + broad[:, None] * offsets).astype(np.intp)
    # fold frequencies beyond the ends of the spectrum back
    around = np.clip(np.abs(around), 2, None)
    around = np.where(around > usable, np.maximum(2 * usable - around, 2), around)
    floor = np.median(power[rows[:, None], around], axis=1)
    fits = (_SLOWEST * broad < 0.8 * usable) & (power[rows, peak] > 0.0)
    found = rows[fits & (power[rows, peak] > _THRESHOLD * np.maximum(floor, 1e-300))]
    if not found.size:
        return none
    p = np.clip(peak[found], 1, usable - 1)
    # the logarithm of the main lobe is nearly a parabola
    left, mid, right = (np.log(power[found, p + d] + 1e-300) for d in (-1, 0, 1))
    bend = np.minimum(left - 2.0 * mid + right, -1e-12)
    return found, p + np.clip(0.5 * (left - right) / bend, -0.5, 0.5)


@dataclass(frozen=True, kw_only=True)
class Pickup:
    """Sinusoidal pick-up of some sweeps, in the order of time.

    ``rows`` (m,) of the sweeps; ``current`` (m, k) A, pick-up on the current; ``bias`` (m, k) V,
    sheath voltage minus recorded voltage.
    """

    rows: NDArray[np.intp]
    current: Floats
    bias: Floats


def find_pickup(residual: Floats, slope: Floats, rounds: int = 3) -> Pickup | None:
    """Return the sinusoidal pick-up in the residual of a fit; None if there is none.

    Parameters
    ----------
    residual : (n, k) float64, A
        Current minus fitted current, in the order of time.
    slope : (n, k) float64, A/V
        dI/dV at each sample: pick-up on the current has a constant amplitude, pick-up on the bias
        one proportional to the slope. Both are fitted.
    rounds : int
        Maximum number of lines per sweep.
    """
    n, k = residual.shape
    hann = (0.5 - 0.5 * np.cos(2.0 * np.pi * (np.arange(k) + 0.5) / k))[None, :]
    top = np.maximum(np.abs(slope).max(1, keepdims=True), 1e-300)
    steep = slope / top
    flat = volts = np.empty((0, 0))
    hit = np.zeros(n, bool)
    for by_slope in (False, True):
        # pick-up on the bias is visible only where the curve is steep
        rows = np.arange(n)
        rest = residual - flat - slope * volts if hit.any() else residual
        for _ in range(rounds):
            found, frequency = find_line(rest, steep[rows] if by_slope else hann)
            if not found.size:
                break
            # only sweeps with a line are searched for another
            rows, rest = rows[found], rest[found]
            cosine, sine, a = _fit_line(rest, steep[rows], frequency)
            if not flat.size:
                flat, volts = np.zeros_like(residual), np.zeros_like(residual)
            added = a[:, 0, None] * cosine + a[:, 1, None] * sine
            shift = (a[:, 2, None] * cosine + a[:, 3, None] * sine) / top[rows]
            rest = rest - added - slope[rows] * shift
            flat[rows] += added
            volts[rows] += shift
            hit[rows] = True
    which = np.flatnonzero(hit)
    return Pickup(rows=which, current=flat[which], bias=volts[which]) if which.size else None


def _fit_line(rest: Floats, steep: Floats, frequency: Floats) -> tuple[Floats, Floats, Floats]:
    """Return cosine, sine (n, k) and their amplitudes (n, 4): constant, then by the slope."""
    k = rest.shape[1]
    time = np.arange(k) - 0.5 * k
    turn = 2.0 * np.pi / k
    for last in (False, True):
        phase = turn * frequency[:, None] * time
        c, s = np.cos(phase), np.sin(phase)
        columns = [c, s, steep * c, steep * s]
        if not last:
            basis = np.stack(columns, axis=1)
            a = _least_squares(basis, rest)
            # one Gauss-Newton step in frequency: the peak of a spectrum is accurate to some
            # hundredths of a period, which is not enough at the ends of the sweep
            cosine, sine = (a[:, i, None] + a[:, i + 2, None] * steep for i in (0, 1))
            drift = turn * time * (sine * c - cosine * s)
            a = _least_squares(np.concatenate([basis, drift[:, None, :]], axis=1), rest)
            frequency = frequency + np.clip(a[:, 4], -0.5, 0.5)
    basis = np.stack(columns, axis=1)
    return c, s, _least_squares(basis, rest)


def _least_squares(basis: Floats, data: Floats) -> Floats:
    """Return the coefficients (n, p) of ``basis`` (n, p, k) that fit ``data`` (n, k)."""
    normal = np.matmul(basis, basis.transpose(0, 2, 1))
    size = np.sqrt(np.maximum(np.einsum("npp->np", normal), 1e-300))
    normal = normal / (size[:, :, None] * size[:, None, :])
    p = basis.shape[1]
    normal[:, range(p), range(p)] += 1e-9
    right = np.matmul(basis, data[:, :, None])[:, :, 0] / size
    return np.asarray(np.linalg.solve(normal, right[:, :, None])[:, :, 0] / size)
