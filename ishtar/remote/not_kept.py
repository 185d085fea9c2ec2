"""Errors for what a published site does not keep."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar

from ishtar.errors import IshtarError


class NotKept(IshtarError, ValueError, AttributeError):
    """A published site does not keep what was asked for; the workspace has it."""


def not_kept(owner: str, what: str) -> NotKept:
    """Return the error for a part of a shot or testbed that only a workspace has."""
    return NotKept(f"{owner}: a published site does not keep {what}: open the workspace")


class KeptInPart:
    """A shot or testbed without some attributes of a workspace's: these raise `NotKept`.

    As that is an `AttributeError`, `hasattr` returns False. ``not_kept_names`` describes each such
    attribute, ``owner`` names the object in messages.
    """

    not_kept_names: ClassVar[Mapping[str, str]]
    owner: str

    if not TYPE_CHECKING:  # for a type checker these attributes do not exist

        def __getattr__(self, name: str) -> Any:
            if name in self.not_kept_names:
                raise not_kept(self.owner, self.not_kept_names[name])
            message = f"{type(self).__name__!r} object has no attribute {name!r}"
            raise AttributeError(message, name=name, obj=self)
