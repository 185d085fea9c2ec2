"""The stored pulses of a log in the folder of a shot, and the changes that they need.

::

    data/shots/01234/GENERATOR_2026-11-22.txt.h5      Generator/ForwardPower …
    data/shots/01234/GENERATOR_2026-11-22.txt 2.h5    Generator 2/…: rows that arrived later

Such a file is made from the kept log and the shot's clock, and replaced when one of them changes:
atomically and under the same name, so that a reader has either the old or the new one. It can be
made again at any time from the log, which is never removed.
"""

from __future__ import annotations

import datetime as dt
import logging
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.errors import DamagedFile
from ishtar.shots.clocks import MATCHED
from ishtar.store import Origin, SourceFile, SourceWriter, fsync_dir
from runner.ingest.days.assignment import Rows, inside_rows, outside_rows
from runner.ingest.days.day_index import files_in
from runner.ingest.generatorlog.generatorlog_converter import DayLog, GeneratorLog, Pulse
from runner.ingest.layout import DataFolders, shot_folder
from runner.ingest.raw_files.quarantine import quarantine
from runner.ingest.settings import IngestSettings

log = logging.getLogger(__name__)

GROUP = "Generator"


@dataclass(frozen=True, kw_only=True)
class KeptLog:
    """A kept day log, and what identifies its content."""

    log: DayLog
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.log.path.name


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stored file with pulses of a log; ``damage`` is the reason if it cannot be read."""

    number: int
    path: Path
    rows: tuple[Rows, ...] = ()
    trigger: str = ""
    clock_offset_s: float = 0.0
    size: int = 0
    sha256: str = ""
    damage: str = ""


@dataclass(frozen=True, kw_only=True)
class Change:
    """The changes to the pulses of a log in one shot.

    Attributes
    ----------
    remove : tuple of Part
        Files without pulses of the shot.
    replace : tuple of (Part, list of Pulse)
        Files to replace, each with its new pulses.
    add : list of Pulse
        Pulses for a new file.
    notes : tuple of str
        Messages for people.
    """

    shot: int
    trigger: dt.datetime | None
    remove: tuple[Part, ...] = ()
    replace: tuple[tuple[Part, list[Pulse]], ...] = ()
    add: list[Pulse] = field(default_factory=list)
    notes: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.remove or self.replace or self.add)


def parts_of(layout: DataFolders, shot: int, name: str, day: dt.date) -> list[Part]:
    """Return the stored files of a log in a shot, by number."""
    pattern = re.compile(re.escape(name) + r"(?: (\d+))?\.h5")
    found = []
    for path in files_in(shot_folder(layout, shot)):
        if match := pattern.fullmatch(path.name):
            part = _part(path, int(match[1] or 1), name, day)
            found += [part] if part is not None else []
    return sorted(found, key=lambda p: p.number)


def _part(path: Path, number: int, name: str, day: dt.date) -> Part | None:
    """Return a stored file of a log; None if it is from another source or another day's log."""
    try:
        source = SourceFile(path)
        properties, origin = source.properties, source.origin
        if origin.source != name or not origin.converter.startswith(GeneratorLog.name):
            return None
        if properties["day"] != day.isoformat():
            return None  # a shot around midnight may have logs of two days with the same name
        return Part(
            number=number,
            path=path,
            rows=tuple((int(p["rows"][0]), int(p["rows"][1])) for p in properties["pulses"]),
            trigger=str(properties["trigger"]),
            clock_offset_s=float(properties["clock_offset_s"]),
            size=origin.size,
            sha256=origin.sha256,
        )
    except FileNotFoundError:
        return None
    except (DamagedFile, ValueError, TypeError, KeyError, IndexError) as error:
        damage = str(error) if isinstance(error, DamagedFile) else f"{path}: {error!r}"
        return Part(number=number, path=path, damage=damage)


def change_of(
    shot: int,
    parts: list[Part],
    pulses: list[Pulse],
    trigger: dt.datetime | None,
    settings: IngestSettings,
) -> Change:
    """Return the changes after which a shot holds each of its pulses once, on its clock.

    Parameters
    ----------
    parts : list of Part
        The stored files of the log in the shot.
    pulses : list of Pulse
        The pulses of the shot.
    trigger : datetime or None
        Its clock; None only if it has no pulses.
    """
    remove, replace, notes = [], [], []
    placed: list[Rows] = []
    for part in parts:
        if part.damage:
            remove.append(part)
            notes.append(f"{part.path.name} of shot {shot} is damaged and goes to quarantine")
            continue
        # of two files with the same rows the first keeps them
        keep = list(outside_rows(inside_rows(pulses, part.rows), placed))
        placed += [p.rows for p in keep]
        if not keep or trigger is None:
            remove.append(part)
            notes.append(f"{part.path.name} leaves shot {shot}: its pulses do not match its clock")
        elif tuple(p.rows for p in keep) != part.rows:
            replace.append((part, keep))
            notes.append(f"{part.path.name} of shot {shot} is replaced: some pulses left it")
        elif not _is_current(part, trigger, settings):
            replace.append((part, keep))
            notes.append(f"{part.path.name} of shot {shot} {_reason(part, trigger, settings)}")
    return Change(
        shot=shot,
        trigger=trigger,
        remove=tuple(remove),
        replace=tuple(replace),
        add=list(outside_rows(pulses, placed)),
        notes=tuple(notes),
    )


def _is_current(part: Part, trigger: dt.datetime, settings: IngestSettings) -> bool:
    same_offset = part.clock_offset_s == settings.generator_clock_offset_s
    return same_offset and part.trigger == _trigger_text(trigger)


def _reason(part: Part, trigger: dt.datetime, settings: IngestSettings) -> str:
    now = _trigger_text(trigger)
    if part.trigger != now:
        return f"follows the shot's clock: placed by the trigger {now}, before by {part.trigger}"
    return (
        f"follows the generator's clock: placed by the offset "
        f"{settings.generator_clock_offset_s:g} s, before by {part.clock_offset_s:g} s"
    )


def _trigger_text(trigger: dt.datetime) -> str:
    # three digits at least, as in files from before microseconds were stored
    return trigger.isoformat(
        timespec="microseconds" if trigger.microsecond % 1000 else "milliseconds"
    )


def remove_parts(change: Change, layout: DataFolders) -> list[Path]:
    """Remove the files of a change, damaged ones to quarantine, and return them."""
    for part in change.remove:
        if part.damage:
            quarantine(part.path, layout.quarantine, f"damaged: {part.damage}", move=True)
        else:
            part.path.unlink(missing_ok=True)
    for folder in {part.path.parent for part in change.remove}:
        fsync_dir(folder)
    return [part.path for part in change.remove]


def replace_parts(change: Change, kept: KeptLog, settings: IngestSettings) -> list[Path]:
    """Replace files of a shot by their new content, and return them."""
    for part, pulses in change.replace:
        _write(part.path, part.number, change, kept, pulses, settings, exclusive=False)
    return [part.path for part, _ in change.replace]


def add_part(
    change: Change, kept: KeptLog, layout: DataFolders, settings: IngestSettings
) -> list[Path]:
    """Store missing pulses of a shot in a file with the first free number; return it, if any."""
    number = 0
    while change.add:
        number += 1
        path = shot_folder(layout, change.shot) / _file_name(kept.name, number)
        if path.exists():
            continue
        try:
            _write(path, number, change, kept, change.add, settings, exclusive=True)
        except FileExistsError:  # a log of a neighbouring day was faster
            continue
        return [path]
    return []


def _file_name(name: str, number: int) -> str:
    return f"{name} {number}.h5" if number > 1 else f"{name}.h5"


def _write(
    path: Path,
    number: int,
    change: Change,
    kept: KeptLog,
    pulses: list[Pulse],
    settings: IngestSettings,
    *,
    exclusive: bool,
) -> None:
    assert change.trigger is not None
    # channel paths must be unique in a shot
    group = f"{GROUP} {number}" if number > 1 else GROUP
    origin = Origin(
        shot=change.shot,
        source=kept.name,
        size=kept.size,
        sha256=kept.sha256,
        converter=f"{GeneratorLog.name} {GeneratorLog.version}",
        writer="RF generator",
        arrived=dt.datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    offset = np.timedelta64(round(settings.generator_clock_offset_s * 1e6), "us")
    zero = np.datetime64(change.trigger, "us") - offset
    time_s = np.concatenate([(p.time - zero) / np.timedelta64(1, "s") for p in pulses])
    with SourceWriter(path, origin, exclusive=exclusive) as writer:
        writer.properties.update(_facts(change.trigger, kept, pulses, settings))
        for column in kept.log.columns[1:]:
            channel = writer.channel(
                f"{group}/{column.name}",
                dtype=np.float64,
                unit=column.unit,
                irregular=True,
                properties={"time_base": MATCHED},
            )
            channel.append(np.concatenate([p.values[column.name] for p in pulses]), time_s)


def _facts(
    trigger: dt.datetime, kept: KeptLog, pulses: list[Pulse], settings: IngestSettings
) -> dict[str, Any]:
    return {
        "day": kept.log.day.isoformat(),
        "trigger": _trigger_text(trigger),
        "clock_offset_s": settings.generator_clock_offset_s,
        "threshold_w": settings.generator_threshold_w,
        "pulses": [
            {"start": p.start.isoformat(), "end": p.end.isoformat(), "rows": list(p.rows)}
            for p in pulses
        ],
    }
