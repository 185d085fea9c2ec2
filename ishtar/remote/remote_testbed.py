"""A testbed of a published site."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.lineage.record import Input
from ishtar.query.shot_numbers import no_such_shot
from ishtar.remote.fetch import Site
from ishtar.remote.mirror import Mirror
from ishtar.remote.not_kept import KeptInPart
from ishtar.remote.remote_shot import RemoteShot
from ishtar.remote.site_values import shots_of
from ishtar.shots.any_testbed import AnyTestbed, shot_number


class RemoteTestbed(KeptInPart, AnyTestbed[RemoteShot]):
    """All shots of a published site; ``testbed[1234]`` is a shot.

    The list of shots is that of the moment when the site was opened; open it again to see newer
    ones. Templates should not use it: they read the workspace that they run in.
    """

    not_kept_names: ClassVar = {
        "declarations": "declarations (shot.facts['wiring'] says what was wired)",
        "workspace": "the folders of its workspace",
    }

    def __init__(self, where: str | Path) -> None:
        self.site = Site(where)
        self.owner = self.site.address
        self.calib = None
        self._index = self.site.index()
        self._numbers = shots_of(self._index["shots"])
        self._known = frozenset(self._numbers)

    @cached_property
    def _mirror(self) -> Mirror:
        return Mirror(self.site, self._index)

    def catalogue(self, names: Iterable[str] = ()) -> Catalogue:
        """Open a local catalogue of the site; close it after use.

        Parameters
        ----------
        names : iterable of str, optional
            Names in queries, ``Te``, ``langmuir.Te``: their scraps are fetched.
        """
        return self._mirror.catalogue(names)

    def numbers(self) -> list[int]:
        """Return all shot numbers, ascending."""
        return list(self._numbers)

    def __getitem__(self, number: int) -> RemoteShot:
        number = shot_number(number)
        if number not in self:
            what = f"{self.site.address} has no shot {number}"
            raise no_such_shot(what, number, self._numbers)
        return RemoteShot(self.site, number, self._numbers)

    def __contains__(self, number: object) -> bool:
        return hasattr(number, "__index__") and number in self._known

    def days(self) -> list[str]:
        """Return the days with shots, ``2026-11-22``, ascending."""
        return list(self._index["days"])

    def note_read(self, item: Input) -> None:
        """Do nothing: reports are not planned by what was read from a site."""

    def scraps(self, shot: int) -> list[ScrapRow]:
        """Return all scraps of a shot's reports."""
        return self[shot].scraps

    def __repr__(self) -> str:
        count = len(self._numbers)
        name: Any = self._index.get("facility")
        return f"<Testbed {name!r} at {self.site.address}: {count} shots, read only>"
