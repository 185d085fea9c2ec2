"""A signal of a shot: a lazy handle that knows everything and reads only what it is asked for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import TimeBaseError, UnitError
from ishtar.means import mean_of, root_sum_square
from ishtar.measured import Measured
from ishtar.signals.align import Method
from ishtar.signals.align import resample as resampled
from ishtar.signals.arrays import array_over, envelope_over
from ishtar.signals.flags import ATTRIBUTES
from ishtar.signals.min_max import BLOCK
from ishtar.signals.provenance import Story
from ishtar.signals.samples import Changes, Sampled
from ishtar.signals.time_base import Along, Counted, TimeBase, in_seconds, lack_of_time, step_text
from ishtar.signals.windows import selected
from ishtar.units import factor

if TYPE_CHECKING:
    import xarray

__all__ = ["Signal", "Story"]

CLIPPING = "which samples are clipped"


class Signal:
    """A signal (or raw channel) of one shot, or a stretch of it.

    Indexing selects and reads no sample: ``s[2.0:2.1]`` by time (s, half-open), ``s[100:200]`` by
    sample. Two whole numbers are samples; one bound that is not makes both of them times. To select
    by time where sampling is irregular, the times are read. ``load``, ``raw``, ``values`` and
    ``envelope`` read.

    Near and far alike: its samples refuse what a copy of the record does not keep.

    Where samples do not lie in time (`x_unit` is not ``"s"``), whatever needs seconds raises
    `TimeBaseError`: ``dt``, ``t0``, ``times()``, ``s[2.0:2.1]``. All else works, by sample.
    """

    def __init__(
        self,
        samples: Sampled,
        story: Story,
        *,
        on_read: Callable[[], None],
        on_raw: Callable[[], None] | None = None,
        tell: Callable[[], Story] | None = None,
    ) -> None:
        self._samples = samples
        self._story = story
        self._on_read = on_read
        self._on_raw = on_raw or on_read
        self._tell = tell
        self._scale = 1.0
        self._window = (0, samples.base.n)

    @property
    def name(self) -> str:
        """The signal's name, or the channel's path."""
        return self._story.signal

    @property
    def unit(self) -> str:
        """Unit of the loaded values."""
        return self._story.unit

    @property
    def time_base(self) -> TimeBase:
        """Where the samples of the record lie in time; `TimeBaseError` where they do not."""
        return in_seconds(self._samples.base, self.name)

    @property
    def lack_of_time(self) -> str | None:
        """Why the samples have no seconds, and what to do; None where they have."""
        return lack_of_time(self._samples.base, self.name)

    @property
    def dt(self) -> float | None:
        """Sampling interval in s; None where sampling is irregular."""
        return self.time_base.dt

    @property
    def t0(self) -> float:
        """Time of the first selected sample, s on the shot's clock."""
        return self._first(self.time_base)

    @property
    def x_unit(self) -> str:
        """What the samples lie along: ``"s"``; another unit, ``"Hz"``; ``""`` only counted."""
        return self._samples.base.unit

    @property
    def x_name(self) -> str:
        """The name of that in loaded arrays: ``time``, ``frequency``, ``x`` or ``sample``."""
        return self._samples.base.dim

    @property
    def x0(self) -> float | None:
        """Where the first selected sample lies, in `x_unit`; None where they are only counted."""
        base = self._samples.base
        if isinstance(base, Counted):
            return None
        return self._first(base.base if isinstance(base, Along) else base)

    def _first(self, base: TimeBase) -> float:
        self._on_raw()  # what is matched by clock has other times when the clock is corrected
        start, stop = self._window
        if stop <= start:
            return float("nan")
        return base.t0 if start == 0 else float(base.times(start, start + 1)[0])

    @property
    def dx(self) -> float | None:
        """How far samples are apart, in `x_unit`; None where irregular, or only counted."""
        return self._samples.base.dx

    @property
    def n(self) -> int:
        """Number of selected samples."""
        return max(self._window[1] - self._window[0], 0)

    @property
    def shape(self) -> tuple[int]:
        """Shape of what `load` would give."""
        return (self.n,)

    @property
    def nbytes(self) -> int:
        """Bytes of the selected samples as recorded."""
        return self.n * self._samples.itemsize

    @property
    def stride(self) -> int:
        """Samples in the shortest stretch that is kept of it; 1: single samples."""
        return self._samples.stride

    @property
    def samples(self) -> Sampled:
        """Where its samples come from, before `to`; formulas are made of these."""
        return self._samples

    def note_read(self) -> None:
        """Record that its samples are read."""
        self._on_read()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, key: slice) -> Signal:
        part = self._twin()
        part._window = selected(key, self._window, self._samples.base, self.name)
        return part

    def _twin(self) -> Signal:
        other = object.__new__(type(self))  # in a fifth of the time that `copy` takes
        other.__dict__ |= self.__dict__
        return other

    def __array__(self, *args: Any, **kwargs: Any) -> NDArray[np.float64]:
        raise TypeError(f"{self.name} is not read yet: take its load() or values()")

    def to(self, unit: str) -> Signal:
        """Return the signal in another unit; nothing is read.

        Raises
        ------
        UnitError
            The unit is unknown, or of another kind.
        """
        try:
            scale = factor(self.unit, unit)
        except UnitError as error:
            raise UnitError(f"{self.name} is not to be had in {unit!r}: {error}") from error
        if unit == self.unit:
            return self
        step = f"y = {scale:.10g} · x, {self._story.shown_unit} → {unit or '1'}"
        other = self._twin()
        other._scale *= scale
        other._story = replace(self._story, unit=unit, steps=(*self._story.steps, step))
        return other

    def _read(self, start: int, stop: int) -> NDArray[np.float64]:
        values = self._samples.read(start, stop)
        return values if self._scale == 1.0 else values * self._scale

    def _sensitive(self, start: int, stop: int) -> tuple[NDArray[np.float64], Changes]:
        samples = self._samples.recorded("the uncertainty of its calibration")
        values, changes = samples.sensitive(start, stop)
        return values * self._scale, {k: c * self._scale for k, c in changes.items()}

    def check(self) -> None:
        """Raise `MissingCalibration` where the signal has none; nothing is read."""
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
            Also the calibration's uncertainty of each sample, see `sigma`.

        Returns
        -------
        xarray.DataArray
            (time,) float64 in `unit`, coordinate ``time`` in s on the shot's clock;
            ``attrs["n_clipped"]`` says how many samples are clipped. With ``sigma`` an
            xarray.Dataset of ``value`` and ``sigma``. Where samples do not lie in time the
            dimension is `x_name`: ``sample`` (their numbers), ``frequency`` (in `x_unit`).

        Raises
        ------
        MissingCalibration
            The device has no calibration at this shot; `raw` reads what was recorded.
        NotKept
            A copy is at hand that keeps no single samples, or no sigma.
        """
        self._on_read()
        if sigma:
            import xarray as xr

            uncertainty = self.sigma()  # first: a copy has none
            return xr.Dataset({"value": self.load(), "sigma": uncertainty})
        values = self._read(*self._window)
        clipped = {} if self._story.precision else {"n_clipped": self.n_clipped}
        return self._array(values, self._story.attributes(self.stride) | clipped)

    def sigma(self) -> xarray.DataArray:
        """Return the one-sigma uncertainty that the calibration gives each selected sample.

        It is common to all samples in large part, and does not average down. To first order: near
        a maximum of a curve, or where a formula divides by nearly nothing, it says too little.

        Returns
        -------
        xarray.DataArray
            (time,) float64 in `unit`; ``attrs["sources"]`` names the uncertain numbers.
            0 where the calibration states none, which ``attrs["uncertainty"]`` says.
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
        attrs = self._story.attributes(self.stride) | named
        return self._array(np.sqrt(found), attrs | {"sources": list(sources)})

    def mean(self) -> Measured:
        """Return the mean of the selected samples with its uncertainty.

        Sigma is the root of the sum of two squares: the standard error by the scatter of the means
        of 16 parts of the stretch (neighbouring samples need not be independent), and the
        calibration's, which is common to all samples and does not average down.

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
            raise TimeBaseError(f"{self.name} has no samples here: select another stretch")
        mean = mean_of(self._sensitive, *self._window)
        sigma = float(np.hypot(mean.error, root_sum_square(mean.changes)))
        return Measured(mean.value, sigma, self.unit)

    def quality(self) -> xarray.DataArray:
        """Return what is wrong with each selected sample.

        Returns
        -------
        xarray.DataArray
            (time,) uint8: 1 clipped at the end of the recorder's range, 2 out of the calibration's
            range, 4 not finite; added where several hold.
        """
        self._on_read()
        samples = self._samples.recorded("what is wrong with single samples")
        facts = {"shot": self._story.shot, "long_name": f"quality of {self.name}"}
        return self._array(samples.flags(*self._window), facts | ATTRIBUTES)

    @property
    def n_clipped(self) -> int:
        """How many selected samples are at an end of the recorder's range.

        Known without reading for a whole record, and where none of it is.
        """
        start, stop = self._window
        samples = self._samples.recorded(CLIPPING)
        stored = samples.n_clipped
        if stored == 0 or self.n == 0:
            return 0
        if stored is not None and self.n == self._samples.base.n:
            return stored
        self._on_raw()
        stretches = ((i, min(i + BLOCK, stop)) for i in range(start, stop, BLOCK))
        return sum(int(samples.clipped(i, j).sum()) for i, j in stretches)

    def resample(self, dt: float, method: Method = "mean") -> xarray.DataArray:
        """Read the selected samples with a new step of ``dt`` s: see `ishtar.align.resample`.

        Parameters
        ----------
        dt : float, s
            New step.
        method : str, optional
            ``mean``, ``linear``, … as for `ishtar.align.resample`.
        """
        return resampled(self, dt, method)

    def raw(self) -> xarray.DataArray:
        """Read the selected samples as they were recorded, without scale or calibration."""
        self._on_raw()
        samples = self._samples.recorded("samples as they were recorded")
        facts = {"shot": self._story.shot, "channel": self._story.channel, "units": "1"}
        return self._array(samples.raw(*self._window), facts)

    def values(self) -> NDArray[np.float64]:
        """Read the selected samples, calibrated, as a plain array (n,) float64."""
        self._on_read()
        return self._read(*self._window)

    def times(self) -> NDArray[np.float64]:
        """Return the times of the selected samples, (n,) float64, s on the shot's clock."""
        self._on_raw()
        return self.time_base.times(*self._window)

    def places(self) -> NDArray[Any]:
        """Return where the selected samples lie, (n,): in `x_unit`, or their numbers."""
        self._on_raw()
        return self._samples.base.places(*self._window)

    def envelope(self, n: int = 2000, *, quality: bool = False) -> xarray.Dataset:
        """Read minimum and maximum over at most ``n`` stretches, from the pyramid.

        Returns
        -------
        xarray.Dataset
            ``min`` and ``max`` (time,) float64 in `unit`; ``time`` is the middle of a stretch, s.
            With ``quality`` also ``clipped`` (time,) bool: whether a stretch holds a sample at the
            end of the recorder's range. Where samples do not lie in time, over `x_name`.
        """
        try:
            n = operator.index(n)
        except TypeError:
            raise TypeError(f"envelope({n!r}): n is a whole number of stretches, 2000") from None
        if n < 1:
            raise ValueError(f"envelope({n}): ask for one stretch at least")
        self._on_read()
        edges, blocks = self._samples.minmax(*self._window, n)
        clipped = self._samples.recorded(CLIPPING).clipped_in(edges, n) if quality else None
        base, attrs = self._samples.base, self._story.attributes(self.stride)
        return envelope_over(base, edges, blocks * self._scale, clipped, attrs)

    @property
    def story(self) -> Story:
        """The signal's story, without noting that anyone has read it."""
        return self._story

    def explain(self) -> Story:
        """Return the signal's story: channel, device, calibration, span, source. Print it."""
        self._on_read()  # who shows the calibration's name depends on the calibration
        if self._tell is None:
            return self._story
        told, here = self._tell(), self._story
        return replace(told, unit=here.unit, steps=(*told.steps, *here.steps))

    def _array(self, values: NDArray[Any], attrs: dict[str, Any]) -> xarray.DataArray:
        return array_over(self._samples.base, self._window, values, self.name, attrs)

    def __repr__(self) -> str:
        s = self._story
        step = step_text(self._samples.base, "dt {:.4g} s")
        via = f", {s.calibration}" if s.calibration else ""
        less = ", scale missing" * bool(s.scale_missing) + ", salvaged" * bool(s.salvaged)
        if s.precision:
            stretches = f"; kept as extremes of {self.stride} samples" * (self.stride > 1)
            less += f", from a site{stretches}"
        return (
            f"<Signal {s.signal} [{s.shown_unit}] of shot {s.shot}: {self.n} samples, "
            f"{step}{via}{less}>"
        )
