"""When shots were: a small note for each shot, in the folder of its day.

::

    data/days/2026-11-22/shots/01234.json

A note only repeats what the shot's folder says (its sources' dates and people's corrections), so
that the logs of a day find its shots without opening the files of years. It names the state of the
folder that it was made from and counts for that state alone: one that is older, damaged or in the
folder of another day is a hint where to look, never a second truth. :func:`index_days` makes all
of them anew.
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

from ishtar.attributes.edits import read_edits
from ishtar.attributes.stated_dates import StatedDate, stated_dates
from ishtar.errors import DamagedFile
from ishtar.shots.clocks import clock_of
from ishtar.store import SourceFile, write_atomic
from runner.ingest.layout import DataFolders, shot_folder

log = logging.getLogger(__name__)

_INDEXED = ".indexed"
_SHOTS = "shots"
_NOTE = re.compile(r"(\d+)(?: .*)?\.json")  # once there was one for each source: "01234 x.csv.json"
NEIGHBOURS = (-1, 0, 1)  # days that a shot around midnight may have to do with


@dataclass(frozen=True, kw_only=True)
class Told:
    """What the folder of a shot says of its time.

    Attributes
    ----------
    moment : datetime or None
        When the shot was, local time; None where nothing says it.
    days : frozenset of date
        All days that any of its files or corrections name, and those of logs it has pulses of.
    seen : int
        When the folder had changed last before it was read, ns; 0 where there is none.
    damaged : bool
        Whether a file could not be read; its word on the time is not known then.
    """

    moment: dt.datetime | None
    days: frozenset[dt.date]
    seen: int
    damaged: bool


def index_days(layout: DataFolders) -> None:
    """Note the times of all shots anew, from the stored files."""
    notes: dict[int, list[Path]] = {}
    for folder, _ in days_in(layout):
        for shot, path in _notes_in(folder):
            notes.setdefault(shot, []).append(path)
    there = {int(p.name) for p in folders_in(layout.shots) if p.name.isdigit()}
    for shot in sorted(there | notes.keys()):
        _set_note(layout, shot, _tell(layout, shot), notes.get(shot, []))
    layout.days.mkdir(parents=True, exist_ok=True)
    write_atomic(layout.days / _INDEXED, "")


def index_once(layout: DataFolders) -> None:
    """Make the notes of a workspace that has none yet."""
    if not is_indexed(layout):
        index_days(layout)


def is_indexed(layout: DataFolders) -> bool:
    """Say whether the shots of a workspace were noted once; from then on each is as it comes."""
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
    """Note when a shot was, take away notes of it that say otherwise; return all days it concerns.

    Parameters
    ----------
    also : iterable of date
        Days that it is known to have belonged to, beside those that its own files name.
    """
    told = _tell(layout, shot)
    days = {*told.days, *also}
    paths = [p for day in sorted(days) for n, p in _notes_in(_folder(layout, day)) if n == shot]
    _set_note(layout, shot, told, paths)
    return days


def states_date(stored: Path) -> bool:
    """Say whether a stored file states when its shot was."""
    return bool(SourceFile(stored).attributes.get("date"))


def day_of(folder: Path) -> dt.date | None:
    """Return the day that a folder is named after, None where its name is no day."""
    try:
        day = dt.date.fromisoformat(folder.name)
    except ValueError:
        return None
    return day if day.isoformat() == folder.name else None


def days_in(layout: DataFolders) -> Iterator[tuple[Path, dt.date]]:
    """Yield the folders of days, ascending; others are passed over."""
    for folder in folders_in(layout.days):
        day = day_of(folder)
        if day is not None:
            yield folder, day


def damaged_notes(layout: DataFolders, day: dt.date) -> Iterator[tuple[Path, str]]:
    """Yield the notes of a day that cannot be read, each with what is wrong."""
    for _, path in _notes_in(_folder(layout, day)):
        try:
            _parsed(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            yield (
                path,
                f"it is no note of a shot's time ({error!r}): `ishtar rebuild` makes it anew",
            )


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder by name, without hidden ones; none if there is no folder."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except (FileNotFoundError, NotADirectoryError):
        return []


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder by name; none if there is no folder."""
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
    """Return the moment that a note tells, and the state of the folder that it is of."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    moment = dt.datetime.fromisoformat(facts["date"])
    if moment.tzinfo is not None:
        raise ValueError(f"{facts['date']} is no local time")
    return moment, facts.get("seen")


def _kept_moment(paths: Iterable[Path]) -> dt.datetime | None:
    """Return the moment that notes of a shot tell, whatever its folder is like by now."""
    for path in paths:
        try:
            return _parsed(path)[0]
        except (OSError, ValueError, TypeError, KeyError):
            continue
    return None


def _time_of(layout: DataFolders, shot: int, notes: list[Path]) -> dt.datetime | None:
    """Return when a shot was: by a note that is of its folder as it is now, else by its files."""
    seen = _changed_ns(shot_folder(layout, shot))
    if not seen:
        return None  # the shot is gone, its note is not
    for path in notes:
        try:
            moment, of = _parsed(path)
        except (OSError, ValueError, TypeError, KeyError) as error:
            log.warning("%s is no note of a shot's time (%r): its files are read", path, error)
            continue
        if of == seen:
            return moment
    return _moment(_tell(layout, shot), notes)


def _moment(told: Told, notes: Iterable[Path]) -> dt.datetime | None:
    """Return when a shot was; where a file is damaged, what was known of it before holds."""
    return (_kept_moment(notes) if told.damaged else None) or told.moment


def _set_note(layout: DataFolders, shot: int, told: Told, notes: list[Path]) -> None:
    """Make the one note of a shot say what its folder does; ``notes`` are those that there are."""
    moment = _moment(told, notes)
    right = None
    if moment is not None and told.seen:
        right = _folder(layout, moment.date()) / _SHOTS / f"{shot:05d}.json"
        text = json.dumps({"shot": shot, "date": moment.isoformat(), "seen": told.seen}) + "\n"
        if not (right.is_file() and right.read_bytes() == text.encode()):
            try:
                write_atomic(right, text)
            except (FileExistsError, NotADirectoryError) as error:
                log.warning("the time of shot %d is not noted: %s", shot, error)
    for path in notes:
        if path != right:
            path.unlink(missing_ok=True)


def _changed_ns(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except (FileNotFoundError, NotADirectoryError):
        return 0


# --- what a shot's folder says -------------------------------------------------------------------


def _tell(layout: DataFolders, shot: int) -> Told:
    """Read what the files of a shot say of its time; one that is damaged leaves the others."""
    folder = shot_folder(layout, shot)
    seen = _changed_ns(folder)  # first: what comes while its files are read makes the note old
    sources, damaged = [], False
    for path in sorted(folder.glob("[!.]*.h5")):
        try:
            sources.append(SourceFile(path))
        except FileNotFoundError:
            continue  # it went between the two looks
        except (DamagedFile, ValueError) as error:  # `ishtar verify` tells of it, too
            log.warning("%s", error)
            damaged = True
    edits = read_edits(folder).edits
    clock = clock_of(sources, edits)
    moment = clock.moment if clock else None
    if clock is not None and clock.day is None:
        log.warning("%s of shot %d states %r, which is no local time", clock.by, shot, clock.text)
    stated = stated_dates(sources)
    for change in (e.changes["date"] for e in edits if "date" in e.changes):
        stated += [StatedDate.of("", text) for text in (change.before, change.after)]
    days = {date.day for date in stated if date.day is not None} | set(_log_days(sources))
    return Told(moment=moment, days=frozenset(days), seen=seen, damaged=damaged)


def _log_days(sources: Iterable[SourceFile]) -> Iterator[dt.date]:
    """Yield the days of the logs that a shot has pulses of."""
    for source in sources:
        try:
            yield dt.date.fromisoformat(source.properties["day"])
        except (KeyError, TypeError, ValueError):
            continue
