"""Match the pulses of a generator's log to the shots of the day by clock.

The kept log, the shots' clocks and the settings alone determine what each shot should hold
(:mod:`~runner.ingest.days.assignment`); `~runner.ingest.days.placement` stores it. So neither the
order of arrival nor an interruption matters: the next match ends with the same files. A pulse that
moves to another shot is removed from the first before it is stored in the second: two shots never
hold it at the same time.
"""

from __future__ import annotations

import datetime as dt
import glob
import logging
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runner.ingest.days.assignment import Assignment, assign
from runner.ingest.days.day_index import note_time, shot_times
from runner.ingest.days.day_state import (
    LogState,
    found_of,
    read_state,
    settings_of,
    state_path,
    times_of,
    write_state,
)
from runner.ingest.days.placement import (
    Change,
    KeptLog,
    Part,
    add_part,
    change_of,
    parts_of,
    remove_parts,
    replace_parts,
)
from runner.ingest.generatorlog.generatorlog_converter import GeneratorLog, Pulse
from runner.ingest.ingest_errors import Rejected
from runner.ingest.layout import DataFolders
from runner.ingest.raw_files.source_hash import sha256_of, sha256_of_prefixes
from runner.ingest.settings import IngestSettings

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class MatchResult:
    """The result of matching one log or several.

    Attributes
    ----------
    shots : list of int
        Shots with pulses of the log, and those that had some before.
    stored : list of Path
        Files written.
    removed : list of Path
        Files removed from shots that they do not match.
    notes : list of str
        Messages for people.
    problems : list of str
        Logs that could not be matched, each with the reason.
    """

    shots: list[int] = field(default_factory=list)
    stored: list[Path] = field(default_factory=list)
    removed: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def changed(self) -> list[int]:
        """The shots whose files changed."""
        return sorted({int(path.parent.name) for path in (*self.stored, *self.removed)})


@dataclass(frozen=True, kw_only=True)
class Match:
    """The assignment of a log, and the changes to the shots that it requires."""

    kept: KeptLog
    mtime_ns: int
    settings: IngestSettings
    times: Mapping[int, dt.datetime]
    assigned: Assignment
    changes: list[Change]


def match_log(
    path: Path,
    converter: GeneratorLog,
    layout: DataFolders,
    settings: IngestSettings,
    *,
    also: Iterable[int] = (),
) -> MatchResult:
    """Store the pulses of a kept log in their shots, and remove them from all others.

    Parameters
    ----------
    also : iterable of int
        Shots that may hold pulses of the log although their date has changed to another day.

    Raises
    ------
    Rejected
        The log cannot be read, or the stored pulses are from a different one.
    """
    match = find_match(path, converter, layout, settings, also=also)
    changes = [change for change in match.changes if change]
    # in this order: a pulse is removed from one shot before it is stored in another
    removed = [p for change in changes for p in remove_parts(change, layout)]
    stored = [p for change in changes for p in replace_parts(change, match.kept, settings)]
    stored += [p for change in changes for p in add_part(change, match.kept, layout, settings)]
    for change in changes:
        note_time(layout, change.shot)  # the folder has changed since its note
    holders = {shot: _current_parts(layout, shot, match) for shot in match.assigned.given}
    write_state(
        path,
        LogState(
            size=match.kept.size,
            sha256=match.kept.sha256,
            mtime_ns=match.mtime_ns,
            settings=settings_of(settings),
            times=times_of(match.times),
            stored=tuple(
                f"{part.path.parent.name}/{part.path.name}"
                for _, parts in sorted(holders.items())
                for part in parts
            ),
            found=found_of(match.assigned),
        ),
    )
    notes = [note for change in changes for note in change.notes]
    for note in notes:
        log.info("%s", note)
    return MatchResult(
        shots=sorted({*holders, *(change.shot for change in changes)}),
        stored=stored,
        removed=removed,
        notes=[*_summary(path, match.assigned), *match.kept.log.notes, *notes],
    )


def find_match(
    path: Path,
    converter: GeneratorLog,
    layout: DataFolders,
    settings: IngestSettings,
    *,
    also: Iterable[int] = (),
) -> Match:
    """Return what `match_log` would do, without doing it."""
    mtime_ns = path.stat().st_mtime_ns
    kept, pulses = _read(path, converter, settings)
    times = shot_times(layout, kept.log.day)
    assigned = assign(
        pulses,
        times,
        offset_s=settings.generator_clock_offset_s,
        tolerance_s=settings.generator_tolerance_s,
    )
    parts = {
        shot: parts_of(layout, shot, kept.name, kept.log.day)
        for shot in sorted({*times, *also, *_holders(path, layout)})
    }
    _check_origin(kept, parts)
    changes = [
        change_of(shot, there, assigned.given.get(shot, []), times.get(shot), settings)
        for shot, there in parts.items()
    ]
    return Match(
        kept=kept,
        mtime_ns=mtime_ns,
        settings=settings,
        times=times,
        assigned=assigned,
        changes=changes,
    )


def is_matched(
    path: Path, state: LogState, layout: DataFolders, times: Mapping[int, dt.datetime]
) -> bool:
    """Return whether the last match is current, judging by sizes, times and names only."""
    stat = path.stat()
    return (
        (state.size, state.mtime_ns) == (stat.st_size, stat.st_mtime_ns)
        and state.times == times_of(times)
        and all((layout.shots / name).is_file() for name in state.stored)
    )


def _read(
    path: Path, converter: GeneratorLog, settings: IngestSettings
) -> tuple[KeptLog, list[Pulse]]:
    """Read a kept log; any failure is a `Rejected` with the reason."""
    try:
        day_log = converter.read(path)
        pulses = day_log.pulses(
            threshold_w=settings.generator_threshold_w, gap_s=settings.generator_gap_s
        )
        kept = KeptLog(log=day_log, size=path.stat().st_size, sha256=sha256_of(path))
        return kept, list(pulses)
    except Rejected:
        raise
    except Exception as error:  # one bad log must not stop the others
        raise Rejected(f"{path.name} cannot be read: {error!r}") from error


def _current_parts(layout: DataFolders, shot: int, match: Match) -> list[Part]:
    return parts_of(layout, shot, match.kept.name, match.kept.log.day)


def _holders(path: Path, layout: DataFolders) -> set[int]:
    """Return the shots that may hold pulses of a log since its last match."""
    if (state := read_state(path)) is not None:
        return state.shots
    if not state_path(path).exists():
        return set()  # never matched
    # the record is unreadable: shots of any day may hold pulses of the log
    found = layout.shots.glob(f"*/{glob.escape(path.name)}*.h5")
    return {int(p.parent.name) for p in found if p.parent.name.isdigit()}


def _check_origin(kept: KeptLog, parts: Mapping[int, list[Part]]) -> None:
    """Refuse a log whose rows are not those that were stored."""
    whole = {shot: [p for p in there if not p.damage] for shot, there in parts.items()}
    earlier = {p.size for there in whole.values() for p in there if p.sha256 != kept.sha256}
    states = {kept.size: kept.sha256} | sha256_of_prefixes(kept.log.path, earlier)
    for shot, there in whole.items():
        for part in there:
            if states.get(part.size) != part.sha256:
                raise Rejected(
                    f"{kept.name} is not the log that {part.path.name} of shot {shot} was made "
                    "from, because it was changed or replaced: put the original back, "
                    f"or remove {part.path.name} to make it from this one"
                )


def _summary(path: Path, assigned: Assignment) -> Iterator[str]:
    """Yield a summary of the assignment of a log."""
    n_given = sum(map(len, assigned.given.values()))
    yield f"{path.name}: {n_given} pulses belong to shots"
    if assigned.unmatched:
        n, when = len(assigned.unmatched), _clock_times(assigned.unmatched)
        yield f"{n} match no shot ({when})"
    for pulse, shots in assigned.ambiguous:
        numbers = " and ".join(map(str, shots))
        yield (
            f"the pulse at {pulse.start:%H:%M:%S} matches shots {numbers}, so none gets it: "
            "correct generator_clock_offset_s or generator_tolerance_s in ishtar.toml, then "
            f"`ishtar ingest {path}`"
        )


def _clock_times(pulses: list[Pulse]) -> str:
    texts = [f"{p.start:%H:%M:%S}" for p in pulses]
    return ", ".join(texts if len(texts) <= 4 else [*texts[:3], "…", texts[-1]])
