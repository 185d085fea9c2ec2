"""Whether the sources of a shot agree on when it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ishtar.inputs import identity
from ishtar.lineage.record import record
from ishtar.quality.findings import Finding, Severity
from ishtar.shots.clocks import clock_differences

if TYPE_CHECKING:
    from ishtar.shots.shot import Shot

__all__ = ["dating"]


def dating(shot: Shot) -> list[Finding]:
    """Tell of sources by which the shot was at another time than by the clock that it goes by.

    A difference that the coarser clock's steps explain is a note; a larger one is suspect.
    """
    shot.attributes.get("date")  # records it as read: it may be corrected
    stored = [(source.path.name, source.origin.sha256) for source in shot.sources]
    record(identity.sources_input(stored, shot.number))  # one that comes may state another date
    return [
        Finding(
            kind="clocks",
            severity=Severity.NOTE if difference.is_rounding else Severity.SUSPECT,
            where=difference.date.by,
            text=str(difference),
        )
        for difference in clock_differences(shot)
    ]
