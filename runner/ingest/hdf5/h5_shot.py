"""What an HDF5 file states about its shot: the date, as text or number, and other attributes."""

from __future__ import annotations

import datetime as dt
from typing import Any

from runner.ingest.context import Context
from runner.ingest.hdf5.h5_attributes import Attributes, number_of, single
from runner.ingest.hdf5.h5_errors import Notes
from runner.ingest.parsing.dates import iso, parse_moment
from runner.ingest.parsing.stated_moments import moment_of_number

NAMES = ("gas", "program", "operator", "comment", "useful")
_YES_NO = dict.fromkeys(["yes", "ja", "true", "1", "y", "j"], True) | dict.fromkeys(
    ["no", "nein", "false", "0", "n"], False
)


def tell_shot(root: Attributes, context: Context, notes: Notes) -> tuple[dt.datetime | None, bool]:
    """Set the attributes of the shot.

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
            notes.add(f"the date {stated!r} is impossible: the shot gets none from this file")
            return None, False
    context.attributes["date"] = iso(moment)
    return moment, is_local


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value)
    return str(value).strip()


def moment_of(stated: Any, time: str, what: str, notes: Notes) -> dt.datetime | None:
    """Return the moment of a text or number; ``what`` names it in notes."""
    if isinstance(stated, str):
        both = parse_moment(f"{stated.strip()} {time}") if time else None
        moment = both or parse_moment(stated.strip())
        if moment is not None or (number := number_of(stated)) is None:
            return moment
        stated = number
    if isinstance(stated, bool) or not isinstance(stated, int | float):
        return None
    if (found := moment_of_number(stated)) is None:
        return None
    moment, words = found
    notes.add(f"{what} {stated!r} is read as {words}")
    return moment
