"""What others see of a shot, wherever it comes from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ishtar.signals.signal import Signal

__all__ = ["Shot"]


class Shot(Protocol):
    """A shot as its machine, exports and data sets use it: stored here, or read from afar."""

    number: int

    @property
    def attributes(self) -> Mapping[str, Any]:
        """Attributes of the shot, as corrected."""

    def __getitem__(self, name: str, /) -> Signal:
        """Return a signal by its name."""

    def channel(self, path: str, /) -> Signal:
        """Return a raw channel by its path."""

    def channels(self) -> list[str]:
        """Return the paths of all channels."""

    def signals(self) -> list[str]:
        """Return the names of the signals that can be read."""

    def missing(self) -> dict[str, str]:
        """Return the declared signals that cannot be read, each with the reason."""
