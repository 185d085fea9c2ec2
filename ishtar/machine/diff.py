"""What changed of hardware, wiring and calibration from one shot to another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ishtar.calibration.changes import Change


class Changes(tuple["Change", ...]):
    """All changes between two shots, shown one a line."""

    __slots__ = ()

    def __new__(cls, rows: Iterable[Change] = ()) -> Changes:
        """Make it of the changes."""
        return super().__new__(cls, rows)

    def of(self, kind: str) -> Changes:
        """Return those of one kind: ``machine``, ``wiring``, ``calibration`` or ``signal``."""
        return Changes(row for row in self if row.kind == kind)

    def __repr__(self) -> str:
        return "\n".join(map(str, self)) or "nothing changed"

    def _repr_pretty_(self, printer: Any, cycle: bool) -> None:
        printer.text(repr(self))  # IPython would show the tuple
