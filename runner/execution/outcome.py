"""Classify the outcome of every run."""

from __future__ import annotations

import errno
import os
from typing import Any

from runner.receipts import State

# Names of the error outputs that end a report; the engine writes the limits, `skip` the first.
SKIPPED = "ReportSkipped"
TIME_LIMIT = "TimeLimit"
OUTPUT_LIMIT = "OutputLimit"
MEMORY_LIMIT = "MemoryLimit"
DEAD_KERNEL = "DeadKernel"
UNREADABLE = "UnreadableMessage"
INJECTED = "injected-parameters"  # tag of the cell that sets the parameters
LONGEST_REASON = 300
TRANSIENT = (
    *(os.strerror(code).casefold() for code in (errno.ENOSPC, errno.EDQUOT, errno.EMFILE)),
    "database or disk is full",
    "database is locked",
    "catalogue.sqlite is not there",
)
LONGEST_NAME = 100


def outcome(notebook: Any) -> tuple[State, str]:
    """Return the state of an executed notebook, and the reason in one line unless it is ok."""
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
    """Return whether a cell was injected to set the parameters, so that its author never saw it."""
    tags = cell.metadata.get("tags")
    return isinstance(tags, list) and INJECTED in tags


def was_killed(state: State, reason: str) -> bool:
    """Return whether a report failed because something else than the engine killed its kernel."""
    return state == "failed" and reason.startswith(f"{DEAD_KERNEL}: ") and "(signal 9)" in reason


def is_transient(state: State, reason: str) -> bool:
    """Return whether a report failed because of a temporary problem of the machine.

    Such as a full disk, or a catalogue that is locked or being rebuilt: not the template's fault.
    """
    text = reason.casefold()
    return state == "failed" and any(sign in text for sign in TRANSIENT)


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
