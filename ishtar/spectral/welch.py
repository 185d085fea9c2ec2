"""Power spectral densities by Welch's method, in constant memory.

SciPy's short-time Fourier transform subtracts the mean from each of the overlapping segments,
tapers and transforms it; this module averages the squares and computes their uncertainty. Densities
are one-sided: their integral over frequency is the mean square of the signal. Segments are
processed in batches, so that a memory-mapped trace may have any length.

Reference: P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967).
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError

if TYPE_CHECKING:
    import xarray as xr
    from scipy.signal import ShortTimeFFT

__all__ = ["BadSpectrum", "spectrogram", "spectrum"]

Floats = NDArray[np.float64]
_BATCH = 1 << 21  # samples transformed at once


class BadSpectrum(IshtarError, ValueError):
    """Samples or settings that allow no spectrum."""


def _attributes(stft: ShortTimeFFT, window: str, k: int) -> dict[str, Any]:
    """Return the attributes of a spectrum averaged over ``k`` segments.

    ``k`` overlapping segments are equivalent to ``averages`` independent ones (Welch 1967). A sine
    of amplitude A in noise of density S is measured with σ_A² = S · ``line_hz`` and
    σ_f² = (S/A²) · ``line_hz3``: to first order only the noise in phase (in quadrature) with it
    matters, weighted by the sum of all squared windows w² (of their slopes w w'/π).
    """
    dt, w = stft.T, stft.win
    whole = float(np.sum(w**2)) * k
    correlation = _overlapped(w, stft.hop, k) / np.dot(w, w)
    power = k * _both_sides(_overlapped(w**2, stft.hop, k), k)
    bend = k * _both_sides(_overlapped(w * np.gradient(w), stft.hop, k), k)
    return {
        "window": window,
        "segment": stft.m_num,
        "step": stft.hop,
        "n_segments": k,
        "averages": k / _both_sides(correlation**2, k),
        "sample_rate_hz": stft.fs,
        "spacing_hz": stft.delta_f,
        # equivalent noise bandwidth of the window
        "resolution_hz": float(np.sum(w**2) / np.sum(w) ** 2 / dt),
        "line_hz": power / (dt * whole**2),
        "line_hz3": max(bend, 0.0) / (math.pi**2 * dt**3 * whole**2),
    }


def _overlapped(pulse: Floats, step: int, k: int) -> Floats:
    """Return Σ pulse(t) pulse(t + j step) for j = 0, 1, … as far as ``k`` segments overlap."""
    lags = range(0, min(k * step, pulse.size), step)
    return np.array([np.dot(pulse[: pulse.size - lag], pulse[lag:]) for lag in lags])


def _both_sides(lagged: Floats, k: int) -> float:
    """Return Σ over lags of both signs, each weighted by the share of segments that has it."""
    share = 1.0 - np.arange(lagged.size) / k
    return float(lagged[0] + 2.0 * np.dot(share[1:], lagged[1:]))


def spectrum(
    values: ArrayLike,
    dt: float,
    *,
    unit: str = "",
    segment: int | None = None,
    overlap: float = 0.5,
    window: str = "hann",
) -> xr.Dataset:
    """Return the power spectral density and the amplitude spectrum of a signal.

    Parameters
    ----------
    values : array_like
        (n,), real, regularly sampled, finite.
    dt : float
        Sampling interval, s.
    unit : str
        Of the values; the density has ``unit^2/Hz``.
    segment : int, optional
        Samples per segment: longer segments give a finer resolution (``resolution_hz``) and more
        noise. By default the power of two up to n/8, at least 256 and at most 2²⁰ (all n if there
        are fewer than 256).
    overlap : float
        Of neighbouring segments, 0 … 0.95.
    window : str
        SciPy's name (``"hann"``, ``"blackmanharris"``, ``"flattop"``, ``"boxcar"`` …).

    Returns
    -------
    xarray.Dataset
        Over ``frequency``, Hz: ``psd``; ``psd_sigma``, its one-sigma psd/√averages for Gaussian
        noise; ``amplitude``, that of a sine in the middle of a bin (between two bins a Hann window
        reads up to 15 % low; `find_lines` corrects it). Attributes: window, segment, step,
        n_segments, averages (independent ones), sample_rate_hz, spacing_hz (of bins), resolution_hz
        (noise bandwidth of the window), line_hz, line_hz3 (see ``find_lines``).

    Raises
    ------
    BadSpectrum
        Samples that are too few or not finite, or invalid settings.
    """
    import xarray as xr

    x = _samples(values)
    size = _default_segment(x.size) if segment is None else segment
    stft = _transform(x.size, dt, size, overlap, window)
    k = _count(x.size, stft)
    (psd,) = _averaged(x, stft, [0, k])
    attrs = _attributes(stft, window, k)
    squared = f"({unit})^2/Hz" if unit else "1/Hz"
    frequency = ("frequency", stft.f, {"units": "Hz"})
    data = {
        "psd": (psd, squared),
        "psd_sigma": (psd / math.sqrt(attrs["averages"]), squared),
        "amplitude": (np.sqrt(2.0 * psd * attrs["resolution_hz"]), unit),
    }
    arrays = {k: ("frequency", v, {"units": u}) for k, (v, u) in data.items()}
    return xr.Dataset(arrays, coords={"frequency": frequency}, attrs={"unit": unit, **attrs})


def spectrogram(
    values: ArrayLike,
    dt: float,
    *,
    t0: float = 0.0,
    unit: str = "",
    segment: int | None = None,
    overlap: float = 0.5,
    window: str = "hann",
    columns: int = 400,
) -> xr.Dataset:
    """Return the power spectral density over time.

    If there are more segments than ``columns``, neighbours are averaged: all samples of a long
    trace are used.

    Parameters
    ----------
    values, dt, unit, overlap, window
        As in :func:`spectrum`.
    t0 : float
        Time of the first sample, s.
    segment : int, optional
        Samples per segment; by default the power of two next to 2√n.
    columns : int
        Maximum number of times.

    Returns
    -------
    xarray.Dataset
        ``psd`` (``time``, ``frequency``) at the middle times of the averaged segments. Attributes
        as in :func:`spectrum`; averages is that of the column with the fewest.

    Raises
    ------
    BadSpectrum
        Samples that are too few or not finite, or invalid settings.
    """
    import xarray as xr

    if columns < 1:
        raise BadSpectrum(f"columns={columns}: use 1 or more")
    x = _samples(values)
    default = min(x.size, 1 << round(math.log2(2.0 * math.sqrt(x.size))))
    size = default if segment is None else segment
    stft = _transform(x.size, dt, size, overlap, window)
    k = _count(x.size, stft)
    edges = np.linspace(0, k, min(columns, k) + 1).round().astype(np.int64)
    psd = _averaged(x, stft, edges)
    middle = 0.5 * (edges[:-1] + edges[1:] - 1) * stft.hop + 0.5 * (stft.m_num - 1)
    return xr.Dataset(
        {"psd": (("time", "frequency"), psd, {"units": f"({unit})^2/Hz" if unit else "1/Hz"})},
        coords={
            "time": ("time", t0 + dt * middle, {"units": "s"}),
            "frequency": ("frequency", stft.f, {"units": "Hz"}),
        },
        attrs={"unit": unit, **_attributes(stft, window, int(np.diff(edges).min()))},
    )


def column_densities(
    strips: Iterable[ArrayLike],
    n: int,
    dt: float,
    *,
    unit: str,
    segment: int,
    window: str,
) -> xr.Dataset:
    """Return the power spectral density of each of several strips of ``n`` samples.

    Returns
    -------
    xarray.Dataset
        ``psd`` (``column``, ``frequency``) with the attributes of :func:`spectrum`.
    """
    import xarray as xr

    stft = _transform(n, dt, segment, 0.5, window)
    k = _count(n, stft)
    psd = np.concatenate([_averaged(_samples(x), stft, [0, k]) for x in strips])
    units = f"({unit})^2/Hz" if unit else "1/Hz"
    return xr.Dataset(
        {"psd": (("column", "frequency"), psd, {"units": units})},
        coords={"frequency": ("frequency", stft.f, {"units": "Hz"})},
        attrs={"unit": unit, **_attributes(stft, window, k)},
    )


def _samples(values: ArrayLike) -> NDArray[Any]:
    x = np.asanyarray(values)
    if x.ndim != 1 or x.size < 8 or not np.isrealobj(x):
        raise BadSpectrum(
            f"values have dtype {x.dtype} and shape {x.shape}: give at least 8 real samples, (n,)"
        )
    return x


def _default_segment(n: int) -> int:
    if n < 256:
        return n
    return min(max(256, 1 << int(math.log2(n / 8))), 1 << 20)


def _transform(n: int, dt: float, segment: int, overlap: float, window: str) -> ShortTimeFFT:
    from scipy.signal import ShortTimeFFT, get_window

    if not (math.isfinite(dt) and dt > 0.0):
        raise BadSpectrum(f"the sampling interval is {dt} s: give a positive `dt` in s")
    if not 8 <= segment <= n:
        raise BadSpectrum(f"a segment of {segment} samples does not fit {n}: use 8 … {n}")
    if not 0.0 <= overlap <= 0.95:
        raise BadSpectrum(f"overlap is {overlap}: use 0 … 0.95")
    try:
        taper = get_window(window, segment)
    except ValueError as error:
        raise BadSpectrum(f"unknown window {window!r}: use 'hann'") from error
    step = max(1, round(segment * (1.0 - overlap)))
    # onesided2X: all but 0 and the Nyquist frequency include the negative frequencies
    return ShortTimeFFT(
        taper, step, 1.0 / dt, fft_mode="onesided2X", scale_to="psd", phase_shift=None
    )


def _count(n: int, stft: ShortTimeFFT) -> int:
    """Return the number of complete segments."""
    return int(1 + (n - stft.m_num) // stft.hop)


def _averaged(x: NDArray[Any], stft: ShortTimeFFT, edges: ArrayLike) -> Floats:
    """Return the mean densities of the segments from each edge to the next, (n, n_frequency)."""
    counts = np.diff(edges)
    column = np.repeat(np.arange(counts.size), counts)
    total = np.zeros((counts.size, stft.f_pts))
    batch = max(1, _BATCH // stft.m_num)
    for first in range(0, column.size, batch):
        present, starts = np.unique(column[first : first + batch], return_index=True)
        count = min(batch, column.size - first)
        start = first * stft.hop
        part = np.asarray(x[start : start + (count - 1) * stft.hop + stft.m_num], float)
        if not np.all(np.isfinite(part)):
            i = start + int(np.flatnonzero(~np.isfinite(part))[0])
            raise BadSpectrum(f"sample {i} is not finite: remove or interpolate such samples")
        # with the offset, the first segment begins (rather than is centred) at the first sample
        power = stft.spectrogram(part, detr=_level, p0=0, p1=count, k_offset=stft.m_num_mid)
        total[present] += np.add.reduceat(power.T, starts, axis=0)
    return np.asarray(total / counts[:, None])


def _level(segment: Floats) -> Floats:
    return np.asarray(segment - segment.mean())  # SciPy's "constant" is three times slower
