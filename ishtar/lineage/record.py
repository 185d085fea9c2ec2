"""Record inputs by name and digest while a report runs; a plan compares them later.

Everything in the library that returns data calls `record`. In a report's kernel the records go to
the file named by ``ISHTAR_LINEAGE``, one JSON line each, so that they survive the kernel's death;
elsewhere recording is off and costs one comparison.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

logger = logging.getLogger(__name__)

VARIABLE = "ISHTAR_LINEAGE"
REPORT = "ISHTAR_REPORT"  # the running template and those that it follows, separated by slashes
ABSENT = "absent"
RAN = "ran"  # kind of the records of `ishtar.lineage.executed`; they become an input ``code``
WHERE = "where "  # prefix of the subject of a list of shots that a query selects


@dataclass(frozen=True, kw_only=True, order=True)
class Input:
    """One thing that a run actually read.

    ``kind`` is one of `ishtar.inputs.kinds`; ``subject`` is the shot or day at which it was read
    (empty for code); ``version`` is for people (``v2``), ``digest`` for comparison (``absent`` if
    it was requested and does not exist).
    """

    kind: str
    name: str
    subject: str = ""
    version: str = ""
    digest: str = ""


def digest(value: Any) -> str:
    """Return a short stable digest of a value that JSON can represent."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


class Recorder:
    """Collects inputs, each once, optionally also in a file."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.inputs: dict[Input, None] = {}

    def add(self, item: Input) -> None:
        """Record one input."""
        if item in self.inputs:
            return
        if self.path is not None:
            with self.path.open("a", encoding="ascii") as f:
                f.write(line_of(item))
        self.inputs[item] = None  # last: if writing fails, the next call tries again


def line_of(item: Input) -> str:
    """Return an input as a line of a recorder's file, in ASCII, so that it contains no newline.

    A newline also precedes it, since a full disk may have left an incomplete line before.
    """
    return f"\n{json.dumps(asdict(item))}\n"


_recorders: ContextVar[tuple[Recorder, ...]] = ContextVar("ishtar_recorders", default=())
_from_environment: dict[str, Recorder] = {}


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record in memory what the block reads, in addition to any outer recording.

    Threads that were started outside the block are not recorded.
    """
    recorder = Recorder()
    token = _recorders.set((*_recorders.get(), recorder))
    try:
        yield recorder
    finally:
        _recorders.reset(token)


def is_recording() -> bool:
    """Return whether recording is on; if not, identities need not be computed."""
    return bool(_recorders.get()) or VARIABLE in os.environ


def record(item: Input) -> None:
    """Record that something was read; do nothing if recording is off."""
    for recorder in _recorders.get():
        recorder.add(item)
    if path := os.environ.get(VARIABLE):
        _from_environment.setdefault(path, Recorder(Path(path))).add(item)


@dataclass(frozen=True)
class Notes:
    """Records what is read of a testbed, unless it is foreign: reports are planned by their own."""

    foreign: bool = False

    @property
    def is_on(self) -> bool:
        """Whether recording is on; if not, identities need not be computed."""
        return not self.foreign and is_recording()

    def record(self, item: Input) -> None:
        """Record that something was read, unless it is foreign or recording is off."""
        if not self.foreign:
            record(item)


OWN = Notes()
FOREIGN = Notes(foreign=True)


def this_report() -> tuple[str, tuple[str, ...]]:
    """Return the running template and those that it follows; empty outside a report."""
    template, *after = os.environ.get(REPORT, "").split("/")
    return template, tuple(after)


def subject_of(shot: int) -> str:
    """Return a shot number as the subject of an input."""
    return f"{shot:05d}"


def read_records(path: Path) -> tuple[Input, ...]:
    """Return the inputs in a recorder's file, sorted, each once; skip invalid lines."""
    found: set[Input] = set()
    *whole, torn = path.read_bytes().split(b"\n") if path.exists() else [b""]
    if torn:
        logger.warning("%s ends with an incomplete record: its writer was killed", path)
    for line in filter(None, whole):
        try:
            found.add(Input(**json.loads(line)))
        except (ValueError, TypeError):
            logger.warning(
                "%s has a line that is not a record, which is ignored: %.80r", path, line
            )
    return tuple(sorted(found))
