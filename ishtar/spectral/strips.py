"""A spectrogram of a record of any length: of all samples, or of equidistant strips.

An oscilloscope record of several GB has more samples than a figure can show and takes minutes to
transform. Of such a record, one strip is read per column, at equal distances; the result states the
share of the record that was read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from ishtar.spectral.welch import BadSpectrum, column_densities, spectrogram

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["even_stretches", "spectrogram_of"]

IN_FULL = 1 << 22  # samples; 32 MB of float64


class Samples(Protocol):
    """The part of `ishtar.signals.lazy_signal.Signal` that a spectrogram needs."""

    @property
    def n(self) -> int:
        """Number of samples."""
        ...

    @property
    def dt(self) -> float | None:
        """Sampling interval, s; None for irregular sampling."""
        ...

    @property
    def t0(self) -> float:
        """Time of the first sample, s."""
        ...

    @property
    def unit(self) -> str:
        """Unit of the values."""
        ...

    def __getitem__(self, key: slice) -> Samples:
        """Select samples."""
        ...

    def values(self) -> NDArray[np.float64]:
        """Read the selected samples."""
        ...


def even_stretches(n: int, *, length: int, count: int) -> tuple[tuple[int, int], ...]:
    """Return at most ``count`` equidistant, disjoint strips of ``length`` samples in a record.

    Parameters
    ----------
    n : int
        Samples of the record.
    length : int
        Samples of a strip.
    count : int
        Number of strips; fewer if they do not fit.

    Returns
    -------
    tuple of (int, int)
        First sample of each strip and the first after it. The first strip begins at sample 0, the
        last ends at ``n``. Empty if the record is shorter than a strip.
    """
    m = min(count, n // length)
    if m < 1:
        return ()
    first = np.linspace(0, n - length, m).astype(np.int64) if m > 1 else np.zeros(1, np.int64)
    return tuple((int(a), int(a) + length) for a in first)


def spectrogram_of(
    signal: Samples,
    *,
    segment: int,
    columns: int = 200,
    averages: int = 2,
    in_full: int = IN_FULL,
    window: str = "hann",
) -> xr.Dataset:
    """Return the power spectral density of a signal over time, in constant memory and time.

    Parameters
    ----------
    signal : Signal
        Regularly sampled, of any length; only the required samples are read.
    segment : int
        Samples per Fourier transform; a shorter signal is refused.
    columns : int
        Maximum number of times.
    averages : int
        Segments (half overlapping) averaged per column of a long record: a strip has
        ``segment · (averages + 1)/2`` samples.
    in_full : int
        Records of at most this many samples are transformed in full.
    window : str
        SciPy's name of the window.

    Returns
    -------
    xarray.Dataset
        As :func:`~ishtar.spectral.spectrogram`; the attribute ``covered`` is the share of the
        record that was read.

    Raises
    ------
    BadSpectrum
        Irregular sampling, too few samples, or samples that are not finite.
    """
    if signal.dt is None:
        raise BadSpectrum("a spectrum needs regular sampling: resample the signal first")
    if columns < 1 or averages < 1:
        raise BadSpectrum(f"columns={columns}, averages={averages}: use 1 or more of both")
    length = segment + (averages - 1) * (segment - segment // 2)
    strips = even_stretches(signal.n, length=length, count=columns)
    if signal.n <= in_full or not strips:
        whole = spectrogram(
            signal.values(),
            signal.dt,
            t0=signal.t0,
            unit=signal.unit,
            segment=segment,
            window=window,
            columns=columns,
        )
        return whole.assign_attrs(covered=1.0)
    found = column_densities(
        (signal[a:b].values() for a, b in strips),
        length,
        signal.dt,
        unit=signal.unit,
        segment=segment,
        window=window,
    )
    time = signal.t0 + signal.dt * (np.array(strips).sum(axis=1) - 1) / 2
    found = found.rename(column="time").assign_coords(time=("time", time, {"units": "s"}))
    return found.assign_attrs(covered=len(strips) * length / signal.n)
