"""What a converter gets: where to put channels, attributes, properties and notes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo

from ishtar.store import ChannelWriter, SourceWriter
from runner.ingest.parsing.dates import iso
from runner.ingest.settings import IngestSettings


@dataclass(kw_only=True)
class Context:
    """The shot file that a converter fills, and how it says how far it is.

    Attributes
    ----------
    shot : int
        The shot that the source belongs to.
    settings : IngestSettings
        Of the workspace.
    salvage : bool
        Take the whole part of a recording that was cut, and mark it as such.
    notes : list of str
        What a reader should hear of, though the file could be stored.
    """

    shot: int
    settings: IngestSettings
    writer: SourceWriter
    report: Callable[[int], None]
    salvage: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def attributes(self) -> dict[str, Any]:
        """What the source says of the shot: date (ISO, local time), gas, program, operator …"""
        return self.writer.attributes

    @property
    def properties(self) -> dict[str, Any]:
        """Everything else that the source says of itself."""
        return self.writer.properties

    def channel(self, path: str, **options: Any) -> ChannelWriter:
        """Begin a channel; options as of :meth:`ishtar.store.SourceWriter.channel`."""
        return self.writer.channel(path, **options)

    def written_by(self, software: str) -> None:
        """Say which software made the source."""
        self.writer.origin_writer = software

    def progress(self, done_bytes: int) -> None:
        """Say up to where the source has been read."""
        self.report(done_bytes)

    def note(self, text: str) -> None:
        """Say what could not be stored, or was stored otherwise than a reader would think."""
        self.notes.append(text)

    def local(self, moment: dt.datetime) -> str:
        """Return a moment with a zone as local time of the facility, ISO, without a zone."""
        zone = ZoneInfo(self.settings.timezone) if self.settings.timezone else None
        return iso(moment.astimezone(zone).replace(tzinfo=None))
