"""Parse windows as users write them: two bounds in seconds, either open, or a slice."""

from __future__ import annotations

from typing import Any

import numpy as np

from ishtar.errors import TimeBaseError
from ishtar.signals.time_base import Axis, in_seconds

Window = tuple[float | None, float | None]


def bounds(t: Any) -> Window:
    """Return the bounds of a window as floats, so that integers mean times, not samples.

    Parameters
    ----------
    t : (float or None, float or None) or None
        Start and end, s on the shot's clock; None for an open bound, or for the whole record.

    Raises
    ------
    TimeBaseError
        ``t`` is not a pair of times.
    """
    if t is None:
        return None, None
    try:
        start, stop = t
    except (TypeError, ValueError):
        raise TimeBaseError(
            f"t={t!r} is not a time window: give start and end in s, t=(2.0, 2.1)"
        ) from None
    return _bound(start, t), _bound(stop, t)


def _bound(bound: Any, t: Any) -> float | None:
    return None if bound is None else seconds(bound, f"t={t!r}")


def seconds(value: Any, what: str) -> float:
    """Return a time as float; the error quotes ``what``, the user's text.

    Raises
    ------
    TimeBaseError
        The value is not a number; a string of digits is not one either.
    """
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise TimeBaseError(f"{what} is not a time: give seconds as a number, 2.0")


def selected(key: Any, window: tuple[int, int], axis: Axis, name: str) -> tuple[int, int]:
    """Return the samples of ``window`` that ``s[key]`` selects; ``name`` is for errors.

    Two integers are sample numbers, counted from the window's first. Otherwise bounds are times.
    """
    if not isinstance(key, slice):
        raise TypeError(f"{name}[{key!r}]: select with a slice, s[2.0:2.1] or s[100:200]")
    if key.step is not None:
        raise TypeError(f"{name}: a slice must have no step; load() and decimate")
    start, stop = window
    bounds = [b for b in (key.start, key.stop) if b is not None]
    if all(isinstance(b, int | np.integer) for b in bounds):
        first, last, _ = key.indices(max(stop - start, 0))
        return start + first, start + max(first, last)
    t = [None if b is None else _slice_bound(b, name) for b in (key.start, key.stop)]
    clock = in_seconds(axis, name)
    first, last = (
        edge if bound is None else clock.index(bound)
        for edge, bound in zip((start, stop), t, strict=True)
    )
    first = min(max(first, start), stop)
    return first, max(first, min(last, stop))


def _slice_bound(bound: Any, name: str) -> float:
    try:
        if not isinstance(bound, str):
            return float(bound)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name}: {bound!r} is not a time; give seconds, s[2.0:2.1]")
