"""Asking the service to make the reports of old shots, when nothing else is to do.

A request is a small file, so that it outlives both who asks and the service. It is a wish, not a
record: reports that are made are noted as always, and a service that is stopped in the middle goes
on with what is still missing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ishtar.store import write_atomic
from ishtar.workspace import Workspace

logger = logging.getLogger(__name__)


def _folder(workspace: Workspace) -> Path:
    return workspace.root / "data" / "backfill"


def request_backfill(workspace: Workspace, shots: Sequence[int] | None) -> Path:
    """Leave a request for the service; None asks for all shots. Return its file."""
    path = _folder(workspace) / f"{time.time_ns()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps({"shots": None if shots is None else list(shots)}))
    return path


def requests(workspace: Workspace) -> list[Path]:
    """Return the requests that wait, the oldest first."""
    return sorted(_folder(workspace).glob("[!.]*.json"))


def take_request(path: Path, every: Callable[[], Sequence[int]]) -> set[int]:
    """Return the shots that a request asks for; it is taken away.

    Parameters
    ----------
    every : callable
        Gives all shots there are.
    """
    wanted: set[int] = set()
    try:
        shots = json.loads(path.read_text(encoding="utf-8"))["shots"]
        there = set(every())
        wanted = there if shots is None else there & {int(n) for n in shots}
    except FileNotFoundError:
        return set()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        logger.warning("%s is no request (%s) and is removed: ask again", path, error)
    path.unlink(missing_ok=True)
    return wanted
