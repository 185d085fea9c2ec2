"""Validation of attribute values: the types of known attributes, and text input for them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any

from ishtar.errors import IshtarError, did_you_mean

MAX_LENGTH = 10_000  # characters of a text


class AttributeEditError(IshtarError, ValueError):
    """An edit was refused; ``name`` is the attribute, or empty."""

    def __init__(self, message: str, *, name: str = "") -> None:
        super().__init__(message)
        self.name = name


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("True or False")
    return value


def _date(value: Any) -> str:
    try:
        if isinstance(value, str) and len(value) > 10:  # longer than a day without a time
            value = datetime.fromisoformat(value)
    except ValueError:
        pass
    # dates of shots are local times of the facility; one with a time zone is not comparable
    if isinstance(value, datetime) and value.tzinfo is None:
        return value.isoformat()
    raise ValueError("a local date and time without a time zone: '2026-11-22T10:30:00'")


def _text(value: Any) -> str:
    if not isinstance(value, str) or len(value) > MAX_LENGTH or not is_unicode(value):
        raise ValueError(f"text of at most {MAX_LENGTH} characters")
    return value


def _line(value: Any) -> str:
    if isinstance(value, str) and value.splitlines() not in ([], [value]):
        raise ValueError("one line of text")  # it appears in lists and headings
    return _text(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, bool | int) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise ValueError("a text, a finite number, True or False")


def is_unicode(value: str) -> bool:
    return not any("\ud800" <= c <= "\udfff" for c in value)


KNOWN: dict[str, Callable[[Any], Any]] = {
    "comment": _text,
    "date": _date,
    "gas": _line,
    "operator": _line,
    "program": _line,
    "useful": _bool,
}
BOOLEANS = {"yes": True, "true": True, "1": True, "no": False, "false": False, "0": False}


def from_text(name: str, text: str) -> Any:
    """Return the value of an attribute from text input: ``useful``, ``no`` → False.

    Parameters
    ----------
    name : str
        The attribute. One that is not `KNOWN` becomes a number if its text is one.
    text : str
        The input; an empty text removes the value.

    Raises
    ------
    AttributeEditError
        The attribute is a truth value, and the text is neither yes nor no.
    """
    if text == "":
        return None
    if KNOWN.get(name) is _bool:
        if text.casefold() not in BOOLEANS:
            raise AttributeEditError(f"{name} must be yes or no, not {text!r}", name=name)
        return BOOLEANS[text.casefold()]
    if name in KNOWN:
        return text
    try:
        number = float(text)
    except ValueError:
        return text
    return number if math.isfinite(number) else text


def check(
    changes: Mapping[str, Any], *, new: bool = False, have: Iterable[str] = ()
) -> dict[str, Any]:
    """Return validated changes, with their values in stored form.

    Parameters
    ----------
    changes : mapping
        Name → value; None removes the value.
    new : bool
        Allow unknown names.
    have : iterable of str
        Names that the shot already has; they are known.

    Returns
    -------
    dict
        Name → value as stored.

    Raises
    ------
    AttributeEditError
        A name is unknown, a value has the wrong type, or there is no change.
    """
    known = {*KNOWN, *have}
    found: dict[str, Any] = {}
    for name, value in changes.items():
        if not isinstance(name, str) or not name.strip() or not is_unicode(name):
            raise AttributeEditError(f"{name!r} is not a valid attribute name: give a text")
        if name not in known and not new:
            hint = did_you_mean(name, known) or f" (known: {', '.join(sorted(known))})"
            raise AttributeEditError(
                f"no attribute {name!r}{hint}; new=True adds a new one", name=name
            )
        if name == "shot":
            raise AttributeEditError(
                "the number of a shot cannot be edited: ingest its files under another number"
            )
        try:
            found[name] = None if value is None else KNOWN.get(name, _scalar)(value)
        except ValueError as error:
            raise AttributeEditError(
                f"{name} = {value!r} is invalid: give {error}", name=name
            ) from None
    if not found:
        raise AttributeEditError("there is nothing to change: give a name and a value")
    return found
