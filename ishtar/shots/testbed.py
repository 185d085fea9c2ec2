"""A testbed: all shots of a workspace."""

from __future__ import annotations

import operator
import os
import re
from collections.abc import Iterable
from contextlib import closing
from functools import cached_property

from ishtar.calibration import Declarations, load_declarations
from ishtar.calibration.pinned import declarations_at
from ishtar.catalogue import Catalogue, ScrapRow
from ishtar.inputs import identity
from ishtar.lineage.record import Input, record, subject_of, this_report
from ishtar.query.shot_numbers import no_such_shot
from ishtar.shots.any_testbed import AnyTestbed, shot_number
from ishtar.shots.shot import Shot
from ishtar.workspace import Workspace

STORED = "[!.]*.h5"  # without files that are still being written


class Testbed(AnyTestbed[Shot]):
    """All shots of a workspace; ``testbed[1234]`` is a shot."""

    __test__ = False  # its name begins like a test class

    def __init__(self, workspace: Workspace, calib: str | None = None) -> None:
        self.workspace = workspace
        self.calib = calib

    @cached_property
    def declarations(self) -> Declarations:
        """Signals, wiring, devices and components as declared in ``calibrations/``."""
        if self.calib is None:
            return load_declarations(self.workspace.calibrations)

        return declarations_at(self.workspace.calibrations, self.calib)

    def catalogue(self, names: Iterable[str] = ()) -> Catalogue:
        """Open the catalogue for reading; close it after use.

        Parameters
        ----------
        names : iterable of str, optional
            Ignored: the catalogue of a workspace has all names.
        """
        return Catalogue(self.workspace.catalogue)

    def numbers(self) -> list[int]:
        """Return all shot numbers, ascending."""
        with closing(self.catalogue()) as catalogue:
            return catalogue.shots()

    def __getitem__(self, number: int) -> Shot:
        number = shot_number(number)
        if number not in self:
            known = stored_shots(self.workspace)
            raise no_such_shot(f"there is no shot {number}", number, known)
        folder = self.workspace.shot_folder(number)
        return Shot(number, folder, self.declarations, self.workspace.facility)

    def __contains__(self, number: object) -> bool:
        try:
            return is_stored(self.workspace, operator.index(number))  # type: ignore[arg-type]
        except TypeError:
            return False

    def days(self) -> list[str]:
        """Return the days with shots, ``2026-11-22``, ascending."""
        with closing(self.catalogue()) as catalogue:
            return catalogue.days()

    def note_read(self, item: Input) -> None:
        """Record an input of the running report.

        Parameters
        ----------
        item : Input
            What was read.
        """
        record(item)

    def scraps(self, shot: int) -> list[ScrapRow]:
        """Return all scraps of a shot's current reports; a running report does not get its own.

        Parameters
        ----------
        shot : int
            Number of the shot.
        """
        subject = subject_of(shot)
        running, followed = this_report()
        with closing(self.catalogue()) as catalogue:
            rows = [r for r in catalogue.scraps([subject]) if r.template != running]
        for row in rows:
            record(identity.scrap_input(row, f"{row.template}.{row.name}", row.subject))
        for template in followed:
            record(identity.scraps_input(rows, template, subject))
        return rows

    def __repr__(self) -> str:
        pinned = f" with calibrations of {self.calib}" if self.calib else ""
        return f"<Testbed {self.workspace.root}{pinned}>"


def shot_folders(workspace: Workspace) -> dict[int, int]:
    """Return the time of the last change of each shot's folder, Unix time in ns, by number."""
    try:
        entries = list(os.scandir(workspace.shots))
    except FileNotFoundError:
        return {}
    return {
        int(entry.name): entry.stat().st_mtime_ns
        for entry in entries
        if re.fullmatch("[0-9]{5,}", entry.name)
        and workspace.shot_folder(int(entry.name)).name == entry.name
    }


def is_stored(workspace: Workspace, shot: int) -> bool:
    """Return whether a shot has a stored file."""
    return any(workspace.shot_folder(shot).glob(STORED))


def stored_shots(workspace: Workspace) -> list[int]:
    """Return the shots with stored files, ascending, from the folders instead of the catalogue."""
    return sorted(n for n in shot_folders(workspace) if is_stored(workspace, n))
