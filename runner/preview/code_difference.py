"""The code of two executed notebooks of one template, compared line by line."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from runner.render import untrusted
from runner.render.notebook import PAPERMILL_CELL

CELL = "# %%"  # how editors mark the start of a cell
ADDED_CELLS = {"injected-parameters", PAPERMILL_CELL}


@dataclass(frozen=True, kw_only=True)
class CodeLine:
    """A line of a difference; ``place`` lines give the position of the next ones."""

    kind: Literal["place", "kept", "gone", "new"]
    text: str


def code_of(notebook: Path) -> list[str]:
    """Return the lines of a notebook's code cells, without the cell that sets the parameters.

    Raises
    ------
    UnreadableNotebook
        It is not a notebook.
    """
    lines: list[str] = []
    for cell in untrusted.read_cells(notebook):
        if cell.get("cell_type") == "code" and not untrusted.tags(cell) & ADDED_CELLS:
            lines += [CELL, *untrusted.source(cell).rstrip("\n").split("\n")]
    return lines


def code_difference(before: Path, after: Path) -> tuple[CodeLine, ...]:
    """Return the unified difference of two notebooks' code; empty if equal."""
    found = []
    whole = difflib.unified_diff(code_of(before), code_of(after), lineterm="", n=3)
    for line in list(whole)[2:]:  # the first two lines are headers with file names
        match line[:1]:
            case "@":
                found.append(CodeLine(kind="place", text=line))
            case "-":
                found.append(CodeLine(kind="gone", text=line[1:]))
            case "+":
                found.append(CodeLine(kind="new", text=line[1:]))
            case _:
                found.append(CodeLine(kind="kept", text=line[1:]))
    return tuple(found)
