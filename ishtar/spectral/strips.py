"""A spectrogram of a record of any length: in full where it is short, else from stretches of it.

A scope's record of several GB holds more than a figure can show and takes minutes to transform. Of
such a record, stretches at equal distances are read, one for each column; the rest is left out, and
the result says how much was looked at.
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
    """What is needed of a signal: `ishtar.signals.signal.Signal` has it."""

    @property
    def n(self) -> int:
        """Number of samples."""
        ...

    @property
    def dt(self) -> float | None:
        """Sampling interval, s; None where sampling is irregular."""
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
    """Return at most ``count`` stretches of ``length`` samples, evenly over ``n``, without overlap.

    The first begins at sample 0, the last ends at ``n``; a record that they would fill is cut into
    as many as fit. One that is shorter than a stretch has none.
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
        Regularly sampled, of any length; only what is needed is read.
    segment : int
        Samples of a Fourier transform; a shorter signal is refused.
    columns : int
        At most so many times.
    averages : int
        Segments (half overlapping) that are averaged for a column of a long record: the stretch
        that is read for it has ``segment · (averages + 1)/2`` samples.
    in_full : int
        Records of at most so many samples are transformed in full.
    window : str
        As scipy names it.

    Returns
    -------
    xarray.Dataset
        As :func:`~ishtar.spectral.spectrogram` gives it; the attribute ``covered`` is the share of
        the record that was read.

    Raises
    ------
    BadSpectrum
        Irregular sampling, too few samples, samples that are not finite.
    """
    if signal.dt is None:
        raise BadSpectrum("a spectrum needs regular sampling: resample the signal first")
    if columns < 1 or averages < 1:
        raise BadSpectrum(f"{columns} columns of {averages} averages make none: use 1 or more")
    length = segment + (averages - 1) * (segment - segment // 2)
    pieces = even_stretches(signal.n, length=length, count=columns)
    if signal.n <= in_full or not pieces:
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
        (signal[a:b].values() for a, b in pieces),
        length,
        signal.dt,
        unit=signal.unit,
        segment=segment,
        window=window,
    )
    time = signal.t0 + signal.dt * (np.array(pieces).sum(axis=1) - 1) / 2
    found = found.rename(column="time").assign_coords(time=("time", time, {"units": "s"}))
    return found.assign_attrs(covered=len(pieces) * length / signal.n)
