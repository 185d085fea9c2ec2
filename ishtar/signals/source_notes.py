"""What a reader must know of a shot's raw files, as their converters noted it when they arrived."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ishtar.signals.time_base import COUNTED, SECONDS, dim_of
from ishtar.store import Channel, SourceFile


def notes_of(source: SourceFile) -> list[str]:
    """Return what was stored otherwise than a reader would think, or left out, a sentence each."""
    notes = source.properties.get("notes")
    # a text of that name is the file's own property, no note of ours
    return [str(note) for note in notes] if isinstance(notes, list) else []


def salvaged(source: SourceFile) -> str:
    """Return how much of a recording that was cut could be kept, and why; empty of a whole one."""
    facts = source.properties.get("salvaged")
    if not isinstance(facts, Mapping):
        return ""
    text = "the recording was cut"
    if "bytes" in facts and "of" in facts:
        text += f", {facts['bytes']} of {facts['of']} bytes were kept"
    return text + (f" ({facts['reason']})" if facts.get("reason") else "")


def salvaged_names(sources: Iterable[SourceFile]) -> list[str]:
    """Return the names of the sources whose recording was cut."""
    return [source.origin.source for source in sources if salvaged(source)]


def scale_missing(channel: Channel) -> str:
    """Return why the scale that a channel's file states is not applied; empty where it is."""
    return str(channel.properties.get("scale_missing") or "")


def time_base_missing(x_unit: str) -> str:
    """Return why samples have no time base, by the unit of what they lie along; empty for s."""
    if x_unit == COUNTED:
        return "none: samples are only counted, nothing says when they were taken"
    if x_unit == SECONDS:
        return ""
    what = "frequency in " if dim_of(x_unit) == "frequency" else ""
    return f"none: samples lie along {what}{x_unit}"
