"""What was read, by name and digest: recorded while a report runs, compared when one is planned.

Anything in the library that hands out data calls `record`. Inside a report's kernel the records
go, one JSON line each, into the file named by ``ISHTAR_LINEAGE``, so that they survive the death of
the kernel; elsewhere recording is off and costs one comparison.
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
REPORT = "ISHTAR_REPORT"  # names the running template and those that it follows, between slashes
ABSENT = "absent"
RAN = "ran"  # what `ishtar.lineage.executed` writes down; it becomes the input of kind ``code``
WHERE = "where "  # begins the subject of a list of shots that a query has given


@dataclass(frozen=True, kw_only=True, order=True)
class Input:
    """One thing that a run really read.

    ``kind`` is one of `ishtar.inputs.kinds`; ``subject`` the shot or day that it was read at (empty
    for code); ``version`` is for people (``v2``), ``digest`` for comparison (``absent`` where it
    was looked for and not there).
    """

    kind: str
    name: str
    subject: str = ""
    version: str = ""
    digest: str = ""


def digest(value: Any) -> str:
    """Return a short stable digest of anything that JSON can hold."""
    text = json.dumps(value, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


class Recorder:
    """Collects inputs, each once; also into a file where one is given."""

    def __init__(self, path: Path | None = None) -> None:
        self.path = path
        self.inputs: dict[Input, None] = {}

    def add(self, item: Input) -> None:
        """Take one input."""
        if item in self.inputs:
            return
        if self.path is not None:
            with self.path.open("a", encoding="ascii") as f:
                f.write(line_of(item))
        self.inputs[item] = None  # last: what could not be written is told at the next look


def line_of(item: Input) -> str:
    """Return an input as a recorder's file keeps it: ASCII, so that no newline is inside of it.

    It is a line of its own whatever stands before it: a disk that was full leaves a torn one.
    """
    return f"\n{json.dumps(asdict(item))}\n"


_recorders: ContextVar[tuple[Recorder, ...]] = ContextVar("ishtar_recorders", default=())
_from_environment: dict[str, Recorder] = {}


@contextmanager
def recording() -> Iterator[Recorder]:
    """Record what is read inside the block, in memory; whoever records outside goes on doing so.

    Threads that were started outside the block are not seen.
    """
    recorder = Recorder()
    token = _recorders.set((*_recorders.get(), recorder))
    try:
        yield recorder
    finally:
        _recorders.reset(token)


def is_recording() -> bool:
    """Tell whether anybody records; where not, facts need not be worked out."""
    return bool(_recorders.get()) or VARIABLE in os.environ


def record(item: Input) -> None:
    """Note that something was read; does nothing where nobody records."""
    for recorder in _recorders.get():
        recorder.add(item)
    if path := os.environ.get(VARIABLE):
        _from_environment.setdefault(path, Recorder(Path(path))).add(item)


def this_report() -> tuple[str, tuple[str, ...]]:
    """Return the template that runs here, and those that it follows; empty outside of a report."""
    template, *after = os.environ.get(REPORT, "").split("/")
    return template, tuple(after)


def subject_of(shot: int) -> str:
    """Return a shot number as the subject of an input."""
    return f"{shot:05d}"


def read_records(path: Path) -> tuple[Input, ...]:
    """Return the inputs of a recorder's file, sorted, each once; a torn last line is dropped."""
    found: set[Input] = set()
    *whole, torn = path.read_bytes().split(b"\n") if path.exists() else [b""]
    if torn:
        logger.warning("%s ends in the middle of a record: its writer died", path)
    for line in filter(None, whole):
        try:
            found.add(Input(**json.loads(line)))
        except (ValueError, TypeError):
            logger.warning("%s holds a line that is no record: %.80r", path, line)
    return tuple(sorted(found))
