"""What is wrong with a channel or a shot, in words, with how bad it is."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Finding", "Severity", "sorted_findings"]


class Severity(enum.IntEnum):
    """How far a finding touches what the shot is good for."""

    NOTE = 1
    """Worth knowing; nothing is wrong with the numbers."""
    SUSPECT = 2
    """Results that rest on it deserve a look."""
    BAD = 3
    """Do not use these samples."""

    @property
    def word(self) -> str:
        """The word for people."""
        return self.name.lower()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing that is wrong, or worth knowing.

    Parameters
    ----------
    kind : str
        ``clipped``, ``limited``, ``dead``, ``held``, ``stuck``, ``noisy``, ``idle``, ``gaps``,
        ``backwards``, ``rate``, ``count``, ``short``, ``trigger``, ``coverage``, ``clocks``,
        ``time base``, ``scale``, ``missing``, ``unreadable``, ``source`` or ``salvaged``.
    severity : Severity
        How bad it is.
    where : str
        Channel (``PXI M6251/Lang_I``), group, signal or source.
    text : str
        What was found, a sentence for people who were not there.
    share : float
        How much of the record it touches, 0 … 1, where that can be said; sorts equals.
    """

    kind: str
    severity: Severity
    where: str
    text: str
    share: float = 0.0


def sorted_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, the worst first; equally bad ones by share, place and kind."""
    return sorted(findings, key=lambda f: (-f.severity, -f.share, f.where, f.kind))
