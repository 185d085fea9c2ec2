"""The folder that a report is made in: what is the notebook's own, and what nobody may plant there.

::

    .tmp-1f2e…/            becomes the report's folder when it is whole
        inputs.jsonl       what was read and what ran, appended while the notebook runs
        work/              where the notebook works; it goes

A notebook knows where it runs. Whatever it leaves beside its own folder, a link above all, must
not lead the worker, which has more rights, to another place.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ishtar.lineage.record import Input, read_records
from runner.kernel.warm.folders import remove

INPUTS = "inputs.jsonl"


class FolderMeddledWith(Exception):
    """A notebook has put something else in the place of the folder that its report is made in."""


class WorkingFolder:
    """A temporary folder below ``reports/``.

    Parameters
    ----------
    reports : Path
    prefix : str
        Of its name.
    """

    def __init__(self, reports: Path, prefix: str) -> None:
        self.path = reports / f"{prefix}{secrets.token_hex(8)}"
        self.work = self.path / "work"
        self.record = self.path / INPUTS
        self.work.mkdir(parents=True)
        self.record.touch()
        self._identity = self._is_now(self.path)
        self._record = self._is_now(self.record)

    @staticmethod
    def _is_now(path: Path) -> tuple[int, int]:
        stat = os.lstat(path)
        return stat.st_dev, stat.st_ino

    def settle(self) -> str:
        """Take away what is not its own, when the notebook has run.

        Returns
        -------
        str
            What the notebook has done to the folder that a report must not; empty where nothing.

        Raises
        ------
        FolderMeddledWith
            The folder is another one, or a link: nothing must be written there.
        """
        try:
            same = self._is_now(self.path) == self._identity
        except FileNotFoundError:
            self.path.mkdir()  # gone with all that is in it
            return "the report removed the folder that it works in"
        if not same:
            raise FolderMeddledWith(f"{self.path} is not the folder that it was")
        for found in self.path.iterdir():
            if found not in (self.work, self.record):
                remove(found)
        if not os.path.lexists(self.work) or self.work.is_symlink() or not self.work.is_dir():
            return "the report removed the folder that it works in"
        if not os.path.lexists(self.record) or self._is_now(self.record) != self._record:
            remove(self.record)
            return "the report removed the record of what it read"
        return ""

    def take_records(self) -> tuple[Input, ...]:
        """Return what the library has recorded while the notebook ran; its file goes."""
        records = read_records(self.record)
        self.record.unlink(missing_ok=True)
        return records

    def remove(self) -> None:
        """Remove it with all that is in it, whatever it is now."""
        remove(self.path)
