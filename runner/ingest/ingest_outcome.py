"""What became of an arrived file."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from ishtar.plain_files import readable

Status = Literal["stored", "known", "waiting", "quarantined", "pending"]


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What became of an arrived file.

    Attributes
    ----------
    status : str
        ``stored``; ``known``: the same bytes were stored before; ``waiting``: still incomplete, try
        again; ``quarantined``; ``pending``: a day log without a pulse that matches a shot so far.
    source : Path
        The file that arrived.
    shots : list of int
        The shots that it is, or was, stored for.
    reason : str
        Why it was not stored, or other notes; may be empty.
    stored : list of Path
        The files written in ``data/shots`` because of it.
    quarantined : Path or None
        Its place in quarantine.
    bytes : int
        Size of the source.
    seconds : float
        Time it took.
    """

    status: Status
    source: Path
    shots: list[int] = field(default_factory=list)
    reason: str = ""
    stored: list[Path] = field(default_factory=list)
    quarantined: Path | None = None
    bytes: int = 0
    seconds: float = 0.0

    @property
    def name(self) -> str:
        """The file's name, as text that can always be encoded."""
        return readable(self.source.name)
