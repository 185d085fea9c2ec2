"""Ingest one file: it ends stored, known, waiting, pending or in quarantine, never half stored.

A separate process reads the content (:mod:`runner.ingest.ingest_processes`). A file leaves an
incoming folder only after the stored copy has been read back and compared. Files elsewhere,
including those behind a link in an incoming folder, are never moved or removed.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePath
from typing import Any

from ishtar.errors import DamagedFile, IshtarError, WorkspaceError
from ishtar.plain_files import is_utf8, readable
from ishtar.store import SourceFile
from runner.ingest.conversion import Identity, Request, Verdict, convert
from runner.ingest.ingest_errors import IngestStopped, SourceMissing, ingest_stopped
from runner.ingest.ingest_outcome import Outcome
from runner.ingest.ingest_processes import ConversionDied, convert_apart
from runner.ingest.layout import DataFolders, Layout
from runner.ingest.raw_files.quarantine import archive_stored, move_to_folder, quarantine
from runner.ingest.raw_files.settling import is_inside
from runner.ingest.raw_files.source_hash import sha256_of
from runner.ingest.settings import IngestSettings

ORIGINALS = "originals"  # in data/: sources that could not be stored completely as they are
Progress = Callable[[int, int], None]
"""Called with the bytes read so far and the total."""


def ingest_file(
    path: Path,
    *,
    layout: DataFolders,
    settings: IngestSettings,
    shot: int | None = None,
    salvage: bool = False,
    incoming: bool = False,
    roots: Iterable[Path] = (),
    progress: Progress | None = None,
    unchanged_for_s: float | None = None,
    isolated: bool = True,
    cancelled: threading.Event | None = None,
) -> Outcome:
    """Store a file for its shot, or return why not.

    Parameters
    ----------
    path : Path
        The file that arrived.
    layout : DataFolders
        The folders of the workspace.
    settings : IngestSettings
        Section ``[ingest]`` of ``ishtar.toml``.
    shot : int, optional
        Overrides the number in the file's name.
    salvage : bool
        Store the complete part of a truncated recording, and mark it as salvaged.
    incoming : bool
        The file is in the incoming folder: it is removed once it is stored and verified (or moved
        to quarantine), and may still be growing. A file behind a link there stays.
    roots : paths
        Further folders where files arrive; names are relative to them.
    progress : callable, optional
        See `Progress`.
    unchanged_for_s : float, optional
        How long the file has not changed (from `Settling`). A caller who passes it will retry, so
        an incomplete file waits, on a watched share too. By default the file's time stamp decides,
        and only files in incoming folders wait.
    isolated : bool
        Convert in a separate process, so that a bad file cannot harm this one.
    cancelled : Event, optional
        Setting it ends the conversion with `IngestStopped`.

    Raises
    ------
    IngestStopped
        Disk full, no permission, network gone; nothing was lost.
    SourceMissing
        The file does not exist.
    """
    started = time.monotonic()
    path = Path(path)
    job = _Job(
        path=path,
        layout=layout,
        settings=settings,
        shot=shot,
        salvage=salvage,
        incoming=incoming,
        roots=tuple(roots),
        progress=progress,
        unchanged_for_s=unchanged_for_s,
        isolated=isolated,
        cancelled=cancelled,
    )
    try:
        outcome = job.run()
    except SourceMissing:
        raise
    except FileNotFoundError as error:
        if error.filename not in (path, str(path)):
            raise ingest_stopped(str(path), error) from error
        outcome = job.vanished()
    except DamagedFile as error:
        raise IngestStopped(str(error), source=str(path)) from error
    except OSError as error:
        if isinstance(error, IshtarError):
            raise
        raise ingest_stopped(str(path), error) from error
    return replace(outcome, bytes=job.size, seconds=time.monotonic() - started)


@dataclass(kw_only=True)
class _Job:
    """The ingest of one file."""

    path: Path
    layout: DataFolders
    settings: IngestSettings
    shot: int | None
    salvage: bool
    incoming: bool
    roots: tuple[Path, ...]
    progress: Progress | None
    unchanged_for_s: float | None
    isolated: bool
    cancelled: threading.Event | None
    size: int = 0

    def run(self) -> Outcome:
        if self.path.is_dir():
            raise SourceMissing(f"{self.path} is a folder: name the files in it instead")
        if self.path.exists() and not self.path.is_file():
            raise SourceMissing(f"{self.path} is not a regular file: leave it out")
        self.identity = Identity.of(self.path)
        self.size = self.identity.size
        verdict = self._convert() if is_utf8(str(self._name())) else _not_utf8(self._name())
        if verdict.status == "stopped":
            raise IngestStopped(verdict.reason, source=str(self.path), code=verdict.errno)
        if verdict.status == "settings":
            raise WorkspaceError(verdict.reason)
        if verdict.status == "gone":
            return self.vanished()
        waits = verdict.status == "not whole" and self._may_wait
        if waits and self._age_s() < self.settings.truncated_wait_s:
            return self._outcome("waiting", reason=verdict.reason)
        if verdict.status in ("rejected", "not whole"):
            return self._quarantine(verdict)
        if verdict.verified and not self._remove_source(verdict):
            return self._outcome("waiting", reason="it changed while it was read")
        if self.path.parent.resolve() == self.layout.quarantine.resolve():
            archive_stored(self.path)
        return self._outcome(
            verdict.status, shots=verdict.shots, stored=verdict.stored, reason=verdict.reason
        )

    def vanished(self) -> Outcome:
        """Return the outcome of a file that no longer exists."""
        if not self.incoming:
            raise SourceMissing(f"{self.path} does not exist: check its name")
        return self._outcome("waiting", reason="it disappeared")

    def _convert(self) -> Verdict:
        request = Request(
            path=self.path,
            name=self._name(),
            identity=self.identity,
            layout=Layout.like(self.layout),
            settings=self.settings,
            shot=self.shot,
            salvage=self.salvage,
            may_wait=self._may_wait,
        )

        def report(done: int) -> None:
            if self.progress is not None:
                self.progress(done, self.size)

        if not self.isolated:
            return convert(request, _LocalListener(report))
        try:
            return convert_apart(request, report, self.cancelled)
        except ConversionDied as death:
            return Verdict(status="rejected", reason=str(death))

    def _name(self) -> PurePath:
        for folder in (self.layout.incoming, *self.roots):
            if folder in self.path.parents:
                return self.path.relative_to(folder)
        return self.path.absolute()

    @property
    def _may_wait(self) -> bool:
        """Whether the file will be offered again: it is where files arrive."""
        return self.incoming or self.unchanged_for_s is not None

    def _age_s(self) -> float:
        if self.unchanged_for_s is not None:
            return self.unchanged_for_s
        return time.time() - self.identity.mtime_ns / 1e9

    @property
    def _may_remove(self) -> bool:
        """Whether the source may be removed: it arrived here, and is not behind a link."""
        return self.incoming and is_inside(self.path, self.layout.incoming)

    def _remove_source(self, verdict: Verdict) -> bool:
        """Remove the source where allowed; return False if it is not what was stored.

        A source that was stored incompletely or changed moves to ``data/originals`` instead.
        """
        if not self._may_remove or self.settings.keep_incoming:
            return True
        if Identity.of(self.path) != self.identity or not self._is_stored(verdict):
            return False
        if verdict.noted and verdict.target is not None:
            folder = self.layout.shots.parent / ORIGINALS / verdict.target.parent.name
            kept = folder / self.path.name
            if not kept.is_file() or sha256_of(kept) != verdict.sha256:
                move_to_folder(self.path, folder)
                return True
        os.unlink(self.path)
        return True

    def _is_stored(self, verdict: Verdict) -> bool:
        """Return whether the stored file exists and names this source as its origin."""
        if verdict.target is None:  # a day log is kept as it arrived, and was compared
            return True
        origin = SourceFile(verdict.target).origin
        return (origin.size, origin.sha256) == (self.size, verdict.sha256)

    def _quarantine(self, verdict: Verdict) -> Outcome:
        place = quarantine(
            self.path,
            self.layout.quarantine,
            verdict.reason,
            move=self._may_remove,
            sha256=verdict.sha256,
        )
        return self._outcome("quarantined", reason=verdict.reason, quarantined=place)

    def _outcome(self, status: Any, **facts: Any) -> Outcome:
        return Outcome(status=status, source=self.path, **facts)


def _not_utf8(name: PurePath) -> Verdict:
    """Refuse a name that neither the catalogue nor a page can show."""
    return Verdict(
        status="rejected",
        reason=f"its name or folder, {readable(str(name))!r}, is not in UTF-8: rename it",
    )


class _LocalListener:
    """Listens to a conversion in this process."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self.progress = report

    def writes(self, path: Path) -> None:
        """Do nothing: a conversion in this process removes its own temporary files."""
