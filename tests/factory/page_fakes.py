"""Pages of the documentation that tests follow: their blocks, in the order of the page.

A block is told by what stands behind its fence: ``sh`` are commands, ``text`` is what they say,
``markdown``, ``python`` and ``python parameters`` are cells of a notebook, ``toml`` is its sidecar.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import nbformat
from nbformat.v4 import new_code_cell, new_markdown_cell

DOCS = Path(__file__).parents[2] / "docs"
BLOCK = re.compile(
    r"^```(sh|text|markdown|python parameters|python|toml ingest|toml)\n(.*?)^```$", re.M | re.S
)


def blocks(page: str) -> list[tuple[str, str]]:
    """Return the blocks of a page that are to be done, as (kind, text)."""
    return BLOCK.findall((DOCS / page).read_text(encoding="utf-8"))


def cell(kind: str, text: str) -> Any:
    """Return the cell of a notebook that a block is."""
    if kind == "markdown":
        return new_markdown_cell(text.strip())
    tags = {"tags": ["parameters"]} if kind.endswith("parameters") else {}
    return new_code_cell(text.strip(), metadata=tags)


def replace_cells(notebook: Path, cells: list[Any]) -> None:
    """Save a notebook with other cells, as a person does who follows the page."""
    found = nbformat.read(notebook, as_version=4)
    found.cells = cells
    nbformat.write(found, notebook)
