"""Open a testbed: a workspace or a published site."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from ishtar.errors import WorkspaceError
from ishtar.shots.any_testbed import AnyTestbed
from ishtar.shots.testbed import Testbed
from ishtar.signals.protocols import AnyShot
from ishtar.workspace import MARKER, VARIABLE, Workspace


def open_testbed(
    where: str | Path | None = None,
    *,
    calib: str | None = None,
    headers: Mapping[str, str] | None = None,
    run_facility_code: bool = False,
) -> AnyTestbed[AnyShot]:
    """Open a workspace, or a published site.

    Parameters
    ----------
    where : path, optional
        Folder of the workspace, or the address of a published site, ``https://host/path``, or its
        folder, ``site/public``. By default ``ISHTAR_WORKSPACE``, which may be any of these, else
        the workspace around the current folder.
    calib : str, optional
        A tag or commit of the repository that holds ``calibrations/``: signals, wiring,
        calibrations and machine as of that revision. By default the current ones. A site has the
        tags of its workspace.
    headers : mapping, optional
        For the host of a site alone: ``{"Authorization": "Bearer …"}``. By default the token in
        ``ISHTAR_TOKEN``, or name and password from ``~/.netrc``.
    run_facility_code : bool, optional
        Run the code that a site publishes for its own transforms, which may do anything that you
        may do. Without it, signals that need it are missing. That of a workspace is always run.

    Returns
    -------
    Testbed, ArchiveTestbed or RemoteTestbed
        The testbed; ``testbed[1234]`` is a shot.

    Raises
    ------
    WorkspaceError
        There is no workspace, or ``calib`` was given for a site without raw data.
    NoHistory, NoSuchRevision
        ``calibrations/`` is not in a repository, or that has no such tag or commit.
    RemoteError
        The site cannot be read.
    """
    if where is None and (named := os.environ.get(VARIABLE)) and _is_site(named):
        where = named
    if where is not None and _is_site(where):
        from ishtar.remote.remote_testbed import open_site  # heavy, and rarely used

        return open_site(where, calib, headers=headers, run_facility_code=run_facility_code)
    if isinstance(where, str) and "://" in where:
        raise WorkspaceError(
            f"{where} is an address: give the local folder of a workspace, or the address of a "
            "published site, https://…"
        )
    found = Testbed(Workspace.find() if where is None else Workspace.at(Path(where)), calib)
    if calib is not None:
        found.declarations  # noqa: B018  raises an error for an unknown tag now, not later
    return found


def _is_site(where: str | Path) -> bool:
    if isinstance(where, str) and where.startswith(("http://", "https://")):
        return True
    if (Path(where) / MARKER).is_file():
        return False
    from ishtar.remote.fetch import INDEX

    return (Path(where) / INDEX).is_file()
