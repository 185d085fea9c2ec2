"""A file arrives: it is stored, known, waiting, pending or in quarantine; never half of anything.

What it holds is looked at in a process of its own (:mod:`runner.ingest.processes`). Nothing is
taken out of an incoming folder before what was made of it has been read back and compared; files
elsewhere, also those behind a link in an incoming folder, are never moved or removed.
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
from runner.ingest.ingest_errors import IngestStopped, SourceMissing, stopped
from runner.ingest.ingest_outcome import Outcome
from runner.ingest.layout import DataFolders, Layout
from runner.ingest.processes import ConversionDied, convert_apart
from runner.ingest.raw_files.quarantine import put_aside, quarantine, taken
from runner.ingest.raw_files.settling import lies_in
from runner.ingest.raw_files.source_hash import sha256_of
from runner.ingest.settings import IngestSettings

ORIGINALS = "originals"  # in data/: sources of which something could not be stored as it is
Progress = Callable[[int, int], None]
"""Called with bytes read so far and bytes in total."""


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
    apart: bool = True,
    cancelled: threading.Event | None = None,
) -> Outcome:
    """Store a file for its shot, or say why not.

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
        Take the whole part of a recording that was cut, marked as such.
    incoming : bool
        The file lies in the incoming folder: it is taken away once it is stored and verified (or
        moved to quarantine), and may still be growing. Behind a link there it stays.
    roots : paths
        Further folders where files arrive; names are told from there.
    progress : callable, optional
        See `Progress`.
    unchanged_for_s : float, optional
        For how long the file has not changed (`Settling` knows). Who gives it will come again,
        so that a file that is not whole waits, on a watched share too. By default the file's
        time stamp says it, and only files in incoming folders wait.
    apart : bool
        Convert it in a process of its own, so that nothing that it does harms this one.
    cancelled : Event, optional
        When it is set the conversion ends with `IngestStopped`.

    Raises
    ------
    IngestStopped
        Disk full, no permission, network gone; nothing was lost.
    SourceMissing
        There is no such file.
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
        apart=apart,
        cancelled=cancelled,
    )
    try:
        outcome = job.run()
    except SourceMissing:
        raise
    except FileNotFoundError as error:
        if error.filename not in (path, str(path)):
            raise stopped(str(path), error) from error
        outcome = job.gone()
    except DamagedFile as error:
        raise IngestStopped(str(error), source=str(path)) from error
    except OSError as error:
        if isinstance(error, IshtarError):
            raise
        raise stopped(str(path), error) from error
    return replace(outcome, bytes=job.size, seconds=time.monotonic() - started)


@dataclass(kw_only=True)
class _Job:
    """One file on its way."""

    path: Path
    layout: DataFolders
    settings: IngestSettings
    shot: int | None
    salvage: bool
    incoming: bool
    roots: tuple[Path, ...]
    progress: Progress | None
    unchanged_for_s: float | None
    apart: bool
    cancelled: threading.Event | None
    size: int = 0

    def run(self) -> Outcome:
        if self.path.is_dir():
            raise SourceMissing(f"{self.path} is a folder: name the files in it")
        if self.path.exists() and not self.path.is_file():
            raise SourceMissing(f"{self.path} is no ordinary file: leave it out")
        self.identity = Identity.of(self.path)
        self.size = self.identity.size
        verdict = self._convert() if is_utf8(str(self._name())) else _unwritable(self._name())
        if verdict.status == "stopped":
            raise IngestStopped(verdict.reason, source=str(self.path), code=verdict.errno)
        if verdict.status == "settings":
            raise WorkspaceError(verdict.reason)
        if verdict.status == "gone":
            return self.gone()
        waits = verdict.status == "not whole" and self._may_wait
        if waits and self._age_s() < self.settings.truncated_wait_s:
            return self._outcome("waiting", reason=verdict.reason)
        if verdict.status in ("rejected", "not whole"):
            return self._quarantine(verdict)
        if verdict.verified and not self._take_away(verdict):
            return self._outcome("waiting", reason="it changed while it was read")
        if self.path.parent.resolve() == self.layout.quarantine.resolve():
            taken(self.path)
        return self._outcome(
            verdict.status, shots=verdict.shots, stored=verdict.stored, reason=verdict.reason
        )

    def gone(self) -> Outcome:
        """Return what a file that is not there any more means."""
        if not self.incoming:
            raise SourceMissing(f"there is no file {self.path}: check its name")
        return self._outcome("waiting", reason="it went away")

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

        if not self.apart:
            return convert(request, _Here(report))
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
        """Whether somebody will come back to the file: it lies where files arrive."""
        return self.incoming or self.unchanged_for_s is not None

    def _age_s(self) -> float:
        if self.unchanged_for_s is not None:
            return self.unchanged_for_s
        return time.time() - self.identity.mtime_ns / 1e9

    @property
    def _ours(self) -> bool:
        """Whether the file may be taken away: it came to us, and is not behind a link."""
        return self.incoming and lies_in(self.path, self.layout.incoming)

    def _take_away(self, verdict: Verdict) -> bool:
        """Remove the source, if it is ours; say no where it is not what was stored.

        One of which something was left out, or stored otherwise than it stands there, is kept.
        """
        if not self._ours or self.settings.keep_incoming:
            return True
        if Identity.of(self.path) != self.identity or not self._kept(verdict):
            return False
        if verdict.noted and verdict.target is not None:
            folder = self.layout.shots.parent / ORIGINALS / verdict.target.parent.name
            kept = folder / self.path.name
            if not kept.is_file() or sha256_of(kept) != verdict.sha256:
                put_aside(self.path, folder)
                return True
        os.unlink(self.path)
        return True

    def _kept(self, verdict: Verdict) -> bool:
        """Say whether the stored file is there and says that it was made of this source."""
        if verdict.target is None:  # a log of a day is kept as it came, and was compared
            return True
        origin = SourceFile(verdict.target).origin
        return (origin.size, origin.sha256) == (self.size, verdict.sha256)

    def _quarantine(self, verdict: Verdict) -> Outcome:
        place = quarantine(
            self.path,
            self.layout.quarantine,
            verdict.reason,
            move=self._ours,
            sha256=verdict.sha256,
        )
        return self._outcome("quarantined", reason=verdict.reason, quarantined=place)

    def _outcome(self, status: Any, **facts: Any) -> Outcome:
        return Outcome(status=status, source=self.path, **facts)


def _unwritable(name: PurePath) -> Verdict:
    """Refuse what neither a catalogue nor a page could name."""
    return Verdict(
        status="rejected",
        reason=f"its name or folder, {readable(str(name))!r}, is not in UTF-8: rename it",
    )


class _Here:
    """Listens to a conversion in this process, which leaves nothing behind that anyone could."""

    def __init__(self, report: Callable[[int], None]) -> None:
        self.progress = report

    def writes(self, path: Path) -> None:
        """Nothing is to be done: what is written here is removed here."""
