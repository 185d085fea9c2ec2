"""What people write for a stretch of time: two bounds, each a number of seconds or open."""

from __future__ import annotations

from typing import Any

from ishtar.errors import TimeBaseError

Window = tuple[float | None, float | None]


def bounds(t: Any) -> Window:
    """Return the two bounds of a window as float, so that whole numbers are times, not samples.

    Parameters
    ----------
    t : (float or None, float or None) or None
        From and until, s on the shot's clock; None for an open end, or for all.

    Raises
    ------
    TimeBaseError
        It is no pair of times.
    """
    if t is None:
        return None, None
    try:
        start, stop = t
    except (TypeError, ValueError):
        raise TimeBaseError(
            f"t={t!r} is no stretch of time: give from and until in s, t=(2.0, 2.1)"
        ) from None
    return _bound(start, t), _bound(stop, t)


def _bound(bound: Any, t: Any) -> float | None:
    return None if bound is None else seconds(bound, f"t={t!r}")


def seconds(value: Any, what: str) -> float:
    """Return a time as float; ``what`` says in the error what was written.

    Raises
    ------
    TimeBaseError
        It is no number. Texts are none, be they digits.
    """
    try:
        if not isinstance(value, str | bytes):
            return float(value)
    except (TypeError, ValueError):
        pass
    raise TimeBaseError(f"{what} is no time: give seconds as a number, 2.0")


def slice_bound(bound: Any, name: str) -> float:
    """Return a bound of ``s[2.0:2.1]``, s; ``name`` says in the error whose it is.

    Raises
    ------
    TypeError
        It is no number.
    """
    try:
        if not isinstance(bound, str):
            return float(bound)
    except (TypeError, ValueError):
        pass
    raise TypeError(f"{name}: {bound!r} is no time; give seconds, s[2.0:2.1]")
