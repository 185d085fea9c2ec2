"""The noise of a sweep, estimated from its own scatter, and the resulting errors of the bins."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ishtar.langmuir.bins import Bins, SortedSamples, bin_of_rank
from ishtar.langmuir.model import LN_TE, Probe, model
from ishtar.langmuir.outliers import filled, neighbour_medians

Floats = NDArray[np.float64]

_ODD = 4.0  # standard deviations of a bin's variance
_MIN_DOF = 5  # degrees of freedom for a single bin's variance to be meaningful


def noise_components(scatter: Floats, dof: Floats, slope: Floats) -> tuple[Floats, Floats]:
    """Split the scatter of each sweep into current noise and voltage noise.

    Fits ``scatter = σ_I² + slope² σ_V²`` with both parts ≥ 0: noise of the amplifier, and ripple
    between probe and plasma, which matters where the characteristic is steep. A bin that scatters
    far more than this and than its neighbours is ignored; if all of them scatter more, as from
    density fluctuations, that is noise.

    Parameters
    ----------
    scatter, dof, slope : (n, m) float64, A², 1, A/V

    Returns
    -------
    current_variance, voltage_variance : (n,) float64, A², V²
    """
    s2 = slope * slope
    known = dof > 0
    # the relative standard deviation of a variance is √(2/dof)
    odd = 1.0 + _ODD * np.sqrt(2.0 / np.maximum(dof, 1.0))
    alone = _stands_out(scatter, known, odd) & (dof >= _MIN_DOF)
    mean = (scatter * dof).sum(1) / np.maximum(dof.sum(1), 1.0)
    total = np.maximum(mean, 1e-100)
    expected = np.broadcast_to(total[:, None], scatter.shape)
    a, b = total, np.zeros_like(total)
    for _ in range(6):
        # the variance of a variance is 2 σ⁴/dof
        w = np.where(known & ~(alone & (scatter > odd * expected)), dof, 0.0) / expected**2
        weight = np.maximum(w.sum(1), 1e-300)
        w = w / weight[:, None]
        unit = np.maximum((w * s2).sum(1), 1e-300)
        s = s2 / unit[:, None]
        m_s, m_y = (w * s).sum(1), (w * scatter).sum(1)
        m_ss, m_sy = (w * s * s).sum(1), (w * s * scatter).sum(1)
        det = m_ss - m_s * m_s
        apart = det > 1e-3 * m_ss  # otherwise one bin has all the weight and there is no slope
        slope_part = np.where(apart, (m_sy - m_s * m_y) / np.where(apart, det, 1.0), 0.0)
        # ignore insignificant ripple: it would only reduce the weight of the steep part
        error = np.sqrt(2.0 / np.maximum(weight * np.where(apart, det, 1.0), 1e-300))
        slope_part = np.where(slope_part > 2.0 * error, slope_part, 0.0)
        flat = m_y - slope_part * m_s
        only_slope = m_sy / np.maximum(m_ss, 1e-300)
        b = np.where(flat < 0.0, only_slope, slope_part)
        a = np.maximum(flat, 0.0)
        expected = a[:, None] + b[:, None] * s
        expected = np.maximum(expected, 1e-3 * total[:, None])
        b = b / unit
    return a, b


def _stands_out(scatter: Floats, known: NDArray[np.bool_], factor: Floats) -> NDArray[np.bool_]:
    """Return which bins, (n, m), scatter more than ``factor`` times as much as both neighbours."""
    log = filled(np.log(np.maximum(scatter, 1e-300)), known)
    above = log - np.maximum(*neighbour_medians(log))
    return np.asarray(above > np.log(factor))


def bin_sigma(bins: Bins, noise2: Floats, ripple2: Floats, slope: Floats, step: float) -> Floats:
    """Return the standard deviation of each bin's mean, A; infinite for an empty bin.

    Noise averages down. Rounding by the recorder averages down only if noise or slope move the
    current over its steps; otherwise up to step/√12 remains.
    """
    sample = noise2[:, None] + slope * slope * ripple2[:, None]
    stuck = stuck_variance(sample, slope * slope * bins.spread, step)
    floor = (1e-7 * np.ptp(bins.current, axis=1)[:, None]) ** 2
    sigma = np.sqrt(
        np.maximum(sample, step * step / 12.0) / np.maximum(bins.count, 1) + stuck + floor
    )
    return np.where(bins.count > 0, sigma, np.inf)


def stuck_variance(sample: Floats, moved: Floats, step: float) -> Floats:
    """Return the variance that rounding to ``step`` leaves in a mean over many samples, A².

    Noise (``sample``, A², including step²/12 from rounding) and the variance of the curve
    (``moved``, A²) act as dither: the error is step/√12 without them and falls as
    exp(−2π² σ²/step²).
    """
    if step <= 0.0:
        return np.zeros_like(sample)
    q2 = step * step / 12.0
    return np.asarray(q2 * _stuck(np.maximum(sample - q2, 0.0) + moved, step))


def undithered_part(noise: Floats, step: float) -> Floats:
    """Return the part of the rounding error that averaging does not remove, for a given noise.

    The noise includes that of rounding. 1 without noise, near 0 from half a step of noise on.
    """
    if step <= 0.0:
        return np.zeros_like(noise)
    return np.sqrt(_stuck(np.maximum(noise * noise - step * step / 12.0, 0.0), step))


def _stuck(dither: Floats, step: float) -> Floats:
    return np.asarray(np.exp(-4.0 * math.pi**2 * dither / step**2))


def residual_of(
    samples: SortedSamples, bins: Bins, theta: Floats, probe: Probe
) -> tuple[Floats, Floats, Floats]:
    """Return the residual and slope of the fit at each sample, and the slope in each bin.

    Inside a bin the curve is approximated by a parabola, to evaluate the model once per bin.

    Returns
    -------
    residual : (n, k) float64, A
    slope_of_sample : (n, k) float64, A/V
    slope : (n, m) float64, A/V
    """
    value, _, slope = model(theta, bins.bias, bins.spread, probe)
    # limit the curvature to that of the exponential, also if two bins have the same bias
    most = slope * np.exp(-theta[:, LN_TE, None])
    bend = np.gradient(slope, axis=1) / np.maximum(np.gradient(bins.bias, axis=1), 1e-9)
    bend = np.clip(bend, -most, most)
    at = bin_of_rank(bins.edges, samples.bias.shape[1])

    def here(values: Floats) -> Floats:
        return np.asarray(np.take_along_axis(values, at, 1))

    away = samples.bias - here(bins.bias)
    each = here(slope)
    expected = here(value - 0.5 * bend * bins.spread) + away * (each + 0.5 * away * here(bend))
    return np.where(samples.present, samples.current - expected, 0.0), each, slope
