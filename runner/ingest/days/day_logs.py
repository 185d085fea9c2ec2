"""The logs of a day: kept as they came, and matched to shots whenever there is something new.

::

    data/days/2026-11-22/GENERATOR_2026-11-22.txt        the log, as it arrived
    data/days/2026-11-22/GENERATOR_2026-11-22.txt.json   what was matched (made anew each time)
    data/days/2026-11-22/shots/01234.json                when a shot of the day was

A log, a note or a folder here that is damaged or foreign is named and the others are matched.
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
from runner.ingest.days.matching import Followed, find_match, is_matched, match_log
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
    """What became of an arrived log; ``kept_sha256`` is that of the copy kept and verified."""

    status: LogStatus
    shots: list[int]
    stored: list[Path]
    notes: list[str]
    kept_sha256: str | None


# --- a log arrives -------------------------------------------------------------------------------


def ingest_day_log(
    source: Path, converter: GeneratorLog, layout: DataFolders, settings: IngestSettings
) -> LogOutcome:
    """Keep a log of a day and store the pulses that fit its shots.

    A log that was matched before goes on with the settings that it was matched with, until the
    kept file itself is ingested: then those of ``ishtar.toml`` count.

    Raises
    ------
    Rejected
        The log cannot be read, or another one of its name is kept that it does not continue.
    """
    if source.name.startswith(".") or source.suffix == SUFFIX or source.name == "shots":
        raise Rejected(f"a log cannot be kept under the name {source.name}: give it another one")
    new = converter.read(source)
    for _ in new.pulses(threshold_w=settings.generator_threshold_w, gap_s=settings.generator_gap_s):
        pass  # every row can be read: nothing is kept of a log that is damaged further down
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
    verified = _begins_with(kept, source)
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
    """Say whether a log that arrived says more than the one that is kept under its name."""
    if not kept.exists():
        return True
    if _begins_with(kept, source):  # the same, or an earlier state of it
        return False
    if _begins_with(source, kept):
        return True
    state = read_state(kept)
    if state is not None and not _is_state_of(kept, state) and _is_state_of(source, state):
        reason = "damaged: it is not the log any more that was kept and matched"
        quarantine(kept, layout.quarantine, reason, move=True)
        return True
    raise Rejected(
        f"another {source.name} is kept in {kept.parent}, and this one does not continue it; the "
        "first stays: give this one another name if it is wanted too"
    )


def _is_state_of(path: Path, state: LogState) -> bool:
    """Say whether a file begins with the log that a state is of."""
    return sha256_of_prefixes(path, [state.size]).get(state.size) == state.sha256


# --- a shot's clock changes ----------------------------------------------------------------------


def follow_shot(layout: DataFolders, settings: IngestSettings, shot: int, stored: Path) -> Followed:
    """Note the time of a shot that has a new file; match the logs of its days if it has to be.

    Parameters
    ----------
    stored : Path
        The new file; one that states no date changes no clock.
    """
    days = note_time(layout, shot)
    return _follow(layout, settings, {shot}, days if states_date(stored) else set())


def follow_shots(
    layout: DataFolders,
    settings: IngestSettings,
    shots: Mapping[int, Iterable[dt.date]],
) -> Followed:
    """Note the times of shots that may have changed; match the logs of their days if it has to be.

    Parameters
    ----------
    shots : mapping of int to iterable of date
        Shots, each with the days that it is known to have belonged to before.

    Raises
    ------
    IngestStopped
        Disk full, no permission; what was begun is finished the next time.
    """
    if not shots or not is_indexed(layout):  # there has never been a log
        return Followed()
    try:
        days = {day for shot, before in shots.items() for day in note_time(layout, shot, before)}
        return _follow(layout, settings, shots, days)
    except OSError as error:
        if isinstance(error, IshtarError):
            raise
        raise ingest_stopped("the generator's logs", error) from error


def match_days(layout: DataFolders, settings: IngestSettings) -> Followed:
    """Match the logs of all days that were not matched with what there is now."""
    return _follow(layout, settings, (), {day for _, day in days_in(layout)})


def match_day(layout: DataFolders, settings: IngestSettings, day: dt.date) -> Followed:
    """Match all logs of a day, and of its neighbours for shots around midnight, once more.

    The settings given count, whatever the logs were matched with before.
    """
    found = []
    for folder in _around(layout, {day}):
        for path in logs_in(folder):
            with _locked(folder):
                found.append(_matched(path, GeneratorLog(), layout, settings))
    return _together(found)


def logs_in(folder: Path) -> list[Path]:
    """Return the logs that are kept in the folder of a day."""
    return [path for path in files_in(folder) if path.suffix != SUFFIX]


def _around(layout: DataFolders, days: Iterable[dt.date]) -> list[Path]:
    near = {day + dt.timedelta(days=k) for day in days for k in NEIGHBOURS}
    return [layout.days / day.isoformat() for day in sorted(near)]


def _follow(
    layout: DataFolders, settings: IngestSettings, shots: Iterable[int], days: Iterable[dt.date]
) -> Followed:
    """Match the logs around some days that were matched with something else than there is now."""
    found = [Followed(problems=list(_not_folders(layout, days)))]
    for folder in _around(layout, days):
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
    return _together(found)


def _not_folders(layout: DataFolders, days: Iterable[dt.date]) -> Iterator[str]:
    """Yield what is wrong where a file has the name of a day's folder."""
    for path in (layout.days / day.isoformat() for day in sorted(days)):
        if path.exists() and not path.is_dir():
            yield f"{path} is no folder, so no log finds the shots of that day: move it away"


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
) -> Followed:
    """Match a kept log; one that cannot be matched is a problem, and no reason to stop."""
    try:
        return match_log(path, converter, layout, settings, also=also)
    except Rejected as error:
        problem = f"the log {path} is not matched: {error}"
        log.warning("%s", problem)
        return Followed(problems=[problem])


def _together(found: Iterable[Followed]) -> Followed:
    """Return what came of several logs; what does not fit was said when a log came."""
    found = list(found)
    problems = [problem for one in found for problem in one.problems]
    told = [note for one in found if one.changed for note in one.notes]
    stored = [path for one in found for path in one.stored]
    removed = [path for one in found for path in one.removed]
    together = Followed(stored=stored, removed=removed, notes=[*told, *problems], problems=problems)
    return replace(together, shots=together.changed)


def _settings_over(path: Path, settings: IngestSettings) -> IngestSettings:
    """Return the settings that a log goes on with: those that its pulses found shots with."""
    state = read_state(path)
    return settings if state is None else state.settings_over(settings)


def _other_settings(path: Path, used: IngestSettings, settings: IngestSettings) -> Iterator[str]:
    """Yield what to do where a log goes on with other settings than those of ``ishtar.toml``."""
    was, now = settings_of(used), settings_of(settings)
    texts = [
        f"{name} = {was[name]:g} (now {now[name]:g})" for name in was if was[name] != now[name]
    ]
    if texts:
        yield (
            f"{path.name} goes on with {', '.join(texts)}: `ishtar ingest {path}` if the new "
            "settings hold for this day, too"
        )


# --- what is wrong -------------------------------------------------------------------------------


def day_problems(layout: DataFolders, settings: IngestSettings) -> Iterator[tuple[Path, str]]:
    """Yield what is wrong with the logs of days and where their pulses lie; nothing is changed."""
    for path in files_in(layout.days):
        yield path, "it is no folder of a day: move it away"
    for folder in folders_in(layout.days):
        day = day_of(folder)
        if day is None:
            yield folder, "its name is no day, as 2026-11-22: nothing in it is matched to shots"
            continue
        yield from damaged_notes(layout, day)
        logs = logs_in(folder)
        for path in files_in(folder):
            if path.suffix == SUFFIX and path.with_suffix("") not in logs:
                yield path, "the log that it is of is gone: pulses of it follow no clock any more"
        for path in logs:
            yield from ((path, problem) for problem in _log_problems(path, day, layout, settings))


def _log_problems(
    path: Path, day: dt.date, layout: DataFolders, settings: IngestSettings
) -> Iterator[str]:
    again = "`ishtar rebuild` puts it right"
    state = read_state(path)
    if state is None:
        yield f"nothing says what it was matched with: {again}"
    elif not _is_state_of(path, state):
        yield "it is not the log that was matched: it was changed or replaced where it is kept"
    try:
        match = find_match(path, GeneratorLog(), layout, _settings_over(path, settings))
    except Rejected as error:
        yield str(error)
        return
    if match.kept.log.day != day:
        yield f"it is of {match.kept.log.day}: ingest it again, and remove it here"
    for change in match.changes:
        yield from (f"{note}: {again}" for note in change.notes)
        if change.add:
            yield f"shot {change.shot} lacks {len(change.add)} pulses of it: {again}"


# --- files ---------------------------------------------------------------------------------------


def _begins_with(path: Path, beginning: Path) -> bool:
    """Say whether a file begins with all that another one holds."""
    if path.stat().st_size < beginning.stat().st_size:
        return False
    with path.open("rb") as a, beginning.open("rb") as b:
        while block := b.read(1 << 20):
            if a.read(len(block)) != block:
                return False
    return True


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
