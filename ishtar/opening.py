"""Opening a testbed: a workspace, or a published site; above near and far."""

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
        Its folder; without it, the one that this folder lies in, or ``ISHTAR_WORKSPACE``. The
        address of a published site, ``https://host/path``, or its folder, ``site/public``, gives
        what its pages show, read only: see `ishtar.remote`.
    calib : str, optional
        A tag or commit of the repository that holds ``calibrations/``: signals, wiring,
        calibrations and machine as they were known then. Without it, as they are now.

    Raises
    ------
    NoHistory, NoSuchRevision
        ``calibrations/`` is in no repository, or it has no such tag or commit.
    """
    if where is not None and _is_site(where):
        if calib is not None:
            raise WorkspaceError(
                f"{where} is a published site, with the calibrations that it was made with: open "
                "its workspace for others"
            )
        from ishtar.remote.testbed import RemoteTestbed  # which needs more than most do

        return RemoteTestbed(where)
    if isinstance(where, str) and "://" in where:
        raise WorkspaceError(
            f"{where} is an address: give the folder of a workspace on a disk here, or that of a "
            "published site, https://…"
        )
    found = Testbed(Workspace.find() if where is None else Workspace.at(Path(where)), calib)
    if calib is not None:
        found.declarations  # noqa: B018  a wrong tag is told at once
    return found


def _is_site(where: str | Path) -> bool:
    if isinstance(where, str) and where.startswith(("http://", "https://")):
        return True
    if (Path(where) / MARKER).is_file():
        return False
    from ishtar.remote.fetch import INDEX

    return (Path(where) / INDEX).is_file()
