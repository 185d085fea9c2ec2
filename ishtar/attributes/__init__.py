"""Attributes of shots: the values that sources state, and people's corrections."""

from __future__ import annotations

from ishtar.attributes.edits import (
    Change,
    Edit,
    History,
    current,
    edit,
    edit_many,
    edits_text,
    edits_version,
    parse_edits,
    read_edits,
    stated,
    stated_in,
)
from ishtar.attributes.validation import AttributeEditError, check, from_text

__all__ = [
    "AttributeEditError",
    "Change",
    "Edit",
    "History",
    "check",
    "current",
    "edit",
    "edit_many",
    "edits_text",
    "edits_version",
    "from_text",
    "moments",
    "parse_edits",
    "read_edits",
    "stated",
    "stated_dates",
    "stated_in",
]
