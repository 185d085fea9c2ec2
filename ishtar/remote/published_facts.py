"""What the pages of a site show of one shot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

from ishtar.catalogue import ScrapRow
from ishtar.lineage.record import subject_of
from ishtar.query.shot_numbers import no_such_shot
from ishtar.remote.fetch import NotThere, Site
from ishtar.remote.site_values import number_of


class PublishedFacts:
    """One shot of a published site; files are fetched only on request."""

    def __init__(self, site: Site, number: int, known: Sequence[int], facility: str = "") -> None:
        self.number = number
        self.facility = facility
        self._site = site
        self._known = known
        self._pages = f"shots/{subject_of(number)}"

    @cached_property
    def facts(self) -> Mapping[str, Any]:
        """All data of the shot on the site: ``shot.json``."""
        try:
            found: Mapping[str, Any] = self._site.json(f"{self._pages}/shot.json")
        except NotThere as error:
            known = [n for n in self._known if n != self.number]
            what = f"{self._site.address} has no shot {self.number}"
            raise no_such_shot(what, self.number, known) from error
        return found

    @property
    def problems(self) -> list[str]:
        """Problems of its data, a sentence each."""
        return list(self.facts["problems"])

    @property
    def scraps(self) -> list[ScrapRow]:
        """The scraps of its reports."""
        return [
            ScrapRow(
                subject=subject_of(self.number),
                template=report["template"],
                name=scrap["name"],
                value=number_of(scrap["value"]),
                sigma=number_of(scrap["sigma"]),
                unit=scrap["unit"],
            )
            for report in self.facts["reports"]
            for scrap in report["scraps"]
        ]
