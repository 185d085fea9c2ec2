"""A signal of a shot: a lazy handle that knows everything and reads only what it is asked for."""

from __future__ import annotations

import operator
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ishtar.sampled import Sampled

if TYPE_CHECKING:
    import xarray


@dataclass(frozen=True, kw_only=True)
class Story:
    """Where a signal's numbers come from, for people and for receipts."""

    signal: str
    shot: int
    unit: str
    channel: str = ""
    device: str = ""
    calibration: str = ""
    span: str = ""
    source: str = ""
    derived: str = ""
    description: str = ""
    reference: str = ""
    steps: tuple[str, ...] = ()
    parts: tuple[Story, ...] = ()
    assumed: str = ""

    @property
    def shown_unit(self) -> str:
        """The unit for people: ``1`` where it is none, and said where nobody states one."""
        states_none = not (self.unit or self.calibration or self.derived)
        return "no unit stated" if states_none else self.unit or "1"

    def __str__(self) -> str:
        lines = [f"{self.signal} of shot {self.shot} [{self.shown_unit}]"]
        if self.description:
            lines[0] += f" — {self.description}"
        facts = {
            "derived": self.derived,
            "channel": self.channel,
            "assumed": self.assumed,
            "device": self.device,
            "calibration": self.calibration,
            "valid for shots": self.span,
            "equations": "; ".join(self.steps),
            "reference": self.reference,
            "source": self.source,
        }
        lines += [f"  {name:<16}{value}" for name, value in facts.items() if value]
        for part in self.parts:
            lines += ["  " + line for line in str(part).splitlines()]
        return "\n".join(lines)


class Signal:
    """A signal (or raw channel) of one shot, or a stretch of it.

    Indexing selects and reads no sample: ``s[2.0:2.1]`` by time (s, half-open), ``s[100:200]`` by
    sample. Two whole numbers are samples; one bound that is not makes both of them times. To select
    by time where sampling is irregular, the times are read. ``load``, ``raw``, ``values`` and
    ``envelope`` read.
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
    def dt(self) -> float | None:
        """Sampling interval in s; None where sampling is irregular."""
        return self._samples.base.dt

    @property
    def t0(self) -> float:
        """Time of the first selected sample, s on the shot's clock."""
        base, (start, stop) = self._samples.base, self._window
        if stop <= start:
            return float("nan")
        return base.t0 if start == 0 else float(base.times(start, start + 1)[0])

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
            first = start if key.start is None else base.index(self._time(key.start))
            last = stop if key.stop is None else base.index(self._time(key.stop))
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

    def _time(self, bound: Any) -> float:
        try:
            if not isinstance(bound, str):
                return float(bound)
        except (TypeError, ValueError):
            pass
        raise TypeError(f"{self.name}: {bound!r} is no time; give seconds, s[2.0:2.1]")

    def load(self) -> xarray.DataArray:
        """Read the selected samples, calibrated.

        Returns
        -------
        xarray.DataArray
            (time,) float64 in `unit`, coordinate ``time`` in s on the shot's clock.
        """
        self._on_read()
        return self._array(self._samples.read(*self._window), self._attributes())

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
        return self._samples.base.times(*self._window)

    def envelope(self, n: int = 2000) -> xarray.Dataset:
        """Read minimum and maximum over at most ``n`` stretches, from the pyramid.

        Returns
        -------
        xarray.Dataset
            ``min`` and ``max`` (time,) float64 in `unit`; ``time`` is the middle of a stretch.
        """
        import xarray as xr

        n = operator.index(n)
        if n < 1:
            raise ValueError(f"envelope({n}): ask for one stretch at least")
        self._on_read()
        edges, blocks = self._samples.minmax(*self._window, n)
        base = self._samples.base
        if base.dt is not None:
            time = base.t0 + base.dt * (edges[:-1] + edges[1:] - 1) / 2
        else:
            all_times = base.times(0, base.n)
            time = (all_times[edges[:-1]] + all_times[edges[1:] - 1]) / 2
        attrs = self._attributes()
        return xr.Dataset(
            {"min": ("time", blocks[:, 0], attrs), "max": ("time", blocks[:, 1], attrs)},
            coords={"time": ("time", time, {"units": "s"})},
            attrs=attrs,
        )

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
        }
        known = {name: value for name, value in facts.items() if value}
        return {"shot": s.shot, "long_name": s.description or s.signal, "units": s.unit} | known

    def _array(self, values: NDArray[Any], attrs: dict[str, Any]) -> xarray.DataArray:
        import xarray as xr

        start, stop = self._window
        base = self._samples.base
        if base.dt is not None and stop > start:
            from xarray.indexes import RangeIndex

            t0 = float(base.t0 + base.dt * start)
            index = RangeIndex.linspace(
                t0, t0 + base.dt * (stop - start), stop - start, endpoint=False, dim="time"
            )
            coords: Any = xr.Coordinates.from_xindex(index)
        else:
            coords = {"time": base.times(start, stop)}
        array = xr.DataArray(values, dims="time", coords=coords, name=self.name, attrs=attrs)
        array["time"].attrs["units"] = "s"
        return array

    def __repr__(self) -> str:
        s = self._story
        step = "irregular" if self.dt is None else f"dt {self.dt:.4g} s"
        via = f", {s.calibration}" if s.calibration else ""
        return (
            f"<Signal {s.signal} [{s.shown_unit}] of shot {s.shot}: {self.n} samples, {step}{via}>"
        )
