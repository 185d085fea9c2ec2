"""Check whether the sources of a shot agree on its date."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ishtar.inputs import identity
from ishtar.quality.findings import Finding, Severity
from ishtar.shots.clocks import clock_differences

if TYPE_CHECKING:
    from ishtar.shots.shot import Shot

__all__ = ["date_findings"]


def date_findings(shot: Shot) -> list[Finding]:
    """Return a finding for each source whose date differs from that of the shot.

    A difference within the resolution of the coarser clock is a note; a larger one is suspect.

    Parameters
    ----------
    shot : Shot
        The shot.
    """
    shot.attributes.get("date")  # recorded as an input, since it may be corrected
    stored = [(source.path.name, source.origin.sha256) for source in shot.sources]
    shot.notes.record(
        identity.sources_input(stored, shot.number)
    )  # a new source may state another date
    return [
        Finding(
            kind="clocks",
            severity=Severity.NOTE if difference.is_rounding else Severity.SUSPECT,
            where=difference.date.by,
            text=str(difference),
        )
        for difference in clock_differences(shot)
    ]
