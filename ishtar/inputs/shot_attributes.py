"""Attributes of a shot: gas, date, program …"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from ishtar.errors import NotFoundError, did_you_mean, nearest
from ishtar.inputs import identity
from ishtar.lineage.record import OWN, Notes


class Attributes(Mapping[str, Any]):
    """Attributes of a shot by name; each access is recorded, also to a missing one."""

    def __init__(self, values: Mapping[str, Any], shot: int, notes: Notes = OWN) -> None:
        self._values = values
        self._shot = shot
        self._notes = notes

    def __getitem__(self, name: str) -> Any:
        self._notes.record(identity.attribute_input(name, self._values.get(name), self._shot))
        if name not in self._values:
            known = ", ".join(self._values) or "none"
            raise NotFoundError(
                f"no source of shot {self._shot} states {name!r}"
                f"{did_you_mean(name, self._values) or f'; they state {known}'}",
                name=name,
                nearest=nearest(name, self._values),
            )
        return self._values[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def plain(self) -> dict[str, Any]:
        """Return all attributes without recording an access."""
        return dict(self._values)

    def __repr__(self) -> str:
        return repr(self._values)
