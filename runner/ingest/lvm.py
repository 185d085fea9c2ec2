"""LabVIEW measurement text (``.lvm``): the text is the truth, its columns become channels.

Channels are called ``<file>/<column>``, the file's name without shot number. A column is regular
where its x values are what ``X0`` and ``Delta_X`` say, to the digits printed; else each sample
keeps the x that the text gives. Time zero is the earliest start that the headers state.
"""

from __future__ import annotations

import datetime as dt
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.store import ChannelWriter
from runner.ingest.context import Context
from runner.ingest.dates import iso
from runner.ingest.errors import Rejected
from runner.ingest.lvm_text import MAGIC, LvmFile, Segment, scan_lvm

LONGEST_COMMENTS = 64_000
_SHOT = re.compile(r"^\d+[_\-. ]*")


class Lvm:
    """``NNNNN_name.lvm``."""

    name = "lvm"
    version = "1"

    def matches(self, path: Path, head: bytes) -> bool:
        """Say whether the file begins as a LabVIEW measurement does."""
        return head.removeprefix(b"\xef\xbb\xbf").startswith(MAGIC)

    def convert(self, path: Path, context: Context) -> None:
        """Store every column as a channel."""
        file = scan_lvm(path)
        first = file.segments[0]
        labels = _labels(first)
        for segment in file.segments[1:]:
            if _labels(segment) != labels:
                raise Rejected(
                    "its segments have different channels: save them in files of their own"
                )
        starts = [
            s for g in file.segments for c in range(len(labels)) if (s := file.start_of(g, c))
        ]
        zero = min(starts, default=None)
        _describe(file, zero, context)
        group = _SHOT.sub("", path.stem) or "LVM"
        seen: dict[Any, bool] = {}
        plans = [_plan(file, channel, zero, seen) for channel in range(len(labels))]
        writers = [
            _begin(file, group, label, channel, plan, context)
            for channel, (label, plan) in enumerate(zip(labels, plans, strict=True))
        ]
        for segment in file.segments:
            _copy(file, segment, plans, writers, zero)
            context.progress(segment.stop)


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """How the samples of a channel lie in time: regular from ``t0``, or with times of their own."""

    t0: float = 0.0
    dt: float | None = None
    base: str = "X_Value"


def _describe(file: LvmFile, zero: dt.datetime | None, context: Context) -> None:
    context.written_by(f"LabVIEW measurement file {file.header.get('Writer_Version', '')}".strip())
    context.properties.update(
        header=file.header,
        segments=len(file.segments),
        first_segment=file.segments[0].header,
    )
    if file.special:
        context.properties["special"] = "\n".join(file.special)[:LONGEST_COMMENTS]
    if zero is not None:
        context.attributes["date"] = iso(zero)
    for attribute, tag in (("operator", "Operator"), ("comment", "Description")):
        if file.header.get(tag):
            context.attributes[attribute] = file.header[tag]
    comments = _comments(file)
    if sum(len(text) for _, text in comments) > LONGEST_COMMENTS:
        context.note(f"{len(comments)} comments are too long to be stored")
    elif comments:
        context.properties["comments"] = comments


def _has_own_x(file: LvmFile) -> bool:
    return file.header.get("X_Columns", "One") == "Multi"


def _has_x(file: LvmFile) -> bool:
    return file.header.get("X_Columns", "One") != "No"


def _labels(segment: Segment) -> list[str]:
    """Return the names of the channels, made different where the file repeats one."""
    names = [n.strip() for n in segment.columns]
    if names and names[-1] in ("Comment", ""):
        names = names[:-1]
    labels: list[str] = []
    for name in (n for n in names if n != "X_Value"):
        label, number = name or "Untitled", 2
        while label in labels:
            label, number = f"{name or 'Untitled'} {number}", number + 1
        labels.append(label)
    return labels


def _columns(file: LvmFile, channel: int) -> tuple[int, int]:
    """Return the columns of a channel's x and of its values."""
    return (2 * channel, 2 * channel + 1) if _has_own_x(file) else (0, channel + 1)


def _plan(file: LvmFile, channel: int, zero: dt.datetime | None, seen: dict[Any, bool]) -> _Plan:
    """Say whether the samples of all segments make one regular row."""
    t0: float | None = None
    step: float | None = None
    n = 0
    for segment in file.segments:
        delta = segment.of_channel("Delta_X", channel)
        dt_s = file.number(delta) if delta else 0.0
        if not dt_s > 0:
            return _Plan() if _has_x(file) else _Plan(dt=1.0, base="samples")
        start = _offset(file, segment, channel, zero) + _x0(file, segment, channel)
        if t0 is None or step is None:
            t0, step = start, dt_s
        # headers give times to the µs at best
        late = abs(start - (t0 + n * step)) > max(1e-3 * step, 2e-6)
        if dt_s != step or late or not _x_as_promised(file, segment, channel, dt_s, seen):
            return _Plan()
        n += _n_samples(file, segment, channel)
    return _Plan(t0=t0 or 0.0, dt=step, base="Delta_X")


def _offset(file: LvmFile, segment: Segment, channel: int, zero: dt.datetime | None) -> float:
    start = file.start_of(segment, channel)
    return (start - zero).total_seconds() if start is not None and zero is not None else 0.0


def _x0(file: LvmFile, segment: Segment, channel: int) -> float:
    text = segment.of_channel("X0", channel)
    return file.number(text) if text else 0.0


def _n_samples(file: LvmFile, segment: Segment, channel: int) -> int:
    """Return how many samples of a channel a segment has: short channels leave cells empty."""
    text = segment.of_channel("Samples", channel).strip()
    if file.many_headings and text.isdigit():
        return min(int(text), segment.n_rows)
    return segment.n_rows


def _x_as_promised(
    file: LvmFile, segment: Segment, channel: int, dt_s: float, seen: dict[Any, bool]
) -> bool:
    """Say whether the x column is X0 + i Delta_X, to the digits it is printed with."""
    if not _has_x(file):
        return True
    x0, n = _x0(file, segment, channel), _n_samples(file, segment, channel)
    x_column, _ = _columns(file, channel)
    question = (segment.start, x_column, x0, dt_s, n)
    if question not in seen:  # channels that share an x column mostly ask the same
        seen[question] = _x_is(file, segment, x_column, x0, dt_s, n)
    return seen[question]


def _x_is(
    file: LvmFile, segment: Segment, column: int, x0: float, dt_s: float, n_samples: int
) -> bool:
    tolerance = 0.51 * 10.0 ** -_decimals(file, segment)
    n = 0
    for (x,) in file.rows(segment, [column]):
        x = x[: n_samples - n]
        promised = x0 + dt_s * np.arange(n, n + len(x))
        if np.any(~(np.abs(x - promised) <= tolerance + 1e-9 * np.abs(promised))):
            return False
        n += len(x)
    return True


def _decimals(file: LvmFile, segment: Segment) -> int:
    """Return how many digits follow the decimal separator in the first row's x."""
    with file.path.open("rb") as f:
        f.seek(segment.start)
        cell = f.readline().decode("latin-1").split(file.separator)[0].strip()
    mantissa, _, exponent = cell.upper().partition("E")
    digits = len(mantissa.partition(file.decimal)[2])
    return digits - int(exponent or 0)


def _begin(
    file: LvmFile, group: str, label: str, channel: int, plan: _Plan, context: Context
) -> ChannelWriter:
    first = file.segments[0]
    start = file.start_of(first, channel)
    properties: dict[str, Any] = {"time_base": plan.base}
    if start is not None:
        properties["start"] = iso(start)
    for tag in ("X_Dimension", "Y_Dimension", "X_Unit_Label"):
        if text := first.of_channel(tag, channel):
            properties[tag] = text
    timing: dict[str, Any] = (
        {"irregular": True} if plan.dt is None else {"t0": plan.t0, "dt": plan.dt}
    )
    return context.channel(
        f"{group}/{label}",
        dtype=np.float64,
        unit=first.of_channel("Y_Unit_Label", channel),
        properties=properties,
        **timing,
    )


def _copy(
    file: LvmFile,
    segment: Segment,
    plans: list[_Plan],
    writers: list[ChannelWriter],
    zero: dt.datetime | None,
) -> None:
    """Hand the rows of a segment to its channels, read once."""
    channels = range(len(plans))
    left = [_n_samples(file, segment, c) for c in channels]
    offsets = [_offset(file, segment, c, zero) for c in channels]
    wanted = sorted({column for c in channels for column in _columns(file, c)})
    if not _has_x(file):
        wanted.remove(0)
    for rows in file.rows(segment, wanted):
        of_column = dict(zip(wanted, rows, strict=True))
        for c, (plan, writer) in enumerate(zip(plans, writers, strict=True)):
            x_column, column = _columns(file, c)
            values = of_column[column][: left[c]]
            times = of_column[x_column][: left[c]] + offsets[c] if plan.dt is None else None
            writer.append(values, times)
            left[c] -= len(values)


def _comments(file: LvmFile) -> list[tuple[int, str]]:
    """Return (row, text) of the cells below ``Comment``."""
    found: list[tuple[int, str]] = []
    row = 0
    for segment in file.segments:
        place = len(segment.columns) - 1
        if segment.columns[-1].strip() == "Comment":
            with file.path.open("rb") as f:
                f.seek(segment.start)
                for _ in range(segment.n_rows):
                    cells = f.readline().rstrip(b"\r\n").split(file.separator.encode())
                    if len(cells) > place and cells[place].strip():
                        found.append((row, cells[place].decode("utf-8", errors="replace")))
                    row += 1
    return found
