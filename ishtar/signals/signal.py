"""A signal of a shot: a lazy handle that knows everything and reads only what it is asked for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import TimeBaseError, UnitError
from ishtar.quantity import Measured, mean_of, root_sum_square
from ishtar.signals.align import Method
from ishtar.signals.align import resample as resampled
from ishtar.signals.arrays import array_over, envelope_over
from ishtar.signals.flags import ATTRIBUTES
from ishtar.signals.min_max import BLOCK
from ishtar.signals.provenance import Story
from ishtar.signals.samples import Sampled, ScaledSamples
from ishtar.signals.time_base import Along, Counted, TimeBase, in_seconds, lack_of_time, step_text
from ishtar.signals.windows import slice_bound
from ishtar.units import factor

if TYPE_CHECKING:
    import xarray


__all__ = ["Signal", "Story"]


class Signal:
    """A signal (or raw channel) of one shot, or a stretch of it.

    Indexing selects and reads no sample: ``s[2.0:2.1]`` by time (s, half-open), ``s[100:200]`` by
    sample. Two whole numbers are samples; one bound that is not makes both of them times. To select
    by time where sampling is irregular, the times are read. ``load``, ``raw``, ``values`` and
    ``envelope`` read.

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
        window: tuple[int, int] | None = None,
    ) -> None:
        self._samples = samples
        self._story = story
        self._on_read = on_read
        self._on_raw = on_raw or on_read
        self._window = (0, samples.base.n) if window is None else window

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
    def samples(self) -> Sampled:
        """Where its samples come from; formulas are made of these."""
        return self._samples

    def note_read(self) -> None:
        """Record that its samples are read."""
        self._on_read()

    def __len__(self) -> int:
        return self.n

    def __getitem__(self, key: slice) -> Signal:
        if not isinstance(key, slice):
            raise TypeError(f"{self.name}[{key!r}]: select a stretch, s[2.0:2.1] or s[100:200]")
        if key.step is not None:
            raise TypeError(f"{self.name}: a slice has no step; load() and decimate")
        base, (start, stop) = self._samples.base, self._window
        bounds = [b for b in (key.start, key.stop) if b is not None]
        if all(isinstance(b, int | np.integer) for b in bounds):
            first, last, _ = key.indices(self.n)
            window = (start + first, start + max(first, last))
        else:
            t = [None if b is None else slice_bound(b, self.name) for b in (key.start, key.stop)]
            clock = in_seconds(base, self.name)
            first, last = (
                edge if bound is None else clock.index(bound)
                for edge, bound in zip((start, stop), t, strict=True)
            )
            first = min(max(first, start), stop)
            window = (first, max(first, min(last, stop)))
        return Signal(
            self._samples,
            self._story,
            on_read=self._on_read,
            on_raw=self._on_raw,
            window=window,
        )

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
        return Signal(
            ScaledSamples(self._samples, scale),
            replace(self._story, unit=unit, steps=(*self._story.steps, step)),
            on_read=self._on_read,
            on_raw=self._on_raw,
            window=self._window,
        )

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
        """
        self._on_read()
        if sigma:
            import xarray as xr

            return xr.Dataset({"value": self.load(), "sigma": self.sigma()})
        values = self._samples.read(*self._window)
        return self._array(values, self._attributes() | {"n_clipped": self.n_clipped})

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
            _, changes = self._samples.sensitive(i, min(i + BLOCK, stop))
            sources |= dict.fromkeys(changes)
            for change in changes.values():
                found[i - start : i - start + BLOCK] += change**2
        attrs = self._attributes() | {"long_name": f"one sigma of the calibration of {self.name}"}
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
        mean = mean_of(self._samples.sensitive, *self._window)
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
        facts = {"shot": self._story.shot, "long_name": f"quality of {self.name}"}
        return self._array(self._samples.flags(*self._window), facts | ATTRIBUTES)

    @property
    def n_clipped(self) -> int:
        """How many selected samples are at an end of the recorder's range.

        Known without reading for a whole record, and where none of it is.
        """
        start, stop = self._window
        stored = self._samples.n_clipped
        if stored == 0 or self.n == 0:
            return 0
        if stored is not None and self.n == self._samples.base.n:
            return stored
        self._on_raw()
        stretches = ((i, min(i + BLOCK, stop)) for i in range(start, stop, BLOCK))
        return sum(int(self._samples.clipped(i, j).sum()) for i, j in stretches)

    def resample(self, dt: float, method: Method = "mean") -> xarray.DataArray:
        """Read the selected samples with a new step of ``dt`` s: see `ishtar.align.resample`."""
        return resampled(self, dt, method)

    def raw(self) -> xarray.DataArray:
        """Read the selected samples as they were recorded, without scale or calibration."""
        self._on_raw()
        facts = {"shot": self._story.shot, "channel": self._story.channel, "units": "1"}
        return self._array(self._samples.raw(*self._window), facts)

    def values(self) -> NDArray[np.float64]:
        """Read the selected samples, calibrated, as a plain array (n,) float64."""
        self._on_read()
        return self._samples.read(*self._window)

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
        clipped = self._samples.clipped_in(edges, n) if quality else None
        return envelope_over(self._samples.base, edges, blocks, clipped, self._attributes())

    @property
    def story(self) -> Story:
        """The signal's story, without noting that anyone has read it."""
        return self._story

    def explain(self) -> Story:
        """Return the signal's story: channel, device, calibration, span, source. Print it."""
        self._on_read()  # who shows the calibration's name depends on the calibration
        return self._story

    def _attributes(self) -> dict[str, Any]:
        s = self._story
        facts = {
            "channel": s.channel,
            "device": s.device,
            "calibration": s.calibration,
            "derived": s.derived,
            "uncertainty": s.uncertainty,
            "scale_missing": s.scale_missing,
            "salvaged": s.salvaged,
        }
        known = {name: value for name, value in facts.items() if value}
        return {"shot": s.shot, "long_name": s.description or s.signal, "units": s.unit} | known

    def _array(self, values: NDArray[Any], attrs: dict[str, Any]) -> xarray.DataArray:
        return array_over(self._samples.base, self._window, values, self.name, attrs)

    def __repr__(self) -> str:
        s = self._story
        step = step_text(self._samples.base, "dt {:.4g} s")
        via = f", {s.calibration}" if s.calibration else ""
        less = ", scale missing" * bool(s.scale_missing) + ", salvaged" * bool(s.salvaged)
        return (
            f"<Signal {s.signal} [{s.shown_unit}] of shot {s.shot}: {self.n} samples, "
            f"{step}{via}{less}>"
        )
