"""The catalogue made anew from files, and whether that has to be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ishtar.catalogue import Catalogue, CatalogueError
from ishtar.errors import IshtarError
from ishtar.testbed import is_stored, shot_folders, stored_shots
from ishtar.workspace import Workspace
from runner.errors import Busy
from runner.ingest import index_days, match_days
from runner.lock import coordinator_lock, held_by, held_here
from runner.noting import note_report, note_shot
from runner.receipts import DamagedReceipt, read_receipts, receipts
from runner.settings import Settings, read_settings


def rebuild(workspace: Workspace) -> tuple[int, int, list[str]]:
    """Make the catalogue anew from files; return shots, reports and what could not be read."""
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
    """Open the catalogue of a workspace to write it; where it is lost, make it anew before.

    Returns
    -------
    Catalogue
        The catalogue.
    str
        Why it was made anew; empty where it was not.

    Raises
    ------
    CatalogueError
        It is lost, and another process holds the workspace.
    """

    def opened() -> Catalogue:
        return Catalogue(
            workspace.catalogue,
            write=True,
            shared=settings.pool.many_machines,
            patience_s=patience_s,
        )

    if not (why := why_lost(workspace)):
        return opened(), ""
    with _held(workspace, why):
        if why_lost(workspace):  # whoever held it until now may have made it
            rebuild(workspace)
        return opened(), why


def why_lost(workspace: Workspace) -> str:
    """Say why the catalogue does not tell of what is stored; empty where it does."""
    path = workspace.catalogue
    if not path.exists():
        return f"{path} is missing" if _anything_stored(workspace) else ""
    try:
        with Catalogue(path, write=True) as catalogue:
            has_shots, has_reports = catalogue.holds()
    except CatalogueError as error:
        if error.damaged and _anything_stored(workspace):
            return str(error)
        return ""  # locked, of a newer version: whoever opens it is told
    if not has_shots and _any_shot(workspace):
        return f"{path} has no shots, and there are some in {workspace.shots}"
    if not has_reports and _any_report(workspace):
        return f"{path} has no reports, and there are some in {workspace.reports}"
    return ""


def _anything_stored(workspace: Workspace) -> bool:
    return _any_shot(workspace) or _any_report(workspace)


def _any_shot(workspace: Workspace) -> bool:
    return any(is_stored(workspace, number) for number in shot_folders(workspace))


def _any_report(workspace: Workspace) -> bool:
    return any(True for _ in receipts(workspace.reports))


@contextmanager
def _held(workspace: Workspace, why: str) -> Iterator[None]:
    """Hold the workspace for the block, where this process does not hold it already."""
    if held_here(workspace):
        yield
        return
    try:
        lock = coordinator_lock(workspace)
        with lock:
            yield
    except Busy:
        raise CatalogueError(
            f"{why}: {held_by(workspace) or 'another process'} works on this workspace and makes "
            "it anew if it is the service: try again, else `ishtar rebuild` when it has ended"
        ) from None
