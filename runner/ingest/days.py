"""The logs of a day and the shots of that day, matched by clock.

::

    data/days/2026-11-22/GENERATOR_2026-11-22.txt        the log, as it arrived
    data/days/2026-11-22/GENERATOR_2026-11-22.txt.json   what was matched (made anew each time)
    data/days/2026-11-22/shots/01234_Date.csv.json       a source that states a shot's time

A pulse belongs to a shot if some of it lies within the tolerance of the shot's trigger. If it fits
none it waits for shots to come; if it fits several it is reported and belongs to nobody.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from ishtar.errors import DamagedFile
from ishtar.store import Origin, SourceFile, SourceWriter, atomic_path, write_atomic
from runner.ingest.errors import Rejected
from runner.ingest.generatorlog import DayLog, GeneratorLog, Pulse
from runner.ingest.layout import DataFolders, shot_folder
from runner.ingest.outcome import Status
from runner.ingest.settings import IngestSettings
from runner.ingest.source_hash import sha256_of

GROUP = "Generator"
_INDEXED = ".indexed"
_SAME_TRIGGER = dt.timedelta(seconds=0.05)
_BEST_CLOCK = "datecsv"  # of several sources that state a shot's time, the PLC's counts


@dataclass(frozen=True, kw_only=True)
class Followed:
    """What came of matching a log, or all logs of a day."""

    shots: list[int] = field(default_factory=list)
    stored: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    moved: bool = False


@dataclass(frozen=True, kw_only=True)
class LogOutcome:
    """What became of an arrived log; ``kept_sha256`` is that of the copy kept and verified."""

    status: Status
    shots: list[int]
    stored: list[Path]
    notes: list[str]
    kept_sha256: str | None


def ingest_day_log(
    source: Path, converter: GeneratorLog, layout: DataFolders, settings: IngestSettings
) -> LogOutcome:
    """Keep a log of a day and store the pulses that fit its shots.

    Raises
    ------
    Rejected
        The log cannot be read, or another one of its name is kept that it does not continue.
    """
    new = converter.read(source)
    folder = layout.days / new.day.isoformat()
    with _locked(folder):
        kept, grown = folder / source.name, True
        if kept.exists():
            grown = not _begins_with(kept, source)  # the same, or an earlier state of it
            if grown and not _begins_with(source, kept):
                raise Rejected(
                    f"another {source.name} is kept for {new.day}, and this one does not continue "
                    "it; the first stays: give this one another name if it is wanted too"
                )
        for _ in new.pulses(
            threshold_w=settings.generator_threshold_w, gap_s=settings.generator_gap_s
        ):
            pass  # every row can be read: nothing is kept of a log that is damaged further down
        if grown:
            with atomic_path(kept) as temporary:
                shutil.copyfile(source, temporary)
        sha256 = sha256_of(kept)
        _index_once(layout)
        found = _match(kept, converter, layout, settings)
    verified = sha256 == sha256_of(source) or _begins_with(kept, source)
    status: Status = "stored" if found.shots else "pending"
    if not grown and not found.stored:
        status = "known"
    return LogOutcome(
        status=status,
        shots=found.shots,
        stored=found.stored,
        notes=found.notes,
        kept_sha256=sha256 if verified else None,
    )


def follow_shot(layout: DataFolders, settings: IngestSettings, shot: int, stored: Path) -> Followed:
    """Note the time of a shot that a new file states; match the day's logs if there are any."""
    day = _note_time(layout, shot, stored)
    if day is None:
        return Followed()
    try:
        return match_day(layout, settings, day)
    except DamagedFile as error:  # of another shot, perhaps: no reason to refuse this one
        return Followed(notes=[f"the generator's log of {day} could not be matched: {error}"])


def match_day(layout: DataFolders, settings: IngestSettings, day: dt.date) -> Followed:
    """Match all logs of a day, and of its neighbours for shots around midnight, once more."""
    stored: list[Path] = []
    notes: list[str] = []
    for offset in (-1, 0, 1):
        folder = layout.days / (day + dt.timedelta(days=offset)).isoformat()
        logs = [p for p in _files(folder) if p.suffix != ".json"]
        if not logs:
            continue
        with _locked(folder):
            for log in logs:
                found = _match(log, GeneratorLog(), layout, settings)
                if found.stored or found.moved:  # what does not fit was said when the log came
                    stored += found.stored
                    notes += found.notes
    return Followed(shots=sorted({_shot_of(p) for p in stored}), stored=stored, notes=notes)


def index_days(layout: DataFolders) -> None:
    """Note the times of all shots anew, from the stored files."""
    for folder in sorted(p for p in _folders(layout.shots) if p.name.isdigit()):
        for path in sorted(folder.glob("[!.]*.h5")):
            _note_time(layout, int(folder.name), path)
    layout.days.mkdir(parents=True, exist_ok=True)
    write_atomic(layout.days / _INDEXED, "")


def shot_times(layout: DataFolders, day: dt.date) -> dict[int, dt.datetime]:
    """Return the triggers of the shots of a day and its neighbours, local time."""
    stated: dict[int, list[tuple[bool, str, dt.datetime]]] = {}
    for offset in (-1, 0, 1):
        folder = layout.days / (day + dt.timedelta(days=offset)).isoformat() / "shots"
        for path in _files(folder):
            facts = json.loads(path.read_text())
            worse = not str(facts["converter"]).startswith(_BEST_CLOCK)
            date = dt.datetime.fromisoformat(facts["date"])
            stated.setdefault(int(facts["shot"]), []).append((worse, facts["source"], date))
    return {shot: min(times)[2] for shot, times in sorted(stated.items())}


def _note_time(layout: DataFolders, shot: int, stored: Path) -> dt.date | None:
    """Note the time that a stored file states for its shot; return its day."""
    source = SourceFile(stored)
    text = source.attributes.get("date")
    if not text:
        return None
    date = dt.datetime.fromisoformat(text)
    folder = layout.days / date.date().isoformat() / "shots"
    folder.mkdir(parents=True, exist_ok=True)
    origin = source.origin
    facts = {"shot": shot, "date": text, "source": origin.source, "converter": origin.converter}
    write_atomic(folder / f"{shot:05d} {origin.source}.json", json.dumps(facts) + "\n")
    return date.date()


def _index_once(layout: DataFolders) -> None:
    if not (layout.days / _INDEXED).exists():
        index_days(layout)


def _match(
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
        notes=[*_notes(log, len(matched), unmatched, ambiguous), *moved],
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


def _begins_with(path: Path, beginning: Path) -> bool:
    """Say whether a file begins with all that another one holds."""
    if path.stat().st_size < beginning.stat().st_size:
        return False
    with path.open("rb") as a, beginning.open("rb") as b:
        while block := b.read(1 << 20):
            if a.read(len(block)) != block:
                return False
    return True


def _shot_of(path: Path) -> int:
    return int(path.parent.name)


def _files(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except FileNotFoundError:
        return []


def _folders(folder: Path) -> list[Path]:
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir())
    except FileNotFoundError:
        return []


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time match the logs of a day; a killed one lets go by itself."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
