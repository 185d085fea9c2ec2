"""Several signals of a shot with a common time base as one dataset."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from ishtar.errors import TimeBaseError
from ishtar.export.writing import choose
from ishtar.signals.time_base import Along, Counted, step_text
from ishtar.signals.windows import bounds

if TYPE_CHECKING:
    import xarray

    from ishtar.signals.protocols import AnyShot, AnySignal


def load_together(
    shot: AnyShot,
    names: str | Sequence[str],
    t: tuple[float | None, float | None] | None = None,
) -> xarray.Dataset:
    """Read signals of a shot that share a time base.

    Parameters
    ----------
    shot : Shot
        The shot.
    names : str or sequence of str
        Signals or channels, with ``*`` and ``?``: ``["Lang_*", "IC_Pfwd"]``.
    t : (float, float), optional
        Window in s on the shot's clock, half-open; None for an open end.

    Returns
    -------
    xarray.Dataset
        A variable (time,) float64 for each name, in its own unit; ``attrs["left_out"]`` maps the
        matches of patterns that cannot be read at this shot to the reason.

    Raises
    ------
    TimeBaseError
        The signals do not share a time base; the message names those that differ or have none.
    NoSuchSignal
        A name is unknown, or a pattern matches nothing.
    MissingCalibration
        A signal that is given by name has no calibration.
    """
    import xarray as xr

    signals, left_out = choose(shot, [names] if isinstance(names, str) else names)
    if t is not None:
        start, stop = bounds(t)
        signals = [signal[start:stop] for signal in signals]
    first, *others = signals
    apart = [s for s in others if not s.samples.base.same_as(first.samples.base)]
    timeless = [s for s in signals if isinstance(s.samples.base, Counted | Along)]
    if apart and timeless:
        raise TimeBaseError(
            f"{', '.join(map(_clock, signals))} have no common time base: load "
            f"{', '.join(s.name for s in timeless)} separately"
        )
    if apart:
        raise TimeBaseError(
            f"{', '.join(map(_clock, apart))} have other time bases than {_clock(first)}: load "
            "them separately, or resample them with ishtar.align.align([...], dt=...)"
            if len(apart) > 1
            else f"{_clock(apart[0])} has another time base than {_clock(first)}: load it "
            "separately, or resample both with ishtar.align.align([...], dt=...)"
        )
    found = xr.Dataset({first.name: first.load()}, attrs={"shot": shot.number})
    for signal in others:
        values = signal.load()
        found[signal.name] = (signal.x_name, values.values, values.attrs)
    return found.assign_attrs(left_out=left_out) if left_out else found


def _clock(signal: AnySignal) -> str:
    return f"{signal.name} ({signal.n} samples, {step_text(signal.samples.base)})"
