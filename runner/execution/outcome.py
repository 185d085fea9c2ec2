"""How a run ended: one place that classifies every outcome."""

from __future__ import annotations

import errno
import os
from typing import Any

from runner.receipts import State

# Names of the error outputs that end a report; the engine writes the limits, `skip` the other.
SKIPPED = "ReportSkipped"
TIME_LIMIT = "TimeLimit"
OUTPUT_LIMIT = "OutputLimit"
MEMORY_LIMIT = "MemoryLimit"
DEAD_KERNEL = "DeadKernel"
UNREADABLE = "UnreadableMessage"
INJECTED = "injected-parameters"  # tag of the cell that sets the parameters
LONGEST_REASON = 300
PASSING = (
    *(os.strerror(code).casefold() for code in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE)),
    "database or disk is full",
    "database is locked",
    "catalogue.sqlite is not there",
)
LONGEST_NAME = 100


def outcome(notebook: Any) -> tuple[State, str]:
    """Return the state of an executed notebook and the reason, in one line, where it is not ok."""
    code_cells = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        code_cells += not is_injected(cell)
        for output in cell.get("outputs", []):
            if output.output_type == "error":
                return _of_error(output.ename, output.evalue, code_cells)
    return "ok", ""


def is_injected(cell: Any) -> bool:
    """Tell whether a cell was put in to set the parameters: its author does not count it."""
    tags = cell.metadata.get("tags")
    return isinstance(tags, list) and INJECTED in tags


def was_killed(state: State, reason: str) -> bool:
    """Tell whether a report failed because its kernel got a SIGKILL that was not the engine's."""
    return state == "failed" and reason.startswith(f"{DEAD_KERNEL}: ") and "(signal 9)" in reason


def is_passing(state: State, reason: str) -> bool:
    """Tell whether a report failed for want of what the machine should give it.

    A full disk, a catalogue that is locked or being made again: nothing that its template did.
    """
    text = reason.casefold()
    return state == "failed" and any(sign in text for sign in PASSING)


def _of_error(name: str, value: str, cell: int) -> tuple[State, str]:
    text = " ".join(value.split())
    name = name[:LONGEST_NAME]
    if len(text) > LONGEST_REASON:
        text = text[:LONGEST_REASON] + " …"
    if name == SKIPPED:
        return "skipped", text
    if name == TIME_LIMIT:
        return "timeout", f"{text} (in code cell {cell})"
    return (
        "failed",
        f"{name}: {text} (in code cell {cell})" if text else f"{name} (in code cell {cell})",
    )
