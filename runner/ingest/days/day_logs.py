"""The generator's logs of a day: kept as they arrived, and matched to shots after each change.

::

    data/days/2026-11-22/GENERATOR_2026-11-22.txt        the log, as it arrived
    data/days/2026-11-22/GENERATOR_2026-11-22.txt.json   what was matched (rewritten each time)
    data/days/2026-11-22/shots/01234.json                time of a shot of the day

A damaged or foreign log, note or folder is reported, and the others are matched.
"""

from __future__ import annotations

import datetime as dt
import fcntl
import logging
import os
import shutil
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ishtar.errors import IshtarError
from ishtar.store import atomic_path
from runner.ingest.days.day_index import (
    NEIGHBOURS,
    damaged_notes,
    day_of,
    days_in,
    files_in,
    folders_in,
    index_once,
    is_indexed,
    note_time,
    shot_times,
    states_date,
)
from runner.ingest.days.day_state import SUFFIX, LogState, read_state, settings_of
from runner.ingest.days.matching import MatchResult, find_match, is_matched, match_log
from runner.ingest.generatorlog.generatorlog_converter import GeneratorLog
from runner.ingest.ingest_errors import Rejected, ingest_stopped
from runner.ingest.layout import DataFolders
from runner.ingest.raw_files.quarantine import quarantine
from runner.ingest.raw_files.source_hash import sha256_of, sha256_of_prefixes
from runner.ingest.settings import IngestSettings

log = logging.getLogger(__name__)
LogStatus = Literal["stored", "known", "pending"]


@dataclass(frozen=True, kw_only=True)
class LogOutcome:
    """The outcome of an arrived log; ``kept_sha256`` is that of the verified copy."""

    status: LogStatus
    shots: list[int]
    stored: list[Path]
    notes: list[str]
    kept_sha256: str | None


# --- a log arrives -------------------------------------------------------------------------------


def ingest_day_log(
    source: Path, converter: GeneratorLog, layout: DataFolders, settings: IngestSettings
) -> LogOutcome:
    """Keep a day log and store the pulses that match its shots.

    A log matched before keeps the settings of that match, until the kept file itself is ingested:
    then those of ``ishtar.toml`` apply.

    Raises
    ------
    Rejected
        The log cannot be read, or does not continue a kept one of the same name.
    """
    if source.name.startswith(".") or source.suffix == SUFFIX or source.name == "shots":
        raise Rejected(f"a log cannot be kept under the name {source.name}: rename it")
    new = converter.read(source)
    for _ in new.pulses(threshold_w=settings.generator_threshold_w, gap_s=settings.generator_gap_s):
        pass  # read every row first: a log damaged further down is not kept
    folder = layout.days / new.day.isoformat()
    with _locked(folder):
        kept = folder / source.name
        grown = _is_new(kept, source, layout)
        if grown:
            with atomic_path(kept) as temporary:
                shutil.copyfile(source, temporary)
        sha256 = sha256_of(kept)
        index_once(layout)
        used = settings if kept.samefile(source) else _settings_over(kept, settings)
        found = _matched(kept, converter, layout, used)
    verified = _has_prefix(kept, source)
    status: LogStatus = "stored" if found.shots else "pending"
    if not grown and not found.changed:
        status = "known"
    return LogOutcome(
        status=status,
        shots=found.shots,
        stored=found.stored,
        notes=[*found.notes, *found.problems, *_other_settings(kept, used, settings)],
        kept_sha256=sha256 if verified else None,
    )


def _is_new(kept: Path, source: Path, layout: DataFolders) -> bool:
    """Return whether an arrived log has more than the kept one of its name."""
    if not kept.exists():
        return True
    if _has_prefix(kept, source):  # the same, or an earlier state of it
        return False
    if _has_prefix(source, kept):
        return True
    state = read_state(kept)
    if state is not None and not _is_state_of(kept, state) and _is_state_of(source, state):
        reason = "damaged: it is no longer the log that was kept and matched"
        quarantine(kept, layout.quarantine, reason, move=True)
        return True
    raise Rejected(
        f"a different {source.name} is kept in {kept.parent}, which stays, and this one does not "
        "continue it: rename this file to keep it too"
    )


def _is_state_of(path: Path, state: LogState) -> bool:
    """Return whether a file begins with the log of a state."""
    return sha256_of_prefixes(path, [state.size]).get(state.size) == state.sha256


# --- a shot's clock changes ----------------------------------------------------------------------


def rematch_shot(
    layout: DataFolders, settings: IngestSettings, shot: int, stored: Path
) -> MatchResult:
    """Update the time of a shot with a new file, and match the logs of its days where needed.

    Parameters
    ----------
    stored : Path
        The new file; without a date it changes no clock.
    """
    days = note_time(layout, shot)
    return _rematch(layout, settings, {shot}, days if states_date(stored) else set())


def rematch_shots(
    layout: DataFolders,
    settings: IngestSettings,
    shots: Mapping[int, Iterable[dt.date]],
) -> MatchResult:
    """Update the times of shots that may have changed, and match the logs of their days.

    Parameters
    ----------
    shots : mapping of int to iterable of date
        Shots, each with the days that it belonged to before.

    Raises
    ------
    IngestStopped
        Disk full, no permission; the next call finishes the work.
    """
    if not shots or not is_indexed(layout):  # no log has arrived yet
        return MatchResult()
    try:
        days = {day for shot, before in shots.items() for day in note_time(layout, shot, before)}
        return _rematch(layout, settings, shots, days)
    except OSError as error:
        if isinstance(error, IshtarError):
            raise
        raise ingest_stopped("the generator's logs", error) from error


def match_days(layout: DataFolders, settings: IngestSettings) -> MatchResult:
    """Match the outdated logs of all days."""
    return _rematch(layout, settings, (), {day for _, day in days_in(layout)})


def match_day(layout: DataFolders, settings: IngestSettings, day: dt.date) -> MatchResult:
    """Match all logs of a day again, and those of its neighbours for shots around midnight.

    The given settings apply, whatever the logs were matched with before.
    """
    found = []
    for folder in _neighbouring_folders(layout, {day}):
        for path in logs_in(folder):
            with _locked(folder):
                found.append(_matched(path, GeneratorLog(), layout, settings))
    return _merged(found)


def logs_in(folder: Path) -> list[Path]:
    """Return the kept logs in the folder of a day."""
    return [path for path in files_in(folder) if path.suffix != SUFFIX]


def _neighbouring_folders(layout: DataFolders, days: Iterable[dt.date]) -> list[Path]:
    near = {day + dt.timedelta(days=k) for day in days for k in NEIGHBOURS}
    return [layout.days / day.isoformat() for day in sorted(near)]


def _rematch(
    layout: DataFolders, settings: IngestSettings, shots: Iterable[int], days: Iterable[dt.date]
) -> MatchResult:
    """Match the outdated logs around some days."""
    found = [MatchResult(problems=list(_blocked_days(layout, days)))]
    for folder in _neighbouring_folders(layout, days):
        paths, day = logs_in(folder), day_of(folder)
        times = shot_times(layout, day) if paths and day else {}
        for path in paths:
            if not _is_due(path, layout, settings, times):
                continue
            with _locked(folder):
                used = _settings_over(path, settings)
                one = _matched(path, GeneratorLog(), layout, used, also=shots)
            others = _other_settings(path, used, settings)
            found.append(replace(one, notes=[*one.notes, *others]))
    return _merged(found)


def _blocked_days(layout: DataFolders, days: Iterable[dt.date]) -> Iterator[str]:
    """Yield the files in the place of a day's folder, as problems."""
    for path in (layout.days / day.isoformat() for day in sorted(days)):
        if path.exists() and not path.is_dir():
            yield f"{path} is not a folder, so no log finds the shots of that day: move it away"


def _is_due(
    path: Path,
    layout: DataFolders,
    settings: IngestSettings,
    times: Mapping[int, dt.datetime],
) -> bool:
    state = read_state(path)
    if state is None or state.settings != settings_of(state.settings_over(settings)):
        return True
    return not is_matched(path, state, layout, times)


def _matched(
    path: Path,
    converter: GeneratorLog,
    layout: DataFolders,
    settings: IngestSettings,
    also: Iterable[int] = (),
) -> MatchResult:
    """Match a kept log; a failure becomes a problem in the result."""
    try:
        return match_log(path, converter, layout, settings, also=also)
    except Rejected as error:
        problem = f"the log {path} is not matched: {error}"
        log.warning("%s", problem)
        return MatchResult(problems=[problem])


def _merged(found: Iterable[MatchResult]) -> MatchResult:
    """Return the results of several logs as one, with the notes of changed logs only."""
    found = list(found)
    problems = [problem for one in found for problem in one.problems]
    notes = [note for one in found if one.changed for note in one.notes]
    stored = [path for one in found for path in one.stored]
    removed = [path for one in found for path in one.removed]
    merged = MatchResult(
        stored=stored, removed=removed, notes=[*notes, *problems], problems=problems
    )
    return replace(merged, shots=merged.changed)


def _settings_over(path: Path, settings: IngestSettings) -> IngestSettings:
    """Return the settings of a log: those of its last match with shots, else the given ones."""
    state = read_state(path)
    return settings if state is None else state.settings_over(settings)


def _other_settings(path: Path, used: IngestSettings, settings: IngestSettings) -> Iterator[str]:
    """Yield a note where a log keeps settings that differ from ``ishtar.toml``."""
    was, now = settings_of(used), settings_of(settings)
    texts = [
        f"{name} = {was[name]:g} (now {now[name]:g})" for name in was if was[name] != now[name]
    ]
    if texts:
        yield (
            f"{path.name} keeps {', '.join(texts)}: run `ishtar ingest {path}` if the new "
            "settings apply to this day, too"
        )


# --- problems ------------------------------------------------------------------------------------


def day_problems(layout: DataFolders, settings: IngestSettings) -> Iterator[tuple[Path, str]]:
    """Yield the problems of day logs and of the files with their pulses, without changing them."""
    for path in files_in(layout.days):
        yield path, "it is not a folder of a day: move it away"
    for folder in folders_in(layout.days):
        day = day_of(folder)
        if day is None:
            yield folder, "its name is not a day: rename it like 2026-11-22, to match its logs"
            continue
        yield from damaged_notes(layout, day)
        logs = logs_in(folder)
        for path in files_in(folder):
            if path.suffix == SUFFIX and path.with_suffix("") not in logs:
                yield path, "its log is missing: put the log back, so that its pulses follow clocks"
        for path in logs:
            yield from ((path, problem) for problem in _log_problems(path, day, layout, settings))


def _log_problems(
    path: Path, day: dt.date, layout: DataFolders, settings: IngestSettings
) -> Iterator[str]:
    advice = "`ishtar rebuild` corrects it"
    state = read_state(path)
    if state is None:
        yield f"the record of its last match is missing: {advice}"
    elif not _is_state_of(path, state):
        yield "it was changed or replaced after it was matched: ingest the original log again"
    try:
        match = find_match(path, GeneratorLog(), layout, _settings_over(path, settings))
    except Rejected as error:
        yield str(error)
        return
    if match.kept.log.day != day:
        yield f"it belongs to {match.kept.log.day}: ingest it again, then remove it here"
    for change in match.changes:
        yield from (f"{note}: {advice}" for note in change.notes)
        if change.add:
            yield f"shot {change.shot} is missing {len(change.add)} of its pulses: {advice}"


# --- files ---------------------------------------------------------------------------------------


def _has_prefix(path: Path, beginning: Path) -> bool:
    """Return whether a file begins with the whole content of another one."""
    if path.stat().st_size < beginning.stat().st_size:
        return False
    with path.open("rb") as a, beginning.open("rb") as b:
        while block := b.read(1 << 20):
            if a.read(len(block)) != block:
                return False
    return True


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Let one process at a time match the logs of a day; the lock of a killed one is released."""
    folder.mkdir(parents=True, exist_ok=True)
    fd = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
