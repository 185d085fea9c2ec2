"""Reading of untrusted notebooks: any part may be missing or have another type."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

MAX_NOTEBOOK_BYTES = 128_000_000


class UnreadableNotebook(ValueError):
    """The file is not a notebook."""


def read_cells(path: Path) -> list[dict[str, Any]]:
    """Return the cells of a notebook, even if other parts of it are invalid."""
    try:
        size = path.stat().st_size
        if size > MAX_NOTEBOOK_BYTES:
            raise UnreadableNotebook(
                f"The notebook of {size / 1e6:.0f} MB is too large for a page; download it instead."
            )
        cells = json.loads(path.read_bytes()).get("cells")
    except OSError as error:
        raise UnreadableNotebook(f"The notebook cannot be read ({error.strerror}).") from error
    except (ValueError, AttributeError, RecursionError) as error:
        raise UnreadableNotebook("The file is damaged: it is not a notebook.") from error
    if not isinstance(cells, list):
        raise UnreadableNotebook("The file is not a notebook of format 4.")
    return [c for c in cells if isinstance(c, dict)]


def source(cell: Mapping[str, Any]) -> str:
    """Return the source of a cell."""
    return joined(cell.get("source"))


def joined(text: object) -> str:
    """Return a text that may be stored as a list of lines."""
    if isinstance(text, list):
        return "".join(t for t in text if isinstance(t, str))
    return text if isinstance(text, str) else ""


def tags(cell: Mapping[str, Any]) -> set[str]:
    """Return the tags of a cell."""
    metadata = cell.get("metadata")
    tags = metadata.get("tags") if isinstance(metadata, dict) else None
    return {t for t in tags if isinstance(t, str)} if isinstance(tags, list) else set()


def outputs(cell: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the outputs of a cell."""
    outputs = cell.get("outputs")
    return [o for o in outputs if isinstance(o, dict)] if isinstance(outputs, list) else []


def has_error(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell ended with an exception."""
    return any(o.get("output_type") == "error" for o in outputs(cell))
