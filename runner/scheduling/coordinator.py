"""The coordinator: plans from the catalogue, and is the only one that writes it."""

from __future__ import annotations

import datetime
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ishtar.catalogue import Catalogue, CatalogueError, ReportRow
from ishtar.lineage.record import subject_of
from ishtar.shots.testbed import Testbed, is_stored, shot_folders
from ishtar.store.atomic import TEMPORARY_PREFIX
from ishtar.workspace import Workspace
from runner.ingest import follow_shots, remove_leftovers
from runner.jobs import EVERYTHING, RERUN_PREFIX, Done, Selection
from runner.receipts import Receipt, Subject
from runner.scheduling.noting import note_report, note_shot
from runner.scheduling.rebuild import lacking_reports, open_catalogue
from runner.settings.file import Settings, read_settings
from runner.staleness.integrity import damage, damage_within, damaged_still
from runner.staleness.plan import Planned, make_plan
from runner.templates.template import Templates, read_templates

logger = logging.getLogger(__name__)

NEWEST = 200  # shots whose reports are looked at for damage where nobody names any


def _may_write(catalogue: Path) -> bool:
    return os.access(catalogue, os.W_OK) and os.access(catalogue.parent, os.W_OK)


class Coordinator:
    """Keeps the catalogue of one workspace, and plans its reports.

    Who may only read the workspace works with a copy of the catalogue, which ends with this.
    """

    def __init__(self, workspace: Workspace, *, patience_s: float = 30.0) -> None:
        self.workspace = workspace
        self.settings: Settings = read_settings(workspace)
        self._patience_s = patience_s
        self._unpublished: set[Subject] = set()
        self._resources = ExitStack()
        self._open()

    def _open(self) -> None:
        """Open the catalogue; it is made anew where it is lost, though there are files."""
        self.catalogue: Catalogue
        path, why = self.workspace.catalogue, ""
        if path.exists() and not _may_write(path):
            self.catalogue = Catalogue(self._copy_of(path), write=True)
            if lack := lacking_reports(self.workspace, self.catalogue):
                logger.warning("%s: ask who may write it for `ishtar rebuild`", lack)
        else:
            self.catalogue, why = open_catalogue(
                self.workspace, self.settings, patience_s=self._patience_s
            )
        self._opened = _identity(self.catalogue.path)
        if why:
            logger.info("%s: it was made anew from the files", why)

    def lost(self) -> str:
        """Say what has become of the file of the catalogue since it was opened; empty if nothing.

        What is written to a file that was removed is written for nobody.
        """
        path = self.catalogue.path
        if (now := _identity(path)) != self._opened:
            return f"{path} was {'replaced' if now else 'removed'}"
        try:
            self.catalogue.has_reports()
        except CatalogueError as error:
            if error.damaged:
                return str(error)
        return ""

    def open_again(self) -> None:
        """Open the catalogue again after `lost`; it is made anew where it must be."""
        before = self.catalogue
        self._open()
        before.close()

    def _copy_of(self, path: Path) -> Path:
        folder = self._resources.enter_context(tempfile.TemporaryDirectory(prefix="ishtar-copy-"))
        with Catalogue(path) as catalogue:
            catalogue.copy_to(Path(folder) / path.name)
        return Path(folder) / path.name

    def close(self) -> None:
        """Close the catalogue."""
        self.catalogue.close()
        self._resources.close()

    def __enter__(self) -> Coordinator:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def templates(self) -> Templates:
        """Read the templates as they are now."""
        return read_templates(self.workspace.templates)

    # --- the catalogue -------------------------------------------------------------------------

    def note_shot(self, number: int) -> None:
        """Write a stored shot into the catalogue."""
        note_shot(self.catalogue, self.workspace, number)

    def note_report(self, done: Done) -> None:
        """Write a report into the catalogue."""
        note_report(self.catalogue, done.folder, done.receipt)

    def sync_shots(self) -> list[int]:
        """Bring shots into the catalogue whose folder is new or has changed; return them."""
        wanted = self.changed_shots()
        for number in wanted:
            self.note_shot(number)
        return wanted

    def changed_shots(self) -> list[int]:
        """Return the shots that are to be noted: their folder is new, or has changed."""
        seen = self.catalogue.folder_times_ns()
        changed = [
            number
            for number, when in shot_folders(self.workspace).items()
            if seen.get(number) != when
        ]
        wanted = [n for n in sorted(changed) if n in seen or is_stored(self.workspace, n)]
        return wanted + self.follow_clocks(wanted)

    def follow_clocks(self, numbers: Iterable[int]) -> list[int]:
        """Let what is matched by clock follow the dates of shots that may have changed.

        Return the other shots whose files are others now; they are to be noted, too.
        """
        before = {n: self.catalogue.attributes(n) or {} for n in numbers}
        days = {n: _day(attributes.get("date")) for n, attributes in before.items()}
        found = follow_shots(self.workspace, self.settings.ingest, days)
        for note in found.notes:
            logger.info("%s", note)
        return [n for n in found.shots if n not in days]

    def forget_damaged(self, shots: Sequence[int] | None = None) -> list[str]:
        """Let reports that are damaged count as missing; return what is wrong with them.

        Looked at are those of some shots, of the newest where none are named, and of all days and
        ranges: to read every receipt of an archive is what `ishtar verify` is for.
        """
        catalogue = self.catalogue
        numbers = catalogue.shots()[-NEWEST:] if shots is None else shots
        rows: list[ReportRow] = catalogue.reports_of_subjects([subject_of(n) for n in numbers])
        for scope in ("day", "range"):
            rows += catalogue.reports(scope=scope, current=True)
        found = damaged_still(self.workspace.reports, [row.folder for row in rows], damage)
        for folder, why in found.items():
            logger.warning("%s", why)
            catalogue.remove_report(folder)
        return list(found.values())

    def clear_leftovers(self) -> int:
        """Remove what runs and ingests that were killed left behind; return how much it was.

        Only for the holder of the coordinator's lock: nobody else makes reports then.
        """
        return self.clear_unfinished() + len(remove_leftovers(self.workspace))

    def clear_unfinished(self) -> int:
        """Remove reports that were never finished, while no worker makes one; return how many.

        What people make for themselves needs no lock and may be at work; it goes after a day.
        """
        long_ago = time.time() - 86_400
        unfinished = [
            folder
            for folder in self.workspace.reports.glob(f"{TEMPORARY_PREFIX}*")
            if not folder.name.startswith(RERUN_PREFIX) or folder.stat().st_mtime < long_ago
        ]
        for folder in unfinished:
            shutil.rmtree(folder, ignore_errors=True)
        return len(unfinished)

    # --- work ----------------------------------------------------------------------------------

    def plan(self, selection: Selection = EVERYTHING) -> list[Planned]:
        """Return what is missing or stale of a selection."""
        return make_plan(Testbed(self.workspace), self.catalogue, self.templates(), selection)

    def due(self, selection: Selection = EVERYTHING) -> list[Planned]:
        """Return what is to be run: the plan, without what is there already and was never noted.

        A coordinator that is killed leaves reports that its workers had just finished; they are
        noted now, so that the catalogue says what a rebuilt one would say.
        """
        plan = self.plan(selection)
        return self.plan(selection) if self._note_unnoted(plan) else plan

    def take_unpublished(self) -> set[Subject]:
        """Return the subjects of which `due` has noted reports since this was last asked."""
        taken, self._unpublished = self._unpublished, set()
        return taken

    def _note_unnoted(self, plan: Iterable[Planned]) -> int:
        """Note whole reports of planned subjects that the catalogue does not know."""
        n_noted = 0
        for p in plan:
            place = self.workspace.reports / p.subject.key / p.template
            if not place.is_dir():
                continue
            rows = self.catalogue.reports(subject=p.subject.key, template=p.template)
            noted = {row.folder for row in rows}
            for path in sorted(place.iterdir()):
                folder = path.relative_to(self.workspace.reports).as_posix()
                if folder not in noted and not damage_within(path):
                    self.note_report(Done(folder=folder, receipt=Receipt.read(path)))
                    self._unpublished.add(p.subject)
                    n_noted += 1
        return n_noted


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells a file from another one of its name; None where there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def _day(date: object) -> list[datetime.date]:
    """Return the day of a date that the catalogue has, as a list; none of what is no date."""
    try:
        return [datetime.datetime.fromisoformat(str(date)).date()]
    except ValueError:
        return []
