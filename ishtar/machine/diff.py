"""Changes of hardware, wiring and calibration from one shot to another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ishtar.calibration.changes import Change


class Changes(tuple["Change", ...]):
    """All changes between two shots, displayed one per line."""

    __slots__ = ()

    def __new__(cls, rows: Iterable[Change] = ()) -> Changes:
        """Create it from single changes."""
        return super().__new__(cls, rows)

    def of(self, kind: str) -> Changes:
        """Return the changes of one kind: ``machine``, ``wiring``, ``calibration``, ``signal``."""
        return Changes(row for row in self if row.kind == kind)

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "nothing changed"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # IPython would display the tuple
