"""The data folders of a workspace that ingest reads and writes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol


class DataFolders(Protocol):
    """The folders of a workspace that ingest needs."""

    @property
    def incoming(self) -> Path:
        """Where files arrive."""

    @property
    def quarantine(self) -> Path:
        """The unusable files, each with its reason."""

    @property
    def shots(self) -> Path:
        """One folder ``NNNNN`` for each shot."""

    @property
    def days(self) -> Path:
        """One folder ``YYYY-MM-DD`` for each day: its logs, and the times of its shots."""


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The `DataFolders` of a workspace."""

    incoming: Path
    quarantine: Path
    shots: Path
    days: Path

    @classmethod
    def of(cls, root: Path) -> Layout:
        """Return the folders below the root of a workspace."""
        data = Path(root) / "data"
        return cls(
            incoming=data / "incoming",
            quarantine=data / "quarantine",
            shots=data / "shots",
            days=data / "days",
        )

    @classmethod
    def like(cls, folders: DataFolders) -> Layout:
        """Return a copy of any `DataFolders` as plain data."""
        return cls(
            incoming=folders.incoming,
            quarantine=folders.quarantine,
            shots=folders.shots,
            days=folders.days,
        )


def shot_folder(layout: DataFolders, shot: int) -> Path:
    """Return the folder of a shot: ``data/shots/01234``."""
    return layout.shots / f"{shot:05d}"


def workspace_root(layout: DataFolders) -> Path:
    """Return the root of the workspace, where ``ishtar.toml`` is."""
    return layout.shots.parent.parent
