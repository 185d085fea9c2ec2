"""Asking the service for something: the reports of old shots, or pages that say what has changed.

A request is a small file, so that it outlives both who asks and the service. It is a wish, not a
record: reports that are made are noted as always, and a service that is stopped in the middle goes
on with what is still missing.
"""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ishtar.store import write_atomic
from ishtar.workspace import Workspace
from runner.receipts import Subject

logger = logging.getLogger(__name__)


def _folder(workspace: Workspace) -> Path:
    return workspace.root / "data" / "backfill"


@dataclass(frozen=True, kw_only=True)
class Request:
    """What is asked for: reports of shots, when nothing else is to do, and pages of subjects."""

    shots: frozenset[int] = frozenset()
    pages: frozenset[Subject] = frozenset()


def request_backfill(workspace: Workspace, shots: Sequence[int] | None) -> Path:
    """Leave a request for the service; None asks for all shots. Return its file."""
    return _leave(workspace, {"shots": None if shots is None else list(shots)})


def request_pages(workspace: Workspace, subjects: Iterable[Subject]) -> Path:
    """Ask the service to publish subjects: it alone writes the site while it works."""
    return _leave(workspace, {"shots": [], "pages": sorted(s.key for s in subjects)})


def _leave(workspace: Workspace, wanted: Mapping[str, Any]) -> Path:
    path = _folder(workspace) / f"{time.time_ns()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(wanted))
    return path


def requests(workspace: Workspace) -> list[Path]:
    """Return the requests that wait, the oldest first."""
    return sorted(_folder(workspace).glob("[!.]*.json"))


def take_request(path: Path, every: Callable[[], Sequence[int]]) -> Request:
    """Return what a request asks for; it is taken away.

    Parameters
    ----------
    every : callable
        Gives all shots there are.
    """
    request = Request()
    try:
        wanted = json.loads(path.read_text(encoding="utf-8"))
        shots, there = wanted["shots"], frozenset(every())
        request = Request(
            shots=there if shots is None else there & {int(n) for n in shots},
            pages=frozenset(Subject.parse(key) for key in wanted.get("pages", ())),
        )
    except FileNotFoundError:
        return request
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        logger.warning("%s is no request (%s) and is removed: ask again", path, error)
    path.unlink(missing_ok=True)
    return request
