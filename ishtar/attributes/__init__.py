"""Attributes of shots: what sources state, and what people have corrected."""

from __future__ import annotations

from ishtar.attributes.edits import (
    AttributeEditError,
    Change,
    Edit,
    History,
    check,
    current,
    edit,
    edit_many,
    from_text,
    read_edits,
    stated,
    stated_in,
)

__all__ = [
    "AttributeEditError",
    "Change",
    "Edit",
    "History",
    "check",
    "current",
    "edit",
    "edit_many",
    "from_text",
    "read_edits",
    "stated",
    "stated_in",
]
