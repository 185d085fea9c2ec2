"""A workspace: a folder with an ``ishtar.toml``, and its layout."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ishtar.errors import WorkspaceError
from ishtar.plain_files import read_plain

MARKER = "ishtar.toml"
VARIABLE = "ISHTAR_WORKSPACE"


@dataclass(frozen=True)
class Workspace:
    """The folders of a workspace, and its settings from ``ishtar.toml``."""

    root: Path
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def at(cls, root: Path) -> Workspace:
        """Open the workspace in a folder.

        Parameters
        ----------
        root : Path
            The folder with ``ishtar.toml``.

        Raises
        ------
        WorkspaceError
            There is no ``ishtar.toml``, or it cannot be read.
        """
        marker = Path(root) / MARKER
        try:
            settings = tomllib.loads(read_plain(marker).decode())
        except (FileNotFoundError, NotADirectoryError):
            raise WorkspaceError(
                f"{root} has no {MARKER}: create a workspace with `ishtar init {root}`"
            ) from None
        except OSError as error:
            raise WorkspaceError(f"{marker} cannot be read ({error.strerror}): fix it") from error
        except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, too long or too deep
            raise WorkspaceError(f"{marker}: {error}: correct it") from error
        return cls(Path(root).resolve(), settings)

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """Find a workspace in a folder or above it.

        Parameters
        ----------
        start : Path, optional
            The folder; the default is ``ISHTAR_WORKSPACE`` if set, else the current folder.

        Raises
        ------
        WorkspaceError
            There is no workspace, or its ``ishtar.toml`` cannot be read.
        """
        if start is None and (named := os.environ.get(VARIABLE)):
            if "://" in named:
                raise WorkspaceError(
                    f"{VARIABLE} is the address of a site, which the library and notebooks read; "
                    "commands need the folder of a workspace: set it to that"
                )
            try:
                return cls.at(Path(named))
            except WorkspaceError as error:
                raise WorkspaceError(f"{VARIABLE}: {error}") from error
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / MARKER).is_file():
                return cls.at(folder)
        raise WorkspaceError(
            f"no {MARKER} in {here} or above it: change to a workspace, set {VARIABLE}, "
            "or create one with `ishtar init DIR` or `ishtar demo DIR`"
        )

    @property
    def incoming(self) -> Path:
        """Folder in which raw files arrive."""
        return self.root / "data" / "incoming"

    @property
    def quarantine(self) -> Path:
        """Files that cannot be ingested."""
        return self.root / "data" / "quarantine"

    @property
    def shots(self) -> Path:
        """Stored shots, one folder for each."""
        return self.root / "data" / "shots"

    @property
    def days(self) -> Path:
        """Sources of whole days, one folder for each."""
        return self.root / "data" / "days"

    @property
    def catalogue(self) -> Path:
        """The catalogue's SQLite file, which can always be rebuilt."""
        return self.root / "data" / "catalogue.sqlite"

    @property
    def templates(self) -> Path:
        """Template notebooks."""
        return self.root / "templates_nb"

    @property
    def calibrations(self) -> Path:
        """Signals, wiring, devices, machine."""
        return self.root / "calibrations"

    @property
    def reports(self) -> Path:
        """Executed notebooks and receipts."""
        return self.root / "reports"

    @property
    def site(self) -> Path:
        """The built site."""
        return self.root / "site" / "public"

    @property
    def theme(self) -> Path:
        """Page templates of this workspace, which override the packaged ones."""
        return self.root / "site" / "theme"

    @property
    def facility(self) -> str:
        """Name of the facility; empty if the settings do not state it."""
        name = self.section("facility").get("name", "")
        return name if isinstance(name, str) else ""

    def shot_folder(self, shot: int) -> Path:
        """Return the folder of one shot's stored files."""
        return self.shots / f"{shot:05d}"

    def section(self, name: str) -> Mapping[str, Any]:
        """Return one table of the settings, empty if it is missing."""
        table = self.settings.get(name, {})
        if not isinstance(table, Mapping):
            raise WorkspaceError(f"{self.root / MARKER}: [{name}] must be a table: correct it")
        return table
