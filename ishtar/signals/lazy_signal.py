"""A signal of a shot: a lazy handle that reads samples only on request."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import TimeBaseError, UnitError
from ishtar.quantity import Measured, mean_of, root_sum_square
from ishtar.signals.alignment import Method
from ishtar.signals.alignment import resample as resampled
from ishtar.signals.arrays import array_over, envelope_over
from ishtar.signals.flags import ATTRIBUTES
from ishtar.signals.min_max import BLOCK
from ishtar.signals.provenance import Provenance
from ishtar.signals.samples import Changes, Samples
from ishtar.signals.time_base import Along, Counted, TimeBase, in_seconds, step_text, time_problem
from ishtar.signals.windows import selected
from ishtar.units import factor

if TYPE_CHECKING:
    import xarray

__all__ = ["Signal"]

CLIPPING = "which samples are clipped"


class Signal:
    """A signal (or raw channel) of one shot, or a selection of its samples.

    Indexing selects without reading samples: ``s[2.0:2.1]`` by time (s, half-open), ``s[100:200]``
    by sample number. If either bound is not an integer, both are times. Selecting by time from an
    irregular signal reads its times. ``load``, ``raw``, ``values`` and ``envelope`` read samples.

    Signals of workspaces and of published sites behave alike, except that a site raises `NotKept`
    for what it does not keep.

    If the samples have no times (`x_unit` is not ``"s"``), members that need seconds raise
    `TimeBaseError`: ``dt``, ``t0``, ``times()``, ``s[2.0:2.1]``. The others work by sample number.
    """

    def __init__(
        self,
        samples: Samples,
        provenance: Provenance,
        *,
        on_read: Callable[[], None],
        on_raw: Callable[[], None] | None = None,
        explain: Callable[[], Provenance] | None = None,
    ) -> None:
        self._samples = samples
        self._provenance = provenance
        self._on_read = on_read
        self._on_raw = on_raw or on_read
        self._explain = explain
        self._scale = 1.0
        self._window = (0, samples.base.n)

    @property
    def name(self) -> str:
        """The signal's name, or the channel's path."""
        return self._provenance.signal

    @property
    def unit(self) -> str:
        """Unit of the loaded values."""
        return self._provenance.unit

    @property
    def time_base(self) -> TimeBase:
        """The times of the record's samples; raises `TimeBaseError` if there are none."""
        return in_seconds(self._samples.base, self.name)

    @property
    def time_problem(self) -> str | None:
        """Why the samples have no times in seconds, and what to do; None if they have."""
        return time_problem(self._samples.base, self.name)

    @property
    def dt(self) -> float | None:
        """Sampling interval in s; None if sampling is irregular."""
        return self.time_base.dt

    @property
    def t0(self) -> float:
        """Time of the first selected sample, s on the shot's clock."""
        return self._first(self.time_base)

    @property
    def x_unit(self) -> str:
        """Unit of the axis: ``"s"``, another one such as ``"Hz"``, or ``""`` if only counted."""
        return self._samples.base.unit

    @property
    def x_name(self) -> str:
        """Name of the axis in loaded arrays: ``time``, ``frequency``, ``x`` or ``sample``."""
        return self._samples.base.dim

    @property
    def x0(self) -> float | None:
        """Position of the first selected sample, in `x_unit`; None if samples are only counted."""
        base = self._samples.base
        if isinstance(base, Counted):
            return None
        return self._first(base.base if isinstance(base, Along) else base)

    def _first(self, base: TimeBase) -> float:
        self._on_raw()  # times of channels that are matched by clock change with its correction
        start, stop = self._window
        if stop <= start:
            return float("nan")
        return base.t0 if start == 0 else float(base.times(start, start + 1)[0])

    @property
    def dx(self) -> float | None:
        """Distance between samples, in `x_unit`; None if irregular, or only counted."""
        return self._samples.base.dx

    @property
    def n(self) -> int:
        """Number of selected samples."""
        return max(self._window[1] - self._window[0], 0)

    @property
    def shape(self) -> tuple[int]:
        """Shape of the array that `load` would return."""
        return (self.n,)

    @property
    def nbytes(self) -> int:
        """Bytes of the selected samples as recorded."""
        return self.n * self._samples.itemsize

    @property
    def stride(self) -> int:
        """Samples in the smallest block that is kept; 1 for single samples."""
        return self._samples.stride

    @property
    def samples(self) -> Samples:
        """The source of the samples, before conversion by `to`; formulas use these."""
        return self._samples

    def note_read(self) -> None:
        """Record that the samples are read."""
        self._on_read()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, key: slice) -> Signal:
        part = self._copy()
        part._window = selected(key, self._window, self._samples.base, self.name)
        return part

    def _copy(self) -> Signal:
        other = object.__new__(type(self))  # five times faster than `copy.copy`
        other.__dict__ |= self.__dict__
        return other

    def __array__(self, *args: Any, **kwargs: Any) -> NDArray[np.float64]:
        raise TypeError(f"{self.name} is not read yet: use its load() or values()")

    def to(self, unit: str) -> Signal:
        """Return the signal in another unit, without reading samples.

        Parameters
        ----------
        unit : str
            Unit of the same dimension, ``"mA"``.

        Returns
        -------
        Signal
            The same samples in ``unit``.

        Raises
        ------
        UnitError
            The unit is unknown, or of another dimension.
        """
        try:
            scale = factor(self.unit, unit)
        except UnitError as error:
            raise UnitError(f"{self.name} cannot be converted to {unit!r}: {error}") from error
        if unit == self.unit:
            return self
        step = f"y = {scale:.10g} · x, {self._provenance.shown_unit} → {unit or '1'}"
        other = self._copy()
        other._scale *= scale
        other._provenance = replace(
            self._provenance, unit=unit, steps=(*self._provenance.steps, step)
        )
        return other

    def _read(self, start: int, stop: int) -> NDArray[np.float64]:
        values = self._samples.read(start, stop)
        return values if self._scale == 1.0 else values * self._scale

    def _sensitive(self, start: int, stop: int) -> tuple[NDArray[np.float64], Changes]:
        samples = self._samples.recorded("the uncertainty of its calibration")
        values, changes = samples.sensitive(start, stop)
        return values * self._scale, {k: c * self._scale for k, c in changes.items()}

    def check(self) -> None:
        """Raise `MissingCalibration` if there is none, without reading samples."""
        self._samples.check()

    @overload
    def load(self, *, sigma: Literal[False] = False) -> xarray.DataArray: ...

    @overload
    def load(self, *, sigma: Literal[True]) -> xarray.Dataset: ...

    def load(self, *, sigma: bool = False) -> xarray.DataArray | xarray.Dataset:
        """Read the selected samples, calibrated.

        Parameters
        ----------
        sigma : bool
            Also return the calibration's uncertainty of each sample, see `sigma`.

        Returns
        -------
        xarray.DataArray
            (time,) float64 in `unit`, coordinate ``time`` in s on the shot's clock;
            ``attrs["n_clipped"]`` is the number of clipped samples. With ``sigma`` an
            xarray.Dataset of ``value`` and ``sigma``. If the samples have no times, the dimension
            is `x_name`: ``sample`` (their numbers), ``frequency`` (in `x_unit`).

        Raises
        ------
        MissingCalibration
            The device has no calibration at this shot; `raw` reads the recorded samples.
        NotKept
            The signal is of a published site, which does not keep its single samples, or no sigma.
        """
        self._on_read()
        if sigma:
            import xarray as xr

            uncertainty = self.sigma()  # first, as it raises `NotKept` for a published site
            return xr.Dataset({"value": self.load(), "sigma": uncertainty})
        values = self._read(*self._window)
        clipped = {} if self._provenance.precision else {"n_clipped": self.n_clipped}
        return self._array(values, self._provenance.attributes(self.stride) | clipped)

    def sigma(self) -> xarray.DataArray:
        """Return the calibration's one-sigma uncertainty of each selected sample.

        It is largely common to all samples and does not average down. It is first order, so too
        small near a maximum of a curve, or where a formula divides by a value near zero.

        Returns
        -------
        xarray.DataArray
            (time,) float64 in `unit`; ``attrs["sources"]`` names the uncertain numbers. 0 if the
            calibration states no uncertainty; ``attrs["uncertainty"]`` then says so.
        """
        self._on_read()
        start, stop = self._window
        found = np.zeros(self.n)
        sources: dict[str, None] = {}
        for i in range(start, stop, BLOCK):
            _, changes = self._sensitive(i, min(i + BLOCK, stop))
            sources |= dict.fromkeys(changes)
            for change in changes.values():
                found[i - start : i - start + BLOCK] += change**2
        named = {"long_name": f"one sigma of the calibration of {self.name}"}
        attrs = self._provenance.attributes(self.stride) | named
        return self._array(np.sqrt(found), attrs | {"sources": list(sources)})

    def mean(self) -> Measured:
        """Return the mean of the selected samples with its uncertainty.

        Sigma is the root sum square of two uncertainties. The statistical one is the standard error
        from the scatter of the means of 16 parts (neighbouring samples may be correlated). The
        calibration's is common to all samples and does not average down.

        Returns
        -------
        Measured
            In `unit`; NaN where a sample is not finite. The sigma of one sample is NaN.

        Raises
        ------
        TimeBaseError
            Nothing is selected.
        """
        self._on_read()
        if not self.n:
            self._samples.check()
            raise TimeBaseError(f"{self.name} has no samples here: select another interval")
        mean = mean_of(self._sensitive, *self._window)
        sigma = float(np.hypot(mean.error, root_sum_square(mean.changes)))
        return Measured(mean.value, sigma, self.unit)

    def quality(self) -> xarray.DataArray:
        """Return the quality flags of the selected samples.

        Returns
        -------
        xarray.DataArray
            (time,) uint8, sum of: 1 clipped at a limit of the recorder's range, 2 outside the
            calibration's range, 4 not finite.
        """
        self._on_read()
        samples = self._samples.recorded("the quality flags of single samples")
        facts = {"shot": self._provenance.shot, "long_name": f"quality of {self.name}"}
        return self._array(samples.flags(*self._window), facts | ATTRIBUTES)

    @property
    def n_clipped(self) -> int:
        """Number of selected samples at a limit of the recorder's range.

        Nothing is read for a whole record, or if none of its samples is clipped.
        """
        start, stop = self._window
        samples = self._samples.recorded(CLIPPING)
        stored = samples.n_clipped
        if stored == 0 or self.n == 0:
            return 0
        if stored is not None and self.n == self._samples.base.n:
            return stored
        self._on_raw()
        blocks = ((i, min(i + BLOCK, stop)) for i in range(start, stop, BLOCK))
        return sum(int(samples.clipped(i, j).sum()) for i, j in blocks)

    def resample(self, dt: float, method: Method = "mean") -> xarray.DataArray:
        """Read the selected samples with a new step of ``dt`` s: see `ishtar.align.resample`.

        Parameters
        ----------
        dt : float, s
            New step.
        method : str, optional
            ``"mean"``, ``"linear"`` or ``"nearest"``.

        Returns
        -------
        xarray.DataArray
            (time,) float64 in `unit`.
        """
        return resampled(self, dt, method)

    def raw(self) -> xarray.DataArray:
        """Read the selected samples as recorded, without scale or calibration.

        Returns
        -------
        xarray.DataArray
            (time,) in the dtype of the raw file.
        """
        self._on_raw()
        samples = self._samples.recorded("samples as they were recorded")
        facts = {"shot": self._provenance.shot, "channel": self._provenance.channel, "units": "1"}
        return self._array(samples.raw(*self._window), facts)

    def values(self) -> NDArray[np.float64]:
        """Read the selected samples, calibrated, as a NumPy array, (n,) float64, in `unit`."""
        self._on_read()
        return self._read(*self._window)

    def times(self) -> NDArray[np.float64]:
        """Return the times of the selected samples, (n,) float64, s on the shot's clock."""
        self._on_raw()
        return self.time_base.times(*self._window)

    def places(self) -> NDArray[Any]:
        """Return the positions of the selected samples, (n,), in `x_unit`, or their numbers."""
        self._on_raw()
        return self._samples.base.places(*self._window)

    def envelope(self, n: int = 2000, *, quality: bool = False) -> xarray.Dataset:
        """Read minima and maxima over at most ``n`` intervals, from the pyramid.

        Parameters
        ----------
        n : int
            Maximum number of intervals.
        quality : bool
            Also return which intervals contain clipped samples.

        Returns
        -------
        xarray.Dataset
            ``min`` and ``max`` (time,) float64 in `unit`; ``time`` is the middle of an interval, s.
            With ``quality`` also ``clipped`` (time,) bool: whether an interval has a sample at a
            limit of the recorder's range. If the samples have no times, over `x_name`.

        Raises
        ------
        TypeError, ValueError
            ``n`` is not a whole number, or less than 1.
        """
        try:
            n = operator.index(n)
        except TypeError:
            raise TypeError(f"envelope({n!r}): n is a whole number of intervals, 2000") from None
        if n < 1:
            raise ValueError(f"envelope({n}): ask for at least one interval")
        self._on_read()
        edges, blocks = self._samples.minmax(*self._window, n)
        clipped = self._samples.recorded(CLIPPING).clipped_in(edges, n) if quality else None
        base, attrs = self._samples.base, self._provenance.attributes(self.stride)
        return envelope_over(base, edges, blocks * self._scale, clipped, attrs)

    @property
    def provenance(self) -> Provenance:
        """The signal's provenance, without recording that it was read."""
        return self._provenance

    def explain(self) -> Provenance:
        """Return the signal's provenance: channel, device, calibration, span, source.

        Returns
        -------
        Provenance
            Printing it shows a line for each.
        """
        self._on_read()  # a report that shows the calibration's name depends on the calibration
        if self._explain is None:
            return self._provenance
        full, own = self._explain(), self._provenance
        return replace(full, unit=own.unit, steps=(*full.steps, *own.steps))

    def _array(self, values: NDArray[Any], attrs: dict[str, Any]) -> xarray.DataArray:
        return array_over(self._samples.base, self._window, values, self.name, attrs)

    def __repr__(self) -> str:
        s = self._provenance
        step = step_text(self._samples.base, "dt {:.4g} s")
        via = f", {s.calibration}" if s.calibration else ""
        notes = ", scale missing" * bool(s.scale_missing) + ", salvaged" * bool(s.salvaged)
        if s.precision:
            kept = f"; kept as min/max of {self.stride} samples" * (self.stride > 1)
            notes += f", from a site{kept}"
        return (
            f"<Signal {s.signal} [{s.shown_unit}] of shot {s.shot}: {self.n} samples, "
            f"{step}{via}{notes}>"
        )
