"""Requests to the service: make the reports of old shots, or publish pages again.

A request is a small file, so it survives both the command and the service. It records no progress:
a restarted service finds out itself which reports are still missing.
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
    """A request for reports of shots, when nothing else is to be done, and pages of subjects."""

    shots: frozenset[int] = frozenset()
    pages: frozenset[Subject] = frozenset()


def request_backfill(workspace: Workspace, shots: Sequence[int] | None) -> Path:
    """Request the reports of shots, None for all shots; return the file of the request."""
    return _write_request(workspace, {"shots": None if shots is None else list(shots)})


def request_pages(workspace: Workspace, subjects: Iterable[Subject]) -> Path:
    """Request the pages of subjects: a working service is the only writer of the site."""
    return _write_request(workspace, {"shots": [], "pages": sorted(s.key for s in subjects)})


def _write_request(workspace: Workspace, wanted: Mapping[str, Any]) -> Path:
    path = _folder(workspace) / f"{time.time_ns()}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomic(path, json.dumps(wanted))
    return path


def requests(workspace: Workspace) -> list[Path]:
    """Return the waiting requests, the oldest first."""
    return sorted(_folder(workspace).glob("[!.]*.json"))


def take_request(path: Path, every: Callable[[], Sequence[int]]) -> Request:
    """Read and remove a request.

    Parameters
    ----------
    every : callable
        Returns all existing shots.
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
        logger.warning("%s is not a request (%s): removed it, request again", path, error)
    path.unlink(missing_ok=True)
    return request
