"""Convert one file: recognise, read, store and compare it, in a separate process.

This never moves or removes the source. Whatever the file holds, it returns a `Verdict` for
:mod:`runner.ingest.arrival` to act on.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import logging
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePath
from typing import Any, Literal, NamedTuple, Protocol

from ishtar.errors import DamagedFile, IshtarError, WorkspaceError
from ishtar.store import Origin, SourceFile, SourceWriter, problems
from runner.ingest.context import Context
from runner.ingest.days.day_logs import ingest_day_log, rematch_shot
from runner.ingest.ingest_errors import IngestStopped, NotWhole, Rejected, ingest_stopped
from runner.ingest.layout import Layout, shot_folder, workspace_root
from runner.ingest.limits import written_limit
from runner.ingest.parsing.shot_number import checked_shot, shot_in
from runner.ingest.raw_files.quarantine import quarantine
from runner.ingest.raw_files.settling import open_for_writing
from runner.ingest.raw_files.source_hash import FollowingHash, sha256_of, sha256_of_prefixes
from runner.ingest.registry import HEAD_BYTES, Converter, converters
from runner.ingest.settings import IngestSettings

log = logging.getLogger(__name__)

SPACE_TO_SPARE = 64 << 20  # bytes; the catalogue and the reports need some, too
VerdictStatus = Literal[
    "stored", "known", "pending", "waiting", "rejected", "not whole", "gone", "stopped", "settings"
]


class Identity(NamedTuple):
    """Detects a changed file without reading it."""

    inode: int
    size: int
    mtime_ns: int

    @classmethod
    def of(cls, path: Path) -> Identity:
        """Return the current identity of a file."""
        stat = path.stat()
        return cls(stat.st_ino, stat.st_size, stat.st_mtime_ns)


@dataclass(frozen=True, kw_only=True)
class Request:
    """A file to convert.

    Attributes
    ----------
    path : Path
        The file.
    name : PurePath
        Its path relative to the folder where it arrived.
    identity : Identity
        At the start; a different one later means that the file has changed.
    shot : int or None
        Overrides the number in its name.
    salvage : bool
        Store the complete part of a truncated recording.
    may_wait : bool
        The file will be offered again, so it may still be growing.
    """

    path: Path
    name: PurePath
    identity: Identity
    layout: Layout
    settings: IngestSettings
    shot: int | None = None
    salvage: bool = False
    may_wait: bool = False


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """The result of a conversion.

    Attributes
    ----------
    status : str
        As in `Outcome`; or why it was not stored: ``rejected``; ``not whole``: still incomplete;
        ``gone``; ``stopped``: disk, network or permissions; ``settings``: invalid ones.
    reason : str
        One line.
    target : Path or None
        The stored file; None for a day log.
    verified : bool
        The stored file has been read back and compared.
    noted : bool
        The converter left notes: some of the file may not have been stored.
    sha256 : str or None
        Of the source, if it was read.
    errno : int or None
        With ``stopped``.
    """

    status: VerdictStatus
    reason: str = ""
    shots: list[int] = field(default_factory=list)
    stored: list[Path] = field(default_factory=list)
    target: Path | None = None
    verified: bool = False
    noted: bool = False
    sha256: str | None = None
    errno: int | None = None


class Changed(Exception):
    """The source changed while it was read."""


class Listener(Protocol):
    """Receives the progress of a conversion."""

    def progress(self, done: int) -> None:
        """``done`` bytes of the source have been read."""

    def writes(self, path: Path) -> None:
        """``path`` is a temporary file being written, which stays behind if the process dies."""


def convert(request: Request, listener: Listener) -> Verdict:
    """Store a file, or return why not; the verdict covers every failure."""
    work = _Conversion(request, listener)
    try:
        return work.run()
    except Changed:
        return Verdict(status="waiting", reason="it changed while it was read")
    except NotWhole as error:
        verdict = Verdict(status="not whole", reason=str(error))
    except Rejected as error:
        verdict = Verdict(status="rejected", reason=str(error))
    except MemoryError:
        verdict = Verdict(
            status="rejected",
            reason=f"its conversion needs more than {request.settings.memory_mb} MB of memory: "
            "raise [ingest] memory_mb in ishtar.toml if the file is that large",
        )
    except FileNotFoundError as error:
        if str(error.filename) == str(request.path):
            return Verdict(status="gone", reason="it disappeared")
        verdict = _stopped(request, error)
    except WorkspaceError as error:
        verdict = Verdict(status="settings", reason=str(error))
    except DamagedFile as error:
        verdict = Verdict(status="stopped", reason=str(error))
    except IshtarError as error:
        code = error.errno if isinstance(error, IngestStopped) else None
        verdict = Verdict(status="stopped", reason=str(error), errno=code)
    except OSError as error:
        verdict = _stopped(request, error)
    return replace(verdict, sha256=work.sha256)


def _stopped(request: Request, error: OSError) -> Verdict:
    stop = ingest_stopped(str(request.path), error)
    if stop.errno == errno.EFBIG and (limit := written_limit()) is not None:
        return Verdict(
            status="rejected",
            reason=f"its {request.identity.size} bytes would expand to more than {limit >> 20} MB: "
            "it cannot hold what it claims",
        )
    return Verdict(status="stopped", reason=str(stop), errno=stop.errno)


class _Conversion:
    def __init__(self, request: Request, listener: Listener) -> None:
        self.request = request
        self.path, self.layout, self.settings = request.path, request.layout, request.settings
        self.size = request.identity.size
        self.sha256: str | None = None
        self._listener = listener

    def run(self) -> Verdict:
        if self.size == 0:
            raise NotWhole("it has zero bytes")
        converter = self._converter()
        if self.request.may_wait and open_for_writing(self.path):
            raise NotWhole("a program still has it open for writing")
        if getattr(converter, "scope", "shot") == "day":
            return self._day_log(converter)
        number = self.request.shot
        number = (
            shot_in(self.request.name, self.settings)
            if number is None
            else checked_shot(number, self.settings)
        )
        target = shot_folder(self.layout, number) / f"{self.path.name}.h5"
        if target.exists() and (verdict := self._compare(number, target)) is not None:
            return verdict
        self._check_space(target)
        try:
            notes = self._convert(converter, number, target)
        except FileExistsError:  # another process was faster
            waits = Verdict(status="waiting", reason="another process is storing it")
            return self._compare(number, target) or waits
        except BaseException:
            with contextlib.suppress(OSError):  # leave no empty folder of a shot
                target.parent.rmdir()
            raise
        return self._done("stored", number, target, [target], notes)

    def _done(
        self, status: VerdictStatus, shot: int, target: Path, stored: list[Path], notes: list[str]
    ) -> Verdict:
        """Match the day's logs to a stored file, and return the verdict."""
        # before the source is removed: after a kill in between, the file is offered again as known
        followed = rematch_shot(self.layout, self.settings, shot, target)
        return Verdict(
            status=status,
            shots=sorted({shot, *followed.shots}),
            stored=[*stored, *followed.stored],
            reason="; ".join([*notes, *followed.notes]),
            target=target,
            verified=True,
            noted=bool(SourceFile(target).properties.get("notes")),
            sha256=self.sha256,
        )

    def _converter(self) -> Converter:
        with self.path.open("rb") as f:
            head = f.read(HEAD_BYTES)
        folder = workspace_root(self.layout)
        for converter in converters(self.settings.converters, folder):
            if self._matches(converter, head):
                return converter
        if not head.strip(b"\0"):
            raise NotWhole("it begins with nothing but zeros")
        raise Rejected(
            "its format is unknown: add a converter for it ([ingest] converters in ishtar.toml)"
        )

    def _matches(self, converter: Converter, head: bytes) -> bool:
        try:
            return converter.matches(self.path, head)
        except (Rejected, OSError):
            raise
        except Exception as error:
            log.info("%s of %s", converter.name, self.path, exc_info=True)
            raise Rejected(f"converter {converter.name} cannot inspect it: {error!r}") from error

    def _compare(self, shot: int, target: Path) -> Verdict | None:
        """Return the verdict where a file of this name is stored already; None: store this one."""
        try:
            stored = SourceFile(target).origin
        except DamagedFile as error:
            self._set_aside(target, f"damaged: {error}")
            return None
        self.sha256 = self.sha256 or sha256_of(self.path)
        if stored.size != self.size or stored.sha256 != self.sha256:
            if self._completes(target, stored):
                self._set_aside(target, f"the complete {self.path.name} arrived after a part of it")
                return None
            raise Rejected(
                f"shot {shot} already has a different {self.path.name}, stored {stored.arrived}, "
                "which stays: rename this file to store it too"
            )
        if found := list(problems(target)):
            self._set_aside(target, f"damaged: {found[0]}")
            return None
        return self._done("known", shot, target, [], ["stored before"])

    def _completes(self, target: Path, stored: Origin) -> bool:
        """Return whether the stored file is a salvaged part of this one."""
        salvaged = "salvaged" in SourceFile(target).properties and not self.request.salvage
        beginning = sha256_of_prefixes(self.path, [stored.size]) if salvaged else {}
        return beginning.get(stored.size) == stored.sha256

    def _set_aside(self, target: Path, reason: str) -> None:
        """Move a stored file that is damaged or incomplete out of the way of its replacement."""
        log.warning(
            "%s moves to quarantine, %s is stored again: %s", target, self.path.name, reason
        )
        quarantine(target, self.layout.quarantine, reason, move=True)

    def _check_space(self, target: Path) -> None:
        self.layout.shots.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(self.layout.shots).free
        if free < self.size + SPACE_TO_SPARE:
            raise IngestStopped(
                f"ingest of {self.path.name} stopped: {free >> 20} MB free on {target.parent}, "
                f"{(self.size + SPACE_TO_SPARE) >> 20} MB needed; nothing was lost: free some "
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
            self._listener.writes(writer.temporary)

            def report(done: int) -> None:
                source_hash.advance(done)
                self._listener.progress(min(done, self.size))

            context = Context(
                shot=shot,
                settings=self.settings,
                writer=writer,
                report=report,
                salvage=self.request.salvage,
            )
            self._call(converter, context)
            _check_date(writer.attributes.get("date"), converter)
            self.sha256 = writer.origin_sha256 = source_hash.hexdigest()
            if Identity.of(self.path) != self.request.identity:
                raise Changed
            if context.notes:
                writer.properties["notes"] = context.notes
        self._listener.progress(self.size)
        return context.notes

    def _call(self, converter: Any, context: Context) -> None:
        """Run a converter: any exception but those of disk and network rejects the file."""
        try:
            converter.convert(self.path, context)
        except (Rejected, OSError, MemoryError):
            raise
        except Exception as error:
            if Identity.of(self.path) != self.request.identity:
                raise Changed from error
            log.info("%s of %s", converter.name, self.path, exc_info=True)
            what = str(error) if isinstance(error, IshtarError) else repr(error)
            raise Rejected(f"converter {converter.name} cannot read it: {what}") from error

    def _day_log(self, converter: Any) -> Verdict:
        found = ingest_day_log(self.path, converter, self.layout, self.settings)
        return Verdict(
            status=found.status,
            shots=found.shots,
            stored=found.stored,
            reason="; ".join(found.notes),
            verified=found.kept_sha256 is not None,
            sha256=found.kept_sha256,
        )


def _check_date(date: Any, converter: Converter) -> None:
    if date is None:
        return
    try:
        good = dt.datetime.fromisoformat(date).tzinfo is None
    except (TypeError, ValueError):
        good = False
    if not good:
        raise Rejected(
            f"converter {converter.name} returned the date {date!r}: correct it to ISO text in "
            "local time, without a zone"
        )
