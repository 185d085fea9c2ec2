"""The context of a converter: where channels, attributes, properties and notes go."""

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
    """The shot file that a converter fills, and its progress report.

    Attributes
    ----------
    shot : int
        The shot that the source belongs to.
    settings : IngestSettings
        Settings of the workspace.
    salvage : bool
        Store the complete part of a truncated recording, and mark it as salvaged.
    notes : list of str
        What a reader should know although the file could be stored.
    """

    shot: int
    settings: IngestSettings
    writer: SourceWriter
    report: Callable[[int], None]
    salvage: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def attributes(self) -> dict[str, Any]:
        """What the source states about the shot: date (ISO, local time), gas, operator …"""
        return self.writer.attributes

    @property
    def properties(self) -> dict[str, Any]:
        """Everything else that the source states about itself."""
        return self.writer.properties

    def channel(self, path: str, **options: Any) -> ChannelWriter:
        """Begin a channel; see :meth:`ishtar.store.SourceWriter.channel` for the options."""
        return self.writer.channel(path, **options)

    def written_by(self, software: str) -> None:
        """Record which software wrote the source."""
        self.writer.origin_writer = software

    def progress(self, done_bytes: int) -> None:
        """Report up to which byte the source has been read."""
        self.report(done_bytes)

    def note(self, text: str) -> None:
        """Record what could not be stored, or was stored differently than a reader expects."""
        self.notes.append(text)

    def local(self, moment: dt.datetime) -> str:
        """Return an aware moment as local time of the facility, ISO, without a zone."""
        zone = ZoneInfo(self.settings.timezone) if self.settings.timezone else None
        return iso(moment.astimezone(zone).replace(tzinfo=None))
