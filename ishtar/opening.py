"""Open a testbed: a workspace or a published site."""

from __future__ import annotations

from pathlib import Path

from ishtar.errors import WorkspaceError
from ishtar.shots.any_testbed import AnyTestbed
from ishtar.shots.testbed import Testbed
from ishtar.signals.protocols import AnyShot
from ishtar.workspace import MARKER, Workspace


def open_testbed(
    where: str | Path | None = None, *, calib: str | None = None
) -> AnyTestbed[AnyShot]:
    """Open a workspace, or a published site.

    Parameters
    ----------
    where : path, optional
        Folder of the workspace; by default the one around the current folder, or
        ``ISHTAR_WORKSPACE``. With the address of a published site, ``https://host/path``, or its
        folder, ``site/public``, its data are read only: see `ishtar.remote`.
    calib : str, optional
        A tag or commit of the repository that holds ``calibrations/``: signals, wiring,
        calibrations and machine as of that revision. By default the current ones.

    Returns
    -------
    Testbed or RemoteTestbed
        The testbed; ``testbed[1234]`` is a shot.

    Raises
    ------
    WorkspaceError
        There is no workspace, or ``calib`` was given for a published site.
    NoHistory, NoSuchRevision
        ``calibrations/`` is not in a repository, or that has no such tag or commit.
    """
    if where is not None and _is_site(where):
        if calib is not None:
            raise WorkspaceError(
                f"{where} is a published site, which has only the calibrations it was made with: "
                "open its workspace for others"
            )
        from ishtar.remote.remote_testbed import RemoteTestbed  # heavy, and rarely used

        return RemoteTestbed(where)
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
