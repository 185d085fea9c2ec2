"""Unusable files: kept unchanged, each with its reason.

``data/quarantine/NAME`` and ``NAME.reason.json``. The reason is written before the file moves, so
that no file is there without one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ishtar.plain_files import readable
from ishtar.store import atomic_path, fsync_dir, write_atomic
from runner.ingest.raw_files.source_hash import sha256_of

REASON = ".reason.json"
TAKEN = "taken"


def quarantine(
    source: Path, folder: Path, reason: str, *, move: bool, sha256: str | None = None
) -> Path:
    """Put an unusable file into quarantine with its reason, and return its place there.

    Parameters
    ----------
    source : Path
        The file.
    folder : Path
        The quarantine folder.
    reason : str
        One line.
    move : bool
        Move it (from an incoming folder); else copy it.
    sha256 : str, optional
        Of the file, if known.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = sha256 or sha256_of(source)
    facts = {
        "source": readable(str(source.absolute())),
        "reason": reason,
        "when": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
        "size": source.stat().st_size,
        "sha256": sha256,
    }
    target = _place(folder, readable(source.name), facts)
    if not (target.exists() and sha256_of(target) == sha256):
        if move:
            _move(source, target)
        else:
            _copy(source, target)
    elif move and not os.path.samefile(source, target):
        source.unlink()  # the copy there has the same bytes, by its digest
    return target


def archive_stored(path: Path) -> Path:
    """Move a file out of quarantine after it was stored, so that it is no longer listed.

    It stays unchanged in ``data/quarantine/taken``, since it may hold more than was stored.
    """
    note = path.with_name(path.name + REASON)
    target = move_to_folder(path, path.parent / TAKEN)
    with contextlib.suppress(FileNotFoundError):  # a file put there by hand has no reason
        os.replace(note, target.with_name(target.name + REASON))
    return target


def move_to_folder(path: Path, folder: Path) -> Path:
    """Move a file into a folder under a free name, and return its new path."""
    folder.mkdir(parents=True, exist_ok=True)
    target, number = folder / path.name, 1
    while target.exists():
        number += 1
        target = folder / f"{path.stem}-{number}{path.suffix}"
    _move(path, target)
    return target


@dataclass(frozen=True, kw_only=True)
class QuarantinedFile:
    """A file in quarantine: its name there, the reason, and its arrival (ISO, local time)."""

    name: str
    reason: str
    when: str


def quarantined_files(folder: Path) -> list[QuarantinedFile]:
    """Return the files in quarantine, newest first, including those without a readable reason."""
    found = []
    for name in quarantined_names(folder):
        facts = reason_of(folder / name)
        reason = str(facts.get("reason") or "no reason is recorded: look into data/quarantine")
        found.append(
            QuarantinedFile(name=readable(name), reason=reason, when=str(facts.get("when", "")))
        )
    return sorted(found, key=lambda h: (h.when, h.name), reverse=True)


def quarantined_names(folder: Path) -> set[str]:
    """Return the names of the files in quarantine, without reading why."""
    try:
        files = [p.name for p in folder.iterdir() if p.is_file() and not p.name.startswith(".")]
    except FileNotFoundError:
        return set()
    return {name.removesuffix(REASON) for name in files}


def reason_of(path: Path) -> dict[str, Any]:
    """Return the record of a file in quarantine; empty if there is no readable one."""
    try:
        facts = json.loads(path.with_name(path.name + REASON).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return facts if isinstance(facts, dict) else {}


def _place(folder: Path, name: str, facts: dict[str, Any]) -> Path:
    """Claim a name: the file's own, or a numbered one if a different file has it."""
    path, number = folder / name, 1
    text = json.dumps(facts, ensure_ascii=False, indent=1) + "\n"
    while True:
        note = path.with_name(path.name + REASON)
        if reason_of(path).get("sha256") == facts["sha256"]:
            write_atomic(note, text)  # the same bytes again: keep the newest reason
            return path
        if not path.exists():
            with contextlib.suppress(FileExistsError):
                write_atomic(note, text, exclusive=True)
                return path
        number += 1
        path = folder / f"{Path(name).stem}-{number}{Path(name).suffix}"


def _move(source: Path, target: Path) -> None:
    try:
        os.rename(source, target)
        fsync_dir(target.parent)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        _copy(source, target)  # from a share: copy, compare, then remove
        if sha256_of(source) == sha256_of(target):
            source.unlink()


def _copy(source: Path, target: Path) -> None:
    with atomic_path(target) as temporary:
        shutil.copyfile(source, temporary)
