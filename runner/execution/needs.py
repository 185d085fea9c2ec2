"""Check the signals that a template needs before its notebook runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

from ishtar.calibration import Declarations, load_declarations
from ishtar.shots.testbed import Testbed
from ishtar.workspace import Workspace
from runner.receipts import State, Subject
from runner.templates.template import file_stamp


def missing_signals(
    workspace: Workspace, needs: Sequence[str], subject: Subject
) -> tuple[State, str]:
    """Return state and reason of a report if signals are missing; ok and empty if none are.

    A shot without a signal is skipped; a signal that is declared for no shot is an error.
    """
    if not needs or subject.scope != "shot":
        return "ok", ""
    declarations = _declarations(workspace.calibrations, _files(workspace.calibrations))
    testbed = Testbed(workspace)
    testbed.declarations = declarations
    shot = testbed[subject.number]
    problems = {name: shot.problem(name) for name in needs}
    why = "; ".join(p for p in problems.values() if p)
    if problems.keys() - declarations.signals.keys():
        return "failed", f"the template needs a signal that is declared for no shot: {why}"
    return ("skipped" if why else "ok"), why


@lru_cache(maxsize=4)
def _declarations(folder: Path, files: object) -> Declarations:
    """Return the declarations; the cache is keyed by the stamps of the files."""
    return load_declarations(folder)


def _files(folder: Path) -> tuple[tuple[str, object], ...]:
    return tuple((str(path), file_stamp(path)) for path in sorted(folder.rglob("*")))
