"""Notes on a shot's raw files, written by their converters during ingest."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from ishtar.signals.time_base import COUNTED, SECONDS, dim_of
from ishtar.store import Channel, SourceFile


def notes_of(source: SourceFile) -> list[str]:
    """Return a sentence for each thing that was left out, or not stored as one would expect."""
    notes = source.properties.get("notes")
    # a text is a property of the raw file that happens to have this name
    return [str(note) for note in notes] if isinstance(notes, list) else []


def salvaged(source: SourceFile) -> str:
    """Return how much of a cut recording was kept, and why; empty for a complete one."""
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
    """Return why the scale that a channel's file states is not applied; empty if it is."""
    return str(channel.properties.get("scale_missing") or "")


def time_base_missing(x_unit: str) -> str:
    """Return why samples have no time base, from the unit of their axis; empty for s."""
    if x_unit == COUNTED:
        return "none: samples are only counted, nothing says when they were taken"
    if x_unit == SECONDS:
        return ""
    what = "frequency in " if dim_of(x_unit) == "frequency" else ""
    return f"none: samples lie along {what}{x_unit}"
