"""External changes during a running service: calibrations, templates, shots, the catalogue."""

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
    """An external change and its effect on reports.

    Attributes
    ----------
    when : when it was noticed, Unix time, s.
    files : changed files, relative to the workspace.
    stale : number of stale reports.
    missing : number of reports that were never made.
    reasons : why reports are stale, each with a count.
    remade : whether the service makes them again.
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
                "; the service makes them after everything else"
                if self.remade
                else "; `ishtar run` makes them"
            )
        return f"{files} changed: {found}{why}{then}"


class ExternalChanges:
    """Detect changes of the files that reports depend on."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._stamps = self._last = stamps(workspace)

    def changed_since_last_call(self) -> bool:
        """Return whether any file changed since the last call, accepted or not."""
        before, self._last = self._last, stamps(self._workspace)
        return self._last != before

    def compare(self) -> tuple[tuple[str, ...], Stamps]:
        """Return the files changed, added or removed since `accept`, and the current stamps."""
        now = stamps(self._workspace)
        changed = [n for n in now.keys() | self._stamps.keys() if now.get(n) != self._stamps.get(n)]
        return tuple(sorted(changed)), now

    def accept(self, now: Stamps) -> None:
        """Mark the changes as handled: everything that follows from them is on its way."""
        self._stamps = now


def stamps(workspace: Workspace) -> Stamps:
    """Return the stamp of each file that users may edit during a running service."""
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
    """Return a change with its effect on reports, taken from a plan."""
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
