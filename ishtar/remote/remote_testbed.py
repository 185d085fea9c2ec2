"""Testbeds of a published site: with its archive, or of an older one that has only traces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from ishtar.calibration import Declarations
from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.errors import WorkspaceError
from ishtar.lineage.record import Input
from ishtar.query.shot_numbers import no_such_shot
from ishtar.remote.archive import Archive, reporting_contradictions
from ishtar.remote.archive_shot import ArchiveShot
from ishtar.remote.fetch import INDEX, Site
from ishtar.remote.mirror import Mirror
from ishtar.remote.not_kept import KeptInPart
from ishtar.remote.remote_shot import RemoteShot
from ishtar.remote.site_values import shots_of
from ishtar.shots.any_testbed import AnyTestbed, shot_number

P = TypeVar("P", ArchiveShot, RemoteShot)


def open_site(
    where: str | Path,
    calib: str | None = None,
    *,
    headers: Mapping[str, str] | None = None,
    run_facility_code: bool = False,
) -> ArchiveTestbed | RemoteTestbed:
    """Open a published site: see `ishtar.open`."""
    site = Site(where, headers=headers)
    index = site.index()
    if entry := index.get("archive"):
        archive = Archive(site, entry, run_code=run_facility_code)
        testbed = ArchiveTestbed(site, index, archive, calib)
        if calib is not None:
            testbed.declarations  # noqa: B018  raises an error for an unknown tag now, not later
        return testbed
    if calib is not None:
        raise WorkspaceError(
            f'{where} has no raw data ([publish] raw = "off"), so that other calibrations cannot '
            "be applied: open it without calib=, or open its workspace"
        )
    return RemoteTestbed(site, index)


class _PublishedTestbed(AnyTestbed[P]):
    """All shots of a published site; ``testbed[1234]`` is a shot.

    The list of shots is that of the moment when the site was opened; open it again to see newer
    ones. Templates should not use it: they read the workspace that they run in.
    """

    calib: str | None

    def __init__(self, site: Site, index: Mapping[str, Any]) -> None:
        self.site = site
        self.owner = site.address
        self._index = index
        with reporting_contradictions(f"{site.address}{INDEX}"):
            self._numbers = shots_of(str(index["shots"]))
            self._days = [str(day) for day in index.get("days", ())]
        self._known = frozenset(self._numbers)
        self.facility = str(index.get("facility") or "")

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

    def checked(self, number: int) -> int:
        """Return the number of an existing shot; raise `NoSuchShot` if there is none."""
        number = shot_number(number)
        if number not in self:
            what = f"{self.site.address} has no shot {number}"
            raise no_such_shot(what, number, self._numbers)
        return number

    def __contains__(self, number: object) -> bool:
        return hasattr(number, "__index__") and number in self._known

    def days(self) -> list[str]:
        """Return the days with shots, ``2026-11-22``, ascending."""
        return list(self._days)

    def note_read(self, item: Input) -> None:
        """Do nothing: reports are not planned by what was read from a site."""

    def scraps(self, shot: int) -> list[ScrapRow]:
        """Return all scraps of a shot's reports."""
        return self[shot].scraps

    def __repr__(self) -> str:
        count = len(self._numbers)
        pinned = f" with calibrations of {self.calib}" if self.calib else ""
        return (
            f"<Testbed {self.facility!r} at {self.site.address}{pinned}: {count} shots, read only>"
        )


class ArchiveTestbed(KeptInPart, _PublishedTestbed[ArchiveShot]):
    """All shots of a published site with its archive: at full resolution, as near as possible."""

    not_kept_names: ClassVar = {"workspace": "the folders of its workspace"}

    def __init__(
        self, site: Site, index: Mapping[str, Any], archive: Archive, calib: str | None
    ) -> None:
        super().__init__(site, index)
        self.calib = calib
        self._archive = archive

    @cached_property
    def declarations(self) -> Declarations:
        """Signals, wiring, devices and components as declared when the site was published."""
        return self._archive.declarations(self.calib)

    def __getitem__(self, number: int) -> ArchiveShot:
        number = self.checked(number)
        return ArchiveShot(
            self.site, self._archive, number, self._numbers, self.declarations, self.facility
        )


class RemoteTestbed(KeptInPart, _PublishedTestbed[RemoteShot]):
    """All shots of a published site that keeps traces, but no raw data."""

    not_kept_names: ClassVar = {
        "declarations": "declarations (shot.facts['wiring'] says what was wired)",
        "workspace": "the folders of its workspace",
    }
    calib = None

    def __getitem__(self, number: int) -> RemoteShot:
        number = self.checked(number)
        return RemoteShot(self.site, number, self._numbers, self.facility, self._imas_paths)

    @cached_property
    def _imas_paths(self) -> dict[str, str]:
        with reporting_contradictions(f"{self.site.address}{INDEX}"):
            signals = self._index.get("signals", ())  # older sites state no paths
            return {str(s["name"]): str(s["imas"]) for s in signals if s.get("imas")}
