"""What people change beside a running service: calibrations, templates, shots, the catalogue."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ishtar.workspace import MARKER, Workspace
from runner.staleness.plan import MISSING, Planned
from runner.templates.template import file_stamp

logger = logging.getLogger(__name__)

SHOWN = 3  # files, and reasons, by name
Stamps = Mapping[str, object]


@dataclass(frozen=True, kw_only=True)
class Change:
    """What was changed from outside, and what that makes of the reports.

    Attributes
    ----------
    when : when it was noticed, Unix time, s.
    files : those that changed, seen from the workspace.
    stale : how many reports do not hold any more.
    missing : how many were never made.
    reasons : why reports are stale, each with how many.
    remade : whether the service makes them anew.
    """

    when: float
    files: tuple[str, ...]
    stale: int
    missing: int
    reasons: Mapping[str, int]
    remade: bool

    def __str__(self) -> str:
        files = _few(self.files) or "the catalogue"
        counts = [_reports(self.stale, "stale")] if self.stale else []
        counts += [_reports(self.missing, "missing")] if self.missing else []
        found = ", ".join(counts) or "no report is stale"
        why = f" ({_few(f'{r}: {n}' for r, n in self.reasons.items())})" if self.reasons else ""
        then = ""
        if counts:
            then = (
                "; the service makes them after all else"
                if self.remade
                else "; `ishtar run` makes them"
            )
        return f"{files} changed: {found}{why}{then}"


class Outside:
    """Compares the files that reports depend on with what they were when it was last asked."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stamps = self._last = stamps(workspace)

    def moved(self) -> bool:
        """Tell whether something is other than when this was last asked, accepted or not."""
        before, self._last = self._last, stamps(self._workspace)
        return self._last != before

    def look(self) -> tuple[tuple[str, ...], Stamps]:
        """Return the files that changed, came or went, and all stamps, for `accept`."""
        now = stamps(self._workspace)
        changed = [n for n in now.keys() | self._stamps.keys() if now.get(n) != self._stamps.get(n)]
        return tuple(sorted(changed)), now

    def accept(self, now: Stamps) -> None:
        """Take what was found for known: all that it leads to is under way."""
        self._stamps = now


def stamps(workspace: Workspace) -> Stamps:
    """Return what changes with each file that people write beside a running service."""
    found = {}
    for path in _files(workspace):
        found[path.relative_to(workspace.root).as_posix()] = file_stamp(path)
    return found


def _files(workspace: Workspace) -> Iterator[Path]:
    yield workspace.root / MARKER
    for path in sorted(workspace.calibrations.rglob("*")):
        parts = path.relative_to(workspace.calibrations).parts
        if path.is_file() and not any(p.startswith((".", "__pycache__")) for p in parts):
            yield path
    for suffix in ("ipynb", "toml"):
        for path in sorted(workspace.templates.glob(f"[!.]*.{suffix}")):
            yield path


def change_of(
    files: Sequence[str], plan: Iterable[Planned], *, remade: bool, when: float
) -> Change:
    """Return what a change means, as a plan says it."""
    plan = list(plan)
    stale = [p for p in plan if MISSING not in p.reasons]
    reasons = Counter(reason for p in stale for reason in p.reasons)
    return Change(
        when=when,
        files=tuple(files),
        stale=len(stale),
        missing=len(plan) - len(stale),
        reasons=dict(reasons.most_common()),
        remade=remade,
    )


def _reports(n: int, how: str) -> str:
    return f"1 report is {how}" if n == 1 else f"{n} reports are {how}"


def _few(texts: Iterable[str]) -> str:
    texts = list(texts)
    more = f" and {len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return ", ".join(texts[:SHOWN]) + more
