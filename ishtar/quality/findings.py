"""Findings on a channel or a shot, with their severity."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass

__all__ = ["Finding", "Severity", "sorted_findings"]


class Severity(enum.IntEnum):
    """How much a finding affects the use of the data."""

    NOTE = 1
    """Worth knowing; the numbers are correct."""
    SUSPECT = 2
    """Check results that depend on it."""
    BAD = 3
    """Do not use these samples."""

    @property
    def word(self) -> str:
        """The name in lower case."""
        return self.name.lower()


@dataclass(frozen=True, kw_only=True)
class Finding:
    """A problem, or something worth knowing.

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
        What was found, in a sentence that needs no context.
    share : float
        Affected share of the record, 0 … 1, if known; orders findings of equal severity.
    """

    kind: str
    severity: Severity
    where: str
    text: str
    share: float = 0.0


def sorted_findings(findings: Iterable[Finding]) -> list[Finding]:
    """Return findings, worst first; those of equal severity by share, place and kind."""
    return sorted(findings, key=lambda f: (-f.severity, -f.share, f.where, f.kind))
