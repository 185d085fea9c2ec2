"""The temporary folder of a report in progress, guarded against tampering by its notebook.

::

    .tmp-1f2e…/            becomes the report's folder when it is complete
        inputs.jsonl       what was read and what ran, appended while the notebook runs
        work/              the notebook's current folder, removed at the end

A notebook knows where it runs. Anything that it leaves outside its own folder, especially a link,
must not lead the worker, which has more rights, to another place.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ishtar.lineage.record import Input, read_records
from runner.kernel.warm.folders import remove

INPUTS = "inputs.jsonl"


class FolderTampered(Exception):
    """A notebook has replaced the folder of its report in progress."""


class WorkingFolder:
    """A temporary folder below ``reports/``.

    Parameters
    ----------
    reports : Path
    prefix : str
        Prefix of its name.
    """

    def __init__(self, reports: Path, prefix: str) -> None:
        self.path = reports / f"{prefix}{secrets.token_hex(8)}"
        self.work = self.path / "work"
        self.record = self.path / INPUTS
        self.work.mkdir(parents=True)
        self.record.touch()
        self._identity = self._identity_of(self.path)
        self._record = self._identity_of(self.record)

    @staticmethod
    def _identity_of(path: Path) -> tuple[int, int]:
        stat = os.lstat(path)
        return stat.st_dev, stat.st_ino

    def clean_up(self) -> str:
        """Remove foreign files after the notebook has run.

        Returns
        -------
        str
            How the notebook tampered with the folder; empty if it did not.

        Raises
        ------
        FolderTampered
            The folder was replaced by another one or a link: write nothing there.
        """
        try:
            same = self._identity_of(self.path) == self._identity
        except FileNotFoundError:
            self.path.mkdir()  # removed with everything in it
            return "the report removed its working folder"
        if not same:
            raise FolderTampered(f"the report replaced {self.path}")
        for found in self.path.iterdir():
            if found not in (self.work, self.record):
                remove(found)
        if not os.path.lexists(self.work) or self.work.is_symlink() or not self.work.is_dir():
            return "the report removed its working folder"
        if not os.path.lexists(self.record) or self._identity_of(self.record) != self._record:
            remove(self.record)
            return "the report removed the record of what it read"
        return ""

    def take_records(self) -> tuple[Input, ...]:
        """Return the records that the library wrote while the notebook ran; remove their file."""
        records = read_records(self.record)
        self.record.unlink(missing_ok=True)
        return records

    def remove(self) -> None:
        """Remove the folder with everything in it, whatever it is now."""
        remove(self.path)
