"""When shots were: a small note for each stored file that states its shot's time.

::

    data/days/2026-11-22/shots/01234 01234_Date.csv.json

They only repeat what the stored files say, so that the logs of a day find its shots without
opening the files of years; :func:`index_days` makes them anew.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from pathlib import Path

from ishtar.errors import DamagedFile
from ishtar.store import SourceFile, write_atomic
from runner.ingest.layout import DataFolders

log = logging.getLogger(__name__)

_INDEXED = ".indexed"
_BEST_CLOCK = "datecsv"  # of several sources that state a shot's time, the PLC's counts


def index_days(layout: DataFolders) -> None:
    """Note the times of all shots anew, from the stored files."""
    for folder in sorted(p for p in folders_in(layout.shots) if p.name.isdigit()):
        for path in sorted(folder.glob("[!.]*.h5")):
            try:
                note_time(layout, int(folder.name), path)
            except DamagedFile as error:  # `ishtar verify` tells of it; the others count
                log.warning("%s", error)
    layout.days.mkdir(parents=True, exist_ok=True)
    write_atomic(layout.days / _INDEXED, "")


def shot_times(layout: DataFolders, day: dt.date) -> dict[int, dt.datetime]:
    """Return the triggers of the shots of a day and its neighbours, local time."""
    stated: dict[int, list[tuple[bool, str, dt.datetime]]] = {}
    for offset in (-1, 0, 1):
        folder = layout.days / (day + dt.timedelta(days=offset)).isoformat() / "shots"
        for path in files_in(folder):
            facts = json.loads(path.read_text())
            worse = not str(facts["converter"]).startswith(_BEST_CLOCK)
            date = dt.datetime.fromisoformat(facts["date"])
            stated.setdefault(int(facts["shot"]), []).append((worse, facts["source"], date))
    return {shot: min(times)[2] for shot, times in sorted(stated.items())}


def note_time(layout: DataFolders, shot: int, stored: Path) -> dt.date | None:
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


def index_once(layout: DataFolders) -> None:
    """Make the notes of a workspace that has none yet."""
    if not (layout.days / _INDEXED).exists():
        index_days(layout)


def files_in(folder: Path) -> list[Path]:
    """Return the files of a folder by name, without hidden ones; none if there is no folder."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_file() and not p.name.startswith("."))
    except FileNotFoundError:
        return []


def folders_in(folder: Path) -> list[Path]:
    """Return the folders in a folder by name; none if there is no folder."""
    try:
        return sorted(p for p in folder.iterdir() if p.is_dir())
    except FileNotFoundError:
        return []
