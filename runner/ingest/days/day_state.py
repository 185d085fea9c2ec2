"""The record of the last match of a log: ``<log>.json`` next to the log.

It shows people which pulses are matched, unmatched and ambiguous, and lets the next check detect
changes: of the log, the shots' clocks, the settings, the stored files. It is written last, so that
an interrupted match is repeated.
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
    """The inputs and the result of the last match of a log.

    Attributes
    ----------
    size, sha256, mtime_ns
        Of the kept log.
    settings : mapping of str to float
        Those of `SETTINGS`.
    times : mapping of int to str
        Triggers of the shots in the match.
    stored : tuple of str
        Files with its pulses, relative to ``data/shots``.
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
        """The shots with pulses of the log."""
        return {int(name.split("/")[0]) for name in self.stored}

    def settings_over(self, present: IngestSettings) -> IngestSettings:
        """Return the settings of the match if any pulse found its shot; else the present ones.

        The generator's clock is reset now and then, and the offset in ``ishtar.toml`` with it: an
        old log needs the settings of its time.
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
    """Return the path of the state of a log."""
    return kept.with_name(kept.name + SUFFIX)


def settings_of(settings: IngestSettings) -> dict[str, float]:
    """Return the settings that affect the match of a log."""
    return {name: float(getattr(settings, name)) for name in SETTINGS}


def times_of(times: Mapping[int, dt.datetime]) -> dict[int, str]:
    """Return triggers in the format of a state."""
    return {shot: time.isoformat() for shot, time in times.items()}


def found_of(assigned: Assignment) -> dict[str, Any]:
    """Return the assignment of pulses in a readable form."""
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
    """Return the state of a log; None if it is missing or unreadable."""
    path = state_path(kept)
    try:
        return _parsed(json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("%s is not the record of a match (%r): it will be replaced", path, error)
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
