"""What was found when a log was matched last: ``<log>.json`` beside the log.

It tells people what was matched, unmatched and ambiguous, and the next look whether anything has
changed since: the log, the clocks of the shots, the settings, the files that were stored. It is
written when all else is done, so that a look that was interrupted is made again.
"""

from __future__ import annotations

import datetime as dt
import json
import logging
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from ishtar.store import write_atomic
from runner.ingest.days.assignment import Assignment
from runner.ingest.settings import IngestSettings

log = logging.getLogger(__name__)

SUFFIX = ".json"
SETTINGS = (
    "generator_clock_offset_s",
    "generator_tolerance_s",
    "generator_threshold_w",
    "generator_gap_s",
)


@dataclass(frozen=True, kw_only=True)
class LogState:
    """What a log was matched with, and what came of it.

    Attributes
    ----------
    size, sha256, mtime_ns
        Of the kept log.
    settings : mapping of str to float
        Those of `SETTINGS`.
    times : mapping of int to str
        Triggers of the shots that it was matched with.
    stored : tuple of str
        Files that hold its pulses, below ``data/shots``.
    found : mapping
        ``matched``, ``unmatched`` and ``ambiguous``, for people.
    """

    size: int
    sha256: str
    mtime_ns: int
    settings: Mapping[str, float]
    times: Mapping[int, str]
    stored: tuple[str, ...]
    found: Mapping[str, Any]

    @property
    def shots(self) -> set[int]:
        """The shots that hold pulses of the log."""
        return {int(name.split("/")[0]) for name in self.stored}

    def settings_over(self, present: IngestSettings) -> IngestSettings:
        """Return what the log was matched with, if any pulse found its shot; else the present.

        The generator's clock is set anew now and then, and the offset in ``ishtar.toml`` with it:
        what an old log was matched with stays right for it.
        """
        if not self.stored:
            return present
        return replace(
            present,
            generator_clock_offset_s=self.settings["generator_clock_offset_s"],
            generator_tolerance_s=self.settings["generator_tolerance_s"],
            generator_threshold_w=self.settings["generator_threshold_w"],
            generator_gap_s=self.settings["generator_gap_s"],
        )


def state_path(kept: Path) -> Path:
    """Return where the state of a log is kept."""
    return kept.with_name(kept.name + SUFFIX)


def settings_of(settings: IngestSettings) -> dict[str, float]:
    """Return the settings that decide what becomes of a log."""
    return {name: float(getattr(settings, name)) for name in SETTINGS}


def times_of(times: Mapping[int, dt.datetime]) -> dict[int, str]:
    """Return triggers as a state keeps them."""
    return {shot: time.isoformat() for shot, time in times.items()}


def found_of(assigned: Assignment) -> dict[str, Any]:
    """Return what became of pulses, for people."""
    given = [(p.start, shot) for shot, pulses in assigned.given.items() for p in pulses]
    return {
        "matched": [{"start": start.isoformat(), "shot": shot} for start, shot in sorted(given)],
        "unmatched": [p.start.isoformat() for p in assigned.unmatched],
        "ambiguous": [{"start": p.start.isoformat(), "shots": s} for p, s in assigned.ambiguous],
    }


def write_state(kept: Path, state: LogState) -> None:
    """Write the state of a log."""
    facts = asdict(state)
    text = json.dumps({**facts.pop("found"), **facts}, indent=1)
    write_atomic(state_path(kept), text + "\n")


def read_state(kept: Path) -> LogState | None:
    """Return the state of a log; None where there is none that can be used."""
    path = state_path(kept)
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("%s is not what a log was matched with (%r): it is made anew", path, error)
        return None


def _parsed(facts: Any) -> LogState:
    return LogState(
        size=int(facts["size"]),
        sha256=str(facts["sha256"]),
        mtime_ns=int(facts["mtime_ns"]),
        settings={name: float(facts["settings"][name]) for name in SETTINGS},
        times={int(shot): str(time) for shot, time in facts["times"].items()},
        stored=tuple(str(name) for name in facts["stored"]),
        found={name: facts[name] for name in ("matched", "unmatched", "ambiguous")},
    )
