"""Moments stated as numbers: time since 1970 or 1904, in UTC."""

from __future__ import annotations

import datetime as dt
import math

FARTHEST = dt.timedelta(days=1)  # from the shot's date, for a time on the shot's clock
LONG_S = 1e8  # no shot lasts three years: such times count from an epoch

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LABVIEW_S = 2_082_844_800  # from 1904 to 1970
_FROM_S, _TO_S = 631_152_000, 2_700_000_000  # 1990 … 2055, s since 1970
_LABVIEW_TO_S = 5_000_000_000  # 2062, s since 1904; from 1989 on larger than _TO_S
_FINER = (1, 10**3, 10**6, 10**9)  # s, ms, µs, ns


def moment_of_number(count: float, *, in_seconds: bool = False) -> tuple[dt.datetime, str] | None:
    """Return the moment that a number can mean, and what it counts in words; else None.

    Parameters
    ----------
    in_seconds : bool
        The number counts seconds, not ms or finer.
    """
    for finer in _FINER[:1] if in_seconds else _FINER:
        if _FROM_S <= count / finer < _TO_S:
            return _since_1970(count, finer, 0), "time since 1970 UTC"
    if _TO_S <= count < _LABVIEW_TO_S:
        moment = _since_1970(count, 1, _LABVIEW_S)
        return moment, "seconds since 1904 UTC, as LabVIEW counts"
    return None


def _since_1970(count: float, finer: int, zero_s: int) -> dt.datetime:
    whole = math.floor(count)
    part = dt.timedelta(seconds=(count - whole) / finer)
    return (
        _EPOCH
        + dt.timedelta(microseconds=whole * 10**6 // finer)
        - dt.timedelta(seconds=zero_s)
        + part
    )
