"""Files that cannot be used: kept whole, each with a reason beside it.

``data/quarantine/NAME`` and ``NAME.reason.json``. The reason is written before the file moves, so
that a file is never there without one.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import errno
import json
import os
import shutil
from pathlib import Path
from typing import Any

from ishtar.store import atomic_path, fsync_dir, write_atomic
from runner.ingest.source_hash import sha256_of

REASON = ".reason.json"


def quarantine(
    source: Path, folder: Path, reason: str, *, move: bool, sha256: str | None = None
) -> Path:
    """Keep a file that cannot be used, with the reason, and return where it is now.

    Parameters
    ----------
    source : Path
        The file.
    folder : Path
        The quarantine.
    reason : str
        One line.
    move : bool
        Take it away from where it is (an incoming folder); else copy it.
    sha256 : str, optional
        Of the file, where it is known already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    sha256 = sha256 or sha256_of(source)
    facts = {
        "source": str(source.absolute()),
        "reason": reason,
        "when": dt.datetime.now().astimezone().isoformat(timespec="seconds"),
        "size": source.stat().st_size,
        "sha256": sha256,
    }
    target = _place(folder, source.name, facts)
    if not (target.exists() and sha256_of(target) == sha256):
        if move:
            _move(source, target)
        else:
            _copy(source, target)
    elif move and not os.path.samefile(source, target):
        source.unlink()  # the same bytes are there, just read
    return target


def reason_of(path: Path) -> dict[str, Any]:
    """Return what was noted of a file in quarantine; an empty mapping if nothing."""
    try:
        return json.loads(path.with_name(path.name + REASON).read_text())
    except (OSError, ValueError):
        return {}


def _place(folder: Path, name: str, facts: dict[str, Any]) -> Path:
    """Claim a name: the file's own, or with a number where that is taken by other bytes."""
    path, number = folder / name, 1
    text = json.dumps(facts, ensure_ascii=False, indent=1) + "\n"
    while True:
        note = path.with_name(path.name + REASON)
        if reason_of(path).get("sha256") == facts["sha256"]:
            write_atomic(note, text)  # the same bytes again: the newest reason counts
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
