"""One shot of the archive of a published site."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

from ishtar.attributes import History, parse_edits
from ishtar.calibration import Declarations
from ishtar.lineage.record import FOREIGN
from ishtar.remote.archive import Archive, ShotFiles
from ishtar.remote.fetch import Site
from ishtar.remote.published_facts import PublishedFacts
from ishtar.shots.shot import Shot
from ishtar.store import SourceFile


class ArchiveShot(PublishedFacts, Shot):
    """One shot of a site, as a workspace has it; what is read of its files is fetched."""

    notes = FOREIGN

    def __init__(
        self,
        site: Site,
        archive: Archive,
        number: int,
        known: Sequence[int],
        declarations: Declarations,
        facility: str = "",
    ) -> None:
        super().__init__(site, number, known, facility)
        self._archive = archive
        self._declarations = declarations

    @cached_property
    def _files(self) -> ShotFiles:
        return self._archive.shot(self.number)

    @cached_property
    def sources(self) -> tuple[SourceFile, ...]:
        """The stored files of the shot, as its index describes them."""
        return self._files.sources

    @cached_property
    def edits(self) -> History:
        """The corrections of the attributes, oldest first: who, when, why, before, after."""
        return parse_edits(self._files.edits, Path(f"shot {self.number}"))

    def _has_channel(self, number: int, path: str) -> bool:
        """Return False: a hint is not worth the request."""
        return False

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}; from {self._site.address}>"
