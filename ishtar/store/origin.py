"""Where a stored file came from, and the number of its format."""

from __future__ import annotations

from dataclasses import dataclass

FORMAT = 1


@dataclass(frozen=True, kw_only=True)
class Origin:
    """Where a stored file came from.

    ``sha256`` may be empty at first, and set on the writer after the source is read to its end.
    """

    shot: int
    source: str
    size: int
    sha256: str
    converter: str
    writer: str
    arrived: str
