"""What a published site does not keep: told in one way, wherever it is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ishtar.errors import IshtarError


class NotKept(IshtarError, ValueError, AttributeError):
    """Something that a published site does not keep; the workspace has it."""


def not_kept(whose: str, what: str) -> NotKept:
    """Return the error for what only a workspace has."""
    return NotKept(f"{whose}: a published site does not keep {what}: open the workspace")


class KeptInPart:
    """Something that a workspace has more of: `hasattr` says no to that, whoever asks is told why.

    ``lacks`` holds the words for each such name, ``whose`` says of what it is.
    """

    lacks: ClassVar[Mapping[str, str]]
    whose: str

    if not TYPE_CHECKING:  # to a type checker such names are not there

        def __getattr__(self, name: str) -> Any:
            if name in self.lacks:
                raise not_kept(self.whose, self.lacks[name])
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)
