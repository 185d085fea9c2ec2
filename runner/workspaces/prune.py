"""Remove what the settings no longer keep, and move old raw data to another disk.

Never removed: raw data, current reports and their receipts, re-runs, scraps, calibrations,
templates, corrections of attributes.
"""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from ishtar.errors import IshtarError
from ishtar.store import fsync_dir, problems
from ishtar.store.atomic import fsync_file, temporary_path
from runner.ingest.raw_files.quarantine import REASON, quarantined_files
from runner.publish.data.traces import expired_bytes
from runner.publish.retention import is_old
from runner.receipts import Subject
from runner.scheduling.coordinator import Coordinator

logger = logging.getLogger(__name__)


class PruneError(IshtarError, OSError):
    """Something cannot be removed or moved."""


@dataclass(frozen=True, kw_only=True)
class Expired:
    """One thing that the settings no longer keep where it is.

    Attributes
    ----------
    kind : ``superseded report``, ``quarantined file``, ``traces and figures`` or ``raw data``.
    where : its path in the workspace.
    bytes : what it takes there.
    since : since when it is old, as a date.
    shot : the shot whose pages change with it; None for others.
    remove : removes it, or moves it to the other disk.
    """

    kind: str
    where: str
    bytes: int
    since: str
    shot: int | None = None
    remove: Callable[[], None]


def expired(coordinator: Coordinator, now: datetime | None = None) -> list[Expired]:
    """Return what has expired, without removing anything.

    Parameters
    ----------
    coordinator : Coordinator
        Of the workspace.
    now : datetime, optional
        The time with its zone; the present by default.
    """
    now = now or datetime.now().astimezone()
    return [
        *_superseded(coordinator, now),
        *_quarantined(coordinator, now),
        *_traces_and_figures(coordinator),
        *_raw(coordinator, now),
    ]


def remove(coordinator: Coordinator, found: Iterable[Expired]) -> tuple[int, list[str]]:
    """Remove or move what has expired; one that fails stops no other.

    Returns
    -------
    freed : int
        Bytes.
    problems : list of str
        What could not be removed, one line each.
    """
    freed, failed = 0, []
    for item in found:
        try:
            item.remove()
            freed += item.bytes
        except (OSError, IshtarError) as error:
            failed.append(f"{item.where} stays: {error}")
            logger.warning("%s", failed[-1])
    return freed, failed


def changed_pages(found: Iterable[Expired]) -> list[Subject]:
    """Return the shots to publish again after a removal."""
    return [Subject.shot(n) for n in sorted({item.shot for item in found if item.shot is not None})]


def _superseded(coordinator: Coordinator, now: datetime) -> Iterator[Expired]:
    """Yield reports that a newer one has replaced for long enough."""
    days = coordinator.settings.retention.keep_superseded_days
    if not days:
        return
    reports = coordinator.workspace.reports
    rows = coordinator.catalogue.reports(rerun=False)
    replaced = {(r.subject, r.template): r.started for r in rows if r.current}
    for row in rows:
        since = replaced.get((row.subject, row.template), "")
        if row.current or not since or now - datetime.fromisoformat(since) < timedelta(days=days):
            continue
        folder = reports / row.folder
        yield Expired(
            kind="superseded report",
            where=f"reports/{row.folder}",
            bytes=_size(folder),
            since=since[:10],
            remove=partial(_remove_report, coordinator, row.folder),
        )


def _remove_report(coordinator: Coordinator, folder: str) -> None:
    coordinator.catalogue.remove_report(folder)
    path = coordinator.workspace.reports / folder
    if path.is_dir():
        shutil.rmtree(path)


def _quarantined(coordinator: Coordinator, now: datetime) -> Iterator[Expired]:
    days = coordinator.settings.retention.keep_quarantine_days
    if not days:
        return
    folder = coordinator.workspace.quarantine
    for file in quarantined_files(folder):
        path = folder / file.name
        try:
            status = path.stat()
        except OSError:
            continue
        since = datetime.fromtimestamp(status.st_mtime).astimezone()
        reason = path.with_name(path.name + REASON)
        if reason.exists():  # when it came there; the file keeps the time that it was written
            since = datetime.fromtimestamp(reason.stat().st_mtime).astimezone()
        if now - since < timedelta(days=days):
            continue
        yield Expired(
            kind="quarantined file",
            where=f"data/quarantine/{file.name}",
            bytes=status.st_size,
            since=since.date().isoformat(),
            remove=partial(_remove_files, [path, reason]),
        )


def _remove_files(paths: Iterable[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


def _traces_and_figures(coordinator: Coordinator) -> Iterator[Expired]:
    """Yield the parts of the site that a publication of their shots removes."""
    settings, site = coordinator.settings.publish, coordinator.workspace.site
    for day in coordinator.catalogue.days():
        date = datetime.fromisoformat(day)
        fine = is_old(date, settings.keep_tiles_days)
        figures = is_old(date, settings.keep_figures_days)
        for number in coordinator.catalogue.shots(day) if fine or figures else ():
            pages = site / "shots" / Subject.shot(number).key
            old = [*pages.glob("*/figures/*"), *pages.glob("*/*.svg")] if figures else []
            size = expired_bytes(site, number) if fine else 0
            size += sum(path.stat().st_size for path in old)
            if size:
                yield Expired(
                    kind="traces and figures",
                    where=f"site/public/shots/{Subject.shot(number).key}",
                    bytes=size,
                    since=day,
                    shot=number,
                    remove=lambda: None,  # its publication does
                )


def _raw(coordinator: Coordinator, now: datetime) -> Iterator[Expired]:
    """Yield the raw files of old shots that are still on the first disk."""
    settings = coordinator.settings.retention
    if not settings.move_raw_days:
        return
    for day in coordinator.catalogue.days():
        if not is_old(datetime.fromisoformat(day), settings.move_raw_days):
            continue
        for number in coordinator.catalogue.shots(day):
            folder = coordinator.workspace.shot_folder(number)
            for path in sorted(folder.glob("[!.]*.h5")):
                if path.is_symlink():
                    continue
                yield Expired(
                    kind="raw data",
                    where=path.relative_to(coordinator.workspace.root).as_posix(),
                    bytes=path.stat().st_size,
                    since=day,
                    shot=number,
                    remove=partial(move_raw, path, Path(settings.raw_folder)),
                )


def move_raw(path: Path, folder: Path) -> None:
    """Move a stored file to another disk, and leave a link to it.

    Parameters
    ----------
    path : Path
        The file, in the folder of its shot.
    folder : Path
        The folder on the other disk; the file goes to a folder of its shot there.

    Raises
    ------
    PruneError
        The other disk is not there, has another file of this name, or did not take the file as it
        is. The file stays where it is then.
    """
    if not folder.is_dir():
        raise PruneError(f"{folder} is not there: mount its disk, or correct raw_folder")
    target = folder / path.parent.name / path.name
    target.parent.mkdir(exist_ok=True)
    temporary = temporary_path(target)
    try:
        shutil.copyfile(path, temporary)
        shutil.copystat(path, temporary)
        fsync_file(temporary)
        if found := next(iter(problems(temporary)), None):
            raise PruneError(f"the copy on {folder} differs ({found}): check that disk")
        if target.exists() and _size(target) != _size(path):
            raise PruneError(f"{target} is another file: move it away")
        os.replace(temporary, target)
        fsync_dir(target.parent)
    finally:
        temporary.unlink(missing_ok=True)
    link = temporary_path(path)
    link.symlink_to(target)
    os.replace(link, path)
    fsync_dir(path.parent)


def _size(path: Path) -> int:
    if path.is_file():
        return path.stat().st_size
    return sum(p.stat().st_size for p in path.rglob("*") if p.is_file())
