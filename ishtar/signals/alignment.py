"""Bring signals onto a common time base, only when asked to.

Methods for the value at time ``t``:

``linear``   interpolates between the two samples around ``t``. Changes faster than the new step
             are aliased.
``nearest``  takes the sample nearest to ``t``, the earlier of two at the same distance.
``mean``     averages over the bin around ``t``, which reaches half way to the times before and
             after. Each sample covers one sampling interval centred on it, so the average of all
             bins is the average of all samples.

The result is NaN where a signal has no samples: before its first and after its last sample, in bins
that its record covers only in part, and in bins with a sample that is not finite.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import TimeBaseError, UnitError
from ishtar.signals.protocols import AnySignal
from ishtar.signals.time_base import step_text
from ishtar.signals.windows import seconds

if TYPE_CHECKING:
    import xarray

Array = NDArray[np.float64]
Method = Literal["linear", "nearest", "mean"]

METHODS = ("linear", "nearest", "mean")
BLOCK = 1 << 20  # samples in memory at a time
NEAR = 1e-6  # tolerance for equal positions, samples
MAX_TIMES = 1 << 28  # of a result: 2 GB a signal


def align(
    signals: Sequence[AnySignal],
    *,
    dt: float | None = None,
    t: Any = None,
    method: Method | Mapping[str, Method] = "linear",
) -> xarray.Dataset:
    """Bring signals, of one shot or of several, onto one time base.

    Parameters
    ----------
    signals : sequence of ishtar.Signal
        Signals or selections of them, ``shot["Lang_I"][2.0:3.0]``; each name once per shot.
    dt : float, optional
        Step in s. The times are its multiples, from the earliest sample of all to the latest.
    t : array_like (n_t,), optional
        Instead of ``dt``: the times, ascending, s on the shot's clock.
    method : str or mapping
        ``"linear"``, ``"nearest"`` or ``"mean"``; or a mapping from the signal's name to one of
        them, linear for all others.

    Returns
    -------
    xarray.Dataset
        A variable for each name: (time,) float64, or (shot, time) for signals of several shots.
        NaN where a signal has no samples; ``attrs["overlap"]`` is the interval in which all have
        samples, s.

    Raises
    ------
    TimeBaseError
        The times are invalid, bins are narrower than a signal's sampling interval, or a signal has
        no times in seconds.
    UnitError
        A signal has different units at different shots.
    """
    import xarray as xr

    one = isinstance(signals, str | Mapping) or _is_signal(signals)
    if one or not all(map(_is_signal, signals)):
        raise TypeError('align takes a list of signals, [shot["Lang_I"], shot["Ngas_P"]]')
    if not signals:
        raise TimeBaseError("no signals to align: give at least one")
    for signal in signals:
        signal.time_base  # noqa: B018  refuses what has no seconds
    times = _times(signals, dt, t)
    shots = sorted({s.provenance.shot for s in signals})
    found: dict[str, dict[int, AnySignal]] = {}
    for signal in signals:
        of_shot = found.setdefault(signal.name, {})
        if signal.provenance.shot in of_shot:
            raise TimeBaseError(
                f"{signal.name} of shot {signal.provenance.shot} is given twice: give it once, or "
                "align its selections separately"
            )
        of_shot[signal.provenance.shot] = signal
    variables = {}
    for name, of_shot in found.items():
        how = method if isinstance(method, str) else method.get(name, "linear")
        rows = [
            _onto(of_shot[n], times, dt, how) if n in of_shot else np.full(len(times), np.nan)
            for n in shots
        ]
        data = rows[0] if len(shots) == 1 else np.stack(rows)
        dims = ("time",) if len(shots) == 1 else ("shot", "time")
        variables[name] = (dims, data, _attributes(list(of_shot.values())) | {"method": how})
    _known_names(method, found)
    coords: dict[str, Any] = {"time": ("time", times, {"units": "s"})}
    if len(shots) > 1:
        coords["shot"] = shots
    starts, ends = zip(*(_extent(s) for s in signals if s.n), strict=True)
    attrs = {
        "overlap": [float(max(starts)), float(min(ends))],
        "outside": "NaN where a signal has no samples",
    } | ({"shot": shots[0]} if len(shots) == 1 else {})
    return xr.Dataset(variables, coords=coords, attrs=attrs)


def resample(signal: AnySignal, dt: float, method: Method = "mean") -> xarray.DataArray:
    """Return a signal with a new step; the method ``mean`` suppresses aliasing.

    Parameters
    ----------
    signal : ishtar.Signal
        Signal or selection of one.
    dt : float
        Step in s; the times are its multiples within the record.
    method : str
        ``"mean"``, ``"linear"`` or ``"nearest"``.

    Returns
    -------
    xarray.DataArray
        (time,) float64 in the signal's unit.
    """
    import xarray as xr

    times = _times([signal], dt, None)
    values = _onto(signal, times, dt, method)
    if method == "mean":  # drop the bins that the record covers only in part
        whole = _covered(signal, _edges(times, dt))
        times, values = times[whole], values[whole]
    attrs = _attributes([signal]) | {"method": f"{method}, dt = {dt:g} s"}
    return xr.DataArray(
        values,
        dims="time",
        coords={"time": ("time", times, {"units": "s"})},
        name=signal.name,
        attrs=attrs,
    )


# --- times ---------------------------------------------------------------------------------------


def _times(signals: Sequence[AnySignal], dt: float | None, t: Any) -> Array:
    if (dt is None) == (t is None):
        steps = ", ".join(f"{s.name} {step_text(s.samples.base, '{:g} s')}" for s in signals)
        raise TimeBaseError(f"give either dt in s or the times t; the signals have: {steps}")
    extents = [_extent(s) for s in signals if s.n]
    if not extents:
        raise TimeBaseError(f"{signals[0].name} has no samples here: select another interval")
    if t is not None:
        try:
            times = np.atleast_1d(np.asarray(t, dtype=np.float64))
        except (TypeError, ValueError):
            raise TimeBaseError(f"t = {t!r} has values that are not times: give seconds") from None
        if times.ndim != 1 or not len(times) or not np.isfinite(times).all():
            raise TimeBaseError("t must be a row of finite times in s: correct it")
        if (np.diff(times) <= 0).any():
            raise TimeBaseError("t must ascend: sort it, and give each time once")
        return times
    step = seconds(dt, f"dt = {dt!r}")
    if not (np.isfinite(step) and step > 0):
        raise TimeBaseError(f"dt = {step:g} s is not a step: give a positive number of seconds")
    first = np.ceil(min(e[0] for e in extents) / step - NEAR)
    last = np.floor(max(e[1] for e in extents) / step + NEAR)
    if last - first >= MAX_TIMES:
        raise TimeBaseError(f"dt = {step:g} s makes {last - first:.3g} times: take a larger one")
    if last < first:
        raise TimeBaseError(f"no multiple of {step:g} s lies in the record: take a smaller dt")
    return step * np.arange(first, last + 1)


def _extent(signal: AnySignal) -> tuple[float, float]:
    """Return the times of the first and last sample."""
    if signal.dt is not None:
        return signal.t0, signal.t0 + signal.dt * (signal.n - 1)
    times = _irregular_times(signal)
    return float(times[0]), float(times[-1])


def _irregular_times(signal: AnySignal) -> Array:
    times = signal.times()
    back = ~(np.diff(times) >= 0)  # NaN too
    if back.any() or not np.isfinite(times[:1]).all():
        raise TimeBaseError(
            f"the times of {signal.name} do not run forward at sample {int(np.argmax(back)) + 1}: "
            "select samples by number where they do"
        )
    return times


# --- values --------------------------------------------------------------------------------------


def _onto(signal: AnySignal, times: Array, dt: float | None, method: str) -> Array:
    if method not in METHODS:
        raise TimeBaseError(f"no method {method!r}: write one of {', '.join(METHODS)}")
    if not signal.n:
        return np.full(len(times), np.nan)
    if method != "mean":
        return _points(signal, times, method)
    edges = _edges(times, dt)
    means = _means_of_irregular if signal.dt is None else _means
    return np.where(_covered(signal, edges), means(signal, edges), np.nan)


@dataclass(frozen=True)
class _Places:
    """For each time, the sample before it and the position between it and the next, 0 … 1."""

    before: NDArray[np.int64]
    fraction: Array
    inside: NDArray[np.bool_]


def _places(signal: AnySignal, times: Array) -> _Places:
    last = signal.n - 1
    if signal.dt is not None:
        steps = (times - signal.t0) / signal.dt
        whole = np.round(steps)
        near = NEAR + 8 * np.spacing(np.maximum(abs(times), abs(signal.t0))) / signal.dt
        steps = np.where(abs(steps - whole) <= np.minimum(near, 0.5), whole, steps)
        inside = (steps >= 0) & (steps <= last)
        steps = np.clip(steps, 0, last)
        before = np.minimum(np.floor(steps), max(last - 1, 0)).astype(np.int64)
        return _Places(before, steps - before, inside)
    at = _irregular_times(signal)
    inside = (times >= at[0]) & (times <= at[-1])
    before = np.clip(np.searchsorted(at, times, side="right") - 1, 0, max(last - 1, 0))
    width = at[np.minimum(before + 1, last)] - at[before]
    fraction = np.divide(times - at[before], width, out=np.zeros(len(times)), where=width > 0)
    return _Places(before, np.clip(fraction, 0, 1), inside)


def _points(signal: AnySignal, times: Array, method: str) -> Array:
    places = _places(signal, times)
    found = np.full(len(times), np.nan)
    a = 0
    while a < len(times):
        first = int(places.before[a])
        b = max(int(np.searchsorted(places.before, first + BLOCK)), a + 1)
        values = signal[first : int(places.before[b - 1]) + 2].values()
        here = places.before[a:b] - first
        left, right = values[here], values[np.minimum(here + 1, len(values) - 1)]
        fraction = places.fraction[a:b]
        if method == "nearest":
            found[a:b] = np.where(fraction > 0.5, right, left)
        else:  # exactly at a sample, a NaN next to it must not matter
            between = left + fraction * (right - left)
            found[a:b] = np.where(fraction == 0, left, np.where(fraction == 1, right, between))
        a = b
    return np.where(places.inside, found, np.nan)


def _edges(times: Array, dt: float | None) -> Array:
    """Return the edges of bins around times, (n + 1,)."""
    if dt is not None:
        return np.append(times - dt / 2, times[-1] + dt / 2)
    if len(times) < 2:
        raise TimeBaseError("one time has no bin: give two for a mean, or dt")
    middle = (times[:-1] + times[1:]) / 2
    return np.concatenate([[2 * times[0] - middle[0]], middle, [2 * times[-1] - middle[-1]]])


def _in_samples(signal: AnySignal, edges: Array) -> Array:
    """Return edges as sample positions of a regular signal; sample i covers i … i + 1."""
    u = (edges - signal.t0) / (signal.dt or np.nan) + 0.5
    whole = np.round(u)
    return np.where(abs(u - whole) <= NEAR, whole, u)


def _covered(signal: AnySignal, edges: Array) -> NDArray[np.bool_]:
    """Return which bins the record covers completely, (m,)."""
    if signal.dt is None:
        first, last = _extent(signal)
        return (edges[:-1] >= first) & (edges[1:] <= last)
    u = _in_samples(signal, edges)
    return (u[:-1] >= 0) & (u[1:] <= signal.n)


def _means(signal: AnySignal, edges: Array) -> Array:
    n, m = signal.n, len(edges) - 1
    u = _in_samples(signal, edges)
    width = np.diff(u)
    if signal.dt is not None and width.min() < 1 - NEAR:
        raise TimeBaseError(
            f"bins of {width.min() * signal.dt:g} s are narrower than the {signal.dt:g} s between "
            f"samples of {signal.name}: use a larger dt, or method={{{signal.name!r}: 'linear'}}"
        )
    total, lost = np.zeros(m), np.zeros(m)
    begin, end = int(np.clip(np.floor(u[0]), 0, n)), int(np.clip(np.ceil(u[-1]), 0, n))
    for i in range(begin, end, BLOCK):
        j = min(i + BLOCK, end)
        k0 = max(int(np.searchsorted(u, i, side="right")) - 1, 0)
        k1 = min(int(np.searchsorted(u, j, side="left")), m)
        values = signal[i:j].values()
        good = np.isfinite(values)
        here = np.clip(u[k0 : k1 + 1], i, j) - i
        offset = float(values[good].mean()) if good.any() else 0.0  # limits rounding in the sums
        total[k0:k1] += np.diff(_integral(np.where(good, values - offset, 0.0), here))
        total[k0:k1] += offset * np.diff(here)
        if not good.all():
            lost[k0:k1] += np.diff(_integral((~good).astype(np.float64), here))
    return np.where(lost <= NEAR, total / width, np.nan)


def _integral(values: Array, edges: Array) -> Array:
    """Return the sum of the samples up to positions ``edges``, with fractions of samples."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(np.interp(edges, np.arange(len(sums)), sums))


def _means_of_irregular(signal: AnySignal, edges: Array) -> Array:
    at, m = _irregular_times(signal), len(edges) - 1
    first, last = (int(i) for i in np.searchsorted(at, edges[[0, -1]], side="left"))
    bins = np.searchsorted(edges, at[first:last], side="right") - 1
    values = signal[first:last].values()
    count = np.bincount(bins, minlength=m)
    with np.errstate(invalid="ignore"):
        mean = np.bincount(bins, weights=values, minlength=m) / np.where(count > 0, count, np.nan)
    return np.where(np.isfinite(mean), mean, np.nan)


# --- attributes ----------------------------------------------------------------------------------


def _is_signal(value: object) -> bool:
    return hasattr(type(value), "provenance")


def _attributes(signals: Sequence[AnySignal]) -> dict[str, Any]:
    """Return unit and origin of a signal; values that differ between shots as a list."""
    units = {s.unit for s in signals}
    if len(units) > 1:
        raise UnitError(
            f"{signals[0].name} is in {' and '.join(map(repr, sorted(units)))} at different shots: "
            "align them separately"
        )
    found: dict[str, Any] = {"units": units.pop()}
    for name in ("description", "channel", "device", "calibration", "source", "derived"):
        values = [getattr(s.provenance, name) for s in signals]
        if any(values):
            found["long_name" if name == "description" else name] = (
                values[0] if len(set(values)) == 1 else values
            )
    if len(signals) == 1:
        found["shot"] = signals[0].provenance.shot
    return found


def _known_names(method: Any, found: Mapping[str, Any]) -> None:
    if isinstance(method, str):
        return
    for name in method:
        if name not in found:
            raise TimeBaseError(f"method names {name!r}, which is not among the signals: remove it")
