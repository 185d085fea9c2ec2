"""A file arrives: it is stored, known, waiting, pending or in quarantine; never half of anything.

Nothing is taken out of an incoming folder before what was made of it has been read back and
compared; files elsewhere are never moved or removed.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

from ishtar.errors import DamagedFile, IshtarError
from ishtar.store import Origin, SourceFile, SourceWriter, problems
from runner.ingest.context import Context
from runner.ingest.days import follow_shot, ingest_day_log
from runner.ingest.errors import IngestStopped, NotWhole, Rejected, SourceMissing, stopped
from runner.ingest.incoming import open_for_writing
from runner.ingest.layout import DataFolders, shot_folder, workspace_root
from runner.ingest.outcome import Outcome
from runner.ingest.quarantine import quarantine
from runner.ingest.registry import HEAD_BYTES, Converter, converters
from runner.ingest.settings import IngestSettings
from runner.ingest.shot_number import checked_shot, shot_in
from runner.ingest.source_hash import FollowingHash, sha256_of

log = logging.getLogger(__name__)

Progress = Callable[[int, int], None]
"""Called with bytes read so far and bytes in total."""

SPACE_TO_SPARE = 64 << 20  # bytes; the catalogue and the reports want some, too


class _Changed(Exception):
    """The source changed while it was read."""


class _Identity(NamedTuple):
    """What tells that a file is still the same, without reading it."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> _Identity:
        stat = path.stat()
        return cls(stat.st_ino, stat.st_size, stat.st_mtime_ns)


def ingest_file(
    path: Path,
    *,
    layout: DataFolders,
    settings: IngestSettings,
    shot: int | None = None,
    incoming: bool = False,
    progress: Progress | None = None,
    unchanged_for_s: float | None = None,
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
    incoming : bool
        The file lies in an incoming folder: it is taken away once it is stored and verified (or
        moved to quarantine), and may still be growing.
    progress : callable, optional
        See `Progress`.
    unchanged_for_s : float, optional
        For how long the file has not changed (`Settling` knows). Who gives it will come again,
        so that a file that is not whole waits, on a watched share too. By default the file's
        time stamp says it, and only files in incoming folders wait.

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
        incoming=incoming,
        progress=progress,
        unchanged_for_s=unchanged_for_s,
    )
    try:
        outcome = job.run()
    except SourceMissing:
        raise
    except FileNotFoundError as error:
        if error.filename not in (path, str(path)):
            raise stopped(str(path), error) from error
        if not incoming:
            raise SourceMissing(f"there is no file {path}: check its name") from error
        outcome = Outcome(status="waiting", source=path, reason="it went away")
    except DamagedFile as error:
        raise IngestStopped(str(error), source=str(path)) from error
    except OSError as error:
        if isinstance(error, IshtarError):
            raise
        raise stopped(str(path), error) from error
    return replace(outcome, bytes=job.size, seconds=time.monotonic() - started)


def _check_date(date: Any, converter: Converter) -> None:
    if date is None:
        return
    try:
        good = dt.datetime.fromisoformat(date).tzinfo is None
    except (TypeError, ValueError):
        good = False
    if not good:
        raise Rejected(
            f"converter {converter.name} gives the date {date!r}: it must be ISO text in local "
            "time, without a zone"
        )


@dataclass(kw_only=True)
class _Job:
    """One file on its way."""

    path: Path
    layout: DataFolders
    settings: IngestSettings
    shot: int | None
    incoming: bool
    progress: Progress | None
    unchanged_for_s: float | None
    size: int = 0
    sha256: str | None = None

    def run(self) -> Outcome:
        if self.path.is_dir():
            raise SourceMissing(f"{self.path} is a folder: name the files in it")
        self.identity = _Identity.of(self.path)
        self.size = self.identity.size
        try:
            return self._store()
        except _Changed:
            return self._outcome("waiting", reason="it changed while it was read")
        except NotWhole as error:
            if self._may_wait and self._age_s() < self.settings.truncated_wait_s:
                return self._outcome("waiting", reason=str(error))
            return self._quarantine(str(error))
        except Rejected as error:
            return self._quarantine(str(error))

    @property
    def _may_wait(self) -> bool:
        """Whether somebody will come back to the file: it lies where files arrive."""
        return self.incoming or self.unchanged_for_s is not None

    def _age_s(self) -> float:
        if self.unchanged_for_s is not None:
            return self.unchanged_for_s
        return time.time() - self.identity.mtime_ns / 1e9

    def _store(self) -> Outcome:
        if self.size == 0:
            raise NotWhole("it has zero bytes")
        converter = self._converter()
        if self._may_wait and open_for_writing(self.path):
            raise NotWhole("a program still has it open for writing")
        if getattr(converter, "scope", "shot") == "day":
            return self._day_log(converter)
        number = self.shot
        number = (
            shot_in(self.path.name, self.settings)
            if number is None
            else checked_shot(number, self.settings)
        )
        target = shot_folder(self.layout, number) / f"{self.path.name}.h5"
        if target.exists() and (outcome := self._compare(number, target)) is not None:
            return outcome
        self._want_space(target)
        try:
            notes = self._convert(converter, number, target)
        except FileExistsError:  # another process was faster
            outcome = self._compare(number, target)
            return outcome or self._outcome("waiting", reason="another process stores it")
        except BaseException:
            with contextlib.suppress(OSError):  # no folder of a shot without files
                target.parent.rmdir()
            raise
        return self._done("stored", number, target, [target], notes)

    def _done(
        self, status: Any, shot: int, target: Path, stored: list[Path], notes: list[str]
    ) -> Outcome:
        """Tell the day's logs of a stored file, then let go of the source."""
        # in this order: killed between the two, the file comes again and is known
        followed = follow_shot(self.layout, self.settings, shot, target)
        self._take_away()
        return self._outcome(
            status,
            shots=sorted({shot, *followed.shots}),
            stored=[*stored, *followed.stored],
            reason="; ".join([*notes, *followed.notes]),
        )

    def _converter(self) -> Converter:
        with self.path.open("rb") as f:
            head = f.read(HEAD_BYTES)
        folder = workspace_root(self.layout)
        for converter in converters(self.settings.converters, folder):
            if converter.matches(self.path, head):
                return converter
        if not head.strip(b"\0"):
            raise NotWhole("it begins with nothing but zeros")
        raise Rejected(
            "its format is not known: add a converter for it ([ingest] converters in ishtar.toml)"
        )

    def _compare(self, shot: int, target: Path) -> Outcome | None:
        """Return what the stored file of this name means for this one; None: store it."""
        try:
            stored = SourceFile(target).origin
        except DamagedFile as error:
            self._replace_damaged(target, str(error))
            return None
        self.sha256 = self.sha256 or sha256_of(self.path)
        if stored.size != self.size or stored.sha256 != self.sha256:
            raise Rejected(
                f"shot {shot} has another {self.path.name} already, stored {stored.arrived}; the "
                "first stays: give this one another name if it is wanted too"
            )
        if found := list(problems(target)):
            self._replace_damaged(target, found[0])
            return None
        return self._done("known", shot, target, [], ["stored before"])

    def _replace_damaged(self, target: Path, reason: str) -> None:
        """Make room for a file that is stored again, because the stored one is damaged."""
        log.warning("%s is damaged and stored again: %s", target, reason)
        quarantine(target, self.layout.quarantine, f"damaged: {reason}", move=True)

    def _want_space(self, target: Path) -> None:
        self.layout.shots.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.layout.shots).free
        if free < self.size + SPACE_TO_SPARE:
            raise IngestStopped(
                f"ingest of {self.path.name} stopped: {free >> 20} MB free on {target.parent}, "
                f"{(self.size + SPACE_TO_SPARE) >> 20} MB wanted; nothing was lost: free some "
                "space, then start again",
                source=str(self.path),
            )

    def _convert(self, converter: Converter, shot: int, target: Path) -> list[str]:
        origin = Origin(
            shot=shot,
            source=self.path.name,
            size=self.size,
            sha256="",
            converter=f"{converter.name} {converter.version}",
            writer="",
            arrived=dt.datetime.now().astimezone().isoformat(timespec="seconds"),
        )
        with (
            FollowingHash(self.path) as source_hash,
            SourceWriter(target, origin, exclusive=True) as writer,
        ):

            def report(done: int) -> None:
                source_hash.advance(done)
                if self.progress is not None:
                    self.progress(min(done, self.size), self.size)

            context = Context(shot=shot, settings=self.settings, writer=writer, report=report)
            self._call(converter, context)
            _check_date(writer.attributes.get("date"), converter)
            self.sha256 = writer.origin_sha256 = source_hash.hexdigest()
            if _Identity.of(self.path) != self.identity:
                raise _Changed
            if context.notes:
                writer.properties["notes"] = context.notes
        if self.progress is not None:
            self.progress(self.size, self.size)
        return context.notes

    def _call(self, converter: Any, context: Context) -> None:
        """Run a converter: whatever it raises but errors of disk and network is a reason."""
        try:
            converter.convert(self.path, context)
        except (Rejected, OSError):
            raise
        except Exception as error:
            if _Identity.of(self.path) != self.identity:
                raise _Changed from error
            log.info("%s of %s", converter.name, self.path, exc_info=True)
            what = str(error) if isinstance(error, IshtarError) else repr(error)
            raise Rejected(f"converter {converter.name} cannot read it: {what}") from error

    def _day_log(self, converter: Any) -> Outcome:
        found = ingest_day_log(self.path, converter, self.layout, self.settings)
        if found.kept_sha256 is not None and _Identity.of(self.path) == self.identity:
            self._take_away()
        return self._outcome(
            found.status, shots=found.shots, stored=found.stored, reason="; ".join(found.notes)
        )

    def _take_away(self) -> None:
        """Remove the source from its incoming folder: what was made of it has been verified."""
        if not self.incoming or self.settings.keep_incoming:
            return
        if _Identity.of(self.path) != self.identity:
            raise _Changed
        os.unlink(self.path)

    def _quarantine(self, reason: str) -> Outcome:
        place = quarantine(
            self.path, self.layout.quarantine, reason, move=self.incoming, sha256=self.sha256
        )
        return self._outcome("quarantined", reason=reason, quarantined=place)

    def _outcome(self, status: Any, **facts: Any) -> Outcome:
        return Outcome(status=status, source=self.path, **facts)
