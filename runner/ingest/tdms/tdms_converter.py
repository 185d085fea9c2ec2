"""TDMS of LabVIEW: contiguous, interleaved and DAQmx, with raw values stored unchanged.

Times are those of :mod:`runner.ingest.tdms.tdms_bases`, meanings of values
those of :mod:`runner.ingest.tdms.tdms_values`.
"""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from runner.ingest.context import Context
from runner.ingest.ingest_errors import Rejected, one_line
from runner.ingest.parsing.dates import iso, parse_moment
from runner.ingest.tdms.tdms_bases import TimeBases
from runner.ingest.tdms.tdms_blocks import TdmsMetadata
from runner.ingest.tdms.tdms_objects import Objects, cleaned, kept, plain, read_objects
from runner.ingest.tdms.tdms_sinks import LONGEST_TEXTS, NumberSink, Sink, TextSink
from runner.ingest.tdms.tdms_spans import Spans
from runner.ingest.tdms.tdms_time import Clocks
from runner.ingest.tdms.tdms_types import UnknownValue, ticks_of
from runner.ingest.tdms.tdms_values import values_of

__all__ = ["LONGEST_TEXTS", "Tdms"]

LONGEST_WRITER = 200  # characters of what the file says of its writer
_NAMED = 3  # channels that a note names one by one
_MOST_NOTES = 50


class Tdms:
    """``NNNNN_Data.tdms``."""

    name = "tdms"
    version = "2"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether the file begins like a TDMS file."""
        return head[:4] == b"TDSm"

    def convert(self, path: Path, context: Context) -> None:
        """Stream every channel into the shot file, in one pass."""
        metadata = TdmsMetadata(path, salvage=context.salvage)
        objects = read_objects(metadata)
        notes = _Notes()
        _describe(objects, metadata, context)
        _tell_odd(objects, metadata, context, notes)
        sinks = _sinks(objects, metadata, context, notes)
        for block in metadata.blocks():
            if (sink := sinks.get(block.key.channel)) is not None:
                sink.take(block)
            context.progress(block.position)
        for sink in sinks.values():
            sink.finish()
        _tell_salvaged(metadata, context)
        _tell_doubtful(metadata, context)
        notes.tell(context)


class _Notes:
    """Notes of channels; the same note of many channels becomes one."""

    def __init__(self) -> None:
        self._channels: dict[str, list[str]] = {}

    def add(self, channel: str, text: str) -> None:
        """Add a note of a channel."""
        self._channels.setdefault(text, []).append(channel)

    def tell(self, context: Context) -> None:
        """Pass all notes to the context."""
        for k, (text, channels) in enumerate(self._channels.items()):
            if k == _MOST_NOTES:
                context.note(f"and {len(self._channels) - k} more notes of its channels")
                return
            who = ", ".join(map(one_line, channels[:_NAMED]))
            more = len(channels) - _NAMED
            context.note(f"{who} and {more} more: {text}" if more > 0 else f"{who}: {text}")


def _describe(objects: Objects, metadata: TdmsMetadata, context: Context) -> None:
    """Store the properties of the file and the attributes of the shot."""
    context.properties.update(kept(objects.file))
    context.properties["groups"] = {g: _plain(p) for g, p in objects.groups.items()}
    version = f"TDMS {metadata.version}"
    names = (objects.file.get("WriterName"), objects.file.get("WriterVersion"))
    writer = cleaned(" ".join(str(n) for n in names if n))
    context.written_by(writer[:LONGEST_WRITER] or version)
    for attribute in ("gas", "program", "operator", "comment"):
        for key, value in objects.file.items():
            if key.casefold() == attribute and isinstance(value, str) and value:
                context.attributes[attribute] = value


def _plain(properties: dict[str, Any]) -> dict[str, Any]:
    return {name: plain(value) for name, value in properties.items()}


def _tell_odd(objects: Objects, metadata: TdmsMetadata, context: Context, notes: _Notes) -> None:
    """Note the omitted channels; refuse a file without any others."""
    for name, reason in objects.left_out.items():
        notes.add(name, f"{reason}: it is not stored")
    if objects.left_out:
        context.properties["left_out"] = objects.left_out
    if objects.left_out and not any(c.n for c in objects.channels.values()):
        name, reason = next(iter(objects.left_out.items()))
        raise Rejected(f"no channel of {metadata.path.name} can be read: {name}: {reason}")
    for who, properties in (
        ("the file", objects.file),
        *((f"group {group}", p) for group, p in objects.groups.items()),
        *((c.stored, c.properties) for c in objects.channels.values()),
    ):
        for name, value in properties.items():
            if isinstance(value, UnknownValue):
                notes.add(who, f"the value of its property {one_line(name)} is unknown {value}")
    for c in objects.channels.values():
        if c.stored != f"{c.group}/{c.name}":
            notes.add(
                c.stored, "its name is taken or has control characters: stored under this one"
            )


def _tell_doubtful(metadata: TdmsMetadata, context: Context) -> None:
    """Note where the file may be damaged undetectably."""
    for numbers, what in (
        (metadata.short, "a last chunk that is shorter than it says"),
        (metadata.padded, "something between its metadata and its values"),
    ):
        if numbers:
            more = f" and {len(numbers) - 1} more" if numbers[1:] else ""
            context.note(f"segment {numbers[0]}{more}: {what}: written so, or damaged")


def _tell_salvaged(metadata: TdmsMetadata, context: Context) -> None:
    if (s := metadata.salvaged) is None:
        return
    context.properties["salvaged"] = {
        "bytes": s.bytes,
        "of": s.of,
        "segments": s.segments,
        "reason": s.reason,
    }
    context.note(
        f"salvaged: {s.bytes} of {s.of} bytes, {s.segments} segments, were stored of an "
        f"incomplete file ({s.reason})"
    )


def _sinks(
    objects: Objects, metadata: TdmsMetadata, context: Context, notes: _Notes
) -> dict[str, Sink]:
    spans = Spans(metadata, objects)
    channels = list(objects.channels.values())
    numbers = [c for c in channels if c.kind != "text"]
    bases = TimeBases(
        numbers, objects, spans, Clocks(metadata), lambda text: _moment(text, context), notes.add
    )
    _date(objects, bases, context)
    taken = {c.stored for c in channels}
    sinks: dict[str, Sink] = {}
    for c in channels:
        if c.kind == "text":
            sinks[c.path] = TextSink(c, context, notes.add)
        else:
            values = values_of(c, spans.of(c))
            sinks[c.path] = NumberSink(c, values, bases.of(c), bases, context, taken, notes.add)
    return sinks


def _moment(text: str, context: Context) -> int | None:
    """Return a date in text as 2^-64 s since 1904; without a zone it is the facility's time."""
    moment = parse_moment(text)
    if moment is None:
        return None
    if moment.tzinfo is None:
        zone = context.settings.timezone
        moment = moment.replace(tzinfo=ZoneInfo(zone)) if zone else moment.astimezone()
    return ticks_of(moment.astimezone(dt.UTC))


def _date(objects: Objects, bases: TimeBases, context: Context) -> None:
    """Store the file's own date as local time; else the zero of its clock."""
    for key in ("DateTime", "date", "Date"):
        value = objects.file.get(key)
        text = plain(value)
        moment = parse_moment(text) if isinstance(text, str) else None
        if moment is not None and moment.year > 1904:  # 1904: LabVIEW's "not set"
            context.attributes["date"] = (
                iso(moment) if moment.tzinfo is None else context.local(moment)
            )
            return
        if isinstance(value, str) and value.strip():
            context.note(f"the file's {key} {one_line(value)!r} is not a known date")
    if bases.date is not None:
        context.attributes["date"] = context.local(bases.date)
