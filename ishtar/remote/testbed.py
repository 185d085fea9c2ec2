"""A testbed over a published site: what its pages show, by name and number."""

from __future__ import annotations

import operator
from collections.abc import Sequence
from contextlib import closing
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.errors import NoSuchShot, did_you_mean
from ishtar.query.parse import parse
from ishtar.query.query_tree import names_in
from ishtar.query.shot_numbers import no_such_shot
from ishtar.remote.fetch import Site
from ishtar.remote.mirror import Mirror
from ishtar.remote.numbers import shots_of
from ishtar.remote.samples import NotKept
from ishtar.remote.shot import RemoteShot
from ishtar.shots.testbed import Shots, Testbed

if TYPE_CHECKING:
    import pandas

    from ishtar.calibration import Declarations


class RemoteShots(Shots):
    """Some shots of a site; what a table needs is fetched when it is made."""

    _testbed: RemoteTestbed

    def table(self, columns: str | Sequence[str]) -> pandas.DataFrame:
        """Return scraps and attributes of the shots: see `ishtar.shots.testbed.Shots.table`."""
        wanted = [columns] if isinstance(columns, str) else list(columns)
        self._testbed.need([c for c in wanted if isinstance(c, str)])
        return super().table(columns)


class RemoteTestbed(Testbed):
    """A published site as its users see it; ``testbed[1234]`` is a shot.

    It says what the site said when it was opened; open it again to see newer shots. It is for
    reading at a distance: a template reads the workspace that it runs in.
    """

    def __init__(self, address: str) -> None:
        self.site = Site(address)
        self.calib = None
        self._index = self.site.index()
        self._numbers = shots_of(self._index["shots"])

    @cached_property
    def _mirror(self) -> Mirror:
        return Mirror(self.site, self._index)

    @cached_property
    def declarations(self) -> Declarations:
        """A site has none of its own: each shot tells what was wired at it."""
        raise NotKept(
            f"{self.site.address} keeps no declarations: look at shot.facts['wiring'], or open the "
            "workspace"
        )

    def need(self, names: Sequence[str]) -> None:
        """Fetch the scraps that some names may mean."""
        self._mirror.need(names)

    def catalogue(self) -> Catalogue:
        """Open what is known of the shots, as far as it was fetched; close it after use."""
        return self._mirror.catalogue()

    def numbers(self) -> list[int]:
        """Return all shot numbers, ascending."""
        return list(self._numbers)

    def __getitem__(self, number: int) -> RemoteShot:  # type: ignore[override]
        try:
            number = operator.index(number)
        except TypeError:
            raise TypeError(f"{number!r} is no shot: write its number, tb[1234]") from None
        if number not in self:
            what = f"{self.site.address} has no shot {number}"
            raise no_such_shot(what, number, self._numbers)
        return RemoteShot(self.site, number, self._numbers)

    def __contains__(self, number: object) -> bool:
        return number in set(self._numbers)

    def shots(self, query: str | None = None) -> RemoteShots:
        """Return all shots, or those that a query matches: see `ishtar.Testbed.shots`."""
        if query is None:
            return RemoteShots(self, self._numbers)
        if not isinstance(query, str):
            raise TypeError(f"{query!r} is no query: write tb.shots(\"gas == 'Ar'\")")
        self.need([name.name for name in names_in(parse(query))])
        with closing(self.catalogue()) as catalogue:
            return RemoteShots(self, catalogue.find(query))

    def days(self) -> list[str]:
        """Return the days with shots, ``2026-11-22``, ascending."""
        return list(self._index["days"])

    def day(self, day: str) -> RemoteShots:
        """Return the shots of a day, ``2026-11-22``."""
        if day not in self._index["days"]:
            hint = did_you_mean(str(day), self.days()) or "; testbed.days() lists those that have"
            raise NoSuchShot(f"there are no shots on {day!r}{hint}")
        with closing(self.catalogue()) as catalogue:
            return RemoteShots(self, catalogue.shots(day))

    def range(self, first: int, last: int) -> RemoteShots:
        """Return the shots ``first … last``, both ends included."""
        return RemoteShots(self, [n for n in self._numbers if first <= n <= last])

    def scraps(self, shot: int) -> list[ScrapRow]:
        """Return all scraps of a shot's reports."""
        return self[shot].scraps

    def __repr__(self) -> str:
        count = len(self._numbers)
        name: Any = self._index.get("facility")
        return f"<Testbed {name!r} at {self.site.address}: {count} shots, read only>"
