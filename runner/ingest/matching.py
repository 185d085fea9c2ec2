"""The pulses of a generator's log and the shots of the day, matched by clock.

A pulse belongs to a shot if some of it lies within the tolerance of the shot's trigger. If it fits
none it waits for shots to come; if it fits several it is reported and belongs to nobody. What has
been stored once, row by row of the log, is never stored again nor given to another shot.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.store import Origin, SourceFile, SourceWriter, write_atomic
from runner.ingest.day_index import shot_times
from runner.ingest.generatorlog import DayLog, GeneratorLog, Pulse
from runner.ingest.layout import DataFolders, shot_folder
from runner.ingest.settings import IngestSettings
from runner.ingest.source_hash import sha256_of

GROUP = "Generator"
_SAME_TRIGGER = dt.timedelta(seconds=0.05)


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What came of matching a log, or all logs of a day."""

    shots: list[int] = field(default_factory=list)
    stored: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    moved: bool = False


def match_log(
    log: Path, converter: GeneratorLog, layout: DataFolders, settings: IngestSettings
) -> Followed:
    """Store the pulses of a kept log that fit one shot and are not stored yet."""
    day_log = converter.read(log)
    times = shot_times(layout, day_log.day)
    offset = dt.timedelta(seconds=settings.generator_clock_offset_s)
    done = {shot: _stored_rows(layout, shot, log.name) for shot in times}
    fresh: dict[int, list[Pulse]] = {}
    matched: list[dict[str, Any]] = []
    unmatched: list[Pulse] = []
    ambiguous: list[tuple[Pulse, list[int]]] = []
    for pulse in day_log.pulses(
        threshold_w=settings.generator_threshold_w, gap_s=settings.generator_gap_s
    ):
        fits = _fitting(pulse, times, offset, settings.generator_tolerance_s)
        holders = [s for s, rows in done.items() if _overlap(rows, pulse.rows)]
        taken = [rows for s in holders for rows in done[s]]
        rest = list(_without(pulse, taken))
        if len(fits) > 1:
            ambiguous.append((pulse, fits))
        elif not fits and not holders:
            unmatched.append(pulse)
        for shot in sorted({*holders, *fits} if len(fits) == 1 else holders):
            matched.append({"start": pulse.start.isoformat(), "shot": shot})
        if len(fits) == 1 and rest and not (holders and holders != fits):
            fresh.setdefault(fits[0], []).extend(rest)
    moved = list(_moved(layout, times, log.name))
    stored = [
        _store(log, day_log, layout, settings, shot, times[shot], pulses)
        for shot, pulses in sorted(fresh.items())
    ]
    facts = {
        "matched": matched,
        "unmatched": [p.start.isoformat() for p in unmatched],
        "ambiguous": [{"start": p.start.isoformat(), "shots": s} for p, s in ambiguous],
    }
    write_atomic(log.with_name(log.name + ".json"), json.dumps(facts, indent=1) + "\n")
    return Followed(
        shots=sorted({m["shot"] for m in matched}),
        stored=stored,
        notes=[*_notes(log, len(matched), unmatched, ambiguous), *day_log.notes, *moved],
        moved=bool(moved),
    )


def _moved(layout: DataFolders, times: dict[int, dt.datetime], name: str) -> Iterator[str]:
    """Yield what to do about pulses placed by a trigger that a better clock has corrected."""
    for shot, trigger in times.items():
        for path in _stored_files(layout, shot, name):
            used = SourceFile(path).properties.get("trigger", "")
            if used and abs(dt.datetime.fromisoformat(used) - trigger) > _SAME_TRIGGER:
                yield (
                    f"{path.name} of shot {shot} was placed by the trigger {used}, which is now "
                    f"{trigger.isoformat()}: remove it and ingest {name} again"
                )


def _fitting(
    pulse: Pulse, times: dict[int, dt.datetime], offset: dt.timedelta, tolerance_s: float
) -> list[int]:
    # generator time + offset = shot time
    start, end = pulse.start + offset, pulse.end + offset
    tolerance = dt.timedelta(seconds=tolerance_s)
    return [s for s, t in times.items() if start <= t + tolerance and end >= t - tolerance]


def _stored_rows(layout: DataFolders, shot: int, name: str) -> list[tuple[int, int]]:
    rows: list[tuple[int, int]] = []
    for path in _stored_files(layout, shot, name):
        pulses = SourceFile(path).properties.get("pulses", [])
        rows += [(int(p["rows"][0]), int(p["rows"][1])) for p in pulses]
    return rows


def _stored_files(layout: DataFolders, shot: int, name: str) -> list[Path]:
    """Return the files of a log in a shot: the first, then those of later states of the log."""
    found: list[Path] = []
    while (path := _stored_name(layout, shot, name, len(found) + 1)).exists():
        found.append(path)
    return found


def _stored_name(layout: DataFolders, shot: int, name: str, number: int) -> Path:
    later = f" {number}" if number > 1 else ""
    return shot_folder(layout, shot) / f"{name}{later}.h5"


def _without(pulse: Pulse, taken: list[tuple[int, int]]) -> Iterator[Pulse]:
    """Yield what is left of a pulse without rows that are stored."""
    first, stop = pulse.rows
    for i, j in sorted(taken):
        if first < i:
            yield pulse.part(first, min(i, stop))
        first = max(first, min(j, stop))
    if first < stop:
        yield pulse.part(first, stop)


def _overlap(rows: list[tuple[int, int]], wanted: tuple[int, int]) -> bool:
    return any(i < wanted[1] and wanted[0] < j for i, j in rows)


def _store(
    log: Path,
    day_log: DayLog,
    layout: DataFolders,
    settings: IngestSettings,
    shot: int,
    trigger: dt.datetime,
    pulses: list[Pulse],
) -> Path:
    """Write pulses into a file of their own beside the other files of the shot."""
    number = len(_stored_files(layout, shot, log.name)) + 1
    target = _stored_name(layout, shot, log.name, number)
    # a later file must not give a second channel of the same path
    group = GROUP if number == 1 else f"{GROUP} {number}"
    origin = Origin(
        shot=shot,
        source=log.name,
        size=log.stat().st_size,
        sha256=sha256_of(log),
        converter=f"{GeneratorLog.name} {GeneratorLog.version}",
        writer="RF generator",
        arrived=dt.datetime.now().astimezone().isoformat(timespec="seconds"),
    )
    zero = np.datetime64(trigger, "us") - np.timedelta64(
        round(settings.generator_clock_offset_s * 1e6), "us"
    )
    time_s = np.concatenate([(p.time - zero) / np.timedelta64(1, "s") for p in pulses])
    with SourceWriter(target, origin, exclusive=True) as writer:
        writer.properties.update(
            day=day_log.day.isoformat(),
            trigger=trigger.isoformat(timespec="milliseconds"),
            clock_offset_s=settings.generator_clock_offset_s,
            threshold_w=settings.generator_threshold_w,
            pulses=[
                {"start": p.start.isoformat(), "end": p.end.isoformat(), "rows": list(p.rows)}
                for p in pulses
            ],
        )
        for column in day_log.columns[1:]:
            values = np.concatenate([p.values[column.name] for p in pulses])
            channel = writer.channel(
                f"{group}/{column.name}",
                dtype=np.float64,
                unit=column.unit,
                irregular=True,
                properties={"time_base": "matched by clock"},
            )
            channel.append(values, time_s)
    return target


def _notes(
    log: Path, n_matched: int, unmatched: list[Pulse], ambiguous: list[tuple[Pulse, list[int]]]
) -> list[str]:
    notes = [f"{log.name}: {n_matched} pulses belong to shots"]
    if unmatched:
        notes.append(f"{len(unmatched)} fit no shot ({_clock_times(unmatched)})")
    for pulse, shots in ambiguous:
        numbers = " and ".join(map(str, shots))
        notes.append(
            f"the pulse of {pulse.start:%H:%M:%S} fits shots {numbers} and is given to none: "
            "correct generator_clock_offset_s or generator_tolerance_s in ishtar.toml"
        )
    return notes


def _clock_times(pulses: list[Pulse]) -> str:
    texts = [f"{p.start:%H:%M:%S}" for p in pulses]
    return ", ".join(texts if len(texts) <= 4 else [*texts[:3], "…", texts[-1]])
