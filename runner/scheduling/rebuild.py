"""Rebuild the catalogue from files, and find out whether that is necessary."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from ishtar.catalogue import Catalogue, CatalogueError
from ishtar.errors import IshtarError
from ishtar.shots.testbed import stored_shots
from ishtar.workspace import Workspace
from runner.errors import Busy
from runner.ingest import index_days, match_days
from runner.receipts import DamagedReceipt, read_receipts, receipts
from runner.scheduling.catalogue_rows import note_report, note_shot
from runner.scheduling.lock import coordinator_lock, held_by, held_here
from runner.settings.file import Settings, read_settings
from runner.staleness.integrity import report_damage

LOCK_TRIES, LOCK_TRY_EVERY_S = 6, 0.5  # for a catalogue that another process may be making


def rebuild(workspace: Workspace) -> tuple[int, int, list[str]]:
    """Rebuild the catalogue from files; return the numbers of shots and reports, and problems."""
    problems: list[str] = []
    settings = read_settings(workspace)
    path = workspace.catalogue
    fresh = path.with_name(f".tmp-{path.name}")
    for suffix in ("", "-wal", "-shm", "-journal"):
        fresh.with_name(fresh.name + suffix).unlink(missing_ok=True)
    n_reports = 0
    index_days(workspace)
    with Catalogue(fresh, write=True, shared=settings.pool.many_machines) as catalogue:
        problems += match_days(workspace, settings.ingest).problems
        numbers = stored_shots(workspace)
        for number in numbers:
            try:
                note_shot(catalogue, workspace, number)
            except IshtarError as error:
                problems.append(str(error))
        for folder, receipt in read_receipts(workspace.reports):
            if isinstance(receipt, DamagedReceipt):
                problems.append(str(receipt))
                continue
            note_report(catalogue, folder.relative_to(workspace.reports).as_posix(), receipt)
            n_reports += 1
    for suffix in ("-wal", "-shm"):
        path.with_name(path.name + suffix).unlink(missing_ok=True)
    fresh.replace(path)
    return len(numbers), n_reports, problems


def open_catalogue(
    workspace: Workspace, settings: Settings, *, patience_s: float = 30.0
) -> tuple[Catalogue, str]:
    """Open the catalogue of a workspace for writing; rebuild it first if it is lost.

    Returns
    -------
    Catalogue
        The catalogue.
    str
        Why it was rebuilt; empty if it was not.

    Raises
    ------
    CatalogueError
        The catalogue is lost and another process holds the workspace.
    """

    def opened() -> Catalogue:
        return Catalogue(
            workspace.catalogue,
            write=True,
            shared=settings.pool.many_machines,
            patience_s=patience_s,
        )

    if not (why := why_lost(workspace, patience_s=patience_s)):
        return opened(), ""
    with _held(workspace, why):
        if why_lost(workspace, patience_s=patience_s):  # the previous holder may have rebuilt it
            rebuild(workspace)
        return opened(), why


def why_lost(workspace: Workspace, *, patience_s: float = 30.0) -> str:
    """Return why the catalogue does not list the existing reports; empty if it does.

    Missing shots need no rebuild: the next `Coordinator.sync_shots` adds them.
    """
    path = workspace.catalogue
    if not path.exists():
        return f"{path} is missing" if _any_report(workspace) else ""
    try:
        with Catalogue(path, write=True, patience_s=patience_s) as catalogue:
            return missing_reports(workspace, catalogue)
    except CatalogueError as error:
        return str(error) if error.damaged else ""  # if locked, opening it raises


def missing_reports(workspace: Workspace, catalogue: Catalogue) -> str:
    """Return a message if a catalogue is empty although reports exist; else an empty text."""
    if catalogue.has_reports() or not _any_report(workspace):
        return ""
    return f"{workspace.catalogue} has no reports, but {workspace.reports} has some"


def _any_report(workspace: Workspace) -> bool:
    """Return whether there is an intact report that a catalogue should list."""
    return any(not report_damage(path.parent) for path in receipts(workspace.reports))


@contextmanager
def _held(workspace: Workspace, why: str) -> Iterator[None]:
    """Hold the workspace for the block, unless this process holds it already."""
    if held_here(workspace):
        yield
        return
    with ExitStack() as stack:
        for _ in range(LOCK_TRIES):
            try:
                stack.enter_context(coordinator_lock(workspace))
                break
            except Busy:  # its holder may be about to note its first report
                time.sleep(LOCK_TRY_EVERY_S)
                if not why_lost(workspace):
                    break
        else:
            raise CatalogueError(
                f"{why}: {held_by(workspace) or 'another process'} works on this workspace and "
                "rebuilds it if it is the service: try again, or run `ishtar rebuild` after it "
                "has ended"
            )
        yield
