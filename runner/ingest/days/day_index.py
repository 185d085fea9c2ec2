"""An index of shots by day: one small note per shot, in the folder of its day.

::

    data/days/2026-11-22/shots/01234.json

A note only repeats what the shot's folder states (dates of sources, corrections by people), so the
logs of a day find its shots without opening the files of years. It names the state of the folder
that it was made from and is valid for that state alone: an outdated or damaged note, or one under
another day, is only a hint. :func:`index_days` rebuilds all notes.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ishtar.attributes import read_edits
from ishtar.attributes.stated_dates import StatedDate, stated_dates
from ishtar.errors import DamagedFile
from ishtar.shots.clocks import clock_of
from ishtar.store import SourceFile, write_atomic
from runner.ingest.layout import DataFolders, shot_folder

log = logging.getLogger(__name__)

_INDEXED = ".indexed"
_SHOTS = "shots"
_NOTE = re.compile(r"(\d+)(?: .*)?\.json")  # older ones are per source: "01234 x.csv.json"
NEIGHBOURS = (-1, 0, 1)  # days that a shot around midnight may belong to


@dataclass(frozen=True, kw_only=True)
class ShotTime:
    """What the folder of a shot states about its time.

    Attributes
    ----------
    moment : datetime or None
        Time of the shot, local; None if nothing states it.
    days : frozenset of date
        All days named by its files or corrections, and those of the logs it has pulses of.
    seen : int
        Last change of the folder before it was read, ns; 0 if there is no folder.
    damaged : bool
        Whether a file could not be read, so that its date is unknown.
    """

    moment: dt.datetime | None
    days: frozenset[dt.date]
    seen: int
    damaged: bool


def index_days(layout: DataFolders) -> None:
    """Rebuild the notes of all shots from the stored files."""
    notes: dict[int, list[Path]] = {}
    for folder, _ in days_in(layout):
        for shot, path in _notes_in(folder):
            notes.setdefault(shot, []).append(path)
    there = {int(p.name) for p in folders_in(layout.shots) if p.name.isdigit()}
    for shot in sorted(there | notes.keys()):
        _set_note(layout, shot, _read_shot_time(layout, shot), notes.get(shot, []))
    layout.days.mkdir(parents=True, exist_ok=True)
    write_atomic(layout.days / _INDEXED, "")


def index_once(layout: DataFolders) -> None:
    """Build the notes of a workspace that has none yet."""
    if not is_indexed(layout):
        index_days(layout)


def is_indexed(layout: DataFolders) -> bool:
    """Return whether the index was built; from then on each new shot is added as it arrives."""
    return (layout.days / _INDEXED).exists()


def shot_times(layout: DataFolders, day: dt.date) -> dict[int, dt.datetime]:
    """Return the triggers of the shots of a day and its neighbours, local time."""
    hints: dict[int, list[Path]] = {}
    for near in _around(day):
        for shot, path in _notes_in(_folder(layout, near)):
            hints.setdefault(shot, []).append(path)
    found = {shot: _time_of(layout, shot, paths) for shot, paths in sorted(hints.items())}
    wanted = set(_around(day))
    return {s: t for s, t in found.items() if t is not None and t.date() in wanted}


def note_time(layout: DataFolders, shot: int, also: Iterable[dt.date] = ()) -> set[dt.date]:
    """Update the note of a shot, remove outdated ones, and return all days concerned.

    Parameters
    ----------
    also : iterable of date
        Days that the shot belonged to before, in addition to those in its files.
    """
    shot_time = _read_shot_time(layout, shot)
    days = {*shot_time.days, *also}
    paths = [p for day in sorted(days) for n, p in _notes_in(_folder(layout, day)) if n == shot]
    _set_note(layout, shot, shot_time, paths)
    return days


def states_date(stored: Path) -> bool:
    """Return whether a stored file states the date of its shot."""
    return bool(SourceFile(stored).attributes.get("date"))


def day_of(folder: Path) -> dt.date | None:
    """Return the day that a folder is named after; None for any other name."""
    try:
        day = dt.date.fromisoformat(folder.name)
    except ValueError:
        return None
    return day if day.isoformat() == folder.name else None


def days_in(layout: DataFolders) -> Iterator[tuple[Path, dt.date]]:
    """Yield the folders of days, ascending; others are skipped."""
    for folder in folders_in(layout.days):
        day = day_of(folder)
        if day is not None:
            yield folder, day


def damaged_notes(layout: DataFolders, day: dt.date) -> Iterator[tuple[Path, str]]:
    """Yield the unreadable notes of a day, each with its problem."""
    for _, path in _notes_in(_folder(layout, day)):
        try:
            _parsed(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            yield (
                path,
                f"it is not a note of a shot's time ({error!r}): `ishtar rebuild` replaces it",
            )


def files_in(folder: Path) -> list[Path]:
    """Return the visible files of a folder by name; none if the folder is missing."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder by name; none if the folder is missing."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir())
    except FileNotFoundError:
        return []


# --- notes ---------------------------------------------------------------------------------------


def _around(day: dt.date) -> list[dt.date]:
    return [day + dt.timedelta(days=k) for k in NEIGHBOURS]


def _folder(layout: DataFolders, day: dt.date) -> Path:
    return layout.days / day.isoformat()


def _notes_in(folder: Path) -> Iterator[tuple[int, Path]]:
    """Yield the notes in the folder of a day, each with its shot's number."""
    for path in files_in(folder / _SHOTS):
        if match := _NOTE.fullmatch(path.name):
            yield int(match[1]), path


def _parsed(path: Path) -> tuple[dt.datetime, Any]:
    """Return the moment in a note, and the state of the folder it was made from."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    moment = dt.datetime.fromisoformat(facts["date"])
    if moment.tzinfo is not None:
        raise ValueError(f"{facts['date']} is not a local time")
    return moment, facts.get("seen")


def _kept_moment(paths: Iterable[Path]) -> dt.datetime | None:
    """Return the moment in the notes of a shot, whatever the state of its folder."""
    for path in paths:
        try:
            return _parsed(path)[0]
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return None


def _time_of(layout: DataFolders, shot: int, notes: list[Path]) -> dt.datetime | None:
    """Return the time of a shot: from a current note, else from its files."""
    seen = _changed_ns(shot_folder(layout, shot))
    if not seen:
        return None  # the shot was removed, its note was not
    for path in notes:
        try:
            moment, state = _parsed(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("%s is not a note of a shot's time (%r): reading its files", path, error)
            continue
        if state == seen:
            return moment
    return _moment(_read_shot_time(layout, shot), notes)


def _moment(shot_time: ShotTime, notes: Iterable[Path]) -> dt.datetime | None:
    """Return the time of a shot; if a file is damaged, a previous note takes precedence."""
    return (_kept_moment(notes) if shot_time.damaged else None) or shot_time.moment


def _set_note(layout: DataFolders, shot: int, shot_time: ShotTime, notes: list[Path]) -> None:
    """Make one note of a shot that agrees with its folder, and remove the other ``notes``."""
    moment = _moment(shot_time, notes)
    target = None
    if moment is not None and shot_time.seen:
        target = _folder(layout, moment.date()) / _SHOTS / f"{shot:05d}.json"
        text = json.dumps({"shot": shot, "date": moment.isoformat(), "seen": shot_time.seen}) + "\n"
        if not (target.is_file() and target.read_bytes() == text.encode()):
            try:
                write_atomic(target, text)
            except (FileExistsError, NotADirectoryError) as error:
                log.warning("the time of shot %d cannot be noted: %s", shot, error)
    for path in notes:
        if path != target:
            path.unlink(missing_ok=True)


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


# --- the folder of a shot ------------------------------------------------------------------------


def _read_shot_time(layout: DataFolders, shot: int) -> ShotTime:
    """Read the time of a shot from its files, skipping damaged ones."""
    folder = shot_folder(layout, shot)
    seen = _changed_ns(folder)  # first: a file that arrives during the reading outdates the note
    sources, damaged = [], False
    for path in sorted(folder.glob("[!.]*.h5")):
        try:
            sources.append(SourceFile(path))
        except FileNotFoundError:
            continue  # removed since the listing
        except (DamagedFile, ValueError) as error:  # `ishtar verify` reports it, too
            log.warning("%s", error)
            damaged = True
    edits = read_edits(folder).edits
    clock = clock_of(sources, edits)
    moment = clock.moment if clock else None
    if clock is not None and clock.day is None:
        log.warning("%s of shot %d states %r, not a local time", clock.by, shot, clock.text)
    stated = stated_dates(sources)
    for change in (e.changes["date"] for e in edits if "date" in e.changes):
        stated += [StatedDate.of("", text) for text in (change.before, change.after)]
    days = {date.day for date in stated if date.day is not None} | set(_log_days(sources))
    return ShotTime(moment=moment, days=frozenset(days), seen=seen, damaged=damaged)


def _log_days(sources: Iterable[SourceFile]) -> Iterator[dt.date]:
    """Yield the days of the logs that a shot has pulses of."""
    for source in sources:
        try:
            yield dt.date.fromisoformat(source.properties["day"])
        except (KeyError, TypeError, ValueError):
            continue
