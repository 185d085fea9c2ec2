"""The pulses of a log in the folder of a shot: what is there, what should be, what to do about it.

::

    data/shots/01234/GENERATOR_2026-11-22.txt.h5      Generator/ForwardPower …
    data/shots/01234/GENERATOR_2026-11-22.txt 2.h5    Generator 2/…: rows that came later

Such a file is made from the kept log and the shot's clock, and is made again when one of them says
otherwise: under its own name and at once whole, so that a reader has the old one or the new one.
Everything that it holds can be made again at any time from the log, which is never removed.
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
from runner.ingest.days.assignment import Rows, within, without
from runner.ingest.days.day_index import files_in
from runner.ingest.generatorlog.generatorlog_converter import DayLog, GeneratorLog, Pulse
from runner.ingest.layout import DataFolders, shot_folder
from runner.ingest.raw_files.quarantine import quarantine
from runner.ingest.settings import IngestSettings

log = logging.getLogger(__name__)

GROUP = "Generator"


@dataclass(frozen=True, kw_only=True)
class KeptLog:
    """A log of a day as it is kept, and what identifies its content."""

    log: DayLog
    size: int
    sha256: str

    @property
    def name(self) -> str:
        """The name of its file."""
        return self.log.path.name


@dataclass(frozen=True, kw_only=True)
class Part:
    """A stored file with pulses of a log; ``damage`` says why it cannot be read, if so."""

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
    """What is to be done about the pulses of a log in one shot.

    Attributes
    ----------
    remove : tuple of Part
        Files that hold nothing of the shot any more.
    replace : tuple of (Part, list of Pulse)
        Files to be made again, with what they will hold.
    add : list of Pulse
        What goes into a new file.
    notes : tuple of str
        What a person should hear of.
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
    """Return the stored files of a log in a shot, by their numbers."""
    pattern = re.compile(re.escape(name) + r"(?: (\d+))?\.h5")
    found = []
    for path in files_in(shot_folder(layout, shot)):
        if match := pattern.fullmatch(path.name):
            part = _part(path, int(match[1] or 1), name, day)
            found += [part] if part is not None else []
    return sorted(found, key=lambda p: p.number)


def _part(path: Path, number: int, name: str, day: dt.date) -> Part | None:
    """Return what a file holds; None if it is of another source, or another day's log."""
    try:
        source = SourceFile(path)
        properties, origin = source.properties, source.origin
        if origin.source != name or not origin.converter.startswith(GeneratorLog.name):
            return None
        if properties["day"] != day.isoformat():
            return None  # neighbouring days' logs of one name, of a shot around midnight
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
    """Return what is to be done so that a shot holds its pulses, once each, by its clock.

    Parameters
    ----------
    parts : list of Part
        What the shot holds of the log.
    pulses : list of Pulse
        What belongs to it.
    trigger : datetime or None
        Its clock; None only if nothing belongs to it.
    """
    remove, replace, notes = [], [], []
    placed: list[Rows] = []
    for part in parts:
        if part.damage:
            remove.append(part)
            notes.append(f"{part.path.name} of shot {shot} is damaged: it goes to quarantine")
            continue
        # of two files that hold the same rows the first keeps them
        keep = list(without(within(pulses, part.rows), placed))
        placed += [p.rows for p in keep]
        if not keep or trigger is None:
            remove.append(part)
            notes.append(f"{part.path.name} leaves shot {shot}: its pulses do not fit it by clock")
        elif tuple(p.rows for p in keep) != part.rows:
            replace.append((part, keep))
            notes.append(f"{part.path.name} of shot {shot} is made again: some pulses left it")
        elif not _is_placed_by(part, trigger, settings):
            replace.append((part, keep))
            notes.append(f"{part.path.name} of shot {shot} {_moved(part, trigger, settings)}")
    return Change(
        shot=shot,
        trigger=trigger,
        remove=tuple(remove),
        replace=tuple(replace),
        add=list(without(pulses, placed)),
        notes=tuple(notes),
    )


def _is_placed_by(part: Part, trigger: dt.datetime, settings: IngestSettings) -> bool:
    same_offset = part.clock_offset_s == settings.generator_clock_offset_s
    return same_offset and part.trigger == _trigger_text(trigger)


def _moved(part: Part, trigger: dt.datetime, settings: IngestSettings) -> str:
    now = _trigger_text(trigger)
    if part.trigger != now:
        return f"follows the shot's clock: placed by the trigger {now}, before by {part.trigger}"
    return (
        f"follows the generator's clock: placed by the offset "
        f"{settings.generator_clock_offset_s:g} s, before by {part.clock_offset_s:g} s"
    )


def _trigger_text(trigger: dt.datetime) -> str:
    # three digits at least, as files from before microseconds have them
    return trigger.isoformat(
        timespec="microseconds" if trigger.microsecond % 1000 else "milliseconds"
    )


def take_out(change: Change, layout: DataFolders) -> list[Path]:
    """Remove from a shot what is not its own; a damaged file goes to quarantine. Return them."""
    for part in change.remove:
        if part.damage:
            quarantine(part.path, layout.quarantine, f"damaged: {part.damage}", move=True)
        else:
            part.path.unlink(missing_ok=True)
    for folder in {part.path.parent for part in change.remove}:
        fsync_dir(folder)
    return [part.path for part in change.remove]


def replace_in(change: Change, kept: KeptLog, settings: IngestSettings) -> list[Path]:
    """Make files of a shot again with what they should hold, and return them."""
    for part, pulses in change.replace:
        _write(part.path, part.number, change, kept, pulses, settings, exclusive=False)
    return [part.path for part, _ in change.replace]


def add_to(
    change: Change, kept: KeptLog, layout: DataFolders, settings: IngestSettings
) -> list[Path]:
    """Store what a shot lacks, in a file of the first number that is free; return it, if any."""
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
    # a later file must not give a second channel of the same path
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
