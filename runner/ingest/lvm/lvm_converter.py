"""LabVIEW measurement text (``.lvm``): its columns become channels.

Channels are called ``<file>/<column>``, the file's name without shot number, date and time. How
samples lie in time is said by :mod:`runner.ingest.lvm.lvm_plan`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import UnitError
from ishtar.store import ChannelWriter
from ishtar.units import factor
from runner.ingest.context import Context
from runner.ingest.ingest_errors import Rejected
from runner.ingest.lvm.lvm_axis import Starts, looks_like_a_unit, problems
from runner.ingest.lvm.lvm_layout import Place, places_of
from runner.ingest.lvm.lvm_lines import END_OF_HEADER, comment_column, text_of
from runner.ingest.lvm.lvm_plan import Part, Plan, Planner, places
from runner.ingest.lvm.lvm_text import MAGIC, LvmFile, Segment, scan_lvm
from runner.ingest.parsing.dates import iso
from runner.ingest.parsing.file_names import without_shot
from runner.ingest.parsing.shot_number import numbers_of
from runner.ingest.parsing.text_table import empty_cells
from runner.ingest.settings import IngestSettings

_BEFORE = b"\xef\xbb\xbf\xff\xfe \t\r\n"  # marks of the byte order, blanks
LONGEST_COMMENTS = 64_000
_NUMBER = re.compile(r"^#?\d+[_\-. ]*")


class Lvm:
    """``NNNNN_name.lvm``."""

    name = "lvm"
    version = "2"

    def matches(self, path: Path, head: bytes) -> bool:
        """Return whether it is a LabVIEW measurement, even a damaged one."""
        text = head.replace(b"\0", b"") if b"\0" in head[:4] else head  # UTF-16
        if text.lstrip(_BEFORE).lower().startswith(MAGIC.lower()):
            return True
        is_text = b"\0" not in text
        return is_text and any(
            line.startswith(END_OF_HEADER.encode()) for line in text.splitlines()
        )

    def convert(self, path: Path, context: Context) -> None:
        """Store every column as a channel."""
        file = scan_lvm(path, salvage=context.salvage)
        layouts = [places_of(file, segment) for segment in file.segments]
        labels = list(layouts[0])
        if any(layout.keys() != layouts[0].keys() for layout in layouts):
            raise Rejected("its segments have different channels: save them in separate files")
        starts = Starts.of(file, layouts)
        _describe(file, starts, context)
        group = group_of(path.stem, context.shot, context.settings)
        planner = Planner(file=file, starts=starts)
        sinks = []
        for label in labels:
            found = [layout[label] for layout in layouts]
            plan = planner.plan(found)
            units = list(_units(file, found))
            writer = _begin(f"{group}/{label}", plan, units[0], starts, context)
            sinks.append(_Sink(writer=writer, plan=plan, units=units))
        for i, segment in enumerate(file.segments):
            _copy(file, segment, i, sinks)
            context.progress(segment.stop)
        _add_notes(file, starts, planner, sinks, context)


def group_of(stem: str, shot: int, settings: IngestSettings) -> str:
    """Return a file's name without shot number, leading number, date and time."""
    rest = without_shot(stem, *numbers_of(shot, settings))
    return _NUMBER.sub("", rest).strip("_-. ") or "LVM"


@dataclass(kw_only=True)
class _Sink:
    """The writer of a channel, with its counts of oddities and the unit of each segment."""

    writer: ChannelWriter
    plan: Plan
    units: list[_Unit]
    n_empty: int = 0
    n_back: int = 0
    last: float = -np.inf

    def take(
        self, number: int, values: NDArray[np.float64], x: NDArray[np.float64] | None, first: int
    ) -> None:
        """Append the next values of a segment."""
        at = None
        if self.plan.dt is None:
            at = places(self.plan.parts[number], self.plan.axis, first, x, len(values))
            if len(at):
                self.n_back += int(at[0] < self.last) + int(np.count_nonzero(np.diff(at) < 0))
                self.last = float(at[-1])
        self.writer.append(self.units[number].convert(values), at)


@dataclass(frozen=True, kw_only=True)
class _Unit:
    """The unit of a segment, and its factor to the unit of the first one."""

    text: str
    times: float = 1.0

    def convert(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        whole = round(1 / self.times) if self.times < 1 else 0
        if whole and abs(whole * self.times - 1) < 1e-12:
            return values / whole  # 1000 is an exact double, 0.001 is not
        return values if self.times == 1.0 else values * self.times


def _units(file: LvmFile, found: list[Place]) -> Iterator[_Unit]:
    """Yield the unit of a channel in each segment.

    Raises
    ------
    Rejected
        A unit cannot be converted to the first one.
    """
    first: tuple[str, str] | None = None
    for segment, place in zip(file.segments, found, strict=True):
        unit = segment.entry("Y_Unit_Label", place.entry)
        dimension = segment.entry("Y_Dimension", place.entry)
        if first is None:
            first = unit, dimension
        # a header without the tag inherits the previous entry
        unit = unit if "Y_Unit_Label" in segment.header else first[0]
        dimension = dimension if "Y_Dimension" in segment.header else first[1]
        if (unit, dimension) == first:
            yield _Unit(text=unit)
            continue
        try:
            if dimension != first[1] or not all(map(looks_like_a_unit, (unit, first[0]))):
                raise UnitError("no conversion is known")
            yield _Unit(text=unit, times=factor(unit, first[0]))
        except UnitError as error:
            stated, before = (" ".join(filter(None, pair)) for pair in ((unit, dimension), first))
            raise Rejected(
                f"segment {segment.number} has {place.label} in {stated!r}, the first in "
                f"{before!r} ({error}): save them in separate files"
            ) from error


def _describe(file: LvmFile, starts: Starts, context: Context) -> None:
    context.written_by(f"LabVIEW measurement file {file.header.get('Writer_Version', '')}".strip())
    context.properties.update(
        header=file.header,
        segments=len(file.segments),
        first_segment=file.segments[0].header,
    )
    if file.special:
        context.properties["special"] = "\n".join(file.special)
    if starts.zero is not None:
        context.attributes["date"] = iso(starts.zero)
    for attribute, tag in (("operator", "Operator"), ("comment", "Description")):
        if file.header.get(tag):
            context.attributes[attribute] = file.header[tag]
    comments, n = _comments(file)
    if n > len(comments):
        context.note(f"{n} comments are too long to be stored")
    elif comments:
        context.properties["comments"] = comments


def _begin(path: str, plan: Plan, unit: _Unit, starts: Starts, context: Context) -> ChannelWriter:
    part = plan.parts[0]
    properties: dict[str, Any] = {"time_base": plan.base}
    if (start := starts.of_channel(part.segment, part.place)) is not None:
        properties["start"] = iso(start)
    for tag in ("X_Dimension", "Y_Dimension", "X_Unit_Label"):
        if text := part.segment.entry(tag, part.place.entry):
            properties[tag] = text
    timing: dict[str, Any] = (
        {"irregular": True} if plan.dt is None else {"t0": plan.t0, "dt": plan.dt}
    )
    return context.channel(
        path,
        dtype=np.float64,
        unit=unit.text,
        x_unit=plan.axis.unit,
        properties=properties,
        **timing,
    )


def _copy(file: LvmFile, segment: Segment, number: int, sinks: list[_Sink]) -> None:
    """Append the rows of a segment to its channels, reading it once."""
    parts: list[Part] = [sink.plan.parts[number] for sink in sinks]
    columns = {p.place.column for p in parts}
    irregular = [p for p, s in zip(parts, sinks, strict=True) if s.plan.dt is None]
    columns |= {p.place.x_column for p in irregular if p.place.x_column is not None}
    without_x = file.header.get("X_Columns") == "No" and 0 not in columns
    wanted = sorted(columns | {0} if without_x else columns)
    first = 0
    for lines, rows in file.rows(segment, wanted):
        of_column = dict(zip(wanted, rows, strict=True))
        if without_x and len(odd := np.flatnonzero(~np.isnan(of_column[0]))):
            raise Rejected(
                f"row {first + int(odd[0]) + 1} of segment {number + 1} has a value in its first "
                "column, which X_Columns No leaves empty: its cells are shifted"
            )
        empty = None
        for part, sink in zip(parts, sinks, strict=True):
            values = of_column[part.place.column][: max(part.n - first, 0)]
            if np.isnan(values).any():
                if empty is None:
                    empty = dict(
                        zip(
                            wanted,
                            empty_cells(lines, wanted, separator=file.separator),
                            strict=True,
                        )
                    )
                sink.n_empty += int(np.count_nonzero(empty[part.place.column][: len(values)]))
            x = None if part.place.x_column is None else of_column.get(part.place.x_column)
            sink.take(number, values, None if x is None else x[: len(values)], first)
        first += rows.shape[1]


def _add_notes(
    file: LvmFile, starts: Starts, planner: Planner, sinks: list[_Sink], context: Context
) -> None:
    """Note what a reader does not expect."""
    if file.cut:
        size = file.path.stat().st_size
        taken = file.segments[-1].stop
        context.properties["salvaged"] = {"bytes": taken, "of": size, "reason": file.cut}
        context.note(f"salvaged: {taken} of {size} bytes are stored, {file.cut}")
    if starts.problem:
        context.note(starts.problem)
    for problem in problems((s.writer.path, s.plan.axis) for s in sinks):
        context.note(problem)
    for number, n in planner.rows_beyond.items():
        context.note(f"segment {number} states fewer Samples than it has rows: all {n} are stored")
    for sink in sinks:
        if sink.n_empty:
            context.note(f"{sink.n_empty} cells of {sink.writer.path} are empty: stored as NaN")
        if sink.n_back:
            what = "times" if sink.plan.axis.unit == "s" else f"places, in {sink.plan.axis.unit},"
            context.note(f"the {what} of {sink.writer.path} step back {sink.n_back} times")


def _comments(file: LvmFile) -> tuple[list[tuple[int, str]], int]:
    """Return the (row, text) of the kept cells below ``Comment``, and the number of all."""
    found: list[tuple[int, str]] = []
    row = n = length = 0
    for segment in file.segments:
        place = comment_column(segment.columns)
        if place is None or not segment.has_comments:
            row += segment.n_rows
            continue
        for lines in file.lines(segment):
            for line in lines.split(b"\n"):
                if not line.strip():
                    continue
                cells = line.rstrip(b"\r").split(file.separator.encode(), place)
                if len(cells) > place and cells[place].strip():
                    text = text_of(cells[place]).strip()
                    n, length = n + 1, length + len(text)
                    if length <= LONGEST_COMMENTS:
                        found.append((row, text))
                row += 1
    return found, n
