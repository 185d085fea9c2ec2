"""Read a template's file into a normal form, or reject it.

Notebooks come from many editors, merges and scripts. Accept what Jupyter opens, in any version of
format 4. Reject damaged ones here, since they would fail later, in the middle of a run.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from ishtar.plain_files import read_plain
from runner.errors import TemplateError

FORMAT = 4
MINOR = 5  # the first in which cells have ids
CELL_TYPES = ("code", "markdown", "raw")
INJECTED = "injected-parameters"  # tag and id of the cell that sets a report's parameters
TAGS_OF_RUNS = {INJECTED, "papermill-error-cell-tag"}  # tags of cells inserted by runs
_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
_TABLES = ("kernelspec", "language_info", "papermill", "widgets")  # in a notebook's metadata
_LONGEST_NAME = 100  # bytes; a page's name and a temporary one are longer
_NOT_IN_NAMES = r"""\:*?"'<>|#%&;,`$"""


def name_problem(name: str) -> str:
    """Return why a template's name is unusable for folders and addresses; empty if it is not."""
    if not name.isprintable():
        return "its name has an unprintable character: rename it"
    if odd := sorted(set(name) & set(_NOT_IN_NAMES)):
        return f"its name has {' '.join(odd)}, which addresses and lists must not have: rename it"
    if name.startswith("-") or name != name.strip(" ."):
        return "its name begins or ends with a character that programs misread: rename it"
    if len(name.encode()) > _LONGEST_NAME:
        return f"its name is longer than {_LONGEST_NAME} bytes: rename it"
    return ""


def read_notebook(path: Path) -> dict[str, Any]:
    """Read a template's notebook.

    Returns
    -------
    dict
        In format 4.5: each cell has ``cell_type``, ``id``, ``source`` as one text with ``\\n`` as
        line end, and ``metadata``, whose ``tags``, if any, are a list of texts. Code cells have no
        outputs.

    Raises
    ------
    TemplateError
        It cannot be read or is not a notebook; the message says where.
    """
    try:
        text = read_plain(path).decode("utf-8-sig")
        return _notebook(json.loads(text, parse_constant=_no_number))
    except OSError as error:
        raise TemplateError(
            f"{path.name} cannot be read: {error.strerror}: make it readable for the factory's "
            "user, or remove it"
        ) from error
    except (ValueError, RecursionError) as error:
        why = "it is too deep" if isinstance(error, RecursionError) else str(error)
        raise TemplateError(f"{path.name}: not a notebook ({why}): save it in Jupyter") from error


def declares_parameters(cell: Mapping[str, Any]) -> bool:
    """Return whether a cell declares the parameters."""
    return cell["cell_type"] == "code" and "parameters" in cell["metadata"].get("tags", ())


def is_from_run(cell: Mapping[str, Any]) -> bool:
    """Return whether a run inserted a cell: the template was saved from a report's notebook.

    Such a cell could overwrite our parameters with those of that report's shot.
    """
    return bool(TAGS_OF_RUNS & set(cell["metadata"].get("tags", ())))


def title_and_description(cells: Iterable[Mapping[str, Any]], name: str) -> tuple[str, str]:
    """Return the first heading, or ``name`` without any, and the first paragraph after it."""
    title, paragraph = "", []
    for cell in cells:
        if cell["cell_type"] != "markdown":
            continue
        for line in cell["source"].splitlines():
            if not title and line.startswith("#"):
                title = line.lstrip("# ").strip()
            elif title and line.strip() and not line.startswith("#"):
                paragraph.append(line.strip())
            elif paragraph:
                return title, " ".join(paragraph)
        if paragraph:
            break
    return title or name, " ".join(paragraph)


def _no_number(text: str) -> None:
    raise ValueError(f"{text} is not a number in JSON")


def _notebook(data: Any) -> dict[str, Any]:
    _require(isinstance(data, Mapping), "it is not a table")
    version = data.get("nbformat")
    _require(version == FORMAT, f"its format is {version!r:.40}, not {FORMAT}")
    metadata = _table(data, "metadata", "its metadata")
    for name in _TABLES:
        _table(metadata, name, f"{name} in its metadata")
    _require(isinstance(data.get("cells"), list), "it has no list of cells")
    cells = [_cell(cell, f"cell {k}") for k, cell in enumerate(data["cells"], start=1)]
    for cell, identity in zip(cells, _identities(cells), strict=True):
        cell["id"] = identity
    found = {"nbformat": FORMAT, "nbformat_minor": MINOR, "metadata": metadata, "cells": cells}
    try:
        json.dumps(found, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise ValueError("it has half a character, a lone surrogate") from error
    return found


def _cell(cell: Any, where: str) -> dict[str, Any]:
    _require(isinstance(cell, Mapping), f"{where} is not a table")
    kind = cell.get("cell_type")
    _require(kind in CELL_TYPES, f"{where} is a {kind!r:.40}, not {', '.join(CELL_TYPES)}")
    source = cell.get("source")
    lines = [source] if isinstance(source, str) else source
    good = isinstance(lines, list) and all(isinstance(line, str) for line in lines)
    _require(good, f"the source of {where} is {source!r:.40}")
    metadata = _table(cell, "metadata", f"the metadata of {where}")
    tags = metadata.get("tags", [])
    good = isinstance(tags, list) and all(isinstance(tag, str) for tag in tags)
    _require(good, f"the tags of {where} are {tags!r:.40}, not a list of texts")
    text = "".join(lines).replace("\r\n", "\n").replace("\r", "\n")
    found = {"cell_type": kind, "id": cell.get("id"), "metadata": metadata, "source": text}
    if kind == "code":
        return found | {"outputs": [], "execution_count": None}
    attachments = _table(cell, "attachments", f"the attachments of {where}")
    good = all(isinstance(forms, Mapping) for forms in attachments.values())
    _require(good, f"the attachments of {where} are damaged")
    return found | ({"attachments": attachments} if attachments else {})


def _table(of: Mapping[str, Any], name: str, called: str) -> dict[str, Any]:
    found = of.get(name, {})
    _require(isinstance(found, Mapping), f"{called} is {found!r:.40}, not a table")
    return dict(found)


def _require(good: bool, otherwise: str) -> None:
    if not good:
        raise ValueError(otherwise)


def _identities(cells: list[dict[str, Any]]) -> Iterator[str]:
    """Yield a unique id for each cell: its own if that is valid and not taken."""
    own = [cell["id"] for cell in cells]
    used = {INJECTED}
    for k, identity in enumerate(own):
        if not isinstance(identity, str) or not _ID.fullmatch(identity) or identity in used:
            identity = f"cell-{k}"  # deterministic
            while identity in used or identity in own:
                identity += "-"
        used.add(identity)
        yield identity
