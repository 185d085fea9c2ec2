"""Traces and downloads of shots, which a publication makes after its pages.

Pages do not wait for these. ``data.csv`` and ``data.mat`` have the coarsest levels of a shot's
signals for other programs.
"""

from __future__ import annotations

import csv
import io
import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ishtar.errors import IshtarError
from ishtar.export.matlab import identifiers
from ishtar.packs.levels import Level
from ishtar.signals.time_base import COUNTED, dim_of
from runner.publish.data.traces import (
    Depth,
    is_current,
    published_part,
    read_index,
    traces_folder,
    unreadable,
    write_traces,
)
from runner.publish.records import ShotRecord, SiteSource
from runner.publish.retention import is_old
from runner.publish.writer import Writer
from runner.settings.publishing import PublishSettings

logger = logging.getLogger(__name__)


class UnreadableSignals(IshtarError):
    """Some signals of a shot have no traces, since their samples cannot be read: the next try may.

    ``reasons`` are by name of the signal.
    """

    def __init__(self, shot: int, reasons: Mapping[str, str]) -> None:
        self.shot, self.reasons = shot, dict(reasons)
        name, reason = next(iter(self.reasons.items()))
        others = f", and {len(reasons) - 1} more" if len(reasons) > 1 else ""
        super().__init__(f"shot {shot} has no traces of {name}{others}: {reason}")


DOWNLOADS = ("data.csv", "data.mat")


def keep_shot_data(number: int, writer: Writer) -> None:
    """Keep the traces and downloads of a shot until they are made again."""
    writer.keep(traces_folder(number))
    for name in DOWNLOADS:
        writer.keep(f"shots/{number:05d}/{name}")


def needs_traces(record: ShotRecord, writer: Writer, settings: PublishSettings) -> bool:
    """Return whether the traces of a shot must be made, updated or thinned out."""
    return not is_current(record, writer.out, depth_of(record, settings))


def make_traces(
    source: SiteSource, shots: Iterable[int], writer: Writer, settings: PublishSettings
) -> None:
    """Make the traces and downloads of some shots; signals that cannot be read are logged."""
    for number in shots:
        try:
            deque(steps_of_traces(source, number, writer, settings), maxlen=0)
        except UnreadableSignals as error:
            logger.warning("%s", error)


def steps_of_traces(
    source: SiteSource, number: int, writer: Writer, settings: PublishSettings
) -> Iterator[None]:
    """Make the traces and downloads of a shot; yield often, since that can take minutes.

    Raise `UnreadableSignals` at the end, when those of the other signals are there.
    """
    record = source.shot(number)
    changed = yield from write_traces(source, record, writer, depth_of(record, settings))
    if changed:
        write_downloads(record, writer)
    if lacking := unreadable(record, writer.out):
        raise UnreadableSignals(number, lacking)


def depth_of(record: ShotRecord, settings: PublishSettings) -> Depth:
    """Return how deep the traces of a shot go."""
    old = is_old(record.date, settings.keep_tiles_days)
    return Depth(tile_samples=settings.tile_samples, old=old)


Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True)
class CoarseSignal:
    """The coarsest level of a signal; ``high`` is None if each row is one sample."""

    name: str
    unit: str
    x_unit: str
    positions: Array
    low: Array
    high: Array | None
    stride: int


def write_downloads(record: ShotRecord, writer: Writer) -> None:
    """Write the tables of a shot from its traces; none if it has no signals."""
    folder = f"shots/{record.shot:05d}"
    signals = list(_signals(record.shot, writer))
    if not signals:
        writer.remove(f"{folder}/data.csv")
        writer.remove(f"{folder}/data.mat")
        return
    writer.write_now(f"{folder}/data.csv", _csv(record, signals))
    writer.write_now(f"{folder}/data.mat", _mat(record, signals))


def _signals(shot: int, writer: Writer) -> Iterator[CoarseSignal]:
    for name, entry in read_index(writer.out, shot).items():
        if not entry["levels"]:
            continue
        part = published_part(writer.out, shot, entry)
        level = part.levels[0]
        rows, places = part.rows(0, 0, level.bins)
        yield CoarseSignal(
            name=name,
            unit=entry["unit"],
            x_unit=entry["x_unit"],
            positions=_positions(entry, level, places),
            low=rows[:, 0],
            high=rows[:, 1] if level.stride > 1 else None,
            stride=level.stride,
        )


def _positions(entry: Mapping[str, Any], level: Level, places: Array | None) -> Array:
    """Return the times of bins: of their middles, or of their first samples.

    Without a time axis, return positions on the other axis, or sample numbers.
    """
    unit = entry["x_unit"]
    x0, dx = (0.0, 1.0) if unit == COUNTED else (entry["x0"], entry["dx"])
    if places is not None:
        return places + x0
    first = np.arange(level.bins) * level.stride
    last = np.minimum(first + level.stride, entry["n"]) - 1
    return np.asarray(x0 + dx * (first + last) / 2)


def _groups(signals: Sequence[CoarseSignal]) -> list[list[CoarseSignal]]:
    """Group the signals that share one axis."""
    groups: list[list[CoarseSignal]] = []
    for one in signals:
        same = (
            g
            for g in groups
            if g[0].x_unit == one.x_unit and np.array_equal(g[0].positions, one.positions)
        )
        group = next(same, None)
        if group is None:
            groups.append([one])
        else:
            group.append(one)
    return groups


def _csv(record: ShotRecord, signals: Sequence[CoarseSignal]) -> bytes:
    groups = _groups(signals)
    names: list[str] = []
    columns: list[list[str]] = []
    for k, group in enumerate(groups, 1):
        unit = group[0].x_unit
        title = dim_of(unit) + (f" {k}" if k > 1 else "")
        names.append(f"{title} [{unit}]" if unit else title)
        columns.append([f"{x:.12g}" for x in group[0].positions])
        for one in group:
            for part, values in _parts(one):
                names.append(f"{one.name}{part and ' ' + part} [{one.unit or '1'}]")
                columns.append(["NaN" if x != x else f"{x:.6g}" for x in values])
    longest = max(map(len, columns))
    padded = [column + [""] * (longest - len(column)) for column in columns]
    text = io.StringIO()
    strides = sorted({one.stride for one in signals})
    date = record.date.isoformat() if record.date else "date unknown"
    text.write(f"# shot {record.shot}, {date}; calibrated signals, time on the shot's clock\n")
    text.write(
        f"# min and max of every {' or '.join(map(str, strides))} samples; a column of times"
        " applies to the columns after it, up to the next one\n"
    )
    if any(one.x_unit == COUNTED for one in signals):
        text.write("# samples that are only counted have sample numbers instead of times\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(names)
    writer.writerows(zip(*padded, strict=True))
    return text.getvalue().encode()


def _parts(one: CoarseSignal) -> list[tuple[str, Array]]:
    return [("", one.low)] if one.high is None else [("min", one.low), ("max", one.high)]


def _mat(record: ShotRecord, signals: Sequence[CoarseSignal]) -> bytes:
    """Return a MATLAB file: a struct for each signal."""
    from scipy.io import savemat

    date = record.date.isoformat() if record.date else ""
    content: dict[str, Any] = {"ishtar": {"shot": record.shot, "date": date}}
    for name, one in zip(identifiers([s.name for s in signals]), signals, strict=True):
        values = {part or "value": x for part, x in _parts(one)}
        view = {
            dim_of(one.x_unit): one.positions,
            "x_unit": one.x_unit,
            "unit": one.unit,
            "name": one.name,
            "samples": one.stride,
        }
        content[name] = values | view
    out = io.BytesIO()
    savemat(out, content, do_compression=True, oned_as="column", long_field_names=True)
    # the header starts with 116 characters of free text, where SciPy writes the time
    return b"MATLAB 5.0 MAT-file, written by ishtar".ljust(116) + out.getvalue()[116:]
