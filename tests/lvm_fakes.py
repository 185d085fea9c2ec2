"""Texts of LabVIEW measurement files, built from what is said about their channels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from ishtar.store import Origin, SourceFile, SourceWriter
from runner.ingest import Context, Converter, IngestSettings, Outcome
from runner.ingest.ingest_errors import Rejected
from tests.ingest_fakes import ingest_into, source_of


@dataclass(kw_only=True)
class Lvm:
    """A file: settings of its header and its segments."""

    segments: list[Part]
    settings: dict[str, str | None] = field(default_factory=dict)
    more: str = ""

    def text(self) -> str:
        settings = {
            "Writer_Version": "2",
            "Separator": "Tab",
            "Decimal_Separator": ".",
            "Multi_Headings": "Yes",
            "X_Columns": "One",
            "Time_Pref": "Absolute",
            "Date": "2026/11/22",
            "Time": "10:00:00.0",
        } | self.settings
        lines = [f"{tag}\t{value}" for tag, value in settings.items() if value is not None]
        head = "\n".join(["LabVIEW Measurement\t", *lines, "***End_of_Header***\t", self.more])
        return head + "\n" + "\t\n".join(segment.text() for segment in self.segments)


@dataclass(kw_only=True)
class Part:
    """A segment: entries of its header by tag, its columns, its rows."""

    rows: Sequence[str]
    columns: str = "X_Value\ta\tb\tComment"
    channels: int | None = 2
    entries: dict[str, str | None] = field(default_factory=dict)

    def text(self) -> str:
        entries = {
            "Samples": "\t".join([str(len(self.rows))] * 2),
            "Date": "2026/11/22\t2026/11/22",
            "Time": "10:00:00.0\t10:00:00.0",
            "Y_Unit_Label": "V\tA",
            "X_Dimension": "Time\tTime",
            "X0": "0.0\t0.0",
            "Delta_X": "0.5\t0.5",
        } | self.entries
        lines = [f"{tag}\t{text}\t" for tag, text in entries.items() if text is not None]
        if self.channels is not None:
            lines.insert(0, f"Channels\t{self.channels}\t")
        return "\n".join([*lines, "***End_of_Header***\t\t\t", self.columns, *self.rows, ""])


ROWS = ["0.0\t1.25\t-2.0", "0.5\t1.5\t-3.0", "1.0\t1.75\t-4.0"]
NO_X = ["\t1.25\t-2.0", "\t1.5\t-3.0", "\t1.75\t-4.0"]


def at(time: str) -> dict[str, str | None]:
    """Return the entries of a segment that begins at a time of day."""
    return {"Time": f"{time}\t{time}"}


def put(
    folder: Path,
    text: str | bytes,
    *,
    name: str = "00007_x.lvm",
    end: str = "\r\n",
) -> Outcome:
    """Ingest a text as shot 7."""
    path = folder / name
    data = text if isinstance(text, bytes) else text.replace("\n", end).encode("cp1252")
    path.write_bytes(data)
    return ingest_into(folder / "workspace", path)


def stored(
    folder: Path, lvm: Lvm | str | bytes, *, notes: str = "", end: str = "\r\n"
) -> SourceFile:
    """Return the stored file of a text; its notes must have that in them, or there must be none."""
    outcome = put(folder, lvm.text() if isinstance(lvm, Lvm) else lvm, end=end)
    source = source_of(outcome)
    assert notes in outcome.reason if notes else outcome.reason == ""
    return source


def times(source: SourceFile, label: str = "a") -> list[float]:
    """Return where the samples of a channel lie, to a tenth of a µs."""
    return np.round(source.channels[f"x/{label}"].time(), 7).tolist()


def values(source: SourceFile, label: str = "a") -> list[float]:
    """Return the samples of a channel."""
    found: list[float] = source.channels[f"x/{label}"].raw().tolist()
    return found


def convert(folder: Path, data: bytes, converter: Converter, *, salvage: bool) -> SourceFile | str:
    """Return what a converter makes of some bytes, or why it makes nothing."""
    path, target = folder / "00007_x.lvm", folder / "00007_x.lvm.h5"
    path.write_bytes(data)
    origin = Origin(
        shot=7, source=path.name, size=len(data), sha256="", converter="lvm", writer="", arrived=""
    )
    try:
        with SourceWriter(target, origin) as writer:
            converter.convert(
                path,
                Context(
                    shot=7,
                    settings=IngestSettings(timezone="Europe/Berlin"),
                    writer=writer,
                    report=lambda _: None,
                    salvage=salvage,
                ),
            )
    except Rejected as error:
        return str(error)
    return SourceFile(target)
