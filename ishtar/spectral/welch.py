"""Power spectral densities by Welch's method, in constant memory.

The signal is cut into overlapping segments, each loses its mean, is tapered by a window and Fourier
transformed; the squares are averaged. Densities are one-sided: their integral over frequency is the
mean square of the signal. Segments are taken in batches, so that a memory-mapped trace of any
length can be given.

Reference: P. D. Welch, IEEE Trans. Audio Electroacoust. 15, 70 (1967).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ishtar.errors import IshtarError

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["BadSpectrum", "spectrogram", "spectrum"]

Floats = NDArray[np.float64]
_BATCH = 1 << 21  # samples that are transformed at once


class BadSpectrum(IshtarError, ValueError):
    """Samples or settings from which no spectrum can be made."""


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How a trace is cut."""

    n: int
    dt: float
    segment: int
    step: int
    window: str
    taper: Floats

    @property
    def n_segments(self) -> int:
        return 1 + (self.n - self.segment) // self.step

    @property
    def spacing(self) -> float:
        """Distance of two bins, Hz."""
        return 1.0 / (self.segment * self.dt)

    @property
    def frequencies(self) -> Floats:
        return np.asarray(np.fft.rfftfreq(self.segment, self.dt), np.float64)

    def overlapped(self, pulse: Floats, k: int) -> Floats:
        """Return Σ pulse(t) pulse(t + j step) for j = 0, 1, … as far as ``k`` segments overlap."""
        last = min(k - 1, (self.segment - 1) // self.step)
        lags = [j * self.step for j in range(last + 1)]
        return np.array([np.dot(pulse[: pulse.size - lag], pulse[lag:]) for lag in lags])

    def averages(self, k: int) -> float:
        """Return how many independent segments ``k`` overlapping ones are worth (Welch 1967)."""
        rho = (self.overlapped(self.taper, k) / np.dot(self.taper, self.taper)) ** 2
        return k / float(_both_sides(rho, k))

    def facts(self, k: int) -> dict[str, Any]:
        """Return what a reader of averages over ``k`` segments has to know, for attributes.

        A sine of amplitude A in noise of density S is measured with σ_A² = S · ``line_hz`` and
        σ_f² = (S/A²) · ``line_hz3``: to first order only the noise in phase (in quadrature) with it
        counts, seen through the sum of all squared windows w² (of their slopes w w'/π).
        """
        w2 = self.taper**2
        slope = self.taper * np.gradient(self.taper)
        whole = float(w2.sum()) * k
        power = k * float(_both_sides(self.overlapped(w2, k), k))
        bend = k * float(_both_sides(self.overlapped(slope, k), k))
        return {
            "window": self.window,
            "segment": self.segment,
            "step": self.step,
            "n_segments": k,
            "averages": self.averages(k),
            "sample_rate_hz": 1.0 / self.dt,
            "spacing_hz": self.spacing,
            "resolution_hz": self.noise_bandwidth,
            "line_hz": power / (self.dt * whole**2),
            "line_hz3": max(bend, 0.0) / (math.pi**2 * self.dt**3 * whole**2),
        }

    @property
    def noise_bandwidth(self) -> float:
        """Width of a box that lets through as much noise as the window, Hz."""
        return float(np.sum(self.taper**2) / np.sum(self.taper) ** 2 / self.dt)


def _both_sides(lagged: Floats, k: int) -> float:
    """Return Σ over lags of both signs, each with the share of the k segments that has it."""
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
        Of the values; the density gets ``unit^2/Hz``.
    segment : int, optional
        Samples of a segment: the longer, the finer in frequency (``resolution_hz``) and noisier.
        By default the power of two up to n/8, at least 256 and at most 2²⁰ (all n if there are
        fewer than 256).
    overlap : float
        Of neighbouring segments, 0 … 0.95.
    window : str
        As scipy names it (``"hann"``, ``"blackmanharris"``, ``"flattop"``, ``"boxcar"`` …).

    Returns
    -------
    xarray.Dataset
        Over ``frequency``, Hz: ``psd``; ``psd_sigma``, its one-sigma psd/√averages, the noise being
        Gaussian; ``amplitude``, that of a sine in the middle of a bin (between two bins a Hann
        window shows up to 15 % less: `find_lines` corrects it). Attributes: window, segment, step,
        n_segments, averages (independent ones), sample_rate_hz, spacing_hz (of bins), resolution_hz
        (noise bandwidth of the window), line_hz, line_hz3 (see ``find_lines``).

    Raises
    ------
    BadSpectrum
        Samples that are not finite or too few, or settings that do not fit.
    """
    import xarray as xr

    x = _samples(values)
    size = _default_segment(x.size) if segment is None else segment
    plan = _plan(x.size, dt, size, overlap, window)
    psd = _mean_power(x, plan)
    facts = plan.facts(plan.n_segments)
    squared = f"({unit})^2/Hz" if unit else "1/Hz"
    frequency = ("frequency", plan.frequencies, {"units": "Hz"})
    data = {
        "psd": (psd, squared),
        "psd_sigma": (psd / math.sqrt(facts["averages"]), squared),
        "amplitude": (np.sqrt(2.0 * psd * plan.noise_bandwidth), unit),
    }
    arrays = {k: ("frequency", v, {"units": u}) for k, (v, u) in data.items()}
    return xr.Dataset(arrays, coords={"frequency": frequency}, attrs={"unit": unit, **facts})


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

    Where there are more segments than ``columns``, neighbours are averaged: no sample is left out
    of a long trace.

    Parameters
    ----------
    values, dt, unit, overlap, window
        As in :func:`spectrum`.
    t0 : float
        Time of the first sample, s.
    segment : int, optional
        Samples of a segment; by default the power of two next to 2√n.
    columns : int
        At most so many times.

    Returns
    -------
    xarray.Dataset
        ``psd`` (``time``, ``frequency``), the times being the middles of what was averaged.
        Attributes as in :func:`spectrum`, averages being those of the column with the fewest.
    """
    import xarray as xr

    if columns < 1:
        raise BadSpectrum(f"a spectrogram of {columns} columns is none: use 1 or more")
    x = _samples(values)
    default = min(x.size, 1 << round(math.log2(2.0 * math.sqrt(x.size))))
    size = default if segment is None else segment
    plan = _plan(x.size, dt, size, overlap, window)
    k = plan.n_segments
    m = min(columns, k)
    edges = np.linspace(0, k, m + 1).round().astype(np.int64)
    counts = np.diff(edges)
    column = np.repeat(np.arange(m), counts)
    psd = np.zeros((m, plan.segment // 2 + 1))
    done = 0
    for power in _powers(x, plan):
        np.add.at(psd, column[done : done + len(power)], power)
        done += len(power)
    psd /= counts[:, None]
    middle = 0.5 * (edges[:-1] + edges[1:] - 1) * plan.step + 0.5 * (plan.segment - 1)
    return xr.Dataset(
        {"psd": (("time", "frequency"), psd, {"units": f"({unit})^2/Hz" if unit else "1/Hz"})},
        coords={
            "time": ("time", t0 + dt * middle, {"units": "s"}),
            "frequency": ("frequency", plan.frequencies, {"units": "Hz"}),
        },
        attrs={"unit": unit, **plan.facts(int(counts.min()))},
    )


def column_densities(
    stretches: Iterable[ArrayLike],
    n: int,
    dt: float,
    *,
    unit: str,
    segment: int,
    window: str,
) -> xr.Dataset:
    """Return the power spectral density of each of several stretches of ``n`` samples.

    Returns
    -------
    xarray.Dataset
        ``psd`` (``column``, ``frequency``) with the attributes of :func:`spectrum`.
    """
    import xarray as xr

    plan = _plan(n, dt, segment, 0.5, window)
    psd = np.stack([_mean_power(_samples(x), plan) for x in stretches])
    units = f"({unit})^2/Hz" if unit else "1/Hz"
    return xr.Dataset(
        {"psd": (("column", "frequency"), psd, {"units": units})},
        coords={"frequency": ("frequency", plan.frequencies, {"units": "Hz"})},
        attrs={"unit": unit, **plan.facts(plan.n_segments)},
    )


def _mean_power(x: NDArray[Any], plan: _Plan) -> Floats:
    total = np.zeros(plan.segment // 2 + 1)
    for power in _powers(x, plan):
        total += power.sum(axis=0)
    return total / plan.n_segments


def _samples(values: ArrayLike) -> NDArray[Any]:
    x = np.asanyarray(values)
    if x.ndim != 1 or x.size < 8 or not np.isrealobj(x):
        raise BadSpectrum(
            f"a spectrum needs at least 8 real samples in one row, not {x.dtype} {x.shape}"
        )
    return x


def _default_segment(n: int) -> int:
    if n < 256:
        return n
    return min(max(256, 1 << int(math.log2(n / 8))), 1 << 20)


def _plan(n: int, dt: float, segment: int, overlap: float, window: str) -> _Plan:
    from scipy.signal import get_window

    if not (math.isfinite(dt) and dt > 0.0):
        raise BadSpectrum(f"a sampling interval of {dt} s does not exist: give `dt` in s")
    if not 8 <= segment <= n:
        raise BadSpectrum(f"a segment of {segment} samples does not fit {n}: use 8 … {n}")
    if not 0.0 <= overlap <= 0.95:
        raise BadSpectrum(f"an overlap of {overlap} does not work: use 0 … 0.95")
    try:
        taper = np.asarray(get_window(window, segment), float)
    except ValueError as error:
        raise BadSpectrum(f"there is no window {window!r}: use 'hann'") from error
    step = max(1, round(segment * (1.0 - overlap)))
    return _Plan(n=n, dt=dt, segment=segment, step=step, window=window, taper=taper)


def _powers(x: NDArray[Any], plan: _Plan) -> Iterator[Floats]:
    """Yield one-sided densities of batches of segments, (n_batch, n_frequency)."""
    from scipy.fft import rfft

    scale = np.full(plan.segment // 2 + 1, 2.0 * plan.dt / np.sum(plan.taper**2))
    scale[0] *= 0.5  # zero and the Nyquist frequency have no twin at negative frequencies
    if plan.segment % 2 == 0:
        scale[-1] *= 0.5
    batch = max(1, _BATCH // plan.segment)
    for first in range(0, plan.n_segments, batch):
        count = min(batch, plan.n_segments - first)
        start = first * plan.step
        stop = start + (count - 1) * plan.step + plan.segment
        part = np.asarray(x[start:stop], float)
        if not np.all(np.isfinite(part)):
            i = start + int(np.flatnonzero(~np.isfinite(part))[0])
            raise BadSpectrum(f"sample {i} is not finite: cut such samples out or fill them in")
        rows = np.lib.stride_tricks.sliding_window_view(part, plan.segment)[:: plan.step]
        rows = (rows - rows.mean(axis=1, keepdims=True)) * plan.taper
        waves = rfft(rows, axis=1)
        yield (waves.real**2 + waves.imag**2) * scale
