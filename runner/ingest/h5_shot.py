"""What an HDF5 file says of its shot: the date, as text or number, and who did what with it."""

from __future__ import annotations

import datetime as dt
import math
from typing import Any

from runner.ingest.context import Context
from runner.ingest.dates import iso, parse_moment
from runner.ingest.h5_attributes import Attributes, number_of, single
from runner.ingest.h5_errors import Notes

NAMES = ("gas", "program", "operator", "comment", "useful")
_YES_NO = dict.fromkeys(["yes", "ja", "true", "1", "y", "j"], True) | dict.fromkeys(
    ["no", "nein", "false", "0", "n"], False
)
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_LABVIEW_S = 2_082_844_800  # from 1904 to 1970
_FROM_S, _TO_S = 631_152_000, 2_700_000_000  # 1990 … 2055, s since 1970
_LABVIEW_TO_S = 5_000_000_000  # 2062, s since 1904; from 1989 on they lie above those of 1970
_FINER = (1, 10**3, 10**6, 10**9)  # s, ms, µs, ns


def tell_shot(root: Attributes, context: Context, notes: Notes) -> tuple[dt.datetime | None, bool]:
    """Give the shot its attributes.

    Returns
    -------
    date : datetime or None
        As the file states it, in local time.
    is_local : bool
        It was stated without a zone.
    """
    named = {name.casefold(): value for name, value in root.items()}
    for name in NAMES:
        value = single(named.get(name))
        if value is None or value == "":
            continue
        if name == "useful":
            value = _YES_NO.get(_text(value).casefold(), value)
        context.attributes[name] = value if isinstance(value, bool) else _text(value)
    if (stated := single(named.get("date"))) is None or stated == "":
        return None, False
    moment = moment_of(stated, _text(single(named.get("time", ""))), "the date", notes)
    if moment is None:
        notes.add(f"the date {stated!r} cannot be read: the shot gets none from this file")
        return None, False
    is_local = moment.tzinfo is None
    if not is_local:
        try:
            moment = dt.datetime.fromisoformat(context.local(moment))
        except (OverflowError, ValueError, OSError):
            notes.add(f"the date {stated!r} is no possible one: the shot gets none from this file")
            return None, False
    context.attributes["date"] = iso(moment)
    return moment, is_local


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return str(value).strip()


def moment_of(stated: Any, time: str, what: str, notes: Notes) -> dt.datetime | None:
    """Return the moment that text or a number says; ``what`` it is of, for the notes."""
    if isinstance(stated, str):
        both = parse_moment(f"{stated.strip()} {time}") if time else None
        moment = both or parse_moment(stated.strip())
        if moment is not None or (number := number_of(stated)) is None:
            return moment
        stated = number
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return None
    for finer in _FINER:
        seconds = stated / finer
        if _FROM_S <= seconds < _TO_S:
            notes.add(f"{what} {stated!r} is taken for time since 1970 UTC")
            return _since_1970(stated, finer, 0)
    if _TO_S <= stated < _LABVIEW_TO_S:
        notes.add(f"{what} {stated!r} is taken for seconds since 1904 UTC, as LabVIEW counts")
        return _since_1970(stated, 1, _LABVIEW_S)
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
