"""The logs of a day: kept as they came, and matched to shots whenever there is something new.

::

    data/days/2026-11-22/GENERATOR_2026-11-22.txt        the log, as it arrived
    data/days/2026-11-22/GENERATOR_2026-11-22.txt.json   what was matched (made anew each time)
"""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ishtar.errors import DamagedFile
from ishtar.store import atomic_path
from runner.ingest.day_index import files_in, index_once, note_time
from runner.ingest.errors import Rejected
from runner.ingest.generatorlog import GeneratorLog
from runner.ingest.layout import DataFolders
from runner.ingest.matching import Followed, match_log
from runner.ingest.outcome import Status
from runner.ingest.settings import IngestSettings
from runner.ingest.source_hash import sha256_of


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
        index_once(layout)
        found = match_log(kept, converter, layout, settings)
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
    day = note_time(layout, shot, stored)
    if day is None:
        return Followed()
    try:
        return match_day(layout, settings, day)
    except (DamagedFile, Rejected) as error:  # of another shot, or a log: none to refuse this one
        return Followed(notes=[f"the generator's log of {day} could not be matched: {error}"])


def match_day(layout: DataFolders, settings: IngestSettings, day: dt.date) -> Followed:
    """Match all logs of a day, and of its neighbours for shots around midnight, once more."""
    stored: list[Path] = []
    notes: list[str] = []
    for offset in (-1, 0, 1):
        folder = layout.days / (day + dt.timedelta(days=offset)).isoformat()
        logs = [p for p in files_in(folder) if p.suffix != ".json"]
        if not logs:
            continue
        with _locked(folder):
            for log in logs:
                found = match_log(log, GeneratorLog(), layout, settings)
                if found.stored or found.moved:  # what does not fit was said when the log came
                    stored += found.stored
                    notes += found.notes
    return Followed(shots=sorted({_shot_of(p) for p in stored}), stored=stored, notes=notes)


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
