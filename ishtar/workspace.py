"""A workspace: a folder with an ``ishtar.toml``, and where things lie in it."""

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
    """The folders of a workspace and its settings as read from ``ishtar.toml``."""

    root: Path
    settings: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @classmethod
    def at(cls, root: Path) -> Workspace:
        """Open the workspace whose root is ``root``."""
        marker = Path(root) / MARKER
        try:
            settings = tomllib.loads(read_plain(marker).decode())
        except (FileNotFoundError, NotADirectoryError):
            raise WorkspaceError(
                f"{root} has no {MARKER}: make a workspace with `ishtar init {root}`"
            ) from None
        except OSError as error:
            raise WorkspaceError(f"{marker} cannot be read ({error.strerror}): mend it") from error
        except (ValueError, RecursionError) as error:  # no TOML, no UTF-8, absurdly long or deep
            raise WorkspaceError(f"{marker}: {error}: correct it") from error
        return cls(Path(root).resolve(), settings)

    @classmethod
    def find(cls, start: Path | None = None) -> Workspace:
        """Find the workspace: ``ISHTAR_WORKSPACE``, else upwards from ``start`` (here)."""
        if start is None and (named := os.environ.get(VARIABLE)):
            try:
                return cls.at(Path(named))
            except WorkspaceError as error:
                raise WorkspaceError(f"{VARIABLE}: {error}") from error
        here = (start or Path.cwd()).resolve()
        for folder in (here, *here.parents):
            if (folder / MARKER).is_file():
                return cls.at(folder)
        raise WorkspaceError(
            f"no {MARKER} in {here} or above it: go into a workspace, set {VARIABLE}, "
            "or make one with `ishtar init DIR` or `ishtar demo DIR`"
        )

    @property
    def incoming(self) -> Path:
        """Where raw files land."""
        return self.root / "data" / "incoming"

    @property
    def quarantine(self) -> Path:
        """Where files go that cannot be ingested."""
        return self.root / "data" / "quarantine"

    @property
    def shots(self) -> Path:
        """Stored shots, a folder each."""
        return self.root / "data" / "shots"

    @property
    def days(self) -> Path:
        """Whole-day sources, a folder each day."""
        return self.root / "data" / "days"

    @property
    def catalogue(self) -> Path:
        """The SQLite file that can always be rebuilt."""
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
        """Page templates of this workspace's own, over the packaged ones."""
        return self.root / "site" / "theme"

    def shot_folder(self, shot: int) -> Path:
        """Return the folder of one shot's stored files."""
        return self.shots / f"{shot:05d}"

    def section(self, name: str) -> Mapping[str, Any]:
        """Return one table of the settings, empty where it is not there."""
        table = self.settings.get(name, {})
        if not isinstance(table, Mapping):
            raise WorkspaceError(f"{self.root / MARKER}: [{name}] must be a table: correct it")
        return table
