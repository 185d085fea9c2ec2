"""The coordinator plans reports from the catalogue and is its only writer."""

from __future__ import annotations

import datetime
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Collection, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

from ishtar.catalogue import Catalogue, CatalogueError, ReportRow
from ishtar.lineage.record import subject_of
from ishtar.shots.testbed import Testbed, is_stored, shot_folders
from ishtar.store.atomic import TEMPORARY_PREFIX
from ishtar.workspace import Workspace
from runner.ingest import rematch_shots, remove_leftovers
from runner.jobs import EVERYTHING, RERUN_PREFIX, Done, Selection
from runner.receipts import Subject
from runner.scheduling.catalogue_rows import note_report, note_shot
from runner.scheduling.rebuild import missing_reports, open_catalogue
from runner.settings.file import Settings, read_settings
from runner.staleness.integrity import confirmed_damage, intact_receipt, receipt_damage
from runner.staleness.plan import Planned, make_plan
from runner.templates.template import Templates, read_templates

logger = logging.getLogger(__name__)

NEWEST_CHECKED = 200  # shots whose reports are checked for damage by default


def _may_write(catalogue: Path) -> bool:
    return os.access(catalogue, os.W_OK) and os.access(catalogue.parent, os.W_OK)


class Coordinator:
    """Keep the catalogue of one workspace and plan its reports.

    With read-only access to the workspace it works on a temporary copy of the catalogue.
    """

    def __init__(self, workspace: Workspace, *, patience_s: float = 30.0) -> None:
        self.workspace = workspace
        self.settings: Settings = read_settings(workspace)
        self._patience_s = patience_s
        self._unpublished: set[Subject] = set()
        self._resources = ExitStack()
        self._open()

    def _open(self) -> None:
        """Open the catalogue; rebuild it if it is lost but reports exist."""
        self.catalogue: Catalogue
        path, why = self.workspace.catalogue, ""
        if path.exists() and not _may_write(path):
            self.catalogue = Catalogue(self._copy_of(path), write=True)
            if problem := missing_reports(self.workspace, self.catalogue):
                logger.warning("%s: ask someone with write access to run `ishtar rebuild`", problem)
        else:
            self.catalogue, why = open_catalogue(
                self.workspace, self.settings, patience_s=self._patience_s
            )
        self._opened = _identity(self.catalogue.path)
        if why:
            logger.info("%s: rebuilt it from the files", why)

    def lost(self) -> str:
        """Return what happened to the catalogue file since it was opened; empty if nothing.

        Writes to a removed file would be lost.
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

    def reopen(self) -> None:
        """Reopen the catalogue after `lost`; rebuild it if necessary."""
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
        """Note all shots with a new or changed folder in the catalogue; return them."""
        wanted = self.changed_shots()
        for number in wanted:
            self.note_shot(number)
        return wanted

    def changed_shots(self) -> list[int]:
        """Return the shots to note: their folder is new or has changed."""
        seen = self.catalogue.folder_times_ns()
        changed = [
            number
            for number, when in shot_folders(self.workspace).items()
            if seen.get(number) != when
        ]
        wanted = [n for n in sorted(changed) if n in seen or is_stored(self.workspace, n)]
        return wanted + self.follow_clocks(wanted)

    def follow_clocks(self, numbers: Iterable[int]) -> list[int]:
        """Match files by clock again after the dates of some shots may have changed.

        Return the other shots whose files changed; note those, too.
        """
        before = {n: self.catalogue.attributes(n) or {} for n in numbers}
        days = {n: _day(attributes.get("date")) for n, attributes in before.items()}
        found = rematch_shots(self.workspace, self.settings.ingest, days)
        for note in found.notes:
            logger.info("%s", note)
        return [n for n in found.shots if n not in days]

    def note_edited(self, numbers: Sequence[int], names: Collection[str]) -> list[int]:
        """Note shots of which attributes were edited; return them, and others that this changed.

        A new date lets files be matched by clock again.
        """
        followed = self.follow_clocks(numbers) if "date" in names else []
        for number in (found := [*numbers, *followed]):
            self.note_shot(number)
        return found

    def forget_damaged(self, shots: Sequence[int] | None = None) -> list[str]:
        """Drop damaged reports from the catalogue; return what is wrong with each.

        Check the reports of the given shots (by default the newest) and of all days and ranges.
        `ishtar verify` reads every receipt of an archive.
        """
        catalogue = self.catalogue
        numbers = catalogue.shots()[-NEWEST_CHECKED:] if shots is None else shots
        rows: list[ReportRow] = catalogue.reports_of_subjects([subject_of(n) for n in numbers])
        for scope in ("day", "range"):
            rows += catalogue.reports(scope=scope, current=True)
        found = confirmed_damage(
            self.workspace.reports, [row.folder for row in rows], receipt_damage
        )
        for folder, why in found.items():
            logger.warning("%s", why)
            catalogue.remove_report(folder)
        return list(found.values())

    def clear_leftovers(self) -> int:
        """Remove leftovers of killed runs and ingests; return how many.

        Only the holder of the coordinator's lock may call this: nobody else makes reports then.
        """
        return self.clear_unfinished() + len(remove_leftovers(self.workspace))

    def clear_unfinished(self) -> int:
        """Remove unfinished reports while no worker is running; return how many.

        Reruns need no lock and may still be running; remove those only after a day.
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
        """Return the missing and stale reports of a selection."""
        return make_plan(Testbed(self.workspace), self.catalogue, self.templates(), selection)

    def due(self, selection: Selection = EVERYTHING) -> list[Planned]:
        """Return the reports to run: the plan without finished reports that were never noted.

        A killed coordinator leaves reports that its workers had just finished. Note them now, so
        that the catalogue agrees with a rebuilt one.
        """
        plan = self.plan(selection)
        return self.plan(selection) if self._note_unnoted(plan) else plan

    def take_unpublished(self) -> set[Subject]:
        """Return the subjects whose reports `due` has noted since the last call."""
        taken, self._unpublished = self._unpublished, set()
        return taken

    def _note_unnoted(self, plan: Iterable[Planned]) -> int:
        """Note intact reports of planned subjects that are not in the catalogue."""
        n_noted = 0
        for p in plan:
            place = self.workspace.reports / p.subject.key / p.template
            if not place.is_dir():
                continue
            rows = self.catalogue.reports(subject=p.subject.key, template=p.template)
            noted = {row.folder for row in rows}
            for path in sorted(place.iterdir()):
                folder = path.relative_to(self.workspace.reports).as_posix()
                if folder not in noted and (receipt := intact_receipt(path)):
                    note_report(self.catalogue, folder, receipt)
                    self._unpublished.add(p.subject)
                    n_noted += 1
        return n_noted


def _identity(path: Path) -> tuple[int, int] | None:
    """Return device and inode of a file, None if it does not exist."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return None
    return stat.st_dev, stat.st_ino


def _day(date: object) -> list[datetime.date]:
    """Return the day of a date in the catalogue, as a list; empty if it is not a date."""
    try:
        return [datetime.datetime.fromisoformat(str(date)).date()]
    except ValueError:
        return []
